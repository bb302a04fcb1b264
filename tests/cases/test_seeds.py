"""The posts' examples, and the notebook's frozen tensors against what it shows."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from conformance.cases.case import Case
from conformance.cases.discovery import corpus
from conformance.cases.input_intervals import slack
from conformance.cases.loader import load_cases
from conformance.cases.validation import validate

SEEDS = corpus() / "seeds"
NOTEBOOK = SEEDS / "002_f9c5598ee2dc6448"
POSTS = {
    "000_4dde878f34a0f263.txt",
    "001_073a0e06d37fbd35.txt",
    "002_f9c5598ee2dc6448.txt",
    "003_b571dd78b6e0ff6f.txt",
}


@pytest.fixture(scope="module")
def cases() -> dict[str, Case]:
    return {case.id: case for case in load_cases([SEEDS])}


class TestSeeds:
    def test_every_post_is_cited_by_its_file(self, cases: dict[str, Case]) -> None:
        assert {case.source for case in cases.values()} == POSTS
        assert {case.file for case in cases.values()} == {f"cases/seeds/{post[:-4]}.yaml" for post in POSTS}

    def test_every_printed_figure_is_what_the_exact_value_rounds_to(self) -> None:
        """As `conformance validate` checks it; within the inputs' interval where those are printed too."""
        assert sum(case.printed is not None for case in validate([SEEDS])) == 25

    @pytest.mark.parametrize(
        ("case", "figure"),
        [
            ("notes-2019-cross-entropy", "5.6638"),
            ("batch-of-three-cross-entropy", "0.5173"),
            ("notebook-2020-binary-single", "0.2576"),
            ("notebook-2020-binary-batch", "0.8165"),
            ("notebook-2020-classes-single", "1.7541"),
            ("notebook-2020-classes-batch", "2.7944"),
            ("nll-loss-of-one-row", "-6"),
        ],
    )
    def test_figures(self, cases: dict[str, Case], case: str, figure: str) -> None:
        assert cases[case].printed == figure

    def test_legacy_spellings_warn(self, cases: dict[str, Case]) -> None:
        """They are what torch makes of them today, and a warning is part of that."""
        legacy = [case for name, case in cases.items() if "legacy" in name or "implicit" in name]
        assert len(legacy) == 14
        assert all(case.warns and case.formulations == ("functional", "module") for case in legacy)

    def test_implicit_axis_of_one_to_four_dimensions(self, cases: dict[str, Case]) -> None:
        shapes = {len(case.inputs["x"].shape) for name, case in cases.items() if "softmax-implicit" in name}
        assert shapes == {1, 2, 3, 4}


class TestNotebook:
    def test_frozen_tensors_are_those_it_shows(self) -> None:
        """To the four decimals of its output cells."""
        lines = [
            line.split() for line in (NOTEBOOK / "printed.txt").read_text().splitlines() if line[0] != "#"
        ]
        shown = {"binary-single": lines[:1], "binary-batch": lines[1:]}
        for name, rows in shown.items():
            frozen = np.atleast_2d(np.load(NOTEBOOK / f"{name}-logits.npy"))
            assert frozen.dtype == np.float32
            assert [[f"{value:.4f}" for value in row] for row in frozen.tolist()] == rows

    def test_targets_are_drawn_from_the_shapes_of_the_notebook(self, cases: dict[str, Case]) -> None:
        arguments = cases["notebook-2020-classes-batch"].arguments("float32")
        assert arguments["logits"].shape == (32, 10, 5)
        assert set(np.unique(arguments["target"])) == set(range(10))

    def test_probabilities_are_the_sigmoid_of_the_logits(self) -> None:
        """Within two units of the last place of float32, whatever library computed them."""
        for name in ("binary-single", "binary-batch"):
            logits = np.load(NOTEBOOK / f"{name}-logits.npy").astype(np.float64)
            probs = np.load(NOTEBOOK / f"{name}-probs.npy")
            exact = 1 / (1 + np.exp(-logits))
            assert np.all(np.abs(probs - exact) <= 2 * np.spacing(probs))


class TestIntervals:
    def test_slack_of_inputs_known_to_four_decimals(self, cases: dict[str, Case]) -> None:
        """A mean of three losses moves by at most the largest change of a logit difference, 1e-4."""
        widest = Decimal(slack(cases["batch-of-three-cross-entropy"]))
        assert Decimal("3e-5") < widest < Decimal("1e-4")

    def test_linear_loss_moves_as_its_inputs(self, cases: dict[str, Case]) -> None:
        assert slack(cases["notes-2019-nll-loss"]) == pytest.approx(5e-5, rel=1e-6)

    def test_exact_inputs_have_none(self, cases: dict[str, Case]) -> None:
        assert slack(cases["notes-2019-cross-entropy"]) == 0
