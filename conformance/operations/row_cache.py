"""Cache of rows of logits, which the quantities of a case, and cases of a product, share."""

from __future__ import annotations

import hashlib

import numpy as np

from conformance.arithmetic.balls import Ball, current_precision
from conformance.arithmetic.formats import FloatArray
from conformance.operations.rows import Row

#: Logits of all cached rows, with 100 bytes each.
MAX_CACHED_LOGITS = 1 << 18
#: A row of so many logits leaves its sum behind when it goes.
MIN_LONG_ROW_LOGITS = 1 << 12
_MAX_CACHED_SUMS = 1 << 12


class _RowCache:
    """The rows made last, of `MAX_CACHED_LOGITS` together, and the sums of long ones: all a loss needs."""

    def __init__(self) -> None:
        self.rows: dict[tuple[bytes, int], Row] = {}
        self.logits = 0
        self.sums: dict[tuple[bytes, int], Ball] = {}

    def add(self, key: tuple[bytes, int], row: Row) -> None:
        if self.logits + row.size > MAX_CACHED_LOGITS:
            self.rows.clear()
            self.logits = 0
        self.rows[key] = row
        self.logits += row.size
        if row.size >= MIN_LONG_ROW_LOGITS and not row.special:
            if len(self.sums) == _MAX_CACHED_SUMS:
                self.sums.clear()
            self.sums[key] = row.rest


_cache = _RowCache()


def row_of(logits: FloatArray) -> Row:
    """The row of these logits at the current precision, from the cache or made."""
    bits = logits.astype(np.float64, copy=False).tobytes()
    key = hashlib.sha256(bits).digest(), current_precision()
    row = _cache.rows.get(key)
    if row is None:
        row = Row(logits, _cache.sums.get(key))
        _cache.add(key, row)
    return row
