"""Vocabulary of formulas: what an author writes, over expressions; the losses are without reduction."""

from __future__ import annotations

import math
from collections.abc import Sequence

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
    "linear",
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
    "reshape",
    "sigmoid",
    "softmax",
    "softplus",
    "sqrt",
    "sum",
    "take",
    "tanh",
    "transpose",
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
    """|x|; at 0 it has no derivative."""
    return graph.elementwise("abs", x)


def maximum(x: object, y: object) -> Node:
    """The larger of two, element by element; where they are equal there is no derivative."""
    return graph.elementwise("maximum", x, y)


def minimum(x: object, y: object) -> Node:
    """The smaller of two, element by element; where they are equal there is no derivative."""
    return -maximum(-as_node(x), -as_node(y))


def sum(x: Node, axis: Axis = None, keepdims: bool = False) -> Node:
    """The sum over axes.

    Args:
        x: An expression.
        axis: An axis or several; None: all.
        keepdims: Whether these axes stay, of length 1.
    """
    return graph.reduced("sum", as_node(x), axis, keepdims)


def mean(x: Node, axis: Axis = None, keepdims: bool = False) -> Node:
    """The sum over axes divided by the number of terms; nan over none. Its arguments are those of `sum`."""
    count = 1
    for number in graph.axes_of(as_node(x), axis):
        count *= as_node(x).shape[number]
    return sum(x, axis, keepdims) / float(count)


def max(x: Node, axis: Axis = None, keepdims: bool = False) -> Node:
    """The largest over axes; of equal ones there is no derivative. Its arguments are those of `sum`."""
    return graph.reduced("max", as_node(x), axis, keepdims)


def reshape(x: Node, shape: Sequence[int]) -> Node:
    """The same elements in another shape.

    Args:
        x: An expression.
        shape: The sizes; one of them may be -1.

    Raises:
        FormulaError: The shape has another number of elements.
    """
    x, sizes = graph.to_real(as_node(x)), [int(size) for size in shape]
    known = math.prod(size for size in sizes if size != -1)
    if sizes.count(-1) == 1 and known and math.prod(x.shape) % known == 0:
        sizes[sizes.index(-1)] = math.prod(x.shape) // known
    if math.prod(sizes) != math.prod(x.shape) or -1 in sizes:
        raise FormulaError(f"reshape: {list(x.shape)} has not the elements of {list(shape)}")
    return graph.reshape(x, tuple(sizes))


def transpose(x: Node) -> Node:
    """The last two axes swapped.

    Args:
        x: An expression of two axes or more.

    Raises:
        FormulaError: It has fewer axes.
    """
    x = graph.to_real(as_node(x))
    if x.ndim < 2:
        raise FormulaError(f"transpose: {list(x.shape)} has no two axes")
    return graph.transposed(x)


def linear(x: Node, weight: Node, bias: Node | None = None) -> Node:
    """x @ transpose(weight) + bias, read on as it stands in the accumulator of the product's sums.

    A matrix that is stored in a half type first, as `@` has it, loses what a fused kernel keeps.

    Args:
        x: Of the shape [N, K].
        weight: Of the shape [C, K].
        bias: Of the shape [C]; None: without.
    """
    product = graph.matmul(as_node(x), transpose(weight), stored=False)
    return product if bias is None else graph.elementwise("add", product, bias, stored=False)


def take(x: Node, labels: Node) -> Node:
    """Each row's entry at its label; 0 at a label that is no class.

    Args:
        x: Rows of the shape [N, C, ...] or [C], or a table [C] beside labels of any shape.
        labels: An input of the kind labels, of the shape of `x` without the class axis.

    Raises:
        FormulaError: `x` has no axis, the second argument holds no labels, or their shape does not fit.
    """
    return graph.take(as_node(x), labels)


