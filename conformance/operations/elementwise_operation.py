"""Elementwise operations, sigmoid and log_sigmoid: a function of one number and its two derivatives."""

from __future__ import annotations

from abc import abstractmethod

from conformance.arithmetic.balls import Ball, ball, balls, wide
from conformance.arithmetic.formats import FloatArray
from conformance.operations.base import Arguments, Input, Operation, direction, tensor, unknown_quantity


class Elementwise(Operation):
    """Operation on each element of its input `x`; empty in, empty out."""

    inputs = (Input("x", "floating"),)

    @abstractmethod
    def value(self, x: float) -> Ball:
        """The function at x: any float64, infinities and nan included."""

    @abstractmethod
    def slope(self, x: float, factor: Ball) -> Ball:
        """factor times the first derivative at x, for an exact factor."""

    @abstractmethod
    def curvature(self, x: float, factor: Ball) -> Ball:
        """factor times the second derivative at x, for an exact factor."""

    def check_shapes(self, arguments: Arguments) -> None:
        """See `Operation`: every shape is accepted."""
        return

    def result_shape(self, arguments: Arguments) -> tuple[int, ...]:
        """The shape of the value: that of `x`."""
        return tensor(arguments, "x").shape

    def balls(self, arguments: Arguments, quantity: str, g: FloatArray) -> list[Ball]:
        """See `Operation`."""
        numbers: list[float] = tensor(arguments, "x").ravel().tolist()
        upstream = [ball(u) for u in g.ravel().tolist()]
        if quantity == "value":
            return [self.value(x) for x in numbers]
        if quantity == "gradient:x":
            return [self.slope(x, u) for x, u in zip(numbers, upstream, strict=True)]
        if quantity == "jvp:x":
            along = balls(direction((len(numbers),)))
            return [self.slope(x, v) for x, v in zip(numbers, along, strict=True)]
        if quantity == "second:x":
            along = direction((len(numbers),)).tolist()
            with wide():
                factors = [u * ball(v) for u, v in zip(upstream, along, strict=True)]
            return [self.curvature(x, factor) for x, factor in zip(numbers, factors, strict=True)]
        raise unknown_quantity(self.name, quantity)
