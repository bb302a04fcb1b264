"""Vocabulary of formulas: what an author writes, over expressions; the losses are without reduction."""

from __future__ import annotations

from conformance.operations.formula import graph
from conformance.operations.formula.graph import FormulaError, Node, as_node, class_axis, constant, where

Axis = int | tuple[int, ...] | None

__all__ = [
    "abs",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "constant",
    "cross_entropy",
    "exp",
    "expm1",
    "log",
    "log1p",
    "log_sigmoid",
    "log_softmax",
    "logsumexp",
    "max",
    "maximum",
    "mean",
    "minimum",
    "one_hot",
    "reduce",
    "sigmoid",
    "softmax",
    "softplus",
    "sqrt",
    "sum",
    "take",
    "where",
]


def exp(x: object) -> Node:
    """exp(x), element by element."""
    return graph.elementwise("exp", x)


def log(x: object) -> Node:
    """The natural logarithm; -inf at 0, nan below."""
    return graph.elementwise("log", x)


def log1p(x: object) -> Node:
    """log(1 + x) without the loss of 1 + x."""
    return graph.elementwise("log1p", x)


def expm1(x: object) -> Node:
    """exp(x) - 1 without the loss of the subtraction."""
    return graph.elementwise("expm1", x)


def sqrt(x: object) -> Node:
    """The square root; nan below 0."""
    return graph.elementwise("sqrt", x)


def abs(x: object) -> Node:
    """|x|; its derivative at 0 is 0."""
    return graph.elementwise("abs", x)


def maximum(x: object, y: object) -> Node:
    """The larger of two, element by element; where they are equal each has half the derivative."""
    return graph.elementwise("maximum", x, y)


def minimum(x: object, y: object) -> Node:
    """The smaller of two, element by element; where they are equal each has half the derivative."""
    return -maximum(-as_node(x), -as_node(y))


def sum(x: Node, axis: Axis = None, keepdims: bool = False) -> Node:
    """The sum over axes; over all of them for None."""
    return graph.reduced("sum", as_node(x), axis, keepdims)


def mean(x: Node, axis: Axis = None, keepdims: bool = False) -> Node:
    """The sum over axes divided by the number of terms; nan over none."""
    count = 1
    for number in graph.axes_of(as_node(x), axis):
        count *= as_node(x).shape[number]
    return sum(x, axis, keepdims) / float(count)


def max(x: Node, axis: Axis = None, keepdims: bool = False) -> Node:
    """The largest over axes; where several are equal they share the derivative."""
    return graph.reduced("max", as_node(x), axis, keepdims)


def take(x: Node, labels: Node) -> Node:
    """Each row's entry at its label; the class axis is 1, and 0 for a single row."""
    return graph.take(x, labels)


def one_hot(labels: Node, num_classes: int) -> Node:
    """1 at each row's label and 0 elsewhere, the classes along axis 1 (0 for a single label)."""
    if not isinstance(labels, Node) or labels.kind != "integer":
        raise FormulaError("one_hot(labels, num_classes): the first argument is an input of the kind labels")
    axis = 1 if labels.shape else 0
    shape = (*labels.shape[:axis], num_classes, *labels.shape[axis:])
    ones = graph.broadcast(constant(1.0), labels.shape)
    return graph.scattered(ones, labels, shape, axis)


def sigmoid(x: object) -> Node:
    """1 / (1 + exp(-x))."""
    return graph.elementwise("sigmoid", x)


def softplus(x: object) -> Node:
    """log(1 + exp(x))."""
    return graph.elementwise("softplus", x)


def log_sigmoid(x: object) -> Node:
    """log(sigmoid(x)) = -softplus(-x)."""
    return -softplus(-as_node(x))


def _shifted(x: Node, axis: int | None) -> tuple[Node, Node, int]:
    """x less its maximum along the axis, the maximum, and the axis (None: the axis of classes)."""
    if not x.ndim:
        raise FormulaError("softmax and its kin need an axis")
    along = class_axis(x) if axis is None else axis
    top = graph.stopped(max(x, along, keepdims=True))
    return graph.Node("shift", (graph.to_real(x), graph.broadcast(top, x.shape)), x.shape), top, along


def softmax(x: Node, axis: int | None = None) -> Node:
    """exp(x) over its sum along the axis; None is the axis of classes: 1, and 0 for a single row."""
    shifted, _, along = _shifted(x, axis)
    exponentials = exp(shifted)
    body = exponentials / sum(exponentials, along, keepdims=True)

    def adjoint(upstream: Node) -> Node:
        return result * (upstream - sum(result * upstream, along, keepdims=True))

    result = graph.with_adjoint(body, x, adjoint)
    return result


def log_softmax(x: Node, axis: int | None = None) -> Node:
    """log(softmax(x)) along the axis; None is the axis of classes."""
    shifted, _, along = _shifted(x, axis)
    body = shifted - log(sum(exp(shifted), along, keepdims=True))

    def adjoint(upstream: Node) -> Node:
        return upstream - exp(result) * sum(upstream, along, keepdims=True)

    result = graph.with_adjoint(body, x, adjoint)
    return result


def logsumexp(x: Node, axis: int | None = None) -> Node:
    """log(sum(exp(x))) along the axis, which goes; None is the axis of classes."""
    shifted, top, along = _shifted(x, axis)
    body = log(sum(exp(shifted), along, keepdims=True)) + top

    def adjoint(upstream: Node) -> Node:
        return softmax(x, along) * upstream

    whole = graph.with_adjoint(body, x, adjoint)
    (axis,) = graph.axes_of(whole, along)
    return graph.reshape(whole, whole.shape[:axis] + whole.shape[axis + 1 :])


def binary_cross_entropy(probs: object, target: object) -> Node:
    """-(t log p + (1 - t) log(1 - p)), element by element."""
    p, t = as_node(probs), as_node(target)
    return -(t * log(p) + (1.0 - t) * log1p(-p))


def binary_cross_entropy_with_logits(logits: object, target: object) -> Node:
    """t softplus(-x) + (1 - t) softplus(x), element by element."""
    x, t = as_node(logits), as_node(target)
    return t * softplus(-x) + (1.0 - t) * softplus(x)


def cross_entropy(logits: Node, target: Node) -> Node:
    """-log_softmax at the label of each row, or -sum(target * log_softmax) for class probabilities."""
    if target.kind == "integer":
        return -take(log_softmax(logits), target)
    return -sum(target * log_softmax(logits), class_axis(logits))


def reduce(rows: Node, reduction: str) -> Node:
    """The rows themselves (`none`), their `sum` or their `mean`."""
    if reduction == "none":
        return rows
    if reduction == "sum":
        return sum(rows)
    if reduction in ("mean", "elementwise_mean"):
        return mean(rows)
    raise FormulaError(f"reduce: reduction must be none, sum or mean, not {reduction!r}")
