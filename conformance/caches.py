"""Where the suite keeps what it need not do twice."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def cache_directory() -> Path:
    """Where exact values, environments and compiled functions are kept; CONFORMANCE_CACHE overrules."""
    return Path(os.environ.get("CONFORMANCE_CACHE") or platformdirs.user_cache_dir("loss-conformance"))
