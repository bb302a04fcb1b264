"""Pytest plugin: YAML case files as items, one a check; one run of the suite for the whole session."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conformance.cases.case import Case

_RESULTS = pytest.StashKey[dict[tuple[str, ...], dict[str, Any]]]()
_UNSUPPORTED = pytest.StashKey[int]()
#: A YAML file is one of ours if it holds this key at its top level.
_MARK = "\ncases:"
#: Tags that would do something to an item, as markers of pytest's own.
_OF_PYTEST = frozenset({"filterwarnings", "parametrize", "skip", "skipif", "usefixtures", "xfail"})
_DTYPES = ("float16", "bfloat16", "float32", "float64")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds --subject, --dtype, --known and --large, and the keys of a configuration file."""
    group = parser.getgroup("conformance")
    group.addoption(
        "--subject",
        action="append",
        default=[],
        metavar="SUBJECT",
        help="subject of the conformance checks, as torch:compile; repeatable; default: all installed",
    )
    group.addoption(
        "--dtype",
        action="append",
        default=[],
        choices=_DTYPES,
        help="only the conformance checks in this dtype; repeatable",
    )
    group.addoption(
        "--known",
        action="append",
        default=[],
        metavar="FILE",
        help="a file of accepted deviations, in the grammar of known.yaml; repeatable",
    )
    group.addoption("--large", action="store_true", help="also the conformance cases tagged `large`")
    parser.addini(
        "conformance_subjects", "subjects of the conformance checks; --subject replaces them", "args"
    )
    parser.addini("conformance_dtypes", "dtypes of the conformance checks; --dtype replaces them", "args")
    parser.addini("conformance_known", "files of accepted deviations; --known adds to them", "paths")


def pytest_configure(config: pytest.Config) -> None:
    """Registers the markers; a case file's tags are registered as they are met."""
    config.addinivalue_line(
        "markers", "conformance: a check of a case file, or of conformance.testing.checks"
    )
    config.addinivalue_line("markers", "large: a conformance case that runs only with --large")
    unknown = sorted(set(config.getini("conformance_dtypes")) - set(_DTYPES))
    if unknown:
        raise pytest.UsageError(
            f"conformance_dtypes: no dtype {unknown[0]!r} (there are {', '.join(_DTYPES)})"
        )


def pytest_report_header(config: pytest.Config) -> str:
    """The suite and the frameworks that are under test, with their versions; none is imported."""
    from conformance.subjects.subject import frameworks, installed, installed_version  # late: start-up time

    asked = _subjects(config)
    named = asked or [name for name in frameworks() if installed(name)]
    shown = []
    for subject in named:
        framework = re.split(r"[=:/@]", subject, maxsplit=1)[0]
        version = "" if "==" in subject else installed_version(framework)
        shown.append(f"{subject} {version}".rstrip())
    return f"conformance: {', '.join(shown) or 'no framework is installed'}"


def pytest_report_collectionfinish(config: pytest.Config) -> str | None:
    """How many checks were left out, if any."""
    return _left_out(config.stash.get(_UNSUPPORTED, 0)) or None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The same count at the end: of `-q`, which has no header, and of xdist's workers."""
    line = _left_out(config.stash.get(_UNSUPPORTED, 0))
    if line:
        terminalreporter.write_line(line)


def _left_out(count: int) -> str:
    checks = "check is" if count == 1 else "checks are"
    return f"conformance: {count:,} unsupported {checks} left out" if count else ""


def pytest_itemcollected(item: pytest.Item) -> None:
    """Marks the tests of `conformance.testing.checks`."""
    if hasattr(getattr(item, "function", None), "conformance_rows"):
        item.add_marker("conformance")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Runs the checks that are selected, and takes the items of those that are unsupported out."""
    if session.config.option.collectonly or session.testsfailed:
        return
    kept: list[pytest.Item] = []
    removed: list[pytest.Item] = []
    for item in session.items:
        row = _row(item)
        (removed if row is not None and row["verdict"] == "unsupported" else kept).append(item)
    session.items[:] = kept
    session.config.stash[_UNSUPPORTED] = len(removed)
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["conformance_unsupported"] = len(removed)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Takes the count of one of xdist's workers, all of which collect the same."""
    count = getattr(node, "workeroutput", {}).get("conformance_unsupported", 0)
    node.config.stash[_UNSUPPORTED] = max(count, node.config.stash.get(_UNSUPPORTED, 0))


