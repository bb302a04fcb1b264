"""Binary losses: a loss an element, weights that broadcast, reductions, and their derivatives."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from conformance.arithmetic.balls import NAN, ONE, ZERO, Ball, ball, balls, is_nan, product, wide
from conformance.arithmetic.formats import FloatArray
from conformance.arithmetic.repeated_values import Column, each
from conformance.errors import ArgumentError
from conformance.operations.base import (
    JVP,
    SECOND,
    Arguments,
    Operation,
    check_broadcast,
    direction,
    tensor,
    unknown_quantity,
)
from conformance.operations.reductions import reduced, times, upstream_factors, with_reduction
from conformance.operations.repeated_rows import Integers, reduced_by_counts, repetitions


class Element(NamedTuple):
    """Element of a binary loss.

    Attributes:
        score: The probability or the logit.
        target: The target.
        weight: The exact ball of its weight.
        positive: The exact ball of its positive weight.
    """

    score: float
    target: float
    weight: Ball
    positive: Ball


class OverElements(Operation):
    """Loss on each element of two inputs of one shape; mean: divided by the number of elements."""

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
        divisor, reduction = ball(tensor(arguments, "target").size), arguments["reduction"]
        if quantity == "value":
            distinct = None if reduction == "none" else repetitions(self._columns(arguments))
            if distinct is not None:
                losses = self._losses(self.elements(arguments, distinct.first))
                return reduced_by_counts(losses, distinct.counts, reduction, divisor)
            return reduced(self._losses(self.elements(arguments)), reduction, divisor)
        elements = self.elements(arguments)
        if quantity.startswith(JVP) and quantity.removeprefix(JVP) in (item.name for item in self.inputs):
            return reduced(self._tangents(elements, quantity.removeprefix(JVP)), reduction, divisor)
        factors = upstream_factors(g, reduction, divisor, len(elements))
        if quantity == SECOND + self.inputs[0].name:
            return self._curvatures(elements, factors)
        name = quantity.removeprefix("gradient:")
        if arguments.get(name) is None or name not in (*(item.name for item in self.inputs), *self.factors()):
            raise unknown_quantity(self.name, quantity)
        if name == "weight":
            slopes = [times(u, loss) for u, loss in zip(factors, each_once(self.loss, elements), strict=True)]
        else:
            each_slope = each_once(lambda e: self.slope(e, name), elements)
            with wide():
                scales = each(product, factors, [e.weight for e in elements])
                slopes = list(map(weighed, scales, each_slope, elements))
        return (
            slopes if name not in self.factors() else gathered(arguments, self.inputs[0].name, name, slopes)
        )

    def _curvatures(self, elements: Sequence[Element], factors: Sequence[Ball]) -> list[Ball]:
        along = direction((len(elements),)).tolist()
        curvatures = each_once(self.curvature, elements)
        with wide():
            scales = [
                product(product(u, ball(v)), e.weight)
                for u, v, e in zip(factors, along, elements, strict=True)
            ]
            return list(map(weighed, scales, curvatures, elements))

    def _tangents(self, elements: Sequence[Element], name: str) -> list[Ball]:
        """The elements' derivatives along the direction of an input, with their weights."""
        slopes = each_once(lambda e: self.slope(e, name), elements)
        with wide():
            scales = [
                product(ball(v), e.weight)
                for v, e in zip(direction((len(elements),)).tolist(), elements, strict=True)
            ]
            return list(map(weighed, scales, slopes, elements))

    def _losses(self, elements: Sequence[Element]) -> list[Ball]:
        """The elements' losses with their weights."""
        losses = each_once(self.loss, elements)
        with wide():
            return list(map(weighed, [e.weight for e in elements], losses, elements))

    def _columns(self, arguments: Arguments) -> list[FloatArray]:
        """All that decides an element, each flat in the elements' order."""
        scores = tensor(arguments, self.inputs[0].name)
        names = [name for name in ("target", *self.factors()) if arguments.get(name) is not None]
        given = [np.broadcast_to(tensor(arguments, name), scores.shape) for name in names]
        return [scores.ravel(), *(array.ravel() for array in given)]

    def elements(self, arguments: Arguments, chosen: Integers | slice = slice(None)) -> list[Element]:
        """The chosen elements, all in order by default, with weights broadcast."""
        scores = tensor(arguments, self.inputs[0].name)
        columns = [array.ravel()[chosen].tolist() for array in (scores, tensor(arguments, "target"))]
        factors = [broadcast(arguments, name, scores.shape, chosen) for name in ("weight", "pos_weight")]
        return list(map(Element, *columns, *factors))


def each_once(function: Callable[[Element], Ball], elements: Sequence[Element]) -> list[Ball]:
    """The function of each element; of equal elements, as half types have many, computed once."""
    known: dict[tuple[float, float, int], Ball] = {}
    values = []
    for element in elements:
        key = element.score, element.target, id(element.positive)
        if key not in known:
            known[key] = function(element)
        values.append(known[key])
    return values


def broadcast(arguments: Arguments, name: str, shape: tuple[int, ...], chosen: Integers | slice) -> Column:
    """An optional tensor as an exact ball a chosen element; 1 where there is none."""
    if arguments.get(name) is None:
        return [ONE] * (math.prod(shape) if isinstance(chosen, slice) else len(chosen))
    return balls(np.broadcast_to(tensor(arguments, name), shape).ravel()[chosen])


def gathered(arguments: Arguments, first: str, name: str, slopes: Sequence[Ball]) -> list[Ball]:
    """The gradient of a broadcast tensor: the sums of the elements' gradients over each of its entries."""
    given = tensor(arguments, name)
    order = np.broadcast_to(np.arange(given.size).reshape(given.shape), tensor(arguments, first).shape)
    result: list[Ball] = [ZERO] * given.size
    with wide():
        for position, slope in zip(order.ravel().tolist(), slopes, strict=True):
            result[position] = result[position] + slope
    return result


def weighed(coefficient: Ball, value: Ball, element: Element) -> Ball:
    """coefficient * value; a coefficient of exactly 0 leaves 0, unless an input of the element is nan."""
    if coefficient is ONE:
        return value
    if is_nan(coefficient) or (
        is_nan(value) and (element.score != element.score or element.target != element.target)
    ):
        return NAN
    return ZERO if coefficient.is_zero() else product(coefficient, value)
