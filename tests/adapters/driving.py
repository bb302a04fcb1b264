"""A client of serve.py for the tests: it speaks the wire itself, as a stranger would."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

import ml_dtypes
import numpy as np

from conformance.adapters import protocol

SERVE = Path(protocol.__file__).with_name("serve.py")
DTYPES = ("float16", "bfloat16", "float32", "float64")


class Response:
    """Outcomes and arrays (bfloat16 as ml_dtypes has it) of one request."""

    def __init__(self, header: dict[str, Any], arrays: dict[str, Any]) -> None:
        dtypes = {entry["name"]: entry["dtype"] for entry in header["arrays"]}
        self.header = header
        self.outcomes: dict[str, dict[str, Any]] = header["outcomes"]
        self.warnings: list[str] = header["warnings"]
        self.arrays = {
            name: array.view(ml_dtypes.bfloat16) if dtypes[name] == "bfloat16" else array
            for name, array in arrays.items()
        }

    def status(self, quantity: str = "value") -> str:
        """returned, raised or unsupported"""
        return str(self.outcomes[quantity]["status"])

    def message(self, quantity: str = "value") -> str:
        """The error's type, where one was raised, and its text or the reason."""
        outcome = self.outcomes[quantity]
        return f"{outcome.get('error', '')} {outcome.get('message', '')}".strip()

    def numbers(self, quantity: str = "value") -> np.ndarray[Any, np.dtype[np.float64]]:
        """The quantity in float64; an assertion fails where none was returned."""
        assert self.status(quantity) == "returned", self.outcomes[quantity]
        return np.asarray(self.arrays[quantity], np.float64)


class Client:
    """One worker process; requests one at a time."""

    def __init__(
        self, *arguments: str, python: str = sys.executable, environment: Mapping[str, str] | None = None
    ) -> None:
        self.process = subprocess.Popen(
            [python, str(SERVE), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=None if environment is None else dict(environment),
        )
        self.output = cast(BinaryIO, self.process.stdout)
        frame = protocol.read_frame(self.output)
        if frame is None:
            raise RuntimeError(self.process.communicate()[1].decode())
        self.hello = frame[0]
        self.asked = 0

    def ask(
        self,
        operation: str,
        formulation: str = "functional",
        dtype: str = "float32",
        quantities: Sequence[str] = ("value",),
        parameters: Mapping[str, Any] | None = None,
        layouts: Mapping[str, str] | None = None,
        call: str = "",
        **tensors: Any,
    ) -> Response:
        """The response to one request; floating tensors are rounded to the dtype, others sent as they are."""
        self.asked += 1
        entries, stored = [], {}
        for name, tensor in tensors.items():
            array = np.asarray(tensor)
            own = dtype if array.dtype.kind == "f" else array.dtype.name
            entries.append({"name": name, "dtype": own})
            stored[name] = storage(array, own)
        header = {
            "kind": "request",
            "id": self.asked,
            "operation": operation,
            "formulation": formulation,
            "dtype": dtype,
            "quantities": list(quantities),
            "parameters": dict(parameters or {}),
            "arrays": entries,
            "layouts": dict(layouts or {}),
            **({"call": call} if call else {}),
        }
        requests = cast(BinaryIO, self.process.stdin)
        requests.write(protocol.encode(header, stored))
        requests.flush()
        frame = protocol.read_frame(self.output)
        assert frame is not None
        assert frame[0]["id"] == self.asked
        return Response(*frame)

    def close(self) -> tuple[int, str]:
        """Ends the input; the exit code and what the worker wrote to its standard error."""
        _, errors = self.process.communicate(timeout=60)
        return self.process.returncode, errors.decode()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *unused: object) -> None:
        if self.process.returncode is None:  # a test that failed before it closed
            self.process.kill()
            self.process.communicate()


def storage(array: np.ndarray[Any, Any], dtype: str) -> np.ndarray[Any, Any]:
    """The array as it travels."""
    if dtype == "bfloat16":
        return np.asarray(array.astype(ml_dtypes.bfloat16)).view(np.uint16)
    return array.astype(dtype)
