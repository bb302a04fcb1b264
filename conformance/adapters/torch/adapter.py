"""PyTorch: eager, compiled by ``torch.compile``, or row by row under ``torch.func.vmap``."""

from __future__ import annotations

import importlib
import math
import os
import re
from types import FunctionType
from typing import Any, Dict, Optional, Sequence, Tuple

from ..base import NO_LABEL, Adapter, Array, Call, Function, Tensor, Unavailable, Unsupported
from ..bfloat16 import narrow, widen
from ..by_rows import row_call

# Workers share the cores: OpenMP threads that wait by spinning make a call of 60 us take 20 ms.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch

from .description import DESCRIPTION
from .formulations import FUNCTIONS
from .kernels import kernels


class TorchAdapter(Adapter):
    """PyTorch 1.4 and newer. ``torch.compile`` is asked for static shapes: one program a shape, as XLA's."""

    framework = "torch"
    modes = DESCRIPTION.modes
    devices = DESCRIPTION.devices
    formulations = FUNCTIONS
    implicit_axis = frozenset(("functional", "module", "naive"))
    overwritable = True

    def __init__(self, mode: Optional[str] = None, device: Optional[str] = None) -> None:
        super().__init__(mode, device)
        try:
            torch.zeros(1, device=self.device)
        except (RuntimeError, AssertionError) as error:
            lines = str(error).strip().splitlines()
            raise Unavailable("torch has no device {!r} here: {}".format(self.device, lines[0])) from error
        self.programs: Dict[Any, Function] = {}
        if self.mode == "compile":
            prepare_compilation()
        if self.mode == "vmap" and not hasattr(torch, "func"):
            raise Unavailable("torch {} has no mode 'vmap': it came with 2.0".format(torch.__version__))

    def call(self, request: Dict[str, Any], arrays: Dict[str, Array]) -> Call:
        call = super().call(request, arrays)
        return row_call(request["operation"], call, arrays) if self.mode == "vmap" else call

    def load(self, array: Array, dtype: str) -> Tensor:
        if dtype == "bfloat16":
            tensor = torch.from_numpy(widen(array)).to(torch.bfloat16)  # exact, and torch 1.4 has no view
        else:
            tensor = torch.from_numpy(array)
        return tensor if self.device == "cpu" else tensor.to(self.device)

    def lay_out(self, tensor: Tensor, layout: str) -> Tensor:
        axes = tuple(reversed(range(tensor.dim())))
        if layout == "transposed":
            return tensor.permute(axes).contiguous().permute(axes)
        if layout == "strided":
            between = torch.full_like(tensor, math.nan if tensor.is_floating_point() else NO_LABEL)
            return torch.stack((tensor, between), -1).flatten(-2)[..., ::2]
        if layout == "broadcast":
            return tensor[:1].clone().expand_as(tensor)
        raise Unsupported("torch has no tensors of negative strides")

    def store(self, result: Tensor) -> Tuple[Array, str]:
        if not isinstance(result, torch.Tensor):
            raise TypeError("a tensor was expected, not {}".format(type(result).__name__))
        tensor = result.detach().cpu()
        if tensor.dtype == torch.bfloat16:
            return narrow(tensor.float().numpy()), "bfloat16"
        return tensor.numpy(), str(tensor.dtype).replace("torch.", "")

    def compute(
        self, call: Call, tensors: Dict[str, Tensor], wrt: Tuple[str, ...], upstream: Optional[Tensor]
    ) -> Tuple[Tensor, Sequence[Tensor]]:
        sources = [tensors[name].requires_grad_() for name in wrt]
        value = self.carry_out(call, tensors, wrt)
        if not sources:
            return value, ()
        return value, torch.autograd.grad(value, sources, flow(value, upstream))

    def second(
        self,
        call: Call,
        tensors: Dict[str, Tensor],
        name: str,
        upstream: Optional[Tensor],
        direction: Tensor,
    ) -> Tensor:
        """By double backward."""
        source = tensors[name].requires_grad_()
        value = self.carry_out(call, tensors, (name,))
        (gradient,) = torch.autograd.grad(value, [source], flow(value, upstream), create_graph=True)
        derivative = None
        if gradient.requires_grad:
            (derivative,) = torch.autograd.grad(gradient, [source], direction, allow_unused=True)
        # Autograd knows a gradient that does not depend on its input by the missing graph alone.
        return torch.zeros_like(source) if derivative is None else derivative

    def carry_out(self, call: Call, tensors: Dict[str, Tensor], wrt: Tuple[str, ...]) -> Tensor:
        """The call's value in this mode."""
        if self.mode == "compile":
            return self.program(call, tensors, wrt)(tensors)
        if self.mode == "eager":
            return call(tensors)
        rest = {name: tensor for name, tensor in tensors.items() if name not in call.inputs}
        return torch.func.vmap(lambda *rows: call(dict(zip(call.inputs, rows), **rest)))(
            *[tensors[name] for name in call.inputs]
        )

    def program(self, call: Call, tensors: Dict[str, Tensor], wrt: Tuple[str, ...]) -> Function:
        """The call compiled for these shapes and dtypes.

        Each has a code object of its own: torch keeps a limited number of programs for one, and silently
        interprets beyond it.
        """
        key = (call, wrt, tuple((name, tensor.shape, tensor.dtype) for name, tensor in tensors.items()))
        if key not in self.programs:

            def program(tensors: Dict[str, Tensor]) -> Tensor:
                return call(tensors)

            fresh = FunctionType(
                program.__code__.replace(), program.__globals__, "program", None, program.__closure__
            )
            self.programs[key] = torch.compile(fresh, dynamic=False)
        return self.programs[key]

    def lacks(self, error: Exception) -> Optional[str]:
        """Kernels missing for a half type, derivatives, and NumPy dtypes that torch does not know."""
        return str(error) if NO_KERNEL.search(str(error)) else None

    def compilations(self) -> int:
        return len(self.programs)

    def kernels(self) -> Dict[str, Any]:
        return kernels()

    def describe(self) -> Dict[str, Any]:
        hardware = dict(kernels(), threads=torch.get_num_threads())
        if self.device.startswith("cuda"):
            hardware["device"] = torch.cuda.get_device_name(self.device)
        versions = {"cuda": torch.version.cuda} if torch.version.cuda else {}
        settings = {
            "mkldnn": hasattr(torch.backends, "mkldnn") and torch.backends.mkldnn.is_available(),
            "OMP_WAIT_POLICY": os.environ["OMP_WAIT_POLICY"],
        }
        described: Dict[str, Any] = {"version": torch.__version__, "versions": versions}
        return dict(described, hardware=hardware, settings=settings)


