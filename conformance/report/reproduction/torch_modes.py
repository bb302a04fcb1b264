"""PyTorch's modes in a program: what each defines, how it calls, and how it differentiates."""

from __future__ import annotations

import textwrap

from conformance.report.reproduction.program_parts import Program

#: Modes whose gradients are function transforms'.
TRANSFORMS = ("func", "jacfwd")
REFERENCES = "from torch._prims.context import TorchRefsMode"
#: What the mode `decomp` looks operators up with.
DECOMPOSITIONS = """from torch._decomp import decomposition_table
from torch.utils._python_dispatch import TorchDispatchMode


class Decompositions(TorchDispatchMode):
    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        decomposition = decomposition_table.get(function)
        if decomposition is not None:
            with self:  # what it is made of, too
                result = decomposition(*arguments, **(keywords or {}))
            if result is not NotImplemented:
                return result
        return function(*arguments, **(keywords or {}))"""

#: What makes two ranks of a program: it and its child meet at a file, over this machine's loopback device.
RANKS = """import os
import tempfile
from torch.distributed.tensor import DTensor, Replicate, Shard, distribute_tensor
from torch.distributed.tensor.parallel import loss_parallel

meeting = os.path.join(tempfile.mkdtemp(), "ranks")
child = os.fork()
os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
torch.distributed.init_process_group("gloo", f"file://{meeting}", rank=int(child == 0), world_size=2)
mesh = torch.distributed.device_mesh.init_device_mesh("cpu", (2,))"""


def called(program: Program) -> tuple[str, str]:
    """What has to be defined before the call in its mode, and the call as an expression."""
    arguments = ", ".join(program.inputs)
    if program.mode == "compile":
        return "", f"torch.compile(lambda {arguments}: {program.call}, dynamic=False)({arguments})"
    if program.mode == "export":
        forward = f"    def forward(self, {arguments}):\n        return {program.call}"
        module = f"class Call(torch.nn.Module):\n{forward}"
        examples = ", ".join(f"{name}.detach()" for name in program.inputs)
        exported = f"torch.export.export(Call(), ({examples},), strict=False)"
        return module, f"{exported}.run_decompositions().module()({arguments})"
    if program.mode == "autocast":
        half = "float16" if program.dtype == "float16" else "bfloat16"
        context = f'    with torch.autocast("cpu", dtype=torch.{half}):\n        return {program.call}'
        return f"def compute({arguments}):\n{context}", f"compute({arguments})"
    if program.mode == "refs":
        return REFERENCES, program.call
    if program.mode == "decomp" and not program.forward and not program.graph:
        return DECOMPOSITIONS, program.call
    return RANKS if program.mode == "loss_parallel" else "", program.call


def transformed(program: Program, flow: str) -> list[str]:
    """The derivative by function transforms: of a number from the flow 1, of other results by vjp."""
    wrt, number = program.wrt, not program.upstream
    function = f"lambda {wrt}: {program.call}"
    if program.mode == "jacfwd":
        jacobian = f"torch.func.jacfwd({function})"
        return [
            f"result = torch.func.jvp({jacobian}, ({wrt},), (direction,))[1]"
            if program.second
            else f"result = {jacobian}({wrt})"
        ]
    if program.second:
        return [
            f"\n\ndef gradient({wrt}):",
            f"    value, pullback = torch.func.vjp({function}, {wrt})",
            f"    return pullback({flow})[0]\n\n",
            f"result = torch.func.jvp(gradient, ({wrt},), (direction,))[1]",
        ]
    if number:
        return [f"result = torch.func.grad({function})({wrt})"]
    return [f"value, pullback = torch.func.vjp({function}, {wrt})", f"(result,) = pullback({flow})"]


def within(program: Program, lines: list[str]) -> list[str]:
    """The statements of call and derivative in the context of the mode, where it is one."""
    if program.mode == "loss_parallel":
        return _on_two_ranks(program, lines)
    if program.mode == "refs":
        context = "with torch.no_grad(), TorchRefsMode():"
    elif program.mode == "decomp" and not program.forward and not program.graph:
        context = "with Decompositions():"
    else:
        return lines
    return [context, *(textwrap.indent(line, "    ") for line in lines)]


def _on_two_ranks(program: Program, lines: list[str]) -> list[str]:
    """The statements with the classes of the scores in two shards, all else on both ranks; one prints."""
    scores = program.inputs[0]
    names = [*program.inputs, *(["upstream"] if program.upstream else [])]
    placed = [f"{name} = distribute_tensor({name}.detach(), mesh, [Replicate()])" for name in names[1:]]
    shard = f"Shard(min(1, {scores}.dim() - 1))"
    return [
        f"{scores} = distribute_tensor({scores}.detach(), mesh, [{shard}])",
        *placed,
        *([f"{program.wrt}.requires_grad_()"] if program.wrt else []),
        "with loss_parallel():",
        *(textwrap.indent(line, "    ") for line in lines),
        "result = result.full_tensor() if isinstance(result, DTensor) else result",
        "if child == 0:",
        "    os._exit(0)",
        "os.waitpid(child, 0)",
    ]
