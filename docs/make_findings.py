"""docs/findings.md, an index, and docs/findings/: a page for each known deviation that a run met.

`make_pages.py` writes them. A deviation that the run did not meet has no page. Discrepancies, which are not
known, stand below the index.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd
from smallest import smallest

from conformance.cases.case import Case
from conformance.cases.loader import load_cases
from conformance.cases.models import Deviation, Known
from conformance.operations import OPERATIONS, upstream
from conformance.report.figures import count, link, plain, ulps
from conformance.report.pages import cell
from conformance.report.reproduction.program import check_of, reproduce
from conformance.results.run import Run

HERE = Path(__file__).parent
#: Columns that make an example plain where they are small, the most important first.
PLAINNESS = ("input_elements", "reduced", "derived", "composed", "unusual")
MAX_INPUT_CHARACTERS = 240
Finding = dict[str, Any]  # what the templates read


def write(run: Run, folder: Path) -> list[Path]:
    """Writes the index `findings.md` and the pages of `findings/` anew.

    Args:
        run: A complete run of this corpus. The smallest inputs are run again, on its subjects.
        folder: Where the index goes; pages in its `findings/` that are no finding of the run are removed.

    Returns:
        The index, then the pages.
    """
    findings = findings_of(run, {case.id: case for case in load_cases()})
    index, directory = folder / "findings.md", folder / "findings"
    directory.mkdir(exist_ok=True)
    for stale in directory.glob("*.md"):
        stale.unlink()
    index.write_text(_template("findings.md.jinja").render(findings=findings, **described_run(run)))
    for finding in findings:
        (directory / finding["file"]).write_text(_template("finding.md.jinja").render(finding=finding))
    return [index, *(directory / finding["file"] for finding in findings)]


def _template(name: str) -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update(cell=cell, count=count)
    return environment.get_template(name)


def described_run(run: Run) -> dict[str, Any]:
    """What the index says of the run: its size, versions and processor, and its discrepancies."""
    subjects = run.environment["subjects"]
    profile = run.environment["settings"]["profile"]
    versions = {subject["framework"]: subject["version"] for subject in subjects.values()}
    processors = dict.fromkeys(subject["hardware"]["cpu"] for subject in subjects.values())
    groups = run.discrepancies().groupby(["operation", "subject", "verdict"], sort=False)
    return {
        "run": run,
        "profile": "" if profile == "default" else f" --profile {profile}",
        "cases": run.frame["case"].nunique(),
        "checks": len(run.frame),
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
        "processor": ", ".join(processors),
        "unexplained": len(run.discrepancies()),
        "discrepancies": [shared(rows) for _, rows in groups],
    }


def findings_of(run: Run, cases: Mapping[str, Case]) -> list[Finding]:
    """The known deviations that the run met, in the order of the operations."""
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
    findings = [
        {
            **described(rows, entries[example["operation"], example["known"]], run),
            "example": example,
            "arguments": written(case, str(example["dtype"]), str(example["quantity"])),
            "answers": answers(alike or of_check(run.frame, example)),
            "program": program(run, case, example),
        }
        for rows, (example, case, alike) in zip(groups, smallest(examples, cases, subjects), strict=True)
    ]
    operations = list(dict.fromkeys(run.frame["operation"]))
    return sorted(findings, key=lambda finding: (operations.index(finding["operation"]), finding["name"]))


def described(rows: pd.DataFrame, entry: Known, run: Run) -> Finding:
    """What the checks of one known deviation have in common, and how many they are."""
    name = entry.id if isinstance(entry, Deviation) else str(rows["case"].iloc[0])
    subjects = run.environment["subjects"]
    return {
        **shared(rows),
        "name": name,
        "file": re.sub(r"[^\w.-]+", "-", name).strip("-") + ".md",
        "title": title(entry.reason),
        "frameworks": list(dict.fromkeys(subjects[subject]["framework"] for subject in rows["subject"])),
        "reason": entry.reason,
        "source": entry.source,
        "link": link(entry.source),
        "worst": ulps(rows["ulp_error"].max()),
    }


def shared(rows: pd.DataFrame) -> dict[str, Any]:
    """The operation of some checks, their number, and every value of their other keys."""
    listed = {f"{name}s": sorted(rows[name].unique()) for name in ("subject", "formulation", "dtype")}
    return {
        **listed,
        "operation": rows["operation"].iloc[0],
        "subject": rows["subject"].iloc[0],
        "verdict": rows["verdict"].iloc[0],
        "case": rows["case"].iloc[0],
        "quantities": sorted(rows["quantity"].unique()),
        "checks": len(rows),
        "cases": rows["case"].nunique(),
    }


def title(reason: str) -> str:
    """The reason's first clause: what comes before its first colon, semicolon or full stop."""
    clause = re.split(r"[:;.]\s", reason)[0]
    begins_with_word = re.match(r"a\s|[a-z]{2,}\s", clause)  # and not with a formula or a name
    return clause[0].upper() + clause[1:] if begins_with_word else clause


def plainest(rows: pd.DataFrame, cases: Mapping[str, Case]) -> dict[str, Any]:
    """The failing check with the smallest input: float32, `functional` and the value before others."""
    sizes = {name: size(cases[name]) for name in rows["case"].unique()}
    ranked = rows.assign(
        input_elements=rows["case"].map(sizes),
        reduced=rows["subject"].str.contains("[:@]"),
        derived=rows["quantity"] != "value",
        composed=rows["formulation"] != "functional",
        unusual=rows["dtype"] != "float32",
    ).sort_values([*PLAINNESS, "ulp_error"], ascending=[True] * len(PLAINNESS) + [False], kind="stable")
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
    return text if len(text) <= MAX_INPUT_CHARACTERS else text[:MAX_INPUT_CHARACTERS] + " …"


def first_line(message: str) -> str:
    """The beginning of a message, without the paths of one machine."""
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
            "at": plain(row["worst_index"]),
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
