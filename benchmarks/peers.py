"""Checks a second beside the peers' own runners on their own cases, one after the other, each alone.

    python benchmarks/peers.py [--array-api-tests CHECKOUT] [--save FILE]

- the ONNX backend's node tests of softmax, log-softmax, sigmoid, NLL and cross-entropy, by onnxruntime;
- array-api-tests' special cases of NumPy's elementwise functions, from a checkout with its submodule
  (https://github.com/data-apis/array-api-tests; it is on no index);
- this suite's checks of softmax and cross-entropy, in all four frameworks, with warm caches.

Builds the peers' environment with uv in a temporary folder. Needs an otherwise idle machine.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("numpy", "pytest", "pytest-json-report", "hypothesis", "ndindex", "onnx", "onnxruntime")
ONNX = """
import onnx.backend.test
import onnxruntime.backend

tests = onnx.backend.test.BackendTest(onnxruntime.backend, __name__)
tests.include(r"test_(softmax|logsoftmax|sigmoid|nllloss|sce)_.*_cpu")
globals().update(tests.test_cases)
"""
OWN = ("run", "--operation", "softmax", "--operation", "cross_entropy")


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--array-api-tests", type=Path, metavar="CHECKOUT")
    parser.add_argument("--save", type=Path, help="also write the table to this file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measured = peers(Path(folder), options.array_api_tests)
        measured["this suite"] = own(Path(folder))
    table = Table("runner", "ran", "seconds", "a second", "this suite is faster by")
    ours = measured["this suite"][0] / measured["this suite"][1]
    for name, (count, seconds) in measured.items():
        times = f"{ours / (count / seconds):.0f} x"
        table.add_row(name, f"{count:,}", f"{seconds:.1f}", f"{count / seconds:.0f}", times)
    console = Console(record=True, width=110)
    console.print(table)
    if options.save:
        options.save.write_text(console.export_text(), encoding="utf-8")


def peers(folder: Path, checkout: Path | None) -> dict[str, tuple[int, float]]:
    """Each peer's tests that ran, and the seconds of the whole command."""
    python = folder / "peers" / "bin" / "python"
    subprocess.run(["uv", "venv", "--quiet", "--python", sys.executable, folder / "peers"], check=True)
    subprocess.run(["uv", "pip", "install", "--quiet", "--python", python, *PACKAGES], check=True)
    (folder / "test_onnx.py").write_text(ONNX)
    found = {"ONNX node tests, onnxruntime": pytest(python, folder, "test_onnx.py")}
    if checkout is not None:
        words = ("array_api_tests/test_special_cases.py", "--max-examples", "20")
        found["array-api-tests, special cases of NumPy"] = pytest(python, checkout, *words)
    return found


def pytest(python: Path, folder: Path, *words: str) -> tuple[int, float]:
    """How many tests passed or failed, and the seconds of the whole command: the second time that it runs."""
    argv = [python, "-m", "pytest", "--quiet", "-p", "no:cacheprovider", *words]
    environment = {**os.environ, "ARRAY_API_TESTS_MODULE": "numpy"}
    for _ in range(2):
        start = time.perf_counter()
        ran = subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - start
    counts = re.findall(r"(\d+) (?:passed|failed)", ran.stdout.splitlines()[-1])
    if not counts:
        sys.exit(f"{folder}: no test ran:\n{ran.stdout[-2000:]}{ran.stderr[-2000:]}")
    return sum(map(int, counts)), seconds


def own(folder: Path) -> tuple[int, float]:
    """This suite's checks that have a verdict, and the seconds of the whole command, with warm caches."""
    sys.path.insert(0, str(ROOT))
    import conformance

    argv = [sys.executable, "-m", "conformance", *OWN, "--output", folder / "run"]
    for _ in range(2):
        start = time.perf_counter()
        subprocess.run(argv, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        seconds = time.perf_counter() - start
    frame = conformance.load(folder / "run").frame
    return int(frame["conforms"].notna().sum()), seconds


if __name__ == "__main__":
    main()
