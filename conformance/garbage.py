"""What the process of a run does with memory that is free: look for it seldom, and let it go."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pyarrow

#: New objects after which garbage is looked for: Python's own threshold costs 6 to 8 % of the parent's time.
COLLECTED = 200_000
#: Bytes from which on the C library (glibc) lets the system have what is freed. Left alone, it raises that
#: to 32 MB, and keeps the rest. Its name for the option is M_MMAP_THRESHOLD.
RETURNED = 1 << 18
_MMAP_THRESHOLD = -3


@contextmanager
def of_a_run() -> Iterator[None]:
    """Looks for circles of garbage seldom: a run makes millions of objects, and they have none.

    What is freed goes back to the system; Arrow's own pools would keep it too.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, RETURNED)
    threshold, pool = gc.get_threshold(), pyarrow.default_memory_pool()
    gc.set_threshold(COLLECTED)
    pyarrow.set_memory_pool(pyarrow.system_memory_pool())
    try:
        yield
    finally:
        gc.set_threshold(*threshold)
        pyarrow.set_memory_pool(pool)
