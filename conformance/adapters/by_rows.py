"""Call on a row (``vmap``): what stands for a call on a batch, mapped over its rows."""

from __future__ import annotations

from typing import Any, Dict

from .base import Array, Call, Unsupported

#: Operations that work along an axis, and those whose class axis a row must keep alone.
ALONG_AN_AXIS = ("softmax", "log_softmax", "logsumexp")
OF_CLASSES = ("nll_loss", "cross_entropy", "token_log_prob", "entropy", "js_div", "capped_cross_entropy")
#: Operations of which one input is no batch of rows.
OF_A_HEAD = ("linear_cross_entropy",)


def row_call(operation: str, call: Call, arrays: Dict[str, Array]) -> Call:
    """The call on one row; its inputs are mapped along their first axis, weights are shared.

    Raises Unsupported for a batch that is no batch of independent rows.
    """
    first = arrays[call.inputs[0]]
    scalars: Dict[str, Any] = dict(call.scalars)
    if not first.ndim or not first.shape[0]:
        raise Unsupported("vmap needs rows to map over")
    if operation in ALONG_AN_AXIS:
        axis = scalars.get("axis", -1)
        if axis is None or axis in (0, -first.ndim):
            raise Unsupported("vmap maps over the first axis, and this is the operation's own")
        if -first.ndim < axis < first.ndim:
            scalars["axis"] = axis % first.ndim - 1  # any other lies outside of a row too
    elif operation in OF_CLASSES and first.ndim != 2:
        raise Unsupported("vmap maps over rows of classes, of shape (N, C) alone")
    elif operation == "attention" and first.ndim < 3:
        raise Unsupported("vmap would map over the keys as well as over the queries")
    elif operation in OF_A_HEAD:
        raise Unsupported("vmap would map over the head's classes as well as over rows")
    if operation == "one_hot":
        if scalars.get("num_classes", -1) < 0:
            raise Unsupported("vmap sees a row alone, which does not tell how many classes the others need")
    elif "target" in call.inputs and scalars.get("reduction", "mean") != "none":
        raise Unsupported("vmap keeps rows apart: reduction none alone")
    if operation.startswith("binary") and not {"weight", "pos_weight"}.isdisjoint(arrays):
        raise Unsupported("vmap would share the weights of the elements among all rows")
    if "where" in arrays:
        raise Unsupported("vmap would share the mask of the elements among all rows")
    return call._replace(scalars=tuple(sorted(scalars.items())))
