"""cross_entropy(logits, target): nll_loss of log_softmax, for labels or class probabilities."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from conformance.arithmetic.balls import (
    NAN,
    ONE,
    ZERO,
    Ball,
    ball,
    balls,
    exact_sum,
    is_nan,
    product,
    quotient,
    wide,
)
from conformance.arithmetic.formats import FloatArray
from conformance.arithmetic.repeated_values import Column
from conformance.errors import ArgumentError
from conformance.operations import rows
from conformance.operations.base import (
    MODULE_IS_FUNCTIONAL,
    Arguments,
    Input,
    Parameter,
    Relation,
    direction,
    integer,
    real,
    tensor,
    unknown_quantity,
)
from conformance.operations.classes import (
    CLASS_PARAMETERS,
    OverClasses,
    class_axis,
    class_rows,
    class_weights,
    flat_labels,
    is_labels,
    label_divisor,
)
from conformance.operations.error_analysis import losses
from conformance.operations.masks import (
    WHERE,
    Mask,
    check_mask,
    constant_there,
    kept,
    rows_throughout,
    with_mask,
)
from conformance.operations.reductions import reduced, times, times_all, upstream_factors
from conformance.operations.repeated_rows import distinct_rows, divisor_by_counts, reduced_by_counts
from conformance.operations.row_cache import row_of
from conformance.operations.row_tangents import label_tangent, weighted_tangent
from conformance.operations.rows import Row


class CrossEntropy(OverClasses):
    """sum_c u_c (-log softmax(x)_c) for each row x, with u the weighted and smoothed target.

    Labels y, smoothing e, n classes: u_c = w_c ((1 - e) [c = y] + e / n); mean: divided by the sum of w_y
    over the rows not ignored. Class probabilities t: u_c = w_c ((1 - e) t_c + e / n); mean: divided by the
    number of rows. Source: torch.nn.CrossEntropyLoss and ATen's cross_entropy_loss, PyTorch 2.13.
    Gradients: g (p_i sum(u) - u_i), the label's own entry as minus the sum of the others; with respect to
    class probabilities g (1 - e) w_c (-log softmax(x)_c). Second derivative with respect to the logits:
    g sum(u) p_i (v_i - E v) with the mean under p.

    Special values: log_softmax's, as limits; a coefficient u_c that is exactly 0 removes its term
    (0 x inf = 0), a nan logit stays nan. So a masked class (-inf) costs nothing unless its coefficient is
    not 0, and then +inf. Terms of opposite infinite sign give nan. An ignored row contributes exactly 0,
    nan included. mean over nothing is 0/0 = nan with gradient 0, sum over nothing is 0. `where`, of the
    logits' shape, leaves out the classes that it is 0 for in a row, whatever their logits hold: they count
    as -inf, and their derivatives are 0.
    """

    name = "cross_entropy"
    inputs = (Input("logits", "floating"), Input("target", "labels or probabilities"))
    parameters = (
        *CLASS_PARAMETERS[:2],
        Parameter("label_smoothing", "real", 0.0),
        *CLASS_PARAMETERS[2:],
        WHERE,
    )
    weights = ("weight",)
    formulations = ("functional", "module", "composed", "one_hot", "naive", "manual")
    relations = (
        MODULE_IS_FUNCTIONAL,
        Relation(
            "log_softmax + nll_loss = cross_entropy",
            "composed",
            "functional",
            "CrossEntropyLoss is log_softmax and NLLLoss: 000_4dde878f34a0f263.txt, 003_b571dd78b6e0ff6f.txt",
        ),
        Relation(
            "log(softmax) + nll_loss = cross_entropy",
            "naive",
            "functional",
            "softmax, log and NLLLoss give exactly the same as CrossEntropyLoss: 001_073a0e06d37fbd35.txt",
        ),
        Relation(
            "one-hot = labels",
            "one_hot",
            "functional",
            "one-hot times log-softmax, summed, gives what CrossEntropyLoss gives: "
            "000_4dde878f34a0f263.txt, 003_b571dd78b6e0ff6f.txt",
        ),
        Relation(
            "manual = functional",
            "manual",
            "functional",
            "exp, sum, divide, log and one-hot by hand give the same: "
            "000_4dde878f34a0f263.txt, 003_b571dd78b6e0ff6f.txt",
        ),
    )
    error_bounds = losses.cross_entropy

    def completed(self, arguments: Arguments) -> Arguments:
        """See `OverClasses`; -inf stands in the place of what `where` leaves out."""
        complete = super().completed(arguments)
        if complete["where"] is None:
            return complete
        shape = self.scores(complete).shape
        return with_mask(complete, "logits", shape[class_axis(shape)] if shape else None)

    def masked_rows(self, arguments: Arguments, quantity: str) -> Mask:
        """See `Operation`; only where rows stay apart, for in a sum the others' losses are added."""
        shape = self.quantity_shape(arguments, quantity)
        if arguments["reduction"] != "none" or quantity == "gradient:weight":
            return np.zeros(shape, bool)
        axis = self.row_axis(arguments)
        gone = rows_throughout(arguments, "logits", axis)
        return gone.reshape(shape) if quantity == "value" else np.broadcast_to(gone, shape)

    def check_shapes(self, arguments: Arguments) -> None:
        """See `Operation`: raises ArgumentError for what does not fit."""
        if not 0.0 <= real(arguments, "label_smoothing") <= 1.0:
            raise ArgumentError(
                f"cross_entropy: label_smoothing must lie in [0, 1], not {arguments['label_smoothing']}"
            )
        super().check_shapes(arguments)
        check_mask(self.name, arguments, "logits")
        if is_labels(arguments):
            return
        logits, target = self.scores(arguments), tensor(arguments, "target")
        if target.shape != logits.shape:
            raise ArgumentError(
                f"cross_entropy: class probabilities must have the logits' shape {list(logits.shape)}, "
                f"not {list(target.shape)}"
            )
        if integer(arguments, "ignore_index") >= 0:
            raise ArgumentError("cross_entropy: ignore_index has no meaning for class probabilities")

    def loss_rows(self, arguments: Arguments) -> LossRows:
        """The rows of one call, at the current precision."""
        return LossRows(self, arguments)

    def balls(self, arguments: Arguments, quantity: str, g: FloatArray) -> Iterable[Ball]:
        """See `Operation`."""
        counted = quantity == "value" and arguments["reduction"] != "none"
        distinct = distinct_rows(arguments, "logits") if counted else None
        if distinct is not None:
            few, counts = self.loss_rows(distinct[0]), distinct[1]
            divisor = divisor_by_counts(few.labels or [], counts, few.weights, arguments)
            return reduced_by_counts(few.losses(), counts, arguments["reduction"], divisor)
        batch = self.loss_rows(arguments)
        if quantity == "value":
            return reduced(batch.losses(), arguments["reduction"], batch.divisor)
        if quantity == "jvp:logits" or (quantity == "jvp:target" and batch.labels is None):
            along = class_rows(self.direction(arguments, quantity))
            tangents = [batch.tangent(r, quantity, along[r]) for r in range(len(batch.matrix))]
            return reduced(tangents, arguments["reduction"], batch.divisor)
        factors = upstream_factors(g, arguments["reduction"], batch.divisor, len(batch.matrix))
        if quantity == "gradient:logits":
            slopes = (batch.logit_gradient(r, factor) for r, factor in enumerate(factors))
            return constant_there(self.restored(slopes, arguments), arguments, "logits")
        if quantity == "second:logits":
            along = class_rows(self.direction(arguments, quantity))
            curvatures = (batch.curvature(r, factor, along[r]) for r, factor in enumerate(factors))
            return constant_there(self.restored(curvatures, arguments), arguments, "logits")
        if quantity == "gradient:target" and batch.labels is None:
            return self.restored(
                (batch.target_gradient(r, factor) for r, factor in enumerate(factors)), arguments
            )
        if quantity == "gradient:weight" and arguments["weight"] is not None:
            return batch.weight_gradient(factors, arguments["reduction"])
        raise unknown_quantity(self.name, quantity)

    def direction(self, arguments: Arguments, quantity: str) -> FloatArray:
        """The suite's direction of the scores, 0 where they are left out and it is theirs."""
        along = direction(self.scores(arguments).shape)
        return along if quantity == "jvp:target" else kept(along, arguments, "logits")


