"""`conformance explain`: the post's own steps, every subject's digits beside the exact ones."""

from __future__ import annotations

import pytest
from rich.console import Console

from conformance.checking.explain import explain
from conformance.errors import RunError


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


def test_an_unknown_case_is_one_line_with_a_remedy() -> None:
    """A misspelt id names the one that was meant."""
    with pytest.raises(RunError, match="did you mean notes-2019-cross-entropy"):
        explain("notes-2019-cross-entrop", ["numpy"], [], Console())
