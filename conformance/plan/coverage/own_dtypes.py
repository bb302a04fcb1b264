"""Classes of tensors that have a dtype of their own (`dtype_of`): wider or narrower ones, integers, flags."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from conformance.adapters.promotion import BITS
from conformance.operations import Operation

NONE = "none"
#: Of a floating tensor beside the others; of two half types neither is wider.
OF_TENSORS = ("wider", "narrower", "the other half type")
#: Of scores that are no floating numbers.
OF_SCORES = ("integral scores", "boolean scores")
FLOATING_LABELS = "floating labels"
#: Operations whose first input is no score: an integer among probabilities is 0 or 1.
_OF_PROBABILITIES = ("binary_cross_entropy", "nll_loss", "kl_div")


def declared(operation: Operation) -> Sequence[str]:
    """The classes that an operation has."""
    kinds = [item.kind for item in operation.inputs]
    # Where elements are left out is no number.
    tensors = [item.name for item in operation.parameters if item.kind == "tensor" and item.name != "where"]
    floating = sum(kind != "labels" for kind in kinds)
    beside = OF_TENSORS if floating > 1 or (floating and tensors) else ()
    scores = OF_SCORES if floating and not _lacks_scores(operation) else ()
    labels = (FLOATING_LABELS,) if not all(kind == "floating" for kind in kinds) else ()
    return (NONE, *beside, *scores, *labels)


def _lacks_scores(operation: Operation) -> bool:
    return operation.name in _OF_PROBABILITIES or operation.inputs[0].name in ("hidden", "query")


def of_tensors(arguments: Mapping[str, Any], dtype_of: Mapping[str, str], dtype: str) -> Iterator[str]:
    """The classes of a case's tensors in a dtype.

    Args:
        arguments: inputs and parameters by name.
        dtype_of: dtypes of the tensors that have one of their own.
        dtype: the dtype of the others.
    """
    if not dtype_of:
        yield NONE
    for name, own in dtype_of.items():
        if own not in BITS:
            yield OF_SCORES[own == "bool"]
        elif arguments[name].dtype.kind != "f":
            yield FLOATING_LABELS
        elif own != dtype:
            bits = [BITS[each] for each in (own, dtype)]
            yield OF_TENSORS[0 if bits[0] > bits[1] else 1 if bits[0] < bits[1] else 2]
