"""Conventions that a user's function declares, and the cases as they decide them."""

from __future__ import annotations

import ast
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from conformance.cases.case import Case
from conformance.checking.user_module import Function, parsed
from conformance.errors import SubjectError
from conformance.operations import OPERATIONS
from conformance.operations.conventions import Conventions, deciding, fault

_NAME = "conventions"


def declared_by(function: Function, operation: str) -> dict[str, object]:
    """The conventions that a function declares; its file is read, not run.

    Args:
        function: As `check` takes it.
        operation: The operation that it computes.

    Raises:
        SubjectError: They are written in a form that cannot be read, or there are none of these names or
            values.
    """
    if isinstance(function, str):
        source, _, name = function.rpartition(":")
        is_file = source.endswith(".py") or os.sep in source or Path(source).is_file()
        declared, where = _in_file(Path(source), name) if is_file else ({}, function)
    else:
        name = getattr(function, "__name__", "the function")
        declared, where = getattr(function, _NAME, {}), name
    wrong = fault(declared, operation)
    if wrong:
        raise SubjectError(f"{where}: {wrong}")
    assert isinstance(declared, Mapping)
    return dict(declared)


def _in_file(path: Path, name: str) -> tuple[Any, str]:
    """What the top level of a file assigns to the function's `conventions`, and FILE:LINE."""
    for node in parsed(path).body:
        if not isinstance(node, ast.Assign) or [ast.unparse(each) for each in node.targets] != [
            f"{name}.{_NAME}"
        ]:
            continue
        where = f"{path}:{node.lineno}"
        try:
            return ast.literal_eval(node.value), where
        except ValueError:
            raise SubjectError(
                f'{where}: {name}.{_NAME} must be written out, as {{"empty_mean": "zero"}}'
            ) from None
    return {}, str(path)


def refuse_undeclared(hello: Mapping[str, Any], conventions: Conventions, where: str) -> None:
    """SubjectError where a function has other conventions when it runs than its file states.

    Args:
        hello: What the function's worker says of it.
        conventions: What was read.
        where: The function as FILE_OR_MODULE:FUNCTION.
    """
    has = hello.get(_NAME)
    if has is not None and has != dict(conventions):
        name = where.rpartition(":")[2]
        raise SubjectError(
            f"{where}: it declares {has}, which is read from a file's top level alone: "
            f"write {name}.{_NAME} = {{...}} there, and name the file"
        )


def decided(cases: Sequence[Case], conventions: Conventions) -> list[Case]:
    """The cases, those that a convention decides with its exact value in the place of the suite's own.

    Such a case has no figure, deviation or identity of the suite's: they are of another value. Where a
    backward pass may overwrite the inputs, cases that need them a second time are left out.

    Args:
        cases: Of one operation.
        conventions: The declared ones, without fault.
    """
    if conventions.get("in_place_gradient"):  # its inputs are another thing after the first backward pass
        cases = [case for case in cases if case.call == "once" and case.graph == "single"]
    return [_decided(case, conventions) for case in cases] if conventions else list(cases)


def _decided(case: Case, conventions: Conventions) -> Case:
    if case.expect == "error":
        return case
    operation = OPERATIONS[case.operation]
    if case.convention in conventions:  # what is declared is right, and no other answer
        case = replace(case, convention="")
    applies = deciding(operation, case.arguments(case.dtypes[0]), conventions)
    if not applies:
        return case
    return replace(case, conventions=applies, expect="value", printed=None, known=(), equals=None, parts=None)