NO_KERNEL = re.compile(
    r"not (implemented|supported)\b.* for '?(Half|BFloat16)\b|can't convert np.ndarray of type"
    r"|the derivative for '\w+' is not implemented|does not currently support double backward",
    re.IGNORECASE,
)


def flow(value: Tensor, upstream: Optional[Tensor]) -> Optional[Tensor]:
    """What autograd is told to begin with: nothing for a loss, as its users do it, whose own 1 it takes.

    Told a tensor, the newer torch imports SymPy to compare shapes: half a second.
    """
    if value.dim() == 0 and (upstream is None or upstream.item() == 1):
        return None
    return torch.ones_like(value) if upstream is None else upstream


def prepare_compilation() -> None:
    """Let torch.compile keep every program, compile in this process, and cache where the suite caches."""
    if not hasattr(torch, "compile"):
        raise Unavailable("torch {} has no mode 'compile': it came with 2.0".format(torch.__version__))
    os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")
    cache = os.environ.get("CONFORMANCE_CACHE")
    if cache:
        # The vector width is taken from this variable, and is no part of the key of a kept program.
        folder = "-".join(["inductor", *filter(None, [os.environ.get("ATEN_CPU_CAPABILITY")])])
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", os.path.join(cache, folder))
    config = importlib.import_module("torch._dynamo.config")
    for limit in ("recompile_limit", "accumulated_recompile_limit", "cache_size_limit"):
        if hasattr(config, limit):
            setattr(config, limit, 1 << 20)


ADAPTER = TorchAdapter
