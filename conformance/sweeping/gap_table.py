"""Gap table: the polynomials of a function of two logits' gap over all real gaps, for many gaps at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from conformance.arithmetic.formats import FORMATS, FloatArray
from conformance.sweeping.functions import SweptFunction
from conformance.sweeping.inputs import Binade, binade_count
from conformance.sweeping.polynomials import MARGIN_ULPS, MAX_DEGREE, Piece, pieces

Flags = npt.NDArray[np.bool_]

#: What an evaluation may be off, in ulps of the result: the polynomials' margin, and that of their argument.
GAP_MARGIN_ULPS = 2 * MARGIN_ULPS
#: A gap's and its place in a piece's roundings, in units of the gap's magnitude: see docs/sweeps.md.
_ROUNDINGS = 4 * 2.0**-53


@dataclass(frozen=True)
class GapTable:
    """Polynomials of one element of a function over the gaps of either sign that its dtype's range holds.

    Attributes:
        limit: The least magnitude of gaps that balls decide: beyond it a linear function overflows.
        starts: For gaps from 0 up, and for those below 0, the least magnitude of each piece, ascending.
        coefficients: For each sign an array (degree + 1, pieces) of coefficients, in ulps.
        scales: For each sign one over the result's ulp by piece; nan where balls decide.
        centers: For each sign the magnitude in each piece's middle.
        inverses: For each sign one over half the length of each piece.
    """

    limit: float
    starts: tuple[FloatArray, FloatArray]
    coefficients: tuple[FloatArray, FloatArray]
    scales: tuple[FloatArray, FloatArray]
    centers: tuple[FloatArray, FloatArray]
    inverses: tuple[FloatArray, FloatArray]

    def evaluated(self, gaps: FloatArray, rounded: Flags) -> tuple[FloatArray, FloatArray]:
        """The function at these gaps, within `GAP_MARGIN_ULPS`.

        Args:
            gaps: Gaps as float64 rounds them.
            rounded: Where that was not exact. There a gap at a piece's end may belong to its neighbour.

        Returns:
            The values in ulps of the result, and one over the ulp; both nan where balls decide.
        """
        values, scales = np.full(gaps.shape, np.nan), np.full(gaps.shape, np.nan)
        usable = np.abs(gaps) < self.limit
        for sign, chosen in enumerate((usable & (gaps >= 0), usable & (gaps < 0))):
            where = np.flatnonzero(chosen)
            if where.size:
                values[where], scales[where] = self._of_sign(sign, np.abs(gaps[where]), rounded[where])
        return values, scales

    def _of_sign(self, sign: int, magnitudes: FloatArray, rounded: Flags) -> tuple[FloatArray, FloatArray]:
        index = np.searchsorted(self.starts[sign], magnitudes, side="right") - 1
        t = (magnitudes - self.centers[sign][index]) * self.inverses[sign][index]
        coefficients = self.coefficients[sign]
        result = coefficients[-1][index]
        for row in coefficients[-2::-1]:
            np.multiply(result, t, out=result)
            np.add(result, row[index], out=result)
        at_end = rounded & (magnitudes == self.starts[sign][index])
        scale = np.where(at_end, np.nan, self.scales[sign][index])
        return np.where(np.isnan(scale), np.nan, result), scale


@lru_cache(maxsize=8)
def gap_table(function: SweptFunction, element: int, dtype: str) -> GapTable:
    """The table of one element of a function of rows, for results of a half type; made once in a process."""
    signs = [_of_one_sign(function, element, dtype, negative) for negative in (False, True)]
    return GapTable(2.0 ** (FORMATS[dtype].emax + 1), *zip(*signs, strict=True))


def _of_one_sign(
    function: SweptFunction, element: int, dtype: str, negative: bool
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
    half = binade_count("float32") // 2
    starts, ends, scales = [], [], []
    columns: list[FloatArray] = []
    for index in range(half - 1):  # the last holds infinity and nans
        binade = Binade("float32", index + half * negative)
        if binade.exponent > FORMATS[dtype].emax:
            break
        spacing = 2.0**binade.spacing_exponent
        for piece in pieces(function, element, binade, 0, binade.size, dtype):
            starts.append((binade.significand + piece.first) * spacing)
            ends.append((binade.significand + piece.first + piece.count) * spacing)
            column = np.zeros(MAX_DEGREE + 1)
            column[: len(piece.coefficients)] = piece.coefficients
            columns.append(column)
            scales.append(2.0**-piece.ulp_exponent if _is_steady(piece, starts[-1], ends[-1]) else np.nan)
    least, most = np.array(starts), np.array(ends)
    coefficients = np.array(columns).T
    degree = int(np.flatnonzero(coefficients.any(axis=1)).max())
    return least, coefficients[: degree + 1], np.array(scales), (least + most) / 2, 2 / (most - least)


def _is_steady(piece: Piece, start: float, end: float) -> bool:
    """Whether the roundings of a gap and of its place in the piece move the value less than the margin."""
    if not piece.coefficients:
        return False
    slope = sum(power * abs(value) for power, value in enumerate(piece.coefficients))
    return slope * _ROUNDINGS * (1 + 2 * end / (end - start)) < MARGIN_ULPS
