"""Files of a sweep: sweep.parquet, run.json and the page; and the way back from them."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
from pyarrow import parquet

from conformance.arithmetic.formats import FloatArray
from conformance.errors import RunError
from conformance.judging.verdict import LEVELS
from conformance.sweeping.ball_judge import BallJudge
from conformance.sweeping.functions import SweptFunction
from conformance.sweeping.inputs import Binade, values
from conformance.sweeping.swept import Column, Part, Refused, Swept
from conformance.sweeping.tally import Region, Tally, Worst

FORMAT = 1
PARQUET = "sweep.parquet"
_COUNTS = tuple(f"count_{name}" for name in LEVELS)
_DECIDED = ("by_polynomial", "by_balls", "by_rule")
_SCHEMA = pyarrow.schema(
    [
        *((name, pyarrow.string()) for name in ("kind", "subject", "operation", "quantity", "dtype")),
        ("target", pyarrow.float64()),
        ("element", pyarrow.int8()),
        ("binade", pyarrow.int32()),
        ("first_bits", pyarrow.int64()),
        ("last_bits", pyarrow.int64()),
        ("first", pyarrow.float64()),
        ("last", pyarrow.float64()),
        ("inputs", pyarrow.int64()),
        *((name, pyarrow.int64()) for name in (*_COUNTS, *_DECIDED)),
        ("histogram", pyarrow.list_(pyarrow.int64())),
        ("verdict", pyarrow.string()),
        ("ulp_error", pyarrow.float64()),
        ("ulp_bound", pyarrow.float64()),
        ("ulp_attainable", pyarrow.float64()),
        ("worst_bits", pyarrow.int64()),
        ("worst_input", pyarrow.float64()),
        ("observed", pyarrow.float64()),
        ("exact", pyarrow.string()),
        ("rank_error", pyarrow.float64()),
        ("message", pyarrow.string()),
        *((name, pyarrow.float64()) for name in ("first_other", "last_other", "worst_other")),
    ]
)

Row = dict[str, Any]


def rows(swept: Swept) -> list[Row]:
    """A row for each binade, for each region that does not conform, and for each refusal; in order."""
    made = [*_binade_rows(swept), *_region_rows(swept)]
    _add_figures(made)
    for part in sorted(swept.refused, key=lambda each: each.order):
        refused = swept.refused[part]
        made.append(
            {
                **_about(part.subject, part.function, part.binade.dtype),
                "kind": "refused",
                "binade": part.binade.index,
                "inputs": refused.inputs,
                "verdict": refused.status,
                "message": refused.message,
            }
        )
    return made


def _about(subject: str, function: SweptFunction, dtype: str) -> Row:
    return {
        "subject": subject,
        "operation": function.operation,
        "quantity": function.quantity,
        "target": function.target,
        "dtype": dtype,
    }


def _binade_rows(swept: Swept) -> Iterator[Row]:
    for part in sorted(swept.tallies, key=lambda each: each.order):
        for element, tally in enumerate(swept.tallies[part]):
            inputs = int(tally.counts.sum())
            if not inputs:
                continue
            yield {
                **_about(part.subject, part.function, part.binade.dtype),
                "kind": "binade",
                "element": element,
                "binade": part.binade.index,
                "first_bits": part.binade.first,
                "last_bits": part.binade.first + part.binade.size - 1,
                "inputs": inputs,
                **dict(zip(_COUNTS, tally.counts.tolist(), strict=True)),
                **{name: getattr(tally, name) for name in _DECIDED},
                "histogram": tally.histogram.tolist(),
                **_worst(tally.worst),
            }


def _region_rows(swept: Swept) -> Iterator[Row]:
    for column, region in swept.regions():
        yield {
            **_about(column.subject, column.function, column.dtype),
            "kind": "region",
            "element": column.element,
            "first_bits": region.first,
            "last_bits": region.last,
            "inputs": region.count,
            **_worst(region.worst),
        }


def _worst(worst: Worst) -> Row:
    return {
        "verdict": LEVELS[worst.level],
        "worst_bits": worst.bits,
        "observed": worst.observed,
        "rank_error": worst.error,
    }


def _add_figures(made: Sequence[Row]) -> None:
    """Adds the exact figures of the worst inputs, by balls."""
    judged: dict[Column, list[Row]] = defaultdict(list)
    for row in made:
        function = SweptFunction(row["operation"], row["quantity"], row["target"])
        judged[Column(row["subject"], function, row["element"], row["dtype"])].append(row)
        _set_inputs(row, ("first", "last"), values(row["dtype"], [row["first_bits"], row["last_bits"]]))
    for column, of_column in judged.items():
        judge = BallJudge(column.function, column.element, column.dtype)
        bits = np.array([row["worst_bits"] for row in of_column])
        _, errors = judge.judge(bits, np.array([row["observed"] for row in of_column]))
        reference = judge.reference(bits)
        inputs = values(column.dtype, bits)
        for index, row in enumerate(of_column):
            _set_inputs(row, ("worst_input",), inputs[index : index + 1])
            row["ulp_error"] = float(errors[index])
            row["ulp_bound"] = float(reference.bound[index])
            row["ulp_attainable"] = float(reference.attainable[index])
            row["exact"] = reference.text((index,))


def _set_inputs(row: Row, names: Sequence[str], inputs: FloatArray) -> None:
    """Sets inputs of a row; of pairs [x, y] x is the input, and y the other."""
    for name, each in zip(names, inputs.tolist(), strict=True):
        row[name], other = each if isinstance(each, list) else (each, None)
        row[f"{name.partition('_')[0]}_other"] = other


def write(swept: Swept, directory: Path, about: dict[str, Any]) -> list[Row]:
    """Writes the files of a sweep.

    Args:
        swept: The result.
        directory: The directory that receives them; made where it is not there.
        about: What run.json says beside counts and subjects.

    Returns:
        The rows of sweep.parquet.

    Raises:
        RunError: The directory cannot be written.
    """
    made = rows(swept)
    summary = {
        "format": FORMAT,
        "conformance": version("loss-conformance"),
        "finished": time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime()),
        **about,
        "conforms": swept.conforms,
        "counts": swept.counts(),
        "decided": swept.decided(),
        "subjects": swept.subjects,
    }
    try:
        directory.mkdir(parents=True, exist_ok=True)
        table = pyarrow.Table.from_pylist(made, schema=_SCHEMA)
        parquet.write_table(table, directory / PARQUET)
        (directory / "run.json").write_text(json.dumps(summary, indent=2, sort_keys=True) + "\n", "utf-8")
    except OSError as error:
        raise RunError(f"--output {directory}: {error.strerror}") from None
    return made


def load(directory: Path) -> Swept:
    """The result that a directory holds, to be merged with others; RunError where there is none."""
    try:
        stored = parquet.read_table(directory / PARQUET).to_pylist()
        about = json.loads((directory / "run.json").read_text("utf-8"))
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise RunError(f"{directory}: no sweep: {str(error).splitlines()[0]}") from None
    swept = Swept(subjects=about.get("subjects", {}))
    tallies: dict[Part, dict[int, Tally]] = defaultdict(dict)
    for row in stored:
        function = SweptFunction(row["operation"], row["quantity"], row["target"])
        if row["kind"] == "refused":
            part = Part(row["subject"], function, Binade(row["dtype"], row["binade"]))
            swept.refused[part] = Refused(row["verdict"], row["message"], row["inputs"])
        elif row["kind"] == "binade":
            part = Part(row["subject"], function, Binade(row["dtype"], row["binade"]))
            tallies[part][row["element"]] = _tally(row)
        else:
            # A region lies with the binade of its first input: a merge joins it with its neighbours again.
            size = Binade(row["dtype"], 0).size
            part = Part(row["subject"], function, Binade(row["dtype"], row["first_bits"] // size))
            region = Region(row["first_bits"], row["last_bits"], row["inputs"], _read_worst(row))
            tallies[part][row["element"]].regions.append(region)
    for part, by_element in tallies.items():
        swept.tallies[part] = tuple(by_element[element] for element in sorted(by_element))
    return swept


def _tally(row: Row) -> Tally:
    return Tally(
        np.array([row[name] for name in _COUNTS]),
        np.array(row["histogram"]),
        **{name: row[name] for name in _DECIDED},
        worst=_read_worst(row),
    )


def _read_worst(row: Row) -> Worst:
    return Worst(LEVELS.index(row["verdict"]), row["rank_error"], -row["worst_bits"], row["observed"])
