"""Signature of a formula: its inputs and parameters, and where in its file an error comes from."""

from __future__ import annotations

import difflib
import inspect
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from conformance.errors import ConformanceError
from conformance.operations.base import REDUCTIONS, Input, Parameter, ParameterKind
from conformance.operations.formula import vocabulary
from conformance.operations.formula.graph import FormulaError, Node
from conformance.operations.formula.kinds import Kind

Formula = Callable[..., Node]


@contextmanager
def located(function: Formula) -> Iterator[None]:
    """Says, of an error inside, the file and line of the formula that it comes from, and a remedy."""
    code = inspect.unwrap(function).__code__
    with located_in(code.co_filename, code.co_firstlineno):
        yield


@contextmanager
def located_in(file: str, line: int = 1) -> Iterator[None]:
    """As `located`, for what a file's text does.

    Args:
        file: The file.
        line: The line that is named where the error comes from none of the file's own.
    """
    try:
        yield
    except Exception as error:  # a formula's text may fail in any way
        if isinstance(error, ConformanceError) and not isinstance(error, FormulaError):
            raise
        if isinstance(error, FormulaError) and str(error).startswith(f"{shown(file)}:"):
            raise  # of a formula inside another one
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == file and frame.lineno]
        if isinstance(error, SyntaxError) and error.filename == file and error.lineno:
            lines = [error.lineno]
        raise FormulaError(f"{shown(file)}:{lines[-1] if lines else line}: {_text(error)}") from None


def shown(file: str) -> str:
    """A file as errors name it: relative to the working directory where it lies below that."""
    path, here = Path(file).absolute(), Path.cwd()
    return path.relative_to(here).as_posix() if path.is_relative_to(here) else path.as_posix()


def _text(error: Exception) -> str:
    """What is wrong, with a remedy for a name that there is not."""
    if isinstance(error, FormulaError):
        return str(error)
    if isinstance(error, SyntaxError):
        return f"no Python: {error.msg}"
    name = error.name if isinstance(error, (NameError, AttributeError)) else None
    if name is None:
        return f"{type(error).__name__}: {error}"
    near = difflib.get_close_matches(name, vocabulary.__all__, n=1)
    remedy = f"did you mean {near[0]}?" if near else "docs/formulas.md has the vocabulary"
    return f"no name {name!r} here: {remedy}"


def signature(
    function: Formula, kinds: Mapping[str, Kind]
) -> tuple[tuple[Input, ...], tuple[Parameter, ...]]:
    """The inputs and parameters of a formula, by its own signature.

    Raises:
        FormulaError: An argument without a kind, a kind without an argument, or a default that is none.
    """
    name = function.__name__
    inputs, parameters = [], []
    for argument in inspect.signature(function).parameters.values():
        if argument.kind in (argument.VAR_POSITIONAL, argument.VAR_KEYWORD):
            raise FormulaError(f"{name} takes *args or **kwargs: name every argument")
        kind = kinds.get(argument.name)
        if kind is not None and not isinstance(kind, Kind):
            raise FormulaError(f"{argument.name}={kind!r} is no kind: scores, labels, targets ...")
        if argument.default is argument.empty:
            if kind is None:
                raise FormulaError(f"{name}: {argument.name} has neither a kind nor a default")
            inputs.append(Input(argument.name, "labels" if kind.integral else "floating"))
        elif kind is not None and (argument.default is not None or kind.integral):
            raise FormulaError(
                f"{name}: {argument.name} has a kind: an optional tensor, so its default is None"
            )
        else:
            parameters.append(Parameter(argument.name, _parameter_kind(argument), argument.default))
    missing = sorted(set(kinds) - set(inspect.signature(function).parameters))
    if missing:
        raise FormulaError(f"{name} has no argument {missing[0]!r}")
    if not inputs:
        raise FormulaError(f"{name} has no input: name a kind, as logits=scores")
    return tuple(inputs), tuple(parameters)


def _parameter_kind(argument: inspect.Parameter) -> ParameterKind:
    """What a parameter holds, by its name and default."""
    name, default = argument.name, argument.default
    if name == "reduction":
        if default not in REDUCTIONS:
            raise FormulaError(f"the default of reduction is none, sum or mean, not {default!r}")
        return "reduction"
    if name == "axis" and (default is None or (isinstance(default, int) and not isinstance(default, bool))):
        return "axis"
    if default is None:
        return "tensor"
    if isinstance(default, bool):
        return "flag"
    if isinstance(default, int) and name in ("ignore_index", "num_classes"):
        return "integer"
    if isinstance(default, (int, float)):
        return "real"
    raise FormulaError(f"the default of {name} is no number, None, truth value or reduction: {default!r}")
