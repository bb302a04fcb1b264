"""Equivalence between subjects, and the checks on which they agree and all lose."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from conformance.report.figures import dtype_order, link, ulps


@dataclass(frozen=True)
class Pair:
    """Two subjects over a set of shared checks. Distances in ulps of the result's dtype."""

    operation: str
    dtype: str
    a: str
    b: str
    checks: int
    identical: int
    largest: str
    beyond: int
    worst_case: str

    @property
    def share(self) -> float:
        """The share of checks whose bits are identical."""
        return self.identical / self.checks if self.checks else 0.0


@dataclass(frozen=True)
class Equivalence:
    """The matrix over all operations, and the list per operation, dtype and pair, the farthest first."""

    subjects: tuple[str, ...]
    matrix: tuple[tuple[Pair | None, ...], ...]
    pairs: tuple[Pair, ...]


def equivalence(frame: pd.DataFrame, subjects: list[str]) -> Equivalence:
    """Sums the run's equivalence frame up: per pair, and per operation, dtype and pair."""
    if not len(frame):
        return Equivalence((), (), ())
    seen = set(frame["subject_a"]) | set(frame["subject_b"])
    order = [name for name in subjects if name in seen]
    whole = {(pair.a, pair.b): pair for pair in _sum(frame.assign(operation="", dtype=""))}
    matrix = tuple(tuple(whole.get((a, b)) or whole.get((b, a)) for b in order) for a in order)
    pairs = _sum(frame)
    return Equivalence(tuple(order), matrix, tuple(pairs))


def _sum(frame: pd.DataFrame) -> list[Pair]:
    keys = ["operation", "dtype", "subject_a", "subject_b"]
    data = frame.assign(distance=frame["largest_distance"].astype(float))
    grouped = data.sort_values("distance", na_position="first", kind="stable").groupby(keys, sort=False)
    summed = grouped.agg(
        checks=("checks", "sum"),
        identical=("identical", "sum"),
        distance=("distance", "max"),
        beyond=("beyond_bounds", "sum"),
        worst=("worst_case", "last"),
    ).reset_index()
    summed["order"] = summed["dtype"].map(lambda d: dtype_order(d)[0])
    summed = summed.sort_values(
        ["beyond", "distance", "operation", "order"], ascending=[False, False, True, True]
    )
    return [
        Pair(
            str(r["operation"]),
            str(r["dtype"]),
            str(r["subject_a"]),
            str(r["subject_b"]),
            int(r["checks"]),
            int(r["identical"]),
            ulps(r["distance"]),
            int(r["beyond"]),
            str(r["worst"]),
        )
        for r in summed.to_dict("records")
    ]


@dataclass(frozen=True)
class Lost:
    """A check on which all subjects agree and all are far from the exact value."""

    operation: str
    formulation: str
    quantity: str
    dtype: str
    case: str
    subjects: str
    ulps: str
    bound: str
    attainable: str
    observed: str
    exact: str
    source: str
    link: str | None


def lost(frame: pd.DataFrame) -> tuple[Lost, ...]:
    """The checks that agree and lose, the farthest first."""
    if not len(frame):
        return ()
    rows = frame.sort_values("ulp_error", ascending=False).to_dict("records")
    return tuple(
        Lost(
            str(r["operation"]),
            str(r["formulation"]),
            str(r["quantity"]),
            str(r["dtype"]),
            str(r["case"]),
            r["subjects"] if isinstance(r["subjects"], str) else ", ".join(r["subjects"]),
            ulps(r["ulp_error"]),
            ulps(r["ulp_bound"]),
            ulps(r["ulp_attainable"]),
            str(r["observed"]),
            str(r["exact"]),
            str(r["source"] or ""),
            link(str(r["source"] or "")),
        )
        for r in rows
    )
