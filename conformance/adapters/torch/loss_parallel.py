"""PyTorch's mode of two ranks: cross-entropy of logits whose classes are sharded (vocabulary-parallel).

This process is rank 0; rank 1 is a process of its own, on this machine, reached by gloo. Both carry out the
same call; rank 1 is told its shapes, and its tensors are sent by PyTorch's own collectives.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any, Dict, Optional, Sequence, Tuple

import torch

from ..base import Array, Call, Tensor, Unavailable, Unsupported
from .eager import Eager, Names, Tensors
from .formulations import FUNCTIONS

RANKS = 2
#: The formulations that are `loss_parallel`'s as it is documented.
OF_CROSS_ENTROPY = {name: FUNCTIONS["cross_entropy"][name] for name in ("functional", "module")}
#: How long rank 0 waits for rank 1 to start.
START_SECONDS = 600
#: What rank 1 runs: this module's `serve`, imported as a worker imports its adapter.
_SERVE = """import importlib.util, sys
sys.path[:] = {path!r}
spec = importlib.util.spec_from_file_location("ranks", {serve!r})
ranks = importlib.util.module_from_spec(spec)
spec.loader.exec_module(ranks)
ranks.end_with_parent()
importlib.import_module(ranks.package() + ".torch.loss_parallel").serve({file!r})
"""


class LossParallel(Eager):
    """Under ``loss_parallel``: logits as a DTensor, their classes in two shards, on two ranks."""

    def __init__(self) -> None:
        super().__init__()
        distributed = getattr(torch, "distributed", None)
        if distributed is None or not distributed.is_available() or not distributed.is_gloo_available():
            raise Unavailable("torch {} is built without gloo's ranks".format(torch.__version__))
        try:
            parallel = import_module("torch.distributed.tensor.parallel")
        except ImportError as error:
            raise Unavailable("torch {} has no loss_parallel: {}".format(torch.__version__, error)) from error
        if not hasattr(parallel, "loss_parallel"):
            raise Unavailable("torch {} has no loss_parallel".format(torch.__version__))
        self.folder = tempfile.TemporaryDirectory()  # which stays as long as the ranks do
        file = os.path.join(self.folder.name, "ranks")
        serve_file = str(Path(__file__).resolve().parents[1] / "serve.py")
        self.other = subprocess.Popen(
            [sys.executable, "-c", _SERVE.format(path=sys.path, serve=serve_file, file=file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env=dict(os.environ, OMP_NUM_THREADS="1", MKL_NUM_THREADS="1"),
            universal_newlines=True,
        )
        self.mesh = joined(0, file)

    def call(self, operation: str, call: Call, arrays: Dict[str, Array]) -> Call:
        """The call; Unsupported for what the documentation of ``loss_parallel`` leaves out."""
        if operation != "cross_entropy" or call.function not in OF_CROSS_ENTROPY.values():
            raise Unsupported("loss_parallel is for torch's own cross_entropy alone")
        logits, target = (arrays[name] for name in call.inputs)
        if target.ndim == logits.ndim and logits.ndim:  # of bits, in bfloat16: their dtype does not tell
            raise Unsupported("loss_parallel takes no class probabilities")
        if not logits.ndim or logits.shape[min(1, logits.ndim - 1)] < RANKS:
            raise Unsupported(
                "loss_parallel hangs where a rank has no class: the ranks exchange other messages"
            )
        if dict(call.scalars).get("label_smoothing"):
            raise Unsupported("loss_parallel takes no label smoothing")
        return call

    def compute(
        self, call: Call, tensors: Tensors, wrt: Names, upstream: Optional[Tensor]
    ) -> Tuple[Tensor, Sequence[Tensor]]:
        """Value and gradients, gathered from both ranks; Unsupported for one of two calls at once."""
        if threading.current_thread() is not threading.main_thread():
            raise Unsupported("the ranks of two calls at once would exchange each other's messages")
        given = tensors if upstream is None else dict(tensors, upstream=upstream)
        header = {
            "formulation": next(name for name, each in OF_CROSS_ENTROPY.items() if each is call.function),
            "scalars": dict(call.scalars),
            "inputs": call.inputs,
            "wrt": wrt,
            "tensors": {name: [str(each.dtype), list(each.shape)] for name, each in given.items()},
        }
        assert self.other.stdin is not None
        self.other.stdin.write(json.dumps(header) + "\n")
        self.other.stdin.flush()
        return carried_out(self.mesh, call, tensors, wrt, upstream)

    def second(
        self, call: Call, tensors: Tensors, name: str, upstream: Optional[Tensor], direction: Tensor
    ) -> Tensor:
        """None: its backward pass is an operator without a derivative."""
        raise Unsupported("loss_parallel's backward pass has no derivative")

    def gradients_through(
        self, graph: str, call: Call, tensors: Tensors, wrt: Names, upstream: Optional[Tensor]
    ) -> Tuple[Tensor, Sequence[Tensor]]:
        """None: the backward pass stands inside of the call's context, once."""
        raise Unsupported("loss_parallel is asked for one backward pass of one call")

    def tangent(self, call: Call, tensors: Tensors, name: str, direction: Tensor) -> Tensor:
        """None: its operators know no dual numbers."""
        raise Unsupported("loss_parallel has no forward mode")


