"""`conformance explain`: the post's own steps, every subject's digits beside the exact ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from conformance.checking.explain import explain
from conformance.checking.reproduce import reproduction
from conformance.errors import RunError, SubjectError
from conformance.operations import OPERATIONS


def test_the_steps_of_the_post(capsys: pytest.CaptureFixture[str]) -> None:
    """Softmax, its logarithm, the rows' losses and their mean, each with the digits that the post prints."""
    explain("notes-2019-cross-entropy", ["numpy"], [], Console(width=200))
    shown = capsys.readouterr().out
    steps = [line for line in shown.splitlines() if line.startswith("[")]
    assert [step.split("(")[0] for step in steps] == [
        "[1] softmax",
        "[2] log_softmax",
        "[3] cross_entropy",
        "[4] cross_entropy",
    ]
    assert "printed: 5.6638" in steps[3]
    assert "0.99896577895" in shown  # the exact digits of the first step
    assert "numpy functional" in shown


def test_the_layout_is_among_the_inputs(capsys: pytest.CaptureFixture[str]) -> None:
    explain("js-div-layout[transposed]", ["numpy"], [], Console(width=200))
    assert "layout = {'logits': 'transposed'}" in capsys.readouterr().out


def test_an_unknown_case_is_one_line_with_a_remedy() -> None:
    """A misspelt id names the one that was meant."""
    with pytest.raises(RunError, match="did you mean notes-2019-cross-entropy"):
        explain("notes-2019-cross-entrop", ["numpy"], [], Console())


HALF = "import numpy as np\n\ndef half(x):\n    return (0.5 / (1 + np.exp(-x))).astype(x.dtype)\n"
HALF += "\ndef pair(x):\n    both = half(x), x\n    return both\n"


@pytest.fixture
def half(tmp_path: Path) -> str:
    """Half of a sigmoid, in a file."""
    (tmp_path / "mine.py").write_text(HALF)
    return f"{tmp_path / 'mine.py'}:half"


def test_a_users_function_beside_its_control(half: str, capsys: pytest.CaptureFixture[str]) -> None:
    explain("notebook-2020-binary-single-sigmoid", [], [], Console(width=200), function=half)
    lines = capsys.readouterr().out.splitlines()
    own, control = (
        next(line for line in lines if line.startswith(name))
        for name in ("mine.half functional", "numpy functional")
    )
    assert own.split()[-1] == "wrong"
    assert control.split()[-1] in ("exact", "faithful")


def test_the_steps_before_are_not_the_functions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A function for cross-entropy is shown where cross-entropy is computed."""
    (tmp_path / "mine.py").write_text(
        "import numpy as np\n\ndef loss(logits, target):\n    return logits.sum()\n"
    )
    explain("notes-2019-cross-entropy", [], [], Console(width=200), function=f"{tmp_path / 'mine.py'}:loss")
    before, _, last = capsys.readouterr().out.partition("[4] cross_entropy")
    assert "numpy functional" in before
    assert "mine.loss" not in before
    assert "mine.loss functional" in last


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"operation": "softmax"},
            "--operation softmax: notebook-2020-binary-single-sigmoid is a case of sig",
        ),
        ({"function": None, "mode": "compile"}, "are of a --function: name it"),
    ],
)
def test_a_call_at_fault_prints_nothing(
    options: dict[str, Any], words: str, half: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(RunError) as told:
        explain("notebook-2020-binary-single-sigmoid", [], [], Console(), **{"function": half, **options})
    assert words in str(told.value)
    assert capsys.readouterr().out == ""


def test_a_misfit_prints_nothing(half: str, capsys: pytest.CaptureFixture[str]) -> None:
    pair = half.replace(":half", ":pair")
    with pytest.raises(SubjectError, match="pair returns a tuple of 2: say which is the loss"):
        explain("notebook-2020-binary-single-sigmoid", [], [], Console(), function=pair)
    assert capsys.readouterr().out == ""


def test_a_formula(capsys: pytest.CaptureFixture[str]) -> None:
    """Its reference stands where the frameworks have no such operation; a function may stand beside it."""
    before, here = dict(OPERATIONS), Path(__file__).parents[1] / "formula"
    formula = f"{here / 'poly_formula.py'}:poly_cross_entropy"
    try:
        explain("poly_cross_entropy-reduction-none", [], [], Console(width=200), formula=formula)
        shown = capsys.readouterr().out
        program = reproduction(
            "poly_cross_entropy-reduction-none",
            function=f"{here / 'weighted_numpy.py'}:unweighted",
            formula=formula,
            quantity="value",
            dtype="float32",
        )
    finally:
        OPERATIONS.clear()
        OPERATIONS.update(before)
    assert "[1] poly_cross_entropy(logits, target, reduction='none')" in shown
    assert "numpy functional  1.9077896 at its worst" in shown
    assert "from weighted_numpy import unweighted" in program
