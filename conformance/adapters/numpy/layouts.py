"""Memory layouts of NumPy's arrays."""

from __future__ import annotations

import numpy as np

from ..base import Array, Unsupported
from ..layouts import (
    NO_LABEL,
    NO_UNSIGNED_LABEL,
    OFFSET_ELEMENTS,
    Layout,
    far_memory,
    far_strides,
    inverse,
    memory_order,
    padding,
)


def lay_out(array: Array, layout: Layout) -> Array:
    """The same values in another memory layout."""
    order = memory_order(layout, array.ndim)
    if order is not None:
        return np.ascontiguousarray(array.transpose(order)).transpose(inverse(order))
    between = {"f": np.nan, "u": NO_UNSIGNED_LABEL}.get(array.dtype.kind, NO_LABEL)
    if layout == "strided":
        return np.stack((array, np.full_like(array, between)), -1).reshape(array.shape[:-1] + (-1,))[..., ::2]
    if layout == "broadcast":
        return np.broadcast_to(array[:1].copy(), array.shape)
    if layout == "padded":
        width = array.shape[-1]
        wider = np.full(array.shape[:-1] + (width + padding(width),), between, array.dtype)
        wider[..., :width] = array
        return wider[..., :width]
    if layout == "offset":
        longer = np.full(array.size + 2 * OFFSET_ELEMENTS, between, array.dtype)
        view = longer[OFFSET_ELEMENTS : OFFSET_ELEMENTS + array.size].reshape(array.shape)
        view[...] = array
        return view
    if layout == "far":
        return apart(array)
    return np.ascontiguousarray(array[..., ::-1])[..., ::-1]


def apart(array: Array) -> Array:
    """Rows 2^30 elements apart, in memory that is not reserved."""
    try:
        memory = far_memory(array.shape, array.itemsize)
    except OSError as error:
        raise Unsupported("rows 2^30 elements apart: {}".format(error)) from error
    strides = tuple(step * array.itemsize for step in far_strides(array.shape))
    rows = np.ndarray(array.shape, array.dtype, memory, 0, strides)
    rows[...] = array
    return rows
