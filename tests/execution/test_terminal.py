"""Progress on standard error: bars on a terminal, and lines, few of them, in a pipe."""

from __future__ import annotations

import io
import re
import time

import pytest
from rich.console import Console
from rich.progress import Progress

from conformance.execution.terminal import Bars, Lines, console

CHECKS = {"torch": 2, "numpy": 1}


def test_a_pipe_gets_a_line_at_the_start_and_one_each_interval() -> None:
    shown = io.StringIO()
    lines = Lines(Console(file=shown, width=200), seconds=0.01)
    lines.note("jax is not installed")
    lines.planned(CHECKS)
    lines.answered("torch", 1)
    while shown.getvalue().count("\n") < 4:
        time.sleep(0.005)
    lines.answered("torch", 1)
    lines.answered("numpy", 1)
    last = shown.getvalue().count("\n") + 2
    while shown.getvalue().count("\n") < last:
        time.sleep(0.005)
    lines.end()
    ended = shown.getvalue()
    time.sleep(0.05)
    assert shown.getvalue() == ended
    note, start, *ticks = ended.splitlines()
    assert note == "note: jax is not installed"
    assert start == "starting torch, numpy: 3 checks"
    assert re.fullmatch(r"\d+ s: 1 of 3 checks answered; waiting for torch, numpy", ticks[1])
    assert re.fullmatch(r"\d+ s: 3 of 3 checks answered; judging, and writing the report", ticks[-1])


def test_a_quick_run_in_a_pipe_says_one_line() -> None:
    shown = io.StringIO()
    lines = Lines(Console(file=shown, width=200))
    lines.planned({"numpy": 1})
    lines.answered("numpy", 1)
    lines.end()
    assert shown.getvalue() == "starting numpy: 1 check\n"


def test_what_ends_before_its_plan_says_nothing() -> None:
    """A fault of the call is the first line on standard error, and the only one."""
    shown = io.StringIO()
    Lines(Console(file=shown)).end()
    assert shown.getvalue() == ""


def test_text_is_never_taken_for_emoji(capsys: pytest.CaptureFixture[str]) -> None:
    console().print("the gradient:x: of a case", markup=False)
    assert capsys.readouterr().out == "the gradient:x: of a case\n"


def test_bars_say_what_is_waited_for_before_the_first_answer_and_behind_the_last() -> None:
    display = Progress(console=Console(file=io.StringIO(), force_terminal=True))
    bars = Bars(display)

    def shown() -> list[str]:
        return [task.description for task in display.tasks]

    assert shown() == ["starting the frameworks"]
    bars.planned(CHECKS)
    assert shown() == ["torch (starting)", "numpy (starting)"]
    bars.answered("torch", 1)
    assert shown() == ["torch", "numpy (starting)"]
    bars.answered("numpy", 1)
    bars.answered("torch", 1)
    bars.answered("torch", 0)
    assert shown() == ["torch", "numpy", "judging, and writing the report"]
