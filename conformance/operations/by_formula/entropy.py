"""entropy(logits): Shannon entropy of a categorical distribution given by its logits, by a formula."""

from __future__ import annotations

from conformance.operations.base import Relation
from conformance.operations.formula import graph
from conformance.operations.formula import language as m
from conformance.operations.formula.graph import Node
from conformance.operations.formula.shipped import shipped


@shipped(
    formulations=("functional", "composed", "naive", "manual"),
    relations=(
        Relation("-sum p log_softmax = entropy", "composed", "functional", "the definition of the entropy"),
        Relation("-sum p log(p) = entropy", "naive", "functional", "the definition of the entropy"),
        Relation(
            "logsumexp - sum p x = entropy",
            "manual",
            "functional",
            "entropy_from_logits of verl (verl/utils/torch_functional.py)",
        ),
    ),
    rows=True,
    logits=m.scores,
)
def entropy(logits: Node) -> Node:
    """-sum p log p over the classes (axis 1, or 0 of a single row), p = softmax(logits), in nats.

    A class masked by -inf adds nothing (0 log 0 = 0) and has no gradient.
    """
    axis = graph.class_axis(logits)
    log_p = m.log_softmax(logits, axis)
    p = graph.computed_as(m.softmax(logits, axis), m.exp(log_p))
    body = -m.sum(p * log_p, axis, keepdims=True)

    def adjoint(upstream: Node) -> list[Node]:
        """-g p (x - sum p x), which backward passes take apart: through log-softmax, and through softmax."""
        shifted = logits - graph.stopped(m.max(logits, axis, keepdims=True))
        exact = -(upstream * p) * (shifted - m.sum(p * shifted, axis, keepdims=True))
        to_log_p, to_p = -(upstream * p), -(upstream * log_p)
        first = to_log_p - p * m.sum(to_log_p, axis, keepdims=True)
        second = p * (to_p - m.sum(p * to_p, axis, keepdims=True))
        return [graph.computed_as(exact, first + second)]

    whole = graph.with_adjoint(body, [logits], adjoint)
    return m.reshape(whole, logits.shape[:axis] + logits.shape[axis + 1 :])
