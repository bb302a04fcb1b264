"""Elements of observations: what every subject returned where the worst check of a finding is worst."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

from conformance.arithmetic.formats import FORMATS, ulp_of
from conformance.results.observation_store import Observations, digits


@dataclass(frozen=True)
class ElementAnswer:
    """Answer of a subject at one element.

    Attributes:
        observed: The shortest digits that name the element in its dtype.
        ulp_error: Its distance from the exact value in ulps of the dtype; None where one is no number.
    """

    observed: str
    ulp_error: float | None


class Elements:
    """Elements of a run's observations, read from the run's record when they are asked for.

    Args:
        directories: Where the run's record may lie, the likeliest first.
    """

    def __init__(self, *directories: Path | None) -> None:
        self._directories = directories

    @cached_property
    def _stores(self) -> list[Observations]:
        return [Observations(directory) for directory in self._directories if directory is not None]

    def answer(self, row: Mapping[Any, Any], index: tuple[int, ...], exact: str) -> ElementAnswer | None:
        """What the subject of a check returned at an element; None where it was not kept, or has none there.

        Args:
            row: The check's row of the run's frame.
            index: Where the element is.
            exact: The exact value there, in digits.
        """
        request = str(row["case"]), str(row["dtype"]), str(row["formulation"])
        for store in self._stores:
            kept = store.get(str(row["subject"]), request, str(row["quantity"]))
            if kept is not None:
                array, dtype = kept
                inside = len(index) == array.ndim and all(
                    i < size for i, size in zip(index, array.shape, strict=True)
                )
                if not inside:
                    return None
                observed = digits(array[index], dtype)
                return ElementAnswer(observed, ulp_error(observed, exact, dtype))
        return None


def ulp_error(observed: str, exact: str, dtype: str) -> float | None:
    """The distance of two figures in ulps of the dtype at the exact one; None where one is no number."""
    if dtype not in FORMATS:
        return None
    try:
        distance = abs(Fraction(observed) - Fraction(exact))
    except ValueError:  # nan and the infinities
        return None
    return float(distance / Fraction(float(ulp_of(FORMATS[dtype], float(Fraction(exact))))))
