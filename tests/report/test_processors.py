"""Kernel variants of one framework: where they part, on which input, and what decides."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
import pytest
from report.fabricate import fabricate
from report.fabricate_variants import HIDES_NAN, LARGE, SMALL, fabricate_variants
from rich.console import Console

from conformance.report import terminal, write
from conformance.report.overview import overview_of
from conformance.report.processors import divergences, families
from conformance.report.processors.section import Processors
from conformance.results.run import Run

SWITCHES = {"onednn": {"TF_ENABLE_ONEDNN_OPTS": "1"}, "eigen": {"TF_ENABLE_ONEDNN_OPTS": "0"}}


@pytest.fixture(autouse=True)
def switches(monkeypatch: pytest.MonkeyPatch) -> None:
    """What chooses TensorFlow's variants, whatever the adapter's table is."""
    monkeypatch.setattr(families, "_switches", lambda framework, variant: SWITCHES.get(variant, {}))


@pytest.fixture
def run() -> Run:
    """A run of two variants of two frameworks."""
    return fabricate_variants()


def section(run: Run) -> Processors:
    """The section of a run, with programs that name their subject."""
    return overview_of(run, lambda row: f"program of {row['subject']}").processors


def test_a_run_of_plain_subjects_has_no_section() -> None:
    assert not section(fabricate(500)).shown


def test_a_family_is_what_one_framework_ran_in_one_mode(run: Run) -> None:
    """Another mode, version or a user's function under a framework's name is no variant of it."""
    subjects = run.environment["subjects"]
    found = {
        framework: [one.name for one in group] for framework, group in families.families(run.environment)
    }
    assert found == {
        "tensorflow": ["tensorflow/onednn", "tensorflow/eigen"],
        "torch": ["torch/default", "torch/avx2"],
    }
    subjects["torch/avx2"]["version"] = "2.12.0"
    subjects["tensorflow/eigen"]["mode"] = "function"
    subjects["mine.py:softmax"] = {**subjects["tensorflow/onednn"], "variant": ""}
    assert families.families(run.environment) == []


def test_verdicts_that_all_conform_are_counted_and_no_divergence(run: Run) -> None:
    """Two wrong, one crash; one exact beside stable; one of a textbook formulation."""
    tensorflow, torch = section(run).families
    assert (tensorflow.parted, tensorflow.accuracy, tensorflow.textbook) == (3, 1, 1)
    assert (torch.parted, torch.accuracy, torch.textbook) == (0, 0, 0)
    assert tensorflow.shared == len(
        run.frame[run.frame["subject"].eq("tensorflow/eigen") & run.frame["textbook"].eq(False)]
    )


def test_the_smallest_input_shows_it(run: Run) -> None:
    """Not the first case, and not the crash, whose inputs are not at hand: the one with two elements."""
    (divergence,) = section(run).divergences
    assert (divergence.case, divergence.inputs) == (SMALL, "x = [[0.0, nan]]")
    assert divergence.checks == 3
    run.arguments = None
    assert section(run).divergences[0].case != LARGE


def test_each_side_says_what_it_returned_and_what_set_it(run: Run) -> None:
    (divergence,) = section(run).divergences
    onednn, eigen = divergence.sides
    assert (onednn.subjects, onednn.outcome, onednn.observed) == (("tensorflow/onednn",), "wrong", "0.0")
    assert (eigen.subjects, eigen.outcome, eigen.observed) == (("tensorflow/eigen",), "conforms", "nan")
    assert onednn.settings == ("TF_ENABLE_ONEDNN_OPTS=1",)
    assert (onednn.snippet, eigen.snippet) == ("program of tensorflow/onednn", None)
    assert divergence.parting == "tensorflow/onednn and tensorflow/eigen part on 3 checks of softmax"
    assert divergence.outcomes == "wrong and conforms; TF_ENABLE_ONEDNN_OPTS decides"


def test_the_plain_subject_stands_on_the_side_that_it_agrees_with(run: Run) -> None:
    """What the framework chooses by itself has the variable unset; it decides all the same."""
    frame, subjects = run.frame, run.environment["subjects"]
    plain = frame[frame["subject"].eq("tensorflow/onednn")].assign(subject="tensorflow")
    subjects["tensorflow"] = {**subjects["tensorflow/onednn"], "variant": ""}
    both = Run(pd.concat([frame, plain], ignore_index=True), run.environment, run.frames)
    (divergence,) = section(both).divergences
    assert divergence.sides[0].subjects == ("tensorflow/onednn", "tensorflow")
    assert divergence.parting.startswith(
        "tensorflow/onednn and tensorflow part from tensorflow/eigen on 3 checks"
    )
    assert divergence.sides[0].settings == ("TF_ENABLE_ONEDNN_OPTS=1", "TF_ENABLE_ONEDNN_OPTS unset")
    assert divergence.variables == ("TF_ENABLE_ONEDNN_OPTS",)


@pytest.mark.parametrize(
    ("sides", "deciding"),
    [
        ([[{"A": "1"}], [{"A": "0"}]], ("A",)),
        ([[{"A": "1", "B": "2"}], [{"A": "1"}]], ("B",)),
        ([[{"A": "1"}, {}], [{"A": "0"}]], ("A",)),
        ([[{"A": "1"}, {"A": "0"}], [{"A": "1", "B": "2"}]], ("B",)),
        ([[{"A": "1"}, {"B": "1"}], [{}]], ("A", "B")),
        ([[{}], [{}]], ()),
    ],
)
def test_what_decides_is_set_alike_by_no_two_sides(
    sides: list[list[dict[str, str]]], deciding: tuple[str, ...]
) -> None:
    assert divergences._deciding(sides) == deciding


def test_known_deviations_come_last_and_say_on_which_kernels_they_hold() -> None:
    (deviation,) = section(fabricate_variants(known=True)).deviations
    assert (deviation.known, deviation.condition, deviation.checks) == (HIDES_NAN, "kernels: onednn", 2)
    assert (deviation.operations, deviation.subjects) == (("softmax",), ("tensorflow/onednn",))
    (divergence,) = section(fabricate_variants(known=True)).divergences
    assert (divergence.known, divergence.checks, divergence.reasons) == (2, 3, (HIDES_NAN,))
    assert divergence.parting.endswith("3 checks of softmax, 2 known")


def test_a_plain_run_shows_the_known_deviations_of_its_processor() -> None:
    """One subject a framework is no family, but a documented deviation of its kernels has its place."""
    run = fabricate_variants(known=True)
    alone = run.frame[run.frame["subject"].eq("tensorflow/onednn")].reset_index(drop=True)
    shown = section(Run(alone, run.environment | {"subjects": {}}, run.frames))
    assert shown.shown
    assert not shown.families
    assert [deviation.checks for deviation in shown.deviations] == [2]


def test_page_summary_and_terminal_tell_it(tmp_path: Path) -> None:
    run = fabricate_variants(known=True)
    write(run, tmp_path)
    line = "tensorflow/onednn and tensorflow/eigen part on 3 checks of softmax"
    page = (tmp_path / "report.html").read_text()
    assert 'id="processors"' in page
    assert "TF_ENABLE_ONEDNN_OPTS=1" in page
    assert line in (tmp_path / "summary.md").read_text().replace("&#95;", "_")
    console = Console(file=io.StringIO(), width=200)
    terminal(run, console)
    assert line in console.file.getvalue()  # type: ignore[attr-defined]
