"""The suite's own cases."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner

from conformance.cases.case import Case
from conformance.cases.discovery import KNOWN, corpus, files, known_files
from conformance.cases.json_schema import known_schema, schema
from conformance.cases.loader import load_cases
from conformance.cases.tensors.values import size
from conformance.cases.validation import validate
from conformance.cli import cli
from conformance.operations import OPERATIONS
from conformance.subjects import subjects_file
from conformance.yaml.limits import Limits
from conformance.yaml.problems import Faults
from conformance.yaml.tree import parse, plain

FILES = files([corpus()])


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return validate()


class TestCorpus:
    def test_every_case_says_what_only_it_would_catch(self, cases: list[Case]) -> None:
        assert [case.id for case in cases if not case.why] == []
        said = Counter((case.operation, case.why) for case in cases)
        assert [why for why, count in said.items() if count > 1] == []

    def test_no_two_cases_ask_the_same(self, cases: list[Case]) -> None:
        """The same operation, inputs as they lie, parameters and dtypes are the same question."""
        asked: dict[str, str] = {}
        for case in cases:
            inputs = {name: str(one) for name, one in case.inputs.items()}
            parameters = {name: str(one) for name, one in case.parameters.items()}
            asks = [case.operation, inputs, parameters, case.dtypes, case.formulations, case.quantities]
            key = json.dumps(
                [
                    *asks,
                    case.label_dtype,
                    str(case.layout),
                    str(case.upstream),
                    case.tracked,
                    case.graph,
                    str(case.dtype_of),
                    case.call,
                    str(case.equals),
                ]
            )
            assert key not in asked, (case.id, asked[key])
            asked[key] = case.id

    def test_it_is_large(self, cases: list[Case]) -> None:
        assert len(cases) >= 600

    def test_every_operation_has_extreme_cases(self, cases: list[Case]) -> None:
        extreme = Counter(case.operation for case in cases if "extreme" in case.tags)
        assert set(extreme) == set(OPERATIONS)

    def test_the_frontier_is_swept_element_by_element(self, cases: list[Case]) -> None:
        """A row a gap, no reduction, all of one length: XLA compiles once."""
        swept = [case for case in cases if "frontier" in case.tags]
        assert len(swept) >= 12
        for case in swept:
            assert case.inputs[OPERATIONS[case.operation].inputs[0].name].shape[0] == 105
            assert case.parameters.get("reduction", "none") == "none"

    def test_regressions_cite_their_issue(self, cases: list[Case]) -> None:
        found = [case for case in cases if case.file.startswith("cases/regressions/")]
        assert len(found) >= 35
        assert all(
            case.source.startswith("https://github.com/") or "no issue found" in case.source for case in found
        )

    def test_most_cases_share_a_few_shapes(self, cases: list[Case]) -> None:
        """XLA compiles anew for each shape; where it is not the point, it is one of five."""
        extreme = [next(iter(case.inputs.values())).shape for case in cases if "extreme" in case.tags]
        shapes = Counter(shape for shape in extreme if math.prod(shape) < 10_000)  # of more, it is the point
        assert sum(count for shape, count in shapes.most_common(5)) >= 0.85 * shapes.total()

    def test_none_is_large_unless_tagged(self, cases: list[Case]) -> None:
        assert [
            case.id
            for case in cases
            if "large" not in case.tags and sum(map(size, (t.shape for t in case.tensors()))) > 10**6
        ] == []


SCHEMAS = {
    "schema.json": (("schema",), schema),
    "known.schema.json": (("schema", "known"), known_schema),
    "subjects.schema.json": (("schema", "subjects"), subjects_file.schema),
}


class TestSchema:
    @pytest.mark.parametrize("name", SCHEMAS)
    def test_the_copy_in_the_repository_is_what_the_command_prints(self, name: str) -> None:
        words, made = SCHEMAS[name]
        printed = CliRunner().invoke(cli, words)
        assert printed.exit_code == 0
        assert (corpus().parent / name).read_text() == printed.stdout
        assert json.loads(printed.stdout) == made()
        jsonschema.Draft202012Validator.check_schema(made())

    @pytest.mark.parametrize("path", known_files(corpus()), ids=lambda path: path.name)
    def test_known_deviations_follow_theirs_and_name_it(self, path: Path) -> None:
        tree = parse(path.read_bytes(), Limits(), Faults(path.name))
        assert tree is not None
        jsonschema.Draft202012Validator(known_schema()).validate(plain(tree))
        first = path.read_text().splitlines()[0]
        assert first == "# yaml-language-server: $schema=../known.schema.json"

    @pytest.mark.parametrize("change", [{"operation": "sofmax"}, {"odd": 1}, {"reason": ""}, {"cases": []}])
    def test_that_of_known_deviations_refuses_what_loading_refuses(self, change: dict[str, object]) -> None:
        tree = parse((corpus() / KNOWN).read_bytes(), Limits(), Faults(KNOWN))
        assert tree is not None
        entry = plain(tree)["known"][0]
        validator = jsonschema.Draft202012Validator(known_schema())
        assert validator.is_valid({"known": [entry]})
        assert not validator.is_valid({"known": [{**entry, **change}]})

    @pytest.mark.parametrize(
        ("entry", "right"),
        [
            ({"subject": "torch"}, True),
            ({"subject": "torch", "command": ["ssh", "host"], "environment": {"A": "1"}}, True),
            ({"subject": "torch", "environment": {"A": 1}}, False),
            ({"name": "mine"}, False),
            ({"subject": "torch", "modes": "compile"}, False),
        ],
    )
    def test_that_of_subjects(self, entry: dict[str, object], right: bool) -> None:
        validator = jsonschema.Draft202012Validator(subjects_file.schema())
        assert validator.is_valid({"subjects": [entry]}) is right
        assert not validator.is_valid({"subjects": []})

    @pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
    def test_every_file_follows_it(self, path) -> None:
        tree = parse(path.read_bytes(), Limits(), Faults(path.name))
        assert tree is not None
        jsonschema.Draft202012Validator(schema()).validate(plain(tree))

    @pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
    def test_every_file_names_it_for_editors(self, path) -> None:
        """In the first line, relative to the file."""
        first = path.read_text().splitlines()[0]
        depth = len(path.relative_to(corpus()).parts)
        assert first == f"# yaml-language-server: $schema={'../' * depth}schema.json"

    @pytest.mark.parametrize(
        "change",
        [
            {"operation": "sofmax"},
            {"odd": 1},
            {"inputs": {"y": [1]}},
            {"inputs": {}},
            {"inputs": {"x": {"norml": {}}}},
            {"inputs": {"x": {"normal": {"shape": [2]}}}},
            {"parameters": {"reduction": "mean"}},
            {"dtypes": ["int8"]},
            {"formulations": ["naive"]},
            {"expect": "fine"},
            {"id": "a b"},
            {"known": [{"subject": "x"}]},
            {"printed": True},
        ],
    )
    def test_it_refuses_what_loading_refuses(self, change: dict[str, object]) -> None:
        sound = {"id": "a", "operation": "softmax", "inputs": {"x": [1, {"normal": 1}][:1]}}
        validator = jsonschema.Draft202012Validator(schema())
        assert validator.is_valid({"source": "s", "cases": [sound]})
        assert not validator.is_valid({"source": "s", "cases": [{**sound, **change}]})


def test_loading_names_no_framework() -> None:
    """The parent reads cases without any framework and without pandas."""
    import subprocess
    import sys

    heavy = {"torch", "tensorflow", "jax", "pandas", "pyarrow"}
    code = f"import sys, conformance.cases.loader as c; c.load_cases(); print({heavy} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=corpus().parent
    )
    assert done.stdout.strip() == "set()"


def test_ids_are_in_the_order_of_the_files() -> None:
    cases = load_cases()
    assert [(case.file, case.line) for case in cases] == sorted((case.file, case.line) for case in cases)
