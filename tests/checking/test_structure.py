"""What no call could answer is refused once, before any case runs, with the remedy in one line."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from click.testing import CliRunner

from conformance.checking.structure import refuse_misfits
from conformance.cli import cli
from conformance.errors import ConformanceError, SubjectError

MISFITS = {
    "class mine:\n    def __call__(self, x): return x": "mine is a class: add `loss = mine()` to the file",
    "def mine(x, chunk): return x": "mine requires chunk, which sigmoid does not give: give it a default",
    "def mine(x, *, chunk): return x": "mine requires chunk",
    "def mine(): return 0": "mine takes 0 of the inputs x: give it all",
    "def mine(x):\n    return x, x * x": "mine returns a tuple: say which is the loss, as --returns 0",
}
FITS = [
    "def mine(x, *, chunk=8): return x",
    "def mine(*arguments): return arguments[0]",
    "def mine(x):\n    def inner(y): return y, y\n    return inner(x)[0]",
    "def mine(x, both=False):\n    if both:\n        return x, x\n    return x",
    "@decorated\ndef mine(x, chunk): return x",
    "mine = make()",
    "class mine:\n    def forward(self, x): return x",
    "class mine(Module):\n    pass",
]


@pytest.mark.parametrize("text", MISFITS)
def test_misfits_are_refused_with_a_remedy(text: str) -> None:
    with pytest.raises(SubjectError) as told:
        refuse_misfits(ast.parse(text), "f.py", "mine", "sigmoid")
    assert str(told.value).startswith("f.py:1: mine ")
    assert MISFITS[text] in str(told.value)


@pytest.mark.parametrize("text", FITS)
def test_what_may_fit_is_tried(text: str) -> None:
    refuse_misfits(ast.parse(text), "f.py", "mine", "sigmoid")


def test_no_case_runs(tmp_path: Path) -> None:
    (tmp_path / "f.py").write_text(next(iter(MISFITS)))
    words = ["check", f"{tmp_path / 'f.py'}:mine", "-o", "sigmoid", "--output", str(tmp_path / "out")]
    done = CliRunner().invoke(cli, words)
    assert isinstance(done.exception, ConformanceError)
    assert not (tmp_path / "out").exists()
