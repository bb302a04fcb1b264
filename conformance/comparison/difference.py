"""Two runs -> what changed, check by check: verdicts, errors, bits, and the same for relations."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from conformance.comparison.subject_matching import Pair, pair, warnings_about
from conformance.errors import RunError
from conformance.results import loading
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
#: What joins a check, and a relation, of one run to that of another.
CHECK = ["case", "operation", "formulation", "quantity", "dtype", "subject"]
RELATION = ["case", "operation", "relation", "left", "right", "quantity", "dtype", "subject"]
Flags = npt.NDArray[np.bool_]


@dataclass
class Difference:
    """What changed between two runs.

    `frame` has one row a check and a relation (columns: `COLUMNS`), what asks for attention first; `pairs`
    are the subjects that were compared; `warnings` name what else differs (hardware, an incomplete run).
    """

    frame: pd.DataFrame
    old: Run
    new: Run
    pairs: list[Pair] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    factor: float = 2.0

    def counts(self, kind: str = "check") -> dict[str, int]:
        """How many checks (or relations, by `kind`) changed in each way; every way is there."""
        found = self.frame.loc[self.frame["kind"] == kind, "change"].value_counts().to_dict()
        return {change: int(found.get(change, 0)) for change in CHANGES}

    def gating(self, strict: bool = False) -> pd.DataFrame:
        """The rows that fail a gate: regressed, with `strict` also worse; none of a textbook formulation."""
        fails = self.frame["change"].isin(["regressed", "worse"] if strict else ["regressed"])
        return self.frame[fails & ~self.frame["textbook"].fillna(False).astype(bool)]

    def exit_code(self, strict: bool = False) -> int:
        """1 where something fails the gate, else 0."""
        return int(not self.gating(strict).empty)

    def cases(self, change: str) -> dict[str, int]:
        """The cases with checks that changed so, and how many; textbook formulations do not count.

        Cases that are named after the upstream issue that they come from stand first.
        """
        frame = self.frame
        rows = frame[(frame["kind"] == "check") & (frame["change"] == change)]
        rows = rows[~rows["textbook"].fillna(False).astype(bool)]
        sources = dict(zip(rows["case"], rows["source"], strict=True))
        counted = rows["case"].value_counts(sort=False).to_dict()
        ordered = sorted(counted, key=lambda name: not _names_its_issue(str(name), str(sources[name])))
        return {str(name): int(counted[name]) for name in ordered}

    def save(self, directory: str | Path) -> None:
        """Writes diff.csv, diff.md and diff.html into `directory`."""
        from conformance.comparison.files import write

        write(self, Path(directory))


def diff(
    old: Run | str | Path,
    new: Run | str | Path,
    *,
    factor: float = 2.0,
    pairs: Sequence[str] = (),
    elements: bool = True,
) -> Difference:
    """Compares two runs (or the directories that hold them), check by check and relation by relation.

    A check joins by case, operation, formulation, quantity, dtype and subject; a pinned subject joins by its
    framework, mode and device, `pairs` (``OLD=NEW``) overrules. Errors that differ by less than `factor`, or
    by less than 1 ulp, count as equal. `elements`: also name the element that changed most, with bits and
    exact value, where the runs' observations are at hand. Raises RunError for what cannot be read or paired.
    """
    if not factor >= 1:
        raise RunError(f"--factor {factor:g}: at least 1")
    before, after = (one if isinstance(one, Run) else loading.load(one) for one in (old, new))
    paired = pair(before, after, pairs)
    difference = Difference(
        _rows(before, after, paired, factor),
        before,
        after,
        paired,
        warnings_about(before, after, paired),
        factor,
    )
    if elements:
        from conformance.comparison.changed_elements import fill

        fill(difference)
    return difference


def _rows(old: Run, new: Run, paired: list[Pair], factor: float) -> pd.DataFrame:
    if all(frame.empty for run in (old, new) for frame in (run.frame, run.relations())):
        return _typed(pd.DataFrame(columns=list(COLUMNS)))
    checks = _checks(old, new, paired, factor)
    rows = pd.concat([checks, _following(_relations(old, new, paired, factor), checks)])
    return _typed(_ranked(rows))


def _names_its_issue(case: str, source: str) -> bool:
    issue = re.search(r"/(?:issues|pull)/(\d+)$", source)
    return issue is not None and issue[1] in case.split("-")


def _joined(old: pd.DataFrame, new: pd.DataFrame, keys: list[str], paired: list[Pair]) -> pd.DataFrame:
    """Both runs' rows side by side (`_old`, `_new`), by `keys`; `subject` is the pair's."""
    sides = []
    for frame, names in ((old, {p.old: p for p in paired}), (new, {p.new: p for p in paired})):
        label = frame["subject"].map({name: p.label for name, p in names.items()}).astype("string")
        side = frame.assign(own=frame["subject"], subject=label.fillna(frame["subject"]))
        sides.append(side.drop_duplicates(keys))
    joined = sides[0].merge(sides[1], on=keys, how="outer", suffixes=("_old", "_new"), indicator=True)
    return joined.rename(columns={"own_old": "subject_old", "own_new": "subject_new"})


def _checks(old: Run, new: Run, paired: list[Pair], factor: float) -> pd.DataFrame:
    joined = _joined(old.frame, new.frame, CHECK, paired)
    text = {
        name: joined[name].fillna("").astype(str) for name in joined.columns if joined[name].dtype == "string"
    }
    here = {side: _exists(joined, side) for side in ("old", "new")}
    conforms = {side: joined[f"conforms_{side}"].fillna(False).to_numpy(bool) for side in ("old", "new")}
    supported = {
        side: here[side] & joined[f"conforms_{side}"].notna().to_numpy(bool) for side in ("old", "new")
    }
    kinds = {side: _error_kinds(joined, side) for side in ("old", "new")}
    both = supported["old"] & supported["new"]
    worse, better = _moved(joined["ulp_error_old"], joined["ulp_error_new"], factor)
    bits = (text["bits_old"] != text["bits_new"]).to_numpy(bool)
    # What was right and is no longer there at all, unless it is the suite that no longer has it.
    ours = text["message_new"].str.contains(" has no formulation ", regex=False).to_numpy(bool)
    lost = here["new"] & conforms["old"] & ~supported["new"] & ~ours
    neither = here["old"] & here["new"] & ~supported["old"] & ~supported["new"]
    change = np.select(
        [
            neither,
            both & _other_case(joined),
            lost | (both & conforms["old"] & ~conforms["new"]),
            both & ~conforms["old"] & conforms["new"],
            ~both & supported["new"],
            ~both & supported["old"],
            ~both & here["new"] & ~here["old"],
            ~both & here["old"] & ~here["new"],
            kinds["old"] != kinds["new"],
            worse,
            better,
            bits,
        ],
        [
            "unchanged",
            "changed case",
            "regressed",
            "fixed",
            "added",
            "removed",
            "added",
            "removed",
            "changed error",
            "worse",
            "better",
            "changed bits",
        ],
        default="unchanged",
    )
    index = _worse_side(joined, "worst_index")
    return joined.assign(
        kind="check",
        change=change,
        relation="",
        version_old=joined["framework_version_old"],
        version_new=joined["framework_version_new"],
        index=index,
        bits_old="",
        bits_new="",
        observed_old=joined["observed_old"].where(text["worst_index_old"] == index, ""),
        observed_new=joined["observed_new"].where(text["worst_index_new"] == index, ""),
        exact=_worse_side(joined, "exact"),
        ulp_bound=joined["ulp_bound_new"].fillna(joined["ulp_bound_old"]),
        elements=joined["elements_new"].fillna(joined["elements_old"]),
        **_either(joined, "textbook", "source", "tags", "why"),
    )


def _relations(old: Run, new: Run, paired: list[Pair], factor: float) -> pd.DataFrame:
    joined = _joined(old.relations(), new.relations(), RELATION, paired)
    judged = {
        side: joined[f"judgement_{side}"].fillna("").astype(str).to_numpy(str) for side in ("old", "new")
    }
    here = {side: judged[side] != "" for side in ("old", "new")}
    broken = {side: judged[side] == "broken" for side in ("old", "new")}
    both = here["old"] & here["new"]
    worse, better = _moved(joined["distance_old"], joined["distance_new"], factor)
    apart = joined["distance_old"].fillna(-1.0) != joined["distance_new"].fillna(-1.0)
    change = np.select(
        [
            both & ~broken["old"] & broken["new"],
            both & broken["old"] & ~broken["new"],
            both & worse,
            both & better,
            both & ((judged["old"] != judged["new"]) | apart.to_numpy(bool)),
            here["new"] & ~here["old"],
            here["old"] & ~here["new"],
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
    kind = {"fixed": 1, "better": 1, "regressed": -1, "worse": -1}
    moved = checks.assign(way=checks["change"].map(kind).fillna(0).astype("int64"))
    table = moved.drop_duplicates(CHECK).set_index(CHECK)["way"]
    ways = []
    for side in ("left", "right"):
        wanted = relations.assign(formulation=relations[side])[CHECK]
        ways.append(table.reindex(pd.MultiIndex.from_frame(wanted)).fillna(0).to_numpy(np.int64))
    up, down = (ways[0] > 0) | (ways[1] > 0), (ways[0] < 0) | (ways[1] < 0)
    broke = relations["change"].isin(["regressed", "worse"]).to_numpy(bool) & up & ~down
    held = relations["change"].isin(["fixed", "better"]).to_numpy(bool) & down & ~up
    return relations.assign(change=relations["change"].where(~(broke | held), "follows"))


def _versions(run: Run) -> dict[str, str]:
    return {
        name: str(about.get("version", "")) for name, about in run.environment.get("subjects", {}).items()
    }


def _exists(joined: pd.DataFrame, side: str) -> Flags:
    """Whether the run has this check, and carried it out."""
    verdict = joined[f"verdict_{side}"].fillna("").astype(str)
    return (~verdict.isin(["", "not run"])).to_numpy(bool)


def _error_kinds(joined: pd.DataFrame, side: str) -> npt.NDArray[Any]:
    """The kind of error of each check that did not return (`IndexError`, `crashed`), else the empty text."""
    verdict = joined[f"verdict_{side}"].fillna("").astype(str)
    message = joined[f"message_{side}"].fillna("").astype(str)
    named = message.str.extract(r"^([A-Za-z_][\w.]*): ", expand=False).fillna("")
    nothing = joined[f"elements_{side}"].fillna(0).eq(0) & joined[f"bits_{side}"].fillna("").eq("")
    kind = named.where(verdict.eq("raised") | (verdict.eq("exact") & nothing), "")
    return kind.where(~verdict.isin(["crashed", "timed out"]), verdict).to_numpy(str)


def _moved(old: pd.Series[Any], new: pd.Series[Any], factor: float) -> tuple[Flags, Flags]:
    """(worse, better): errors that differ by more than the factor and by more than 1 ulp."""
    a, b = (one.astype("Float64").to_numpy(np.float64, na_value=np.nan) for one in (old, new))
    with np.errstate(invalid="ignore"):
        return (b > factor * a) & (b - a > 1), (a > factor * b) & (a - b > 1)


def _other_case(joined: pd.DataFrame) -> Flags:
    """Checks whose case itself changed between the runs: another exact value at the same element."""
    same = joined["worst_index_old"].fillna("").ne("") & joined["worst_index_old"].eq(
        joined["worst_index_new"]
    )
    a, b = (
        pd.to_numeric(joined[f"exact_{side}"], errors="coerce").to_numpy(np.float64)
        for side in ("old", "new")
    )
    # The largest number has no ulp above it.
    below = np.minimum(np.minimum(np.abs(a), np.abs(b)), np.finfo(np.float64).max / 2)
    with np.errstate(invalid="ignore"):
        alike = np.abs(a - b) <= np.spacing(below)  # An ulp: one may have been written with fewer digits.
        other = ~(alike | (np.isnan(a) & np.isnan(b)) | (a == b))
    written = joined["exact_old"].fillna("").ne("") & joined["exact_new"].fillna("").ne("")
    found: Flags = same.fillna(False).to_numpy(bool) & other & written.to_numpy(bool)
    return found


def _worse_side(joined: pd.DataFrame, column: str) -> pd.Series[Any]:
    """A column of the worst element, of the side whose error is larger."""
    a, b = (joined[f"ulp_error_{side}"].fillna(-1.0) for side in ("old", "new"))
    old, new = (joined[f"{column}_{side}"].fillna("").astype(str) for side in ("old", "new"))
    return old.where(a > b, new).where(new.ne(""), old)


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
