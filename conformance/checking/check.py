"""`conformance.check`: the whole corpus on a user's own function, the framework's own beside it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from conformance import report
from conformance.caches import cache_directory
from conformance.cases.case import Case
from conformance.cases.loader import load_cases
from conformance.checking import conventions as declarations
from conformance.checking import invalid_calls, unsteady
from conformance.checking.check_run import CheckRun, records
from conformance.checking.control import is_legacy
from conformance.checking.deferred_cases import DeferredCases
from conformance.checking.first_call import FirstCall
from conformance.checking.formula_control import REFERENCE, reference_rows
from conformance.checking.formula_module import Formula, formula_cases, formula_operation
from conformance.checking.judgement import judged
from conformance.checking.report import markdown, program, verdict
from conformance.checking.user_module import Function, subjects
from conformance.comparison.baseline import changes_since
from conformance.errors import RunError
from conformance.execution import session
from conformance.execution.kept_workers import KeptWorkers
from conformance.execution.progress import Progress
from conformance.operations import OPERATIONS, no_operation
from conformance.operations.formula.operation import FormulaOperation
from conformance.plan.requests import pick as select
from conformance.plan.settings import Settings
from conformance.report.files import write_whole
from conformance.results.run import Run
from conformance.subjects.subject import Subject


def check(
    function: Function,
    operation: str = "",
    *,
    formula: Formula | None = None,
    framework: str | None = None,
    mode: str | None = None,
    returns: int | str | None = None,
    dtypes: Sequence[str] = (),
    output: str | Path | None = None,
    strict: bool = False,
    invalid: str = "report",
    paths: Sequence[str | Path] = (),
    tags: Sequence[str] = (),
    known: Sequence[str | Path] = (),
    limit: float = 60.0,
    progress: Progress | None = None,
) -> CheckRun:
    """Runs every case of `operation` through a function of the user's, and through the framework's own.

    With a `formula` in the operation's place, the cases are those that its inputs' kinds ask for, and the
    NumPy reference of the formula is the control.

    Args:
        function: ``FILE_OR_MODULE:FUNCTION``, or a function that is defined at the top level of a file. It
            takes the operation's canonical signature in the framework's arrays. Cases that need a parameter
            it lacks are unsupported, and so is what it refuses throughout: a number of axes, class
            probabilities, a dtype.
        operation: The name of an operation, as ``cross_entropy``.
        formula: ``FILE:NAME`` of a formula, or its operation (see `conformance.formula`).
        framework: ``torch``, ``tensorflow``, ``jax`` or ``numpy``; None: the one that the function's file
            imports.
        mode: One of the framework's modes, as ``compile``; None: its default.
        returns: Which of several results of the function is the loss: an index, or a key; None: it returns
            one.
        dtypes: Among ``float16``, ``bfloat16``, ``float32``, ``float64``; none: all.
        output: The directory that receives the run's files; None: nothing is written.
        strict: Whether to count what the framework's own function fails alike.
        invalid: ``report``: answers where an error is right are named, and do not count; ``fail``: they do.
            A number in the place of a label out of range always counts.
        paths: Case files or folders; none: the suite's own corpus.
        tags: Only cases with one of these tags; none: all but those that run on demand.
        known: Files of deviations that the caller accepts; they do not count, with `strict` either.
        limit: Seconds that one check may take.
        progress: Is told how far the run is; None: nobody is.

    Returns:
        The run; its `exit_code` is 0 where the function conforms.

    Raises:
        SubjectError: There is no such function or framework, it cannot be started, or no call fits it.
        RunError: There is no such operation, formula or policy; no case is left; or `output` cannot be
            written.
        FormulaError: The formula's text is wrong: a line ``file:line: ...``, before any worker starts.
    """
    _refuse_options(operation, formula, invalid)
    of_formula = None if formula is None else formula_operation(formula)
    operation = operation if of_formula is None else of_formula.name
    if operation not in OPERATIONS:
        raise RunError(f"--operation {operation}: {no_operation(operation)}")
    which = None if returns is None else str(returns)
    user, control = subjects(function, operation, framework, mode, which)
    declared = {} if of_formula is not None else declarations.declared_by(function, operation)
    of_battery, left_out = ([], 0) if of_formula is None else formula_cases(of_formula, paths, known)

    def load() -> Sequence[Case]:
        if of_formula is not None:
            return pick(of_battery, operation, "numpy", tags)
        loaded = load_cases([Path(path) for path in paths] or None, known=known, operations=(operation,))
        return declarations.decided(pick(loaded, operation, control.framework, tags), declared)

    the_check = _Check(
        user, control, DeferredCases(load), of_formula, left_out, declared, dtypes, limit, strict, invalid
    )
    run = session.run(
        dtypes=dtypes,
        tags=tags,
        output=output,
        limit=limit,
        progress=FirstCall(user.name, progress),
        cases=the_check.cases,
        under_test=[user, control] if of_formula is None else [user],
        wanted=lambda subject, case, dtype, formulation, quantity: (
            not case.conventions if subject == control.name else formulation == "functional"
        ),
        publish=lambda run, directory: _write(the_check.judged(run), directory, output),
        make_workers=lambda limits, slots: KeptWorkers(limits, slots, control, operation),
        meanwhile=None if output is None else lambda: report.prepare(cache_directory() / "report"),
    )
    checked = the_check.judged(run)
    checked.directory = run.directory
    return checked


def _refuse_options(operation: str, formula: Formula | None, invalid: str) -> None:
    """RunError for options that do not go together."""
    if invalid not in invalid_calls.POLICIES:
        raise RunError(f"--invalid {invalid}: it is {' or '.join(invalid_calls.POLICIES)}")
    if (formula is None) == (not operation):
        raise RunError("what the function computes, say by --operation OP or by --formula FILE:NAME")


@dataclass
class _Check:
    """A check of a function: who is asked what, and how the run is judged, once.

    Attributes:
        user: The function.
        control: The framework's own.
        cases: The cases.
        formula: The operation of the user's formula; None: one of the suite's.
        left_out: How many checks the formula's cases leave out.
        declared: The conventions that the function declares.
        dtypes: The dtypes that are asked; none: all.
        limit: Seconds that one check may take.
        strict: Whether what the control fails alike counts.
        invalid: Whether answers to invalid calls count, as in `check`.
    """

    user: Subject
    control: Subject
    cases: Sequence[Case]
    formula: FormulaOperation | None
    left_out: int
    declared: Mapping[str, object]
    dtypes: Sequence[str]
    limit: float
    strict: bool
    invalid: str
    _judged: CheckRun | None = field(default=None, repr=False)

    def judged(self, run: Run) -> CheckRun:
        """The verdict on the run, made when it is asked for first."""
        if self._judged is None:
            hello = run.environment["subjects"].get(self.user.name, {})
            declarations.refuse_undeclared(hello, self.declared, self.user.function or "")
            self._judged = self._of_formula(run) if self.formula else self._verdict(run, self.control)
        return self._judged

    def _verdict(self, run: Run, control: Subject) -> CheckRun:
        return judged(run, self.user, control, self.cases, self.strict, self.invalid, self._again)

    def _of_formula(self, run: Run) -> CheckRun:
        """The verdict of a run whose control is the formula's NumPy reference, computed here."""
        assert self.formula is not None
        rows = reference_rows(self.formula, self.cases, self.dtypes)
        whole = replace(run, frame=pd.concat([run.frame, rows], ignore_index=True))
        checked = self._verdict(whole, Subject(REFERENCE, "numpy"))
        checked.syntax, checked.left_out = self.control.name, self.left_out
        checked.environment["verdict"] = verdict(checked)
        return checked

    def _again(self, groups: Collection[tuple[str, str]]) -> Sequence[unsteady.Row]:
        """The rows of (case, dtype) pairs, asked again several times each."""
        chosen = frozenset(groups)
        run = session.run(
            dtypes=self.dtypes,
            limit=self.limit,
            repeat=unsteady.REPEATS,
            cases=unsteady.selected(self.cases, chosen),
            under_test=[self.user],
            wanted=lambda subject, case, dtype, formulation, quantity: (
                formulation == "functional" and (case.id, dtype) in chosen
            ),
        )
        return records(run.frame)


def _write(run: CheckRun, directory: Path, output: str | Path | None) -> None:
    """Writes the run's files into `directory`, which will take the place of `output`."""
    run.write(directory)
    report.write(run, directory, program, changes_since(output or None, run))
    summary = (directory / "summary.md").read_text("utf-8")
    write_whole(directory / "summary.md", summary + markdown(run))


def pick(cases: Sequence[Case], operation: str, framework: str, tags: Sequence[str]) -> list[Case]:
    """The operation's cases, each for the formulation that a function replaces, and the control's.

    Those that ask for a framework's own history (`is_legacy`) are left out.
    """
    controls = OPERATIONS[operation].controls
    few = framework in ("torch", "numpy") and controls[0] == "functional"
    formulations = ("functional",) if few else tuple(dict.fromkeys(("functional", *controls)))
    return [
        replace(case, formulations=formulations)
        for case in select(cases, Settings(operations=[operation], tags=list(tags)))
        if not is_legacy(case)
    ]
