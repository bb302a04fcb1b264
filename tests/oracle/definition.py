"""Every operation and its gradient, written out from the definition in mpmath: plain loops, no cleverness.

Inputs are NumPy arrays, taken at the exact values that they hold: finite, or -inf where a row keeps a
finite entry. Results are object arrays of mpmath numbers, right to 400 bits and more. Gradients are for an
upstream gradient of ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from mpmath import mp

from oracle import losses, rows
from oracle.values import Array

VALUES: dict[str, Callable[..., Array]] = {
    "sigmoid": losses.sigmoid,
    "log_sigmoid": losses.log_sigmoid,
    "softmax": rows.softmax,
    "log_softmax": rows.log_softmax,
    "logsumexp": rows.logsumexp,
    "one_hot": rows.one_hot,
    "nll_loss": losses.nll_loss,
    "cross_entropy": losses.cross_entropy,
    "binary_cross_entropy": losses.binary_cross_entropy,
    "binary_cross_entropy_with_logits": losses.binary_cross_entropy_with_logits,
}

GRADIENTS: dict[tuple[str, str], Callable[..., Array]] = {
    ("sigmoid", "x"): losses.sigmoid_gradient,
    ("log_sigmoid", "x"): losses.log_sigmoid_gradient,
    ("softmax", "x"): rows.softmax_gradient,
    ("log_softmax", "x"): rows.log_softmax_gradient,
    ("logsumexp", "x"): rows.logsumexp_gradient,
    ("nll_loss", "log_probs"): losses.nll_loss_gradient,
    ("cross_entropy", "logits"): losses.cross_entropy_gradient,
    ("cross_entropy", "target"): losses.cross_entropy_target_gradient,
    ("binary_cross_entropy", "probs"): losses.binary_gradient(losses.bce_slope),
    ("binary_cross_entropy", "target"): losses.binary_gradient(losses.bce_target_slope),
    ("binary_cross_entropy_with_logits", "logits"): losses.binary_gradient(losses.logits_slope),
    ("binary_cross_entropy_with_logits", "target"): losses.binary_gradient(losses.logits_target_slope),
    ("nll_loss", "weight"): losses.nll_loss_weight_gradient,
    ("cross_entropy", "weight"): losses.cross_entropy_weight_gradient,
    ("binary_cross_entropy", "weight"): losses.factor_gradient("weight", losses.bce_term),
    ("binary_cross_entropy_with_logits", "weight"): losses.factor_gradient("weight", losses.logits_term),
    ("binary_cross_entropy_with_logits", "pos_weight"): losses.factor_gradient(
        "pos_weight", losses.logits_pos_weight_slope
    ),
}


def value(operation: str, inputs: tuple[Array, ...], parameters: dict[str, Any]) -> Array:
    """The operation's result."""
    with mp.workprec(precision(inputs)):
        return VALUES[operation](*inputs, **parameters)


def gradient(operation: str, name: str, inputs: tuple[Array, ...], parameters: dict[str, Any]) -> Array:
    """The derivative of the sum of the result's elements with respect to each element of the named array."""
    with mp.workprec(precision(inputs)):
        return GRADIENTS[operation, name](*inputs, **parameters)


def precision(inputs: tuple[Array, ...]) -> int:
    """Bits enough for 1 + exp(-2 max |x|), and for 1 - min |x|, to keep 512 of their second terms."""
    sizes = np.concatenate([np.abs(x.astype(np.float64)).ravel() for x in inputs])
    sizes = sizes[np.isfinite(sizes) & (sizes > 0)]
    return 512 + 3 * int(np.ceil(sizes.max(initial=1.0))) - int(np.floor(np.log2(sizes.min(initial=1.0))))
