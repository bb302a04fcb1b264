"""PyTorch's modes that make a program for each shape and dtype: ``compile`` and ``export``."""

from __future__ import annotations

import importlib
import os
from types import FunctionType
from typing import Any, Tuple

import torch

from ..base import Call, Tensor, Unavailable, Unsupported
from .eager import Eager, Names, Tensors


class Compiled(Eager):
    """By ``torch.compile``, asked for static shapes: one program a shape, as XLA's."""

    def __init__(self) -> None:
        super().__init__()
        prepare_compilation()

    def tangent(self, call: Call, tensors: Tensors, name: str, direction: Tensor) -> Tensor:
        """None: dual numbers are for what runs by itself."""
        raise Unsupported("forward mode is asked of programs that PyTorch runs by itself")

    def require_second_derivatives(self, value: Tensor, gradient: Tensor) -> None:
        """Never there: the gradient of a compiled program has no graph to what it depends on."""
        raise Unsupported("torch.compile with aot_autograd does not currently support double backward")

    def value(self, call: Call, tensors: Tensors, wrt: Names) -> Tensor:
        """The program's result.

        Each has a code object of its own: torch keeps a limited number of programs for one, and silently
        interprets beyond it.
        """
        key = program_key(call, tensors, wrt)
        if key not in self.programs:

            def program(tensors: Tensors) -> Tensor:
                return call(tensors)

            fresh = FunctionType(
                program.__code__.replace(), program.__globals__, "program", None, program.__closure__
            )
            self.programs[key] = torch.compile(fresh, dynamic=False)
        return self.programs[key](tensors)


class Exported(Eager):
    """By the program that ``torch.export`` writes, decomposed to core ATen operators."""

    def __init__(self) -> None:
        super().__init__()
        try:
            self.export = importlib.import_module("torch.export").export
        except (ImportError, AttributeError):
            what = "torch {} has no mode 'export': it came with 2.1".format(torch.__version__)
            raise Unavailable(what) from None

    def tangent(self, call: Call, tensors: Tensors, name: str, direction: Tensor) -> Tensor:
        """None: dual numbers are for what runs by itself."""
        raise Unsupported("forward mode is asked of programs that PyTorch runs by itself")

    def value(self, call: Call, tensors: Tensors, wrt: Names) -> Tensor:
        """The program's result."""
        key, names = program_key(call, tensors, wrt), tuple(tensors)
        if key not in self.programs:
            examples = tuple(tensor.detach() for tensor in tensors.values())
            exported = self.traced(CallModule(call, names), examples)
            self.programs[key] = exported.run_decompositions().module()
        return self.programs[key](*tensors.values())

    def traced(self, module: torch.nn.Module, examples: Tuple[Tensor, ...]) -> Any:
        """The exported program; Unsupported where it would look at data, as a distribution's checks do."""
        try:
            return self.export(module, examples, strict=False)
        except Exception as error:  # of a module that torch loads when it traces
            if type(error).__name__ != "GuardOnDataDependentSymNode":
                raise
            raise Unsupported("torch.export traces shapes alone, and this depends on the data") from None


class CallModule(torch.nn.Module):  # type: ignore[misc]
    """A call as a module of positional tensors, which is what export takes."""

    def __init__(self, call: Call, names: Names) -> None:
        super().__init__()
        self.call, self.names = call, names

    def forward(self, *tensors: Tensor) -> Tensor:
        """The call's result."""
        return self.call(dict(zip(self.names, tensors)))


def program_key(call: Call, tensors: Tensors, wrt: Names) -> Tuple[Any, ...]:
    """What a program is made for."""
    shapes = tuple((name, tensor.shape, tensor.dtype) for name, tensor in tensors.items())
    return call, wrt, torch.is_grad_enabled(), shapes


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
