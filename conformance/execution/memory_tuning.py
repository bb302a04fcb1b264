"""Memory tuning of a run's process: garbage is looked for seldom, free memory goes back to the system."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pyarrow

#: New objects after which garbage is looked for: Python's own threshold costs 6 to 8 % of the parent's time.
GARBAGE_THRESHOLD_OBJECTS = 200_000
#: Bytes from which on the C library (glibc) takes memory for one object alone and gives it back with it. By
#: itself it raises that to 32 MB; lower than this, the system's work for it costs seconds of a run.
MMAP_THRESHOLD_BYTES = 1 << 22
#: Freed bytes that a task of a cluster keeps, and the greatest array among them (glibc takes no more).
KEPT_BYTES = 1 << 26
KEPT_ARRAY_BYTES = 1 << 25
_M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD = -3, -1  # glibc's names for the parameters


@contextmanager
def tuned() -> Iterator[None]:
    """Looks for circles of garbage seldom: a run makes millions of objects, and they have none.

    Arrays that are freed go back to the system; Arrow's own pools would keep them too.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES)
    threshold, pool = gc.get_threshold(), pyarrow.default_memory_pool()
    gc.set_threshold(GARBAGE_THRESHOLD_OBJECTS)
    pyarrow.set_memory_pool(pyarrow.system_memory_pool())
    try:
        yield
    finally:
        gc.set_threshold(*threshold)
        pyarrow.set_memory_pool(pool)


def keep_freed_memory() -> None:
    """Keeps up to `KEPT_BYTES` that are freed for the arrays that come next, whatever the environment says.

    Dask's workers start with MALLOC_TRIM_THRESHOLD_: the C library (glibc) then gives every array back to the
    system and asks for its pages anew, which is three quarters of the time of a sweep.
    """
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES)
        library.mallopt(_M_MMAP_THRESHOLD, KEPT_ARRAY_BYTES)


def release_free_memory() -> None:
    """Gives the system what the C library (glibc) still holds of memory that is free."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
