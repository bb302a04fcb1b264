"""How a program is written in each framework: tensors, the call in its mode, the gradient, the print."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass


@dataclass(frozen=True)
class Tensor:
    """A named array: `values` is an expression for nested lists, or for a flat list of the given shape."""

    name: str
    values: str
    shape: tuple[int, ...] | None
    floating: bool
    needs: str


@dataclass(frozen=True)
class Program:
    """What a program needs, framework by framework alike; `call` is the expression of the value."""

    imports: list[str]
    tensors: list[Tensor]
    inputs: list[str]
    definitions: list[str]
    call: str
    wrt: str
    upstream: bool
    dtype: str
    mode: str
    device: str
    index: tuple[int, ...]
    function: str
    cast: bool = False  # one_hot's integers are compared in the dtype

    @property
    def place(self) -> str:
        """The worst element's index as a subscript; the whole array where there is none."""
        return f"[{', '.join(map(str, self.index))}]" if self.index else ""


def write(framework: str, program: Program) -> str:
    """The program's text."""
    imports, body = {"torch": _torch, "tensorflow": _tensorflow, "jax": _jax, "numpy": _numpy}[framework](
        program
    )
    needs = sorted({tensor.needs for tensor in program.tensors if tensor.needs})
    parts = ["\n".join(dict.fromkeys([*needs, *imports, *program.imports])), *program.definitions, body]
    return "\n\n".join(part.strip("\n") for part in parts if part.strip()) + "\n"


def _torch(program: Program) -> tuple[list[str], str]:
    device = f', device="{program.device}"' if program.device else ""
    lines = []
    for tensor in program.tensors:
        dtype = f"torch.{program.dtype}" if tensor.floating else "torch.int64"
        grad = ", requires_grad=True" if tensor.name == program.wrt and tensor.shape is None else ""
        lines.append(f"{tensor.name} = torch.tensor({tensor.values}, dtype={dtype}{device}{grad})")
        if tensor.shape is not None:
            lines[-1] += f".reshape({tensor.shape})"
            lines += [f"{tensor.name}.requires_grad_()"] if tensor.name == program.wrt else []
    call = program.call
    if program.mode == "compile":
        arguments = ", ".join(program.inputs)
        call = f"torch.compile(lambda {arguments}: {program.call}, dynamic=False)({arguments})"
    if program.wrt:
        lines += [f"value = {call}"]
        flow = "upstream" if program.upstream else "torch.ones_like(value)"
        lines += [f"(result,) = torch.autograd.grad(value, [{program.wrt}], {flow})"]
    else:
        lines += [f"result = {call}" + (f".to(torch.{program.dtype})" if program.cast else "")]
    cpu = ".cpu()" if program.device else ""
    if program.dtype == "bfloat16":  # NumPy, whose digits the report shows, has no such type
        shown = f"result{program.place}"
        lines += [f'print(f"{{{shown}.item():g}}")' if program.index else f"print({shown}.tolist())"]
    else:
        lines += [f"print(result.detach(){cpu}.numpy(){program.place})"]
    return ["import torch"], "\n".join(lines)


def _tensorflow(program: Program) -> tuple[list[str], str]:
    lines = []
    for tensor in program.tensors:
        dtype = f"tf.{program.dtype}" if tensor.floating else "tf.int64"
        shape = f", shape={tensor.shape}" if tensor.shape is not None else ""
        lines.append(f"{tensor.name} = tf.constant({tensor.values}, dtype={dtype}{shape})")
    if not program.wrt:
        body = f"return {program.call}"
    else:
        flow = ", upstream" if program.upstream else ""
        body = (
            f"with tf.GradientTape() as tape:\n    tape.watch({program.wrt})\n    value = {program.call}\n"
            f"return tape.gradient(value, {program.wrt}{flow})"
        )
    if program.mode in ("function", "xla") or program.wrt:
        names = ", ".join([*program.inputs, *(["upstream"] if program.upstream else [])])
        compiled = {
            "function": "@tf.function(autograph=False)\n",
            "xla": "@tf.function(autograph=False, jit_compile=True)\n",
        }
        lines += [
            f"\n\n{compiled.get(program.mode, '')}def compute({names}):\n{textwrap.indent(body, '    ')}\n\n"
        ]
        lines += [f"result = compute({names})"]
    else:
        lines += [f"result = {program.call}"]
    # A tensor's numpy() is a scalar already where it has no dimension.
    shown = f"tf.cast(result, tf.{program.dtype})" if program.cast else "tf.convert_to_tensor(result)"
    lines += [f"print({shown}.numpy(){program.place})"]
    return ["import tensorflow as tf"], "\n".join(lines)


def _jax(program: Program) -> tuple[list[str], str]:
    lines = []
    if program.dtype == "float64":
        lines.append('jax.config.update("jax_enable_x64", True)')
    for tensor in program.tensors:
        dtype = f"jnp.{program.dtype}" if tensor.floating else "jnp.int32"
        lines.append(f"{tensor.name} = jnp.array({tensor.values}, dtype={dtype})")
        if tensor.shape is not None:
            lines[-1] += f".reshape({tensor.shape})"
    body = f"return {program.call}"
    if program.wrt:
        flow = "upstream" if program.upstream else "jnp.ones_like(value)"
        body = (
            f"value, pullback = jax.vjp(lambda {program.wrt}: {program.call}, {program.wrt})\n"
            f"return pullback({flow})[0]"
        )
    names = ", ".join([*program.inputs, *(["upstream"] if program.upstream else [])])
    jit = "" if program.mode == "eager" else "@jax.jit\n"
    lines += [
        f"\n\n{jit}def compute({names}):\n{textwrap.indent(body, '    ')}\n\n",
        f"result = compute({names})",
    ]
    shown = f"result.astype(jnp.{program.dtype})" if program.cast else "result"
    lines += [f"print(np.asarray({shown}){program.place})"]
    return ["import jax", "import jax.numpy as jnp", "import numpy as np"], "\n".join(lines)


def _numpy(program: Program) -> tuple[list[str], str]:
    half = program.dtype in ("float16", "bfloat16")  # computed in float32 and rounded once
    lines = []
    for tensor in program.tensors:
        dtype = ("np.float32" if half else f"np.{program.dtype}") if tensor.floating else "np.int64"
        lines.append(f"{tensor.name} = np.array({tensor.values}, dtype={dtype})")
        if tensor.shape is not None:
            lines[-1] += f".reshape({tensor.shape})"
    if program.wrt:
        lines += [f"value = {program.call}"] if not program.upstream else []
        flow = "upstream" if program.upstream else "np.ones_like(value)"
        arguments = program.call.partition("(")[2]
        lines += [f'result = {program.function}.gradient({flow}, {arguments}["{program.wrt}"]']
    else:
        lines += [f"result = {program.call}"]
    narrow = ".astype(np.float16)" if program.dtype == "float16" else ""
    if program.cast:
        narrow = ".astype(np.float32)" if half else f".astype(np.{program.dtype})"
    lines += [f"print(np.asarray(result){narrow}{program.place})"]
    return ["import numpy as np"], "\n".join(lines)
