"""Stability frontier: the first logit gap at which each formulation leaves its bound."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass

import pandas as pd

from conformance.report.figures import dtype_order, ulps

# Where exp overflows and underflows: ln(largest finite number), -ln(half the smallest subnormal).
EDGES: dict[str, tuple[float, float]] = {
    "float16": (math.log(65504), 25 * math.log(2)),
    "bfloat16": (128 * math.log(2) + math.log1p(-(2.0**-8)), 134 * math.log(2)),
    "float32": (128 * math.log(2), 150 * math.log(2)),
    "float64": (1024 * math.log(2), 1075 * math.log(2)),
}


@dataclass(frozen=True)
class Leaves:
    """Line of the chart.

    Attributes:
        gap: The first gap at which its error is beyond the bound; empty where it never is.
        worst: Its largest error in ulps, as text.
    """

    gap: str
    worst: str


@dataclass(frozen=True)
class Frontier:
    """Frontier of one case.

    Attributes:
        case: The case.
        operation: Its operation.
        dtypes: The columns, from narrow to wide.
        rows: Formulation, subject, and the line in each dtype; None where the subject lacks it.
    """

    case: str
    operation: str
    dtypes: tuple[str, ...]
    rows: tuple[tuple[str, str, tuple[Leaves | None, ...]], ...]


def frontier(sweep: pd.DataFrame) -> tuple[Frontier, ...]:
    """The frontier of each case and operation of a run's sweep."""
    if not len(sweep):
        return ()
    keys = ["case", "operation", "formulation", "subject", "dtype"]
    error = sweep["ulp_error"].astype(float).fillna(math.inf)
    data = sweep[[*keys, "gap"]].assign(error=error, beyond=error > sweep["ulp_bound"].astype(float))
    data = data.sort_values("gap", kind="stable")
    first = data[data["beyond"]].drop_duplicates(keys).set_index(keys)["gap"].to_dict()
    worst = data.groupby(keys, sort=False)["error"].max().to_dict()
    out = []
    for (case, operation), rows in sweep[keys].groupby(["case", "operation"], sort=False):
        dtypes = tuple(sorted({str(name) for name in rows["dtype"]}, key=dtype_order))
        lines = rows[["formulation", "subject"]].drop_duplicates().itertuples(index=False)
        table = tuple(
            (
                str(formulation),
                str(subject),
                tuple(
                    _leaves((case, operation, formulation, subject, dtype), first, worst) for dtype in dtypes
                ),
            )
            for formulation, subject in lines
        )
        out.append(Frontier(str(case), str(operation), dtypes, table))
    return tuple(out)


def _leaves(
    key: tuple[object, ...], first: Mapping[Hashable, float], worst: Mapping[Hashable, float]
) -> Leaves | None:
    if key not in worst:
        return None
    return Leaves(f"{first[key]:.4g}" if key in first else "", ulps(worst[key]))
