"""Losses over classes, nll_loss and cross_entropy: their bounds, with weights, smoothing and reductions."""

from __future__ import annotations

from types import EllipsisType

import numpy as np

from conformance.operations.base import JVP, direction
from conformance.operations.error_analysis.labels import Labels, class_rows, from_class_rows
from conformance.operations.error_analysis.model import (
    Arguments,
    Array,
    ErrorBounds,
    Mask,
    Pair,
    Rounding,
    clean,
    floating,
    optional,
    row_sum,
    times,
    unknown,
)
from conformance.operations.error_analysis.normalized import log_softmax_gradient
from conformance.operations.error_analysis.reduction import Reduction, reduction_of
from conformance.operations.error_analysis.rows import Rows, rows_of
from conformance.operations.error_analysis.second_derivatives import log_softmax_second
from conformance.operations.error_analysis.tangents import label_tangent, log_softmax_tangent
from conformance.operations.error_analysis.weights import Terms

#: Logits that are analysed in one step: the rows do not depend on each other.
PART_LOGITS = 1 << 17


@ErrorBounds
def nll_loss(arguments: Arguments, quantity: str, g: Array, model: Rounding) -> Pair:
    """Rows -w x: 2 u of themselves, 0 if ignored. Gradient -w g / W at the label: 2 u and the error of W."""
    x = class_rows(floating(arguments, "log_probs"))
    if quantity == "jvp:log_probs":  # linear: the value at the direction
        x, quantity = class_rows(direction(floating(arguments, "log_probs").shape)), "value"
    labels = Labels.of(arguments, x.shape[-1], model)
    if quantity == "value":
        if x.shape[-1] == 0:
            picked = np.zeros(labels.kept.shape)
        else:
            picked = np.where(labels.kept, times(labels.weight, labels.pick(x)), 0.0)
        error = np.where(labels.kept, 2 * model.u * np.abs(clean(picked)) + model.floor, 0.0)
        return labels.reduction.value(picked, (error, error))
    if quantity == "second:log_probs":
        linear = np.zeros(floating(arguments, "log_probs").shape)
        return linear, linear
    if quantity == "gradient:weight" and arguments.get("weight") is not None:
        size = np.where(labels.kept, np.abs(labels.pick(x)), 0.0) if x.size else np.zeros(labels.kept.shape)
        return _to_label_weights(arguments, labels, size, (0.0 * size, 0.0 * size), g, nll_loss)
    if quantity != "gradient:log_probs":
        raise unknown("nll_loss", quantity)
    reaching, error = labels.reduction.upstream(g, labels.kept.shape)
    size = np.abs(labels.weight)
    error = size * (error + 2 * model.u * reaching) + model.floor
    error = labels.spread(error, x.shape[-1]) if x.size else np.zeros(x.shape)
    return from_class_rows((error, error))


@ErrorBounds
def cross_entropy(arguments: Arguments, quantity: str, g: Array, model: Rounding) -> Pair:
    """The errors of log_softmax at the labels, or weighted with class probabilities and summed."""
    x = class_rows(floating(arguments, "logits"))
    probabilities = np.issubdtype(np.asarray(arguments["target"]).dtype, np.floating)
    to_weight = quantity == "gradient:weight" and arguments.get("weight") is not None
    known = ("value", "gradient:logits", "second:logits", "jvp:logits")
    if not (
        to_weight or quantity in known or (probabilities and quantity in ("gradient:target", "jvp:target"))
    ):
        raise unknown("cross_entropy", quantity)
    labels = None if probabilities else Labels.of(arguments, x.shape[-1], model)
    if x.size == 0:
        return _empty(arguments, quantity, x.shape[:-1])
    if to_weight:
        return _to_class_weights(Soft(rows_of(x, model), labels, arguments), arguments, g)
    if labels is None or arguments.get("label_smoothing", 0.0):
        return Soft(rows_of(x, model), labels, arguments).quantity(quantity, g)
    if quantity == "value":
        return _hard_value(x, labels, model)
    if quantity == "gradient:logits":
        return _hard_gradient(x, labels, g, model)
    if quantity == "jvp:logits":
        return _hard_tangent(rows_of(x, model), labels)
    return _hard_second(rows_of(x, model), labels, g)


def _empty(arguments: Arguments, quantity: str, rows: tuple[int, ...]) -> Pair:
    """No rows, or no classes: a sum or mean over nothing is 0 or nan, without error."""
    name = "logits" if quantity == "value" else quantity.partition(":")[2]
    shape = np.asarray(arguments[name]).shape
    if quantity == "value" or quantity.startswith(JVP):
        shape = rows if reduction_of(arguments) == "none" else ()
    return np.zeros(shape), np.zeros(shape)


