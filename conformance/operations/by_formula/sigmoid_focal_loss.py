"""sigmoid_focal_loss(logits, target): binary cross-entropy with easy elements weighed down, by a formula."""

from __future__ import annotations

from conformance.operations.base import Relation
from conformance.operations.formula import language as m
from conformance.operations.formula.graph import Node
from conformance.operations.formula.shipped import shipped

_PAPER = "T.-Y. Lin et al., Focal Loss for Dense Object Detection (2017), arXiv:1708.02002, equations 4 and 5"


@shipped(
    formulations=("functional", "module", "composed", "naive"),
    relations=(
        Relation("sigmoid_focal_loss of the sigmoid = sigmoid_focal_loss", "naive", "composed", _PAPER),
        Relation("Keras' class = sigmoid_focal_loss", "module", "composed", _PAPER),
    ),
    controls=("composed", "functional"),
    logits=m.scores,
    target=m.targets,
)
def sigmoid_focal_loss(
    logits: Node, target: Node, *, alpha: float = 0.25, gamma: float = 2.0, reduction: str = "mean"
) -> Node:
    """a_t (1 - p_t)^gamma BCE, element by element, with p_t the probability of the target.

    a_t is alpha where the target is 1 and 1 - alpha where it is 0; an alpha below 0 leaves it out.
    """
    p = m.sigmoid(logits)
    agree = p * target + (1 - p) * (1 - target)
    rows = m.binary_cross_entropy_with_logits(logits, target) * (1 - agree) ** gamma
    if alpha >= 0:
        rows = (alpha * target + (m.constant(1) - alpha) * (1 - target)) * rows
    return m.reduce(rows, reduction)
