"""A user's loss in tests: its tensors judged at their own inputs, or one test of every check of the suite.

from conformance.testing import assert_conforms

assert_conforms(my_loss(logits, target), "cross_entropy", logits, target)

test_my_loss = conformance.testing.checks("my_loss.py:loss", operation="cross_entropy")
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conformance.arithmetic.formats import FORMATS
from conformance.errors import ArgumentError
from conformance.judging.exact_api import exact
from conformance.judging.verdict import LEVELS
from conformance.operations import operation_named

if TYPE_CHECKING:
    from conformance.cases.case import Case
    from conformance.checking.user_module import Function
    from conformance.results.run import Run

Check = tuple[str, str, str]  # case, dtype, quantity


def assert_conforms(
    actual: object,
    operation: str,
    *inputs: object,
    quantity: str = "value",
    upstream: object = None,
    at_most: str = "stable",
    **parameters: object,
) -> None:
    """Fails unless a tensor is what an operation gives at these inputs, within the bound of its dtype.

    Tensors of PyTorch, TensorFlow, JAX and NumPy are taken as they are, on any device.

    Args:
        actual: What was computed, of the quantity's shape: float16, bfloat16, float32 or float64.
        operation: The operation's name, as "cross_entropy", or that of a formula that is registered.
        inputs: Its inputs by position, as the code under test was given them: classes on axis 1, labels as
            integers, every number one of `actual`'s dtype.
        quantity: What was computed: `value`, or `gradient:ARGUMENT` as "gradient:logits".
        upstream: The upstream gradient that a gradient was computed from, of the value's shape; ones by
            default.
        at_most: The worst verdict that passes: exact, faithful, accurate or stable.
        parameters: The operation's parameters by name, as `reduction="sum", weight=w`.

    Raises:
        AssertionError: An element has a worse verdict; the text shows the worst on one screen.
        ArgumentError: The call itself is at fault: no such operation, inputs that do not fit, or a number
            that the dtype of `actual` does not hold.
    """
    __tracebackhide__ = True
    if at_most not in LEVELS[:4]:
        raise ArgumentError(f"at_most must be one of {', '.join(LEVELS[:4])}, not {at_most!r}")
    value, (kind, _, argument) = exact(operation, *inputs, **parameters), quantity.partition(":")
    if kind == "gradient":
        value = value.gradient(argument, upstream=upstream)
    elif quantity != "value":
        raise ArgumentError(f"quantity must be 'value' or 'gradient:ARGUMENT', not {quantity!r}")
    elif upstream is not None:
        raise ArgumentError("a value has no upstream gradient: say quantity='gradient:ARGUMENT'")
    judgement = value.judge(actual)
    if LEVELS.index(judgement.verdict) > LEVELS.index(at_most):
        wanted = "" if at_most == "stable" else f"\n  asked for: {at_most}, or better"
        raise AssertionError(f"{judgement}{wanted}")


def checks(
    function: Function,
    operation: str,
    *,
    framework: str | None = None,
    mode: str | None = None,
    returns: int | str | None = None,
    dtypes: Sequence[str] = (),
    strict: bool = False,
    paths: Sequence[str | Path] = (),
    tags: Sequence[str] = (),
    limit: float = 60.0,
    known: Sequence[str | Path] = (),
) -> Callable[..., None]:
    """A test function with one parameter set for each check of `operation`: case, dtype and quantity.

    The suite runs once, when pytest has collected, however many are selected. Unsupported checks are left
    out and counted (skipped, where the plugin is not loaded); those that the framework's own function fails
    alike are expected to fail, unless `strict`.

    Args:
        function: As `conformance.check` takes it; a file is looked for beside the test file, too.
        operation: The name of an operation, as ``cross_entropy``; a formula is `conformance.check`'s alone.
        framework: ``torch``, ``tensorflow``, ``jax`` or ``numpy``; None: the one that its file imports.
        mode: One of the framework's modes, as ``compile``; None: its default.
        returns: Which of several results of the function is the loss: an index, or a key; None: it returns
            one.
        dtypes: Among ``float16``, ``bfloat16``, ``float32``, ``float64``; none: all.
        strict: Whether what the framework's own function fails alike fails, too.
        paths: Case files or folders; none: the suite's own corpus.
        tags: Only cases with one of these tags; none: all but those that run on demand.
        limit: Seconds that one check may take.
        known: Files of accepted deviations, as `conformance accept` writes them.

    Returns:
        The test function, to be bound to a name that pytest collects.

    Raises:
        ArgumentError: There is no such operation or dtype.
        CaseError: A case file is at fault.
    """
    operation_named(operation)  # its error names the operations that there are
    if unknown := [name for name in dtypes if name not in FORMATS]:
        raise ArgumentError(f"dtypes must be of {', '.join(FORMATS)}, not {', '.join(unknown)}")
    import pytest  # late: whoever asks for `assert_conforms` alone waits for neither pytest nor pandas

    from conformance.cases.loader import load_cases  # late: as above
    from conformance.checking import check as checking  # late: as above

    located = _beside(function, Path(sys._getframe(1).f_code.co_filename).parent)
    loaded = load_cases([Path(path) for path in paths] or None, operations=(operation,))
    cases = checking.pick(loaded, operation, "torch", tags)
    names = _names(cases, dtypes)

    @cache
    def rows() -> Mapping[Check, Mapping[str, Any]]:
        run = checking.check(
            located,
            operation,
            framework=framework,
            mode=mode,
            returns=returns,
            dtypes=dtypes,
            strict=strict,
            paths=paths,
            tags=tags,
            limit=limit,
            known=known,
        )
        return _by_check(run, run.subject)

    @pytest.mark.parametrize("check", [pytest.param(check, id="-".join(check)) for check in names])
    def test(check: Check) -> None:
        judge(rows()[check], strict)

    test.conformance_rows = rows  # type: ignore[attr-defined]  # for the plugin: what is unsupported
    return test


def _names(cases: Sequence[Case], dtypes: Sequence[str]) -> list[Check]:
    """The checks of the cases, in the dtypes that are asked for (all by default)."""
    return [
        (case.id, dtype, quantity)
        for case in cases
        for dtype in case.dtypes
        if not dtypes or dtype in dtypes
        for quantity in case.quantity_names()
    ]


def judge(row: Mapping[str, Any], strict: bool = False) -> None:
    """Passes, skips, or fails with what was returned and what is right."""
    __tracebackhide__ = True
    import pytest  # late, as in `checks`

    if row["verdict"] == "unsupported":
        pytest.skip(row["message"] or "unsupported")
    if row["conforms"]:
        return
    if row["known"] and not strict:
        pytest.xfail(row["known"])
    from conformance.pytest_plugin import reason  # late, as in `checks`

    lines = [
        reason(row),
        f"observed  {row['observed']}",
        f"exact     {row['exact']}",
        f"error     {_digits(row['ulp_error'])} ulps, bound {_digits(row['ulp_bound'])}",
        f"at        {row['worst_index'] or '-'} of shape {row['shape'] or '-'}",
        f"case      {row['file']}:{row['line']}: {row['why']}",
    ]
    pytest.fail("\n".join(lines), pytrace=False)


def _digits(ulps: float | None) -> str:
    return "-" if ulps is None else f"{ulps:.4g}"


def _beside(function: Function, folder: Path) -> Function:
    """A file that is there only beside the test file, by its whole path."""
    if not isinstance(function, str):
        return function
    source, _, name = function.rpartition(":")
    if not Path(source).is_file() and (folder / source).is_file():
        return f"{folder / source}:{name}"
    return function


def _by_check(run: Run, subject: str) -> dict[Check, dict[str, Any]]:
    from conformance.checking.check_run import records  # late, as in `checks`

    frame = run.frame[run.frame["subject"] == subject]
    rows = records(frame)
    return {(row["case"], row["dtype"], row["quantity"]): row for row in rows}
