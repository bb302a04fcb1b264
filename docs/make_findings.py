"""Writes docs/findings.md: every known deviation that a run met, with its smallest input and a reproduction.

    conformance run --profile full --output reports/full
    python docs/make_findings.py reports/full

A deviation that the run did not meet is not in the page; one that is not known is a discrepancy, and no page.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd
from smallest import smallest

import conformance
from conformance.cases.case import Case, load_cases
from conformance.cases.models import Deviation, Known
from conformance.operations import OPERATIONS, upstream
from conformance.report.figures import count, link, plain, ulps
from conformance.report.pages import cell
from conformance.report.reproduce import check_of, reproduce
from conformance.results.run import Run

HERE = Path(__file__).parent
#: What makes an example plain, the first first.
PLAIN = ("elements_in", "reduced", "derived", "composed", "unusual")
LONGEST_INPUT = 240


def main() -> None:
    """Reads the run and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", help="the directory of a run of the whole corpus, as reports/full")
    run = conformance.load(parser.parse_args().run)
    if not run.complete or len(run.discrepancies()):
        sys.exit(f"{run.directory}: not complete, or with discrepancies: explain those first")
    cases = {case.id: case for case in load_cases()}
    template = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    template.filters.update(cell=cell, count=count)
    found = findings(run, cases)
    page = template.get_template("findings.md.jinja").render(
        found=found, environment=run.environment, checks=len(run.frame), cases=run.frame["case"].nunique()
    )
    (HERE / "findings.md").write_text(page)
    print(f"{len(found)} findings in {HERE / 'findings.md'}")


def findings(run: Run, cases: dict[str, Case]) -> list[dict[str, Any]]:
    """One for each known deviation that the run met, in the order of the operations."""
    entries = {
        (case.operation, f"{entry.reason} ({entry.source})"): entry
        for case in cases.values()
        for entry in case.known
    }
    unknown = set(zip(run.known()["operation"], run.known()["known"], strict=True)) - set(entries)
    if unknown:
        sys.exit(f"{run.directory}: of other cases than these, which do not know {sorted(unknown)[0]}")
    groups = [rows for _, rows in run.known().groupby(["operation", "known"], sort=False)]
    examples = [plainest(rows, cases) for rows in groups]
    subjects = list(dict.fromkeys(run.frame["subject"]))
    found = [
        {
            **described(rows, entries[example["operation"], example["known"]]),
            "example": example,
            "arguments": written(case, str(example["dtype"]), str(example["quantity"])),
            "answers": answers(alike or of_check(run.frame, example)),
            "program": program(run, case, example),
        }
        for rows, (example, case, alike) in zip(groups, smallest(examples, cases, subjects), strict=True)
    ]
    operations = list(dict.fromkeys(run.frame["operation"]))
    return sorted(found, key=lambda one: (operations.index(one["operation"]), one["name"]))


def described(rows: pd.DataFrame, entry: Known) -> dict[str, Any]:
    """What the checks of one known deviation have in common, and how many they are."""
    listed = {f"{name}s": sorted(rows[name].unique()) for name in ("subject", "formulation", "dtype")}
    return {
        **listed,
        "name": entry.id if isinstance(entry, Deviation) else rows["case"].iloc[0],
        "operation": rows["operation"].iloc[0],
        "quantities": sorted(rows["quantity"].unique()),
        "reason": entry.reason,
        "source": entry.source,
        "link": link(entry.source),
        "checks": len(rows),
        "cases": rows["case"].nunique(),
    }


def plainest(rows: pd.DataFrame, cases: dict[str, Case]) -> dict[str, Any]:
    """The failing check with the smallest input: float32, `functional` and the value before others."""
    sizes = {name: size(cases[name]) for name in rows["case"].unique()}
    ranked = rows.assign(
        elements_in=rows["case"].map(sizes),
        reduced=rows["subject"].str.contains("[:@]"),
        derived=rows["quantity"] != "value",
        composed=rows["formulation"] != "functional",
        unusual=rows["dtype"] != "float32",
    ).sort_values([*PLAIN, "ulp_error"], ascending=[True] * len(PLAIN) + [False], kind="stable")
    return dict(ranked.iloc[0])


def size(case: Case) -> int:
    """How many numbers a case's tensors hold."""
    arguments = case.arguments(case.dtypes[0])
    return sum(value.size for value in arguments.values() if isinstance(value, np.ndarray))


def written(case: Case, dtype: str, quantity: str) -> str:
    """The case's inputs, parameters and the gradient's upstream in one line, as far as they are short."""
    arguments = case.arguments(dtype)
    stated = {name: value for name, value in arguments.items() if name in {**case.inputs, **case.parameters}}
    shape = OPERATIONS[case.operation].result_shape(arguments)
    if quantity != "value" and (shape or case.upstream is not None):
        given = case.with_upstream(dtype).get("upstream")
        stated["upstream"] = upstream(shape) if given is None else given
    parts = [
        f"{name} = {value.tolist() if isinstance(value, np.ndarray) else value!r}"
        for name, value in stated.items()
    ]
    text = ", ".join(parts)
    return text if len(text) <= LONGEST_INPUT else text[:LONGEST_INPUT] + " …"


def first_line(message: str) -> str:
    """The beginning of a message, without the places of one machine."""
    return re.sub(r"(?<![\w.:])/[\w.-]+(/[\w.-]+)+", "…", message).partition("\n")[0][:90]


def of_check(frame: pd.DataFrame, example: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every subject's row on the example's check."""
    keys = ["case", "quantity", "dtype", "formulation"]
    same = (frame[keys] == [example[key] for key in keys]).all(axis=1)
    return list(frame[same].to_dict("records"))


def answers(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """What every subject that answers returned, each at its own worst element."""
    return [
        {
            "subject": f"{row['subject']} {row['framework_version']}".strip(),
            "verdict": str(row["verdict"]),
            "observed": first_line(plain(row["observed"]) or plain(row["message"])),
            "exact": plain(row["exact"])[:28],
            "ulps": ulps(row["ulp_error"]),
        }
        for row in rows
        if row["verdict"] != "unsupported"
    ]


def program(run: Run, case: Case, example: Mapping[str, Any]) -> str:
    """The reproduction in the framework alone."""
    arguments = case.with_upstream(str(example["dtype"]))
    return (reproduce(check_of(example, run.environment), arguments) or "").strip()


if __name__ == "__main__":
    main()
