"""PyTorch, in each of its modes."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from typing import Any, ContextManager, Dict, Iterator, Optional, Sequence, Tuple

from ..base import Adapter, Array, Call, Tensor, Unavailable
from ..bfloat16 import narrow, widen
from ..layouts import Layout

# Workers share the cores: OpenMP threads that wait by spinning make a call of 60 us take 20 ms.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch

from .description import DESCRIPTION
from .formulations import FUNCTIONS
from .kernels import kernels
from .layouts import lay_out
from .modes import MODES


class TorchAdapter(Adapter):
    """PyTorch 1.4 and newer."""

    framework = "torch"
    modes = DESCRIPTION.mode_names
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
        self.way = MODES[self.mode]()

    def call(self, request: Dict[str, Any], arrays: Dict[str, Array]) -> Call:
        return self.way.call(request["operation"], super().call(request, arrays), arrays)

    def load(self, array: Array, dtype: str) -> Tensor:
        if dtype == "bfloat16":
            tensor = torch.from_numpy(widen(array)).to(torch.bfloat16)  # exact, and torch 1.4 has no view
        else:
            tensor = torch.from_numpy(array)
        return tensor if self.device == "cpu" else tensor.to(self.device)

    def lay_out(self, tensor: Tensor, layout: Layout) -> Tensor:
        return lay_out(tensor, layout)

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
        return self.way.compute(call, tensors, wrt, upstream)

    def second(
        self,
        call: Call,
        tensors: Dict[str, Tensor],
        name: str,
        upstream: Optional[Tensor],
        direction: Tensor,
    ) -> Tensor:
        return self.way.second(call, tensors, name, upstream, direction)

    def gradients_through(
        self,
        graph: str,
        call: Call,
        tensors: Dict[str, Tensor],
        wrt: Tuple[str, ...],
        upstream: Optional[Tensor],
    ) -> Tuple[Tensor, Sequence[Tensor]]:
        return self.way.gradients_through(graph, call, tensors, wrt, upstream)

    def tangent(self, call: Call, tensors: Dict[str, Tensor], name: str, direction: Tensor) -> Tensor:
        return self.way.tangent(call, tensors, name, direction)

    def untracked(self) -> ContextManager[Any]:
        """``torch.no_grad``, as in evaluation."""
        return torch.no_grad()  # type: ignore[no-any-return]

    @contextmanager
    def one_thread(self) -> Iterator[None]:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)

    def lacks(self, error: Exception) -> Optional[str]:
        """Kernels missing for a half type, derivatives, and NumPy dtypes that torch does not know."""
        return str(error) if NO_KERNEL.search(str(error)) else None

    def compilations(self) -> int:
        return len(self.way.programs)

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
    r"|the derivative for '\w+' is not implemented|does not currently support double backward"
    r"|compiled with non-empty donated buffers which requires create_graph=False"
    r"|is not differentiable with respect to argument",
    re.IGNORECASE,
)


ADAPTER = TorchAdapter
