"""A user's formula: where it lies, and its operation, known by name from then on.

The file is imported into this process, because the user names it; everything about its text is refused here,
before any worker starts.
"""

from __future__ import annotations

import ast
import copy
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

from conformance.cases.battery.cases import battery
from conformance.cases.case import Case
from conformance.cases.known import with_deviations
from conformance.cases.loader import load_cases
from conformance.errors import CaseError, RunError
from conformance.operations import is_of_the_suite, register
from conformance.operations.formula.graph import FormulaError
from conformance.operations.formula.operation import FormulaOperation
from conformance.operations.formula.signature import located_in, shown
from conformance.yaml.limits import Limits
from conformance.yaml.problems import Faults

#: ``FILE:NAME``, or the operation itself.
Formula = str | FormulaOperation


def formula_operation(formula: Formula) -> FormulaOperation:
    """The formula's operation, registered.

    Raises:
        RunError: There is no such file.
        FormulaError: The file's text is wrong, or has no such formula: a line ``file:line: ...``.
        ArgumentError: The suite has an operation of that name.
    """
    found = formula if isinstance(formula, FormulaOperation) else _loaded(formula)
    if not isinstance(formula, FormulaOperation) and is_of_the_suite(found.name):
        # A formula of the suite's own name stands beside it, as its file's.
        found = copy.copy(found)  # the user's own object keeps its name
        found.name = f"{Path(formula.rpartition(':')[0]).stem}.{found.name}"  # type: ignore[misc]
    register(found)
    return found


def formula_cases(
    operation: FormulaOperation, paths: Sequence[str | Path], known: Sequence[str | Path]
) -> tuple[list[Case], int]:
    """The cases of a formula: its battery, or those of case files; and how many checks are left out.

    Args:
        operation: The formula's operation.
        paths: Case files or folders; none: the battery.
        known: Files of deviations that the caller accepts.

    Raises:
        FormulaError: The formula's text is wrong.
        CaseError: A case file, or a file of deviations, is at fault.
    """
    if paths:
        return load_cases([Path(path) for path in paths], known=known), 0
    made = battery(operation)
    if not known:
        return list(made.cases), made.left_out
    faults: list[Faults] = []
    limits = Limits.from_environment()
    cases = with_deviations(made.cases, [Path(path) for path in known], (), limits, faults)
    lines = [line for of_file in faults for line in of_file.lines()]
    if lines:
        raise CaseError("\n".join(lines))
    return cases, made.left_out


def _loaded(where: str) -> FormulaOperation:
    source, _, name = where.rpartition(":")
    path = Path(source)
    if not source or not name:
        raise RunError(f"--formula {where}: write FILE:NAME, as focal.py:focal_loss")
    if not path.is_file():
        raise RunError(f"--formula {where}: there is no file {source}")
    file = str(path.resolve())
    with located_in(file):
        line = _line_of(ast.parse(path.read_bytes(), file), name, file)
    with located_in(file, line):
        found = _imported(file, path.stem).get(name)
        if not isinstance(found, FormulaOperation):
            raise FormulaError(f"{name} is no formula: @operation(...) with the kinds of its inputs above it")
    return found


def _line_of(tree: ast.Module, name: str, file: str) -> int:
    """The line on which a file's top level gives the name; FormulaError where it does not."""
    lines = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            lines[node.name] = node.lineno
        elif isinstance(node, ast.Assign):
            lines.update({item.id: node.lineno for item in node.targets if isinstance(item, ast.Name)})
        elif isinstance(node, ast.ImportFrom):
            lines.update({alias.asname or alias.name: node.lineno for alias in node.names})
    if name not in lines:
        there = sorted(node.name for node in tree.body if isinstance(node, ast.FunctionDef))
        raise FormulaError(f"{shown(file)}:1: no formula {name!r} here; there is {', '.join(there)}")
    return lines[name]


def _imported(file: str, stem: str) -> dict[str, object]:
    """The names of a file, which finds its neighbours while it is imported."""
    spec = importlib.util.spec_from_file_location(f"conformance_formula_{stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(Path(file).parent))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(Path(file).parent))
    return vars(module)
