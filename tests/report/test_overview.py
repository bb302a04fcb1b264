"""The story of a run: the sentence, the counts, the map, the claims, the findings, what changed."""

from __future__ import annotations

import io

import pandas as pd
import pytest
from report.fabricate import fabricate
from rich.console import Console

from conformance.comparison.difference import diff
from conformance.report import terminal
from conformance.report.changes import changes
from conformance.report.figures import link, names, shorten, source_name, ulps
from conformance.report.overview import Overview, overview_of
from conformance.report.verdicts import SEVERITY
from conformance.results.run import Run


@pytest.fixture(scope="module")
def run() -> Run:
    """A run of every verdict."""
    return fabricate(2_000)


@pytest.fixture(scope="module")
def overview(run: Run) -> Overview:
    """Its story."""
    return overview_of(run)


def only(run: Run, **columns: str) -> Run:
    """The run with the checks of these columns alone."""
    frame = run.frame
    for name, value in columns.items():
        frame = frame[frame[name].eq(value)]
    return Run(frame.reset_index(drop=True), run.environment, run.frames)


class TestSentence:
    """One sentence says whether the stack conforms."""

    def test_names_the_subjects_that_deviate(self, run: Run, overview: Overview) -> None:
        """The number of discrepancies is the run's own."""
        number = len(run.discrepancies())
        assert overview.summary.state == "deviates"
        assert overview.summary.sentence.startswith(
            f"This stack does not conform: {number} discrepancies, in "
        )
        assert overview.summary.discrepancies == number

    def test_conforms_where_nothing_deviates(self, run: Run) -> None:
        """All versions are named."""
        summary = overview_of(only(run, verdict="exact")).summary
        assert summary.state == "conforms"
        assert "torch 2.13.0" in summary.sentence
        assert summary.sentence.endswith("on every check.")

    def test_known_deviations_are_set_apart(self, run: Run) -> None:
        """What is documented does not fail, and is not hidden."""
        frame = run.frame[run.frame["verdict"].eq("exact") | run.frame["known"].ne("")]
        summary = overview_of(Run(frame, run.environment, {})).summary
        assert summary.state == "conforms"
        assert summary.sentence.endswith("known deviations apart.")
        assert summary.known == len(run.known()) > 0

    def test_an_incomplete_run_does_not_conform(self, run: Run) -> None:
        """Checks that were not run are unknown, and no discrepancies."""
        frame = run.frame[run.frame["verdict"].eq("exact")].reset_index(drop=True)
        frame.loc[0, ["verdict", "observed"]] = ["not run", ""]
        frame.loc[0, "conforms"] = False
        summary = overview_of(Run(frame, {**run.environment, "complete": False}, {})).summary
        assert (summary.state, summary.discrepancies) == ("incomplete", 0)
        assert "1 check not run" in summary.sentence


class TestMap:
    """The heat map shows the worst of each cell."""

    def test_every_cell_is_there(self, overview: Overview) -> None:
        """Operations by subjects by dtypes."""
        assert len(overview.heatmap.rows) == 10
        assert len(overview.heatmap.columns) == 16
        assert [dtype for _, dtype in overview.heatmap.columns[:4]] == [
            "float16",
            "bfloat16",
            "float32",
            "float64",
        ]

    def test_the_worst_verdict_wins(self, run: Run, overview: Overview) -> None:
        """A cell with a crash shows the crash."""
        row = run.frame[run.frame["verdict"].eq("crashed")].iloc[0]
        cells = dict(overview.heatmap.rows)[row["operation"]]
        cell = next(
            c for c in cells if c is not None and (c.subject, c.dtype) == (row["subject"], row["dtype"])
        )
        assert cell.look.name == "crashed"
        assert "crashed" in cell.label

    def test_textbook_formulations_do_not_colour_it(self, run: Run) -> None:
        """Where only `naive` fails, the map shows what the library does."""
        naive = run.frame[run.frame["textbook"] | run.frame["verdict"].eq("exact")]
        overview = overview_of(Run(naive, run.environment, {}))
        looks = {cell.look.name for _, cells in overview.heatmap.rows for cell in cells if cell}
        assert looks == {"exact"}


class TestClaims:
    """The posts: figures, identities, and where they stop."""

    def test_each_post_has_its_figures(self, overview: Overview) -> None:
        """Every subject's answer is there, by as many ways as it was asked in."""
        assert [post.source[:3] for post in overview.claims.posts] == ["000", "001", "002", "003"]
        figure = overview.claims.posts[0].figures[0]
        answer = figure.of("torch")
        assert figure.confirmed
        assert answer is not None
        assert answer.ways == ("functional", "module")

    def test_stops_are_listed_by_dtype(self, overview: Overview) -> None:
        """The gap of each dtype, with the subjects that share it and its bits."""
        breakpoint_ = overview.claims.breakpoints.claimed[0]
        assert breakpoint_.relation == "softmax + log = log_softmax"
        gap = breakpoint_.cells[0][0]
        assert (gap.gap, gap.subjects) == ("17.328", ("numpy", "torch", "tensorflow", "jax"))
        assert (17.328).hex() in gap.title

    def test_other_identities_are_summed_up(self, overview: Overview) -> None:
        """Broken ones name where."""
        broken = [loss for loss in overview.claims.elsewhere if not loss.holds]
        assert [loss.name for loss in broken] == ["softmax + log = log_softmax"]
        assert "torch float32" in broken[0].broken_in


