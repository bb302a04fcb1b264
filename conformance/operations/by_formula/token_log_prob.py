"""token_log_prob(logits, target): the log-probability of each row's label at a temperature, by a formula."""

from __future__ import annotations

from conformance.operations.base import Relation
from conformance.operations.formula import language as m
from conformance.operations.formula.graph import Node
from conformance.operations.formula.shipped import shipped


@shipped(
    formulations=("functional", "composed", "naive"),
    relations=(
        Relation(
            "log_softmax at the label = -cross_entropy",
            "composed",
            "functional",
            "the definition of the loss",
        ),
        Relation(
            "log(softmax) at the label = -cross_entropy", "naive", "functional", "the definition of softmax"
        ),
    ),
    logits=m.scores,
    target=m.labels,
)
def token_log_prob(logits: Node, target: Node, *, temperature: float = 1.0) -> Node:
    """The logarithm of softmax(logits / temperature) at each row's label, as sampled tokens are scored."""
    scaled = logits if temperature == 1 else logits / temperature
    return m.take(m.log_softmax(scaled), target)
