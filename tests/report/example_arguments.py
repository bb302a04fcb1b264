"""Example arguments of each operation, small enough to stand in a program."""

from __future__ import annotations

from typing import Any

LOGITS = [[10.0, 3.0, 1.0], [-1.0, 0.25, -4.0]]
ARGUMENTS: dict[str, dict[str, Any]] = {
    "sigmoid": {"x": [-12.0, 0.5, 3.0]},
    "log_sigmoid": {"x": [-12.0, 0.5, 3.0]},
    "softmax": {"x": LOGITS, "axis": 1},
    "log_softmax": {"x": LOGITS, "axis": -1},
    "logsumexp": {"x": LOGITS, "axis": 1},
    "one_hot": {"target": [1, 2], "num_classes": 3},
    "nll_loss": {
        "log_probs": [[-0.5, -1.0, -2.0], [-3.0, -0.25, -1.5]],
        "target": [1, 2],
        "reduction": "mean",
    },
    "cross_entropy": {"logits": LOGITS, "target": [1, 2], "reduction": "none"},
    "binary_cross_entropy": {"probs": [0.25, 0.5, 0.75], "target": [0.0, 1.0, 0.5], "reduction": "none"},
    "binary_cross_entropy_with_logits": {
        "logits": [-12.0, 0.5, 3.0],
        "target": [0.0, 1.0, 0.5],
        "pos_weight": [2.0, 1.0, 3.0],
        "reduction": "sum",
    },
    "attention": {
        "query": [[1.0, 2.0], [0.0, -1.0]],
        "key": [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]],
        "value": [[1.0, 0.5], [0.0, 1.0], [-1.0, 2.0]],
        "where": [[1.0, 0.0, 1.0], [1.0, 1.0, 1.0]],
    },
    "entropy": {"logits": LOGITS},
    "js_div": {"logits": LOGITS, "target": [[0.0, 1.0, 2.0], [1.0, 0.0, 0.0]], "beta": 0.25},
    "sigmoid_focal_loss": {"logits": [-2.0, 0.5, 3.0], "target": [0.0, 1.0, 0.5], "gamma": 1.5},
    "kl_div": {"input": [-0.25, -2.0], "target": [0.75, 0.25], "reduction": "batchmean"},
    "capped_cross_entropy": {"logits": LOGITS, "target": [1, 2], "softcap": 2.0, "z_loss": 0.25},
    "token_log_prob": {"logits": LOGITS, "target": [1, 2], "temperature": 0.75},
    "linear_cross_entropy": {
        "hidden": [[1.0, 2.0], [0.0, -1.0]],
        "head": [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]],
        "target": [2, 0],
        "reduction": "mean",
    },
}
