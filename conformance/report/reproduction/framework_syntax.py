"""Syntax of each framework: how tensors, the call in its mode, the gradient and the print are written."""

from __future__ import annotations

import textwrap

from conformance.report.reproduction import torch_modes
from conformance.report.reproduction.program_parts import Program, Tensor

__all__ = ["Program", "Tensor", "write"]


def write(framework: str, program: Program) -> str:
    """The program's text."""
    imports, body = WRITERS[framework](program)
    needs = sorted({tensor.needs for tensor in program.tensors if tensor.needs})
    parts = ["\n".join(dict.fromkeys([*needs, *imports, *program.imports])), *program.definitions, body]
    return "\n\n".join(part.strip("\n") for part in parts if part.strip()) + "\n"


def _torch(program: Program) -> tuple[list[str], str]:
    device = f', device="{program.device}"' if program.device else ""
    lines = []
    for tensor in program.tensors:
        dtype = f"torch.{tensor.integers or program.dtype}"
        at_once = tensor.shape is None and not tensor.laid_out
        tracked = tensor.name == program.wrt and program.mode not in torch_modes.TRANSFORMS
        grad = ", requires_grad=True" if tracked and at_once else ""
        lines.append(f"{tensor.name} = torch.tensor({tensor.values}, dtype={dtype}{device}{grad})")
        if tensor.shape is not None:
            lines[-1] += f".reshape({tensor.shape})"
        lines += tensor.laid_out
        if tracked and not at_once:
            lines.append(f"{tensor.name}.requires_grad_()")
    defined, call = torch_modes.called(program)
    computed = torch_modes.within(program, _torch_computed(program, call))
    wide = program.widened and not program.wrt
    cpu = ".cpu()" if program.device else ""
    # NumPy, whose digits the report shows, has no such type
    if (program.dtype == "bfloat16" and not wide) or program.mixed:
        shown = f"result{program.subscript}"
        printed = f'print(f"{{{shown}.item():g}}")' if program.index else f"print({shown}.tolist())"
    else:
        printed = f"print(result.detach(){cpu}.numpy(){program.subscript})"
    if program.mode == "autocast" and not wide and not program.wrt and program.dtype == "float32":
        # What ends in a product of matrices is bfloat16 there.
        shown = f"result{program.subscript}"
        digits = f'f"{{{shown}.item():g}}"' if program.index else f"{shown}.tolist()"
        wide_digits = f"result.detach().numpy(){program.subscript}"
        printed = f"print({digits} if result.dtype == torch.bfloat16 else {wide_digits})"
    definition = [f"\n{defined}\n\n"] if defined else []
    return ["import torch"], "\n".join([*definition, *lines, *computed, printed])


def _torch_computed(program: Program, call: str) -> list[str]:
    """The statements that make the result: the call, its derivative."""
    lines = []
    if program.forward:
        lines += [
            "with torch.autograd.forward_ad.dual_level():",
            f"    {program.wrt} = torch.autograd.forward_ad.make_dual({program.wrt}.detach(), direction)",
            f"    result = torch.autograd.forward_ad.unpack_dual({call}).tangent",
        ]
    elif program.wrt:
        flow = "upstream" if program.upstream else "torch.ones_like(value)"
        flow += ".to(value.dtype)" if program.upstream and program.mixed else ""
        if program.graph and not program.second:
            lines += _torch_through(program, call, flow)
        elif program.mode in torch_modes.TRANSFORMS:
            lines += torch_modes.transformed(program, flow)
        else:
            lines += [f"value = {call}", *_torch_gradient(program.wrt, flow, program.second)]
    else:
        lines += ["with torch.no_grad():"] if program.untracked else []
        indent = "    " if program.untracked else ""
        lines += [f"{indent}result = {call}" + (f".to(torch.{program.dtype})" if program.cast else "")]
    return lines


def _torch_gradient(wrt: str, flow: str, second: bool) -> list[str]:
    """Backward, and double backward: zeros where the gradient does not depend on the input."""
    if not second:
        return [f"(result,) = torch.autograd.grad(value, [{wrt}], {flow})"]
    again = f"torch.autograd.grad(gradient, [{wrt}], direction, allow_unused=True)[0]"
    return [
        f"(gradient,) = torch.autograd.grad(value, [{wrt}], {flow}, create_graph=True)",
        f"result = {again} if gradient.requires_grad else None",
        f"result = torch.zeros_like({wrt}) if result is None else result",
    ]


def _torch_through(program: Program, call: str, flow: str) -> list[str]:
    """Backward through another graph than the call's alone."""
    again = f"(result,) = torch.autograd.grad(value, [{program.wrt}], {flow})"
    if program.graph == "retained":
        return [f"value = {call}", f"{again[:-1]}, retain_graph=True)", again]
    if program.graph == "shared":
        flows = f"[{flow}, torch.zeros_like(value)]"
        return [
            f"value, other = {call}, {call}",
            f"(result,) = torch.autograd.grad([value, other], [{program.wrt}], {flows})",
        ]
    first = program.inputs[0]
    made = [f"source, {first} = {first}, torch.relu({first})"]
    wrt = "source" if program.wrt == first else program.wrt
    return [*made, f"value = {call}", f"(result,) = torch.autograd.grad(value, [{wrt}], {flow})"]


