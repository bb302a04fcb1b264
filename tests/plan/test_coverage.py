"""The coverage table: every empty cell has a reason, every reason an empty cell, and no cell loses checks."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest
from click.testing import CliRunner

from conformance.cases.case import Case
from conformance.cases.loader import load_cases
from conformance.cli import cli
from conformance.errors import CaseError
from conformance.operations import OPERATIONS
from conformance.plan import requests
from conformance.plan.coverage import page, reasons, unmet_pairs
from conformance.plan.coverage import table as tables
from conformance.plan.coverage.axes import Question
from conformance.plan.coverage.cells import coverage_of
from conformance.plan.settings import Settings

ROOT = Path(__file__).parents[2]


@pytest.fixture
def make_coverage(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script that writes the page."""
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    return importlib.import_module("make_coverage")


@pytest.fixture(scope="module")
def default() -> tables.Table:
    return tables.table()


def _without(monkeypatch: pytest.MonkeyPatch, case_id: str) -> None:
    """Takes a case out of the corpus."""

    def fewer(*_: object) -> list[Case]:
        return [case for case in load_cases() if case.id != case_id]

    monkeypatch.setattr(tables, "load_cases", fewer)


class TestEmptyCells:
    def test_each_has_a_reason(self, default: tables.Table) -> None:
        assert [each.name for each in default.unexplained] == []

    def test_a_case_that_is_gone_leaves_one_without(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """The suite's only softmax whose axis is PyTorch's implicit one in three dimensions, say."""
        only = _only_case("one_hot", ("num_classes", "as many as labels"))
        monkeypatch.setattr(
            tables, "load_cases", lambda: [case for case in load_cases() if case.id not in only]
        )
        done = CliRunner().invoke(cli, ["coverage", "--output", str(tmp_path / "page.md")])
        assert done.exit_code == 1
        assert "no case, and no reason why: one_hot: num_classes as many as labels" in done.stderr

    def test_every_reason_that_explains_nothing_is_a_fault(self, tmp_path: Path) -> None:
        path = tmp_path / "reasons.yaml"
        entry = "  - operation: softmax\n    cells: {dtype: float32}\n    reason: nobody computes in it\n"
        path.write_text(reasons.REASONS.read_text() + entry)
        what = r"reasons.yaml:\d+:5: this reason explains no empty cell: softmax: dtype float32"
        with pytest.raises(CaseError, match=what):
            tables.table(reasons=path)

    @pytest.mark.parametrize(
        ("operation", "cells"), [("'*'", "shape: 17-d"), ("softmax", "layout: '*'"), ("soft*", "layout: far")]
    )
    def test_a_wildcard_is_a_fault(self, tmp_path: Path, operation: str, cells: str) -> None:
        """It would excuse the cells of tomorrow's operations and classes."""
        path = tmp_path / "reasons.yaml"
        entry = f"  - operation: {operation}\n    cells: {{{cells}}}\n    reason: nobody has looked at it\n"
        path.write_text(reasons.REASONS.read_text() + entry)
        with pytest.raises(
            CaseError, match="holds a wildcard, which excuses cells that nobody has looked at"
        ):
            tables.table(reasons=path)

    def test_no_reason_is_a_task(self) -> None:
        """That no case asks for a cell yet is no reason why none does."""
        assert not [each for each in reasons.read()[0] if re.search(r"\byet\b", each.reason)]

    def test_what_covers_another_cell_is_there(self, tmp_path: Path) -> None:
        path = tmp_path / "reasons.yaml"
        text = reasons.REASONS.read_text()
        first = text.index("\n  - operation", text.index("\n  - operation") + 1)
        covered = "\n    covered: {by: {shape: 17-d}, test: tests/plan/test_coverage.py::TestEmptyCells}"
        path.write_text(text[:first] + covered + text[first:])
        with pytest.raises(CaseError, match="has no checks of shape '17-d'"):
            tables.table(reasons=path)

    def test_the_tests_that_reasons_name_are_there(self) -> None:
        for reason in reasons.read()[0]:
            if reason.covered is not None:
                file, *names = reason.covered.test.split("::")
                text = (ROOT / file).read_text(encoding="utf-8")
                assert all(f"class {name}" in text or f"def {name}(" in text for name in names), reason


def _only_case(operation: str, cell: tuple[str, str]) -> set[str]:
    """The cases that fill a cell."""
    (coverage,) = coverage_of([case for case in load_cases() if case.operation == operation])
    column = coverage.cells.index(cell)
    return set(coverage.checks["case"][coverage.matrix[:, column] > 0])


class TestCounts:
    def test_no_cell_of_the_default_run_has_fewer_checks_than_before(
        self, default: tables.Table, make_coverage: ModuleType
    ) -> None:
        """Where a case goes for a good reason, the reader of tests/plan/least_checks.csv must agree."""
        assert make_coverage.fewer(make_coverage.counted(default), make_coverage.read_least()) == []

    def test_a_case_that_is_gone_is_missed(
        self, monkeypatch: pytest.MonkeyPatch, make_coverage: ModuleType
    ) -> None:
        _without(monkeypatch, "softmax-broadcast")
        missing = make_coverage.fewer(make_coverage.counted(tables.table()), make_coverage.read_least())
        assert any(line.startswith("softmax float32 gradient:x functional") for line in missing)

    def test_no_operation_meets_fewer_pairs_of_classes_than_before(
        self, default: tables.Table, make_coverage: ModuleType
    ) -> None:
        least = make_coverage.read_least(make_coverage.PAIRS)
        assert make_coverage.fewer(make_coverage.pairs_met(default), least) == []

    def test_a_pair_that_is_met_no_more_is_missed(
        self, monkeypatch: pytest.MonkeyPatch, make_coverage: ModuleType
    ) -> None:
        _without(monkeypatch, "one-hot-views[turned]")
        least = make_coverage.read_least(make_coverage.PAIRS)
        (missing,) = make_coverage.fewer(make_coverage.pairs_met(tables.table()), least)
        assert re.fullmatch(r"one_hot: \d+ pairs, \d+ before", missing)

    def test_they_are_the_checks_of_a_plan(self, default: tables.Table) -> None:
        cases = requests.pick(load_cases(), Settings())
        assert sum(len(each.checks) for each in default.operations) == requests.make(cases, ["numpy"]).checks
        assert int(default.subjects["checks"].sum()) == 4 * requests.make(cases, ["numpy"]).checks

    def test_pairs_and_triples_are_those_of_plain_loops(self) -> None:
        cases = [case for case in load_cases() if case.operation == "one_hot"]
        (coverage,) = coverage_of(cases)
        members = [
            {cell for cell, there in zip(coverage.cells, row, strict=True) if there}
            for row in coverage.matrix
        ]
        for first, second, count in coverage.pairs():
            assert count == sum({first, second} <= cells for cells in members)
        pairs = unmet_pairs.unmet(coverage)
        assert len(pairs) == len(list(coverage.pairs())) - unmet_pairs.met(coverage)
        text = "\n".join(unmet_pairs.grouped(pairs))
        assert all(any(pair <= cells for cells in members) is False for pair in map(set, pairs))
        assert len(text.splitlines()) == len({(first[0], second[0]) for first, second in pairs})
        crossed = ("dtype", "shape", "layout", "num_classes")
        filled = [cell for cell in coverage.cells if any(cell in cells for cells in members)]
        by_axis = {axis: [cell for cell in filled if cell[0] == axis] for axis in crossed}
        triples = [
            {a, b, c}
            for i, x in enumerate(crossed) for j, y in enumerate(crossed[:i]) for z in crossed[:j]
            for a in by_axis[x] for b in by_axis[y] for c in by_axis[z]
        ]  # fmt: skip
        met = sum(any(triple <= cells for cells in members) for triple in triples)
        assert coverage.triples(crossed) == (met, len(triples))


class TestClasses:
    @pytest.mark.parametrize(
        ("case", "dtype", "axis", "classes"),
        [
            ("softmax-transposed", "float32", "layout", {"transposed"}),
            ("cross-entropy-strided", "float32", "layout of the others", {"strided"}),
            ("cross-entropy-labels[sum,with-zeros,class,0.1]", "float32", "weight", {"with zeros"}),
            (
                "cross-entropy-labels[sum,huge-tiny,class,0.1]",
                "float32", "weight", {"varied", "huge and tiny"},
            ),
            (
                "cross-entropy-labels[sum,none,beyond,1]",
                "float32", "ignore_index", {"some rows", "a label beyond"},
            ),
            ("cross-entropy-labels[sum,none,all,1]", "float32", "ignore_index", {"all rows"}),
            ("cross-entropy-labels[sum,none,all,1]", "float32", "label_smoothing", {"1"}),
            ("cross-entropy-probabilities[sum,none,0,masked]", "float32", "values", {"masked"}),
            ("bce-with-logits-options[sum,plain,zeros,outside]", "float32", "target", {"outside"}),
            ("bce-with-logits-options[sum,plain,zeros,outside]", "float32", "pos_weight", {"with zeros"}),
            ("softmax-channels-last", "float32", "axis", {"inner"}),
            ("softmax-boolean[bool]", "float32", "own dtypes", {"boolean scores"}),
            ("cross-entropy-floating-labels[float32]", "float64", "own dtypes", {"floating labels"}),
            (
                "cross-entropy-labels-weight-dtypes[float16-weight]",
                "bfloat16", "own dtypes", {"the other half type"},
            ),
            ("linear-cross-entropy-dtypes[float32-head]", "float16", "own dtypes", {"wider"}),
            ("linear-cross-entropy-shape[two_classes]", "float32", "shape", {"2-d", "two classes"}),
            (
                "linear-cross-entropy-values[masked_label]",
                "bfloat16", "values", {"masked", "ties"},
            ),
        ],
    )  # fmt: skip
    def test_of_cases(self, case: str, dtype: str, axis: str, classes: set[str]) -> None:
        ((found),) = [each for each in load_cases() if each.id == case]
        (of,) = [each for each in tables.OF_QUESTIONS if each.name == axis]
        assert set(of.classes(Question(found, dtype))) == classes


class TestCommand:
    def test_the_page_in_docs_is_what_it_writes(self, default: tables.Table) -> None:
        written = (ROOT / "docs" / "coverage.md").read_text(encoding="utf-8")
        assert written == page.markdown(default), "write it anew: python docs/make_coverage.py"

    def test_json(self) -> None:
        done = CliRunner().invoke(cli, ["coverage", "--format", "json", "--profile", "full"])
        assert done.exit_code == 0
        told = json.loads(done.stdout)
        names = {each["subject"] for each in told["subjects"]}
        assert {"torch", "torch:compile", "jax:vmap", "numpy"} <= names
        assert [each["operation"] for each in told["operations"]] == [*OPERATIONS]
        assert any("torch:compile" in each["what"] for each in told["left_out"])

    def test_what_a_profile_leaves_out_is_counted(self, default: tables.Table) -> None:
        full = tables.table("full")
        asked = full.subjects.groupby("subject")["checks"].sum()
        whole = sum(len(each.checks) for each in full.operations)
        left: dict[str, int] = {}
        for each in full.left_out:
            subject = each.what.split("`")[1]
            left[subject] = left.get(subject, 0) + each.checks
        assert {name: whole - number for name, number in asked.items() if number < whole} == left
        assert any("large" in each.what for each in default.left_out)

    def test_answers_of_a_run_are_counted(self) -> None:
        rows = [
            ("softmax-broadcast", "float32", "functional", "value", "torch", "exact"),
            ("softmax-broadcast", "float32", "functional", "gradient:x", "torch", "unsupported"),
        ]
        columns = ["case", "dtype", "formulation", "quantity", "subject", "verdict"]
        counted = tables.table(answers=pd.DataFrame(rows, columns=columns))
        (softmax,) = [each for each in counted.operations if each.operation == "softmax"]
        answered = dict(zip(softmax.cells, counted.answered(softmax)["torch"], strict=True))
        assert answered["layout", "broadcast"] == 1
        assert answered["quantity", "gradient:x"] == 0
        assert "`torch` answered" in page.markdown(counted)

    @pytest.mark.parametrize("words", [["--profile", "half"], ["--format", "html"], ["--run", "nowhere"]])
    def test_a_wrong_call(self, words: Sequence[str]) -> None:
        done = CliRunner().invoke(cli, ["coverage", *words])
        assert done.exit_code != 0
