"""Equivalence of subjects, pair by pair, and the checks on which all agree and all lose."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from conformance.report.figures import dtype_order, link, ulps


@dataclass(frozen=True)
class Pair:
    """Distance of two subjects over the checks that both ran, of one operation and dtype or of all.

    Attributes:
        operation: The operation; empty over all.
        dtype: The dtype; empty over all.
        a: One subject.
        b: The other subject.
        checks: How many checks both ran.
        identical: On how many of them they return the same bits.
        largest: The largest distance in ulps of the result's dtype, as text.
        beyond: On how many checks they differ by more than their bounds together.
        worst_case: The case of the largest distance.
    """

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
    frame = frame[
        ~frame["formulation"].str.contains(" and ", regex=False)
    ]  # of one formulation on both sides
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
class AgreedLoss:
    """Check on which all subjects agree and all are far from the exact value, the farthest of its case.

    Attributes:
        operation: The check's operation.
        quantity: Its quantity.
        dtype: Its dtype.
        case: Its case.
        subjects: The subjects that agree, as text.
        ulps: The error that they share.
        attainable: The error of the best known algorithm, in ulps.
        observed: What all return.
        exact: The exact value.
        source: The case's source.
        link: The source's address, where it has one.
        formulations: The formulations in which the case loses so.
        dtypes: The dtypes in which it does.
    """

    operation: str
    quantity: str
    dtype: str
    case: str
    subjects: str
    ulps: str
    attainable: str
    observed: str
    exact: str
    source: str
    link: str | None
    formulations: tuple[str, ...]
    dtypes: tuple[str, ...]


def agreed_losses(frame: pd.DataFrame) -> tuple[AgreedLoss, ...]:
    """The checks that agree and lose, one for each operation, case and quantity, the farthest first."""
    if not len(frame):
        return ()
    rows = frame.sort_values("ulp_error", ascending=False, kind="stable")
    groups = rows.groupby(["operation", "case", "quantity"], sort=False)
    return tuple(_agreed_loss(group) for _, group in groups)


def _agreed_loss(group: pd.DataFrame) -> AgreedLoss:
    first = {str(name): value for name, value in group.iloc[0].to_dict().items()}
    subjects, source = first["subjects"], str(first["source"])
    return AgreedLoss(
        operation=str(first["operation"]),
        quantity=str(first["quantity"]),
        dtype=str(first["dtype"]),
        case=str(first["case"]),
        subjects=subjects if isinstance(subjects, str) else ", ".join(subjects),
        ulps=ulps(first["ulp_error"]),
        attainable=ulps(first["ulp_attainable"]),
        observed=str(first["observed"]),
        exact=str(first["exact"]),
        source=source,
        link=link(source),
        formulations=tuple(dict.fromkeys(str(name) for name in group["formulation"])),
        dtypes=tuple(sorted({str(name) for name in group["dtype"]}, key=dtype_order)),
    )
