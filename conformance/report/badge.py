"""Badge: one SVG that says whether the stack conforms."""

from __future__ import annotations

from markupsafe import escape

from conformance.report.figures import count
from conformance.report.summary import Summary

COLOURS = {"conforms": "#1f5a94", "deviates": "#b5380f", "incomplete": "#5c5c5c", "empty": "#5c5c5c"}


def message(summary: Summary) -> str:
    """The right half of the badge; a known deviation that is gone is named: `--strict` fails on it."""
    if summary.state == "deviates":
        return count(summary.discrepancies, "discrepancy", "discrepancies")
    if summary.state == "conforms":
        stale = f", {len(summary.stale):,} known gone" if summary.stale else ""
        return f"{count(summary.conforming, 'check conforms', 'checks conform')}{stale}"
    return {"incomplete": "incomplete", "empty": "nothing checked"}[summary.state]


def badge(summary: Summary) -> str:
    """The badge as SVG text, 20 pixels high, with its message as the accessible name."""
    label, text = "loss conformance", message(summary)
    widths = [round(len(text) * 6.6) + 14 for text in (label, text)]
    total = sum(widths)
    middle = [widths[0] / 2, widths[0] + widths[1] / 2]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{total}" height="20" role="img" '
        f'aria-label="{escape(label)}: {escape(text)}">\n'
        f"<title>{escape(label)}: {escape(text)}</title>\n"
        f'<rect width="{total}" height="20" rx="3" fill="#444"/>\n'
        f'<path d="M{widths[0]} 0h{widths[1] - 3}a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3h-{widths[1] - 3}z" '
        f'fill="{COLOURS[summary.state]}"/>\n'
        f'<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">\n'
        f'<text x="{middle[0]}" y="14" textLength="{widths[0] - 14}">{escape(label)}</text>\n'
        f'<text x="{middle[1]}" y="14" textLength="{widths[1] - 14}">{escape(text)}</text>\n</g>\n</svg>\n'
    )
