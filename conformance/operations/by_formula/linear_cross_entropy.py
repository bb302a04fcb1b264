"""linear_cross_entropy(hidden, head, target): cross-entropy of hidden @ head^T + bias, by a formula."""

from __future__ import annotations

from conformance.operations.base import Relation
from conformance.operations.formula import language as m
from conformance.operations.formula.class_losses import loss_of_labels
from conformance.operations.formula.graph import Node
from conformance.operations.formula.shipped import shipped

_DOCUMENTED = "torch.nn.functional.linear_cross_entropy, documentation of PyTorch 2.13"


@shipped(
    formulations=("functional", "chunked", "composed", "naive"),
    relations=(
        Relation(
            "linear_cross_entropy in chunks = linear_cross_entropy", "chunked", "functional", _DOCUMENTED
        ),
        Relation("cross_entropy(linear) = linear_cross_entropy", "naive", "functional", _DOCUMENTED),
        Relation(
            "cross_entropy(linear) in float32 = linear_cross_entropy",
            "composed",
            "functional",
            "the definition of the loss",
        ),
    ),
    differentiated=("bias",),
    # torch's functional one rounds the logits to half types, which a fused kernel must not.
    controls=("composed", "functional"),
    hidden=m.matrix("rows", "features"),
    head=m.matrix("classes", "features"),
    target=m.labels,
    weight=m.weights,
)
def linear_cross_entropy(
    hidden: Node,
    head: Node,
    target: Node,
    *,
    bias: Node | None = None,
    weight: Node | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Node:
    """Cross-entropy of a linear layer's outputs, which a fused kernel never stores in the dtype."""
    log_p = m.log_softmax(m.linear(hidden, head, bias))
    return loss_of_labels(log_p, target, weight, ignore_index, label_smoothing, reduction)
