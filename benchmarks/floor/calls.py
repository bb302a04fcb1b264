"""Calls of a run: what a floor carries out, as a list, and its arrays as they lie in one file.

A folder holds `calls.json` and `arrays.bin`, which `of_run.py` writes. All formulations of a case in a dtype
are one call: whoever writes such a script hands the arrays over once.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

Results = dict[str, "np.ndarray[Any, Any]"]
GRADIENT = "gradient:"
SECOND = "second:"
TANGENT = "jvp:"
#: Operations that the scripts have; those by formula are the suite's own.
OPERATIONS = (
    "sigmoid",
    "log_sigmoid",
    "softmax",
    "log_softmax",
    "logsumexp",
    "one_hot",
    "nll_loss",
    "cross_entropy",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
)
#: Arrays of a call that are no arguments of a loss.
FLOWS = ("upstream", "direction")


class Call(NamedTuple):
    """A case in a dtype.

    Attributes:
        operation: The loss or activation.
        dtype: The dtype of its floating arrays.
        inputs: The names of the arrays that come by position, in order.
        scalars: The parameters that the case states and that are no arrays.
        arrays: The arrays by name; bfloat16 as its bits, in uint16.
        bits: The names of those that are bfloat16.
        layouts: How an array is to lie in memory, by name: a word, or the order of its axes.
        quantities: What is asked of each formulation, as `value`, `gradient:x`, `second:x`, `jvp:x`.
        tracked: Whether gradients may be asked for; where not, it is a call as in evaluation.
    """

    operation: str
    dtype: str
    inputs: tuple[str, ...]
    scalars: dict[str, Any]
    arrays: dict[str, np.ndarray[Any, Any]]
    bits: frozenset[str]
    layouts: dict[str, Any]
    quantities: dict[str, list[str]]
    tracked: bool = True


def write(folder: Path, calls: Iterable[Call]) -> None:
    """Writes the calls and their arrays."""
    folder.mkdir(parents=True, exist_ok=True)
    described = []
    with (folder / "arrays.bin").open("wb") as stream:
        for call in calls:
            entries = {}
            for name, array in call.arrays.items():
                stream.write(bytes(-stream.tell() % 64))
                entries[name] = [array.dtype.str, list(array.shape), stream.tell()]
                stream.write(array.tobytes())
            described.append({**call._asdict(), "arrays": entries, "bits": sorted(call.bits)})
        stream.write(bytes(64))
    (folder / "calls.json").write_text(json.dumps(described), encoding="utf-8")


def read(folder: Path) -> list[Call]:
    """The calls of a folder; every array is a view of one buffer."""
    buffer = bytearray((folder / "arrays.bin").read_bytes())
    calls = []
    for entry in json.loads((folder / "calls.json").read_text(encoding="utf-8")):
        arrays = {}
        for name, (dtype, shape, offset) in entry["arrays"].items():
            count = int(np.prod(shape, dtype=int))
            arrays[name] = np.frombuffer(buffer, dtype, count, offset).reshape(shape)
        entry.update(arrays=arrays, bits=frozenset(entry["bits"]), inputs=tuple(entry["inputs"]))
        calls.append(Call(**entry))
    return calls


def clock() -> tuple[float, float]:
    """Seconds on the wall, and of the processor."""
    return time.perf_counter(), time.process_time()


def measure(
    start: tuple[float, float],
    imported: tuple[float, float],
    carry_out: Callable[[Call], Results],
    announce: Callable[[list[Call]], None] = lambda calls: None,
) -> None:
    """Carries out the calls of the folder that the command line names, and prints what they took as JSON.

    Args:
        start: The clock before the framework's import.
        imported: The clock behind it.
        carry_out: Gives a call's results as NumPy arrays, named `FORMULATION QUANTITY`.
        announce: Is told all calls before the clock starts.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("calls", type=Path)
    parser.add_argument("--results", type=Path, help="also write all results, for a comparison")
    options, _ = parser.parse_known_args()
    calls = read(options.calls)
    announce(calls)
    results: dict[str, np.ndarray[Any, Any]] = {}
    began, count = clock(), 0
    for number, call in enumerate(calls):
        returned = carry_out(call)
        count += len(returned)
        if options.results:
            results.update({f"{number} {name}": array for name, array in returned.items()})
    ended = clock()
    figures = {
        "calls": len(calls),
        "results": count,
        "import": imported[1] - start[1],
        "run": ended[1] - began[1],
        "wall": imported[0] - start[0] + ended[0] - began[0],
        "processor": imported[1] + ended[1] - began[1],  # from the interpreter's start on
    }
    if options.results:
        np.savez(options.results, **results)
    print(json.dumps(figures), flush=True)
    os._exit(0)  # all is said: to put a framework away takes half a second