def one_hot(labels: Node, num_classes: int, axis: int | None = None) -> Node:
    """1 at each row's label and 0 elsewhere; a label that is no class, as an ignored label, has no 1.

    Args:
        labels: An input of the kind labels.
        num_classes: The length of the new axis.
        axis: The new axis; None: the class axis, 1, and 0 for a single label.

    Raises:
        FormulaError: The first argument holds no labels, or the second is no number of classes.
    """
    if not isinstance(labels, Node) or labels.kind != "integer":
        raise FormulaError("one_hot(labels, num_classes): the first argument is an input of the kind labels")
    if isinstance(num_classes, bool) or not isinstance(num_classes, int) or num_classes < 0:
        raise FormulaError(f"one_hot(labels, num_classes): {num_classes!r} is no number of classes")
    axis = (1 if labels.shape else 0) if axis is None else range(labels.ndim + 1)[axis]
    shape = (*labels.shape[:axis], num_classes, *labels.shape[axis:])
    ones = graph.broadcast(constant(1.0), labels.shape)
    return graph.scattered(ones, labels, shape, axis)


def sigmoid(x: object) -> Node:
    """1 / (1 + exp(-x))."""
    return graph.elementwise("sigmoid", x)


def tanh(x: object) -> Node:
    """(exp(2 x) - 1) / (exp(2 x) + 1)."""
    node = graph.to_real(as_node(x))

    def below(y: Node) -> Node:
        """tanh y of a y that is not positive."""
        grown = expm1(2.0 * y)
        return grown / (2.0 + grown)

    def adjoint(upstream: Node) -> list[Node]:
        """Without cancellation, and 1 - tanh^2 as the frameworks' backward passes compute it."""
        tail = exp(where(node < 0.0, 2.0 * node, -2.0 * node))
        slope = 4.0 * tail / ((1.0 + tail) * (1.0 + tail))
        return [upstream * graph.computed_as(slope, 1.0 - result * result)]

    result = graph.with_adjoint(where(node < 0.0, below(node), -below(-node)), [node], adjoint)
    return result


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
    (along,) = graph.axes_of(x, class_axis(x) if axis is None else axis)
    top = graph.stopped(max(x, along, keepdims=True))
    return graph.Node("shift", (graph.to_real(x), graph.broadcast(top, x.shape)), x.shape), top, along


def softmax(x: Node, axis: int | None = None) -> Node:
    """exp(x) over its sum along an axis.

    Args:
        x: An expression of one axis or more.
        axis: The axis; None: the class axis, 1, and 0 for a single row.
    """
    shifted, _, along = _shifted(x, axis)
    exponentials = exp(shifted)
    body = exponentials / sum(exponentials, along, keepdims=True)

    def adjoint(upstream: Node) -> list[Node]:
        return [_centred(result, upstream, along)]

    result = graph.with_adjoint(body, [x], adjoint)
    return result


def _centred(p: Node, upstream: Node, along: int) -> Node:
    """The adjoint of a softmax p: p (g - sum p g), of which p's error is one factor in g's derivative too."""
    p_of, g = graph.to_real(p), graph.to_real(upstream)
    rest = g - sum(p_of * g, along, keepdims=True)

    def adjoint(above: Node) -> list[Node]:
        mean = sum(p_of * above, along, keepdims=True)
        return [above * rest - g * mean, p_of * (above - mean)]

    return graph.with_adjoint(p_of * rest, [p_of, g], adjoint)


def log_softmax(x: Node, axis: int | None = None) -> Node:
    """log(softmax(x)) along an axis. Its arguments are those of `softmax`."""
    shifted, _, along = _shifted(x, axis)
    exponentials = exp(shifted)
    total = sum(exponentials, along, keepdims=True)
    body = shifted - log(total)

    def adjoint(upstream: Node) -> list[Node]:
        """g - p sum g, with p the exponential of the result."""
        p, g = graph.computed_as(exponentials / total, exp(result)), sum(upstream, along, keepdims=True)
        p = graph.with_adjoint(p, [x], lambda above: [_centred(p, above, along)])

        def second(above: Node) -> list[Node]:
            """The same error of sum g in every class cancels in the difference."""
            return [
                g * _centred(p, above, along),
                graph.broadcast(sum(p * above, along, True), upstream.shape),
            ]

        return [upstream - graph.with_adjoint(p * g, [x, upstream], second)]

    result = graph.with_adjoint(body, [x], adjoint)
    return result


