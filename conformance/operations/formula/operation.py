"""Operation from a formula: exact values, derivatives, bounds and the NumPy reference of one text."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np

from conformance.arithmetic.balls import Ball, is_nan
from conformance.arithmetic.formats import FloatArray
from conformance.errors import ArgumentError
from conformance.operations.base import SECOND, Arguments, Operation, direction, unknown_quantity
from conformance.operations.error_analysis.model import FormatLike, Pair, Rounding
from conformance.operations.formula import graph, vocabulary
from conformance.operations.formula.array_arithmetic import ArrayArithmetic
from conformance.operations.formula.ball_arithmetic import BallArithmetic
from conformance.operations.formula.derivatives import gradients
from conformance.operations.formula.evaluation import evaluate
from conformance.operations.formula.graph import FormulaError, Node
from conformance.operations.formula.kinds import Kind
from conformance.operations.formula.running_error import ErrorArithmetic
from conformance.operations.formula.signature import Formula, located, signature

#: Graphs of a formula that are kept, one for each combination of shapes and parameters.
MAX_GRAPHS = 256
#: Elements of a value up to which its conditioning is computed element by element; above, it is estimated.
MAX_CONDITIONED_ELEMENTS = 16
UPSTREAM, DIRECTION = "@upstream", "@direction "
GRADIENT, JVP = "gradient:", "jvp:"


class NoLimitError(ArgumentError):
    """The formula gives no number at these inputs, and no nan went in: inf - inf, 0 / 0, a kink."""


class FormulaOperation(Operation):
    """Operation whose mathematics is a formula.

    Attributes:
        function: The formula, over expressions.
        kinds: The kind of each input and optional tensor, by its name.
        best: The formula of the best known algorithm, which gives the attainable bound; None: without.
    """

    formulations = ("functional",)

    def __init__(self, function: Formula, kinds: Mapping[str, Kind], best: Formula | None = None) -> None:
        self.function, self.kinds, self.best = function, dict(kinds), best
        self.name = function.__name__  # type: ignore[misc]
        self.__doc__ = function.__doc__
        self.inputs, self.parameters = signature(function, self.kinds)  # type: ignore[misc]
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

    def quantity_shape(self, arguments: Arguments, quantity: str) -> tuple[int, ...]:
        """See `Operation`; a `jvp:INPUT` has the shape of the value."""
        return self._graph(self.function, arguments, quantity).shape

    @property
    def by_class(self) -> bool:
        """Whether the scores of a row are those of classes: there are labels or class probabilities."""
        return any(kind.name in ("labels", "class_probabilities") for kind in self.kinds.values())

    def row_axis(self, arguments: Arguments) -> int | None:
        """See `Operation`: the class axis where there is one."""
        if not self.by_class:
            return None
        axes = np.ndim(np.asarray(arguments[self.inputs[0].name]))
        return min(1, axes - 1) if axes else None

    def fingerprint(self, arguments: Arguments) -> bytes:
        """See `Operation`: a digest of the graphs at these arguments."""
        graphs = [self.value(arguments)]
        if self.best is not None:
            graphs.append(self._graph(self.best, arguments, "value"))
        return hashlib.sha256(graph.described(graphs).encode()).digest()

    def value(self, arguments: Arguments) -> Node:
        """The formula's graph at the arguments' shapes."""
        return self._graph(self.function, arguments, "value")

    def balls(self, arguments: Arguments, quantity: str, g: FloatArray) -> Iterable[Ball]:
        """See `Operation`; NoLimitError where the formula gives none."""
        inputs = self._arrays(arguments, g)
        program = self._graph(self.function, arguments, quantity)
        flat = list(evaluate(program, inputs, BallArithmetic(_has_nan(inputs))).flat)
        if not _has_nan(inputs) and any(is_nan(item) for item in flat):
            raise NoLimitError(
                f"{self.name}: the formula has no {quantity} at these inputs, only inf - inf, 0 / 0 or a kink"
            )
        return flat

    def error_bounds(  # type: ignore[override]  # a method, where hand-derived bounds are objects
        self, arguments: Arguments, quantity: str, g: FloatArray, form: FormatLike
    ) -> Pair:
        """Bound and attainable bound, absolute: see `error_analysis.model.ErrorBounds`.

        Infinite where the formula as written may lose everything, or its analysis overflows float64.
        """
        inputs, rounding = self._arrays(arguments, g), Rounding.of(form)
        arithmetic = partial(ErrorArithmetic, rounding, nan_inputs=_has_nan(inputs))
        program = self._graph(self.function, arguments, quantity)
        bound = _defined(evaluate(program, inputs, arithmetic()).error, program)
        if self.best is None:
            conditioned = evaluate(program, inputs, arithmetic(inputs=rounding.u, computed=False))
            condition = conditioned.error
            if quantity == "value" and program.size <= MAX_CONDITIONED_ELEMENTS:
                condition = np.fmin(condition, rounding.u * self._condition(arguments, inputs, program.shape))
            attainable = condition + rounding.u * np.abs(conditioned.value) + rounding.floor
        else:
            best = self._graph(self.best, arguments, quantity)
            attainable = evaluate(best, inputs, arithmetic()).error
        return bound, np.minimum(bound, _defined(attainable, program))

    def _condition(self, arguments: Arguments, inputs: dict[str, Any], shape: tuple[int, ...]) -> FloatArray:
        """sum |x df/dx| of each element of the value: what a relative change of every input changes it by."""
        arithmetic = ArrayArithmetic("float64", _has_nan(inputs))
        names = [name for name, array in inputs.items() if name in arguments and array.dtype.kind == "f"]
        total = np.zeros(shape)
        for index in np.ndindex(shape):
            unit = np.zeros(shape)
            unit[index] = 1.0
            for name in names:
                program = self._graph(self.function, arguments, f"{GRADIENT}{name}")
                slope = evaluate(program, {**inputs, UPSTREAM: unit}, arithmetic)
                with np.errstate(all="ignore"):
                    total[index] += np.sum(np.where(slope == 0, 0.0, np.abs(slope * inputs[name])))
        return total

    def reference(self, arguments: Arguments, quantity: str, g: FloatArray, dtype: str) -> Any:
        """The quantity as NumPy computes it, in `dtype` (half types in float32, not yet rounded)."""
        inputs = self._arrays(arguments, g)
        arithmetic = ArrayArithmetic("float64" if dtype == "float64" else "float32", _has_nan(inputs))
        program = self._graph(self.function, arguments, quantity)
        return np.broadcast_to(evaluate(program, inputs, arithmetic), program.shape)

    def _arrays(self, arguments: Arguments, g: FloatArray) -> dict[str, Any]:
        """Every array that a graph of these arguments may name."""
        arrays = {name: np.asarray(value) for name, value in arguments.items() if _is_tensor(value)}
        directions = {DIRECTION + name: direction(array.shape) for name, array in arrays.items()}
        return {**arrays, **directions, UPSTREAM: np.asarray(g, np.float64)}

    def _graph(self, function: Formula, arguments: Arguments, quantity: str) -> Node:
        """The graph of a quantity, traced once for all arguments of the same shapes and parameters."""
        described = tuple((name, _described(value)) for name, value in sorted(arguments.items()))
        key = (function, quantity, described)
        if key not in self._graphs:
            if len(self._graphs) >= MAX_GRAPHS:
                self._graphs.clear()
            self._graphs[key] = self._traced(function, arguments, quantity)
        return self._graphs[key]

    def _traced(self, function: Formula, arguments: Arguments, quantity: str) -> Node:
        nodes = {name: _input(name, value) for name, value in arguments.items() if _is_tensor(value)}
        rest = {
            parameter.name: nodes.get(parameter.name, arguments.get(parameter.name, parameter.default))
            for parameter in self.parameters
        }
        with located(function):
            result = function(*(nodes[item.name] for item in self.inputs), **rest)
            if not isinstance(result, Node) or result.kind != "real":
                raise FormulaError(f"{self.name} must return an expression, not {type(result).__name__}")
        return result if quantity == "value" else self._derivative(result, nodes, quantity)

    def _derivative(self, result: Node, nodes: Mapping[str, Node], quantity: str) -> Node:
        """The gradient by an input; or, along its direction, that of <gradient, direction> by it (`second:`)
        or by the upstream gradient, which is the derivative of the value along it (`jvp:`).
        """
        kind, _, name = quantity.partition(":")
        if name not in nodes or nodes[name].kind != "real" or f"{kind}:" not in (GRADIENT, SECOND, JVP):
            raise unknown_quantity(self.name, quantity)
        flow = Node("input", (), result.shape, options={"name": UPSTREAM})
        (slope,) = gradients(result, [nodes[name]], flow)
        if kind == "gradient":
            return slope
        along = Node("input", (), nodes[name].shape, options={"name": DIRECTION + name})
        by = flow if f"{kind}:" == JVP else nodes[name]
        (curvature,) = gradients(vocabulary.sum(slope * along), [by], graph.constant(1.0))
        return curvature

    def _check_labels(self, name: str, array: Any, arguments: Arguments) -> None:
        """Labels index the classes of the first scores or matrices, but for the ignored one."""
        count = self._classes(arguments)
        if not array.size or count is None:
            return
        ignored = arguments.get("ignore_index")
        wrong = (array < 0) | (array >= count)
        if ignored is not None:
            wrong &= array != ignored
        if wrong.any():
            raise ArgumentError(f"{self.name}: {name} {int(array[wrong][0])} is none of the {count} classes")

    def _classes(self, arguments: Arguments) -> int | None:
        """The number of classes, by the first scores or a matrix that names them; None where nothing says."""
        for item in self.inputs:
            kind, shape = self.kinds[item.name], np.shape(np.asarray(arguments[item.name]))
            if kind.name == "matrix" and "classes" in (kind.rows, kind.columns):
                return int(shape[(kind.rows, kind.columns).index("classes")])
        kind, first = self.kinds[self.inputs[0].name], np.shape(np.asarray(arguments[self.inputs[0].name]))
        return None if not first or kind.integral or kind.name == "matrix" else first[min(1, len(first) - 1)]


def operation(*, best: Formula | None = None, **kinds: Kind) -> Callable[[Formula], FormulaOperation]:
    """Decorator that makes an operation of a formula.

    Args:
        best: The formula of the best known algorithm, of the same arguments; it gives the attainable bound.
            Without it that is the conditioning and one rounding of the result.
        **kinds: For each positional argument its kind, as `logits=scores`, and for each optional tensor.

    Returns:
        The decorator; what it makes is an operation, and is called like a function in another formula.

    Raises:
        FormulaError: An argument without a kind, a kind without an argument, or a default that is neither a
            number, a reduction nor None.
    """

    best = best.function if isinstance(best, FormulaOperation) else best

    def decorated(function: Formula) -> FormulaOperation:
        with located(function):
            return FormulaOperation(function, kinds, best)

    return decorated


def _defined(error: Any, program: Node) -> FloatArray:
    """Errors of the program's shape, infinite where they are undefined."""
    return np.broadcast_to(np.where(np.isnan(error), np.inf, error), program.shape)


def _has_nan(arrays: Mapping[str, Any]) -> bool:
    return any(bool(np.isnan(array).any()) for array in arrays.values() if array.dtype.kind == "f")


def _is_tensor(value: object) -> bool:
    return isinstance(value, (np.ndarray, list))


def _input(name: str, value: object) -> Node:
    array = np.asarray(value)
    return Node("input", (), array.shape, "real" if array.dtype.kind == "f" else "integer", {"name": name})


def _described(value: object) -> object:
    array = np.asarray(value) if _is_tensor(value) else None
    return (array.shape, array.dtype.kind) if array is not None else value
