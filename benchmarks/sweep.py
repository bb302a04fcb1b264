"""How fast a sweep of 2^32 inputs is: inputs a second, beside the framework's kernel and NumPy's exp.

    python benchmarks/sweep.py [--subject torch] [--operation sigmoid] [--quantity value|all] [--every N]
                               [--dtype float32|"float16 pairs"|"bfloat16 pairs"]

One process carries out the sweep's tasks, binade by binade, each --every-th of them, and measures the
processor's time of the whole, of the same kernel alone, and of NumPy's exp on the same inputs. Then says what
all 2^32 inputs take two such processes on idle cores. Memory is the process's peak.
"""

from __future__ import annotations

import argparse
import os
import resource
import time

import numpy as np

from conformance.sweeping.binade_sweep import BLOCK_INPUTS, sweep_binade
from conformance.sweeping.functions import SWEPT_INPUT, SweptFunction, swept_functions
from conformance.sweeping.inputs import PAIRS, Binade, binade_count, values
from conformance.sweeping.subject_call import AdapterKey, Refusal, SubjectCall

LAST = (1 << 32) - 1
CORES = 2


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--subject", default="torch", help="a framework, or framework:mode")
    parser.add_argument("--operation", default="sigmoid", help="an operation, or all")
    parser.add_argument("--quantity", default="value", help="or all: a line for each function")
    parser.add_argument("--dtype", default="float32", choices=("float32", *PAIRS))
    parser.add_argument("--every", type=int, default=1, help="of so many binades one")
    options = parser.parse_args()
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")  # before a framework is imported; as Dask sets them for its workers
    framework, _, mode = options.subject.partition(":")
    key = AdapterKey(framework, mode or None, None, None, None)
    if options.quantity == "all":
        table(key, options)
        return
    function = next(iter(swept_functions(options.operation, (options.quantity,))))
    inputs, whole, kernel, exponential = measured(key, function, options.dtype, options.every)
    about = f"{function.name} {function.quantity}, {options.subject}, {options.dtype}"
    print(f"{about}, {inputs:,} inputs, ns of processor each:")
    print(
        f"  sweep {1e9 * whole / inputs:.2f}, kernel {1e9 * kernel / inputs:.2f}, "
        f"NumPy's exp {1e9 * exponential / inputs:.2f}"
    )
    print(f"  sweep / (kernel + exp) = {whole / (kernel + exponential):.2f}")
    rate = CORES * inputs / whole
    print(f"  on {CORES} idle cores {rate / 1e6:.0f} million inputs a second, 2^32 in {2**32 / rate:.0f} s")
    print(f"  peak memory of the process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def table(key: AdapterKey, options: argparse.Namespace) -> None:
    """A line for each function: what an input and all 2^32 cost; and the sum."""
    total = 0.0
    dtype, operation = options.dtype, options.operation
    print(f"| {options.subject} | ns an input | kernel alone | core seconds for all {dtype} |")
    print("| --- | ---: | ---: | ---: |")
    for name in SWEPT_INPUT if operation == "all" else (operation,):
        for function in swept_functions(name):
            try:
                inputs, whole, kernel, _ = measured(key, function, dtype, options.every)
            except Refusal as refusal:
                print(f"| {function.name} {function.quantity} | {refusal.status} | | |")
                continue
            first, last = function.domain(dtype)
            seconds = whole / inputs * (last - first + 1)
            total += seconds
            each = f"{1e9 * whole / inputs:.2f} | {1e9 * kernel / inputs:.2f} | {seconds:.0f}"
            print(f"| {function.name} {function.quantity} | {each} |", flush=True)
    print(f"| all | | | {total:.0f} |")


def measured(
    key: AdapterKey, function: SweptFunction, dtype: str, every: int
) -> tuple[int, float, float, float]:
    """Inputs, and processor seconds of the sweep, of the kernel alone and of NumPy's exp."""
    call = SubjectCall(key, function, dtype, BLOCK_INPUTS)
    call(0)
    whole = kernel = exponential = 0.0
    inputs = 0
    first, last = function.domain(dtype)
    for index in range(every // 2, binade_count(dtype), every):
        binade = Binade(dtype, index)
        if not first <= binade.first <= last:
            continue
        begin = time.process_time()
        sweep_binade(key, function, binade, 0, LAST)
        whole += time.process_time() - begin
        kernel += kernel_seconds(call, binade)
        exponential += exponential_seconds(binade)
        inputs += binade.size
    return inputs, whole, kernel, exponential


def kernel_seconds(call: SubjectCall, binade: Binade) -> float:
    """Processor time of the framework's calls on a binade, as the sweep makes them."""
    begin = time.process_time()
    for block in range(0, binade.size, BLOCK_INPUTS):
        call(binade.first + block)
    return time.process_time() - begin


def exponential_seconds(binade: Binade) -> float:
    """Processor time of NumPy's exp on the same inputs, into an array that is there."""
    result = np.empty(BLOCK_INPUTS, np.float32)
    seconds = 0.0
    with np.errstate(all="ignore"):
        for block in range(0, binade.size, BLOCK_INPUTS):
            bits = np.arange(BLOCK_INPUTS, dtype=np.int64) + (binade.first + block)
            x = values(binade.dtype, bits).reshape(BLOCK_INPUTS, -1)[:, 0].astype(np.float32)
            begin = time.process_time()
            np.exp(x, out=result)
            seconds += time.process_time() - begin
    return seconds


if __name__ == "__main__":
    main()
