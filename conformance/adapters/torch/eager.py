"""PyTorch as it runs by itself, gradients by autograd: the mode that the others change parts of."""

from __future__ import annotations

from typing import Any, Dict, Optional, Sequence, Tuple

import torch

from ..base import Array, Call, Function, Tensor, Unsupported
from .graph_nodes import once_differentiable_only

Tensors = Dict[str, Tensor]
Names = Tuple[str, ...]


class Eager:
    """A call carried out operation by operation; gradients by autograd.

    Attributes:
        programs: What has been compiled, by call, shapes and dtypes.
    """

    def __init__(self) -> None:
        self.programs: Dict[Any, Function] = {}

    def call(self, operation: str, call: Call, arrays: Dict[str, Array]) -> Call:
        """The call that stands for the one on the whole batch; Unsupported where the mode has none."""
        return call

    def value(self, call: Call, tensors: Tensors, wrt: Names) -> Tensor:
        """The call's result, with the graph that autograd goes back through."""
        return call(tensors)

    def compute(
        self, call: Call, tensors: Tensors, wrt: Names, upstream: Optional[Tensor]
    ) -> Tuple[Tensor, Sequence[Tensor]]:
        """As `Adapter.compute`."""
        sources = [tensors[name].requires_grad_() for name in wrt]
        value = self.value(call, tensors, wrt)
        if not sources:
            return value, ()
        return value, torch.autograd.grad(value, sources, flow(value, upstream))

    def second(
        self, call: Call, tensors: Tensors, name: str, upstream: Optional[Tensor], direction: Tensor
    ) -> Tensor:
        """As `Adapter.second`: by double backward."""
        source = tensors[name].requires_grad_()
        value = self.value(call, tensors, (name,))
        (gradient,) = torch.autograd.grad(value, [source], flow(value, upstream), create_graph=True)
        derivative = None
        if gradient.requires_grad:
            (derivative,) = torch.autograd.grad(gradient, [source], direction, allow_unused=True)
        if derivative is None:
            self.require_second_derivatives(value, gradient)
        # Autograd knows a gradient that does not depend on its input by the missing graph alone.
        return torch.zeros_like(source) if derivative is None else derivative

    def require_second_derivatives(self, value: Tensor, gradient: Tensor) -> None:
        """Unsupported where a gradient may depend on its input, though it has no graph to it."""
        if not gradient.requires_grad and once_differentiable_only(value):
            raise Unsupported("a backward pass on the way is marked once_differentiable")

    def gradients_through(
        self, graph: str, call: Call, tensors: Tensors, wrt: Names, upstream: Optional[Tensor]
    ) -> Tuple[Tensor, Sequence[Tensor]]:
        """As `Adapter.gradients_through`."""
        sources = [tensors[name].requires_grad_() for name in wrt]
        first = call.inputs[0]
        inputs = dict(tensors, **{first: torch.relu(tensors[first])}) if graph == "result" else tensors
        value = self.value(call, inputs, wrt)
        given = torch.ones_like(value) if upstream is None else upstream
        if graph == "shared":
            values = [value, self.value(call, inputs, wrt)]
            return value, torch.autograd.grad(values, sources, [given, torch.zeros_like(given)])
        gradients = torch.autograd.grad(value, sources, given, retain_graph=graph == "retained")
        if graph == "retained":
            gradients = torch.autograd.grad(value, sources, given)
        return value, gradients

    def tangent(self, call: Call, tensors: Tensors, name: str, direction: Tensor) -> Tensor:
        """As `Adapter.tangent`: by dual numbers."""
        forward_ad = getattr(torch.autograd, "forward_ad", None)
        if forward_ad is None:
            raise Unsupported("torch {} has no forward mode: it came with 1.8".format(torch.__version__))
        with forward_ad.dual_level():
            dual = forward_ad.make_dual(tensors[name], direction)
            value = self.value(call, dict(tensors, **{name: dual}), ())
            tangent = forward_ad.unpack_dual(value).tangent
            return torch.zeros_like(value) if tangent is None else tangent


def flow(value: Tensor, upstream: Optional[Tensor]) -> Optional[Tensor]:
    """What autograd is told to begin with: nothing for a loss, as its users do it, whose own 1 it takes.

    Told a tensor, the newer torch imports SymPy to compare shapes: half a second.
    """
    if value.dim() == 0 and (upstream is None or upstream.item() == 1):
        return None
    return torch.ones_like(value) if upstream is None else upstream
