"""Expression graph of a formula: primitive nodes with shapes, made by operators and the vocabulary."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from conformance.errors import ConformanceError

Shape = tuple[int, ...]


class FormulaError(ConformanceError):
    """A formula's text is wrong: an unknown name, shapes that do not fit, a branch on data."""


@dataclass(eq=False, frozen=True)
class Node:
    """One array of a formula: a primitive and what it is applied to.

    Attributes:
        primitive: The name of the primitive, as `add` or `input`.
        operands: The nodes that it is applied to.
        shape: The shape of the array.
        kind: `real`, `integer` (labels) or `truth` (a comparison).
        options: What else the primitive takes, by name: an axis, a constant's value, an input's name.
    """

    primitive: str
    operands: tuple[Node, ...]
    shape: Shape
    kind: str = "real"
    options: Mapping[str, Any] = field(default_factory=dict)

    def __add__(self, other: object) -> Node:
        return elementwise("add", self, other)

    def __radd__(self, other: object) -> Node:
        return elementwise("add", other, self)

    def __sub__(self, other: object) -> Node:
        return elementwise("subtract", self, other)

    def __rsub__(self, other: object) -> Node:
        return elementwise("subtract", other, self)

    def __mul__(self, other: object) -> Node:
        return elementwise("multiply", self, other)

    def __rmul__(self, other: object) -> Node:
        return elementwise("multiply", other, self)

    def __truediv__(self, other: object) -> Node:
        return elementwise("divide", self, other)

    def __rtruediv__(self, other: object) -> Node:
        return elementwise("divide", other, self)

    def __neg__(self) -> Node:
        return elementwise("negate", self)

    def __abs__(self) -> Node:
        return elementwise("abs", self)

    def __pow__(self, exponent: object) -> Node:
        if isinstance(exponent, Node):
            return elementwise("exp", exponent * elementwise("log", self))
        if isinstance(exponent, bool) or not isinstance(exponent, (int, float)):
            raise FormulaError(f"** takes a number or an expression as its exponent, not {exponent!r}")
        return elementwise("power", self, exponent=float(exponent))

    def __rpow__(self, base: object) -> Node:
        return elementwise("exp", self * elementwise("log", constant(base)))

    def __matmul__(self, other: object) -> Node:
        return matmul(self, as_node(other))

    def __lt__(self, other: object) -> Node:
        return comparison("less", self, other)

    def __le__(self, other: object) -> Node:
        return comparison("less_equal", self, other)

    def __gt__(self, other: object) -> Node:
        return comparison("less", other, self)

    def __ge__(self, other: object) -> Node:
        return comparison("less_equal", other, self)

    def __eq__(self, other: object) -> Node:  # type: ignore[override]
        return comparison("equal", self, other)

    def __ne__(self, other: object) -> Node:  # type: ignore[override]
        return comparison("not_equal", self, other)

    __hash__ = object.__hash__
    __array_ufunc__ = None  # so that a NumPy number on the left leaves the operator to this class

    def __bool__(self) -> bool:
        raise FormulaError("a branch on data: write where(condition, a, b) instead of if, and, or, not")

    def __iter__(self) -> Iterator[Node]:
        raise FormulaError("an expression cannot be unpacked or looped over: use sum, max, take with axes")

    def __array__(self, *_: object, **__: object) -> Any:
        raise FormulaError("NumPy's functions take no expressions: use those of conformance.formula")

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)


def constant(value: object) -> Node:
    """A number as an expression without dimensions, rounded to the dtype that is computed in.

    Args:
        value: An integer or a floating number.

    Raises:
        FormulaError: It is neither.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise FormulaError(f"{value!r} stands where a number or an expression must")
    return Node("constant", (), (), options={"value": float(value)})


def as_node(value: object) -> Node:
    """The value as an expression: itself, or a number's constant."""
    return value if isinstance(value, Node) else constant(value)


def broadcast(node: Node, shape: Shape) -> Node:
    """The array repeated along new axes and axes of length 1."""
    return node if node.shape == shape else Node("broadcast", (node,), shape, node.kind)


