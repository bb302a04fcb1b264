"""Where the suite keeps what it need not do twice."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def cache_directory() -> Path:
    """Where exact values, environments and compiled functions are kept; CONFORMANCE_CACHE overrules."""
    return Path(os.environ.get("CONFORMANCE_CACHE") or platformdirs.user_cache_dir("loss-conformance"))


def keep(path: Path, data: bytes) -> None:
    """Writes a file of the cache whole or not at all; a cache that cannot be written is done without.

    Args:
        path: the file, below `cache_directory()`.
        data: what it holds.
    """
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(data)
        beside.replace(path)
    except OSError:
        return
