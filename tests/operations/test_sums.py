"""The cost of a sum as docs/error-analysis.md derives it: terms that are rounded alike, and chains."""

from __future__ import annotations

import math

import numpy as np
import pytest

from conformance.arithmetic import FORMATS
from conformance.operations.error_analysis.model import (
    CELLS_PER_PLACE,
    LAMBDA,
    MAX_CHAIN_TERMS,
    Rounding,
)

MODEL = Rounding.of(FORMATS["float32"])
PLACE = 2.0**-23  # the last place of sums from 1 to 2
ROUNDOFF = 2.0**-24


def added(terms: np.ndarray, lanes: int = 1) -> float:
    """The float32 sum in one chain a lane, and a chain of the lanes' sums."""
    chains = np.add.accumulate(terms.astype(np.float32).reshape(-1, lanes), axis=0, dtype=np.float32)[-1]
    return float(np.add.accumulate(chains, dtype=np.float32)[-1])


def units(terms: np.ndarray) -> float:
    """What the standard algorithm may lose, in unit roundoffs of the sum."""
    return float(MODEL.summing(terms[None])[0, 0]) / ROUNDOFF


def loss(terms: np.ndarray, lanes: int = 1) -> float:
    """What a sum of positive terms does lose, in unit roundoffs of it."""
    exact = math.fsum(terms)
    return abs(added(terms, lanes) - exact) / exact / ROUNDOFF


def just_below_a_tie(count: int, spread: float) -> np.ndarray:
    """1, and terms of 3.5 places less 0 to `spread` places: each loses nearly half a place, downwards."""
    distances = np.linspace(2.0**-10, max(spread, 2.0**-10), count - 1)
    return np.concatenate([[1.0], np.float32((3.5 - distances) * PLACE).astype(np.float64)])


@pytest.mark.parametrize("spread", [0.0, 1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 3, 0.4, 1 / 2])
@pytest.mark.parametrize("count", [40, 300, 1000])
def test_terms_that_are_nearly_alike_lose_no_more_than_the_bound(count: int, spread: float) -> None:
    terms = just_below_a_tie(count, spread)
    assert loss(terms) <= units(terms)
    # It is nearly lost: independent roundings would lose 4 sqrt(n).
    assert loss(terms) > 0.9 * (count - 1) * (1 - spread) - 1


def test_a_finer_cell_would_not_cover_them() -> None:
    """The condition of the derivation: 4 is at least the root of what neighbouring cells lose together."""

    def together(cells: int) -> float:
        return math.sqrt(1 + sum((1 - 2 * i / cells) ** 2 for i in range(cells // 2 + 1)))

    assert together(int(CELLS_PER_PLACE)) < together(86) <= LAMBDA < together(88)
    terms = just_below_a_tie(1000, 1 / 3)
    in_places = terms[1:] / PLACE
    by_128 = np.unique(np.floor(128 * in_places), return_counts=True)[1]
    assert loss(terms) > LAMBDA * math.sqrt(1 + np.sum(by_128**2.0))


def test_independent_terms_are_bounded_by_the_root_of_their_number() -> None:
    terms = np.random.default_rng(1).uniform(1, 2, 200)
    assert units(terms) == LAMBDA * math.sqrt(200) < 199
    assert loss(terms) <= units(terms)


@pytest.mark.parametrize(("count", "lanes"), [(1024, 1), (16_000, 4), (65_000, 8), (260_000, 16)])
def test_equal_terms_in_lanes_stay_within_the_bound(count: int, lanes: int) -> None:
    """All roundings of a binade point one way."""
    for term in (0.1, 0.7, 1 / 3):
        terms = np.full(count, np.float64(np.float32(term)))
        assert loss(terms, lanes) <= units(terms) <= math.sqrt(MAX_CHAIN_TERMS * count)


def test_a_single_chain_of_many_terms_does_not() -> None:
    terms = just_below_a_tie(20_000, 0.0)
    assert loss(terms) > units(terms) == math.sqrt(MAX_CHAIN_TERMS * 20_000)
