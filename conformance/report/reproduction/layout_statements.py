"""Layout statements: how a program lays a tensor out in memory as the subject had it."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.adapters.layouts import (
    NO_LABEL,
    OFFSET_ELEMENTS,
    Layout,
    far_strides,
    inverse,
    memory_order,
    padding,
)


def statements(framework: str, name: str, layout: Layout, shape: Sequence[int], floating: bool) -> list[str]:
    """What lays the tensor of this name out; none where the framework has no layouts.

    Args:
        framework: The framework.
        name: The tensor's name.
        layout: Its layout.
        shape: Its shape.
        floating: Whether it holds floating numbers, and nan may lie between them.
    """
    if framework not in ("torch", "numpy"):
        return []
    order = memory_order(layout, len(shape))
    between = 'float("nan")' if floating else str(NO_LABEL)
    facts = _facts(name, shape, between)
    if framework == "torch":
        if order is not None:
            return [f"{name} = {name}.permute({order}).contiguous().permute({inverse(order)})"]
        return [line.format(**facts) for line in _TORCH[str(layout)]]
    if order is not None:
        return [f"{name} = np.ascontiguousarray({name}.transpose({order})).transpose({inverse(order)})"]
    facts["bytes"] = f"{name}.itemsize"
    return [line.format(**facts) for line in _NUMPY[str(layout)]]


def _facts(name: str, shape: Sequence[int], between: str) -> dict[str, object]:
    """What the templates are filled with."""
    width = shape[-1] if shape else 1
    strides = far_strides(shape) if len(shape) > 1 else ()
    return {
        "x": name,
        "bytes": f"{name}.element_size()",
        "between": between,
        "width": width,
        "pad": padding(width),
        "edge": OFFSET_ELEMENTS,
        "shape": tuple(shape),
        "strides": strides,
        "count": (shape[0] - 1) * strides[0] + strides[1] * shape[1] if strides else 1,
    }


_MEMORY = (
    "import mmap",
    "memory = mmap.mmap(-1, {count} * {bytes}, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000)",
)
_TORCH = {
    "strided": ("{x} = torch.stack(({x}, torch.full_like({x}, {between})), -1).flatten(-2)[..., ::2]",),
    "broadcast": ("{x} = {x}[:1].clone().expand_as({x})",),
    "padded": ("{x} = torch.nn.functional.pad({x}, (0, {pad}), value={between})[..., :{width}]",),
    "offset": (
        "{x} = torch.nn.functional.pad({x}.reshape(-1), ({edge}, {edge}), value={between})",
        "{x} = {x}[{edge}:-{edge}].view({shape})",
    ),
    "far": (
        *_MEMORY,
        "{x} = torch.frombuffer(memory, dtype={x}.dtype).as_strided({shape}, {strides}).copy_({x})",
    ),
    "reversed": (),
}
_NUMPY = {
    "strided": (
        "{x} = np.stack(({x}, np.full_like({x}, {between})), -1).reshape({x}.shape[:-1] + (-1,))[..., ::2]",
    ),
    "broadcast": ("{x} = np.broadcast_to({x}[:1].copy(), {x}.shape)",),
    "padded": (
        "wider = [(0, 0)] * ({x}.ndim - 1) + [(0, {pad})]",
        "{x} = np.pad({x}, wider, constant_values={between})[..., :{width}]",
    ),
    "offset": (
        "{x} = np.pad({x}.reshape(-1), {edge}, constant_values={between})[{edge}:-{edge}].reshape({shape})",
    ),
    "far": (
        *_MEMORY,
        "rows = np.ndarray({x}.shape, {x}.dtype, memory, 0, [step * {x}.itemsize for step in {strides}])",
        "rows[...] = {x}",
        "{x} = rows",
    ),
    "reversed": ("{x} = np.ascontiguousarray({x}[..., ::-1])[..., ::-1]",),
}
