"""Operations: the signature, exact value and derivatives of one mathematical function."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import ClassVar, Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from conformance.arithmetic.balls import ZERO, Ball, ball, decimal_text, scaled_power, sum_text
from conformance.arithmetic.formats import FloatArray, Format
from conformance.errors import ArgumentError

Arguments: TypeAlias = dict[str, object]
InputKind = Literal["floating", "labels", "labels or probabilities"]
ParameterKind = Literal["axis", "integer", "real", "reduction", "tensor", "flag"]

SECOND, JVP = "second:", "jvp:"

FORMULATIONS = ("functional", "module", "chunked", "composed", "one_hot", "naive", "manual")
TEXTBOOK = frozenset({"naive", "manual"})
#: The reductions of most operations that have the parameter; `elementwise_mean` is PyTorch's legacy name.
REDUCTIONS = ("none", "sum", "mean", "elementwise_mean")


@dataclass(frozen=True)
class Input:
    """Positional argument of an operation.

    Attributes:
        name: The argument's name in the canonical signature.
        kind: `floating` (a float64 array), `labels` (an int64 array), or either.
    """

    name: str
    kind: InputKind


@dataclass(frozen=True)
class Parameter:
    """Keyword argument of an operation.

    Attributes:
        name: The argument's name in the canonical signature.
        kind: What it holds; a `tensor` is a floating array or None.
        default: Its value where it is left out.
        choices: What a `reduction` may be.
    """

    name: str
    kind: ParameterKind
    default: object
    choices: tuple[str, ...] = REDUCTIONS


@dataclass(frozen=True)
class Relation:
    """Identity between two formulations of one operation.

    Attributes:
        name: The identity as reports write it.
        left: The formulation on its left side.
        right: The formulation on its right side.
        claim: Who claims it, and where; or the definition that gives it.
    """

    name: str
    left: str
    right: str
    claim: str


MODULE_IS_FUNCTIONAL = Relation(
    "module = functional", "module", "functional", "nn.X and F.x are equivalent: 002_f9c5598ee2dc6448.txt"
)


@dataclass(frozen=True)
class Reference:
    """Exact value of one quantity and its bounds: float64 arrays of the quantity's shape.

    Attributes:
        dtype: The dtype that values, ulps and bounds are for.
        rounded: The exact value correctly rounded to `dtype`.
        high: The float64 nearest to it: infinite beyond float64's range, 0 below it (see `text`).
        low: What `high` lacks: high + low is exact to 2**-100 relative.
        ulp: The dtype's ulp at the exact value; where the bound is beyond 2**1024 of them, 2**-1000 of it.
        bound: Error that the standard algorithm may make, in those ulps; 0 where the value is not finite.
        attainable: The same for the best known algorithm in the same precision.
        outside: Digits of the elements that high + low cannot hold, by flat index, as
            (integer, power of two).
    """

    dtype: str
    rounded: FloatArray
    high: FloatArray
    low: FloatArray
    ulp: FloatArray
    bound: FloatArray
    attainable: FloatArray
    outside: dict[int, tuple[int, int]] = field(default_factory=dict)
    _texts: dict[tuple[int, int], str] = field(default_factory=dict, repr=False, compare=False)

    def text(self, index: tuple[int, ...], digits: int = 25) -> str:
        """Decimal digits of the exact value of one element, whatever its magnitude.

        Args:
            index: The element's index, one number an axis.
            digits: Significant digits, at most 30.
        """
        flat = int(np.ravel_multi_index(index, self.high.shape)) if index else 0
        if (flat, digits) not in self._texts:
            self._texts[flat, digits] = self._text(flat, index, digits)
        return self._texts[flat, digits]

    def _text(self, flat: int, index: tuple[int, ...], digits: int) -> str:
        far_digits = self.outside.get(flat)
        if far_digits:
            return decimal_text(scaled_power(*far_digits), min(digits, 30))
        high, low = float(self.high[index]), float(self.low[index])
        if math.isfinite(high) and high + low:
            return sum_text(high, low, min(digits, 30))
        return decimal_text(ball(high), min(digits, 30))


class BoundFunction(Protocol):
    """Absolute errors (bound, attainable) of a quantity, element by element; see `error_analysis`."""

    def __call__(
        self, arguments: Arguments, quantity: str, g: FloatArray, form: Format
    ) -> tuple[FloatArray, FloatArray]: ...


class Operation(ABC):
    """Mathematical function with its exact value and derivatives.

    `arguments` are a call's tensors (float64, labels int64) and scalars by name; `completed` where they
    have every parameter. A `quantity` is `value`, `gradient:ARGUMENT`, `second:INPUT`, or `jvp:INPUT`, the
    derivative of the value along the input's `direction`.

    Attributes:
        name: The operation's name.
        inputs: The positional arguments of the canonical signature, in order.
        parameters: Its keyword arguments.
        weights: The tensor parameters that gradients may be taken with respect to.
        formulations: Every way to compute it that a framework may offer.
        relations: Identities between two of the formulations.
        controls: The formulations beside which a user's function is judged: the first that a framework has.
        error_bounds: The absolute errors that may be made, element by element (see `error_analysis`).
    """

    name: ClassVar[str]
    inputs: ClassVar[tuple[Input, ...]]
    parameters: ClassVar[tuple[Parameter, ...]] = ()
    weights: ClassVar[tuple[str, ...]] = ()
    formulations: ClassVar[tuple[str, ...]]
    relations: ClassVar[tuple[Relation, ...]] = ()
    controls: ClassVar[tuple[str, ...]] = ("functional", "composed")
    error_bounds: ClassVar[BoundFunction]

    @property
    def textbook(self) -> frozenset[str]:
        """The formulations whose breaking is the lesson, not a discrepancy."""
        return TEXTBOOK & frozenset(self.formulations)

    @abstractmethod
    def check_shapes(self, arguments: Arguments) -> None:
        """Raise ArgumentError unless shapes, labels and parameters, all present, fit each other."""

    @abstractmethod
    def result_shape(self, arguments: Arguments) -> tuple[int, ...]:
        """The shape of the value."""

    @abstractmethod
    def balls(self, arguments: Arguments, quantity: str, g: FloatArray) -> Iterable[Ball]:
        """The quantity's balls at the current precision, flat in its order.

        Args:
            arguments: Completed arguments.
            quantity: The quantity's name.
            g: The upstream gradient, of the result's shape.

        Raises:
            ArgumentError: The operation has no such quantity.
        """

    def differentiable(self, arguments: Arguments) -> tuple[str, ...]:
        """The inputs that gradients are taken with respect to: the floating ones."""
        return tuple(
            item.name
            for item in self.inputs
            if item.kind != "labels" and np.asarray(arguments[item.name]).dtype.kind == "f"
        )

    def twice_differentiable(self, arguments: Arguments) -> tuple[str, ...]:
        """The inputs that second derivatives are taken with respect to: the scores."""
        return self.differentiable(arguments)[:1]

    def fingerprint(self, arguments: Arguments) -> bytes:
        """What tells an operation from another of the same name, beside the suite's own code."""
        return b""

    def row_axis(self, arguments: Arguments) -> int | None:
        """The axis along which an element of the result depends on a whole row; None where on none."""
        return None

    def masked_rows(self, arguments: Arguments, quantity: str) -> npt.NDArray[np.bool_]:
        """Which elements of a quantity lie in a row that is masked throughout; none without masks."""
        return np.zeros(self.quantity_shape(arguments, quantity), bool)

    def balls_of_masked_zeros(self, arguments: Arguments, quantity: str, g: FloatArray) -> Iterable[Ball]:
        """As `balls`, where the probabilities of a row that is masked throughout are 0 by decision."""
        result, gone = self.balls(arguments, quantity, g), self.masked_rows(arguments, quantity).ravel()
        return [ZERO if zero else value for zero, value in zip(gone, result, strict=True)]

    def check_arguments(self, arguments: Arguments) -> None:
        """Raise ArgumentError, in one clear sentence, for arguments that the operation does not accept."""
        names = [item.name for item in self.inputs]
        known = {*names, *(parameter.name for parameter in self.parameters)}
        for name in arguments:
            if name not in known:
                raise ArgumentError(
                    f"{self.name} has no argument {name!r}; it takes {', '.join(sorted(known))}"
                )
        for item in self.inputs:
            if item.name not in arguments:
                raise ArgumentError(f"{self.name} needs the input {item.name!r}")
            _check_input(self.name, item, np.asarray(arguments[item.name]))
        for parameter in self.parameters:
            _check_parameter(self.name, parameter, arguments.get(parameter.name, parameter.default))
        self.check_shapes(self.completed(arguments))

    def completed(self, arguments: Arguments) -> Arguments:
        """The arguments with every parameter present, by its default where it was left out."""
        return {**{parameter.name: parameter.default for parameter in self.parameters}, **arguments}

    def quantity_shape(self, arguments: Arguments, quantity: str) -> tuple[int, ...]:
        """The shape of `value` and `jvp:<input>`, or of the argument that another quantity names."""
        if quantity == "value" or quantity.startswith(JVP):
            return self.result_shape(arguments)
        return np.shape(tensor(arguments, quantity.partition(":")[2]))