def joined(rank: int, file: str) -> Any:
    """The mesh of both ranks, which meet at a file; gloo speaks over this machine's loopback device."""
    if sys.platform.startswith("linux"):
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    torch.distributed.init_process_group(
        "gloo",
        init_method="file://" + file,
        rank=rank,
        world_size=RANKS,
        timeout=timedelta(seconds=START_SECONDS),
    )
    return torch.distributed.device_mesh.init_device_mesh("cpu", (RANKS,))


def carried_out(
    mesh: Any, call: Call, tensors: Tensors, wrt: Names, upstream: Optional[Tensor]
) -> Tuple[Tensor, Sequence[Tensor]]:
    """The call's value and gradients on this rank; the numbers are those of rank 0."""
    tensor = import_module("torch.distributed.tensor")
    parallel = import_module("torch.distributed.tensor.parallel")
    logits = call.inputs[0]
    axis = 1 if tensors[logits].dim() > 1 else 0

    def sent(name: str, each: Tensor) -> Any:
        place = tensor.Shard(axis) if name == logits else tensor.Replicate()
        return tensor.distribute_tensor(each.contiguous(), mesh, [place])

    placed = {name: sent(name, each) for name, each in tensors.items()}
    flow = None if upstream is None else sent("upstream", upstream)
    sources = [placed[name].requires_grad_() for name in wrt]
    with parallel.loss_parallel():
        value = call(placed)
        gradients: Sequence[Tensor] = ()
        if sources:
            whole = torch.ones_like(value) if flow is None else flow
            gradients = torch.autograd.grad(value, sources, whole)
    return gathered(value), [gathered(gradient) for gradient in gradients]


def gathered(result: Any) -> Tensor:
    """A tensor as each rank has it in whole."""
    whole: Tensor = result.full_tensor() if hasattr(result, "full_tensor") else result
    return whole.detach()


def serve(file: str) -> None:
    """Rank 1: carries out what rank 0 does, call by call, until that one ends.

    Args:
        file: Where the ranks meet.
    """
    mesh = joined(1, file)
    for line in sys.stdin:
        header = json.loads(line)
        tensors = {
            name: torch.zeros(shape, dtype=getattr(torch, dtype.replace("torch.", "")))
            for name, (dtype, shape) in header["tensors"].items()
        }
        function = OF_CROSS_ENTROPY[header["formulation"]]
        call = Call(function, tuple(header["inputs"]), tuple(sorted(header["scalars"].items())), "")
        upstream = tensors.pop("upstream", None)
        try:
            carried_out(mesh, call, tensors, tuple(header["wrt"]), upstream)
        except Exception:  # rank 0 raises the same, and is asked for it
            continue
