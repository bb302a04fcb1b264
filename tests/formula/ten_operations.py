"""The ten operations of the suite, written again as formulas."""

from __future__ import annotations

from conformance import formula as m
from conformance.formula import FormulaOperation

Node = m.Expression


def _kept(x: Node, where: Node | None) -> Node:
    """-inf in the place of what a mask leaves out."""
    return x if where is None else m.where(where != 0, x, float("-inf"))


@m.operation(x=m.scores)
def sigmoid(x: Node) -> Node:
    return m.sigmoid(x)


@m.operation(x=m.scores)
def log_sigmoid(x: Node) -> Node:
    return m.log_sigmoid(x)


@m.operation(x=m.scores)
def softmax(x: Node, *, axis: int = -1, where: Node | None = None) -> Node:
    return m.softmax(_kept(x, where), axis)


@m.operation(x=m.scores)
def log_softmax(x: Node, *, axis: int = -1, where: Node | None = None) -> Node:
    return _kept(m.log_softmax(_kept(x, where), axis), where)


@m.operation(x=m.scores)
def logsumexp(x: Node, *, axis: int = -1, where: Node | None = None) -> Node:
    return m.logsumexp(_kept(x, where), axis)


@m.operation(target=m.labels)
def one_hot(target: Node, *, num_classes: int = 1) -> Node:
    return m.one_hot(target, num_classes, axis=-1)


def _of_labels(loss: Node, target: Node, weight: Node | None, ignore_index: int, reduction: str) -> Node:
    factor = m.where(target == ignore_index, 0.0, 1.0 if weight is None else m.take(weight, target))
    rows = m.where(target == ignore_index, 0.0, loss if weight is None else factor * loss)
    return m.reduce(rows, reduction, m.sum(factor))


@m.operation(log_probs=m.log_probs, target=m.labels, weight=m.weights)
def nll_loss(
    log_probs: Node,
    target: Node,
    *,
    weight: Node | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Node:
    return _of_labels(-m.take(log_probs, target), target, weight, ignore_index, reduction)


@m.operation(logits=m.scores, target=m.labels, weight=m.weights)
def cross_entropy(
    logits: Node,
    target: Node,
    *,
    weight: Node | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
    where: Node | None = None,
) -> Node:
    axis, log_p = min(1, logits.ndim - 1), m.log_softmax(_kept(logits, where))
    if not label_smoothing:
        return _of_labels(-m.take(log_p, target), target, weight, ignore_index, reduction)
    by_class = _along(weight, axis, logits.ndim)
    hard = -m.take(log_p if by_class is None else by_class * log_p, target)
    soft = -m.sum(log_p if by_class is None else by_class * log_p, axis)
    loss = (m.constant(1) - label_smoothing) * hard + label_smoothing * soft / logits.shape[axis]
    factor = m.where(target == ignore_index, 0.0, 1.0 if weight is None else m.take(weight, target))
    return m.reduce(m.where(target == ignore_index, 0.0, loss), reduction, m.sum(factor))


@m.operation(logits=m.scores, target=m.class_probabilities, weight=m.weights)
def soft_cross_entropy(
    logits: Node,
    target: Node,
    *,
    weight: Node | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
    where: Node | None = None,
) -> Node:
    axis = min(1, logits.ndim - 1)
    if label_smoothing:
        smoothing = m.constant(label_smoothing)
        target = (1 - smoothing) * target + smoothing / logits.shape[axis]
    by_class = _along(weight, axis, logits.ndim)
    terms = target if by_class is None else by_class * target
    rows = -m.sum(terms * m.log_softmax(_kept(logits, where)), axis)
    return m.reduce(rows, reduction)


def _along(weight: Node | None, axis: int, axes: int) -> Node | None:
    """Class weights as an array that stretches along the class axis."""
    if weight is None:
        return None
    return m.reshape(weight, [-1 if number == axis else 1 for number in range(axes)])


@m.operation(probs=m.probabilities, target=m.targets, weight=m.weights)
def binary_cross_entropy(
    probs: Node, target: Node, *, weight: Node | None = None, reduction: str = "mean"
) -> Node:
    loss = m.binary_cross_entropy(probs, target)
    return m.reduce(loss if weight is None else weight * loss, reduction)


@m.operation(logits=m.scores, target=m.targets, weight=m.weights, pos_weight=m.weights)
def binary_cross_entropy_with_logits(
    logits: Node,
    target: Node,
    *,
    weight: Node | None = None,
    pos_weight: Node | None = None,
    reduction: str = "mean",
) -> Node:
    if pos_weight is None:
        loss = m.binary_cross_entropy_with_logits(logits, target)
    else:
        loss = pos_weight * target * m.softplus(-logits) + (1 - target) * m.softplus(logits)
    return m.reduce(loss if weight is None else weight * loss, reduction)


#: The formula of each operation; `cross_entropy` of class probabilities has one of its own.
TEN: dict[str, FormulaOperation] = {
    item.name: item
    for item in (
        sigmoid, log_sigmoid, softmax, log_softmax, logsumexp, one_hot, nll_loss, cross_entropy,
        soft_cross_entropy, binary_cross_entropy, binary_cross_entropy_with_logits,
    )
}  # fmt: skip
