"""The element that changed most between two runs: its index, bits and digits, and the exact value there."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import conformance
from conformance.adapters import protocol

CASE = (
    "source: s\ncases:\n  - {{id: one, operation: softmax, inputs: {{x: {x}}}, dtypes: [{dtype}], {more}}}\n"
)
MORE = "formulations: [functional], quantities: [value], why: w"
X = np.array([1.0, 2.0, 3.0, 5.0])


def moved(folder: Path, dtype: str, position: int, steps: int) -> tuple[Path, Path, Path]:
    """A case file, its run, and that run with one element some of the dtype's numbers further."""
    file, old, new = folder / "f.yaml", folder / "old", folder / "new"
    file.write_text(CASE.format(x=X.tolist(), dtype=dtype, more=MORE))
    for output in (old, new):
        conformance.run([file], subjects=["numpy"], output=output)
    frames = []
    with (new / "observations.bin").open("rb") as stream:
        while (frame := protocol.read_frame(stream)) is not None:
            header, arrays = frame
            if header["kind"] == "answer":
                bits = arrays["value"].view("u4" if dtype == "float32" else "u2").copy()
                bits[position] += steps
                arrays = {"value": bits.view(arrays["value"].dtype)}
            frames.append(protocol.encode(header, arrays))
    (new / "observations.bin").write_bytes(b"".join(frames))
    with (new / "results.csv").open(newline="") as stream:
        (row,) = rows = list(csv.DictReader(stream))
    row["bits"] = "another"
    with (new / "results.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, row, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return file, old, new


def changed(old: Path, new: Path) -> dict[str, Any]:
    """The one row of their difference."""
    frame = conformance.diff(old, new).frame
    (row,) = frame[frame["kind"] == "check"].to_dict("records")
    assert row["change"] == "changed bits"
    return {str(name): value for name, value in row.items()}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("position", range(len(X)))
def test_named_to_the_bit_beside_the_exact_value(tmp_path: Path, dtype: str, position: int) -> None:
    """In any place: the results hold the exact value of the worst element alone."""
    _, old, new = moved(tmp_path, dtype, position, 3)
    row = changed(old, new)
    assert (row["index"], row["elements_changed"], row["elements"]) == (f"[{position}]", 1, len(X))
    assert int(row["bits_new"], 16) - int(row["bits_old"], 16) == 3
    right = conformance.exact("softmax", X.astype(np.float32)).digits(20)
    assert float(row["exact"]) == pytest.approx(float(np.ravel(right)[position]), rel=1e-15)
    assert float(row["observed_old"]) != float(row["observed_new"])


@pytest.mark.parametrize("gone", [False, True])
def test_no_exact_value_of_another_case(tmp_path: Path, gone: bool) -> None:
    """Where the case's file has changed since, or has gone, none is given rather than a wrong one."""
    worst = conformance.load(moved(tmp_path, "float32", 0, 1)[1]).frame["worst_index"].iloc[0]
    position = next(index for index in range(len(X)) if f"[{index}]" != worst)
    file, old, new = moved(tmp_path, "float32", position, 3)
    file.unlink() if gone else file.write_text(CASE.format(x=[4, 4, 4, 4], dtype="float32", more=MORE))
    row = changed(old, new)
    assert row["index"] == f"[{position}]"
    assert row["exact"] == ""
