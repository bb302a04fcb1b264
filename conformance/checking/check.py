"""`conformance check`: the whole corpus on a user's own function, the framework's own beside it."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from conformance import report
from conformance.cases.case import Case
from conformance.cases.loader import load_cases
from conformance.checking import report as custom_report
from conformance.checking.root_cause import Diagnosis, diagnose
from conformance.checking.user_module import defines, imported_frameworks
from conformance.comparison.baseline import changes_since
from conformance.errors import RunError, SubjectError
from conformance.execution import session
from conformance.execution.progress import Progress
from conformance.operations import OPERATIONS, SECOND
from conformance.plan.selection import Settings
from conformance.plan.selection import pick as select
from conformance.report.files import write_whole
from conformance.results.run import Run
from conformance.subjects.subject import MODES, Subject, frameworks, installed, not_installed

Function = str | Callable[..., Any]
#: Where a framework has no formulation `functional` of an operation, this one is the control.
COMPOSED = "composed"
#: A control that is worse than the function by less than this factor fails like it.
ALIKE = 2.0


@dataclass
class CheckRun(Run):
    """The run of one function and its control.

    subject, control: their names in the frame. strict: whether what both fail alike counts too. `diagnosis`
    says in words where the function fails, and `where` is its FILE_OR_MODULE:FUNCTION.
    """

    subject: str = ""
    control: str = ""
    strict: bool = False
    diagnosis: Diagnosis | None = None
    where: str = ""

    @property
    def own(self) -> pd.DataFrame:
        """The function's own checks."""
        return self.frame[self.frame["subject"] == self.subject]

    def rows(self) -> list[dict[str, Any]]:
        """The checks that count against the function, None where a cell holds nothing."""
        return records(self.discrepancies())

    def inherited(self) -> pd.DataFrame:
        """The function's checks that the control fails alike."""
        own = self.own
        return own[own["known"].str.startswith("inherited") & ~own["conforms"].fillna(True)]

    def discrepancies(self) -> pd.DataFrame:
        """The function's checks that do not conform; without `strict`, those it inherits left out."""
        own = self.own
        failed = ~own["conforms"].fillna(True)
        return own[failed if self.strict else failed & (own["known"] == "")]

    @property
    def answered(self) -> int:
        """The number of the function's checks that have a verdict other than `unsupported`."""
        return int(self.own["conforms"].notna().sum())

    @property
    def exit_code(self) -> int:
        """0: the function conforms; 1: it does not, or answered no check at all."""
        return 0 if self.answered and super().exit_code == 0 else 1


def check(
    function: Function,
    operation: str,
    *,
    framework: str | None = None,
    mode: str | None = None,
    dtypes: Sequence[str] = (),
    output: str | Path | None = None,
    strict: bool = False,
    paths: Sequence[str | Path] = (),
    tags: Sequence[str] = (),
    limit: float = 60.0,
    progress: Progress | None = None,
) -> CheckRun:
    """Runs every case of `operation` through a function of the user's, and through the framework's own.

    `function`: ``FILE_OR_MODULE:FUNCTION``, or a function that is defined at the top level of a file. It
    takes the operation's canonical signature in the framework's arrays; cases that need a parameter it lacks
    are unsupported, and so is what it refuses throughout (a number of axes, class probabilities, a dtype).
    `framework`: torch, tensorflow, jax or numpy (default: the one that the function's file imports). `mode`:
    one of the framework's, as compile. `output` receives the run's files (None: nothing is written).
    `strict` counts what the framework's own function fails alike. `paths`, `tags`, `limit`: as in `run`.

    Returns the run; its `exit_code` is 0 where the function conforms. Raises SubjectError where there is no
    such function or framework, RunError where no case is left.
    """
    if operation not in OPERATIONS:
        raise RunError(f"--operation {operation}: no such operation (there are {', '.join(OPERATIONS)})")
    user, control = subjects(function, operation, framework, mode)
    cases = pick(load_cases([Path(path) for path in paths] or None), operation, control.framework, tags)
    held: dict[str, CheckRun] = {}

    def finish(run: Run, directory: Path | None = None) -> CheckRun:
        if "run" not in held:
            held["run"] = judged(run, user, control, cases, strict)
        finished = held["run"]
        if directory is not None:
            finished.write(directory)
            difference = changes_since(output or None, finished)
            report.write(finished, directory, custom_report.program, difference)
            summary = (directory / "summary.md").read_text("utf-8")
            write_whole(directory / "summary.md", summary + custom_report.markdown(finished))
        return finished

    run = session.run(
        dtypes=dtypes,
        tags=tags,
        output=output,
        limit=limit,
        progress=progress,
        cases=cases,
        under_test=[user, control],
        wanted=lambda subject, case, dtype, formulation, quantity: (
            formulation == "functional" or subject == control.name
        ),
        publish=lambda run, directory: (finish(run, directory), None)[1],
    )
    finished = finish(run)
    finished.directory = run.directory
    return finished


