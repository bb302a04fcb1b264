"""Cases of a formula: its battery, and what is left out of it because the formula has no value there."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from conformance.arithmetic.balls import precision
from conformance.arithmetic.correct_rounding import START_BITS
from conformance.cases.battery import tensors
from conformance.cases.battery.recipes import Recipe, recipes
from conformance.cases.case import Case
from conformance.errors import ArgumentError
from conformance.operations.formula.graph import FormulaError
from conformance.operations.formula.operation import FormulaOperation, NoLimitError
from conformance.operations.formula.signature import shown

DTYPES = ("float16", "bfloat16", "float32", "float64")
#: An input's seed is its number among the inputs and this.
_FIRST_SEED = 1


@dataclass(frozen=True)
class Battery:
    """Cases of a formula.

    Attributes:
        cases: The cases.
        left_out: How many checks are no part of them: the formula has no value there.
    """

    cases: tuple[Case, ...]
    left_out: int


def battery(operation: FormulaOperation) -> Battery:
    """The cases of a formula's operation, which is registered, from the kinds of its inputs.

    The same cases for the same formula, for ever.

    Raises:
        FormulaError: The formula's text is wrong, or does not take scores of an ordinary shape.
        ArgumentError: A kind leaves a size open.
    """
    tensors.check_dimensions(operation)
    cases: list[Case] = []
    left_out = 0
    for recipe in recipes(operation):
        case = _case(operation, recipe)
        try:
            made, missing = _with_values(operation, case)
        except (FormulaError, ArgumentError):
            if recipe.optional:
                continue
            raise
        cases += made
        left_out += missing
    return Battery(tuple(cases), left_out)


def _case(operation: FormulaOperation, recipe: Recipe) -> Case:
    """The recipe's case, in every dtype."""
    inputs = {
        item.name: recipe.inputs.get(item.name)
        or tensors.tensor(operation.kinds[item.name], recipe.shapes, _FIRST_SEED + number)
        for number, item in enumerate(operation.inputs)
    }
    code = inspect.unwrap(operation.function).__code__
    stated = {item.name: recipe.shapes.classes for item in operation.parameters if item.name == "num_classes"}
    return Case(
        id=f"{operation.name}-{recipe.name}",
        source="the formula",
        file=shown(code.co_filename),
        line=code.co_firstlineno,
        operation=operation.name,
        inputs=inputs,
        parameters={**stated, **recipe.parameters},
        dtypes=DTYPES,
        formulations=operation.formulations,
        quantities=recipe.quantities,
        tags=("formula",),
        why=recipe.why,
        layout=dict(recipe.layout),
        upstream=recipe.upstream,
    )


def _with_values(operation: FormulaOperation, case: Case) -> tuple[list[Case], int]:
    """The case as far as the formula has values, and how many checks are left out of it.

    It has its gradients in some dtypes, its value alone in others.
    """
    whole, value = [], []
    names, left_out = case.quantity_names(), 0
    for dtype in case.dtypes:
        try:
            arguments = case.build(dtype)
        except ValueError:  # a number of the case has no place in this dtype
            continue
        missing = _without_limit(operation, case, dtype, arguments, names)
        left_out += len(missing)
        if not missing:
            whole.append(dtype)
        elif "value" not in missing:
            value.append(dtype)
            left_out += len(names) - 1 - len(missing)  # its other gradients go as well
        else:
            left_out += len(names) - len(missing)
    cases = [replace(case, dtypes=tuple(whole), _built={})] if whole else []
    if value:
        name = f"{case.id}-value" if whole else case.id
        cases.append(
            replace(case, id=name, dtypes=tuple(value), quantities=("value",), upstream=None, _built={})
        )
    return cases, left_out


def _without_limit(
    operation: FormulaOperation,
    case: Case,
    dtype: str,
    arguments: Mapping[str, Any],
    names: tuple[str, ...],
) -> list[str]:
    """The quantities that the formula does not have at these arguments."""
    given = dict(arguments)
    operation.check_arguments(given)
    flow = case.build_flow(dtype, operation.result_shape(given))
    missing = []
    for name in names:
        try:
            with precision(START_BITS):
                operation.balls(given, name, flow)
        except NoLimitError:
            missing.append(name)
    return missing
