"""The page: one file that carries everything it needs."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from conformance.report.libraries import datatables, vega
from conformance.report.overview import Story
from conformance.report.pages import asset, compile_templates, render
from conformance.report.stability_frontier import EDGES
from conformance.report.table_data import carry, carry_columns
from conformance.report.verdicts import KNOWN, LOOKS, in_order

SCRIPTS = ("data.js", "state.js", "engine.js", "checks.js", "details.js", "frontier.js", "main.js")


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


def page(story: Story) -> str:
    """report.html of a story, with the table of all its checks."""
    table_script, table_style = _table()
    symbols = json.dumps({look.name: look.symbol for look in (*LOOKS, KNOWN)})
    data = [
        f'<script type="application/json" id="symbols">{symbols}</script>',
        carry_columns("checks", story.frame),
        table_script,
        # One module of several files: they share their names, and nothing else of the page sees them.
        '<script type="module">\n' + "\n".join(asset(name) for name in SCRIPTS) + "</script>",
    ]
    if len(story.sweep):
        data[2:2] = [carry_columns("sweep", story.sweep), carry("edges", EDGES), carry("vega", vega())]
    return render(
        "report.html",
        story=story,
        legend=[*in_order(LOOKS), KNOWN],
        style=table_style + asset("report.css") + asset("table.css"),
        theme_script=asset("theme.js"),
        version=dict(story.summary.facts).get("conformance", ""),
        data="\n".join(data),
    )
