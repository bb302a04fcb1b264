"""Memory of a cluster's worker: freed arrays are kept for the next, whatever Dask has told the C library."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

#: Frees and makes arrays as a sweep does, and prints how many pages the system had to hand out for that.
PROGRAM = """
import resource
import sys
import numpy as np
from conformance.execution import memory_tuning

if sys.argv[1] == "kept":
    memory_tuning.keep_freed_memory()
np.ones(1 << 18).sum()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(200):
    np.ones(1 << 18).sum()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(kept: str) -> int:
    """Pages of 200 arrays of 2 MB each, in a process as Dask's nanny starts one."""
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, kept],
        env={**os.environ, "MALLOC_TRIM_THRESHOLD_": "65536"},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(ran.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's parameters")
def test_freed_arrays_are_kept_for_the_next() -> None:
    assert faults("kept") * 10 < faults("as it is")
