"""kl_div(input, target): Kullback-Leibler divergence of log-probabilities from a target, by a formula."""

from __future__ import annotations

from conformance.operations.base import REDUCTIONS, Relation
from conformance.operations.formula import graph
from conformance.operations.formula import language as m
from conformance.operations.formula.graph import Node
from conformance.operations.formula.shipped import shipped

_CLASS = "torch.nn.KLDivLoss and torch.nn.functional.kl_div, documentation of PyTorch"


@shipped(
    formulations=("functional", "module", "composed", "naive"),
    relations=(
        Relation("module = functional", "module", "functional", _CLASS),
        Relation(
            "t log t - t x, 0 log 0 = 0 = kl_div", "composed", "functional", "the definition of the loss"
        ),
        Relation("t log(t / exp x) = kl_div", "naive", "functional", "the definition of the loss"),
    ),
    reductions=(*REDUCTIONS, "batchmean"),
    input=m.log_probs,
    target=m.probabilities,
)
def kl_div(input: Node, target: Node, *, log_target: bool = False, reduction: str = "mean") -> Node:
    """t (log t - x), element by element, of probabilities t or of their logarithms (`log_target`).

    A target of 0 removes its term, and has the derivative of its limit: -inf. `batchmean` divides the sum
    by the size of the first axis (a number's by 1), where `mean` divides it by the number of elements.
    """
    rows = m.exp(target) * (target - input) if log_target else _of_probabilities(input, target)
    if reduction != "batchmean":
        return m.reduce(rows, reduction)
    return m.sum(rows) / float(rows.shape[0]) if rows.ndim else rows


def _of_probabilities(x: Node, t: Node) -> Node:
    """t (log t - x), which the frameworks compute as t log t - t x, and differentiate term by term."""
    x, t = (graph.broadcast(node, graph.common_shape([x, t])) for node in (x, t))
    log_t = m.log(t)
    body = graph.computed_as(t * (log_t - x), t * log_t - t * x)

    def adjoint(upstream: Node) -> list[Node]:
        by_terms = (upstream * log_t + upstream) - upstream * x
        return [-(upstream * t), graph.computed_as(upstream * (log_t - x + 1.0), by_terms)]

    return graph.with_adjoint(body, [x, t], adjoint)
