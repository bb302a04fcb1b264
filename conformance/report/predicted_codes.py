"""Predicted codes: a column's codes as what other columns let expect, and the rest.

Within one case, quantity and dtype every subject has the same exact value, and the same value mostly has the
same bound. Where a column's code is the one that it had last beside the same codes of other columns, a page
need not carry it: 0 says so, and a byte of nothing but zeros packs to next to nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

Codes = np.ndarray[Any, Any]

#: Column -> the columns beside which it mostly stays what it was; those are decoded before it.
PREDICTED_FROM = {
    "worst_index": ("shape",),
    "exact": ("case", "dtype", "quantity", "worst_index"),
    "ulp_bound": ("exact",),
    "ulp_attainable": ("ulp_bound",),
    "observed": ("exact", "dtype"),
    "ulp_error": ("observed", "exact"),
    "ratio": ("ulp_error", "ulp_bound"),
    "bits": ("observed", "exact"),
    "verdict": ("ulp_error", "ulp_bound"),
    "conforms": ("verdict",),
    "why": ("case",),
    "template": ("subject", "formulation", "quantity", "dtype", "operation", "shape"),
}
#: The code is that of the last row with the same context; it is the next that no row has had; it is explicit.
AS_LAST, NEXT, EXPLICIT = 0, 1, 2


def predicted_codes(codes: Codes, context: Sequence[Codes]) -> tuple[Codes, Codes]:
    """How each row's code follows from the rows before it, and the codes that do not.

    Args:
        codes: A column's codes, numbered in the order of their first rows.
        context: The codes of the columns that predict it.

    Returns:
        A byte a row (`AS_LAST`, `NEXT`, `EXPLICIT`), and the codes of the explicit rows.
    """
    key = np.zeros(len(codes), np.int64)
    for other in context:
        key = pd.factorize(key * (int(other.max(initial=0)) + 1) + other)[0]
    order = np.argsort(key, kind="stable")
    alike = (key[order][1:] == key[order][:-1]) & (codes[order][1:] == codes[order][:-1])
    hits = np.full(len(codes), EXPLICIT, np.uint8)
    hits[np.unique(codes, return_index=True)[1]] = NEXT
    hits[order[1:][alike]] = AS_LAST
    return hits, codes[hits == EXPLICIT]
