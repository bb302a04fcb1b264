"""js_div(logits, target): generalised Jensen-Shannon divergence of two distributions, by a formula."""

from __future__ import annotations

from conformance.operations.base import Relation
from conformance.operations.formula import graph
from conformance.operations.formula import language as m
from conformance.operations.formula.graph import FormulaError, Node
from conformance.operations.formula.shipped import shipped

_PAPER = "R. Agarwal et al., On-Policy Distillation of Language Models (2024), arXiv:2306.13649, equation 1"


@shipped(
    formulations=("functional", "composed", "naive"),
    relations=(
        Relation(
            "beta KL(p, m) + (1 - beta) KL(q, m) by kl_div = by terms", "functional", "composed", _PAPER
        ),
        Relation("by probabilities = js_div", "naive", "composed", _PAPER),
    ),
    controls=("composed", "functional"),
    rows=True,
    logits=m.scores,
    target=m.scores,
)
def js_div(logits: Node, target: Node, *, beta: float = 0.5, reduction: str = "mean") -> Node:
    """beta KL(p, m) + (1 - beta) KL(q, m), m = beta p + (1 - beta) q, of each row.

    q is the softmax of the logits (the student's), p that of the target (the teacher's), classes along
    axis 1. beta lies between 0 and 1: at its ends the divergence is 0, and libraries return KL by decision.
    """
    if not 0 < beta < 1:
        raise FormulaError(f"beta must lie between 0 and 1, not {beta:g}")
    axis, rest = graph.class_axis(logits), m.constant(1) - beta
    log_q, log_p = m.log_softmax(logits, axis), m.log_softmax(target, axis)
    top = graph.stopped(m.maximum(log_p, log_q))
    scaled = [graph.Node("shift", (node, top), node.shape) for node in (log_p, log_q)]
    log_m = top + m.log(beta * m.exp(scaled[0]) + rest * m.exp(scaled[1]))
    terms = beta * (m.exp(log_p) * (log_p - log_m)) + rest * (m.exp(log_q) * (log_q - log_m))
    return m.reduce(m.sum(terms, axis), reduction)