def _check_input(operation: str, item: Input, array: npt.NDArray[np.generic]) -> None:
    floating, labels = array.dtype.kind == "f", array.dtype.kind in "iu"
    if item.kind == "floating" and not floating:
        raise ArgumentError(f"{operation}: {item.name} must hold floating numbers, not {array.dtype}")
    if item.kind == "labels" and not labels:
        raise ArgumentError(f"{operation}: {item.name} must hold integer labels, not {array.dtype}")
    if not (floating or labels):
        raise ArgumentError(f"{operation}: {item.name} must hold labels or probabilities, not {array.dtype}")


def _check_parameter(operation: str, parameter: Parameter, value: object) -> None:
    kind = parameter.kind
    if value is None and kind in ("axis", "tensor", "flag"):
        return
    if kind == "reduction":
        if value not in parameter.choices:
            *first, last = (name for name in parameter.choices if name != "elementwise_mean")
            raise ArgumentError(f"{operation}: reduction must be {', '.join(first)} or {last}, not {value!r}")
    elif kind in ("axis", "integer"):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
            raise ArgumentError(f"{operation}: {parameter.name} must be an integer, not {value!r}")
    elif kind == "flag":
        if not isinstance(value, (bool, np.bool_)):
            raise ArgumentError(f"{operation}: {parameter.name} must be true or false, not {value!r}")
    elif kind == "real":
        if isinstance(value, bool) or not isinstance(value, (int, float, np.floating)):
            raise ArgumentError(f"{operation}: {parameter.name} must be a number, not {value!r}")
    elif np.asarray(value).dtype.kind != "f":
        raise ArgumentError(f"{operation}: {parameter.name} must hold floating numbers")