def _hard_value(x: Array, labels: Labels, model: Rounding) -> Pair:
    """Labels without smoothing: a row is w (l - z_y)."""
    parts = [_hard_rows(rows_of(x[part], model), labels.part(part)) for part in _parts(x)]
    weighted, error, best = _joined(parts)
    return labels.reduction.value(weighted, (error, best))


def _parts(x: Array) -> list[slice | EllipsisType]:
    """A matrix's rows in parts, so that millions of logits fit in memory, and a part in the cache."""
    step = max(1, PART_LOGITS // x.shape[-1])
    return [slice(first, first + step) for first in range(0, len(x), step)] if x.ndim == 2 else [...]


def _joined(parts: list[tuple[Array, ...]]) -> tuple[Array, ...]:
    """The arrays of all parts, each behind its like."""
    return parts[0] if len(parts) == 1 else tuple(map(np.concatenate, zip(*parts, strict=True)))


def _hard_rows(rows: Rows, labels: Labels) -> tuple[Array, ...]:
    """Each row's loss and its errors."""
    model, size = rows.model, np.abs(labels.weight)
    loss = -labels.pick(rows.y)
    each = []
    for best in (False, True):
        error = size * (labels.pick(rows.log_softmax_error(best)) + model.u * clean(loss) + model.floor)
        each.append(np.where(labels.kept, error + model.floor, 0.0))
    return np.where(labels.kept, times(labels.weight, loss), 0.0), each[0], each[1]


def _hard_gradient(x: Array, labels: Labels, g: Array, model: Rounding) -> Pair:
    """Labels without smoothing: a row's gradient is w (p - onehot)."""
    reaching, error = labels.reduction.upstream(g, labels.kept.shape)
    parts = [
        _hard_gradient_rows(rows_of(x[part], model), labels.part(part), reaching[part], error[part])
        for part in _parts(x)
    ]
    first, second = _joined(parts)
    return from_class_rows((first, second))


def _hard_gradient_rows(rows: Rows, labels: Labels, reaching: Array, error: Array) -> tuple[Array, ...]:
    """The errors of each row's gradient, where so much reaches it, within that error."""
    upstream, factor = _hard_upstream(rows, labels, reaching, error)
    gradient = np.where(upstream > 0, _one_minus(rows), rows.p)
    pair = []
    for best in (False, True):
        row_error = log_softmax_gradient(rows, upstream, 0.0, best) + factor * gradient
        pair.append(np.where(labels.kept[..., None], row_error, 0.0))
    return tuple(pair)


def _hard_tangent(rows: Rows, labels: Labels) -> Pair:
    """Labels without smoothing: a row is w sum p (v - v_y)."""
    model, size = rows.model, np.abs(labels.weight)
    along = _direction(rows)
    each = []
    for best in (False, True):
        tangent, error = label_tangent(rows, along, labels.pick(along), best)
        error = size * (error + model.u * np.abs(tangent) + model.floor) + model.floor
        each.append(np.where(labels.kept, error, 0.0))
    return labels.reduction.value(np.where(labels.kept, labels.weight * tangent, 0.0), (each[0], each[1]))


def _direction(rows: Rows) -> Array:
    """The suite's direction of logits in these rows."""
    return class_rows(direction(from_class_rows((rows.z, rows.z))[0].shape))


def _hard_second(rows: Rows, labels: Labels, g: Array) -> Pair:
    """Labels without smoothing: the derivative of `_hard_gradient` along the suite's direction."""
    reaching, error = labels.reduction.upstream(g, labels.kept.shape)
    upstream, factor = _hard_upstream(rows, labels, reaching, error)
    return _second(rows, labels.kept, upstream, 0.0, factor)


def _hard_upstream(rows: Rows, labels: Labels, reaching: Array, error: Array) -> tuple[Array, Array]:
    """What reaches each log-probability, and the error of the factor that a whole row has."""
    size = np.abs(labels.weight)
    upstream = labels.spread(size * reaching, rows.n)
    # One factor for the whole row: its error does not take part in the cancellation.
    return upstream, (size * (error + rows.model.u * reaching) + rows.model.floor)[..., None]


def _second(rows: Rows, kept: Mask, upstream: Array, error: Array | float, factor: Array) -> Pair:
    """sum(upstream) p (v - sum p v); `factor` is the error of what multiplies the whole row."""
    along = class_rows(direction(from_class_rows((upstream, upstream))[0].shape))
    pair = []
    for best in (False, True):
        row_error = log_softmax_second(rows, upstream, error, along, best)
        row_error = row_error + factor * rows.p * np.abs(along - row_sum(rows.p * along))
        pair.append(np.where(kept[..., None], row_error, 0.0))
    return from_class_rows((pair[0], pair[1]))


def _one_minus(rows: Rows) -> Array:
    """1 - p, at the maximum as the sum of the others."""
    return rows.with_top(1.0 - rows.p, rows.rest)


def _to_class_weights(soft: Soft, arguments: Arguments, g: Array) -> Pair:
    """Class weights: t_c (-y_c) of every row, as exact as the loss's terms."""
    model, y = soft.model, np.abs(soft.rows.y)
    target = np.where(soft.kept[..., None], np.abs(soft.smoothed), 0.0)
    size = clean(times(target, y))
    each = [
        clean(times(target, soft.rows.log_softmax_error(best) + 2 * model.u * y) + times(soft.t_error, y))
        for best in (False, True)
    ]
    errors = [np.where(target != 0, error + model.floor * (1.0 + clean(y)), 0.0) for error in each]
    reaching, reaching_error = soft.reduction.upstream(g, soft.kept.shape)
    terms = Terms(
        size,
        (errors[0], errors[1]),
        np.broadcast_to(reaching[..., None], size.shape),
        np.broadcast_to(reaching_error[..., None], size.shape),
        model,
    )
    entry = np.broadcast_to(np.arange(soft.rows.n), size.shape)
    if soft.labels is None or soft.reduction.kind != "mean":
        return terms.summed(entry, soft.rows.n)
    mean = _mean_terms(arguments, soft.labels, cross_entropy, clean(soft.a * soft.rows.y), g)
    return terms.joined(mean).summed(np.append(entry, soft.labels.index), soft.rows.n)


def _to_label_weights(
    arguments: Arguments, labels: Labels, size: Array, errors: Pair, g: Array, bounds: ErrorBounds
) -> Pair:
    """Class weights of labels alone: the rows' losses of this size without a weight, at their labels."""
    model, classes = labels.reduction.model, floating(arguments, "weight").size
    reaching, reaching_error = labels.reduction.upstream(g, labels.kept.shape)
    terms, entry = Terms(size, errors, reaching, reaching_error, model), labels.index
    if labels.reduction.kind != "mean":
        return terms.summed(entry, classes)
    mean = _mean_terms(arguments, labels, bounds, labels.weight * size, g)
    return terms.joined(mean).summed(np.append(entry, entry), classes)


def _mean_terms(
    arguments: Arguments, labels: Labels, bounds: ErrorBounds, weighted: Array, g: Array
) -> Terms:
    """What the divisor of a mean adds to the gradient of its labels' weights: minus the mean, of each row.

    Args:
        arguments: The call's.
        labels: Its labels.
        bounds: The operation's bounds, which that of the mean itself is one of.
        weighted: The rows' terms with their weights, of any shape.
        g: The upstream gradient, a number.
    """
    model = labels.reduction.model
    mean = abs(float(np.sum(weighted))) * labels.reduction.scale
    first, second = bounds.formula(arguments, "value", np.ones(()), model)
    size = np.where(labels.kept, mean, 0.0)
    reaching, reaching_error = labels.reduction.upstream(g, labels.kept.shape)
    errors = [np.where(labels.kept, float(error) + 2 * model.u * mean, 0.0) for error in (first, second)]
    return Terms(size, (errors[0], errors[1]), reaching, reaching_error, model)


class Soft:
    """Cross-entropy as -sum of a_c y_c, a_c = w_c t_c: class probabilities, or labels smoothed into them."""

    def __init__(self, rows: Rows, labels: Labels | None, arguments: Arguments) -> None:
        model = rows.model
        self.rows, self.labels, self.model = rows, labels, model
        smoothing = float(str(arguments.get("label_smoothing", 0.0)))
        shape = rows.z.shape[:-1]
        target = (
            class_rows(floating(arguments, "target"))
            if labels is None
            else labels.spread(np.ones(shape), rows.n)
        )
        weights = optional(arguments, "weight")
        self.weight = np.ones(rows.n) if weights is None else np.abs(weights)
        self.signed_weight = np.ones(rows.n) if weights is None else weights
        self.keep = 1.0 - smoothing
        self.keep_error = model.u if smoothing else 0.0
        self.kept = np.ones(shape, dtype=bool) if labels is None else labels.kept
        self.smoothed = self.keep * target + smoothing / rows.n
        self.a = self.signed_weight * self.smoothed
        # 1 - e is rounded after e is; e / n twice, and may fall among the half subnormals.
        self.t_error = (self.keep_error + 2 * model.u * self.keep) * np.abs(
            target
        ) + 3 * model.u * smoothing / rows.n
        self.t_error = (
            np.where(self.smoothed != 0, self.t_error + model.floor, 0.0) if smoothing else np.zeros(())
        )
        count = float(np.prod(shape))
        self.reduction = (
            Reduction(reduction_of(arguments), model, count) if labels is None else labels.reduction
        )

    def quantity(self, quantity: str, g: Array) -> Pair:
        """The pair of bounds of one quantity."""
        if quantity == "value":
            terms = clean(np.abs(self.a * self.rows.y))
            loss = np.where(self.kept, np.sum(terms, axis=-1), 0.0)
            each = [np.where(self.kept, self._row(terms, loss, best), 0.0) for best in (False, True)]
            flat = np.where(self.kept[..., None], terms, 0.0)
            return self.reduction.value(loss, (each[0], each[1]), flat)
        if quantity.startswith(JVP):
            return self._tangent(quantity)
        reaching, reaching_error = self.reduction.upstream(g, self.kept.shape)
        if quantity == "gradient:target":
            error = self._target_gradient(reaching[..., None], reaching_error[..., None])
            return from_class_rows(error)
        return self._logits_derivative(quantity, reaching[..., None], reaching_error[..., None])

    def _tangent(self, quantity: str) -> Pair:
        """sum a (sum p v - v), or of the probabilities sum (1 - e) w v (-y): along the direction v."""
        model, rows, along = self.model, self.rows, _direction(self.rows)
        each = []
        for best in (False, True):
            if quantity == "jvp:target":
                scale = self.weight * self.keep * np.abs(along)
                size, error = np.abs(rows.y), rows.log_softmax_error(best)
                error = times(scale, error + 3 * model.u * size) + times(scale * self.keep_error, size)
                terms = times(scale, size)
            else:
                size, error = log_softmax_tangent(rows, along, best)
                magnitude = np.abs(size) if best else np.abs(along) + np.abs(along - size)
                error = np.abs(self.a) * (error + 2 * model.u * magnitude)
                error = error + self.weight * self.t_error * magnitude
                terms = np.abs(self.a) * magnitude
            terms, underflow = clean(terms), model.floor * (1.0 + self.weight * (1.0 + np.abs(along)))
            total = np.sum(terms, axis=-1)
            summed = np.sum(clean(error) + underflow, axis=-1)
            summed = summed + (model.summing(terms, best)[..., 0] + 3 * model.u) * total + 2 * model.floor
            each.append(np.where(self.kept, summed, 0.0))
        return self.reduction.value(np.where(self.kept, total, 0.0), (each[0], each[1]))

    def _row(self, terms: Array, loss: Array, best: bool) -> Array:
        """Error of each row of the loss; `terms` are its summands' magnitudes."""
        model, y = self.model, clean(np.abs(self.rows.y))
        error = np.abs(self.a) * (self.rows.log_softmax_error(best) + 2 * model.u * y)
        error = error + self.weight * self.t_error * y
        underflow = np.minimum(terms, model.floor * (1.0 + (1.0 + self.weight) * (1.0 + y)))
        summed: Array = np.sum(error + underflow, axis=-1)
        summing = model.summing(terms, best)[..., 0]
        return summed + (summing + 3 * model.u) * loss + 2 * model.floor

    def _target_gradient(self, reaching: Array, reaching_error: Array) -> Pair:
        """-w_c (1 - e) y_c, times the upstream."""
        model, y = self.model, np.abs(self.rows.y)
        pair = []
        for best in (False, True):
            error = self.keep * (self.rows.log_softmax_error(best) + 3 * model.u * y) + self.keep_error * y
            error = times(self.weight * reaching, error) + times(self.weight * self.keep * reaching_error, y)
            underflow = model.floor * (1.0 + (1.0 + self.weight) * (1.0 + clean(y)) + reaching)
            pair.append(np.where(np.isfinite(y), clean(error) + underflow, 0.0))
        return pair[0], pair[1]

    def _logits_derivative(self, quantity: str, reaching: Array, reaching_error: Array) -> Pair:
        """p sum(a) - a, times the upstream, or its derivative; the row's common factor does not cancel."""
        model, rows = self.model, self.rows
        upstream = np.where(self.kept[..., None], self.a * reaching, 0.0)
        error = self.weight * self.t_error * reaching + 2 * model.u * np.abs(upstream)
        error = np.where(upstream != 0, error + model.floor * (1.0 + self.weight), 0.0)
        total = row_sum(self.a)
        if quantity == "second:logits":
            factor = (reaching_error + model.u * reaching) * np.abs(total)
            return _second(rows, self.kept, upstream, error, factor)
        common = (reaching_error + model.u * reaching) * np.abs(self.a - rows.p * total)
        pair = []
        for best in (False, True):
            row_error = log_softmax_gradient(rows, upstream, error, best) + common
            pair.append(np.where(self.kept[..., None], row_error, 0.0))
        return from_class_rows((pair[0], pair[1]))
