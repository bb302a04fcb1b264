"""Terminal summary of a run in about thirty lines: in colour, or plain when piped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from conformance.report.figures import count, shorten
from conformance.report.heatmap import Cell
from conformance.report.interfaces import RunLike
from conformance.report.overview import Overview, overview_of
from conformance.report.verdicts import KNOWN, Look

STYLES = {
    "exact": "blue",
    "faithful": "blue",
    "accurate": "cyan",
    "stable": "cyan",
    "lossy": "yellow",
    "wrong": "bold red",
    "raised": "bold magenta",
    "timed out": "bold magenta",
    "crashed": "bold red",
    "unsupported": "dim",
    "not run": "dim",
    KNOWN.name: "dim yellow",
}
#: The tag of the cases that come from the four posts.
SEED = "seed"
MAX_FINDINGS = 5
MAX_DIVERGENCES = 4
#: Known deviations that are named for being stale, and for stating otherwise.
MAX_KNOWN_LINES = 10
MAX_IDENTITIES = 3
#: Spaces between two columns of the map.
_GAP = 2
SENTENCE_STYLES = {
    "conforms": "bold green",
    "deviates": "bold red",
    "incomplete": "bold yellow",
    "empty": "bold yellow",
}


def terminal(run: RunLike, console: Console, overview: Overview | None = None) -> None:
    """Prints a run: verdict, a map of operations and subjects, the posts' figures, the worst findings.

    A run of cases with printed figures alone (`conformance run cases/seeds`) shows every figure as well.
    `overview` is the run's, where it is there already.
    """
    if not run.frame.empty and run.frame["tags"].str.split(";").map(lambda tags: SEED in tags).all():
        console.print(figures_table(run))
    print_overview(overview or overview_of(run), console)


def figures_table(run: RunLike) -> Table:
    """Each printed figure, the exact one, and what each subject makes of it, in every formulation."""
    printed = run.printed()
    subjects = sorted(printed["subject"].unique())
    table = Table(
        "post", "case", "printed", "exact", *(escape(name) for name in subjects), box=None, pad_edge=False
    )
    for (source, case), rows in printed.groupby(["source", "case"], sort=True):
        cells = [str(source)[:3], shorten(str(case), 34)]
        cells += [shorten(str(rows[name].iloc[0]), 22) for name in ("printed", "exact")]
        for subject in subjects:
            cells_there = rows[rows["subject"] == subject]
            if cells_there.empty:
                cells.append("·")
            elif cells_there["confirmed"].all():
                cells.append(f"✓ {shorten(str(cells_there['observed'].iloc[0]), 12)} ×{len(cells_there)}")
            else:
                first = cells_there[~cells_there["confirmed"].astype(bool)].iloc[0]
                cells.append(f"✗ {shorten(str(first['observed']), 12)} {first['formulation']}")
        table.add_row(*(escape(cell) for cell in cells))
    return table


def print_overview(overview: Overview, console: Console) -> None:
    """Prints the overview of a run."""
    summary = overview.summary
    console.print(Text(summary.sentence, style=SENTENCE_STYLES[summary.state]))
    console.print(Text(summary.detail, style="dim"))
    if overview.changes:
        console.print(
            Text(f"Since run {overview.changes.previous}: {overview.changes.sentence}", style="bold")
        )
    for table in _maps(overview, console.width):
        console.print(table)
    if any(cell is not None and cell.known for _, cells in overview.heatmap.rows for cell in cells):
        console.print(Text("Figures: the worst errors in ulps; †: known deviations beside them", style="dim"))
    _claims(overview, console)
    for finding in overview.findings[:MAX_FINDINGS]:
        line = Text.assemble(
            (f"{finding.worst.symbol} {finding.worst.name}", STYLES.get(finding.worst.name, "")),
            " ",
            f"{finding.operation} {finding.formulation} {finding.quantity} {finding.dtype} in ",
            f"{', '.join(finding.subjects)}: {finding.ulps} ulps, {shorten(finding.case, 40)}, exact ",
            f"{shorten(finding.exact, 14)}, observed {shorten(finding.observed or '–', 14)}",
            f" ({count(finding.checks, 'check')})" if finding.checks > 1 else "",
        )
        console.print(line, overflow="ellipsis", no_wrap=True)
    more = overview.findings_total - len(overview.findings[:MAX_FINDINGS])
    if more > 0:
        cases = count(more, "case and quantity", "cases and quantities")
        console.print(Text(f"… and {cases} more with discrepancies", style="dim"))
    _processors(overview, console)
    changed = [kept.subject for kept in overview.invariance.changes]
    for sentence in overview.invariance.sentences if changed else ():
        console.print(Text(f"Bits: {sentence}", style="dim"), overflow="fold")
    for about in (*summary.stale[:MAX_KNOWN_LINES], *summary.otherwise[:MAX_KNOWN_LINES]):
        console.print(Text(about, style="yellow"), overflow="fold")
    if overview.agreed_losses:
        first = overview.agreed_losses[0]
        console.print(
            Text.assemble(
                ("Agree, and lose: ", "bold yellow"),
                count(len(overview.agreed_losses), "check"),
                f"; the farthest {shorten(first.case, 40)} ",
                f"({first.operation}, {first.dtype}): all return {shorten(first.observed, 14)}, ",
                f"exact {shorten(first.exact, 14)}",
            )
        )


def _processors(overview: Overview, console: Console) -> None:
    """Where kernel variants part: a line for each operation and way."""
    divergences = overview.processors.divergences
    for divergence in divergences[:MAX_DIVERGENCES]:
        console.print(Text(f"{divergence.parting}: {divergence.outcomes}"))
    if len(divergences) > MAX_DIVERGENCES:
        more = count(len(divergences) - MAX_DIVERGENCES, "way", "ways")
        console.print(Text(f"… and {more} more in which kernel variants part", style="dim"))
    for deviation in overview.processors.deviations[:MAX_DIVERGENCES]:
        where = f"{', '.join(deviation.operations)} in {', '.join(deviation.subjects)}"
        console.print(
            Text(f"Known, on {deviation.condition} alone: {where}, {count(deviation.checks, 'check')}"),
        )


def _maps(overview: Overview, width: int) -> Iterator[Table]:
    """Operation by subject: the worst verdict over the dtypes, with the largest error that earned it.

    As many tables, one below the other, as all subjects take in this width.
    """
    heads = [Text(f"{subject.name} {subject.version}".strip()) for subject in overview.summary.subjects]
    rows = [
        (Text(operation), [_worst_of(cells, name) for name in overview.subjects])
        for operation, cells in overview.heatmap.rows
    ]
    names = max((operation.cell_len for operation, _ in rows), default=0)
    first = 0
    while first < len(heads):
        last, taken = first, max(names, len("operation"))
        while last < len(heads):
            taken += _GAP + max(heads[last].cell_len, *(cells[last].cell_len for _, cells in rows), 0)
            if taken > width and last > first:
                break
            last += 1
        table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="dim")
        for head in (Text("operation"), *heads[first:last]):
            table.add_column(head)
        for operation, cells in rows:
            table.add_row(operation, *cells[first:last])
        yield table
        first = last


def _worst_of(cells: Sequence[Cell | None], subject: str) -> Text:
    """The worst cell of a subject among those of an operation."""
    order = {verdict: position for position, verdict in enumerate(STYLES)}
    cells_there = [cell for cell in cells if cell is not None and cell.subject == subject]
    ran = [cell for cell in cells_there if cell.look.conforms is not None] or cells_there
    if not ran:
        return Text("·", style="dim")
    worst = max(ran, key=lambda cell: (order.get(cell.look.name, 99), cell.error == cell.error, cell.error))
    return _symbol(worst.look, worst.ulps, any(cell.known for cell in cells_there))


def _symbol(look: Look, ulps: str, known: bool) -> Text:
    error = "" if ulps == "–" else f" {ulps}"
    return Text(f"{look.symbol} {look.name}{error}{' †' if known else ''}", style=STYLES.get(look.name, ""))


def _claims(overview: Overview, console: Console) -> None:
    figures = [figure for post in overview.claims.posts for figure in post.figures]
    if figures:
        confirmed = sum(figure.confirmed for figure in figures)
        identities = [identity for post in overview.claims.posts for identity in post.identities]
        broken = [identity.name for identity in identities if not identity.holds]
        claim = (
            f"; identities broken on the posts' inputs: {', '.join(dict.fromkeys(broken))}" if broken else ""
        )
        kept = (
            f"; {count(len(identities), 'identity holds', 'identities hold')}"
            if identities and not broken
            else ""
        )
        console.print(
            Text(
                f"The posts: {confirmed} of {count(len(figures), 'printed figure')} "
                f"confirmed by every subject{kept}{claim}"
            )
        )
    shown: set[str] = set()
    for identity_break in overview.claims.breakpoints.every:
        if identity_break.relation in shown or len(shown) == MAX_IDENTITIES:
            continue
        shown.add(identity_break.relation)
        gaps = zip(overview.claims.breakpoints.dtypes, identity_break.cells, strict=True)
        where = ", ".join(f"{dtype} {cell[0].gap}" for dtype, cell in gaps if cell)
        console.print(Text(f"{shorten(identity_break.relation, 50)} stops at a logit gap of {where}"))