def _row(item: pytest.Item) -> Mapping[str, Any] | None:
    """The row of an item that is a check; None for any other, and where the run is at fault."""
    from conformance.errors import ConformanceError  # late: start-up time

    try:
        if isinstance(item, CheckItem):
            return _results(item.session).get(item.check)
        rows = getattr(getattr(item, "function", None), "conformance_rows", None)
        return None if rows is None else rows().get(item.callspec.params["check"])  # type: ignore[attr-defined]
    except ConformanceError:
        return None  # The item tells it, as its failure.


def _subjects(config: pytest.Config) -> list[str]:
    return list(config.getoption("--subject") or config.getini("conformance_subjects"))


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collects a YAML file that holds cases."""
    if file_path.suffix not in (".yaml", ".yml"):
        return None
    with open(file_path, encoding="utf-8", errors="replace") as stream:
        if _MARK not in "\n" + stream.read(1 << 20):
            return None
    collector: pytest.Collector = CaseFile.from_parent(parent, path=file_path)
    return collector


class CaseFile(pytest.File):
    """A case file: its items are its checks, for every subject."""

    def collect(self) -> Iterable[CheckItem]:
        """One item for each case, subject, dtype, formulation and quantity."""
        from conformance.cases.loader import load_cases  # late: start-up time
        from conformance.errors import ConformanceError  # late: start-up time
        from conformance.subjects.selection import select  # late: start-up time

        try:
            subjects = [subject.name for subject in select(_subjects(self.config))[0]]
            known = [*self.config.getini("conformance_known"), *self.config.getoption("--known")]
            cases = load_cases([self.path], known=known)
        except ConformanceError as error:
            raise self.CollectError(str(error)) from None
        dtypes = self.config.getoption("--dtype") or self.config.getini("conformance_dtypes")
        for case in cases:
            if "large" in case.tags and not self.config.getoption("--large"):
                continue
            for subject, dtype, formulation, quantity in _checks(case, subjects, dtypes):
                name = f"{case.id}[{subject}-{dtype}-{formulation}-{quantity}]"
                yield CheckItem.from_parent(
                    self, name=name, case=case, check=(subject, case.id, dtype, formulation, quantity)
                )


def _checks(case: Case, subjects: list[str], dtypes: Sequence[str]) -> Iterator[tuple[str, str, str, str]]:
    for subject in subjects:
        for dtype in [dtype for dtype in case.dtypes if not dtypes or dtype in dtypes]:
            for formulation in case.formulations:
                for quantity in case.quantity_names():
                    yield subject, dtype, formulation, quantity


class CheckItem(pytest.Item):
    """One check; its verdict comes from the session's one run."""

    def __init__(self, *, case: Case, check: tuple[str, str, str, str, str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.case = case
        self.check = check
        for tag in ("conformance", *case.tags):
            if tag not in _OF_PYTEST and not tag.startswith("_"):
                if tag not in _registered(self.config):
                    self.config.addinivalue_line("markers", f"{tag}: a tag of conformance cases")
                self.add_marker(tag)

    def runtest(self) -> None:
        """Looks the verdict up; fails with observed, exact, error, bound and worst index on one screen."""
        row = _results(self.session)[self.check]
        if row["verdict"] == "unsupported":  # One that pytest did not let this plugin take out.
            raise pytest.skip.Exception(row["message"] or "unsupported", _use_item_location=True)
        if row["conforms"]:
            return
        if row["known"]:
            pytest.xfail(f"known: {row['known']}")
        if row["textbook"]:
            pytest.xfail(f"textbook formulation: {row['verdict']}")
        lines = [
            reason(row),
            f"  case      {row['case']}  ({row['file']}:{row['line']}; {row['source']})",
            f"  check     {row['operation']} {row['formulation']} {row['quantity']} {row['dtype']}"
            f" on {row['subject']}",
            f"  observed  {row['observed']}",
            f"  exact     {row['exact']}",
            f"  error     {_figure(row['ulp_error'])} ulp of {row['dtype']}",
            f"  bound     {_figure(row['ulp_bound'])} ulp (attainable {_figure(row['ulp_attainable'])})",
            f"  at        index {row['worst_index'] or '-'} of shape {row['shape'] or '-'}",
        ]
        pytest.fail("\n".join(lines), pytrace=False)

    def reportinfo(self) -> tuple[Path, int, str]:
        """The case's place in its file."""
        return self.path, self.case.line - 1, self.name


def reason(row: Mapping[str, Any]) -> str:
    """The line that pytest's summary shows of a check that fails."""
    if row["message"]:
        return f"{row['verdict']}: {row['message']}"
    error = f"{_figure(row['ulp_error'])} ulp, bound {_figure(row['ulp_bound'])}"
    return f"{row['verdict']}: {error}; observed {row['observed']}, exact {row['exact']}"


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
