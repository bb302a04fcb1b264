"""Question of `explain` and `reproduce`: one case, and a user's function beside its control, or a formula."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from conformance.cases.case import Case
from conformance.cases.loader import load_cases
from conformance.checking.first_call import FirstCall
from conformance.checking.formula_module import Formula, formula_cases, formula_operation
from conformance.checking.user_module import Function, subjects
from conformance.errors import RunError
from conformance.execution import session
from conformance.operations.formula.operation import FormulaOperation
from conformance.results.run import Run
from conformance.subjects.selection import select
from conformance.subjects.subject import Subject


@dataclass(frozen=True)
class Question:
    """A case, and who is asked it.

    Attributes:
        case: The case.
        user: The user's function; None: frameworks alone are asked.
        control: The framework's own beside it; of a formula, the framework as which programs are written.
        formula: The operation that the user wrote; None: one of the suite's.
    """

    case: Case
    user: Subject | None = None
    control: Subject | None = None
    formula: FormulaOperation | None = None

    def ask(
        self,
        cases: Sequence[Case],
        names: Sequence[str] = (),
        *,
        dtypes: Sequence[str] = (),
        quantity: str | None = None,
        formulation: str | None = None,
        output: str | None = None,
    ) -> Run:
        """The run of cases by the user's function, its control and the subjects of the names.

        Args:
            cases: The cases; the function is asked those of its operation.
            names: Subjects, as ``torch:compile``; none: the control, or every framework without a function.
            dtypes: Only these dtypes; none: all.
            quantity: Only this quantity; None: all.
            formulation: Only this formulation; None: all.
            output: The directory that receives the run; None: nothing is written.
        """

        def wanted(subject: str, case: Case, _dtype: str, name: str, asked: str) -> bool:
            own = self.user is not None and subject == self.user.name
            if own and (name != "functional" or case.operation != self.case.operation):
                return False
            return quantity in (None, asked) and formulation in (None, name)

        under_test = None
        if self.user is not None:
            others = list(select(list(names))[0]) if names else [self.control] * (self.formula is None)
            under_test = [self.user, *(subject for subject in others if subject is not None)]
        return session.run(
            subjects=names,
            cases=cases,
            under_test=under_test,
            dtypes=dtypes,
            output=output,
            large=True,
            wanted=wanted,
            progress=None if self.user is None else FirstCall(self.user.name, None),
        )


def question(
    case_id: str,
    paths: Sequence[str],
    *,
    function: Function | None = None,
    operation: str = "",
    formula: Formula | None = None,
    framework: str | None = None,
    mode: str | None = None,
    returns: str | None = None,
) -> Question:
    """The question about a case.

    Args:
        case_id: The case's id.
        paths: Case files or folders; none: the suite's own corpus, or the cases that a formula asks for.
        function: ``FILE_OR_MODULE:FUNCTION`` of a user's; None: frameworks alone are asked.
        operation: The operation that it carries out; empty: the case's.
        formula: ``FILE:NAME`` of a formula; None: an operation of the suite.
        framework: The function's framework; None: the one that its file imports.
        mode: One of the framework's modes; None: its default.
        returns: Which of several results is the loss; None: it returns one.

    Raises:
        RunError: There is no such case or formula, or the case is of another operation.
        SubjectError: There is no such function.
    """
    of_formula = None if formula is None else formula_operation(formula)
    if of_formula is not None:
        cases = formula_cases(of_formula, paths, ())[0]
    else:
        cases = load_cases([Path(path) for path in paths] or None)
    case = case_named(case_id, cases)
    if operation and operation != case.operation:
        raise RunError(f"--operation {operation}: {case_id} is a case of {case.operation}")
    if function is None:
        if framework or mode or returns or operation:
            raise RunError("--operation, --framework, --mode and --returns are of a --function: name it")
        return Question(case, formula=of_formula)
    user, control = subjects(function, case.operation, framework, mode, returns)
    return Question(case, user, control, of_formula)


def case_named(case_id: str, cases: Sequence[Case]) -> Case:
    """The case of an id; RunError with the likeliest one where there is none."""
    by_id = {case.id: case for case in cases}
    if case_id not in by_id:
        # An entry with `vary` has no case of its own name.
        near = [name for name in by_id if name.startswith(f"{case_id}[")]
        near = near or difflib.get_close_matches(case_id, by_id, n=1)
        hint = f"; did you mean {near[0]}?" if near else "; `conformance list cases` shows them all"
        raise RunError(f"no case {case_id!r}{hint}")
    return by_id[case_id]