class TestFindings:
    """Findings show the worst first, and what every subject returned."""

    def test_counts_are_the_runs(self, run: Run, overview: Overview) -> None:
        """No discrepancy and no known deviation is lost by grouping."""
        assert sum(finding.checks for finding in overview.findings) == len(run.discrepancies())
        assert sum(finding.checks for finding in overview.known) == len(run.known())

    def test_the_worst_comes_first(self, overview: Overview) -> None:
        """A crash before an error before a wrong value."""
        assert overview.findings[0].worst.name == "crashed"

    def test_a_sentence_names_whose_verdict_is_the_worst(self, overview: Overview) -> None:
        """Others fail on the case as well, in other ways: the sentence is true of those that it names."""
        crash = overview.findings[0]
        assert crash.worst.name == "crashed"
        assert len(crash.worst_subjects) < len(crash.subjects)
        assert crash.sentence == f"sigmoid ends the process in {crash.worst_subjects[0]} on sigmoid-000"
        lossy = next(finding for finding in overview.findings if finding.case == "sigmoid-of-minus-12")
        assert lossy.sentence.startswith("sigmoid loses accuracy in numpy on sigmoid-of-minus-12: 6.144174")
        assert " where 6.144174602214718094e-6 is right, " in lossy.sentence

    def test_what_is_told_by_many_cases_is_told_once(self, run: Run) -> None:
        """A wrong value of one operation in one subject on five cases is a headline, and none is lost."""
        frame = run.frame.copy()
        rows = frame["operation"].eq("nll_loss") & frame["subject"].eq("jax") & frame["dtype"].eq("float32")
        rows &= frame["conforms"].eq(True).fillna(False) & frame["textbook"].eq(False)
        frame.loc[rows, ["verdict", "conforms", "known"]] = ["wrong", False, ""]
        wrong = overview_of(Run(frame, run.environment, run.frames))
        (headline,) = [head for head in wrong.headlines if head.finding.operation == "nll_loss"]
        findings = [finding for finding in wrong.findings if finding.operation == "nll_loss"]
        assert (headline.others, headline.checks) == (len(findings) - 1, int(rows.sum()))
        assert headline.others > 0
        assert wrong.findings[headline.position - 1] is headline.finding
        assert sum(head.checks for head in wrong.headlines) == wrong.summary.discrepancies

    def test_the_reason_has_its_own_source(self, overview: Overview) -> None:
        """The link in a known deviation's reason is the finding's link."""
        (loss,) = [f for f in overview.known if f.operation == "binary_cross_entropy_with_logits"]
        assert loss.link == "https://github.com/pytorch/pytorch/issues/195529"
        assert loss.reason.endswith("for target 0")

    def test_agree_and_lose(self, overview: Overview) -> None:
        """The check on which all agree is there, with the exact value."""
        assert [(loss.case, loss.observed) for loss in overview.agreed_losses] == [
            ("cross-entropy-000", "0.0")
        ]


class TestChanges:
    """What changed since an earlier run, in the words of `conformance diff`."""

    def test_nothing_changed(self, run: Run) -> None:
        """A run compared with itself."""
        since = changes(diff(run, run, elements=False))
        assert since.nothing
        assert since.sentence == "Nothing changed: the same checks, the same verdicts, the same bits."

    def test_verdicts_bits_and_versions(self, run: Run) -> None:
        """One verdict worse, one check gone, one version newer."""
        new = run.frame.iloc[1:].copy()
        row = new.index[new["verdict"].eq("exact") & ~new["textbook"].astype(bool)][0]
        new.loc[row, ["verdict", "bits"]] = ["wrong", "0"]
        new.loc[row, "conforms"] = False
        subjects = run.environment["subjects"]
        later = {**subjects, "torch": {**subjects["torch"], "version": "2.14.0"}}
        frame = new.reset_index(drop=True)
        after = Run(frame, {**run.environment, "subjects": later}, run.frames)
        since = overview_of(after, difference=diff(run, after, elements=False)).changes
        assert since is not None
        assert dict(since.counts) == {"regressed": 1, "removed": 1}
        assert since.versions == (("torch", "2.13.0", "2.14.0"),)
        assert since.sentence == "1 regressed, 1 removed; torch 2.13.0 → 2.14.0."
        (changed,) = since.changed
        assert changed.before is not None
        assert changed.after is not None
        assert (changed.change, changed.before.name, changed.after.name) == ("regressed", "exact", "wrong")

    def test_textbook_formulations_are_counted_apart(self, run: Run) -> None:
        """What only textbook formulations do is no news of the stack."""
        new = run.frame.copy()
        row = new.index[new["conforms"].eq(True).fillna(False) & new["textbook"].astype(bool)][0]
        new.loc[row, "verdict"] = "wrong"
        new.loc[row, "conforms"] = False
        since = changes(diff(run, Run(new, run.environment, run.frames), elements=False))
        assert (since.counts, dict(since.textbook), since.changed) == ((), {"regressed": 1}, ())
        assert since.sentence == "No check changed, 1 change of textbook formulations."