def _tensorflow(program: Program) -> tuple[list[str], str]:
    lines = []
    for tensor in program.tensors:
        dtype = f"tf.{tensor.integers or program.dtype}"
        shape = f", shape={tensor.shape}" if tensor.shape is not None else ""
        lines.append(f"{tensor.name} = tf.constant({tensor.values}, dtype={dtype}{shape})")
    body = textwrap.indent(_taped(program) if program.wrt else f"return {program.call}", "    ")
    if program.mode in ("function", "xla") or program.wrt:
        compiled = {
            "function": "@tf.function(autograph=False)\n",
            "xla": "@tf.function(autograph=False, jit_compile=True)\n",
        }
        lines += [f"\n\n{compiled.get(program.mode, '')}def compute({program.names}):\n{body}\n\n"]
        lines += [f"result = compute({program.names})"]
    else:
        lines += [f"result = {program.call}"]
    # A tensor's numpy() is a scalar already where it has no dimension.
    shown = f"tf.cast(result, tf.{program.dtype})" if program.cast else "tf.convert_to_tensor(result)"
    lines += [f"print({shown}.numpy(){program.subscript})"]
    return ["import tensorflow as tf"], "\n".join(lines)


def _taped(program: Program) -> str:
    """The gradient by a tape; the second derivative by another around it."""
    wrt, flow = program.wrt, ", upstream" if program.upstream else ""
    flow = flow and ", tf.cast(upstream, value.dtype)" if program.mixed else flow
    if program.forward:
        accumulated = f"with tf.autodiff.ForwardAccumulator({wrt}, direction) as accumulator:"
        zero = "unconnected_gradients=tf.UnconnectedGradients.ZERO"
        return f"{accumulated}\n    value = {program.call}\nreturn accumulator.jvp(value, {zero})"
    watched = f"with tf.GradientTape() as tape:\n    tape.watch({wrt})\n"
    if not program.second:
        return f"{watched}    value = {program.call}\nreturn tape.gradient(value, {wrt}{flow})"
    zero = "unconnected_gradients=tf.UnconnectedGradients.ZERO"
    return (
        f"{watched}    with tf.GradientTape() as inner:\n        inner.watch({wrt})\n"
        f"        value = {program.call}\n    gradient = inner.gradient(value, {wrt}{flow})\n"
        f"return tape.gradient(gradient, {wrt}, direction, {zero})"
    )


def _jax(program: Program) -> tuple[list[str], str]:
    lines = []
    if "float64" in (program.dtype, *(tensor.integers for tensor in program.tensors)):
        lines.append('jax.config.update("jax_enable_x64", True)')
    for tensor in program.tensors:
        integers = "int32" if tensor.integers == "int64" else tensor.integers  # without x64 there is no wider
        dtype = f"jnp.{integers or program.dtype}".replace("jnp.bool", "jnp.bool_")
        lines.append(f"{tensor.name} = jnp.array({tensor.values}, dtype={dtype})")
        if tensor.shape is not None:
            lines[-1] += f".reshape({tensor.shape})"
    body = f"return {program.call}"
    if program.wrt:
        flow = "upstream" if program.upstream else "jnp.ones_like(value)"
        flow += ".astype(value.dtype)" if program.upstream and program.mixed else ""
        body = (
            f"value, pullback = jax.vjp(lambda {program.wrt}: {program.call}, {program.wrt})\n"
            f"return pullback({flow})[0]"
        )
    if program.forward:
        function = f"lambda {program.wrt}: {program.call}"
        body = f"return jax.jvp({function}, ({program.wrt},), (direction,))[1]"
    if program.second:
        body = (
            f"def gradient({program.wrt}):\n{textwrap.indent(body, '    ')}\n\n"
            f"return jax.vjp(gradient, {program.wrt})[1](direction)[0]"
        )
    jit = "" if program.mode == "eager" else "@jax.jit\n"
    lines += [
        f"\n\n{jit}def compute({program.names}):\n{textwrap.indent(body, '    ')}\n\n",
        f"result = compute({program.names})",
    ]
    shown = f"result.astype(jnp.{program.dtype})" if program.cast else "result"
    lines += [f"print(np.asarray({shown}){program.subscript})"]
    return ["import jax", "import jax.numpy as jnp", "import numpy as np"], "\n".join(lines)


def _numpy(program: Program) -> tuple[list[str], str]:
    half = program.dtype in ("float16", "bfloat16")  # computed in float32 and rounded once
    lines = []
    for tensor in program.tensors:
        own = "float32" if tensor.integers in ("float16", "bfloat16") else tensor.integers
        dtype = f"np.{own or ('float32' if half else program.dtype)}".replace("np.bool", "np.bool_")
        lines.append(f"{tensor.name} = np.array({tensor.values}, dtype={dtype})")
        if tensor.shape is not None:
            lines[-1] += f".reshape({tensor.shape})"
        lines += tensor.laid_out
    if program.wrt:
        lines += [] if program.upstream or program.forward else [f"value = {program.call}"]
        flow = "upstream" if program.upstream else "np.ones_like(value)"
        arguments = program.call.partition("(")[2]
        if program.forward:
            lines += [f'result = {program.function}.jvp("{program.argument}", direction, {arguments}']
        elif program.second:
            lines += [f"result = {program.function}.second({flow}, direction, {arguments}"]
        else:
            lines += [f'result = {program.function}.gradient({flow}, {arguments}["{program.argument}"]']
    else:
        lines += [f"result = {program.call}"]
    narrow = ".astype(np.float16)" if program.dtype == "float16" and not program.mixed else ""
    if program.cast:
        narrow = ".astype(np.float32)" if half else f".astype(np.{program.dtype})"
    lines += [f"print(np.asarray(result){narrow}{program.subscript})"]
    return ["import numpy as np"], "\n".join(lines)


#: What writes a framework's program: imports and statements.
WRITERS = {"torch": _torch, "tensorflow": _tensorflow, "jax": _jax, "numpy": _numpy}
