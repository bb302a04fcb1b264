"""Memory layouts of PyTorch's tensors."""

from __future__ import annotations

import math

import torch

from ..base import Tensor, Unsupported
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


def lay_out(tensor: Tensor, layout: Layout) -> Tensor:
    """The same values in another memory layout; Unsupported for negative strides, which torch has not."""
    order = memory_order(layout, tensor.dim())
    if order is not None:
        return tensor.permute(order).contiguous().permute(inverse(order))
    labels = NO_UNSIGNED_LABEL if tensor.dtype == torch.uint8 else NO_LABEL
    between = math.nan if tensor.is_floating_point() else labels
    if layout == "strided":
        return torch.stack((tensor, torch.full_like(tensor, between)), -1).flatten(-2)[..., ::2]
    if layout == "broadcast":
        return tensor[:1].clone().expand_as(tensor)
    if layout == "padded":
        width = tensor.shape[-1]
        wider = tensor.new_full(tensor.shape[:-1] + (width + padding(width),), between)
        wider[..., :width] = tensor
        return wider[..., :width]
    if layout == "offset":
        longer = tensor.new_full((tensor.numel() + 2 * OFFSET_ELEMENTS,), between)
        view = longer[OFFSET_ELEMENTS : OFFSET_ELEMENTS + tensor.numel()].view(tensor.shape)
        return view.copy_(tensor)
    if layout == "far":
        return apart(tensor)
    raise Unsupported("torch has no tensors of negative strides")


def apart(tensor: Tensor) -> Tensor:
    """Rows 2^30 elements apart, in memory that is not reserved."""
    if tensor.device.type != "cpu" or not hasattr(torch, "frombuffer"):
        raise Unsupported("torch takes memory that is not reserved from 1.10 on, on the CPU alone")
    try:
        memory = far_memory(tensor.shape, tensor.element_size())
    except OSError as error:
        raise Unsupported("rows 2^30 elements apart: {}".format(error)) from error
    strides = far_strides(tensor.shape)
    return torch.frombuffer(memory, dtype=tensor.dtype).as_strided(tensor.shape, strides).copy_(tensor)
