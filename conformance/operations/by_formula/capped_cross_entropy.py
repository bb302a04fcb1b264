"""capped_cross_entropy(logits, target): cross-entropy of soft-capped logits with a z-loss, by a formula."""

from __future__ import annotations

from conformance.operations.base import Relation
from conformance.operations.formula import language as m
from conformance.operations.formula.graph import Node
from conformance.operations.formula.shipped import shipped


@shipped(
    formulations=("functional", "composed"),
    relations=(
        Relation(
            "capped_cross_entropy in float32 = capped_cross_entropy",
            "composed",
            "functional",
            "the definition of the loss",
        ),
    ),
    logits=m.scores,
    target=m.labels,
)
def capped_cross_entropy(
    logits: Node,
    target: Node,
    *,
    softcap: float = 0.0,
    z_loss: float = 0.0,
    logit_scale: float = 1.0,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    divisor: float = 0.0,
    reduction: str = "mean",
) -> Node:
    """Cross-entropy of z = softcap tanh(logit_scale x / softcap), plus z_loss logsumexp(z)^2 a row.

    A softcap of 0 caps nothing. A mean divides by `divisor`, which comes from outside (the rows of a whole
    batch in gradient accumulation), and by the rows that are not ignored where it is 0.
    """
    z = logits if logit_scale == 1 else logits * logit_scale
    if softcap:
        z = softcap * m.tanh(z / softcap)
    log_p, axis = m.log_softmax(z), min(1, logits.ndim - 1)
    rows = -m.take(log_p, target)
    if label_smoothing:
        rest = m.constant(1) - label_smoothing
        rows = rest * rows + label_smoothing * -m.sum(log_p, axis) / logits.shape[axis]
    if z_loss:
        total = m.logsumexp(z)
        rows = rows + z_loss * (total * total)
    ignored = target == ignore_index
    kept = m.sum(m.where(ignored, 0.0, 1.0))
    return m.reduce(m.where(ignored, 0.0, rows), reduction, m.constant(divisor) if divisor else kept)