def common_shape(nodes: Sequence[Node]) -> Shape:
    """The shape that the arrays broadcast to; FormulaError where they do not fit."""
    try:
        return np.broadcast_shapes(*(node.shape for node in nodes))
    except ValueError:
        shapes = " and ".join(str(list(node.shape)) for node in nodes)
        remedy = "reduce with keepdims=True, or take each row's entry"
        raise FormulaError(f"the shapes {shapes} do not fit each other: {remedy}") from None


def elementwise(primitive: str, *operands: object, **options: Any) -> Node:
    """A primitive element by element over operands that are broadcast to one shape."""
    nodes = [to_real(as_node(operand)) for operand in operands]
    shape = common_shape(nodes)
    return Node(primitive, tuple(broadcast(node, shape) for node in nodes), shape, options=options)


def to_real(node: Node) -> Node:
    """Integers as real numbers; FormulaError for a comparison."""
    if node.kind == "truth":
        raise FormulaError("a comparison stands only as the first argument of where(condition, a, b)")
    return Node("real", (node,), node.shape) if node.kind == "integer" else node


def comparison(primitive: str, left: object, right: object) -> Node:
    """The truth of a comparison, element by element; it stands only inside `where`."""
    nodes = [to_real(as_node(left)), to_real(as_node(right))]
    shape = common_shape(nodes)
    return Node(primitive, tuple(broadcast(node, shape) for node in nodes), shape, "truth")


def where(condition: object, yes: object, no: object) -> Node:
    """`yes` where the condition holds, else `no`, element by element; the three shapes are broadcast.

    Args:
        condition: A comparison of expressions, as ``target == ignore_index``.
        yes: An expression or a number.
        no: An expression or a number.

    Raises:
        FormulaError: The condition is no comparison, or the shapes do not fit.
    """
    if not isinstance(condition, Node) or condition.kind != "truth":
        raise FormulaError("the first argument of where is a comparison, as where(x > 0, a, b)")
    nodes = [condition, to_real(as_node(yes)), to_real(as_node(no))]
    shape = common_shape(nodes)
    return Node("where", tuple(broadcast(node, shape) for node in nodes), shape)


def axes_of(node: Node, axis: int | tuple[int, ...] | None) -> tuple[int, ...]:
    """The axes as sorted numbers from 0 on; all of them for None."""
    if axis is None:
        return tuple(range(node.ndim))
    chosen = (axis,) if isinstance(axis, int) else tuple(axis)
    for number in chosen:
        if not -node.ndim <= number < node.ndim:
            raise FormulaError(f"there is no axis {number} in the shape {list(node.shape)}")
    return tuple(sorted({number % node.ndim for number in chosen}))


def reduced(primitive: str, node: Node, axis: int | tuple[int, ...] | None, keepdims: bool) -> Node:
    """A reduction (`sum`, `max`) over axes, which stay with length 1 where `keepdims`."""
    node = to_real(node)
    axes = axes_of(node, axis)
    kept = tuple(1 if number in axes else size for number, size in enumerate(node.shape))
    if primitive == "max" and not all(node.shape[number] for number in axes):
        raise FormulaError("max over an axis of length 0")
    result = Node(primitive, (node,), kept, options={"axes": axes})
    if keepdims:
        return result
    return reshape(result, tuple(size for number, size in enumerate(node.shape) if number not in axes))


def reshape(node: Node, shape: Shape) -> Node:
    """The same elements in another shape."""
    return node if node.shape == shape else Node("reshape", (node,), shape, node.kind)


def transposed(node: Node) -> Node:
    """The last two axes swapped."""
    return Node("transpose", (node,), (*node.shape[:-2], node.shape[-1], node.shape[-2]))


