"""Gradients with respect to weights: few losses define them, and a function that gives none is not wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from conformance.cases.case import Case
from conformance.judging.observation import STORAGE, digest_of

Row = dict[str, Any]

_GRADIENT = "gradient:"
#: What autograd says of a tensor that is no part of the graph: torch, then TensorFlow's tapes and graphs.
_NO_GRAPH = re.compile(
    r"appears to not have been used in the graph|does not require grad and does not have a grad_fn"
    r"|Attempt to convert a value \(None\)|None values not supported"
)


def leave_out(rows: Sequence[Row], cases: Mapping[str, Case]) -> None:
    """Makes `unsupported` the gradients with respect to weights that a function does not give.

    It gives none where autograd finds no graph from the loss to the weights; where it raises throughout; and
    where it returns zeros throughout, as `jax.custom_vjp` and `torch.func` do for a tensor without a graph.
    Throughout: with labels, or with class probabilities, in every case and dtype.

    Args:
        rows: The function's checks.
        cases: The cases by their ids.
    """
    groups: dict[tuple[str, bool], list[Row]] = {}
    for row in rows:
        case = cases[row["case"]]
        if row["verdict"] == "unsupported" or case.expect == "error" or not _of_weight(row, case):
            continue
        if row["verdict"] == "raised" and _NO_GRAPH.search(str(row["message"])):
            _mark(row, f"gives no {_in_words(row)}: {row['message']}")
        else:
            labels = any(tensor.integral for tensor in case.inputs.values())
            groups.setdefault((row["quantity"], labels), []).append(row)
    for group in groups.values():
        raised = all(row["verdict"] == "raised" for row in group)
        if raised or all(_are_zeros(row, cases[row["case"]]) for row in group):
            for row in group:
                said = f"raises throughout: {row['message']}" if raised else "returns zeros throughout"
                _mark(row, f"gives no {_in_words(row)}: {said}")


def _of_weight(row: Row, case: Case) -> bool:
    """Whether a check is of a gradient with respect to a parameter, not to an input."""
    quantity = str(row["quantity"])
    return quantity.startswith(_GRADIENT) and quantity[len(_GRADIENT) :] not in case.inputs


def _in_words(row: Row) -> str:
    return f"gradient with respect to the {row['quantity'][len(_GRADIENT) :]}"


def _mark(row: Row, message: str) -> None:
    row.update(verdict="unsupported", conforms=None, ulp_error=None, message=message)


def _are_zeros(row: Row, case: Case) -> bool:
    """Whether every element that was returned is 0, bit for bit."""
    dtype = case.dtype_of_tensor(str(row["quantity"])[len(_GRADIENT) :], row["dtype"])
    return bool(row["bits"] == digest_of(np.zeros(row["elements"] or 0, STORAGE[dtype])))
