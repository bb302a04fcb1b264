"""Page of a sweep: sweep.html, with the error over the whole line, the bound drawn, and the regions."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from conformance.arithmetic.formats import FORMATS
from conformance.judging.verdict import LEVELS
from conformance.report.figures import count
from conformance.report.files import write_whole
from conformance.report.html import vega
from conformance.report.pages import asset, render
from conformance.report.table_data import carry
from conformance.sweeping.inputs import PAIRS, Binade, binade_count, number_type
from conformance.sweeping.result_files import Row
from conformance.sweeping.summary import input_text, name_of, refusals, short_digits, worst_rows
from conformance.sweeping.swept import Swept

PAGE = "sweep.html"
#: Regions in the page's table; sweep.parquet has all.
MAX_REGIONS = 500


def sentence(swept: Swept) -> str:
    """The verdict in a sentence."""
    counts = swept.counts()
    failing = {name: counts[name] for name in ("lossy", "wrong", "raised", "crashed") if counts.get(name)}
    judged = count(sum(counts.values()) - counts.get("unsupported", 0), "number")
    if not failing:
        return f"All conform: {judged} judged."
    parts = ", ".join(f"{number:,} {name}" for name, number in failing.items())
    return f"{count(sum(failing.values()), 'number')} of {judged} do not conform: {parts}."


def page(rows: Sequence[Row], swept: Swept) -> str:
    """The page as HTML.

    Args:
        rows: The rows of sweep.parquet.
        swept: The result that they are of.
    """
    regions = [
        {
            **row,
            "name": name_of(row),
            "digits": short_digits(row["exact"]),
            "from": input_text(row, "first"),
            "to": input_text(row, "last"),
            "at": input_text(row, "worst_input"),
        }
        for row in rows
        if row["kind"] == "region"
    ]
    versions = {
        name: version for subject in swept.subjects.values() for name, version in subject["versions"].items()
    }
    data = [
        # A less-than sign could end the element.
        f'<script type="application/json" id="sweep-data">{_json(charts(rows))}</script>',
        carry("vega", vega()),
        f'<script type="module">\n{asset("page_data.js")}\n{asset("sweep.js")}</script>',
    ]
    return render(
        PAGE,
        operation=rows[0]["operation"] if rows else "nothing",
        sentence=sentence(swept),
        conforms=swept.conforms,
        decided=swept.decided(),
        levels=LEVELS,
        lines=[
            {**row, "name": name_of(row), "at": input_text(row, "worst_input")} for row in worst_rows(rows)
        ],
        refused=[(*key, inputs) for key, inputs in refusals(swept).items()],
        regions=regions[:MAX_REGIONS],
        regions_total=len(regions),
        versions=", ".join(f"{name} {version}" for name, version in versions.items()),
        style=asset("report.css"),
        theme_script=asset("theme.js"),
        version="",
        data="\n".join(data),
    )


def charts(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """What each chart draws: a function in a dtype, a point for each binade and subject."""
    groups: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        if row["kind"] != "binade":
            continue
        binade = Binade(row["dtype"], row["binade"])
        if binade.special:
            continue
        name, dtype = name_of(row), row["dtype"]
        reach = binade_count(dtype) // 2
        group = groups.setdefault(
            (name, dtype),
            {
                "name": name,
                "dtype": dtype,
                "pairs": dtype in PAIRS,
                "reach": reach,
                "least": FORMATS[number_type(dtype)].emin - 1,
                "rows": [],
            },
        )
        sign = -1 if binade.negative else 1
        group["rows"].append(
            {
                "place": sign * (binade.biased_exponent + 1),
                "sign": sign,
                "subject": row["subject"],
                "input": row["worst_input"],
                "other": row.get("worst_other"),
                "error": _number(row["ulp_error"]),
                "bound": row["ulp_bound"],
                "verdict": row["verdict"],
            }
        )
    for group in groups.values():
        group["rows"].sort(key=lambda each: (each["subject"], each["place"]))
    return list(groups.values())


def _number(value: float) -> float | str:
    return value if math.isfinite(value) else "no number"


def _json(content: Any) -> str:
    return json.dumps(content, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def write_page(rows: Sequence[Row], swept: Swept, directory: Path) -> None:
    """Writes the page into the directory of the sweep."""
    write_whole(directory / PAGE, page(rows, swept))
