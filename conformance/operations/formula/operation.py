"""Operation from a formula: exact values, derivatives, bounds and the NumPy reference of one text."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from conformance.arithmetic.balls import Ball, is_nan
from conformance.arithmetic.formats import FloatArray
from conformance.errors import ArgumentError
from conformance.operations.base import (
    SECOND,
    Arguments,
    Input,
    Operation,
    Parameter,
    ParameterKind,
    direction,
    unknown_quantity,
)
from conformance.operations.error_analysis.model import FormatLike, Pair, Rounding
from conformance.operations.formula import graph, vocabulary
from conformance.operations.formula.array_arithmetic import ArrayArithmetic
from conformance.operations.formula.ball_arithmetic import BallArithmetic
from conformance.operations.formula.derivatives import gradients
from conformance.operations.formula.evaluation import evaluate
from conformance.operations.formula.graph import FormulaError, Node
from conformance.operations.formula.kinds import Kind
from conformance.operations.formula.running_error import ErrorArithmetic

Formula = Callable[..., Node]
#: Graphs of a formula that are kept, one for each combination of shapes and parameters.
MAX_GRAPHS = 256
UPSTREAM, DIRECTION = "@upstream", "@direction"


class NoLimitError(ArgumentError):
    """The formula gives no number at these inputs, and no nan went in: inf - inf, 0 / 0."""


class FormulaOperation(Operation):
    """Operation whose mathematics is a formula.

    Attributes:
        function: The formula, over expressions.
        kinds: The kind of each input, by its name.
        best: The formula of the best known algorithm, which gives the attainable bound; None: without.
    """

    formulations = ("functional",)

    def __init__(self, function: Formula, kinds: Mapping[str, Kind], best: Formula | None = None) -> None:
        self.function, self.kinds, self.best = function, dict(kinds), best
        self.name = function.__name__  # type: ignore[misc]
        self.__doc__ = function.__doc__
        inputs, parameters = _signature(function, self.kinds)
        self.inputs, self.parameters = inputs, parameters  # type: ignore[misc]
        self._graphs: dict[Any, Node] = {}

    def __call__(self, *inputs: Any, **parameters: Any) -> Node:
        """The formula inside another formula."""
        return self.function(*inputs, **parameters)

    def check_shapes(self, arguments: Arguments) -> None:
        """See `Operation`."""
        self.value(arguments)
        for item in self.inputs:
            if self.kinds[item.name].integral:
                self._check_labels(item.name, np.asarray(arguments[item.name]), arguments)

    def result_shape(self, arguments: Arguments) -> tuple[int, ...]:
        """See `Operation`."""
        return self.value(arguments).shape

    def value(self, arguments: Arguments) -> Node:
        """The formula's graph at the arguments' shapes."""
        return self._graph(self.function, arguments, "value")

    def balls(self, arguments: Arguments, quantity: str, g: FloatArray) -> Iterable[Ball]:
        """See `Operation`; NoLimitError where the formula gives none."""
        inputs = self._arrays(arguments, g)
        flat = list(evaluate(self._graph(self.function, arguments, quantity), inputs, BallArithmetic()).flat)
        undefined = any(is_nan(item) for item in flat)
        if undefined and not any(
            np.isnan(array).any() for array in inputs.values() if array.dtype.kind == "f"
        ):
            raise NoLimitError(
                f"{self.name}: the formula has no {quantity} at these inputs, only inf - inf or 0 / 0"
            )
        return flat

    def error_bounds(self, arguments: Arguments, quantity: str, g: FloatArray, form: FormatLike) -> Pair:
        """Bound and attainable bound, absolute: see `error_analysis.model.ErrorBounds`."""
        inputs, rounding = self._arrays(arguments, g), Rounding.of(form)
        program = self._graph(self.function, arguments, quantity)
        bound = evaluate(program, inputs, ErrorArithmetic(rounding)).error
        if self.best is None:
            conditioned = evaluate(program, inputs, ErrorArithmetic(rounding, rounding.u, computed=False))
            attainable = conditioned.error + rounding.u * np.abs(conditioned.value) + rounding.floor
        else:
            best = self._graph(self.best, arguments, quantity)
            attainable = evaluate(best, inputs, ErrorArithmetic(rounding)).error
        bound = np.where(np.isnan(bound), 0.0, np.broadcast_to(bound, program.shape))
        return bound, np.where(np.isnan(attainable), 0.0, np.minimum(bound, attainable))

    def reference(self, arguments: Arguments, quantity: str, g: FloatArray, dtype: str) -> Any:
        """The quantity as NumPy computes it, in `dtype` (half types in float32, not yet rounded)."""
        computed = "float64" if dtype == "float64" else "float32"
        program = self._graph(self.function, arguments, quantity)
        return np.broadcast_to(
            evaluate(program, self._arrays(arguments, g), ArrayArithmetic(computed)), program.shape
        )

    def _arrays(self, arguments: Arguments, g: FloatArray) -> dict[str, Any]:
        """Every array that a graph of these arguments may name."""
        arrays = {name: np.asarray(value) for name, value in arguments.items() if _is_tensor(value)}
        arrays[UPSTREAM] = np.asarray(g, np.float64)
        for item in self.inputs:
            arrays[DIRECTION + item.name] = direction(np.shape(arrays[item.name]))
        return arrays

    def _graph(self, function: Formula, arguments: Arguments, quantity: str) -> Node:
        """The graph of a quantity, traced once for all arguments of the same shapes and parameters."""
        key = (
            function,
            quantity,
            tuple((name, _described(value)) for name, value in sorted(arguments.items())),
        )
        if key not in self._graphs:
            if len(self._graphs) >= MAX_GRAPHS:
                self._graphs.clear()
            self._graphs[key] = self._traced(function, arguments, quantity)
        return self._graphs[key]

    def _traced(self, function: Formula, arguments: Arguments, quantity: str) -> Node:
        nodes = {name: _input(name, value) for name, value in arguments.items() if _is_tensor(value)}
        given = [nodes[item.name] for item in self.inputs]
        names = [item.name for item in self.inputs]
        rest = {
            parameter.name: nodes.get(parameter.name, arguments.get(parameter.name, parameter.default))
            for parameter in self.parameters
        }
        with located(function):
            result = function(*given, **rest)
            if not isinstance(result, Node) or result.kind != "real":
                raise FormulaError(f"{self.name} must return an expression, not {type(result).__name__}")
        if quantity == "value":
            return result
        kind, _, name = quantity.partition(":")
        if name not in nodes or nodes[name].kind != "real" or kind not in ("gradient", SECOND[:-1]):
            raise unknown_quantity(self.name, quantity)
        (slope,) = gradients(
            result, [nodes[name]], Node("input", (), result.shape, options={"name": UPSTREAM})
        )
        if kind == "gradient" or name not in names:
            return slope
        along = Node("input", (), nodes[name].shape, options={"name": DIRECTION + name})
        (curvature,) = gradients(vocabulary.sum(slope * along), [nodes[name]], graph.constant(1.0))
        return curvature

    def _check_labels(self, name: str, array: Any, arguments: Arguments) -> None:
        """Labels index the classes of the first scores, but for the ignored one."""
        first = np.shape(np.asarray(arguments[self.inputs[0].name]))
        if not array.size or not first or self.kinds[self.inputs[0].name].name == "matrix":
            return
        count = first[min(1, len(first) - 1)]
        ignored = arguments.get("ignore_index")
        wrong = (array < 0) | (array >= count)
        if ignored is not None:
            wrong &= array != ignored
        if wrong.any():
            raise ArgumentError(f"{self.name}: {name} {int(array[wrong][0])} is none of the {count} classes")


def operation(*, best: Formula | None = None, **kinds: Kind) -> Callable[[Formula], FormulaOperation]:
    """Decorator that makes an operation of a formula.

    Args:
        best: The formula of the best known algorithm, of the same arguments; it gives the attainable bound.
            Without it that is the conditioning and one rounding of the result.
        kinds: For each positional argument its kind, as `logits=scores`.

    Raises:
        FormulaError: An argument without a kind, or a kind without an argument.
    """

    def decorated(function: Formula) -> FormulaOperation:
        with located(function):
            return FormulaOperation(function, kinds, best)

    return decorated


@contextmanager
def located(function: Formula) -> Iterator[None]:
    """Says, of an error inside, the file and line of the formula that it comes from."""
    try:
        yield
    except (FormulaError, TypeError, ValueError, NameError, AttributeError, ArithmeticError) as error:
        code = inspect.unwrap(function).__code__
        lines = [
            frame.lineno
            for frame in traceback.extract_tb(error.__traceback__)
            if frame.filename == code.co_filename and frame.lineno
        ]
        text = str(error) if isinstance(error, FormulaError) else f"{type(error).__name__}: {error}"
        raise FormulaError(
            f"{code.co_filename}:{lines[-1] if lines else code.co_firstlineno}: {text}"
        ) from None


def _signature(
    function: Formula, kinds: Mapping[str, Kind]
) -> tuple[tuple[Input, ...], tuple[Parameter, ...]]:
    """The inputs and parameters of a formula, by its own signature."""
    inputs, parameters = [], []
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise FormulaError(f"{function.__name__} takes *args or **kwargs: name every argument")
        if name in kinds:
            inputs.append(Input(name, "labels" if kinds[name].integral else "floating"))
        elif parameter.default is parameter.empty:
            raise FormulaError(f"{function.__name__}: {name} has neither a kind nor a default")
        else:
            parameters.append(Parameter(name, _parameter_kind(name, parameter.default), parameter.default))
    missing = sorted(set(kinds) - {item.name for item in inputs})
    if missing:
        raise FormulaError(f"{function.__name__} has no argument {missing[0]!r}")
    if not inputs:
        raise FormulaError(f"{function.__name__} has no input: name a kind, as logits=scores")
    return tuple(inputs), tuple(parameters)


def _parameter_kind(name: str, default: object) -> ParameterKind:
    """What a parameter holds, by its name and default."""
    if name == "reduction":
        return "reduction"
    if default is None:
        return "tensor"
    if isinstance(default, bool):
        return "flag"
    if isinstance(default, int) and name in ("ignore_index", "num_classes"):
        return "integer"
    if isinstance(default, (int, float)):
        return "axis" if name == "axis" else "real"
    raise FormulaError(f"the default of {name} is no number, None, truth value or reduction: {default!r}")


def _is_tensor(value: object) -> bool:
    return isinstance(value, (np.ndarray, list))


def _input(name: str, value: object) -> Node:
    array = np.asarray(value)
    return Node("input", (), array.shape, "real" if array.dtype.kind == "f" else "integer", {"name": name})


def _described(value: object) -> object:
    array = np.asarray(value) if _is_tensor(value) else None
    return (array.shape, array.dtype.kind) if array is not None else value
