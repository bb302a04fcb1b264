"""Calls of a stored run for the floors, and whether a floor returned what the run observed.

    python benchmarks/floor/of_run.py RUN FOLDER [SUBJECT ...]    # writes FOLDER/SUBJECT; default: all three
    python benchmarks/floor/torch_eager.py FOLDER/torch --results R.npz
    python benchmarks/floor/of_run.py RUN FOLDER torch --compare R.npz

What the run calls `unsupported` is no call, and neither is what ends a process: no floor outlives it. Calls
of which the floors know nothing are left out (`is_plain`): a floor is too low for a run that has them.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import calls
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import conformance  # noqa: E402
from conformance.adapters.bfloat16 import cast  # noqa: E402
from conformance.cases.case import Case  # noqa: E402
from conformance.cases.loader import load_cases  # noqa: E402
from conformance.operations import OPERATIONS  # noqa: E402
from conformance.plan import requests  # noqa: E402
from conformance.results.observation_store import Observations  # noqa: E402
from conformance.results.run import Run  # noqa: E402

#: Subjects that have a floor, and its script.
SCRIPTS = {"torch": "torch_eager.py", "tensorflow": "tensorflow_eager.py", "jax": "jax_jit.py"}
#: The ignored label where a case states none.
IGNORED = -100
#: The layout that no floor makes: memory that is not reserved.
FAR = "far"
NO_CALLS = ("unsupported", "crashed", "timed out", "not run")
Asked = tuple[str, str]  # a case's id and a dtype


def main() -> None:
    """Writes calls, or compares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("folder", type=Path)
    parser.add_argument("subjects", nargs="*", default=list(SCRIPTS))
    parser.add_argument("--compare", type=Path, metavar="RESULTS")
    options = parser.parse_args()
    run = conformance.load(options.run)
    for subject in options.subjects:
        if options.compare is None:
            print(f"{subject}: {write(run, options.folder, subject)} calls in {options.folder / subject}")
        else:
            print(f"{subject}: {dict(compare(run, subject, options.compare))}")


def write(run: Run, folder: Path, subject: str) -> int:
    """Writes a subject's calls and says how many there are."""
    made = [call for _, call in of_run(run, subject)]
    calls.write(folder / subject, made)
    return len(made)


def of_run(run: Run, subject: str) -> Iterator[tuple[Asked, calls.Call]]:
    """The calls that a run of the corpus made of a subject, in its order, each behind its case and dtype."""
    frame = run.frame
    rows = frame[frame["subject"].eq(subject) & ~frame["verdict"].isin(NO_CALLS)]
    asked: dict[Asked, dict[str, list[str]]] = {}
    columns = (rows[name].astype(str) for name in ("case", "dtype", "formulation", "quantity"))
    for case, dtype, formulation, quantity in zip(*columns, strict=True):
        asked.setdefault((case, dtype), {}).setdefault(formulation, []).append(quantity)
    cases = [case for case in load_cases() if any((case.id, dtype) in asked for dtype in case.dtypes)]
    cases = [case for case in cases if is_plain(case)]
    for group in requests.make(cases, [subject]).groups:
        key = group.case.id, group.dtype
        if key in asked:
            arrays = group.arrays()
            yield (
                key,
                calls.Call(
                    group.case.operation,
                    group.dtype,
                    tuple(one.name for one in OPERATIONS[group.case.operation].inputs),
                    stated(group.scalars, group.case.operation, arrays),
                    {name: np.asarray(array, order="C") for name, (_, array) in arrays.items()},
                    frozenset(name for name, (dtype, _) in arrays.items() if dtype == "bfloat16"),
                    dict(group.case.layout),
                    asked[key],
                    group.case.tracked != "none",
                ),
            )


def is_plain(case: Case) -> bool:
    """Whether a case is called once and differentiated once, of an operation that the floors have."""
    once = case.call == "once" and case.graph == "single" and case.tracked != "weights"
    return once and FAR not in case.layout.values() and case.operation in calls.OPERATIONS


def stated(scalars: dict[str, Any], operation: str, arrays: dict[str, Any]) -> dict[str, Any]:
    """The parameters; of labels with an ignored one also which it is: not every framework has a default."""
    labels = arrays["target"][1] if operation in ("nll_loss", "cross_entropy") else None
    if labels is None or labels.dtype.kind not in "iu" or not (labels == IGNORED).any():
        return scalars
    return {"ignore_index": IGNORED, **scalars}


def compare(run: Run, subject: str, results: Path) -> Counter[str]:
    """How many results have the run's bits, other bits, or are missing on one side."""
    returned, observed, counted = np.load(results), Observations(run.directory), Counter[str]()
    for number, ((case, dtype), call) in enumerate(of_run(run, subject)):
        for formulation, quantities in call.quantities.items():
            for quantity in quantities:
                mine = returned.get(f"{number} {formulation} {quantity}")
                if mine is not None and call.operation == "one_hot":
                    mine = cast(mine, mine.dtype.name, dtype)  # as the suite does before it compares
                seen = observed.get(subject, (case, dtype, formulation), quantity)
                if mine is None and seen is None:
                    counted["raised in both"] += 1
                elif mine is None or seen is None:
                    counted["raised in the floor alone" if mine is None else "raised in the run alone"] += 1
                elif mine.shape != seen[0].shape or mine.dtype.itemsize != seen[0].dtype.itemsize:
                    counted["another shape or dtype"] += 1
                else:
                    same = mine.tobytes() == seen[0].tobytes()
                    counted["same bits" if same else "other bits"] += 1
                    if not same:
                        counted[f"other bits: {formulation} {call.operation}"] += 1
    return counted


if __name__ == "__main__":
    main()
