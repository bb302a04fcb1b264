"""nll_loss(log_probs, target): minus the target's log-probability, weighted, row by row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from conformance.arithmetic.balls import ZERO, Ball, ball, exact_sum, product, quotient, wide
from conformance.arithmetic.formats import FloatArray
from conformance.operations.base import (
    MODULE_IS_FUNCTIONAL,
    Arguments,
    Input,
    Relation,
    direction,
    unknown_quantity,
)
from conformance.operations.classes import (
    CLASS_PARAMETERS,
    OverClasses,
    class_rows,
    class_weights,
    flat_labels,
    label_divisor,
)
from conformance.operations.error_analysis import losses
from conformance.operations.reductions import reduced, times, upstream_factors
from conformance.operations.repeated_rows import distinct_rows, divisor_by_counts, reduced_by_counts


class NllLoss(OverClasses):
    """-w_y x_y for each row x with label y; mean: divided by the sum of w_y over the rows not ignored.

    Source of the parameters' meaning: torch.nn.NLLLoss. Gradient: -g w_y at the label (over the divisor for
    a mean), 0 elsewhere, whatever the log-probabilities are, so that the second derivative is 0. An
    ignored row contributes exactly 0, nan included; a weight of exactly 0 removes its term (0 x inf = 0),
    but a nan at the label stays nan. mean over nothing is 0/0 = nan with gradient 0, sum over nothing is 0.
    """

    name = "nll_loss"
    inputs = (Input("log_probs", "floating"), Input("target", "labels"))
    parameters = CLASS_PARAMETERS
    weights = ("weight",)
    formulations = ("functional", "module", "composed", "one_hot")
    relations = (
        MODULE_IS_FUNCTIONAL,
        Relation(
            "gather = nll_loss", "composed", "functional", "f(x, class) = -x[class]: 003_b571dd78b6e0ff6f.txt"
        ),
        Relation(
            "one-hot = labels",
            "one_hot",
            "functional",
            "one-hot times log-probabilities, summed, gives what NLLLoss gives: "
            "000_4dde878f34a0f263.txt, 003_b571dd78b6e0ff6f.txt",
        ),
    )
    error_bounds = losses.nll_loss

    def balls(self, arguments: Arguments, quantity: str, g: FloatArray) -> Iterable[Ball]:
        """See `Operation`."""
        counted = quantity == "value" and arguments["reduction"] != "none"
        distinct = distinct_rows(arguments, "log_probs") if counted else None
        if distinct is not None:
            return self._counted(*distinct)
        matrix = class_rows(self.scores(arguments))
        weights = class_weights(arguments, matrix.shape[1])
        labels = flat_labels(arguments)
        divisor = label_divisor(labels, weights, arguments)
        reduction = arguments["reduction"]
        surprisals = [
            ZERO if y is None else -ball(float(row[y])) for row, y in zip(matrix, labels, strict=True)
        ]
        if quantity == "value":
            return reduced(weighted(surprisals, labels, weights), reduction, divisor)
        if quantity == "jvp:log_probs":
            along = class_rows(direction(self.scores(arguments).shape))
            slopes = [ZERO if y is None else -ball(float(v[y])) for v, y in zip(along, labels, strict=True)]
            return reduced(weighted(slopes, labels, weights), reduction, divisor)
        factors = upstream_factors(g, reduction, divisor, len(labels))
        if quantity == "gradient:log_probs":
            rows = []
            for label, factor in zip(labels, factors, strict=True):
                row = [ZERO] * matrix.shape[1]
                if label is not None:
                    row[label] = times(factor, -weights[label])
                rows.append(row)
            return self.restored(rows, arguments)
        if quantity == "second:log_probs":
            return [ZERO] * matrix.size
        if quantity == "gradient:weight" and arguments["weight"] is not None:
            return weight_gradient(
                surprisals, labels, weights, factors, divisor if reduction == "mean" else None
            )
        raise unknown_quantity(self.name, quantity)

    def _counted(self, few: Arguments, counts: list[int]) -> list[Ball]:
        """The value over distinct rows, each of which counts so often."""
        matrix = class_rows(self.scores(few))
        weights, labels = class_weights(few, matrix.shape[1]), flat_labels(few)
        surprisals = [
            ZERO if y is None else -ball(float(row[y])) for row, y in zip(matrix, labels, strict=True)
        ]
        divisor = divisor_by_counts(labels, counts, weights, few)
        return reduced_by_counts(weighted(surprisals, labels, weights), counts, few["reduction"], divisor)


def weighted(terms: list[Ball], labels: list[int | None], weights: Sequence[Ball]) -> list[Ball]:
    """Each row's term times its label's weight; exactly 0 for an ignored row."""
    with wide():
        return [
            ZERO if y is None else product(weights[y], term) for term, y in zip(terms, labels, strict=True)
        ]


def weight_gradient(
    terms: list[Ball],
    labels: list[int | None],
    weights: Sequence[Ball],
    factors: Sequence[Ball],
    divisor: Ball | None,
) -> list[Ball]:
    """The gradient with respect to the class weights, of which a mean's divisor is a sum too."""
    with wide():
        loss = ZERO if divisor is None else quotient(exact_sum(weighted(terms, labels, weights)), divisor)
        result = [ZERO] * len(weights)
        for term, label, factor in zip(terms, labels, factors, strict=True):
            if label is not None:
                result[label] = result[label] + times(factor, term - loss)
    return result
