"""Pytest plugin: YAML case files as items, one a check; one run of the suite for the whole session."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conformance.cases.case import Case

_RESULTS = pytest.StashKey[dict[tuple[str, ...], dict[str, Any]]]()
#: A YAML file is one of ours if it holds this key at its top level.
_MARK = "\ncases:"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds --subject, --known and --large."""
    group = parser.getgroup("conformance")
    group.addoption(
        "--subject",
        action="append",
        default=[],
        metavar="SUBJECT",
        help="subject of the conformance checks, as torch:compile; repeatable; default: all installed",
    )
    group.addoption(
        "--known",
        action="append",
        default=[],
        metavar="FILE",
        help="a file of accepted deviations, in the grammar of known.yaml; repeatable",
    )
    group.addoption("--large", action="store_true", help="also the conformance cases tagged `large`")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collects a YAML file that holds cases."""
    if file_path.suffix not in (".yaml", ".yml"):
        return None
    with open(file_path, encoding="utf-8", errors="replace") as stream:
        if _MARK not in "\n" + stream.read(1 << 20):
            return None
    collector: pytest.Collector = CaseFile.from_parent(parent, path=file_path)
    return collector


class Nonconforming(Exception):
    """A check that does not conform; holds its row."""

    def __init__(self, row: dict[str, Any]) -> None:
        super().__init__(row["verdict"])
        self.row = row


class CaseFile(pytest.File):
    """A case file: its items are its checks, for every subject."""

    def collect(self) -> Iterable[CheckItem]:
        """One item for each case, subject, dtype, formulation and quantity."""
        from conformance.cases.loader import load_cases  # late: start-up time
        from conformance.errors import ConformanceError  # late: start-up time
        from conformance.subjects.subject import select  # late: start-up time

        try:
            subjects = [subject.name for subject in select(self.config.getoption("--subject"))[0]]
            cases = load_cases([self.path], known=self.config.getoption("--known"))
        except ConformanceError as error:
            raise self.CollectError(str(error)) from None
        for case in cases:
            if "large" in case.tags and not self.config.getoption("--large"):
                continue
            for subject, dtype, formulation, quantity in _checks(case, subjects):
                name = f"{case.id}[{subject}-{dtype}-{formulation}-{quantity}]"
                yield CheckItem.from_parent(
                    self, name=name, case=case, check=(subject, case.id, dtype, formulation, quantity)
                )


def _checks(case: Case, subjects: list[str]) -> Iterator[tuple[str, str, str, str]]:
    for subject in subjects:
        for dtype in case.dtypes:
            for formulation in case.formulations:
                for quantity in case.quantity_names():
                    yield subject, dtype, formulation, quantity


class CheckItem(pytest.Item):
    """One check; its verdict comes from the session's one run."""

    def __init__(self, *, case: Case, check: tuple[str, str, str, str, str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.case = case
        self.check = check
        for tag in case.tags:
            self.add_marker(tag) if tag.isidentifier() and tag in _registered(self.config) else None

    def runtest(self) -> None:
        """Looks the verdict up; runs the engine over all selected checks at the first call."""
        row = _results(self.session)[self.check]
        if row["verdict"] == "unsupported":
            raise pytest.skip.Exception(row["message"] or "unsupported", _use_item_location=True)
        if row["conforms"]:
            return
        if row["known"]:
            pytest.xfail(f"known: {row['known']}")
        if row["textbook"]:
            pytest.xfail(f"textbook formulation: {row['verdict']}")
        raise Nonconforming(row)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Observed, exact, error, bound and worst index, on one screen."""
        if not isinstance(excinfo.value, Nonconforming):
            return super().repr_failure(excinfo, style)
        row = excinfo.value.row
        lines = [
            f"{row['verdict']}: {row['message']}".rstrip(": "),
            f"  case      {row['case']}  ({row['file']}:{row['line']}; {row['source']})",
            f"  check     {row['operation']} {row['formulation']} {row['quantity']} {row['dtype']}"
            f" on {row['subject']}",
            f"  observed  {row['observed']}",
            f"  exact     {row['exact']}",
            f"  error     {_figure(row['ulp_error'])} ulp of {row['dtype']}",
            f"  bound     {_figure(row['ulp_bound'])} ulp (attainable {_figure(row['ulp_attainable'])})",
            f"  at        index {row['worst_index'] or '-'} of shape {row['shape'] or '-'}",
        ]
        return "\n".join(lines)

    def reportinfo(self) -> tuple[Path, int, str]:
        """The case's place in its file."""
        return self.path, self.case.line - 1, self.name


def _figure(value: Any) -> str:
    return "-" if value is None else f"{float(value):.4g}"


def _registered(config: pytest.Config) -> set[str]:
    return {line.split(":")[0].split("(")[0].strip() for line in config.getini("markers")}


def _results(test_session: pytest.Session) -> dict[tuple[str, ...], dict[str, Any]]:
    """The rows of this session's run, by check."""
    if _RESULTS not in test_session.stash:
        from conformance.execution import session  # late: start-up time

        items = [item for item in test_session.items if isinstance(item, CheckItem)]
        checks = {item.check for item in items}
        cases = {item.case.id: item.case for item in items}
        run = session.run(
            subjects=sorted({item.check[0] for item in items}),
            cases=list(cases.values()),
            large=True,
            wanted=lambda subject, case, dtype, formulation, quantity: (
                (subject, case.id, dtype, formulation, quantity) in checks
            ),
        )
        rows = run.frame.astype(object).where(run.frame.notna(), None).to_dict("records")
        keys = ("subject", "case", "dtype", "formulation", "quantity")
        table: dict[tuple[str, ...], dict[str, Any]] = {
            tuple(row[key] for key in keys): {str(name): value for name, value in row.items()} for row in rows
        }
        test_session.stash[_RESULTS] = table
    return test_session.stash[_RESULTS]
