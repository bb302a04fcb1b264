"""JAX's modes by the names of the description's rows: how each wraps a call."""

from __future__ import annotations

from typing import Callable, Dict, FrozenSet, Tuple

import jax
import jax.numpy as jnp

from ..base import Call, Tensor

Tensors = Dict[str, Tensor]


def row_by_row(call: Call, tensors: Tensors) -> Tensor:
    """The results of a call on each row of its inputs; the other tensors are shared."""
    inputs, shared = parted(call, tensors)
    return jax.vmap(lambda *rows: call(dict(zip(call.inputs, rows), **shared)))(*inputs)


def over_unequal_axes(call: Call, tensors: Tensors) -> Tensor:
    """The same, where the rows lie along the first input's last axis, and along the last of the result."""
    inputs, shared = parted(call, tensors)

    def function(shared: Tensors, *rows: Tensor) -> Tensor:
        return call(dict(zip(call.inputs, rows), **shared))

    axes = (None, -1) + (0,) * (len(inputs) - 1)
    mapped = jax.vmap(function, in_axes=axes, out_axes=-1)
    return jnp.moveaxis(mapped(shared, jnp.moveaxis(inputs[0], 0, -1), *inputs[1:]), -1, 0)


def checkpointed(call: Call, tensors: Tensors) -> Tensor:
    """The call's result; what its gradient needs of the way there is computed again."""
    return jax.checkpoint(lambda arrays: call(arrays))(tensors)


def parted(call: Call, tensors: Tensors) -> Tuple[Tuple[Tensor, ...], Tensors]:
    """The call's inputs in their order, and the other tensors."""
    shared = {name: tensor for name, tensor in tensors.items() if name not in call.inputs}
    return tuple(tensors[name] for name in call.inputs), shared


#: What gives a call's result on tensors.
MODES: Dict[str, Callable[[Call, Tensors], Tensor]] = {
    "jit": Call.__call__,
    "eager": Call.__call__,
    "vmap": row_by_row,
    "vmap_axes": over_unequal_axes,
    "checkpoint": checkpointed,
}
#: Those whose call is on a row in the place of the batch.
BY_ROWS: FrozenSet[str] = frozenset(("vmap", "vmap_axes"))
