"""What the requests of a run say of each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.cases.loader import load_cases
from conformance.cases.tensors.generators import Normal
from conformance.errors import CaseError
from conformance.plan import build_cache, requests

FILE = """
source: s
cases:
  - {id: a, operation: log_softmax, inputs: {x: [[1, 2], [3, 4]]}, formulations: [functional], why: a}
  - {id: b, operation: log_softmax, inputs: {x: [[5, 6], [7, 8]]}, formulations: [manual], why: b, OPTION}
"""


def _said(folder: Path, option: str, backwards: bool = False) -> list[list[str]]:
    """The formulations in the headers of cases a and b."""
    path = folder / "cases.yaml"
    path.write_text(FILE.replace("OPTION", option))
    groups = requests.make(load_cases([path])[:: -1 if backwards else 1], ["jax"], ["float32"]).groups
    asked = {group.case.id: group.about("functional", ("value",))["formulations"] for group in groups}
    return [asked["a"], asked["b"]]


@pytest.mark.parametrize("option", ["tags: [x]", "parameters: {axis: 1}", "quantities: [gradient]"])
def test_what_is_compiled_alike_is_asked_for_together_in_any_order(tmp_path: Path, option: str) -> None:
    for backwards in (False, True):
        assert _said(tmp_path, option, backwards) == [["functional", "manual"]] * 2


@pytest.mark.parametrize("option", ["parameters: {axis: 0}", "quantities: [value]"])
def test_what_is_compiled_apart_is_asked_for_apart(tmp_path: Path, option: str) -> None:
    assert _said(tmp_path, option) == [["functional"], ["manual"]]


@pytest.mark.parametrize("option", ["label_smoothing: 0.5", "weight: [1, 2]", "reduction: sum"])
def test_options_that_change_the_program_keep_losses_apart(tmp_path: Path, option: str) -> None:
    """The ignored label is a number like any other."""
    text = FILE.replace("log_softmax", "cross_entropy").replace("x: [", "target: [0, 1], logits: [")
    path = tmp_path / "cases.yaml"
    for more, together in (("ignore_index: 1", True), (option, False)):
        path.write_text(text.replace("OPTION", f"parameters: {{{more}}}"))
        first, second = requests.make(load_cases([path]), ["jax"], ["float32"]).groups
        assert (first.program == second.program) is together
        assert (first.together == second.together) is together


LARGE = """
source: s
cases:
  - id: a
    operation: softmax
    inputs: {x: {normal: {shape: [3, 30000], scale: SCALE, seed: 1}}}
    dtypes: [float32]
    quantities: [QUANTITIES]
    why: a
"""


@pytest.mark.parametrize("quantities", ["value", "value, gradient"])
def test_what_overflows_is_told_before_anything_is_run(tmp_path: Path, quantities: str) -> None:
    path = tmp_path / "cases.yaml"
    path.write_text(LARGE.replace("SCALE", "1.0e38").replace("QUANTITIES", quantities))
    with pytest.raises(CaseError, match=r"cases.yaml:4: a: .* overflows float32"):
        requests.make(load_cases([path]), ["numpy"])


def test_a_large_input_is_drawn_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the plan until its group is judged."""
    drawn: list[Normal] = []
    make = Normal.make
    monkeypatch.setattr(Normal, "make", lambda self: drawn.append(self) or make(self))
    path = tmp_path / "cases.yaml"
    path.write_text(LARGE.replace("SCALE", "1").replace("QUANTITIES", "value, gradient, second"))
    (group,) = requests.make(load_cases([path]), ["numpy"]).groups
    assert group.arguments["x"].shape == (3, 30000)
    assert group.wire().body
    assert group.case.quantity_names() == ("value", "gradient:x", "second:x")
    assert len(drawn) == 1


@pytest.mark.parametrize(("kept", "drawn_again"), [(1 << 23, 0), (1 << 20, 1), (1, 1)])
def test_the_last_few_large_inputs_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: int, drawn_again: int
) -> None:
    """For subjects that do not ask at the same time; one of 720,000 bytes in a megabyte is the last alone."""
    monkeypatch.setattr(build_cache, "MAX_LARGE_BYTES", kept)
    path = tmp_path / "cases.yaml"
    text = LARGE.replace("SCALE", "1").replace("QUANTITIES", "value")
    path.write_text(text + text[text.index("  - id") :].replace("id: a", "id: b"))
    first, second = requests.make(load_cases([path]), ["numpy"]).groups
    first.release()
    second.release()
    drawn: list[Normal] = []
    make = Normal.make
    monkeypatch.setattr(Normal, "make", lambda self: drawn.append(self) or make(self))
    for group in (first, second, first):
        assert group.arguments["x"].shape == (3, 30000)
    assert len(drawn) == 2 + drawn_again
    assert first.arguments["x"] is first.arguments["x"]  # the last stays, however large it is
