"""Memory layouts: where the elements of a tensor lie, whatever their values."""

from __future__ import annotations

import mmap
import sys
from typing import Any, Optional, Sequence, Tuple, Union

#: A name of LAYOUTS, or the axes from the outermost to the innermost in memory, as [2, 0, 1].
Layout = Union[str, Sequence[int]]

#: The axes in reverse order; the classes (axis 1) innermost; every second element of a longer last axis;
#: the first columns of a buffer as wide as a multiple of 64; a view that begins behind its storage's first
#: elements; backwards along the last axis; one row for all of them; rows 2^30 elements apart.
LAYOUTS = (
    "transposed",
    "channels_last",
    "strided",
    "padded",
    "offset",
    "reversed",
    "broadcast",
    "far",
)
#: What lies between the elements of labels; between floating numbers lies nan.
NO_LABEL = -7
#: The same for labels of uint8, which have no sign.
NO_UNSIGNED_LABEL = NO_LABEL % 256
#: The width of a padded buffer is a multiple of this many elements.
PAD_ELEMENTS = 64
#: So many elements lie before and behind a view with an offset: no vector of a kernel is aligned there.
OFFSET_ELEMENTS = 3
#: Elements from one row to the next: the third row's offset does not fit into 32 bits.
FAR_ELEMENTS = 1 << 30
#: Linux's flag for memory of which no page is promised before it is touched.
NO_RESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000)


def memory_order(layout: Layout, axes: int) -> Optional[Tuple[int, ...]]:
    """The axes from the outermost to the innermost in memory; None for a layout that is no order of them."""
    if not isinstance(layout, str):
        return tuple(layout)
    if layout == "transposed":
        return tuple(reversed(range(axes)))
    if layout == "channels_last":
        return (0,) + tuple(range(2, axes)) + (1,)
    return None


def inverse(order: Sequence[int]) -> Tuple[int, ...]:
    """The order that undoes another one."""
    return tuple(sorted(range(len(order)), key=order.__getitem__))


def padding(width: int) -> int:
    """How many elements a padded buffer has beyond so many columns: at least one."""
    return PAD_ELEMENTS - width % PAD_ELEMENTS


def far_strides(shape: Sequence[int]) -> Tuple[int, ...]:
    """The strides in elements of rows that lie apart: contiguous, but for the first axis."""
    strides = [1]
    for size in reversed(shape[1:]):
        strides.insert(0, strides[0] * size)
    return (FAR_ELEMENTS,) + tuple(strides[1:])


def far_memory(shape: Sequence[int], element_bytes: int) -> Any:
    """Virtual memory for such rows, of which only the pages that are touched exist.

    Raises OSError where the system has no such memory, or not so much of it.
    """
    if not sys.platform.startswith("linux"):
        raise OSError("memory that is not reserved is Linux's")
    size = (shape[0] - 1) * FAR_ELEMENTS + far_strides(shape)[1] * shape[1] if len(shape) > 1 else 1
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | NO_RESERVE
    return mmap.mmap(-1, max(1, size) * element_bytes, flags=flags)
