"""The floor of one framework: the calls of a run on its inputs, with nothing of the suite around them.

    python benchmarks/floor.py FRAMEWORK FRAMES

FRAMES holds the requests that a run would send (`benchmarks/speed.py` writes it). Each is made ready first;
what is timed is the framework's import and, for each request, arrays in, the formulation and its gradients,
arrays out. JAX has a `jax.jit` for each formulation here, and its own compilation cache where
CONFORMANCE_CACHE names a folder. Prints one line of JSON: seconds, and the processor's seconds.
"""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np  # noqa: F401 - the framework's import is timed without it

from conformance.adapters import loop, protocol
from conformance.adapters.base import FLOWS, Adapter, Call
from conformance.adapters.response import GRADIENT, SECOND


def main(framework: str, frames: Path) -> None:
    """Times the framework's import and its calls."""
    start = time.perf_counter(), time.process_time()
    adapter = loop.make_adapter(framework)
    if framework == "jax":
        compile_plainly(adapter)
    imported = time.perf_counter(), time.process_time()
    calls = ready(adapter, frames)
    began = time.perf_counter(), time.process_time()
    for call, request, arrays in calls:
        for quantities in (request["quantities"], *([one] for one in request["quantities"])):
            try:
                carry_out(adapter, call, request, arrays, quantities)
            except Exception:
                continue
            if quantities is request["quantities"]:
                break
    ended = time.perf_counter(), time.process_time()
    figures = {
        "calls": len(calls),
        "import": imported[0] - start[0],
        "ready": began[0] - imported[0],
        "run": ended[0] - began[0],
        "cpu": imported[1] - start[1] + ended[1] - began[1],
    }
    print(json.dumps(figures))


def ready(adapter: Adapter, frames: Path) -> list[tuple[Call, dict[str, Any], dict[str, Any]]]:
    """The requests that the framework supports, each with its call and its arrays."""
    found = []
    with frames.open("rb") as stream:
        while (frame := protocol.read_frame(stream)) is not None:
            try:
                found.append((adapter.call(*frame), *frame))
            except NotImplementedError:
                continue
    return found


def carry_out(
    adapter: Adapter, call: Call, request: dict[str, Any], arrays: dict[str, Any], quantities: list[str]
) -> None:
    """One request, from NumPy arrays to NumPy arrays."""
    dtypes = {entry["name"]: entry["dtype"] for entry in request["arrays"]}
    tensors = {name: adapter.load(array, dtypes[name]) for name, array in arrays.items()}
    for name, layout in request.get("layouts", {}).items():
        tensors[name] = adapter.lay_out(tensors[name], layout)
    upstream, direction = (tensors.pop(name, None) for name in FLOWS)
    wrt = tuple(name[len(GRADIENT) :] for name in quantities if name.startswith(GRADIENT))
    second = [name[len(SECOND) :] for name in quantities if name.startswith(SECOND)]
    if len(second) < len(quantities):
        value, gradients = adapter.compute(call, dict(tensors), wrt, upstream)
        for result in (value, *gradients):
            adapter.store(result)
    for name in second:
        adapter.store(adapter.second(call, dict(tensors), name, upstream, direction))


def compile_plainly(adapter: Any) -> None:
    """Has JAX compile as its users do: one `jax.jit` a function, nothing shared, nothing kept but by JAX."""
    import jax

    from conformance.adapters.jax.adapter import enable_x64, evaluate, normalized, use_cache

    use_cache(os.environ.get("CONFORMANCE_CACHE"))
    programs: dict[Any, Any] = {}

    def carry_out(call: Call, wrt: Any, tensors: Any, upstream: Any) -> Any:
        with enable_x64() if call.dtype == "float64" else nullcontext():
            call, traced = normalized(call)
            if (call, wrt) not in programs:
                programs[call, wrt] = jax.jit(partial(evaluate, call, wrt))
            return programs[call, wrt](tensors, traced, upstream)

    adapter.carry_out = carry_out


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
