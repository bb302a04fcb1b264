"""The ten operations from their formulas beside those written by hand: bits, bounds and time.

    PYTHONPATH=tests python tests/formula/proof.py --calls 10000 --corpus

prints the tables of docs/formulas-proof.md.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from formula.ten_operations import TEN
from oracle.calls import MAKERS

from conformance.arithmetic.formats import FORMATS, round_to
from conformance.errors import ArgumentError
from conformance.operations import OPERATIONS, Call, Reference, references
from conformance.operations.formula.graph import FormulaError
from conformance.operations.formula.operation import NoLimitError
from conformance.operations.reductions import with_reduction

DTYPES = ("float16", "bfloat16", "float32", "float64")
#: The name under which a formula is known beside the operation of the same name.
PREFIX = "from_formula_"
Arguments = dict[str, Any]


@dataclass
class Comparison:
    """One operation, both ways.

    Attributes:
        quantities: How many quantities were compared.
        different: Those whose correctly rounded bits differ, described.
        left_out: Why quantities were not compared, and how often.
        ratios: By kind of quantity, the derived bound over the one by hand, of normal results.
        unbounded: Normal results whose bound by hand is 0, while the derived one is not.
        seconds: Processor seconds of the operation by hand, and of the formula.
    """

    quantities: int = 0
    different: list[str] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    ratios: defaultdict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    unbounded: int = 0
    seconds: list[float] = field(default_factory=lambda: [0.0, 0.0])

    def add(self, name: str, arguments: Arguments, quantity: str, dtype: str, g: Any = None) -> None:
        """Compares one quantity."""
        formula, given = formula_call(name, arguments)
        try:
            by_hand = self._timed(0, Call(name, arguments, (quantity,), g), dtype)
        except (ArgumentError, ValueError):
            self.left_out["the operation by hand refuses it"] += 1
            return
        try:
            derived = self._timed(1, Call(PREFIX + formula, given, (quantity,), g), dtype)
        except NoLimitError:
            self.left_out[f"no limit ({quantity.partition(':')[0]})"] += 1
            return
        except FormulaError:
            self.left_out["no axis, or an empty one"] += 1
            return
        self.quantities += 1
        if not np.array_equal(by_hand.rounded, derived.rounded, equal_nan=True):
            self.different.append(f"{name} {quantity} {dtype} {arguments}")
        self._bounds(quantity.partition(":")[0], by_hand, derived, dtype)

    def _timed(self, which: int, call: Call, dtype: str) -> Reference:
        begin = time.process_time()
        (found,) = references([call], dtype)
        self.seconds[which] += time.process_time() - begin
        return found[call.quantities[0]]

    def _bounds(self, kind: str, by_hand: Reference, derived: Reference, dtype: str) -> None:
        """Of results that are normal numbers, where one of the bounds exceeds half an ulp."""
        size = np.abs(by_hand.rounded)
        counted = np.isfinite(size) & (size >= FORMATS[dtype].smallest_normal)
        counted &= (by_hand.bound > 0.5) | (derived.bound > 0.5)
        self.unbounded += int(np.sum(counted & (by_hand.bound == 0)))
        counted &= (by_hand.bound > 0) & np.isfinite(by_hand.bound) & np.isfinite(derived.bound)
        self.ratios[kind].append((derived.bound[counted] / by_hand.bound[counted]).ravel())


def register() -> None:
    """Makes the formulas known beside the operations."""
    for name, operation in TEN.items():
        OPERATIONS[PREFIX + name] = operation


def formula_call(name: str, arguments: Arguments) -> tuple[str, Arguments]:
    """The formula for these arguments, and the arguments that it takes."""
    target = arguments.get("target")
    soft = name == "cross_entropy" and isinstance(target, np.ndarray) and target.dtype.kind == "f"
    formula = "soft_cross_entropy" if soft else name
    complete = OPERATIONS[name].completed(arguments)
    if "size_average" in complete:
        complete = with_reduction(complete)
    if complete.get("axis", 0) is None:  # the implicit axis of old releases
        axes = np.ndim(complete["x"])
        complete["axis"] = 0 if axes in (0, 1, 3) else 1
    operation = TEN[formula]
    names = {item.name for item in (*operation.inputs, *operation.parameters)}
    return formula, {key: value for key, value in complete.items() if key in names}


def rounded(value: Any, dtype: str) -> Any:
    """Floating arrays rounded to the dtype, labels as int64."""
    if not isinstance(value, np.ndarray):
        return value
    if value.dtype.kind in "iu":
        return value.astype(np.int64)
    with np.errstate(over="ignore"):
        return round_to(FORMATS[dtype], np.asarray(value, np.float64))


def random_calls(name: str, count: int, seed: int) -> Iterator[tuple[Arguments, tuple[str, ...], str]]:
    """Arguments, the inputs to differentiate by, and the dtype of each random call."""
    rng = np.random.default_rng(seed)
    inputs = [item.name for item in OPERATIONS[name].inputs]
    for number in range(count):
        call, dtype = MAKERS[name](rng), DTYPES[number % 4]
        arguments = {**dict(zip(inputs, call.inputs, strict=True)), **call.parameters}
        yield {key: rounded(value, dtype) for key, value in arguments.items()}, call.gradients, dtype


def compared(name: str, count: int, seed: int = 7) -> Comparison:
    """Random calls of one operation, both ways: value, gradients and second derivative."""
    comparison = Comparison()
    for arguments, gradients, dtype in random_calls(name, count, seed):
        names = ["value", *(f"gradient:{item}" for item in gradients)]
        names += [f"second:{item}" for item in gradients[:1]]
        for quantity in names:
            comparison.add(name, arguments, quantity, dtype)
    return comparison


def compared_on_corpus(name: str, most_elements: int = 4096) -> Comparison:
    """Every case of the corpus of at most so many elements, both ways."""
    from conformance.cases.loader import load_cases

    comparison = Comparison()
    for case in load_cases():
        if case.operation != name or case.expect == "error":
            continue
        if sum(int(np.prod(tensor.shape)) for tensor in case.tensors()) > most_elements:
            comparison.left_out["too large"] += 1
            continue
        for dtype in case.dtypes:
            arguments = case.arguments(dtype)
            flow = case.flow(dtype, OPERATIONS[name].result_shape(arguments))
            for quantity in case.quantity_names():
                comparison.add(name, arguments, quantity, dtype, flow)
    return comparison


def bits_row(name: str, comparison: Comparison) -> str:
    """A row of the first table."""
    same = comparison.quantities - len(comparison.different)
    left_out = ", ".join(f"{count:,} {why}" for why, count in sorted(comparison.left_out.items())) or "-"
    seconds = " | ".join(f"{1e3 * each / max(comparison.quantities, 1):.2f}" for each in comparison.seconds)
    return f"| `{name}` | {comparison.quantities:,} | {same:,} | {left_out} | {seconds} |"


def bound_rows(name: str, comparison: Comparison) -> Iterator[str]:
    """Rows of the second table, one a kind of quantity."""
    for kind, parts in comparison.ratios.items():
        ratios = np.concatenate(parts)
        if ratios.size:
            low, median, high = np.quantile(ratios, (0.01, 0.5, 0.99))
            outside = f"{np.mean(ratios < 0.3):.1%} | {np.mean(ratios > 1.05):.1%}"
            extremes = " | ".join(f"{ratio:.3g}" for ratio in (ratios.min(), low, median, high, ratios.max()))
            yield f"| `{name}` | {kind} | {ratios.size:,} | {extremes} | {outside} |"


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--corpus", action="store_true")
    parser.add_argument("operations", nargs="*", default=list(MAKERS))
    options = parser.parse_args()
    register()
    ways = {"random": lambda name: compared(name, options.calls)}
    if options.corpus:
        ways["corpus"] = compared_on_corpus
    for title, way in ways.items():
        for name in options.operations:
            comparison = way(name)
            print(title, bits_row(name, comparison))
            print("\n".join(bound_rows(name, comparison)))
            print(f"normal results without a bound by hand: {comparison.unbounded:,}", flush=True)
            for text in comparison.different[:3]:
                print("DIFFERENT", text[:400])


if __name__ == "__main__":
    main()
