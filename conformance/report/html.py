"""The page: one file that carries everything it needs."""

from __future__ import annotations

import json

from conformance.report.frontier import EDGES
from conformance.report.libraries import datatables, vega
from conformance.report.pages import asset, render
from conformance.report.payload import carry, columns
from conformance.report.story import Story
from conformance.report.verdicts import KNOWN, LOOKS, in_order

SCRIPTS = ("data.js", "state.js", "engine.js", "checks.js", "details.js", "frontier.js", "main.js")


def page(story: Story) -> str:
    """report.html of a story, with the table of all its checks."""
    table_script, table_style = datatables()
    symbols = json.dumps({look.name: look.symbol for look in (*LOOKS, KNOWN)})
    data = [
        f'<script type="application/json" id="symbols">{symbols}</script>',
        carry("checks", columns(story.frame)),
        carry("datatables", table_script),
        # One module of several files: they share their names, and nothing else of the page sees them.
        '<script type="module">\n' + "\n".join(asset(name) for name in SCRIPTS) + "</script>",
    ]
    if len(story.sweep):
        data[2:2] = [carry("sweep", columns(story.sweep)), carry("edges", EDGES), carry("vega", vega())]
    return render(
        "report.html",
        story=story,
        legend=[*in_order(LOOKS), KNOWN],
        style=table_style + asset("report.css") + asset("table.css"),
        theme_script=asset("theme.js"),
        version=dict(story.summary.facts).get("conformance", ""),
        data="\n".join(data),
    )
