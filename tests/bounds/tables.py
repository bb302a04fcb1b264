"""Algorithms by operation, from all files of this folder: each has entries of some operations."""

from __future__ import annotations

from collections.abc import Callable

from merged_tables import merged, modules_of

import bounds
from bounds.arithmetic import Arithmetic, Array
from bounds.families import Family
from bounds.second import Second
from bounds.standard import Arguments

Algorithm = Callable[[Arithmetic, Arguments, str, Array], Array]

_MODULES = tuple(modules_of(bounds, without=("tables",)))

#: Operation -> the arguments that a family of rows gives it.
ARGUMENTS: dict[str, Callable[[Family], dict[str, object]]] = merged(_MODULES, "ARGUMENTS")
#: Operation -> the standard stable algorithms by name (an operation with one leaves it empty), and the best.
STANDARD: dict[str, dict[str, Algorithm]] = merged(_MODULES, "STANDARD")
BEST: dict[str, Algorithm] = merged(_MODULES, "BEST")
#: Operation -> the second derivative by double backward, and the best; the same where there is one.
STANDARD_SECOND: dict[str, Second] = merged(_MODULES, "STANDARD_SECOND")
BEST_SECOND: dict[str, Second] = STANDARD_SECOND | merged(_MODULES, "BEST_SECOND")