def tensor(arguments: Arguments, name: str) -> FloatArray:
    """A floating argument as a float64 array."""
    return np.asarray(arguments[name], dtype=np.float64)


def integer(arguments: Arguments, name: str) -> int:
    """An integer parameter."""
    value = arguments[name]
    assert isinstance(value, (int, np.integer))
    return int(value)


def real(arguments: Arguments, name: str) -> float:
    """A real parameter."""
    value = arguments[name]
    assert isinstance(value, (int, float, np.floating))
    return float(value)


def check_broadcast(operation: str, arguments: Arguments, name: str, shape: tuple[int, ...]) -> None:
    """Raise ArgumentError unless the optional tensor `name` broadcasts to exactly `shape`."""
    if arguments[name] is None:
        return
    given = np.shape(tensor(arguments, name))
    try:
        fits = np.broadcast_shapes(given, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise ArgumentError(f"{operation}: {name} of shape {list(given)} does not broadcast to {list(shape)}")


def unknown_quantity(operation: str, quantity: str) -> ArgumentError:
    """The error for a gradient that an operation does not have."""
    return ArgumentError(f"{operation} has no quantity {quantity!r}")


_UPSTREAM_PERIOD = np.array([(-1.0 if i % 3 == 0 else 1.0) * (1 + 5 * i % 7) / 4 for i in range(21)])


def upstream(shape: Sequence[int]) -> FloatArray:
    """Upstream gradient of the suite: 1 for a 0-d result, else a vector without symmetry.

    g_i = s (1 + (5 i mod 7)) / 4 over the flat index i, s = -1 where i mod 3 is 0, else +1: exact in every
    dtype. A vector of ones would make softmax's gradient vanish.
    """
    shape = tuple(shape)
    if not shape:
        return np.ones(())
    return np.resize(_UPSTREAM_PERIOD, shape)


_CHOSEN_DIRECTION: ContextVar[FloatArray | None] = ContextVar("direction", default=None)


@contextmanager
def along(chosen: FloatArray) -> Iterator[None]:
    """A context in which second derivatives are taken along another direction than the suite's.

    Args:
        chosen: The direction, with as many elements as the inputs of the calls in this context.
    """
    token = _CHOSEN_DIRECTION.set(chosen)
    try:
        yield
    finally:
        _CHOSEN_DIRECTION.reset(token)


def direction(shape: Sequence[int]) -> FloatArray:
    """Direction v of second derivatives, d <gradient, v> / d input: `upstream` shifted by one element.

    v_i = g_(i + 1): were the two equal, one taken for the other would not show. 1.5 for a 0-d input. Within
    `along` the one chosen there.
    """
    chosen = _CHOSEN_DIRECTION.get()
    if chosen is not None:
        return chosen.reshape(tuple(shape))
    return upstream((int(np.prod(shape)) + 1,))[1:].reshape(tuple(shape))
