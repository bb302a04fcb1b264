"""Threads of this process by their names, as Linux lists them: what a framework's pool really has."""

from __future__ import annotations

import os
from typing import Optional

TASKS = "/proc/self/task"


def threads_named(name: str) -> Optional[int]:
    """How many threads have this name; None where the system lists none.

    Args:
        name: The name, of which the system keeps 15 characters.
    """
    try:
        tasks = os.listdir(TASKS)
    except OSError:
        return None
    count = 0
    for task in tasks:
        try:
            with open(os.path.join(TASKS, task, "comm")) as comm:
                count += comm.read().strip() == name[:15]
        except OSError:  # it has ended since
            continue
    return count
