"""Result of a sweep: tallies by subject, function and binade. Two results of parts merge into the whole's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from conformance.judging.verdict import LEVELS
from conformance.sweeping.binade_sweep import BinadeResult
from conformance.sweeping.functions import SweptFunction
from conformance.sweeping.inputs import Binade
from conformance.sweeping.tally import FIRST_FAILING, Region, Tally, joined

#: What a subject may do instead of returning an array; all but the first fail.
REFUSALS = ("unsupported", "raised", "wrong", "crashed")


@dataclass(frozen=True)
class Part:
    """Part of a sweep: one function of one subject over one binade.

    Attributes:
        subject: The subject's name.
        function: The function.
        binade: The binade.
    """

    subject: str
    function: SweptFunction
    binade: Binade

    @property
    def order(self) -> tuple[Any, ...]:
        """What sorts parts."""
        function, binade = self.function, self.binade
        return self.subject, function.name, function.quantity, binade.dtype, binade.index


@dataclass(frozen=True)
class Column:
    """One element of a function in a dtype, as a subject computes it: a line of the summary.

    Attributes:
        subject: The subject's name.
        function: The function.
        element: Which of its numbers.
        dtype: The dtype.
    """

    subject: str
    function: SweptFunction
    element: int
    dtype: str


@dataclass
class Refused:
    """Inputs of a binade for which the subject returned no array.

    Attributes:
        status: One of `REFUSALS`.
        message: Why.
        inputs: How many.
    """

    status: str
    message: str
    inputs: int


@dataclass
class Swept:
    """Result of a sweep.

    Attributes:
        tallies: A tally for each element, by part.
        refused: The parts without a tally.
        subjects: Versions and hardware of each subject.
    """

    tallies: dict[Part, tuple[Tally, ...]] = field(default_factory=dict)
    refused: dict[Part, Refused] = field(default_factory=dict)
    subjects: dict[str, Any] = field(default_factory=dict)

    def add(self, part: Part, bits: tuple[int, int], result: BinadeResult) -> None:
        """Adds what was found in a part, over the inputs from the first bits to the last."""
        if result.status != "returned":
            first, last = (
                max(bits[0], part.binade.first),
                min(bits[1], part.binade.first + part.binade.size - 1),
            )
            self._refuse(part, Refused(result.status, result.message, last - first + 1))
            return
        self._tally(part, result.tallies)

    def _refuse(self, part: Part, refused: Refused) -> None:
        before = self.refused.get(part)
        if before is not None:
            refused = Refused(before.status, before.message, before.inputs + refused.inputs)
        self.refused[part] = refused

    def _tally(self, part: Part, tallies: tuple[Tally, ...]) -> None:
        before = self.tallies.get(part)
        if before is not None:
            dtype = part.binade.dtype
            tallies = tuple(one.merged(dtype, other) for one, other in zip(before, tallies, strict=True))
        self.tallies[part] = tallies

    def merge(self, other: Swept) -> None:
        """Adds the result of another part of the same sweep."""
        for part, tallies in other.tallies.items():
            self._tally(part, tallies)
        for part, refused in other.refused.items():
            self._refuse(part, refused)
        self.subjects = {**self.subjects, **other.subjects}

    def columns(self) -> dict[Column, Tally]:
        """The tally of each element over all binades, in order."""
        whole: dict[Column, Tally] = {}
        for part in sorted(self.tallies, key=lambda each: each.order):
            for element, tally in enumerate(self.tallies[part]):
                column = Column(part.subject, part.function, element, part.binade.dtype)
                before = whole.get(column)
                whole[column] = tally if before is None else before.merged(part.binade.dtype, tally)
        return whole

    def regions(self) -> Iterator[tuple[Column, Region]]:
        """The regions that do not conform, joined over the edges of binades."""
        found: dict[Column, list[Region]] = {}
        for part in sorted(self.tallies, key=lambda each: each.order):
            for element, tally in enumerate(self.tallies[part]):
                column = Column(part.subject, part.function, element, part.binade.dtype)
                found.setdefault(column, []).extend(tally.regions)
        for column, regions in found.items():
            for region in joined(column.dtype, regions):
                yield column, region

    def counts(self) -> dict[str, int]:
        """How many numbers have each verdict."""
        counted: Counter[str] = Counter()
        for tallies in self.tallies.values():
            for tally in tallies:
                counted.update(dict(zip(LEVELS, tally.counts.tolist(), strict=True)))
        for refused in self.refused.values():
            counted[refused.status] += refused.inputs
        return {
            name: counted[name] for name in (*LEVELS, "raised", "crashed", "unsupported") if counted[name]
        }

    def decided(self) -> dict[str, int]:
        """How many numbers were decided each way."""
        tallies = [tally for each in self.tallies.values() for tally in each]
        return {
            name: sum(getattr(tally, f"by_{name}") for tally in tallies)
            for name in ("polynomial", "balls", "rule")
        }

    @property
    def conforms(self) -> bool:
        """Whether every number conforms that the subjects support."""
        failing = any(tally.counts[FIRST_FAILING:].any() for each in self.tallies.values() for tally in each)
        return not failing and all(each.status == "unsupported" for each in self.refused.values())
