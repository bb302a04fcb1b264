"""Binary losses, on probabilities and on logits: their bounds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from conformance.operations.base import JVP, direction
from conformance.operations.error_analysis.elementwise import logistic, softplus
from conformance.operations.error_analysis.model import (
    Arguments,
    Array,
    ErrorBounds,
    K,
    Mask,
    Pair,
    Rounding,
    clean,
    floating,
    optional,
    times,
    unknown,
)
from conformance.operations.error_analysis.reduction import Reduction, reduction_of
from conformance.operations.error_analysis.weights import Terms

GRADIENT = "gradient:"


@dataclass(frozen=True)
class Elements:
    """Elements of a binary loss.

    Attributes:
        x: The input: probabilities or logits.
        target: The target.
        weight: The magnitude of the weight, in the input's shape.
        reduction: The reduction over all elements.
        model: The rounding model.
        along: The magnitude of the direction of a derivative in forward mode; None of other quantities.
    """

    x: Array
    target: Array
    weight: Array
    reduction: Reduction
    model: Rounding
    along: Array | None = None

    @classmethod
    def of(cls, arguments: Arguments, name: str, model: Rounding, quantity: str = "value") -> Elements:
        """The elements of a call whose input is `name`."""
        x, target = np.broadcast_arrays(floating(arguments, name), floating(arguments, "target"))
        weights = optional(arguments, "weight")
        weight = np.broadcast_to(1.0 if weights is None else np.abs(weights), x.shape)
        along = np.abs(direction(x.shape)) if quantity.startswith(JVP) else None
        reduction = Reduction(reduction_of(arguments), model, float(x.size))
        return cls(x, target, weight, reduction, model, along)

    @property
    def mixed(self) -> Mask:
        """Where the target is neither 0 nor 1."""
        mask: Mask = (self.target != 0) & (self.target != 1)
        return mask

    def value(self, size: Array, errors: Pair, depth: Array | float) -> Pair:
        """The loss of magnitude `size` within `errors` an element, weighted and reduced.

        `depth` sums the factors that a result lost to underflow is multiplied with before the weight.
        """
        u, floor = self.model.u, self.model.floor
        underflow = floor * (1.0 + self.weight * (1.0 + depth))
        first, second = (times(self.weight, error + u * size) + underflow for error in errors)
        return self.reduction.value(times(self.weight, size), (clean(first), clean(second)))

    def gradient(
        self, g: Array, size: Array, errors: Pair, depth: Array, terms: Array, factor: Array | float = 1.0
    ) -> Pair:
        """The same for a gradient: times the upstream and its error.

        Args:
            g: The upstream gradient.
            size: The gradient's magnitude before weight and upstream.
            errors: The errors of that.
            depth: The sum of what the terms multiply the upstream with: so much an upstream lost to
                underflow costs, but no more than a few times the terms.
            terms: The sum of the magnitudes that autodiff adds up.
            factor: What a result lost to underflow is multiplied with before weight and upstream.
        """
        if self.along is not None:  # pushed forward: times v, weighted and reduced as the loss is
            along = self.along
            first, second = (along * (error + 2 * self.model.u * size) for error in errors)
            return self.value(along * size, (first, second), (1.0 + along) * (1.0 + depth + factor))
        reaching, reaching_error = self.reduction.upstream(g, self.x.shape)
        relative = 2 * self.model.u * reaching + reaching_error
        floor = self.model.floor
        # g / N, w and t may each round it, and a half subnormal may double each time.
        upstream_lost = np.minimum(floor * (2.0 + self.weight) * depth, 4.0 * self.weight * reaching * terms)
        underflow = floor * (1.0 + (1.0 + self.weight) * (1.0 + reaching * (1.0 + factor))) + clean(
            upstream_lost
        )
        first, second = (
            times(self.weight, times(reaching, error) + times(relative, size)) + underflow for error in errors
        )
        return first, second

    def second(
        self, g: Array, size: Array, error: tuple[float, Array | float], depth: Array, factor: Array
    ) -> Pair:
        """The same for a second derivative of magnitude `size` before the direction v.

        `error`: what no algorithm avoids, in unit roundoffs of `size`, and what the standard one adds.
        """
        along = np.abs(direction(self.x.shape))
        best = (error[0] + 1.0) * self.model.u * size * along
        pair = self.gradient(g, size * along, (best + error[1] * along, best), depth, size * along, factor)
        # v is below 2, and so is what it makes of a product lost to underflow.
        more = 2.0 * self.model.floor * (1.0 + self.weight) * (1.0 + np.abs(g)) * (1.0 + factor)
        return pair[0] + more, pair[1] + more


@ErrorBounds
def binary_cross_entropy(arguments: Arguments, quantity: str, g: Array, model: Rounding) -> Pair:
    """-t log p - (1 - t) log(1 - p): (k + 3) u of both terms.

    The standard logarithm of 1 - p adds (1 - t) u for the rounding of 1 - p; log1p(-p) does not lose it.
    """
    loss, u = Elements.of(arguments, "probs", model, quantity), model.u
    quantity = quantity.replace(JVP, GRADIENT)
    p, t = loss.x, loss.target
    log_p, log_rest = np.abs(np.log(p)), np.abs(np.log1p(-p))
    if quantity == "value":
        size = times(np.abs(t), log_p) + times(np.abs(1 - t), log_rest)
        core = (K + 3) * u * size
        return loss.value(size, (core + np.abs(1 - t) * u, core), np.abs(1 - t))
    if quantity == "gradient:probs":
        # As two terms, -t/p and (1 - t)/(1 - p) cancel where p is near t; (p - t) / (p (1 - p)) does not.
        left, right = np.abs(1 / p), np.abs(1 / (1 - p))
        parts = times(np.abs(t), left) + times(np.abs(1 - t), right)
        depth = np.where(t != 0, left, 0.0) + np.where(t != 1, right, 0.0)
        size = np.abs(np.where(t == 0, 1 / (1 - p), np.where(t == 1, 1 / p, (p - t) / (p * (1 - p)))))
        core = (K + 4) * u * size
        return loss.gradient(g, size, (core + np.where(loss.mixed, 4 * u * parts, 0.0), core), depth, parts)
    if quantity == "second:probs":
        # Each of the terms t / p / p and (1 - t) / (1 - p) / (1 - p) takes at most 6 roundings.
        left, right = 1 / np.square(p), 1 / np.square(1 - p)
        size = times(np.abs(t), left) + times(np.abs(1 - t), right)
        depth = np.where(t != 0, left, 0.0) + np.where(t != 1, right, 0.0)
        # At the ends the term that is infinite has a coefficient of 0: it is not there, and loses nothing.
        factor = np.where(t != 0, np.abs(1 / p), 0.0) + np.where(t != 1, np.abs(1 / (1 - p)), 0.0)
        return loss.second(g, size, (6.0, 0.0), depth, factor)
    if quantity == "gradient:target":
        size = np.where(p < 0.25, np.log1p(-p) - np.log(p), 2 * np.arctanh(1 - 2 * p))
        core = K * u * (log_p + log_rest) + 2 * u * np.abs(size)
        best = (2 * K + 4) * u * np.abs(size)
        return loss.gradient(g, np.abs(size), (core + u, best), log_p + log_rest, log_p + log_rest)
    if quantity == "gradient:weight" and arguments.get("weight") is not None:
        size = times(np.abs(t), log_p) + times(np.abs(1 - t), log_rest)
        return _to_weight(binary_cross_entropy, arguments, size, g, model)
    raise unknown("binary_cross_entropy", quantity)


@ErrorBounds
def binary_cross_entropy_with_logits(arguments: Arguments, quantity: str, g: Array, model: Rounding) -> Pair:
    """(1 - t) softplus(x) + pos t softplus(-x): every term to (2 k + 4) u."""
    loss = Elements.of(arguments, "logits", model, quantity)
    quantity = quantity.replace(JVP, GRADIENT)
    weights = optional(arguments, "pos_weight")
    positive = np.broadcast_to(1.0 if weights is None else np.abs(weights), loss.x.shape)
    # TensorFlow and PyTorch compute pos t + 1 - t as (pos - 1) t + 1, and lose what pos - 1 rounds off.
    lost = np.zeros(()) if weights is None else 2 * model.u * np.abs(positive - 1)
    if quantity == "value":
        return _with_logits_value(loss, positive, lost)
    if quantity == "gradient:logits":
        return _with_logits_gradient(loss, positive, lost, weights is not None, g)
    if quantity == "gradient:target":
        return _with_logits_target(loss, positive, weights is not None, g)
    if quantity == "second:logits":
        return _with_logits_second(loss, positive, lost, g)
    if quantity == "gradient:weight" and arguments.get("weight") is not None:
        return _to_weight(
            binary_cross_entropy_with_logits, arguments, _with_logits_size(loss, positive), g, model
        )
    if quantity == "gradient:pos_weight" and weights is not None:
        # w t softplus(-x) to (2 k + 5) u: nothing cancels, whatever the positive weight is.
        size = times(loss.weight * np.abs(loss.target), softplus(-loss.x))
        error = (2 * K + 5) * model.u * size + model.floor * (1.0 + loss.weight)
        return _gathered(arguments, "pos_weight", size, (error, error), g, model)
    raise unknown("binary_cross_entropy_with_logits", quantity)


def _to_weight(bounds: ErrorBounds, arguments: Arguments, size: Array, g: Array, model: Rounding) -> Pair:
    """Weights: the losses of this size without one, as exact as their values, times the upstream gradient."""
    plain = {"weight": None, "reduction": "none", "size_average": None, "reduce": None}
    errors = bounds.formula({**arguments, **plain}, "value", np.ones(()), model)
    return _gathered(arguments, "weight", size, errors, g, model)


def _gathered(arguments: Arguments, name: str, size: Array, errors: Pair, g: Array, model: Rounding) -> Pair:
    """The gradient of a tensor that is broadcast to the elements: their sums over each of its entries."""
    reduction = Reduction(reduction_of(arguments), model, float(size.size))
    reaching, reaching_error = reduction.upstream(g, size.shape)
    shape = np.shape(floating(arguments, name))
    return Terms(size, errors, reaching, reaching_error, model).of_tensor(shape)


def _with_logits_size(loss: Elements, positive: Array) -> Array:
    """(1 - t) softplus(x) + pos t softplus(-x), each in magnitude."""
    left = times(positive * np.abs(loss.target), softplus(-loss.x))
    return times(np.abs(1 - loss.target), softplus(loss.x)) + left


def _with_logits_value(loss: Elements, positive: Array, lost: Array) -> Pair:
    u, x, t = loss.model.u, loss.x, np.abs(loss.target)
    size = _with_logits_size(loss, positive)
    core = (2 * K + 4) * u * size
    # What pos t loses to underflow, the logarithm multiplies.
    core = core + times(np.minimum(loss.model.floor, positive * t), softplus(-x))
    # Between the targets, (1 - t) x and the logarithm's |x| cancel; at 0 and 1 one of them is not there.
    other = 1.0 + (positive - 1) * t
    roundings = 2 * np.abs(1 - loss.target) + (3 if np.any(lost) else 1) * np.abs(other)
    cancellation = np.where(loss.mixed, roundings * u * np.abs(x), 0.0) + times(lost * t, softplus(-x))
    return loss.value(size, (core + cancellation, core), np.abs(1 - loss.target) + positive * t)


def _with_logits_gradient(loss: Elements, positive: Array, lost: Array, weighted: bool, g: Array) -> Pair:
    """(1 - t) s(x) - pos t s(-x); the standard s - t cancels for t = 1 and large x.

    Of (pos t + 1 - t) s(x) - pos t and (1 - t) - (pos t + 1 - t) s(-x) one cancels on each side. TensorFlow's
    positive weights take the second, which between the targets is as good as the first.
    """
    u, t = loss.model.u, np.abs(loss.target)
    right, left = logistic(loss.x), logistic(-loss.x)
    size = np.abs(1 - loss.target) * right + positive * t * left
    core = (K + 5) * u * size
    cancelled = positive * t * right
    if weighted:
        rest = np.where(loss.mixed, np.abs(1 - loss.target) * left, 0.0)
        cancelled = np.maximum(cancelled, rest)
    cancellation = (K + 3) * u * cancelled + lost * t
    depth = np.where(loss.target != 1, right, 0.0) + np.where(t != 0, positive * left, 0.0)
    return loss.gradient(g, size, (core + cancellation, core), depth, size, 1.0 + positive * t)


def _with_logits_second(loss: Elements, positive: Array, lost: Array, g: Array) -> Pair:
    """(1 - t + pos t) s(x) s(-x): both factors of the logistic without cancellation."""
    both, t = logistic(loss.x) * logistic(-loss.x), np.abs(loss.target)
    size = (np.abs(1 - loss.target) + positive * t) * both
    error = (2 * K + 8, lost * t * both)
    return loss.second(g, size, error, (1.0 + positive) * both, np.asarray(1.0 + positive * t))


def _with_logits_target(loss: Elements, positive: Array, weighted: bool, g: Array) -> Pair:
    """pos softplus(-x) - softplus(x), which is -x for pos = 1."""
    u, x = loss.model.u, loss.x
    right, left = softplus(x), softplus(-x)
    size = np.abs(positive * left - right)
    core = (2 * K + 4) * u * (right + positive * left)
    other = u * np.abs(x) + (2 * K + 4) * u * np.abs(positive - 1) * left
    cancellation = u * np.abs(x) + 2 * u * np.abs(positive - 1) * left if weighted else 0.0
    parts = right + positive * left
    return loss.gradient(
        g, size, (core + cancellation, np.minimum(core, other)), parts, parts, 1.0 + positive
    )
