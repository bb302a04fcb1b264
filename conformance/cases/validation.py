"""`conformance validate`: each case built in each dtype, its figures held to the exact value."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any

import numpy as np

from conformance.cases.case import Case
from conformance.cases.input_intervals import interval
from conformance.cases.loader import load_cases
from conformance.cases.published_figures import CONFIRMED_DTYPE, decimals, figures
from conformance.errors import CaseError, ConformanceError
from conformance.operations import OPERATIONS, Reference, reference
from conformance.yaml.limits import Limits


def validate(paths: Sequence[Path] | None = None, limits: Limits | None = None) -> list[Case]:
    """The cases of these files and folders, each built, its figures and expectation held to the exact value.

    Args:
        paths: case files and folders of them; None: the suite's own.
        limits: bounds on each file; None: those of the environment.

    Raises:
        CaseError: as `load_cases`; and a line `file:line: ...` for each figure or expectation that is not so.
    """
    cases = load_cases(paths, limits)
    lines = [f"{case.file}:{case.line}: {case.id}: {line}" for case in cases for line in _check(case)]
    if lines:
        raise CaseError("\n".join(lines))
    return cases


def _check(case: Case) -> Iterable[str]:
    """What is wrong with a case: what would be right."""
    try:
        for dtype in case.dtypes:
            arguments = case.build(dtype)
            if case.expect == "error":
                continue
            OPERATIONS[case.operation].check_arguments(arguments)
            case.build_flow(dtype, OPERATIONS[case.operation].result_shape(arguments))
            unlike = [] if case.expect == "value" else list(_check_special(case, dtype, arguments))
            if unlike:
                yield unlike[0]
                return  # the other dtypes would say the same
        if case.printed is not None and case.expect != "error":
            yield from _check_printed(case)
    except (ValueError, ConformanceError) as error:
        yield str(error)


def _check_special(case: Case, dtype: str, arguments: dict[str, Any]) -> Iterable[str]:
    exact = reference(case.operation, arguments, "value", dtype)
    wanted = {"nan": np.nan, "inf": np.inf, "-inf": -np.inf, "zero": 0.0}[case.expect]
    same = np.isnan(exact.rounded) if np.isnan(wanted) else exact.rounded == wanted
    for index in np.argwhere(~same)[:1]:
        position = tuple(int(coordinate) for coordinate in index)
        what = f"the exact value at {list(position)} in {dtype} is {exact.text(position, 10)}"
        yield f"expect: {case.expect}, but {what}: `expect: value`"


def _check_printed(case: Case) -> Iterable[str]:
    exact = reference(case.operation, case.build(CONFIRMED_DTYPE), "value", CONFIRMED_DTYPE)
    if case.decimals is not None:
        yield from _check_intervals(case, exact)
        return
    for index, figure in zip(np.ndindex(exact.rounded.shape), figures(case.printed), strict=True):
        expected = rounded(exact, index, figure)
        if expected is not None and not _same(expected, figure):
            shown_value = exact.text(index, 12)
            yield f"printed: {figure} at {list(index)}, but the exact value is {shown_value}: {expected}"


def rounded(exact: Reference, index: tuple[int, ...], figure: str) -> str | None:
    """The exact value at as many decimals as the figure has, as text."""
    value = float(exact.high[index])
    if not np.isfinite(value):
        return {"inf": "inf", "-inf": "-inf"}.get(str(value), "nan")
    if not Decimal(figure).is_finite():
        return exact.text(index, 12)
    places = Decimal(1).scaleb(-decimals(figure))
    return str(Decimal(exact.text(index, 30)).quantize(places, ROUND_HALF_EVEN))


def _same(text: str, figure: str) -> bool:
    """Whether two figures say the same number (or the same that is none)."""
    number, other = Decimal(text), Decimal(figure)
    return number == other or (number.is_nan() and other.is_nan())


def _check_intervals(case: Case, exact: Reference) -> Iterable[str]:
    low, high = interval(case)
    for index, figure in zip(np.ndindex(exact.rounded.shape), figures(case.printed), strict=True):
        half = Decimal(1).scaleb(-decimals(figure)) / 2
        ends = Decimal(float(low[index])), Decimal(float(high[index]))
        if not ends[0] - half <= Decimal(figure) <= ends[1] + half:
            allowed = f"[{ends[0]:.8g}, {ends[1]:.8g}]"
            inputs = f"inputs known to {case.decimals} decimals"
            yield f"printed: {figure} at {list(index)}, but {inputs} lead elsewhere: to {allowed}"
