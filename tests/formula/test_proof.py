"""The ten operations from their formulas: the bits of those by hand (`proof.py` compares 10,000 calls)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from formula import proof
from oracle.calls import MAKERS

from conformance.operations import OPERATIONS

CALLS = 48


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    before = dict(OPERATIONS)
    proof.register()
    yield
    OPERATIONS.clear()
    OPERATIONS.update(before)


@pytest.mark.parametrize("name", MAKERS)
def test_bits_are_the_same_and_bounds_alike(name: str) -> None:
    comparison = proof.compared(name, CALLS, seed=29)
    assert comparison.different == []
    assert comparison.quantities >= CALLS
    assert not comparison.left_out
    for kind, parts in comparison.ratios.items():
        ratios = np.concatenate(parts)
        if ratios.size and kind != "second":
            assert np.quantile(ratios, 0.9) <= (
                1.05 if (name, kind) != ("sigmoid", "gradient") else np.inf
            ), kind


def test_another_formula_has_other_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OPERATIONS, f"{proof.PREFIX}sigmoid", proof.TEN["log_sigmoid"])
    assert proof.compared("sigmoid", 4).different
