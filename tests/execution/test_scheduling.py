"""Which workers step back for which."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from conformance.execution.scheduling import NICENESS_BESIDE_SLOWEST, niceness, set_niceness
from conformance.subjects.subject import parse

ALL = [parse(name) for name in ("numpy", "torch", "tensorflow", "jax")]


@pytest.mark.parametrize(("name", "behind"), [("numpy", True), ("jax", True), ("tensorflow", False)])
def test_the_framework_that_needs_longest_goes_first(name: str, behind: bool) -> None:
    """Where it is not among the subjects, all are alike."""
    assert niceness(parse(name), ALL) == (NICENESS_BESIDE_SLOWEST if behind else 0)
    assert niceness(parse(name), [parse("numpy"), parse("jax")]) == 0


def test_a_process_steps_back() -> None:
    """By so much that the others are served first, and by nothing where nothing is asked."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        before = os.getpriority(os.PRIO_PROCESS, process.pid)
        set_niceness(process.pid, 0)
        assert os.getpriority(os.PRIO_PROCESS, process.pid) == before
        set_niceness(process.pid, before + 5)
        assert os.getpriority(os.PRIO_PROCESS, process.pid) == before + 5
        process.communicate(b"\n")


def test_a_process_that_is_gone_is_left_alone() -> None:
    """Niceness is a wish: nothing fails for it."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    set_niceness(gone.pid, 5)