class LossRows:
    """Rows of one call, their coefficients and the divisor of a mean, at the current precision."""

    def __init__(self, operation: CrossEntropy, arguments: Arguments) -> None:
        self.matrix = class_rows(operation.scores(arguments))
        self.classes = self.matrix.shape[1]
        self.weights = class_weights(arguments, self.classes)
        self.smoothing = ball(real(arguments, "label_smoothing"))
        self.labels: list[int | None] | None = None
        if is_labels(arguments):
            self.labels = flat_labels(arguments)
            self.divisor = label_divisor(self.labels, self.weights, arguments)
        else:
            self.targets = class_rows(tensor(arguments, "target"))
            self.divisor = ball(len(self.matrix))

    def ignored(self, index: int) -> bool:
        """Whether a row contributes nothing at all."""
        return self.labels is not None and self.labels[index] is None

    def hard(self, index: int) -> int | None:
        """The row's label where it alone has a coefficient."""
        return self.labels[index] if self.labels is not None and self.smoothing.is_zero() else None

    def spread(self, index: int) -> list[Ball]:
        """The target before weights, times the number of classes where it is smoothed: exact balls."""
        if self.labels is not None:
            target = [ZERO] * self.classes
            target[self.labels[index] or 0] = ONE
        else:
            target = list(balls(self.targets[index]))
        if self.smoothing.is_zero():
            return target
        with wide():
            unsmoothed = (1 - self.smoothing) * self.classes
            return [product(unsmoothed, value) + self.smoothing for value in target]

    def coefficients(self, index: int) -> list[Ball]:
        """u_c, times the number of classes where the target is smoothed: exact, while e / n is not."""
        with wide():
            return [product(w, value) for w, value in zip(self.weights, self.spread(index), strict=True)]

    def share(self, value: Ball) -> Ball:
        """The value without the factor of `spread`."""
        return value if self.smoothing.is_zero() else value / self.classes

    def losses(self) -> list[Ball]:
        """The rows' losses."""
        return [self._loss(index) for index in range(len(self.matrix))]

    def _loss(self, index: int) -> Ball:
        if self.ignored(index):
            return ZERO
        row = row_of(self.matrix[index])
        label = self.hard(index)
        if label is None:
            return self.share(rows.weighted_surprisal(row, self.coefficients(index)))
        value = rows.surprisal(row, label)
        if self.weights[label] is ONE:
            return value
        with wide():
            return removable(row, self.weights[label], value)

    def logit_gradient(self, index: int, factor: Ball) -> Column:
        """factor * (p_i sum(u) - u_i)."""
        if self.ignored(index):
            return [ZERO] * self.classes
        row = row_of(self.matrix[index])
        label = self.hard(index)
        if label is None:
            result = rows.log_softmax_pullback(row, rows.negated(self.coefficients(index)))
            return times_all(self.share(factor), result)
        if is_nan(factor):
            return [NAN] * self.classes
        return rows.label_pullback(row, label, times(factor, self.weights[label]))

    def curvature(self, index: int, factor: Ball, along: FloatArray) -> Column:
        """factor * sum(u) * p_i (v_i - sum_j p_j v_j)."""
        if self.ignored(index):
            return [ZERO] * self.classes
        if is_nan(factor):
            return [NAN] * self.classes
        whole = times(self.share(factor), exact_sum(self.coefficients(index)))
        return rows.centred(row_of(self.matrix[index]), along, whole)

    def tangent(self, index: int, quantity: str, v: FloatArray) -> Ball:
        """The row's derivative along v, of the logits or of the class probabilities."""
        if self.ignored(index):
            return ZERO
        row, label = row_of(self.matrix[index]), self.hard(index)
        if quantity == "jvp:target":
            with wide():
                keep = 1 - self.smoothing
                scales = [product(keep * w, u) for w, u in zip(self.weights, balls(v), strict=True)]
            return rows.weighted_surprisal(row, scales)
        if label is None:
            return self.share(weighted_tangent(row, self.coefficients(index), v))
        with wide():
            return removable(row, self.weights[label], label_tangent(row, label, v))

    def target_gradient(self, index: int, factor: Ball) -> Column:
        """factor * (1 - e) w_c (-log softmax_c)."""
        with wide():
            scales = [product(1 - self.smoothing, weight) for weight in self.weights]
        row = row_of(self.matrix[index])
        values = rows.surprisals(row)
        return times_all(
            factor, [removable(row, scale, value) for scale, value in zip(scales, values, strict=True)]
        )

    def weight_gradient(self, factors: Sequence[Ball], reduction: object) -> list[Ball]:
        """Sum over rows of factor * (target_c (-log softmax_c) - [c = y] loss), the last for a mean."""
        varies = reduction == "mean" and self.labels is not None
        loss = quotient(exact_sum(self.losses()), self.divisor) if varies else ZERO
        result = [ZERO] * self.classes
        for index, factor in enumerate(factors):
            if self.ignored(index):
                continue
            row = row_of(self.matrix[index])
            values = rows.surprisals(row)
            for c, (target, value) in enumerate(zip(self.spread(index), values, strict=True)):
                term = self.share(removable(row, target, value))
                if varies and self.labels is not None and self.labels[index] == c:
                    term = term - loss
                result[c] = result[c] + times(factor, term)
        return result


def removable(row: Row, coefficient: Ball, value: Ball) -> Ball:
    """coefficient * value, exactly 0 for a coefficient of 0 unless a logit is nan."""
    return ZERO if coefficient.is_zero() and not row.poisoned else product(coefficient, value)