def pick(cases: Sequence[Case], operation: str, framework: str, tags: Sequence[str]) -> list[Case]:
    """The operation's cases, each for the formulation that a function replaces, and the control's."""
    formulations = ("functional",) if framework in ("torch", "numpy") else ("functional", COMPOSED)
    return [
        replace(case, formulations=formulations)
        for case in select(cases, Settings(operations=[operation], tags=list(tags)))
    ]


def subjects(
    function: Function, operation: str, framework: str | None, mode: str | None
) -> tuple[Subject, Subject]:
    """The user's function and its control as subjects; SubjectError where there is no such thing."""
    where, environment = located(function)
    source, _, name = where.rpartition(":")
    if not source or not name:
        raise SubjectError(f"{where!r} names no function: write FILE_OR_MODULE:FUNCTION, as my_loss.py:loss")
    if source.endswith(".py") or os.sep in source or Path(source).is_file():
        path = Path(source)
        if not path.is_file():
            raise SubjectError(f"{source}: no such file")
        found = defines(path)
        if name.split(".")[0] not in found and found:
            raise SubjectError(f"{source} defines no {name}; it has {', '.join(sorted(found)[:12])}")
        framework = framework or _only(imported_frameworks(path), source)
        where, label = f"{path.resolve()}:{name}", f"{path.stem}.{name}"
    else:
        label = f"{source}.{name}"
        framework = framework or "torch"
    if framework not in frameworks():
        raise SubjectError(
            f"--framework {framework}: no adapter for it (there are {', '.join(frameworks())})"
        )
    if not installed(framework):
        raise SubjectError(not_installed(framework))
    if mode and framework in MODES and mode not in MODES[framework]:
        raise SubjectError(f"--mode {mode}: {framework} has the modes {', '.join(MODES[framework])}")
    control = Subject(f"{framework}:{mode}" if mode else framework, framework, mode=mode)
    user = replace(control, name=label, function=where, operation=operation, environment=environment)
    return user, control


def located(function: Function) -> tuple[str, dict[str, str]]:
    """FILE_OR_MODULE:FUNCTION of a function, and what its worker's environment needs to import it."""
    if isinstance(function, str):
        return function, {}
    name, module = getattr(function, "__qualname__", ""), getattr(function, "__module__", None)
    try:
        file = inspect.getsourcefile(function)
    except TypeError:
        file = None
    if not name or "<" in name or file is None or not Path(file).is_file():
        raise SubjectError(
            f"{function!r} cannot be imported by another process: define it at the top level of a file"
        )
    if module and "." in module:  # of a package: its file alone would lack its relatives
        path = os.pathsep.join(entry for entry in (*sys.path, os.environ.get("PYTHONPATH", "")) if entry)
        return f"{module}:{name}", {"PYTHONPATH": path}
    return f"{file}:{name}", {}


def _only(found: Sequence[str], source: str) -> str:
    if len(found) > 1:
        raise SubjectError(f"{source} imports {' and '.join(found)}: say which one with --framework")
    return found[0] if found else "numpy"


