"""How far a subject may be from the exact value: `bound` and `attainable`, element by element.

One function an operation, `function(arguments, quantity, g, form) -> (bound, attainable)`: absolute
errors, float64 arrays of the quantity's shape, `attainable <= bound`, both finite whatever the inputs;
where the exact value is nan or infinite they mean nothing. `arguments` hold float64 tensors already
rounded to the dtype `form`, `quantity` is `value` or `gradient:<input>`, `g` is the upstream gradient,
of the result's shape.
Formulas and their sources: docs/error-analysis.md.
"""

from __future__ import annotations

from conformance.operations.error_analysis.binary import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
)
from conformance.operations.error_analysis.elementwise import log_sigmoid, one_hot, sigmoid
from conformance.operations.error_analysis.losses import cross_entropy, nll_loss
from conformance.operations.error_analysis.normalized import log_softmax, logsumexp, softmax

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "log_sigmoid",
    "log_softmax",
    "logsumexp",
    "nll_loss",
    "one_hot",
    "sigmoid",
    "softmax",
]
