"""Run: all verdicts of one execution as pandas frames, and the files that hold them."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from conformance.errors import RunError
from conformance.results.frame_files import write_csv, write_parquet
from conformance.results.row_buffers import typed

#: The format of a run's directory: raised when a reader of the old one could misread the new one.
FORMAT = 1

#: Columns of results.csv and their pandas types: a check a row. Errors and bounds are in ulps of the dtype;
#: `observed`, `exact` and `worst_index` are those of the worst element; `ratio` is its error over its bound.
RESULTS: dict[str, str] = {
    "case": "string",
    "operation": "string",
    "formulation": "string",
    "quantity": "string",
    "dtype": "string",
    "subject": "string",
    "framework_version": "string",
    "verdict": "string",
    "conforms": "boolean",
    "ulp_error": "float64",
    "ulp_bound": "float64",
    "ulp_attainable": "float64",
    "observed": "string",
    "exact": "string",
    "worst_index": "string",
    "known": "string",
    "message": "string",
    "source": "string",
    "framework": "string",
    "textbook": "boolean",
    "ratio": "float64",
    "elements": "Int64",
    "shape": "string",
    "bits": "string",
    "file": "string",
    "line": "Int64",
    "tags": "string",
    "why": "string",
}
#: Columns of relations.csv: an identity on a case a row; distances in ulps of the dtype.
RELATIONS: dict[str, str] = {
    "case": "string",
    "relation": "string",
    "operation": "string",
    "quantity": "string",
    "dtype": "string",
    "subject": "string",
    "left": "string",
    "right": "string",
    "judgement": "string",
    "distance": "float64",
    "allowed": "float64",
    "textbook": "boolean",
    "message": "string",
    "source": "string",
}
#: Columns of equivalence.csv: a pair of subjects over the checks that both answered; distances in ulps.
EQUIVALENCE: dict[str, str] = {
    "operation": "string",
    "formulation": "string",
    "quantity": "string",
    "dtype": "string",
    "subject_a": "string",
    "subject_b": "string",
    "checks": "Int64",
    "identical": "Int64",
    "share_identical": "float64",
    "largest_distance": "float64",
    "beyond_bounds": "Int64",
    "worst_case": "string",
    **{
        f"{values}_{figure}": "Int64" if figure in ("checks", "beyond") else "float64"
        for values in ("ordinary", "extreme", "special")
        for figure in ("checks", "beyond", "median", "p99", "largest")
    },
}
#: Columns of invariance.csv: whether results keep their bits (`verdict`: bitwise, within bounds, broken) when
#: only the circumstances of the call change (`kind`); `compared` counts comparisons; distances in ulps.
INVARIANCE: dict[str, str] = {
    "operation": "string",
    "formulation": "string",
    "quantity": "string",
    "dtype": "string",
    "subject": "string",
    "kind": "string",
    "verdict": "string",
    "compared": "Int64",
    "bitwise": "Int64",
    "broken": "Int64",
    "largest_distance": "float64",
    "worst_case": "string",
}
#: Columns of breaks.csv: the smallest gap of logits at which an identity breaks, to the bit.
BREAKS: dict[str, str] = {
    "relation": "string",
    "operation": "string",
    "dtype": "string",
    "subject": "string",
    "left": "string",
    "right": "string",
    "holds_to": "float64",
    "holds_to_bits": "string",
    "breaks_at": "float64",
    "breaks_at_bits": "string",
    "left_value": "string",
    "right_value": "string",
    "exact": "string",
    "case": "string",
}
#: Columns of sweep.csv: an element of a case of the frontier a row, its error over the gap of its logits.
SWEEP: dict[str, str] = {
    "case": "string",
    "operation": "string",
    "formulation": "string",
    "quantity": "string",
    "dtype": "string",
    "subject": "string",
    "gap": "float64",
    "ulp_error": "float64",
    "ulp_bound": "float64",
    "ulp_attainable": "float64",
}
#: Columns of printed.csv: a figure that a source prints, and what a subject makes of it.
PRINTED: dict[str, str] = {
    "case": "string",
    "source": "string",
    "printed": "string",
    "exact": "string",
    "subject": "string",
    "formulation": "string",
    "observed": "string",
    "confirmed": "boolean",
}
#: The frames of a run, by the names of their files.
FRAMES = {
    "results": RESULTS,
    "relations": RELATIONS,
    "equivalence": EQUIVALENCE,
    "invariance": INVARIANCE,
    "breaks": BREAKS,
    "sweep": SWEEP,
    "printed": PRINTED,
}
#: From how many ulps on a result that all subjects agree on, and lose, is worth a line of its own.
LOST_ULPS = 100.0


@dataclass(repr=False)
class Run:
    """All verdicts of one execution; the methods give the frames that reports are drawn from.

    Attributes:
        frame: One row a check; columns and their pandas types: `RESULTS`.
        environment: What run.json holds: versions, hardware, settings, times, whether the run is complete.
        frames: The other frames by their names in `FRAMES`.
        directory: Where the run lies; None: nowhere.
        arguments: (case, dtype) -> the case's arguments, rounded to the dtype, and its upstream gradient;
            None for a run that was loaded.
    """

    frame: pd.DataFrame
    environment: dict[str, Any]
    frames: dict[str, pd.DataFrame] = field(default_factory=dict)
    directory: Path | None = None
    arguments: Callable[[str, str], Mapping[str, object]] | None = field(
        default=None, repr=False, compare=False
    )

    def __repr__(self) -> str:
        """One line: how many checks of whom, what they say, and where the run lies."""
        subjects = ", ".join(sorted(set(self.frame["subject"])))
        place = f" in {self.directory}" if self.directory else ""
        whole = f"{len(self.frame):,} checks of {subjects}, {len(self.discrepancies()):,} discrepancies"
        return f"<{type(self).__name__}: {whole}{place}>"

    def relations(self) -> pd.DataFrame:
        """Every identity on every case: columns `RELATIONS`, distances in ulps of the dtype."""
        return self._frame("relations")

    def equivalence(self) -> pd.DataFrame:
        """Pairs of subjects over the checks that both answered: columns `EQUIVALENCE`, distances in ulps."""
        return self._frame("equivalence")

    def invariance(self) -> pd.DataFrame:
        """Whether results keep their bits when only the circumstances change: columns `INVARIANCE`."""
        return self._frame("invariance")

    def breaks(self) -> pd.DataFrame:
        """The smallest logit gap at which each identity breaks, to the bit: columns `BREAKS`."""
        return self._frame("breaks")

    def sweep(self) -> pd.DataFrame:
        """Error over the logit gap, one row an element of the frontier's cases: columns `SWEEP`."""
        return self._frame("sweep")

    def printed(self) -> pd.DataFrame:
        """The figures that the sources print and what each subject makes of them: columns `PRINTED`."""
        return self._frame("printed")

    def _frame(self, name: str) -> pd.DataFrame:
        return self.frames[name] if name in self.frames else typed([], FRAMES[name])

    def tolerance(self) -> pd.DataFrame:
        """Per operation, formulation, quantity, dtype and subject: how many checks conform and how closely.

        Columns: checks, conforming, known, unsupported, median_ulps, worst_ulps (in ulps of the dtype),
        worst_ratio (largest error / bound) and worst_case (the case that has it).
        """
        keys = ["operation", "formulation", "quantity", "dtype", "subject"]
        frame = self.frame.assign(
            conforming=self.frame["conforms"].fillna(False).astype("int64"),
            is_known=((self.frame["known"] != "") & ~self.frame["conforms"].fillna(True)).astype("int64"),
            is_unsupported=(self.frame["verdict"] == "unsupported").astype("int64"),
        )
        grouped = frame.groupby(keys, sort=True, observed=True)
        table = grouped.agg(
            checks=("case", "size"),
            conforming=("conforming", "sum"),
            known=("is_known", "sum"),
            unsupported=("is_unsupported", "sum"),
            median_ulps=("ulp_error", "median"),
            worst_ulps=("ulp_error", "max"),
            worst_ratio=("ratio", "max"),
        )
        judged = frame[frame["ratio"].notna()].sort_values("ratio", ascending=False, kind="stable")
        worst = judged.drop_duplicates(keys).set_index(keys)["case"].rename("worst_case")
        return table.join(worst).reset_index()

    def discrepancies(self) -> pd.DataFrame:
        """The checks that do not conform, are not known and are of no textbook formulation."""
        frame = self.frame
        return frame[~frame["conforms"].fillna(True) & (frame["known"] == "") & ~frame["textbook"]]

    def known(self) -> pd.DataFrame:
        """The checks that deviate as their case says they do."""
        frame = self.frame
        return frame[~frame["conforms"].fillna(True) & (frame["known"] != "")]

    def agree_and_lose(self) -> pd.DataFrame:
        """Checks that all subjects answer alike and all far from the exact value.

        Each is `stable` and no more, by `LOST_ULPS` or more, in every subject (two at least): no comparison
        of the frameworks with each other can find it.
        """
        keys = ["operation", "formulation", "quantity", "dtype", "case"]
        frame = self.frame[(self.frame["verdict"] != "unsupported") & ~self.frame["textbook"]]
        lost = (frame["verdict"] == "stable") & (frame["ulp_error"] >= LOST_ULPS)
        counted = frame.assign(lost=lost).groupby(keys, sort=True, observed=True)
        every = counted.agg(count=("subject", "nunique"), lost=("lost", "all"))
        chosen = every[every["lost"] & (every["count"] > 1)].reset_index()[keys]
        table = (
            chosen.merge(frame, on=keys)
            .groupby(keys, sort=True, observed=True)
            .agg(
                subjects=("subject", lambda names: ", ".join(sorted(names))),
                ulp_error=("ulp_error", "min"),
                ulp_bound=("ulp_bound", "first"),
                ulp_attainable=("ulp_attainable", "first"),
                observed=("observed", "first"),
                exact=("exact", "first"),
                source=("source", "first"),
            )
        )
        return table.reset_index()

    @property
    def complete(self) -> bool:
        """Whether every check of the plan has its verdict."""
        return bool(self.environment.get("complete", False))

    @property
    def whole(self) -> bool:
        """Whether it is complete, and no subject was given up: every check has been asked."""
        return self.complete and not bool(self.frame["verdict"].eq("not run").any())

    @property
    def exit_code(self) -> int:
        """0: conforms; 1: discrepancies, or checks that have not been run."""
        return 0 if self.complete and self.discrepancies().empty else 1

    def save(self, directory: Path) -> None:
        """Writes the tables and run.json into `directory`, each file whole or not at all."""
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self.write(directory)
        except OSError as error:
            raise RunError(
                f"{directory}: cannot be written ({error.strerror or error}); name another --output"
            ) from None
        self.directory = directory

    def write(self, directory: Path) -> None:
        """As `save`, into a directory that is there, with the bare OSError of what cannot be written."""
        for name in FRAMES:
            frame = self.frame if name == "results" else self._frame(name)
            write_whole(directory / f"{name}.csv", partial(write_csv, frame))
        write_whole(directory / "results.parquet", partial(write_parquet, self.frame))
        text = json.dumps(self.environment, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        write_whole(directory / "run.json", lambda stream: stream.write(text.encode()))


def write_whole(path: Path, write: Callable[[io.BufferedWriter], object]) -> None:
    """Writes beside `path` and renames: a reader sees the old file or the new one, never half of one."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(beside, "wb") as stream:
            write(stream)
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
