"""A worker that answers softmax rightly, but misbehaves on the case that it is told to, or from the start.

Started by a `subjects.yaml` as `command: [python, hostile.py, KIND, MARKER]`, as one elsewhere would
be: the adapters come first on its standard input and are thrown away. The check whose first logit is 666
triggers the fault; a KIND that ends in `once` strikes only while the file MARKER does not exist.
"""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from conformance.adapters import protocol

TRIGGER = 666.0
Array = np.ndarray[Any, Any]
Header = dict[str, Any]


class Worker:
    """Speaks the wire by hand, so that it can say anything."""

    def __init__(self, kind: str, marker: Path) -> None:
        self.kind, self.marker = kind, marker
        self.out = os.fdopen(os.dup(1), "wb")
        self.answered = 0

    def write(self, data: bytes) -> None:
        """Bytes to the parent, at once."""
        self.out.write(data)
        self.out.flush()

    def hello(self, **more: Any) -> None:
        """The first frame."""
        self.write(
            protocol.encode({"kind": "hello", "framework": "numpy", "version": "0", "arrays": [], **more})
        )

    def frame(self, header: Header, body: bytes) -> None:
        """A frame of any header and any body."""
        self.write(protocol.pack(header, body))

    def answer(self, header: Header, value: Array, dtype: str = "float32", **more: Any) -> None:
        """A sound response whose quantities are all `value`, but for what `more` says otherwise."""
        names = header["quantities"]
        head = {
            "kind": "response",
            "id": header["id"],
            "outcomes": {name: {"status": "returned"} for name in names},
            "arrays": [{"name": name, "dtype": dtype} for name in names],
        }
        self.frame({**head, **more}, protocol.body_of([value] * len(head["arrays"])))

    def fail(self, header: Header, message: str) -> None:
        """A response that says that an error was raised."""
        outcomes = {
            name: {"status": "raised", "error": "E", "message": message} for name in header["quantities"]
        }
        self.answer(header, np.zeros(0), outcomes=outcomes, arrays=[])

    def serve(self) -> None:
        """Answers until the requests end."""
        for _ in range(2):
            sys.stdin.buffer.read(int(sys.stdin.buffer.read(8), 16))
        START.get(self.kind, Worker.hello)(self)
        while (frame := protocol.read_frame(sys.stdin.buffer)) is not None:
            header, arrays = frame
            value = softmax(arrays["x"])
            strikes = arrays["x"].reshape(-1)[0] == TRIGGER or self.kind in ALWAYS
            if self.kind.endswith("once"):
                strikes = strikes and not self.marker.exists()
                self.marker.touch() if strikes else None
            if strikes and self.kind in FAULTS:
                FAULTS[self.kind](self, header, value)
            else:
                self.answer(header, value)
            self.answered += 1


def softmax(x: Array) -> Array:
    """Over the last axis."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    result: Array = e / e.sum(axis=-1, keepdims=True)
    return result


def die(worker: Worker, code: int, words: str = "") -> NoReturn:
    """Ends at once, with last words on the standard error."""
    print(words, file=sys.stderr, flush=True)
    os._exit(code)


def kill(number: int) -> Callable[..., None]:
    """A signal to itself."""
    return lambda *_: os.kill(os.getpid(), number)


def closes(descriptor: int) -> Callable[..., None]:
    """Closes a standard stream, and lives on."""

    def close(worker: Worker, header: Header, value: Array) -> None:
        os.close(descriptor)
        if descriptor == 1:
            os.close(worker.out.fileno())
            time.sleep(1000)
        worker.answer(header, value)

    return close


def leaves_a_child(away: bool) -> Callable[..., None]:
    """Dies, and leaves a child that holds both pipes: in its own session, or in one of the child's."""

    def leave(worker: Worker, header: Header, value: Array) -> None:
        child = subprocess.Popen(["sleep", "30"], stdout=worker.out, start_new_session=away)
        worker.marker.write_text(str(child.pid))
        die(worker, 7)

    return leave


def array_of(description: bytes, shape: bytes, elements: bytes = b"") -> bytes:
    """An array in NumPy's format whose header says what it likes."""
    text = b"{'descr': %s, 'fortran_order': False, 'shape': %s, }" % (description, shape)
    return np.lib.format.magic(1, 0) + struct.pack("<H", len(text)) + text + elements


