"""A function is judged by the conventions that it declares; what it declares and does not keep is named."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import pytest

from conformance.cases.loader import load_cases
from conformance.checking import check as checking
from conformance.checking.check_run import CheckRun
from conformance.checking.conventions import decided, declared_by, refuse_undeclared
from conformance.errors import SubjectError
from conformance.operations.conventions import CONVENTIONS

ROOT = Path(__file__).resolve().parents[2]

CASES = """\
source: by hand
cases:
  - id: nothing-counts
    operation: cross_entropy
    inputs: {logits: [[1, 2, 4], [0, 0, 1]], target: [-100, -100]}
    expect: nan
  - id: nothing-counts-further
    operation: cross_entropy
    inputs: {logits: [[1, 0]], target: [-100]}
    expect: nan
  - id: smoothed
    operation: cross_entropy
    inputs: {logits: [[1, 2, 4], [0, 0, 1]], target: [2, 0]}
    parameters: {label_smoothing: 0.25}
  - id: smoothed-further
    operation: cross_entropy
    inputs: {logits: [[1, 0], [2, 0], [0, 5]], target: [0, 0, 0]}
    parameters: {label_smoothing: 0.5}
  - id: plain
    operation: cross_entropy
    inputs: {logits: [[1, 2, 4], [0, 0, 1]], target: [2, 0]}
  - id: plain-further
    operation: cross_entropy
    inputs: {logits: [[1, 0], [2, 0], [0, 5]], target: [0, 0, 0]}
  - id: masked
    operation: softmax
    inputs: {x: [[-.inf, -.inf], [1, 2]]}
    quantities: [value]
"""
FUNCTIONS = """\
import torch
import torch.nn.functional as F


def zero(logits, target, *, ignore_index=-100, reduction="mean"):
    loss = F.cross_entropy(logits, target, reduction="sum", ignore_index=ignore_index)
    return loss / max(1, int((target != ignore_index).sum())) if reduction == "mean" else loss

zero.conventions = {"empty_mean": "zero"}


def undeclared(logits, target, *, ignore_index=-100, reduction="mean"):
    return zero(logits, target, ignore_index=ignore_index, reduction=reduction)


def says_zero(logits, target, *, ignore_index=-100, reduction="mean"):
    return F.cross_entropy(logits, target, ignore_index=ignore_index, reduction=reduction)

says_zero.conventions = {"empty_mean": "zero"}


def others(logits, target, *, label_smoothing=0.0):
    classes = logits.shape[1]
    return F.cross_entropy(logits, target, label_smoothing=label_smoothing * classes / (classes - 1))

others.conventions = {"smoothing": "others"}


def says_others(logits, target, *, label_smoothing=0.0):
    return F.cross_entropy(logits, target, label_smoothing=label_smoothing)

says_others.conventions = {"smoothing": "others"}


class InPlace(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits, target, keeps):
        ctx.memory, ctx.target, ctx.keeps = logits.data, target, keeps
        return F.cross_entropy(logits, target)

    @staticmethod
    def backward(ctx, g):
        kept = ctx.target != -100
        p = ctx.memory.float().softmax(1)
        p[kept, ctx.target[kept]] -= 1
        p[~kept] = 0
        slopes = (g.float() * p / kept.sum().clamp(min=1)).to(g.dtype)
        ctx.memory.copy_(slopes if ctx.keeps else 7 * slopes)
        return slopes, None, None


def in_place(logits, target):
    return InPlace.apply(logits, target, True)

in_place.conventions = {"in_place_gradient": True}


def in_place_undeclared(logits, target):
    return InPlace.apply(logits, target, True)


def in_place_otherwise(logits, target):
    return InPlace.apply(logits, target, False)

in_place_otherwise.conventions = {"in_place_gradient": True}


def attention(x, *, axis=-1):
    masked = (x == -torch.inf).all(axis, keepdim=True)
    return torch.where(masked, 0, torch.softmax(torch.where(masked, 0, x), axis))

attention.conventions = {"masked_row": "zero"}


def computed(logits, target):
    return F.cross_entropy(logits, target)

computed.conventions = dict(empty_mean="zero")


def misspelt(logits, target):
    return F.cross_entropy(logits, target)

misspelt.conventions = {"empty_means": "zero"}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("conventions")
    (path / "losses.py").write_text(FUNCTIONS, "utf-8")
    (path / "cases.yaml").write_text(CASES, "utf-8")
    return path


