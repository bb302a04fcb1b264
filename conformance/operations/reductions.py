"""Reductions of a loss: their legacy spellings, and the factors of the rows' gradients."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.arithmetic.balls import ONE, Ball, balls, exact_sum, product, quotient, wide
from conformance.arithmetic.formats import FloatArray
from conformance.arithmetic.repeated_values import Column, each
from conformance.operations.base import Arguments, Parameter

REDUCTION_PARAMETERS = (
    Parameter("reduction", "reduction", "mean"),
    Parameter("size_average", "flag", None),
    Parameter("reduce", "flag", None),
)


def with_reduction(arguments: Arguments) -> Arguments:
    """The arguments with the legacy spellings replaced by the `reduction` that PyTorch makes of them.

    `size_average` and `reduce`, where one is given, win over `reduction` and default to true
    (torch.nn._reduction.legacy_get_string); "elementwise_mean" is "mean" (torch.nn._reduction.get_enum).
    """
    average, reduce = arguments["size_average"], arguments["reduce"]
    reduction = arguments["reduction"]
    if average is not None or reduce is not None:
        if reduce is not None and not reduce:
            reduction = "none"
        else:
            reduction = "mean" if average is None or average else "sum"
    elif reduction == "elementwise_mean":
        reduction = "mean"
    return {**arguments, "reduction": reduction, "size_average": None, "reduce": None}


def reduced(terms: Sequence[Ball], reduction: object, divisor: Ball) -> list[Ball]:
    """The terms, their sum, or their sum over `divisor`: nan over 0, while a sum over nothing is 0."""
    if reduction == "none":
        return list(terms)
    whole = exact_sum(terms)
    if reduction == "sum":
        return [whole]
    if divisor == ONE:
        return [whole]
    with wide():
        return [quotient(whole, divisor)]


def upstream_factors(g: FloatArray, reduction: object, divisor: Ball, count: int) -> Column:
    """Factors of the gradients of `count` terms under the upstream gradient `g`: g_i, g, or g / divisor."""
    if reduction == "none":
        return balls(g.ravel())
    (factor,) = balls(g.ravel())
    if reduction == "mean":
        factor = quotient(factor, divisor)
    return [factor] * count


def times(factor: Ball, value: Ball) -> Ball:
    """factor * value; nan for the factor of a mean over nothing, g / 0."""
    if value is ONE:
        return factor
    with wide():
        return product(factor, value)


def times_all(factor: Ball, values: Column) -> Column:
    """`times` for many values."""
    if factor == ONE:
        return values
    with wide():
        return each(lambda value: product(factor, value), values)


__all__ = ["REDUCTION_PARAMETERS", "reduced", "times", "times_all", "upstream_factors", "with_reduction"]
