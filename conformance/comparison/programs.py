"""Programs and links of a difference's rows: how to see a changed check again."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

from conformance.cases.case import Case
from conformance.cases.loader import load_cases
from conformance.errors import ConformanceError
from conformance.report.interfaces import RunLike
from conformance.report.reproduction.program import check_of, reproduce

#: The columns of a check's row that its program is written from, beside `returned` and the error.
_SHARED = ("case", "operation", "formulation", "quantity", "dtype", "exact")


class Programs:
    """Programs of a run's checks, from the cases that the run was of.

    Args:
        run: The later run of a difference.
        directory: Where the difference is written.
    """

    def __init__(self, run: RunLike, directory: Path) -> None:
        self._run, self._directory = run, directory

    @cached_property
    def _cases(self) -> dict[str, Case]:
        paths = [Path(path) for path in self._run.environment.get("settings", {}).get("paths", [])]
        try:
            return {case.id: case for case in load_cases(paths or None)}
        except ConformanceError:  # the case files have gone since
            return {}

    def text(self, row: Mapping[str, Any]) -> str:
        """The program of a check's row of diff.csv in the later run; empty where none can be written."""
        case, dtype = self._cases.get(str(row["case"])), str(row["dtype"])
        if row["kind"] != "check" or case is None or not row["subject_new"]:
            return ""
        observed = str(row["observed_new"])
        told = {name: row[name] for name in _SHARED} | {
            "subject": row["subject_new"],
            "worst_index": row["index"],
            "observed": observed,
            "message": row["message_new"],
        }
        try:
            return reproduce(check_of(told, self._run.environment), case.with_upstream(dtype)) or ""
        except (ConformanceError, KeyError):
            return ""

    def link(self, row: Mapping[str, Any]) -> str:
        """The address of the row's check in the later run's page; empty where there is no page."""
        folder = self._run.directory
        if row["kind"] != "check" or folder is None or not (folder / "report.html").is_file():
            return ""
        page = Path(os.path.relpath(folder / "report.html", self._directory)).as_posix()
        names = (row["case"], row["dtype"], row["formulation"], row["quantity"], row["subject_new"])
        check = "/".join(quote(str(name), safe="") for name in names)
        return f"{quote(page)}#check={quote(check, safe='')}"
