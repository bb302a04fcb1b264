"""One-hot, wrong."""

from __future__ import annotations

import torch
from correct import check_labels
from table import wrong
from torch import Tensor
from torch.nn import functional as fn


def compared(target: Tensor, num_classes: int) -> Tensor:
    """One-hot by comparison; an out-of-range label gives a row of zeros."""
    return (target.unsqueeze(-1) == torch.arange(num_classes)).long()


@wrong("one_hot", "semantics", "everywhere", "off by one")
def one_hot_from_one(target: Tensor, *, num_classes: int) -> Tensor:
    """Counts labels from one."""
    check_labels(target, num_classes)
    return compared(target - 1, num_classes)


@wrong("one_hot", "semantics", "num_classes", "classes", "shape")
def one_hot_as_many_as_seen(target: Tensor, *, num_classes: int) -> Tensor:
    """As many classes as the largest label asks for, whatever num_classes says."""
    check_labels(target, num_classes)
    return fn.one_hot(target)


@wrong("one_hot", "semantics", "further", "more than", "several", "wrong shape")
def one_hot_classes_first(target: Tensor, *, num_classes: int) -> Tensor:
    """Puts the classes on axis 1 of a target of several axes."""
    encoded = fn.one_hot(target, num_classes)
    return encoded.movedim(-1, 1) if target.dim() > 1 else encoded


@wrong("one_hot", "error handling", "label", "range")
def one_hot_zeros_out_of_range(target: Tensor, *, num_classes: int) -> Tensor:
    """An out-of-range label gives a row of zeros, where it is an error."""
    return compared(target, num_classes)


@wrong("one_hot", "error handling", "label", "negative", "range")
def one_hot_wraps(target: Tensor, *, num_classes: int) -> Tensor:
    """Label -1 is the last class."""
    return fn.one_hot(torch.where(target < 0, target + num_classes, target), num_classes)


@wrong("one_hot", "error handling", "label", "range")
def one_hot_clamps(target: Tensor, *, num_classes: int) -> Tensor:
    """A label beyond the last class is taken for it."""
    return fn.one_hot(target.clamp(max=num_classes - 1), num_classes)


@wrong("one_hot", "numerics", "label", "classes", "large", "half")
def one_hot_labels_in_half(target: Tensor, *, num_classes: int) -> Tensor:
    """Compares labels in float16: beyond 2,048 neighbours are the same."""
    check_labels(target, num_classes)
    return (target.half().unsqueeze(-1) == torch.arange(num_classes).half()).long()


@wrong("one_hot", "semantics", "label", "classes", "8 bit", "large")
def one_hot_labels_in_a_byte(target: Tensor, *, num_classes: int) -> Tensor:
    """Keeps labels in 8 bits: label 128 and those above come out as others."""
    check_labels(target, num_classes)
    return compared(target.to(torch.int8).long() % num_classes, num_classes)


@wrong("one_hot", "error handling", "empty")
def one_hot_of_nothing(target: Tensor, *, num_classes: int) -> Tensor:
    """Looks at the largest label of an empty target, which raises."""
    if int(target.max()) >= num_classes or int(target.min()) < 0:
        raise IndexError("label out of range")
    return compared(target, num_classes)


@wrong("one_hot", "semantics", "repeat", "row", "batch")
def one_hot_of_the_batch(target: Tensor, *, num_classes: int) -> Tensor:
    """Scatters all labels into one row, and repeats it."""
    check_labels(target, num_classes)
    row = torch.zeros(num_classes, dtype=torch.long).index_fill(0, target.flatten(), 1)
    return row.expand(*target.shape, num_classes).clone()
