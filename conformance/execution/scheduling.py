"""Which workers the processor serves first: those that need longest, or one would be alone at the end."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection
from pathlib import Path

from conformance.subjects.subject import Subject

#: TensorFlow's import and its eager operations take longer than all other frameworks together.
FIRST = frozenset({"tensorflow"})
#: The niceness of the others beside it: a third of its weight, so that a busy machine starves none of them.
BEHIND = 5


def niceness(subject: Subject, beside: Collection[Subject]) -> int:
    """The niceness of a subject's workers in a run of these subjects: 0 but beside one that goes first."""
    behind = subject.framework not in FIRST and any(one.framework in FIRST for one in beside)
    return BEHIND if behind else 0


def step_back(process: int, niceness: int) -> None:
    """Gives a process that has just started this niceness; where it cannot be given, all run alike."""
    if not niceness or not hasattr(os, "setpriority"):
        return
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, process, niceness)
        # Linux may share out the processor among sessions: then a process's niceness counts inside its own.
        Path(f"/proc/{process}/autogroup").write_text(str(niceness))
