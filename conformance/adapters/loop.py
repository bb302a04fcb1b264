"""Loop of a worker: start the adapter, say hello, answer requests until they end."""

from __future__ import annotations

import platform
import sys
import warnings
from typing import Any, BinaryIO, Dict, List, Optional, Sequence

import numpy as np

from . import options, protocol, variants
from .base import FORMULATIONS, Adapter, Call, Unavailable
from .hardware import processor
from .registry import FRAMEWORKS, adapter_class
from .response import answer
from .user_function import load_function

#: The smallest normal number of float32: half of it is subnormal.
SMALLEST_NORMAL = 1.1754943508222875e-38


def run(arguments: Sequence[str], requests: BinaryIO, responses: BinaryIO) -> int:
    """Serve until the requests end; the exit code."""
    try:
        chosen = options.parse(arguments)
        adapter = make_adapter(chosen.framework, chosen.mode, chosen.device)
        if chosen.function:
            adapter.adopt(load_function(chosen.function, chosen.returns), chosen.operation)
        header = hello(adapter)
        if adapter.conventions:
            header["conventions"] = adapter.conventions
        if chosen.variant:
            header["variant"] = chosen.variant
            report = dict(header["hardware"], **header["kernels"])
            variants.require_effect(chosen.framework, chosen.variant, report)
    except Unavailable as error:
        print("conformance: {}".format(error), file=sys.stderr)
        return options.EXIT_UNAVAILABLE
    warned: List[str] = []
    _send(responses, header, {})
    while True:
        frame = protocol.read_frame(requests)
        if frame is None:
            return 0
        _collect_warnings(warned)
        _send(responses, *answer(adapter, frame[0], frame[1], warned))


def make_adapter(framework: str, mode: Optional[str] = None, device: Optional[str] = None) -> Adapter:
    """The adapter of a framework, ours or a third party's; Unavailable, in one line, where there is none."""
    try:
        make = adapter_class(framework)
    except Exception as error:  # a framework may fail to import in any way
        raise Unavailable("{} does not import here: {}".format(framework, first_line(error))) from error
    if make is None:
        raise Unavailable(
            "no adapter for {!r}: there are {}".format(framework, ", ".join(sorted(FRAMEWORKS)))
        )
    try:
        adapter: Adapter = make(mode, device)
    except Unavailable:
        raise
    except Exception as error:
        raise Unavailable("{} does not start here: {}".format(framework, first_line(error))) from error
    return adapter


def hello(adapter: Adapter) -> Dict[str, Any]:
    """The hello frame's header."""
    described = adapter.describe()
    described["hardware"] = dict(processor(), **described.get("hardware", {}))
    described.update(
        kind="hello",
        framework=adapter.framework,
        python=platform.python_version(),
        numpy=np.__version__,
        mode=adapter.mode,
        device=adapter.device,
        kernels=adapter.kernels(),
        flushes_subnormals=flushes_subnormals(adapter),
        formulations={
            operation: sorted(functions, key=(FORMULATIONS + tuple(functions)).index)
            for operation, functions in adapter.formulations.items()
        },
    )
    return described


def flushes_subnormals(adapter: Adapter) -> Optional[bool]:
    """Whether half of float32's smallest normal number comes out as 0; None where the framework cannot say.

    64 elements: the loop's vector body runs, as in real work.
    """
    call = Call(_halve, ("x",), (), "float32")
    try:
        tensor = adapter.load(np.full(64, SMALLEST_NORMAL, np.float32), "float32")
        halves, _ = adapter.store(adapter.compute(call, {"x": tensor}, (), None)[0])
    except Exception:  # of no consequence for any check
        return None
    return not bool(np.all(halves))


def first_line(error: BaseException) -> str:
    """An error's type and the first line of its message."""
    lines = str(error).strip().splitlines() or [""]
    return "{}: {}".format(type(error).__name__, lines[0])


def _halve(x: Any) -> Any:
    return x * 0.5


def _send(responses: BinaryIO, header: Dict[str, Any], arrays: Dict[str, Any]) -> None:
    responses.write(protocol.encode(header, arrays))
    responses.flush()


def _collect_warnings(warned: List[str]) -> None:
    """Sends every warning to a list from now on, whatever the last call did to the filters."""

    def collect(message: Any, category: Any, *details: Any, **options: Any) -> None:
        warned.append("{}: {}".format(category.__name__, message))

    warnings.simplefilter("always")
    warnings.showwarning = collect
