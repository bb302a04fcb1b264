"""Derivatives of an expression graph, as graphs: reverse-mode differentiation (the adjoint program)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from conformance.operations.formula import graph
from conformance.operations.formula.graph import Node, broadcast, constant, elementwise, where

Rule = Callable[[Node, Node], tuple["Node | None", ...]]


def gradients(result: Node, inputs: Sequence[Node], upstream: Node) -> list[Node]:
    """The derivatives of <result, upstream> with respect to each input.

    Args:
        result: The expression to differentiate.
        inputs: Real input nodes.
        upstream: A node of the result's shape.
    """
    adjoints: dict[int, Node] = {id(result): upstream}
    wanted = {id(node) for node in inputs}
    order = graph.ordered([result])
    depends = set(wanted)
    for node in order:
        if any(id(operand) in depends for operand in node.operands):
            depends.add(id(node))
    for node in reversed(order):
        adjoint = adjoints.get(id(node))
        if adjoint is None or node.primitive not in RULES or id(node) not in depends:
            continue
        for operand, part in zip(node.operands, RULES[node.primitive](node, adjoint), strict=True):
            if part is None or id(operand) not in depends:
                continue
            before = adjoints.get(id(operand))
            adjoints[id(operand)] = part if before is None else before + part
    return [adjoints.get(id(node), broadcast(constant(0.0), node.shape)) for node in inputs]


def _unbroadcast(node: Node, adjoint: Node) -> tuple[Node]:
    """The sum over the axes along which the operand was repeated."""
    (operand,) = node.operands
    added = node.ndim - operand.ndim
    repeated = tuple(
        number
        for number, size in enumerate(node.shape)
        if number < added or (operand.shape[number - added] == 1 and size != 1)
    )
    summed = graph.reduced("sum", adjoint, repeated, True) if repeated else adjoint
    return (graph.reshape(summed, operand.shape),)


def _maximum(node: Node, adjoint: Node) -> tuple[Node, Node]:
    left, right = node.operands
    half = where(left == right, adjoint * 0.5, 0.0)
    return where(right < left, adjoint, half), where(left < right, adjoint, half)


def _max(node: Node, adjoint: Node) -> tuple[Node]:
    (operand,) = node.operands
    attained = where(operand == broadcast(node, operand.shape), 1.0, 0.0)
    count = graph.reduced("sum", attained, node.options["axes"], True)
    return (attained * broadcast(adjoint / count, operand.shape),)


def _divide(node: Node, adjoint: Node) -> tuple[Node, Node]:
    _, divisor = node.operands
    left = adjoint / divisor
    return left, -(left * node)


def _power(node: Node, adjoint: Node) -> tuple[Node]:
    (base,) = node.operands
    exponent = node.options["exponent"]
    if exponent == 0.0:
        return (adjoint * 0.0,)
    slope = base ** (exponent - 1.0) * exponent if exponent != 1.0 else constant(1.0)
    return (adjoint * slope,)


def _abs(node: Node, adjoint: Node) -> tuple[Node]:
    (x,) = node.operands
    return (where(x > 0, adjoint, where(x < 0, -adjoint, adjoint * 0.0)),)


def _matmul(node: Node, adjoint: Node) -> tuple[Node, Node]:
    left, right = node.operands
    return (
        graph.matmul(adjoint, graph.transposed(right)),
        graph.matmul(graph.transposed(left), adjoint),
    )


def _take(node: Node, adjoint: Node) -> tuple[Node, None]:
    operand, labels = node.operands
    return graph.scattered(adjoint, labels, operand.shape, node.options["axis"]), None


def _scatter(node: Node, adjoint: Node) -> tuple[Node, None]:
    _, labels = node.operands
    return Node("take", (adjoint, labels), labels.shape, options=dict(node.options)), None


def _sigmoid(node: Node, adjoint: Node) -> tuple[Node]:
    (x,) = node.operands
    return (adjoint * (node * elementwise("sigmoid", -x)),)


#: For each primitive, the adjoints of its operands, given the node and its own adjoint; without a rule: none.
RULES: dict[str, Rule] = {
    "add": lambda node, a: (a, a),
    "subtract": lambda node, a: (a, -a),
    "multiply": lambda node, a: (a * node.operands[1], a * node.operands[0]),
    "divide": _divide,
    "negate": lambda node, a: (-a,),
    "power": _power,
    "exp": lambda node, a: (a * node,),
    "expm1": lambda node, a: (a * elementwise("exp", node.operands[0]),),
    "log": lambda node, a: (a / node.operands[0],),
    "log1p": lambda node, a: (a / (1.0 + node.operands[0]),),
    "sqrt": lambda node, a: (a * 0.5 / node,),
    "abs": _abs,
    "maximum": _maximum,
    "max": _max,
    "where": lambda node, a: (None, where(node.operands[0], a, 0.0), where(node.operands[0], 0.0, a)),
    "sigmoid": _sigmoid,
    "softplus": lambda node, a: (a * elementwise("sigmoid", node.operands[0]),),
    "shift": lambda node, a: (a, None),
    "with_adjoint": lambda node, a: (None, node.options["adjoint"](a)),
    "sum": lambda node, a: (broadcast(a, node.operands[0].shape),),
    "broadcast": _unbroadcast,
    "reshape": lambda node, a: (graph.reshape(a, node.operands[0].shape),),
    "transpose": lambda node, a: (graph.transposed(a),),
    "matmul": _matmul,
    "take": _take,
    "scatter": _scatter,
}
