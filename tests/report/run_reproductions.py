"""Runs, beside one framework, programs that reproduce checks, and the same checks through the adapter.

Reads a JSON list of {program, request, arrays} on the standard input and writes a JSON list of
{printed, returned}: what each program printed, and what the adapter's answer prints as.
"""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
from typing import Any

import ml_dtypes
import numpy as np

from conformance.adapters.loop import make_adapter
from conformance.adapters.response import answer

#: Modes whose programs fork.
FORKING = ("loss_parallel",)


def storage(values: Any, dtype: str) -> np.ndarray[Any, Any]:
    """A storage array of the wire: bfloat16 as its bits."""
    if dtype == "bfloat16":
        return np.asarray(values, ml_dtypes.bfloat16).view(np.uint16)
    return np.asarray(values, dtype)


def shown(array: np.ndarray[Any, Any], dtype: str, index: list[int]) -> str:
    """One element in the digits of the report."""
    one = (array.view(ml_dtypes.bfloat16) if dtype == "bfloat16" else array)[tuple(index)]
    return str(one)


def run(program: str) -> str:
    """What a program prints; its error's name and text where it raises."""
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            exec(compile(program, "reproduction", "exec"), {"__name__": "reproduction"})
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return printed.getvalue().strip()


def run_alone(program: str) -> str:
    """What a program prints in a process of its own; its error's name and text where it raises."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    return (done.stdout if done.returncode == 0 else done.stderr).strip().rpartition("\n")[2]


def main() -> None:
    """One job after the other, in one process: importing a framework takes longer than all of them."""
    framework, mode = sys.argv[1:3]
    adapter = make_adapter(framework, mode or None)
    done = []
    for job in json.load(sys.stdin):
        request = job["request"]
        arrays = {
            entry["name"]: storage(job["arrays"][entry["name"]], entry["dtype"])
            for entry in request["arrays"]
        }
        header, returned = answer(adapter, request, arrays, [])
        quantity = request["quantities"][0]
        outcome = header["outcomes"][quantity]
        if outcome["status"] == "returned":
            text = shown(returned[quantity], header["arrays"][0]["dtype"], job["index"])
        else:
            text = f"{outcome['status']}: {outcome.get('message', '')}"
        printed = (run_alone if mode in FORKING else run)(job["program"])
        done.append({"printed": printed, "returned": text})
    json.dump(done, sys.stdout)


if __name__ == "__main__":
    main()
