"""Page of a run: one file that carries everything it needs, the libraries' text too.

The libraries are read from installed packages, no copy of theirs is in this repository: DataTables (MIT)
comes inside `itables`, Vega and Vega-Lite (BSD-3-Clause) inside `vl-convert-python`.
"""

from __future__ import annotations

import json
from contextlib import suppress
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import platformdirs

from conformance.errors import RunError
from conformance.report.files import write_whole
from conformance.report.overview import Overview
from conformance.report.pages import asset, compile_templates, render
from conformance.report.stability_frontier import EDGES
from conformance.report.table_data import carry, carry_columns
from conformance.report.verdicts import KNOWN, LOOKS, in_order

SCRIPTS = (
    "page_data.js",
    "view_state.js",
    "column_store.js",
    "check_table.js",
    "check_program.js",
    "check_details.js",
    "stability_frontier.js",
    "main.js",
)

# Vega Embed alone is asked for: the bundler leaves the other two names empty.
VEGA = "window.vegaEmbed = vegaEmbed;"


def prepare(kept: Path) -> None:
    """What a page has whatever it tells, made beforehand: whoever waits for something may do it meanwhile.

    kept: the directory for what the next run need not make again.
    """
    compile_templates(kept)
    _table()


@cache
def _table() -> tuple[str, str]:
    script, style = datatables()
    return carry("datatables", script), style


def page(overview: Overview) -> str:
    """report.html of an overview, with the table of all its checks."""
    table_script, table_style = _table()
    symbols = json.dumps({look.name: look.symbol for look in (*LOOKS, KNOWN)})
    data = [
        f'<script type="application/json" id="symbols">{symbols}</script>',
        carry_columns("checks", _checks(overview)),
        carry("programs", _programs(overview)),
        table_script,
        # One module of several files: they share their names, and nothing else of the page sees them.
        '<script type="module">\n' + "\n".join(asset(name) for name in SCRIPTS) + "</script>",
    ]
    if len(overview.sweep):
        data[2:2] = [carry_columns("sweep", overview.sweep), carry("edges", EDGES), carry("vega", vega())]
    return render(
        "report.html",
        overview=overview,
        legend=[*in_order(LOOKS), KNOWN],
        style=table_style + asset("report.css") + asset("table.css"),
        theme_script=asset("theme.js"),
        version=dict(overview.summary.facts).get("conformance", ""),
        data="\n".join(data),
    )


def _checks(overview: Overview) -> pd.DataFrame:
    """The frame of all checks, each with the number of its program's template where there are programs."""
    templates = overview.programs.template_of
    return overview.frame.assign(template=templates) if templates else overview.frame


def _programs(overview: Overview) -> dict[str, object]:
    """What the page writes a check's program and issue with."""
    programs, summary = overview.programs, overview.summary
    return {
        "parts": programs.parts,
        "templates": programs.texts,
        "arrays": programs.arrays,
        "inputs": programs.inputs,
        "circumstances": {
            subject.name: [
                f"{subject.framework} {subject.version}" + (f", {subject.mode}" if subject.mode else ""),
                *summary.shared,
                *(f"{name} {values[place]}" for name, values in summary.differing if values[place]),
                *(f"{name}: {value}" for name, value in subject.facts if name in ("kernels", "settings")),
                *summary.machines,
                f"loss-conformance {dict(summary.facts).get('conformance', '')}, run {summary.run_id}",
            ]
            for place, subject in enumerate(summary.subjects)
        },
    }


@cache
def datatables() -> tuple[str, str]:
    """DataTables as the text of a JavaScript module, and its style sheet."""
    spec = find_spec("itables")  # found, not imported: only its files are wanted
    if spec is None or not spec.submodule_search_locations:
        raise RunError("the report needs the package itables: pip install itables")
    folder = Path(spec.submodule_search_locations[0]) / "html"
    script = (folder / "dt_bundle.js").read_text(encoding="utf-8")
    return script, (folder / "dt_bundle.css").read_text(encoding="utf-8")


@cache
def vega() -> str:
    """Vega, Vega-Lite and Vega-Embed as the text of a JavaScript module, which sets `window.vegaEmbed`.

    Bundling takes seconds, so the bundle is kept in the user's cache directory for the package's version.
    """
    try:
        version = metadata.version("vl-convert-python")
    except metadata.PackageNotFoundError:
        raise RunError(
            "the report needs the package vl-convert-python: pip install vl-convert-python"
        ) from None
    kept = platformdirs.user_cache_path("loss-conformance") / f"vega-embed-{version}.js"
    try:
        return kept.read_text(encoding="utf-8")
    except OSError:
        import vl_convert  # 90 MB of library: only where the bundle is not there yet

        script = str(vl_convert.javascript_bundle(VEGA))
    with suppress(OSError):  # a cache that cannot be written costs time, nothing else
        write_whole(kept, script)
    return script