def matmul(left: Node, right: Node, stored: bool = True) -> Node:
    """The product of two matrices; its sums are `stored` in the dtype, or stay in the accumulator."""
    if left.ndim != 2 or right.ndim != 2 or left.shape[1] != right.shape[0]:
        shapes = f"{list(left.shape)} and {list(right.shape)}"
        raise FormulaError(f"@ multiplies matrices [n, k] and [k, m], not {shapes}")
    options = {} if stored else {"stored": False}
    return Node("matmul", (to_real(left), to_real(right)), (left.shape[0], right.shape[1]), options=options)


def class_axis(node: Node) -> int:
    """The axis of classes: 1, but 0 for a single row."""
    return min(1, node.ndim - 1)


def take(node: Node, labels: Node) -> Node:
    """Each row's entry at its label, along the class axis; 0 at a label that is no class.

    Of a table with one axis (class weights), the entry of each label.
    """
    if not isinstance(labels, Node) or labels.kind != "integer":
        raise FormulaError("take(x, labels): the second argument is an input of the kind labels")
    if not node.ndim:
        raise FormulaError("take(x, labels): x has no axis of classes")
    node = to_real(node)
    if node.ndim == 1 and labels.ndim:
        inner = (1,) * (labels.ndim - 1)
        table = reshape(node, (1, node.shape[0], *inner))
        node = broadcast(table, (labels.shape[0], node.shape[0], *labels.shape[1:]))
    axis = class_axis(node)
    if labels.shape != node.shape[:axis] + node.shape[axis + 1 :]:
        raise FormulaError(f"take: labels of shape {list(labels.shape)} do not fit {list(node.shape)}")
    return Node("take", (node, labels), labels.shape, options={"axis": axis})


def scattered(node: Node, labels: Node, shape: Shape, axis: int) -> Node:
    """Each row's number at its label, 0 elsewhere: the transpose of `take`."""
    return Node("scatter", (node, labels), shape, options={"axis": axis})


def stopped(node: Node) -> Node:
    """The array as a constant to differentiation, and free of error of its own."""
    return Node("stop", (node,), node.shape)


def with_adjoint(body: Node, operands: Sequence[Node], adjoint: Callable[[Node], Sequence[Node]]) -> Node:
    """An expression whose derivative is the one that its standard backward pass computes.

    Args:
        body: The expression.
        operands: What it is differentiated with respect to; `body` depends on inputs through them alone.
        adjoint: The operands' adjoints, given that of the expression.
    """
    return Node("with_adjoint", (body, *operands), body.shape, options={"adjoint": adjoint})


def computed_as(exact: Node, standard: Node) -> Node:
    """An expression, and another of the same value that the standard algorithm computes.

    The exact value is that of the first, which has limits where the second has none; the bound is that of
    whichever loses more.
    """
    return Node("computed_as", (exact, standard), exact.shape)


def ratio(numerator: Node, divisor: Node, positive: bool = False) -> Node:
    """A quotient in which a numerator of exactly 0 removes the term, over 0 and over what is undefined.

    Args:
        numerator: The coefficient.
        divisor: What it is divided by, of the same shape.
        positive: Whether a divisor of 0 is the limit of positive numbers: over it the quotient is infinite.
    """
    return Node(
        "divide", (numerator, divisor), numerator.shape, options={"removes": True, "positive": positive}
    )


def ordered(results: Sequence[Node]) -> list[Node]:
    """The nodes that the results need, each behind its operands."""
    order: list[Node] = []
    seen: set[int] = set()
    waiting: list[tuple[Node, bool]] = [(node, False) for node in reversed(results)]
    while waiting:
        node, ready = waiting.pop()
        if ready:
            order.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            waiting.append((node, True))
            waiting += [(operand, False) for operand in node.operands if id(operand) not in seen]
    return order


def described(results: Sequence[Node]) -> str:
    """The graph as text, the same for the same computation: what exact values are kept by."""
    order = ordered(results)
    numbers = {id(node): number for number, node in enumerate(order)}
    lines = []
    for node in order:
        options = sorted((name, value) for name, value in node.options.items() if not callable(value))
        lines.append(
            f"{node.primitive} {[numbers[id(item)] for item in node.operands]} {node.shape} {options}"
        )
    return "\n".join([*lines, str([numbers[id(node)] for node in results])])
