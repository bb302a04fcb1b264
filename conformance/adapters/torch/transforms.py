"""PyTorch's modes by function transforms: ``vmap``, ``func`` and ``jacfwd``."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import torch

from ..base import Array, Call, Tensor, Unavailable, Unsupported
from ..by_rows import row_call
from .eager import Eager, Names, Tensors, flow

#: Input elements up to which forward mode computes a column of the Jacobian each.
MAX_COLUMNS = 2048


class Vmapped(Eager):
    """Row by row under ``torch.func.vmap``."""

    def __init__(self) -> None:
        super().__init__()
        require_func("vmap")

    def call(self, operation: str, call: Call, arrays: Dict[str, Array]) -> Call:
        """The call on a row."""
        return row_call(operation, call, arrays)

    def value(self, call: Call, tensors: Tensors, wrt: Names) -> Tensor:
        """The results of all rows."""
        rest = {name: tensor for name, tensor in tensors.items() if name not in call.inputs}
        return torch.func.vmap(lambda *rows: call(dict(zip(call.inputs, rows), **rest)))(
            *[tensors[name] for name in call.inputs]
        )


class Func(Eager):
    """Gradients by ``torch.func.grad`` of a number, by ``torch.func.vjp`` of other results."""

    def __init__(self) -> None:
        super().__init__()
        require_func("func")

    def compute(
        self, call: Call, tensors: Tensors, wrt: Names, upstream: Optional[Tensor]
    ) -> Tuple[Tensor, Sequence[Tensor]]:
        """Value and gradients, by function transforms."""
        if not wrt:
            return call(tensors), ()
        function, sources = as_function(call, tensors, wrt)
        value, pullback = torch.func.vjp(function, *sources)
        if flow(value, upstream) is None:
            return value, torch.func.grad(function, argnums=tuple(range(len(wrt))))(*sources)
        return value, pullback(torch.ones_like(value) if upstream is None else upstream)

    def second(
        self, call: Call, tensors: Tensors, name: str, upstream: Optional[Tensor], direction: Tensor
    ) -> Tensor:
        """By forward mode over the gradient."""
        function, (source,) = as_function(call, tensors, (name,))

        def gradient(source: Tensor) -> Tensor:
            value, pullback = torch.func.vjp(function, source)
            return pullback(torch.ones_like(value) if upstream is None else upstream)[0]

        return torch.func.jvp(gradient, (source,), (direction,))[1]


class ForwardMode(Eager):
    """Gradients of a number by ``torch.func.jacfwd``: a column of the Jacobian an element of the inputs."""

    def __init__(self) -> None:
        super().__init__()
        require_func("jacfwd")

    def compute(
        self, call: Call, tensors: Tensors, wrt: Names, upstream: Optional[Tensor]
    ) -> Tuple[Tensor, Sequence[Tensor]]:
        """Value and gradients; Unsupported for results that are no number."""
        value = call(tensors)
        if not wrt:
            return value, ()
        require_number(value, upstream, [tensors[name] for name in wrt])
        function, sources = as_function(call, tensors, wrt)
        return value, jacobian(function, tuple(range(len(wrt))))(*sources)

    def second(
        self, call: Call, tensors: Tensors, name: str, upstream: Optional[Tensor], direction: Tensor
    ) -> Tensor:
        """By forward mode over forward mode."""
        require_number(call(tensors), upstream, [tensors[name]])
        function, (source,) = as_function(call, tensors, (name,))
        return torch.func.jvp(jacobian(function, 0), (source,), (direction,))[1]


def jacobian(function: Callable[..., Tensor], argnums: Any) -> Callable[..., Any]:
    """The Jacobian of a function by forward mode."""
    return torch.func.jacfwd(function, argnums=argnums)  # type: ignore[no-any-return]


def require_number(value: Tensor, upstream: Optional[Tensor], sources: Sequence[Tensor]) -> None:
    """Unsupported where the Jacobian of the sources is not the gradient itself, or has too many columns."""
    if flow(value, upstream) is not None:
        raise Unsupported(
            "the gradient of no number, or from an upstream of its own, is a sum over a Jacobian"
        )
    if sum(source.numel() for source in sources) > MAX_COLUMNS:
        raise Unsupported("forward mode is asked for {:,} columns at most".format(MAX_COLUMNS))


def as_function(call: Call, tensors: Tensors, wrt: Names) -> Tuple[Callable[..., Tensor], List[Tensor]]:
    """The call as a function of the tensors named in `wrt`, and these."""

    def function(*sources: Tensor) -> Tensor:
        return call(dict(tensors, **dict(zip(wrt, sources))))

    return function, [tensors[name] for name in wrt]


def require_func(mode: str) -> None:
    """Unavailable where torch is older than ``torch.func``."""
    if not hasattr(torch, "func"):
        raise Unavailable("torch {} has no mode {!r}: it came with 2.0".format(torch.__version__, mode))
