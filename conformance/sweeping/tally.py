"""Tallies of a sweep: what is counted of a binade, and the regions that do not conform. Both merge."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from conformance.arithmetic.formats import FloatArray
from conformance.judging.verdict import CONFORMING, LEVELS
from conformance.sweeping.inputs import PAIRS, Bits, input_bits

Levels = npt.NDArray[np.int8]

#: Levels from this one on do not conform.
FIRST_FAILING = len(CONFORMING)
#: Edges of the histogram in ulps, beside 0.5 and infinity: 1, 2, 4 ... 2**30.
EDGE_EXPONENTS = 31
#: Names of the histogram's bins by their lower edges: exact, up to 1 ulp, from 1, 2, 4 ..., no number.
BINS = 2 + EDGE_EXPONENTS + 1


def region_gap(dtype: str) -> int:
    """So many inputs apart, failures belong to one region: 1 of a half type's, a 128th of a binade else.

    Of pairs [x, y] two numbers y: failures at any x of neighbouring y.
    """
    return 1 << (17 if dtype in PAIRS else input_bits(dtype) - 16)


def bin_of(errors: FloatArray, levels: Levels) -> npt.NDArray[np.int64]:
    """The histogram's bin of each error in ulps."""
    with np.errstate(divide="ignore", invalid="ignore"):
        exponent = np.floor(np.log2(np.where(np.isfinite(errors), errors, 1.0)))
    bins = 2 + np.clip(exponent, 0, EDGE_EXPONENTS - 1)
    bins = np.where(errors < 1, 1, bins)
    bins = np.where(levels == 0, 0, bins)
    return np.where(np.isfinite(errors), bins, BINS - 1).astype(np.int64)


@dataclass(frozen=True, order=True)
class Worst:
    """Worst input: by its level first, then by its error; the first of equals.

    Attributes:
        level: The index of its verdict in `LEVELS`.
        error: The error in ulps.
        before: Minus its bits.
        observed: What was returned.
    """

    level: int = -1
    error: float = 0.0
    before: int = 0
    observed: float = field(default=0.0, compare=False)

    @property
    def bits(self) -> int:
        """The bits of the input."""
        return -self.before

    @classmethod
    def among(cls, bits: Bits, levels: Levels, errors: FloatArray, observed: FloatArray) -> Worst:
        """The worst of these inputs, at least one, in the order of their bits."""
        top = levels == levels.max()
        index = int(np.where(top, errors, -1.0).argmax())
        return cls(int(levels[index]), float(errors[index]), -int(bits[index]), float(observed[index]))


@dataclass
class Region:
    """Region that does not conform.

    Attributes:
        first: The bits of its first failing input.
        last: Those of its last.
        count: How many of its inputs fail.
        worst: The worst of them.
    """

    first: int
    last: int
    count: int
    worst: Worst


@dataclass
class Tally:
    """Tally of one element of a quantity over inputs of one binade.

    Attributes:
        counts: How many inputs have each of `LEVELS`.
        histogram: How many errors lie in each bin.
        by_polynomial: How many inputs the polynomials decided.
        by_balls: How many went to balls.
        by_rule: How many are nan, where nan is right.
        worst: The worst input.
        regions: The regions that do not conform, in the order of their bits.
    """

    counts: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(LEVELS), np.int64))
    histogram: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(BINS, np.int64))
    by_polynomial: int = 0
    by_balls: int = 0
    by_rule: int = 0
    worst: Worst = field(default_factory=Worst)
    regions: list[Region] = field(default_factory=list)

    def add_near(self, exact: int, faithful: int) -> None:
        """Counts inputs whose error is below 1 ulp."""
        self.counts[0] += exact
        self.counts[1] += faithful
        self.histogram[0] += exact
        self.histogram[1] += faithful

    def add(self, dtype: str, bits: Bits, levels: Levels, errors: FloatArray, observed: FloatArray) -> None:
        """Counts judged inputs, in the order of their bits; those of one block together."""
        if not bits.size:
            return
        self.counts += np.bincount(levels, minlength=len(LEVELS))
        self.histogram += np.bincount(bin_of(errors, levels), minlength=BINS)
        self.worst = max(self.worst, Worst.among(bits, levels, errors, observed))
        failing = np.flatnonzero(levels >= FIRST_FAILING)
        if failing.size:
            cuts = np.flatnonzero(np.diff(bits[failing]) > region_gap(dtype)) + 1
            fresh = []
            for part in np.split(failing, cuts):
                worst = Worst.among(bits[part], levels[part], errors[part], observed[part])
                fresh.append(Region(int(bits[part[0]]), int(bits[part[-1]]), part.size, worst))
            self.regions = joined(dtype, [*self.regions, *fresh])

    def merged(self, dtype: str, other: Tally) -> Tally:
        """The tally of both."""
        return Tally(
            self.counts + other.counts,
            self.histogram + other.histogram,
            self.by_polynomial + other.by_polynomial,
            self.by_balls + other.by_balls,
            self.by_rule + other.by_rule,
            max(self.worst, other.worst),
            joined(dtype, self.regions + other.regions),
        )


def joined(dtype: str, regions: list[Region]) -> list[Region]:
    """The regions in order, those nearer than the gap joined; never across the sign."""
    half, gap = 1 << (input_bits(dtype) - 1), region_gap(dtype)
    result: list[Region] = []
    for region in sorted(regions, key=lambda each: each.first):
        before = result[-1] if result else None
        if (
            before is not None
            and region.first - before.last <= gap
            and (region.first < half) == (before.last < half)
        ):
            last, count = max(before.last, region.last), before.count + region.count
            result[-1] = Region(before.first, last, count, max(before.worst, region.worst))
        else:
            result.append(region)
    return result
