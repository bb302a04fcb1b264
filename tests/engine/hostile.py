"""A worker that answers as the NumPy reference does, but misbehaves on the cases that it is told to.

Started as `python hostile.py FAULT numpy`: FAULT is `KIND` or `KIND:once:MARKER` (misbehave only while the
file MARKER does not exist). The case's first logit says where: 666 triggers the fault.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from conformance.adapters import protocol

TRIGGER = 666.0


def softmax(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Over the last axis."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    result: np.ndarray[Any, Any] = e / e.sum(axis=-1, keepdims=True)
    return result


def answer(header: dict[str, Any], value: Any, out: Any, dtype: str = "float32") -> None:
    """Writes a response whose only quantity is the value."""
    head = {
        "kind": "response",
        "id": header["id"],
        "outcomes": {name: {"status": "returned"} for name in header["quantities"]},
        "arrays": [{"name": name, "dtype": dtype} for name in header["quantities"]],
    }
    out.write(protocol.encode(head, dict.fromkeys(header["quantities"], value)))
    out.flush()


def misbehave(kind: str, header: dict[str, Any], x: np.ndarray[Any, Any], out: Any) -> None:
    """Does what a broken subject does; returns only where it goes on afterwards."""
    if kind == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif kind == "abort":
        os.abort()
    elif kind == "exit":
        os._exit(0)
    elif kind == "exit 3":
        print("the last words", file=sys.stderr, flush=True)
        os._exit(3)
    elif kind == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif kind == "hang":
        time.sleep(1000)
    elif kind == "garbage":
        out.write(b"Hello, world! this is no frame at all" * 10)
        out.flush()
        time.sleep(1000)
    elif kind == "half a frame":
        out.write(protocol.encode({"kind": "response", "id": header["id"], "arrays": []})[:20])
        out.flush()
        os._exit(0)
    elif kind == "closes stdout":
        os.close(1)
        os.close(out.fileno())
        time.sleep(1000)
    elif kind == "wrong id":
        answer({**header, "id": header["id"] + 1000}, softmax(x), out)
    elif kind == "no outcomes":
        out.write(protocol.encode({"kind": "response", "id": header["id"], "outcomes": {}, "arrays": []}))
        out.flush()
    elif kind == "gigabytes":
        out.write(b"CFM1" + (2).to_bytes(4, "little") + (1 << 40).to_bytes(8, "little") + b"{}")
        out.flush()
        time.sleep(1000)
    elif kind == "wrong shape":
        answer(header, softmax(x)[..., :-1], out)
    elif kind == "wrong dtype":
        answer(header, softmax(x).astype(np.float64), out, "float64")
    elif kind == "integers":
        answer(header, np.zeros(x.shape, np.int32), out, "float32")


def main() -> None:
    """The worker's loop."""
    fault, *_ = sys.argv[1:]
    kind, _, marker = fault.partition(":once:")
    out = os.fdopen(os.dup(1), "wb")
    if kind == "cannot start":
        sys.exit("no such framework here")
    hello = {"kind": "hello", "framework": "numpy", "version": "0", "formulations": {}, "arrays": []}
    out.write(protocol.encode(hello))
    out.flush()
    while (frame := protocol.read_frame(sys.stdin.buffer)) is not None:
        header, arrays = frame
        x = arrays["x"]
        if x.reshape(-1)[0] == TRIGGER and not (marker and Path(marker).exists()):
            if marker:
                Path(marker).touch()
            misbehave(kind, header, x, out)
        else:
            answer(header, softmax(x), out)


if __name__ == "__main__":
    main()
