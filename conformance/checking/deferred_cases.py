"""Deferred cases: loaded when they are first looked at, while the workers import their frameworks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import overload

from conformance.cases.case import Case


class DeferredCases(Sequence[Case]):
    """A sequence of cases that is made once, at the first look at it.

    Args:
        load: Makes the cases, or raises what is wrong with their files.
    """

    def __init__(self, load: Callable[[], Sequence[Case]]) -> None:
        self._load = load

    @cached_property
    def _cases(self) -> Sequence[Case]:
        return self._load()

    def __len__(self) -> int:
        return len(self._cases)

    def __iter__(self) -> Iterator[Case]:
        return iter(self._cases)

    @overload
    def __getitem__(self, index: int) -> Case: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Case]: ...
    def __getitem__(self, index: int | slice) -> Case | Sequence[Case]:
        return self._cases[index]