def claims(description: bytes, shape: bytes) -> Callable[..., None]:
    """A response whose array's header claims this."""

    def claim(worker: Worker, header: Header, value: Array) -> None:
        outcomes = {name: {"status": "returned"} for name in header["quantities"]}
        head = {"kind": "response", "id": header["id"], "outcomes": outcomes, "arrays": [{"name": "value"}]}
        worker.frame(head, array_of(description, shape, bytes(64)))

    return claim


def twice(worker: Worker, header: Header, value: Array) -> None:
    """Two arrays of one name."""
    outcomes = {name: {"status": "returned"} for name in header["quantities"]}
    head = {"id": header["id"], "outcomes": outcomes, "arrays": [{"name": "value", "dtype": "float32"}] * 2}
    worker.frame(head, protocol.body_of([value, value]))


def sends(data: bytes) -> Callable[..., None]:
    """Bytes instead of a response; then it waits."""
    return lambda worker, *_: (worker.write(data), time.sleep(1000))


def says(**more: Any) -> Callable[..., None]:
    """A right answer whose header says something else beside, or instead."""
    return lambda worker, header, value: worker.answer(header, value, **more)


def outcome(**entry: Any) -> Callable[..., None]:
    """A response with this outcome, and the right array."""
    return says(outcomes={"value": entry})