class TestTerminal:
    """The same story in about thirty lines."""

    def print(self, run: Run, **options: object) -> str:
        """What a console prints."""
        text = io.StringIO()
        terminal(run, Console(file=text, **options))  # type: ignore[arg-type]
        return text.getvalue()

    def test_thirty_lines(self, run: Run) -> None:
        """It fits a screen, verdict first."""
        lines = self.print(run, width=120).splitlines()
        assert 15 <= len(lines) <= 34
        assert lines[0].startswith("This stack does not conform")

    def test_the_map_has_the_largest_error_of_the_worst_verdict(self, run: Run) -> None:
        """Of all dtypes, not the first one's."""
        frame = run.frame
        ran = frame[~frame["textbook"].astype(bool) & frame["conforms"].notna() & frame["known"].eq("")]
        printed = self.print(run, width=160).splitlines()
        lines = {line.split()[0]: line for line in printed if line.split()[1] in "●◉◎○▲✕!◷◆–"}
        for (operation, _), rows in ran.groupby(["operation", "subject"]):
            worst = max(rows["verdict"].unique(), key=lambda name: SEVERITY[name])
            own = rows["verdict"].eq(worst)
            if SEVERITY[worst] <= SEVERITY["stable"]:  # all conform: the largest error of all in those dtypes
                own = rows["dtype"].isin(rows.loc[own, "dtype"])
            largest = rows.loc[own, "ulp_error"].max()
            assert f" {worst} {ulps(largest)} ".replace(" – ", " ") in f"{lines[operation]} "

    def test_thirteen_subjects_fit_80_columns(self, run: Run) -> None:
        """As tables below each other: no name and no verdict is cut."""
        numpy = run.frame[run.frame["subject"].eq("numpy")]
        names = [f"torch:mode{number}" for number in range(13)]
        frame = pd.concat([numpy.assign(subject=name) for name in names], ignore_index=True)
        about = {name: {"version": "2.13.0"} for name in names}
        many = Run(frame.astype(run.frame.dtypes.to_dict()), {**run.environment, "subjects": about}, {})
        lines = self.print(many, width=80).splitlines()
        heads = [line for line in lines if line.startswith("operation")]
        assert len(heads) > 1
        assert [word for word in " ".join(heads).split() if word in names] == names
        below = lines[lines.index(heads[0]) : lines.index(heads[-1]) + 11]
        assert max(map(len, below)) <= 80
        assert not [line for line in below if "…" in line]
        softmax = [line for line in below if line.startswith("softmax ")]
        assert len(softmax) == len(heads)

    def test_plain_when_piped(self, run: Run) -> None:
        """No escape codes where there is no terminal, colours where there is one."""
        assert "\x1b" not in self.print(run, width=120)
        assert "\x1b[" in self.print(run, width=120, force_terminal=True, color_system="standard")

    def test_markup_of_texts_is_text(self, run: Run) -> None:
        """Square brackets in an id are no styles."""
        frame = run.frame.copy()
        frame.loc[frame["verdict"].eq("crashed"), "case"] = "[bold]case[/bold] [/]"
        assert "[bold]case[/bold] [/]" in self.print(Run(frame, run.environment, {}), width=200)


class TestFigures:
    """Numbers and names as people read them."""

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (0.0, "0"),
            (0.5, "0.5"),
            (1.234, "1.23"),
            (17.31, "17.3"),
            (100, "100"),
            (4321.5, "4,322"),
            (14_000_000, "1.4e7"),
            (float("inf"), "∞"),
            (float("nan"), "–"),
            (None, "–"),
            (pd.NA, "–"),
        ],
    )
    def test_ulps(self, value: float, text: str) -> None:
        """Few digits, and none that pretend."""
        assert ulps(value) == text

    def test_links(self) -> None:
        """Addresses and issues are links, all else is not; a script is no address."""
        assert link("pytorch/pytorch#12") == "https://github.com/pytorch/pytorch/issues/12"
        assert link("https://example.org/a") == "https://example.org/a"
        assert link("javascript:alert(1)") is None
        assert link('https://x" onclick="alert(1)') is None
        assert source_name("https://github.com/a/b/issues/3") == "a/b#3"

    def test_words(self) -> None:
        """Lists and long texts."""
        assert names(["a", "b", "c"]) == "a, b and c"
        assert shorten("a\n b", 10) == "a b"
        assert len(shorten("x" * 99, 10)) == 10