def run(folder: Path, name: str, operation: str = "cross_entropy") -> CheckRun:
    return checking.check(
        f"{folder / 'losses.py'}:{name}", operation, paths=[folder / "cases.yaml"], dtypes=["float32"]
    )


@pytest.mark.parametrize(
    ("name", "operation"),
    [
        ("zero", "cross_entropy"),
        ("others", "cross_entropy"),
        ("in_place", "cross_entropy"),
        ("attention", "softmax"),
    ],
)
def test_function_that_keeps_what_it_declares_is_right(folder: Path, name: str, operation: str) -> None:
    checked = run(folder, name, operation)
    assert checked.exit_code == 0
    assert checked.answered


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("undeclared", "it hides nan behind a number where every row is ignored"),
        ("says_zero", "a convention applies that it declares: empty_mean"),
        ("says_others", "a convention applies that it declares: smoothing"),
        ("in_place_undeclared", "it overwrites its inputs in place"),
        ("in_place_otherwise", "it overwrites its inputs in place"),
    ],
)
def test_function_that_does_otherwise_is_wrong_and_the_first_line_says_where(
    folder: Path, name: str, words: str
) -> None:
    checked = run(folder, name)
    assert checked.exit_code == 1
    assert checked.diagnosis is not None
    assert words in checked.diagnosis.sentence


def test_example_of_the_documentation_is_right_and_needs_its_declaration(folder: Path) -> None:
    text = (ROOT / "docs" / "checking-your-own-loss.md").read_text("utf-8")
    example = textwrap.dedent(
        text[text.index("      import torch.nn.functional") : text.index("  | convention |")]
    )
    (folder / "documented.py").write_text(example, "utf-8")
    (folder / "silent.py").write_text(example.partition("loss.conventions")[0], "utf-8")
    for file, code in (("documented.py", 0), ("silent.py", 1)):
        paths = [folder / "cases.yaml"]
        checked = checking.check(f"{folder / file}:loss", "cross_entropy", paths=paths, dtypes=["float32"])
        assert checked.exit_code == code


def test_documentation_names_every_convention_and_answer() -> None:
    text = (ROOT / "docs" / "checking-your-own-loss.md").read_text("utf-8")
    for convention in CONVENTIONS.values():
        answers = ", ".join(f"`{json.dumps(v) if isinstance(v, str) else v}`" for v in convention.values)
        assert f"| `{convention.name}` | {answers} |" in text


def test_exact_value_is_that_of_the_convention(folder: Path) -> None:
    frame = run(folder, "says_zero").frame.set_index(["case", "quantity", "subject"])
    wrong = frame.loc["nothing-counts", "value", "losses.says_zero"]
    assert (wrong["verdict"], wrong["exact"], wrong["known"]) == ("wrong", "0", "")
    assert ("nothing-counts", "value", "torch") not in frame.index  # the control keeps torch's convention
    assert ("plain", "value", "torch") in frame.index


def test_backward_that_may_overwrite_its_inputs_is_not_asked_to_use_them_twice() -> None:
    cases = load_cases(operations=("cross_entropy",))
    twice = {case.id for case in cases if case.call != "once" or case.graph != "single"}
    left = {case.id for case in decided(cases, {"in_place_gradient": True})}
    assert {"invariance-cross-entropy-twice", "cross-entropy-graph[result,none,plain]"} <= twice
    assert left == {case.id for case in cases} - twice
    assert decided(cases, {}) == cases


def test_conventions_that_cannot_be_read_or_are_none_are_refused_in_a_line(folder: Path) -> None:
    file = folder / "losses.py"
    with pytest.raises(
        SubjectError, match=r"losses.py:\d+: cross_entropy has no convention 'empty_means'; it"
    ):
        declared_by(f"{file}:misspelt", "cross_entropy")
    with pytest.raises(SubjectError, match=r"losses.py:\d+: computed.conventions must be written out, as {"):
        declared_by(f"{file}:computed", "cross_entropy")
    with pytest.raises(SubjectError, match=r"read from a file's top level alone: write loss.conventions = "):
        refuse_undeclared({"conventions": {"empty_mean": "zero"}}, {}, "module:loss")
    refuse_undeclared({"conventions": {"empty_mean": "zero"}}, {"empty_mean": "zero"}, "losses.py:loss")
    refuse_undeclared({}, {}, "losses.py:loss")
