"""The suite's own tests: case files that they use as data are not collected as cases."""

from __future__ import annotations

import os

import pytest

collect_ignore_glob = ["*.yaml"]
#: What Dask's local clusters leave in the environment of the process that starts them: workers take it over.
LEFT_BY_DASK = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MALLOC_TRIM_THRESHOLD_")
AT_START = {name for name in LEFT_BY_DASK if name in os.environ}


@pytest.fixture(autouse=True)
def threads_of_the_session() -> None:
    """Each test has the number of threads that the session has."""
    for name in LEFT_BY_DASK:
        if name not in AT_START:
            os.environ.pop(name, None)