FAULTS: dict[str, Callable[..., Any]] = {
    "segfault": kill(signal.SIGSEGV),
    "abort": lambda *_: os.abort(),
    "killed": kill(signal.SIGKILL),
    "terminated": kill(signal.SIGTERM),
    "killed once": kill(signal.SIGKILL),
    "floating-point exception": kill(signal.SIGFPE),
    "os._exit(0)": lambda worker, *_: die(worker, 0),
    "an address": lambda worker, *_: die(worker, 1, f"the error {id(worker):#x} of"),
    "exit 3": lambda worker, *_: die(worker, 3, "the last words"),
    "megabytes of last words": lambda worker, *_: die(worker, 1, "word\n" * 10**6 + "the very last word"),
    "last words in no encoding": lambda worker, *_: (os.write(2, b"\xff\xfe caf\xe9 \x1b[2J\n"), os._exit(1)),
    "raises": lambda *_: 1 / 0,
    "hang": lambda *_: time.sleep(1000),
    "spins": lambda *_: [None for _ in iter(int, 1)],
    "ignores SIGTERM and hangs": lambda *_: (signal.signal(signal.SIGTERM, signal.SIG_IGN), time.sleep(1000)),
    "garbage": sends(b"Hello, world! this is no frame at all" * 10),
    "half a frame": lambda worker, *_: (worker.write(b"CFM1\x40\0\0\0"), os._exit(0)),
    "half a frame and hangs": sends(b"CFM1\x40\0\0\0"),
    "a header that is no JSON": lambda worker, *_: worker.write(struct.pack("<4sIQ", b"CFM1", 3, 0) + b"{,}"),
    "a header that is no UTF-8": lambda worker, *_: worker.write(
        struct.pack("<4sIQ", b"CFM1", 2, 0) + b"\xff\xfe"
    ),
    "a header that is a list": lambda worker, *_: worker.frame([1, 2], b""),  # type: ignore[arg-type]
    "a deep header": lambda worker, *_: worker.write(struct.pack("<4sIQ", b"CFM1", 10**6, 0) + b"[" * 10**6),
    "gigabytes claimed": sends(struct.pack("<4sIQ", b"CFM1", 2, 1 << 40) + b"{}"),
    "closes stdout": closes(1),
    "closes stdin": closes(0),
    "prints to stdout": lambda worker, header, value: (os.write(1, b"step 1: loss 0.7\n"), time.sleep(1000)),
    "wrong id": says(id=10**6),
    "an id that is a text": says(id="7"),
    "no outcomes": says(outcomes={}),
    "outcomes that are a list": says(outcomes=["value"]),
    "an extra quantity": says(
        outcomes={"value": {"status": "returned"}, "gradient:x": {"status": "returned"}}
    ),
    "another quantity": says(outcomes={"gradient:x": {"status": "returned"}}),
    "an outcome that is a text": says(outcomes={"value": "returned"}),
    "a status of its own": outcome(status="fine"),
    "a verdict for a status": outcome(status="exact"),
    "an array is missing": says(arrays=[]),
    "an array twice": twice,
    "arrays that are numbers": says(arrays=[1, 2]),
    "hello again": lambda worker, *_: worker.hello(),
    "answers twice": lambda worker, header, value: [worker.answer(header, value) for _ in range(2)],
    "wrong on its processor": lambda worker, header, value: worker.answer(header, value[..., :-1]),
    "wrong shape": lambda worker, header, value: worker.answer(header, value[..., :-1]),
    "no axes": lambda worker, header, value: worker.answer(header, value.sum()),
    "wrong dtype": lambda worker, header, value: worker.answer(header, value.astype(np.float64), "float64"),
    "integers": lambda worker, header, value: worker.answer(header, np.zeros(value.shape, np.int32)),
    "complex numbers": lambda worker, header, value: worker.answer(header, value.astype(np.complex64)),
    "texts": lambda worker, header, value: worker.answer(header, value.astype("U8")),
    "megabytes": lambda worker, header, value: worker.answer(header, np.zeros((3, 1 << 22), np.float32)),
    "an array of objects": claims(b"'|O'", b"(3,)"),
    "an array of a billion": claims(b"'<f4'", b"(1000000000000,)"),
    "an array of less than nothing": claims(b"'<f4'", b"(-1,)"),
    "an array whose header is code": claims(b"__import__('os').abort()", b"(3,)"),
    "an array whose header is nested": claims(b"(" * 4000, b"(3,)"),
    "numbers that are none": says(seconds=float("nan"), compilations=float("inf")),
    "numbers that are texts": says(seconds="long", compilations=[]),
    "warnings that are a number": says(warnings=7),
    "megabytes of warnings": says(warnings=["w" * 1000] * 5000),
    "a message in no encoding": lambda worker, header, value: worker.fail(
        header, "caf\udce9 \x1b[2J\x00\r\n,\"'"
    ),
    "a message of megabytes": lambda worker, header, value: worker.fail(header, "m" * 10**7),
    "a child holds the pipes": leaves_a_child(away=False),
    "a child of another session holds the pipes": leaves_a_child(away=True),
    "dies on every check": lambda worker, *_: die(worker, 1, "never again"),
    "dies between checks": lambda worker, header, value: (worker.answer(header, value), os._exit(0)),
    "dies where the composed one is compiled": lambda worker, header, value: (
        os.abort() if "composed" in header["formulations"] else worker.answer(header, value)
    ),
    "dies of the gradient": lambda worker, header, value: (
        os.abort() if "gradient:x" in header["quantities"] else worker.answer(header, value)
    ),
    "slow": lambda worker, header, value: (time.sleep(0.05), worker.answer(header, value)),
    "needs much memory": lambda worker, header, value: worker.answer(
        header, np.ones(1 << 28)[:3] * 0 + value
    ),
    "deaf": lambda *_: os.execvp("sleep", ["sleep", "1000"]),
    "is uninstalled": lambda worker, *_: (os.unlink(__file__), die(worker, 9)),
}
ALWAYS = frozenset(
    {
        "slow",
        "dies on every check",
        "dies between checks",
        "dies of the gradient",
        "dies where the composed one is compiled",
    }
)
START: dict[str, Callable[[Worker], Any]] = {
    "dies where the composed one is compiled": lambda worker: (
        worker.marker.open("a").write("."),
        worker.hello(),
    ),
    "cannot start": lambda worker: die(worker, 3, "no such framework here"),
    "crashes at the start": lambda worker: die(worker, 1, "ImportError: libcudart.so.12"),
    "hangs at the start": lambda worker: time.sleep(1000),
    "prints before hello": lambda worker: worker.write(b"Welcome to the cluster!\n"),
    "wrong on its processor": lambda worker: worker.hello(hardware={"flags": ["avx512f"]}),
    "a hello of odd things": lambda worker: worker.hello(
        version=["1", "\ud800"],
        hardware=7,
        versions=[],
        flushes_subnormals=float("nan"),
        odd={"\x1b": "\x00"},
    ),
    "a hello of odd hardware": lambda worker: worker.hello(
        hardware={"cores": "many", "gpu": [1], "cpu": {}, "flags": 7},
        formulations=[1],
        device={},
        mode=[],
        versions={"x": [None]},
    ),
}


if __name__ == "__main__":
    Worker(sys.argv[1], Path(sys.argv[2])).serve()
