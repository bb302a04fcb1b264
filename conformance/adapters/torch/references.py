"""PyTorch's modes ``refs`` and ``decomp``: its own definitions in Python, which compilers compute."""

from __future__ import annotations

import importlib
from typing import Any, Callable, Dict, Optional, Sequence, Tuple

import torch

from ..base import Call, Tensor, Unavailable, Unsupported
from .eager import Eager, Names, Tensors

try:
    from torch.utils._python_dispatch import TorchDispatchMode
except ImportError:  # before torch 1.13
    TorchDispatchMode = object

NO_DERIVATIVES = "the primitives that torch._refs are made of have no derivatives: the mode decomp has"


class References(Eager):
    """By ``torch._refs``, above autograd: values alone."""

    def __init__(self) -> None:
        super().__init__()
        try:
            self.context = importlib.import_module("torch._prims.context").TorchRefsMode
        except (ImportError, AttributeError):
            what = "torch {} has no mode 'refs': it came with 2.0".format(torch.__version__)
            raise Unavailable(what) from None

    def compute(
        self, call: Call, tensors: Tensors, wrt: Names, upstream: Optional[Tensor]
    ) -> Tuple[Tensor, Sequence[Tensor]]:
        """The value, in which every function of torch that has a reference is that."""
        if wrt:
            raise Unsupported(NO_DERIVATIVES)
        with torch.no_grad(), self.context():
            return call(tensors), ()

    def second(
        self, call: Call, tensors: Tensors, name: str, upstream: Optional[Tensor], direction: Tensor
    ) -> Tensor:
        """None."""
        raise Unsupported(NO_DERIVATIVES)


class Decomposed(Eager):
    """By ``torch._decomp``, below autograd: forward and backward operators by their definitions."""

    def compute(
        self, call: Call, tensors: Tensors, wrt: Names, upstream: Optional[Tensor]
    ) -> Tuple[Tensor, Sequence[Tensor]]:
        """Value and gradients."""
        with Decompositions():
            return super().compute(call, tensors, wrt, upstream)

    def second(
        self, call: Call, tensors: Tensors, name: str, upstream: Optional[Tensor], direction: Tensor
    ) -> Tensor:
        """By double backward."""
        with Decompositions():
            return super().second(call, tensors, name, upstream, direction)


class Decompositions(TorchDispatchMode):  # type: ignore[misc]
    """Every operator that reaches the dispatcher below autograd, by its entry of ``torch._decomp``."""

    def __torch_dispatch__(
        self, function: Any, types: Any, arguments: Any = (), keywords: Optional[Dict[str, Any]] = None
    ) -> Any:
        decomposition = decomposition_table().get(function)
        if decomposition is not None:
            with self:  # what it is made of, too
                result = decomposition(*arguments, **(keywords or {}))
            if result is not NotImplemented:
                return result
        return function(*arguments, **(keywords or {}))


def decomposition_table() -> Dict[Any, Callable[..., Any]]:
    """Operator -> its definition."""
    table: Dict[Any, Callable[..., Any]] = importlib.import_module("torch._decomp").decomposition_table
    return table
