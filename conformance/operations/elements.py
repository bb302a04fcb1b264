"""What the two binary losses share: one loss an element, weights that broadcast, and their gradients."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from conformance.arithmetic.balls import NAN, ONE, ZERO, Ball, ball, is_nan, product, wide
from conformance.arithmetic.formats import FloatArray
from conformance.errors import ArgumentError
from conformance.operations.base import (
    SECOND,
    Arguments,
    Operation,
    check_broadcast,
    direction,
    tensor,
    unknown_quantity,
)
from conformance.operations.reductions import reduced, times, upstream_factors, with_reduction


@dataclass(frozen=True)
class Element:
    """One element: the score (a probability or a logit), the target and the exact factors."""

    score: float
    target: float
    weight: Ball
    positive: Ball


class OverElements(Operation):
    """A loss on each element of two inputs of one shape; mean: divided by the number of elements."""

    def completed(self, arguments: Arguments) -> Arguments:
        """See `Operation`; legacy spellings of the reduction are resolved."""
        return with_reduction(super().completed(arguments))

    def factors(self) -> list[str]:
        """The optional tensors that multiply elements."""
        return [parameter.name for parameter in self.parameters if parameter.kind == "tensor"]

    def check_shapes(self, arguments: Arguments) -> None:
        """See `Operation`: raises ArgumentError for what does not fit."""
        first = self.inputs[0].name
        shape, target = tensor(arguments, first).shape, tensor(arguments, "target").shape
        if shape != target:
            raise ArgumentError(
                f"{self.name}: target must have the shape of {first}, {list(shape)}, not {list(target)}"
            )
        for name in self.factors():
            check_broadcast(self.name, arguments, name, shape)

    def result_shape(self, arguments: Arguments) -> tuple[int, ...]:
        """The shape of the value."""
        shape = tensor(arguments, self.inputs[0].name).shape
        return shape if self.completed(arguments)["reduction"] == "none" else ()

    @abstractmethod
    def loss(self, element: Element) -> Ball:
        """The element's loss without its weight."""

    @abstractmethod
    def slope(self, element: Element, name: str) -> Ball:
        """The loss's derivative with respect to the argument `name`, without the weight."""

    @abstractmethod
    def curvature(self, element: Element) -> Ball:
        """The loss's second derivative with respect to the score, without the weight."""

    def balls(self, arguments: Arguments, quantity: str, g: FloatArray) -> list[Ball]:
        """See `Operation`."""
        elements = self.elements(arguments)
        divisor = ball(len(elements))
        if quantity == "value":
            each = zip(elements, once_each(self.loss, elements), strict=True)
            losses = [weighed(e.weight, loss, e) for e, loss in each]
            return reduced(losses, arguments["reduction"], divisor)
        factors = upstream_factors(g, arguments["reduction"], divisor, len(elements))
        if quantity == SECOND + self.inputs[0].name:
            return self._curvatures(elements, factors)
        name = quantity.removeprefix("gradient:")
        if arguments.get(name) is None or name not in (*(item.name for item in self.inputs), *self.factors()):
            raise unknown_quantity(self.name, quantity)
        if name == "weight":
            slopes = [times(u, loss) for u, loss in zip(factors, once_each(self.loss, elements), strict=True)]
        else:
            with wide():
                scales = [product(u, e.weight) for u, e in zip(factors, elements, strict=True)]
            each_slope = once_each(lambda e: self.slope(e, name), elements)
            slopes = [
                weighed(scale, slope, e) for scale, slope, e in zip(scales, each_slope, elements, strict=True)
            ]
        return (
            slopes if name not in self.factors() else gathered(arguments, self.inputs[0].name, name, slopes)
        )

    def _curvatures(self, elements: Sequence[Element], factors: Sequence[Ball]) -> list[Ball]:
        along = direction((len(elements),)).tolist()
        with wide():
            scales = [
                product(product(u, ball(v)), e.weight)
                for u, v, e in zip(factors, along, elements, strict=True)
            ]
        return [weighed(scale, self.curvature(e), e) for scale, e in zip(scales, elements, strict=True)]

    def elements(self, arguments: Arguments) -> list[Element]:
        """The elements in order, with weights broadcast."""
        scores = tensor(arguments, self.inputs[0].name)
        targets = tensor(arguments, "target")
        weight, positive = (broadcast(arguments, name, scores.shape) for name in ("weight", "pos_weight"))
        rows = zip(scores.ravel().tolist(), targets.ravel().tolist(), weight, positive, strict=True)
        return [Element(*row) for row in rows]


def once_each(function: Callable[[Element], Ball], elements: Sequence[Element]) -> list[Ball]:
    """The function of each element; of equal elements, as half types have many, computed once."""
    known: dict[tuple[float, float, int], Ball] = {}
    found = []
    for element in elements:
        key = element.score, element.target, id(element.positive)
        if key not in known:
            known[key] = function(element)
        found.append(known[key])
    return found


def broadcast(arguments: Arguments, name: str, shape: tuple[int, ...]) -> list[Ball]:
    """An optional tensor as one exact ball an element; 1 where there is none."""
    if arguments.get(name) is None:
        return [ONE] * int(np.prod(shape))
    return [ball(value) for value in np.broadcast_to(tensor(arguments, name), shape).ravel().tolist()]


def gathered(arguments: Arguments, first: str, name: str, slopes: Sequence[Ball]) -> list[Ball]:
    """The sums of the elements' gradients over what one entry of the tensor `name` was broadcast to."""
    given = tensor(arguments, name)
    order = np.broadcast_to(np.arange(given.size).reshape(given.shape), tensor(arguments, first).shape)
    result: list[Ball] = [ZERO] * given.size
    with wide():
        for position, slope in zip(order.ravel().tolist(), slopes, strict=True):
            result[position] = result[position] + slope
    return result


def weighed(coefficient: Ball, value: Ball, element: Element) -> Ball:
    """coefficient * value; a coefficient of exactly 0 leaves 0, unless an input of the element is nan."""
    if is_nan(coefficient) or (
        is_nan(value) and (element.score != element.score or element.target != element.target)
    ):
        return NAN
    if coefficient == ONE:
        return value
    with wide():
        return ZERO if coefficient.is_zero() else product(coefficient, value)
