"""Import of a framework without the packages that it takes along where they happen to be installed."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import Iterator


@contextmanager
def as_if_absent(*packages: str) -> Iterator[None]:
    """Inside, importing one of the packages fails as if it were not installed; those imported before stay."""
    hidden = [package for package in packages if package not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None: not to be had
    try:
        yield
    finally:
        for package in hidden:
            sys.modules.pop(package, None)
