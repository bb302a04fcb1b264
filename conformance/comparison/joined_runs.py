"""Changes: the checks and relations of two runs joined, and how each of them changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from conformance.comparison.subject_matching import Pair
from conformance.results.run import Run

#: How a check or a relation may have changed, what asks for attention first. A relation `follows` where it
#: broke because one of its sides was fixed, or holds because a side is now as wrong as the other.
CHANGES = (
    "regressed",
    "worse",
    "changed error",
    "fixed",
    "better",
    "changed bits",
    "changed case",
    "follows",
    "added",
    "removed",
    "unchanged",
)
#: Columns of diff.csv and their pandas types. A relation's row has its judgements as verdicts and its
#: distance as error; its formulation reads ``left = right``.
COLUMNS: dict[str, str] = {
    "kind": "string",
    "change": "string",
    "case": "string",
    "operation": "string",
    "formulation": "string",
    "relation": "string",
    "quantity": "string",
    "dtype": "string",
    "subject": "string",
    "subject_old": "string",
    "subject_new": "string",
    "version_old": "string",
    "version_new": "string",
    "verdict_old": "string",
    "verdict_new": "string",
    "ulp_error_old": "Float64",
    "ulp_error_new": "Float64",
    "ulp_bound": "Float64",
    "index": "string",
    "bits_old": "string",
    "bits_new": "string",
    "observed_old": "string",
    "observed_new": "string",
    "exact": "string",
    "elements_changed": "Int64",
    "elements": "Int64",
    "message_old": "string",
    "message_new": "string",
    "known_old": "string",
    "known_new": "string",
    "textbook": "boolean",
    "source": "string",
    "tags": "string",
    "why": "string",
}
#: Columns that join a check, and a relation, of one run to that of another.
CHECK = ["case", "operation", "formulation", "quantity", "dtype", "subject"]
RELATION = ["case", "operation", "relation", "left", "right", "quantity", "dtype", "subject"]
SIDES = ("old", "new")
Flags = npt.NDArray[np.bool_]


def changed_rows(old: Run, new: Run, pairs: Sequence[Pair], factor: float) -> pd.DataFrame:
    """A row for each check and relation of two runs (columns: `COLUMNS`), what asks for attention first.

    Args:
        old: The earlier run.
        new: The later one.
        pairs: The subjects that are compared; others stand in one run alone.
        factor: How many times larger an error counts as changed, beyond 1 ulp.
    """
    if all(frame.empty for run in (old, new) for frame in (run.frame, run.relations())):
        return _typed(pd.DataFrame(columns=list(COLUMNS)))
    checks = _checks(old, new, pairs, factor)
    rows = pd.concat([checks, _following(_relations(old, new, pairs, factor), checks)])
    return _typed(_ranked(rows))


def _joined(old: pd.DataFrame, new: pd.DataFrame, keys: list[str], pairs: Sequence[Pair]) -> pd.DataFrame:
    """Both runs' rows side by side (`_old`, `_new`), by `keys`; `subject` is the pair's."""
    sides = []
    for frame, names in ((old, {p.old: p for p in pairs}), (new, {p.new: p for p in pairs})):
        label = frame["subject"].map({name: p.label for name, p in names.items()}).astype("string")
        side = frame.assign(own=frame["subject"], subject=label.fillna(frame["subject"]))
        sides.append(side.drop_duplicates(keys))
    joined = sides[0].merge(sides[1], on=keys, how="outer", suffixes=("_old", "_new"), indicator=True)
    return joined.rename(columns={"own_old": "subject_old", "own_new": "subject_new"})


def _checks(old: Run, new: Run, pairs: Sequence[Pair], factor: float) -> pd.DataFrame:
    joined = _joined(old.frame, new.frame, CHECK, pairs)
    index = _worse_side(joined, "worst_index")
    observed = {
        side: joined[f"observed_{side}"].where(_text(joined, f"worst_index_{side}") == index, "")
        for side in SIDES
    }
    return joined.assign(
        kind="check",
        change=_changes_of_checks(joined, factor),
        relation="",
        version_old=joined["framework_version_old"],
        version_new=joined["framework_version_new"],
        index=index,
        bits_old="",
        bits_new="",
        observed_old=observed["old"],
        observed_new=observed["new"],
        exact=_worse_side(joined, "exact"),
        ulp_bound=joined["ulp_bound_new"].fillna(joined["ulp_bound_old"]),
        elements=joined["elements_new"].fillna(joined["elements_old"]),
        **_either(joined, "textbook", "source", "tags", "why"),
    )


def _changes_of_checks(joined: pd.DataFrame, factor: float) -> npt.NDArray[np.str_]:
    """The change of each check; the first condition that holds names it."""
    ran = {side: _ran(joined, side) for side in SIDES}
    conforms = {side: joined[f"conforms_{side}"].fillna(False).to_numpy(bool) for side in SIDES}
    judged = {side: ran[side] & joined[f"conforms_{side}"].notna().to_numpy(bool) for side in SIDES}
    errors = {side: _error_kinds(joined, side) for side in SIDES}
    both = judged["old"] & judged["new"]
    worse, better = _moved(joined["ulp_error_old"], joined["ulp_error_new"], factor)
    # What conformed and is unsupported now, unless it is the suite that no longer has the formulation.
    dropped = _text(joined, "message_new").str.contains(" has no formulation ", regex=False).to_numpy(bool)
    refused = ran["new"] & conforms["old"] & ~judged["new"] & ~dropped
    named = (
        (ran["old"] & ran["new"] & ~judged["old"] & ~judged["new"], "unchanged"),
        (both & _other_case(joined), "changed case"),
        (refused | (both & conforms["old"] & ~conforms["new"]), "regressed"),
        (both & ~conforms["old"] & conforms["new"], "fixed"),
        (~both & judged["new"], "added"),
        (~both & judged["old"], "removed"),
        (~both & ran["new"] & ~ran["old"], "added"),
        (~both & ran["old"] & ~ran["new"], "removed"),
        (errors["old"] != errors["new"], "changed error"),
        (worse, "worse"),
        (better, "better"),
        ((_text(joined, "bits_old") != _text(joined, "bits_new")).to_numpy(bool), "changed bits"),
    )
    conditions, changes = zip(*named, strict=True)
    return np.select(conditions, changes, default="unchanged")


def _relations(old: Run, new: Run, pairs: Sequence[Pair], factor: float) -> pd.DataFrame:
    joined = _joined(old.relations(), new.relations(), RELATION, pairs)
    judged = {side: _text(joined, f"judgement_{side}").to_numpy(str) for side in SIDES}
    present = {side: judged[side] != "" for side in SIDES}
    broken = {side: judged[side] == "broken" for side in SIDES}
    both = present["old"] & present["new"]
    worse, better = _moved(joined["distance_old"], joined["distance_new"], factor)
    farther = joined["distance_old"].fillna(-1.0) != joined["distance_new"].fillna(-1.0)
    change = np.select(
        [
            both & ~broken["old"] & broken["new"],
            both & broken["old"] & ~broken["new"],
            both & worse,
            both & better,
            both & ((judged["old"] != judged["new"]) | farther.to_numpy(bool)),
            present["new"] & ~present["old"],
            present["old"] & ~present["new"],
        ],
        ["regressed", "fixed", "worse", "better", "changed bits", "added", "removed"],
        default="unchanged",
    )
    return joined.assign(
        kind="relation",
        change=change,
        formulation=joined["left"] + " = " + joined["right"],
        verdict_old=judged["old"],
        verdict_new=judged["new"],
        ulp_error_old=joined["distance_old"],
        ulp_error_new=joined["distance_new"],
        ulp_bound=joined["allowed_new"].fillna(joined["allowed_old"]),
        version_old=joined["subject_old"].map(_versions(old)),
        version_new=joined["subject_new"].map(_versions(new)),
        **_either(joined, "textbook", "source"),
    )


def _following(relations: pd.DataFrame, checks: pd.DataFrame) -> pd.DataFrame:
    """The relations, of which those are marked that changed against the grain of their sides."""
    steps = {"fixed": 1, "better": 1, "regressed": -1, "worse": -1}
    moved = checks.assign(step=checks["change"].map(steps).fillna(0).astype("int64"))
    table = moved.drop_duplicates(CHECK).set_index(CHECK)["step"]
    of_left, of_right = (
        table.reindex(pd.MultiIndex.from_frame(relations.assign(formulation=relations[side])[CHECK]))
        .fillna(0)
        .to_numpy(np.int64)
        for side in ("left", "right")
    )
    up, down = (of_left > 0) | (of_right > 0), (of_left < 0) | (of_right < 0)
    broke = relations["change"].isin(["regressed", "worse"]).to_numpy(bool) & up & ~down
    healed = relations["change"].isin(["fixed", "better"]).to_numpy(bool) & down & ~up
    return relations.assign(change=relations["change"].where(~(broke | healed), "follows"))


def _versions(run: Run) -> dict[str, str]:
    return {
        name: str(about.get("version", "")) for name, about in run.environment.get("subjects", {}).items()
    }


def _ran(joined: pd.DataFrame, side: str) -> Flags:
    """Whether the run has this check, and carried it out."""
    verdict = _text(joined, f"verdict_{side}")
    return (~verdict.isin(["", "not run"])).to_numpy(bool)


def _error_kinds(joined: pd.DataFrame, side: str) -> npt.NDArray[Any]:
    """The kind of error of each check that did not return (`IndexError`, `crashed`), else the empty text."""
    verdict = _text(joined, f"verdict_{side}")
    named = _text(joined, f"message_{side}").str.extract(r"^([A-Za-z_][\w.]*): ", expand=False).fillna("")
    nothing = joined[f"elements_{side}"].fillna(0).eq(0) & _text(joined, f"bits_{side}").eq("")
    kind = named.where(verdict.eq("raised") | (verdict.eq("exact") & nothing), "")
    return kind.where(~verdict.isin(["crashed", "timed out"]), verdict).to_numpy(str)


def _moved(old: pd.Series[Any], new: pd.Series[Any], factor: float) -> tuple[Flags, Flags]:
    """(worse, better): errors that differ by more than the factor and by more than 1 ulp."""
    a, b = (ulps.astype("Float64").to_numpy(np.float64, na_value=np.nan) for ulps in (old, new))
    with np.errstate(invalid="ignore"):
        return (b > factor * a) & (b - a > 1), (a > factor * b) & (a - b > 1)


def _other_case(joined: pd.DataFrame) -> Flags:
    """Checks whose case itself changed between the runs: another exact value at the same element."""
    same = joined["worst_index_old"].fillna("").ne("") & joined["worst_index_old"].eq(
        joined["worst_index_new"]
    )
    a, b = (pd.to_numeric(joined[f"exact_{side}"], errors="coerce").to_numpy(np.float64) for side in SIDES)
    # The largest number has no ulp above it.
    below = np.minimum(np.minimum(np.abs(a), np.abs(b)), np.finfo(np.float64).max / 2)
    with np.errstate(invalid="ignore"):
        alike = np.abs(a - b) <= np.spacing(below)  # An ulp: one may have been written with fewer digits.
        other = ~(alike | (np.isnan(a) & np.isnan(b)) | (a == b))
    written = joined["exact_old"].fillna("").ne("") & joined["exact_new"].fillna("").ne("")
    flags: Flags = same.fillna(False).to_numpy(bool) & other & written.to_numpy(bool)
    return flags


def _worse_side(joined: pd.DataFrame, column: str) -> pd.Series[Any]:
    """A column of the worst element, of the side whose error is larger."""
    a, b = (joined[f"ulp_error_{side}"].fillna(-1.0) for side in SIDES)
    old, new = (_text(joined, f"{column}_{side}") for side in SIDES)
    return old.where(a > b, new).where(new.ne(""), old)


def _text(joined: pd.DataFrame, column: str) -> pd.Series[str]:
    return joined[column].fillna("").astype(str)


def _either(joined: pd.DataFrame, *columns: str) -> dict[str, pd.Series[Any]]:
    return {name: joined[f"{name}_new"].fillna(joined[f"{name}_old"]) for name in columns}


def _ranked(rows: pd.DataFrame) -> pd.DataFrame:
    """What asks for attention first; within a change the largest error."""
    error = rows[["ulp_error_old", "ulp_error_new"]].astype("Float64").max(axis=1).fillna(np.inf)
    rank = rows["change"].map(CHANGES.index)
    keys = rows.assign(_kind=rows["kind"], _rank=rank, _error=-error)
    order = ["_rank", "_kind", "_error", "case", "dtype", "formulation", "quantity", "subject"]
    return keys.sort_values(order, kind="stable").reset_index(drop=True)


def _typed(rows: pd.DataFrame) -> pd.DataFrame:
    missing = {name: pd.Series([None] * len(rows), dtype="object") for name in COLUMNS if name not in rows}
    frame = rows.assign(**missing)[list(COLUMNS)]
    strings = {name: "" for name, kind in COLUMNS.items() if kind == "string"}
    return frame.astype(COLUMNS).fillna(strings)
