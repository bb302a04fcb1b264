"""Conventions: where libraries differ by decision, and the exact values of those that decide otherwise."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from conformance.arithmetic.balls import ONE, ZERO, Ball, ball, product, wide
from conformance.arithmetic.balls import balls as exact_balls
from conformance.arithmetic.formats import FloatArray, Format
from conformance.arithmetic.repeated_values import Column
from conformance.operations import rows
from conformance.operations.base import Arguments, Operation, integer, real
from conformance.operations.classes import class_axis, without_classes
from conformance.operations.cross_entropy import CrossEntropy, LossRows, removable
from conformance.operations.reductions import times_all
from conformance.operations.row_cache import row_of

Conventions = Mapping[str, object]


@dataclass(frozen=True)
class Convention:
    """Question that libraries answer differently, on purpose.

    Attributes:
        name: The key under which a function declares it.
        values: The possible answers, the suite's own first.
        operations: The operations that it arises in; empty: all.
        about: What it decides.
    """

    name: str
    values: tuple[object, ...]
    operations: tuple[str, ...]
    about: str


_LOSSES = ("nll_loss", "cross_entropy", "binary_cross_entropy", "binary_cross_entropy_with_logits")
CONVENTIONS = {
    convention.name: convention
    for convention in (
        Convention(
            "empty_mean",
            ("nan", "zero"),
            _LOSSES,
            "the mean over no row: an empty batch, or one whose rows are all ignored",
        ),
        Convention(
            "smoothing",
            ("all", "others"),
            ("cross_entropy",),
            "label smoothing is shared among all K classes, or among the K - 1 others",
        ),
        Convention(
            "masked_row",
            ("nan", "zero"),
            ("softmax", "log_softmax", "cross_entropy", "attention"),
            "a row that is masked throughout, or of minus infinity alone: no number, or probabilities of 0",
        ),
        Convention(
            "in_place_gradient",
            (False, True),
            (),
            "whether the backward pass may leave the gradient in the memory of the input",
        ),
    )
}


def fault(conventions: object, operation: str) -> str:
    """What is wrong with declared conventions, in one line; empty: nothing.

    Args:
        conventions: What a function declares.
        operation: The operation that it computes.
    """
    possible = [each for each in CONVENTIONS.values() if not each.operations or operation in each.operations]
    offered = ", ".join(f"{each.name} ({_spelt(each.values)})" for each in possible)
    if not isinstance(conventions, Mapping):
        return f"conventions are a dictionary, not {type(conventions).__name__}; {operation} has {offered}"
    for name, value in conventions.items():
        if name not in {each.name for each in possible}:
            return f"{operation} has no convention {name!r}; it has {offered}"
        values = CONVENTIONS[name].values
        if not any(value is each or (isinstance(each, str) and value == each) for each in values):
            return f"the convention {name!r} is {_spelt(values)}, not {value!r}"
    return ""


def _spelt(values: Iterable[object]) -> str:
    return " or ".join(map(repr, values))


def deciding(operation: Operation, arguments: Arguments, conventions: Conventions) -> dict[str, object]:
    """Those of the conventions by which the exact value of a call is another than the suite's own.

    Args:
        operation: The operation.
        arguments: Its arguments, which it accepts.
        conventions: The declared ones, without fault.
    """
    others = {name: value for name, value in conventions.items() if value != CONVENTIONS[name].values[0]}
    complete = operation.completed(arguments)
    applies = {
        "empty_mean": lambda: _is_empty_mean(complete),
        "smoothing": lambda: real(complete, "label_smoothing") > 0,
        "masked_row": lambda: bool(operation.masked_rows(complete, "value").any()),
    }
    return {name: value for name, value in others.items() if name in applies and applies[name]()}


def balls(
    operation: Operation, arguments: Arguments, quantity: str, g: FloatArray, conventions: Conventions
) -> Iterable[Ball]:
    """`Operation.balls` by the conventions that decide.

    Args:
        operation: The operation.
        arguments: Completed arguments.
        quantity: The quantity's name.
        g: The upstream gradient.
        conventions: The deciding ones; empty: the suite's own.
    """
    if "empty_mean" in conventions:
        return [ZERO] * math.prod(operation.quantity_shape(arguments, quantity))
    if "smoothing" in conventions:
        return SmoothedOverOthers().balls(arguments, quantity, g)
    if "masked_row" in conventions:
        return operation.balls_of_masked_zeros(arguments, quantity, g)
    return operation.balls(arguments, quantity, g)


def error_bounds(
    operation: Operation,
    arguments: Arguments,
    quantity: str,
    g: FloatArray,
    form: Format,
    conventions: Conventions,
) -> tuple[FloatArray, FloatArray]:
    """`Operation.error_bounds` by the conventions that decide: no error is due where 0 was decided.

    Args:
        operation: The operation.
        arguments: Completed arguments.
        quantity: The quantity's name.
        g: The upstream gradient.
        form: The format of the dtype.
        conventions: The deciding ones; empty: the suite's own.
    """
    if "empty_mean" in conventions:
        zeros = np.zeros(operation.quantity_shape(arguments, quantity))
        return zeros, zeros
    if "smoothing" in conventions:
        arguments = among_all(arguments)
    bound, attainable = operation.error_bounds(arguments, quantity, g, form)
    if "masked_row" in conventions:
        masked = operation.masked_rows(arguments, quantity)
        return np.where(masked, 0.0, bound), np.where(masked, 0.0, attainable)
    return bound, attainable


def _is_empty_mean(arguments: Arguments) -> bool:
    """Whether a mean is taken over no row."""
    if arguments["reduction"] not in ("mean", "elementwise_mean"):
        return False
    target = np.asarray(arguments["target"])
    if target.dtype.kind != "f":
        return not bool((target != integer(arguments, "ignore_index")).any())
    if "logits" in arguments and "ignore_index" in arguments:
        return math.prod(without_classes(target.shape)) == 0
    return target.size == 0


class OthersRows(LossRows):
    """Rows of one call with the coefficients u_c = w_c ((1 - e) t_c + e (1 - t_c) / (K - 1)).

    With one class there is no other, and nothing is smoothed.
    """

    def __init__(self, operation: CrossEntropy, arguments: Arguments) -> None:
        super().__init__(operation, arguments)
        if self.classes == 1:
            self.smoothing = ball(0)

    def spread(self, index: int) -> list[Ball]:
        """The target before weights, times K - 1 where it is smoothed: exact balls."""
        if self.labels is not None:
            target = [ball(0)] * self.classes
            target[self.labels[index] or 0] = ONE
        else:
            target = list(exact_balls(self.targets[index]))
        if self.smoothing.is_zero():
            return target
        with wide():
            kept = (1 - self.smoothing) * (self.classes - 1)
            return [product(kept, t) + product(self.smoothing, 1 - t) for t in target]

    def share(self, value: Ball) -> Ball:
        """The value without the factor of `spread`."""
        return value if self.smoothing.is_zero() else value / (self.classes - 1)

    def target_gradient(self, index: int, factor: Ball) -> Column:
        """factor * (1 - e - e / (K - 1)) w_c (-log softmax_c)."""
        if self.smoothing.is_zero():
            return super().target_gradient(index, factor)
        others = self.classes - 1
        with wide():
            kept = (1 - self.smoothing) * others - self.smoothing
            scales = [product(kept, weight) for weight in self.weights]
        row = row_of(self.matrix[index])
        values = zip(scales, rows.surprisals(row), strict=True)
        return times_all(factor / others, [removable(row, scale, value) for scale, value in values])


def among_all(arguments: Arguments) -> Arguments:
    """The arguments with e K / (K - 1) for e, to the nearest float: among all K classes the same loss.

    The bounds are its: the standard algorithm adds the same terms with the same coefficients.
    """
    shape = CrossEntropy().scores(arguments).shape
    classes = shape[class_axis(shape)]
    smoothing = real(arguments, "label_smoothing") * classes / (classes - 1) if classes > 1 else 0.0
    return {**arguments, "label_smoothing": smoothing}


class SmoothedOverOthers(CrossEntropy):
    """Label smoothing e: the label has the probability 1 - e, each other class e / (K - 1).

    Source: the smoothing of Megatron-LM and of fairseq, (1 - e) nll + e / (K - 1) times the sum over the
    other classes; Szegedy et al. 2016, which torch follows, share e among all K classes.
    """

    def loss_rows(self, arguments: Arguments) -> LossRows:
        """See `CrossEntropy`."""
        return OthersRows(self, arguments)


__all__ = ["CONVENTIONS", "Convention", "Conventions", "balls", "deciding", "error_bounds", "fault"]
