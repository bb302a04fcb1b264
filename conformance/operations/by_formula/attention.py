"""attention(query, key, value): one head of scaled dot-product attention, by a formula."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from conformance.operations.base import Arguments, Relation, tensor
from conformance.operations.formula import graph
from conformance.operations.formula import language as m
from conformance.operations.formula.graph import Node
from conformance.operations.formula.shipped import shipped


def _undefined(arguments: Arguments, quantity: str) -> npt.NDArray[np.bool_]:
    """Results of the queries that no key is left for; their weights reach the gradient of every value."""
    gone = np.zeros((1, 1), bool)
    if arguments.get("where") is not None:
        gone = np.asarray((tensor(arguments, "where") == 0).all(axis=1, keepdims=True))
    if quantity == "value":
        return gone
    return np.full((1, 1), quantity == "gradient:value" and bool(gone.any()))


@shipped(
    formulations=("functional", "module", "composed", "naive"),
    relations=(
        Relation("softmax(Q K^T / sqrt(d)) V = attention", "naive", "functional", "the definition"),
        Relation("the same in float32 = attention", "composed", "functional", "the definition"),
        Relation("Keras' Attention = the same in float32", "module", "composed", "the definition"),
    ),
    # In half types the textbook's stores the scores, which a fused kernel must not.
    controls=("functional", "composed"),
    undefined=_undefined,
    query=m.matrix("rows", "features"),
    key=m.matrix("keys", "features"),
    value=m.matrix("keys", "values"),
)
def attention(query: Node, key: Node, value: Node, *, scale: float = 0.0, where: Node | None = None) -> Node:
    """softmax(scale query key^T) value, with -inf in the place of the scores that `where` leaves out.

    A `scale` of 0 is one over the square root of the number of features. A query that no key is left for has
    no value: nan, and derivatives of 0; its weights, nan, have a part in the gradient of every value.
    """
    scores = m.linear(query, key)
    root = graph.elementwise("sqrt", float(query.shape[1]), stored=False)
    factor = graph.elementwise("divide", 1.0, root, stored=False)
    if scale:
        factor = Node("constant", (), (), options={"value": float(scale), "stored": False})
    scores = graph.elementwise("multiply", scores, factor, stored=False)
    if where is None:
        return m.softmax(scores, 1) @ value
    kept = m.where(where == 0.0, 0.0, 1.0)
    some = m.sum(kept, 1, keepdims=True)
    scores = m.where(some == 0.0, 0.0, m.where(where == 0.0, float("-inf"), scores))
    return m.where(some == 0.0, 0.0, m.softmax(scores, 1)) @ value
