"""Derivatives of an expression graph, as graphs: reverse-mode differentiation (the adjoint program).

At a kink (two equal arguments of a maximum, 0 under an absolute value) there is no derivative: it is nan.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from conformance.operations.formula import graph
from conformance.operations.formula.graph import Node, broadcast, constant, elementwise, ratio, where

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


def _no_limit(adjoint: Node) -> Node:
    """The adjoint at a kink: undefined, unless the coefficient before it is exactly 0."""
    return adjoint * constant(math.nan)


def _maximum(node: Node, adjoint: Node) -> tuple[Node, Node]:
    left, right = node.operands
    kink = where(left == right, _no_limit(adjoint), 0.0)
    return where(right < left, adjoint, kink), where(left < right, adjoint, kink)


def _max(node: Node, adjoint: Node) -> tuple[Node]:
    (operand,) = node.operands
    attained = operand == broadcast(node, operand.shape)
    count = graph.reduced("sum", where(attained, 1.0, 0.0), node.options["axes"], True)
    alone = where(count == 1.0, adjoint, _no_limit(adjoint))
    return (where(attained, broadcast(alone, operand.shape), 0.0),)


def _divide(node: Node, adjoint: Node) -> tuple[Node, Node]:
    _, divisor = node.operands
    left = ratio(adjoint, divisor, node.options.get("positive", False))
    return left, -(left * node)


def _power(node: Node, adjoint: Node) -> tuple[Node]:
    (base,) = node.operands
    exponent = node.options["exponent"]
    if exponent == 0.0:
        return (adjoint * 0.0,)
    return (adjoint if exponent == 1.0 else adjoint * (base ** (exponent - 1.0) * exponent),)


def _abs(node: Node, adjoint: Node) -> tuple[Node]:
    (x,) = node.operands
    return (where(x > 0, adjoint, where(x < 0, -adjoint, _no_limit(adjoint))),)


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
    """The slope without cancellation, and s (1 - s), as the frameworks' backward passes compute it.

    Its own slope is the one that double backward computes.
    """
    (x,) = node.operands

    def curvature(upstream: Node) -> list[Node]:
        return [upstream * (slope * (1.0 - 2.0 * node))]

    body = graph.computed_as(node * elementwise("sigmoid", -x), node * (1.0 - node))
    slope = graph.with_adjoint(body, [x], curvature)
    return (adjoint * slope,)


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
    "log": lambda node, a: (ratio(a, node.operands[0], positive=True),),
    "log1p": lambda node, a: (ratio(a, 1.0 + node.operands[0], positive=True),),
    "sqrt": lambda node, a: (ratio(a * 0.5, node, positive=True),),
    "abs": _abs,
    "maximum": _maximum,
    "max": _max,
    "where": lambda node, a: (None, where(node.operands[0], a, 0.0), where(node.operands[0], 0.0, a)),
    "sigmoid": _sigmoid,
    "softplus": lambda node, a: (a * elementwise("sigmoid", node.operands[0]),),
    "shift": lambda node, a: (a, None),
    "with_adjoint": lambda node, a: (None, *node.options["adjoint"](a)),
    "computed_as": lambda _node, a: (a, None),
    "real": lambda _node, _a: (None,),
    "stop": lambda _node, _a: (None,),
    "sum": lambda node, a: (broadcast(a, node.operands[0].shape),),
    "broadcast": _unbroadcast,
    "reshape": lambda node, a: (graph.reshape(a, node.operands[0].shape),),
    "transpose": lambda node, a: (graph.transposed(a),),
    "matmul": _matmul,
    "take": _take,
    "scatter": _scatter,
}
