"""PyTorch's modes by the names of the description's rows: what carries a call out and differentiates it."""

from __future__ import annotations

from typing import Dict, Type

import torch

from ..base import Call, Tensor, Unavailable
from .compiled import Compiled, Exported
from .eager import Eager, Names, Tensors
from .loss_parallel import LossParallel
from .references import Decomposed, References
from .transforms import ForwardMode, Func, Vmapped


class Autocast(Eager):
    """Under CPU autocast, backward outside of it, as its documentation asks."""

    def __init__(self) -> None:
        super().__init__()
        if not hasattr(torch, "autocast"):
            raise Unavailable("torch {} has no mode 'autocast': it came with 1.10".format(torch.__version__))

    def value(self, call: Call, tensors: Tensors, wrt: Names) -> Tensor:
        """The result, of the dtype that autocast makes it."""
        half = torch.float16 if call.dtype == "float16" else torch.bfloat16
        with torch.autocast("cpu", dtype=half):
            return call(tensors)


MODES: Dict[str, Type[Eager]] = {
    "eager": Eager,
    "compile": Compiled,
    "vmap": Vmapped,
    "autocast": Autocast,
    "func": Func,
    "jacfwd": ForwardMode,
    "export": Exported,
    "refs": References,
    "decomp": Decomposed,
    "loss_parallel": LossParallel,
}
