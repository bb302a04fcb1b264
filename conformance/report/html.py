"""The page: one file that carries everything it needs."""

from __future__ import annotations

from conformance.report.pages import asset, render
from conformance.report.story import Story
from conformance.report.verdicts import KNOWN, LOOKS


def page(story: Story) -> str:
    """report.html of a story."""
    return render(
        "report.html",
        story=story,
        legend=[*LOOKS, KNOWN],
        style=asset("report.css"),
        theme_script=asset("theme.js"),
        version=dict(story.summary.facts).get("conformance", ""),
        data="",
        frontier="No case of this run is tagged frontier.",
    )
