"""Losses over labels, as formulas: class weights, ignored rows, label smoothing and reduction in one text."""

from __future__ import annotations

from conformance.operations.formula import language as m
from conformance.operations.formula.graph import Node


def loss_of_labels(
    log_p: Node, target: Node, weight: Node | None, ignore_index: int, label_smoothing: float, reduction: str
) -> Node:
    """Cross-entropy of labels, given the logarithms of the probabilities; classes lie along axis 1.

    Args:
        log_p: Logarithms of probabilities, of shape [N, C] or [N, C, ...].
        target: Labels.
        weight: Class weights of shape [C]; None: ones.
        ignore_index: The label of rows that do not count.
        label_smoothing: What share of a label is spread over all classes.
        reduction: `none`, `sum`, or `mean` over the weights of the labels.
    """
    ignored = target == ignore_index
    factor = m.where(ignored, 0.0, 1.0 if weight is None else m.take(weight, target))
    hard = -m.take(log_p, target)
    if not label_smoothing:
        rows = m.where(ignored, 0.0, hard if weight is None else factor * hard)
        return m.reduce(rows, reduction, m.sum(factor))
    by_class = log_p if weight is None else _along_classes(weight, log_p.ndim) * log_p
    soft = -m.sum(by_class, 1)
    rest = m.constant(1) - label_smoothing
    loss = rest * -m.take(by_class, target) + label_smoothing * soft / log_p.shape[1]
    return m.reduce(m.where(ignored, 0.0, loss), reduction, m.sum(factor))


def _along_classes(weight: Node, axes: int) -> Node:
    """Class weights as an array that stretches along the class axis."""
    return m.reshape(weight, [-1 if axis == 1 else 1 for axis in range(axes)])