def logsumexp(x: Node, axis: int | None = None) -> Node:
    """log(sum(exp(x))) along an axis, which the result lacks. Its arguments are those of `softmax`."""
    shifted, top, along = _shifted(x, axis)
    body = log(sum(exp(shifted), along, keepdims=True)) + top

    def adjoint(upstream: Node) -> list[Node]:
        return [softmax(x, along) * upstream]

    whole = graph.with_adjoint(body, [x], adjoint)
    (axis,) = graph.axes_of(whole, along)
    return graph.reshape(whole, whole.shape[:axis] + whole.shape[axis + 1 :])


def _two(first: object, second: object) -> tuple[Node, Node]:
    """Two operands of one shape."""
    nodes = [graph.to_real(as_node(first)), graph.to_real(as_node(second))]
    shape = graph.common_shape(nodes)
    return graph.broadcast(nodes[0], shape), graph.broadcast(nodes[1], shape)


def binary_cross_entropy(probs: object, target: object) -> Node:
    """-(t log p + (1 - t) log(1 - p)), element by element.

    Args:
        probs: Probabilities p in [0, 1].
        target: Targets t in [0, 1], of the same shape.
    """
    p, t = _two(probs, target)
    rest = 1.0 - p
    exact = -(t * log(p) + (1.0 - t) * log1p(-p))
    body = graph.computed_as(exact, -(t * log(p) + (1.0 - t) * log(rest)))

    def adjoint(upstream: Node) -> list[Node]:
        """By its terms, and as the frameworks compute it: (p - t) over p and 1 - p."""
        terms = graph.ratio(1.0 - t, rest, positive=True) - graph.ratio(t, p, positive=True)
        slope = graph.computed_as(terms, (p - t) / p / rest)
        return [upstream * slope, upstream * graph.computed_as(log1p(-p) - log(p), log(rest) - log(p))]

    return graph.with_adjoint(body, [p, t], adjoint)


def binary_cross_entropy_with_logits(logits: object, target: object) -> Node:
    """t softplus(-x) + (1 - t) softplus(x), element by element.

    The frameworks compute max(x, 0) - x t + log(1 + exp(-|x|)) or (1 - t) x - log(sigmoid(x)), and the
    derivative as sigmoid(x) - t. The second is no standard where t is 0: all of a small loss cancels.

    Args:
        logits: Logits x.
        target: Targets t in [0, 1], of the same shape.
    """
    x, t = _two(logits, target)
    exact = t * softplus(-x) + (1.0 - t) * softplus(x)
    tail = softplus(-abs(x))
    first = maximum(x, 0.0) - x * t + tail
    second = (1.0 - t) * x + (maximum(-x, 0.0) + tail)
    standard = graph.computed_as(first, where(t == 0.0, first, second))

    def adjoint(upstream: Node) -> list[Node]:
        slope = graph.computed_as((1.0 - t) * sigmoid(x) - t * sigmoid(-x), sigmoid(x) - t)
        return [upstream * slope, upstream * graph.computed_as(-x, softplus(-x) - softplus(x))]

    return graph.with_adjoint(graph.computed_as(exact, standard), [x, t], adjoint)


def cross_entropy(logits: Node, target: Node) -> Node:
    """-log_softmax at the label of each row, or -sum(target * log_softmax) for class probabilities.

    Args:
        logits: Of the shape [N, C, ...] or [C].
        target: Labels, of that shape without the class axis, or class probabilities of that shape.
    """
    if target.kind == "integer":
        return -take(log_softmax(logits), target)
    return -sum(target * log_softmax(logits), class_axis(logits))


def reduce(rows: Node, reduction: str, divisor: object = None) -> Node:
    """The rows themselves (`none`), their `sum` or their `mean`.

    Args:
        rows: A loss a row or an element.
        reduction: `none`, `sum` or `mean`.
        divisor: What a mean divides the sum by; None: the number of rows. Where rows are ignored or weighted,
            it is the sum of their weights.

    Raises:
        FormulaError: There is no such reduction.
    """
    if reduction == "none":
        return rows
    if reduction == "sum":
        return sum(rows)
    if reduction in ("mean", "elementwise_mean"):
        return mean(rows) if divisor is None else sum(rows) / as_node(divisor)
    raise FormulaError(f"reduce: the reduction is none, sum or mean, not {reduction!r}")