def judged(run: Run, user: Subject, control: Subject, cases: Sequence[Case], strict: bool) -> CheckRun:
    """The run with what the function refuses and inherits marked as such, and a diagnosis of the rest."""
    if user.name in run.environment["subjects"] and "version" not in run.environment["subjects"][user.name]:
        died = run.frame[run.frame["subject"] == user.name]
        if run.complete and not died.empty:
            raise SubjectError(f"{user.name} cannot be started: {died['message'].iloc[0]}")
    rows = records(run.frame)
    by_id = {case.id: case for case in cases}
    own = [row for row in rows if row["subject"] == user.name]
    beside = control_rows([row for row in rows if row["subject"] == control.name])
    for row in own:
        row.update(framework=user.framework, known="")
    refuse(own, by_id)
    inherit(own, beside, control.name)
    for row in beside.values():
        if row["conforms"] is False and not row["known"]:
            row["known"] = "the control's own deviation"
    kept = [*own, *beside.values()]
    frame = pd.DataFrame(kept, columns=list(run.frame.columns)).astype(run.frame.dtypes.to_dict())
    environment = {
        **run.environment,
        "stale_known": [],
        "settings": {**run.environment["settings"], "strict": strict},
    }
    finished = CheckRun(
        frame, environment, run.frames, run.directory, subject=user.name, control=control.name, strict=strict
    )
    finished.where = user.function or ""
    finished.arguments = lambda case, dtype: by_id[case].with_upstream(dtype)
    counted = [row for row in own if strict or not row["known"]]
    finished.diagnosis = diagnose(counted, by_id)
    return finished


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """A frame's rows, None where a cell holds nothing."""
    rows: list[Any] = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return rows


def control_rows(rows: Sequence[dict[str, Any]]) -> dict[tuple[str, str, str], dict[str, Any]]:
    """The control's row of each check: `functional`, or what the framework composes where it has none."""
    chosen: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in rows:
        key = (row["case"], row["dtype"], row["quantity"])
        if key not in chosen or (chosen[key]["verdict"] == "unsupported" and row["formulation"] == COMPOSED):
            chosen[key] = row
    return chosen


def inherit(
    own: Sequence[dict[str, Any]], beside: Mapping[tuple[str, str, str], dict[str, Any]], control: str
) -> None:
    """Marks what the control fails alike: with the same verdict, and an error that is not much smaller."""
    for row in own:
        other = beside.get((row["case"], row["dtype"], row["quantity"]))
        if row["conforms"] is not False or other is None or other["verdict"] != row["verdict"]:
            continue
        mine, its = row["ulp_error"], other["ulp_error"]
        if (mine is None) != (its is None) or (mine is not None and its * ALIKE < mine):
            continue
        about = f": {other['known']}" if other["known"] else ""
        row["known"] = f"inherited: {control} {other['formulation']} is {other['verdict']} as well{about}"


def refuse(own: Sequence[dict[str, Any]], cases: Mapping[str, Case]) -> None:
    """Makes `unsupported` what a function raises on throughout: a dtype, a number of axes, a kind of target.

    A function for (N, C) logits and labels is no worse for saying so, in whatever words: what counts is that
    it never answers there, and does elsewhere.
    """
    answered: set[tuple[str, str]] = set()
    raised: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in own:
        case = cases[row["case"]]
        if _legacy(row, case):
            row.update(
                verdict="unsupported", conforms=None, ulp_error=None, message="no part of the signature"
            )
        if case.expect == "error" or row["verdict"] == "unsupported":
            continue
        for kind in _kinds(case, row):
            if row["verdict"] == "raised":
                raised.setdefault(kind, []).append(row)
            else:
                answered.add(kind)
    for kind, rows in raised.items():
        others = {other for other in answered if other[0] == kind[0]}
        if kind not in answered and others:
            for row in rows:
                if row["verdict"] == "raised":
                    row["message"] = f"refuses {kind[1]} throughout: {row['message']}"
                    row.update(verdict="unsupported", conforms=None, ulp_error=None)


def _legacy(row: Mapping[str, Any], case: Case) -> bool:
    """Whether a check fails on a value that one framework takes and the signature does not have."""
    asked = case.parameters.get("reduction") == "elementwise_mean" or case.parameters.get("num_classes") == -1
    return asked and row["conforms"] is False and case.expect != "error"


def _kinds(case: Case, row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a function may leave out as a whole, as (what varies, this check's)."""
    arguments = case.arguments(row["dtype"])
    first, *others = OPERATIONS[case.operation].inputs
    shape = arguments[first.name].shape
    kinds = [("dtype", row["dtype"]), ("axes", f"{first.name} of {len(shape)} axes")]
    for item in others:
        floating = arguments[item.name].dtype.kind == "f"
        narrow = "" if case.label_dtype == "int64" else f"{case.label_dtype} "
        kinds.append((item.name, f"a {item.name} of {'probabilities' if floating else narrow + 'labels'}"))
    if row["quantity"] != f"gradient:{first.name}":
        name = str(row["quantity"]).replace(SECOND, "second derivative:")
        kinds.append(("quantity", f"the {name.replace(':', ' with respect to the ')}"))
    return kinds
