"""cross_entropy whose label smoothing is shared among the K - 1 other classes."""

from __future__ import annotations

from conformance.arithmetic.balls import ONE, Ball, ball, balls, product, wide
from conformance.arithmetic.repeated_values import Column
from conformance.operations import rows
from conformance.operations.base import Arguments, real
from conformance.operations.classes import class_axis
from conformance.operations.cross_entropy import CrossEntropy, LossRows, removable
from conformance.operations.reductions import times_all
from conformance.operations.row_cache import row_of


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
            target = list(balls(self.targets[index]))
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
