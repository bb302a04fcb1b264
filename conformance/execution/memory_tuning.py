"""What the process of a run does with memory that is free: look for it seldom, and let it go."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pyarrow

#: New objects after which garbage is looked for: Python's own threshold costs 6 to 8 % of the parent's time.
COLLECTED = 200_000
#: Bytes from which on the C library (glibc) takes memory for one object alone and gives it back with it. Left
#: alone, it raises that to 32 MB; lower than this, the system's work for it costs seconds of a run.
APART = 1 << 22
_MMAP_THRESHOLD = -3  # glibc's M_MMAP_THRESHOLD


@contextmanager
def of_a_run() -> Iterator[None]:
    """Looks for circles of garbage seldom: a run makes millions of objects, and they have none.

    Arrays that are freed go back to the system; Arrow's own pools would keep them too.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, APART)
    threshold, pool = gc.get_threshold(), pyarrow.default_memory_pool()
    gc.set_threshold(COLLECTED)
    pyarrow.set_memory_pool(pyarrow.system_memory_pool())
    try:
        yield
    finally:
        gc.set_threshold(*threshold)
        pyarrow.set_memory_pool(pool)


def let_go() -> None:
    """Gives the system what the C library (glibc) still holds of memory that is free."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
