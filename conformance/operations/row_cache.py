"""Rows of logits that are computed once: the quantities of a case, and cases of a product, share them."""

from __future__ import annotations

import hashlib

import numpy as np

from conformance.arithmetic.balls import Ball, current_precision
from conformance.arithmetic.formats import FloatArray
from conformance.operations.rows import Row

#: Logits of the rows that are kept, with 100 bytes each.
KEPT = 1 << 18
#: A row of so many logits leaves its sum behind when it goes.
LONG = 1 << 12
#: The sums that are kept.
_SUMS = 1 << 12


class _Kept:
    """The rows made last, of `KEPT` logits together, and the sums of long ones, which a loss needs alone."""

    def __init__(self) -> None:
        self.rows: dict[tuple[bytes, int], Row] = {}
        self.logits = 0
        self.sums: dict[tuple[bytes, int], Ball] = {}

    def add(self, key: tuple[bytes, int], row: Row) -> None:
        if self.logits + row.size > KEPT:
            self.rows.clear()
            self.logits = 0
        self.rows[key] = row
        self.logits += row.size
        if row.size >= LONG and not row.special:
            if len(self.sums) == _SUMS:
                self.sums.clear()
            self.sums[key] = row.rest


_kept = _Kept()


def row_of(logits: FloatArray) -> Row:
    """The row at the current precision, made once: quantities, and cases of a product, share their logits."""
    bits = logits.astype(np.float64, copy=False).tobytes()
    key = hashlib.sha256(bits).digest(), current_precision()
    row = _kept.rows.get(key)
    if row is None:
        row = Row(logits, _kept.sums.get(key))
        _kept.add(key, row)
    return row
