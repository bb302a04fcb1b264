"""`vary`: an entry stands for a case for each combination of its options."""

from __future__ import annotations

import os
from pathlib import Path

import jsonschema
import pytest
from rich.console import Console

from conformance.cases.case import Case
from conformance.cases.json_schema import schema
from conformance.cases.loader import load_cases
from conformance.checking.explain import explain
from conformance.errors import CaseError, RunError
from conformance.yaml.limits import Limits
from conformance.yaml.problems import Faults
from conformance.yaml.tree import parse, plain

ENTRY = """source: tests
cases:
  - id: options
    operation: cross_entropy
    inputs: {logits: [[1, 2, 3], [0, 0, 0]], target: [0, 1]}
    parameters: {ignore_index: 1}
    why: together
"""
AXES = """    vary:
      reduction:
        none: {parameters: {reduction: none}}
        sum: {parameters: {reduction: sum}, why: added up}
      weight:
        plain: {}
        1.5: {parameters: {weight: [1.5, 1, 2]}, dtypes: [float32]}
      rows:
        "as-they_are": {}
        other: {inputs: {target: [2, 2]}}
"""


def load(folder: Path, text: str, limits: Limits | None = None) -> list[Case]:
    path = folder / "f.yaml"
    path.write_text(text)
    return load_cases([path], limits)


def faults(folder: Path, text: str, limits: Limits | None = None) -> list[str]:
    with pytest.raises(CaseError) as caught:
        load(folder, text, limits)
    return [line.replace(f"{folder.resolve()}{os.sep}", "") for line in str(caught.value).splitlines()]


class TestMeaning:
    def test_a_case_for_each_combination_the_last_axis_first(self, tmp_path: Path) -> None:
        cases = load(tmp_path, ENTRY + AXES)
        assert [case.id for case in cases] == [
            f"options[{reduction},{weight},{rows}]"
            for reduction in ("none", "sum")
            for weight in ("plain", "1.5")
            for rows in ("as-they_are", "other")
        ]
        assert {case.line for case in cases} == {3}

    def test_options_are_laid_over_the_case(self, tmp_path: Path) -> None:
        """Inputs and parameters key by key, other keys whole; without an option's key the case's stays."""
        cases = {case.id: case for case in load(tmp_path, ENTRY + AXES)}
        first, last = cases["options[none,plain,as-they_are]"], cases["options[sum,1.5,other]"]
        assert set(first.parameters) == {"ignore_index", "reduction"}
        assert set(last.parameters) == {"ignore_index", "reduction", "weight"}
        assert first.arguments("float32")["target"].tolist() == [0, 1]
        assert last.arguments("float32")["target"].tolist() == [2, 2]
        assert last.arguments("float32")["logits"].tolist() == [[1, 2, 3], [0, 0, 0]]
        assert (len(first.dtypes), last.dtypes) == (4, ("float32",))

    def test_a_later_axis_wins(self, tmp_path: Path) -> None:
        axes = (
            "    vary: {a: {x: {parameters: {ignore_index: 5}}}, b: {y: {parameters: {ignore_index: 7}}}}\n"
        )
        (case,) = load(tmp_path, ENTRY + axes)
        assert case.parameters == {"ignore_index": 7}

    def test_why_names_the_options(self, tmp_path: Path) -> None:
        said = {case.id: case.why for case in load(tmp_path, ENTRY + AXES)}
        assert said["options[sum,plain,other]"] == "together; added up; weight plain; rows other"
        assert len(set(said.values())) == len(said)

    def test_an_option_may_bring_a_missing_input(self, tmp_path: Path) -> None:
        text = ENTRY.replace(", target: [0, 1]", "").replace("ignore_index: 1", "")
        soft_target = "[[1.0, 0, 0], [0, 1, 0]]"
        axes = f"{{low: {{inputs: {{target: [0, 1]}}}}, soft: {{inputs: {{target: {soft_target}}}}}}}"
        low, soft = load(tmp_path, f"{text}    vary: {{t: {axes}}}\n")
        assert (low.inputs["target"].integral, soft.inputs["target"].integral) == (True, False)

    def test_known_deviations_find_them_by_their_names(self, tmp_path: Path) -> None:
        """Brackets in a glob stand for themselves, `*` and `?` do not."""
        known = (
            "known:\n  - {id: a, operation: cross_entropy, cases: ['options[sum,*,other]'], subject: torch,"
            " reason: r, source: s}\n"
        )
        (tmp_path / "known.yaml").write_text(known)
        cases = load(tmp_path, ENTRY + AXES)
        assert [case.id for case in cases if case.known] == [
            "options[sum,plain,other]",
            "options[sum,1.5,other]",
        ]

    def test_explain_shows_the_way_from_the_entry_to_a_case(self, tmp_path: Path) -> None:
        load(tmp_path, ENTRY + AXES)
        with pytest.raises(RunError, match=r"did you mean options\[none,plain,as-they_are\]"):
            explain("options", ["numpy"], [str(tmp_path)], Console(quiet=True))


FAULTS = [
    ("vary:", "8:5: vary: nothing: a mapping of axes, as {reduction: {sum: "),
    ("vary: [1]", "8:5: vary: a list: a mapping of axes"),
    ("vary: {}", "8:5: vary: 0 axes: a mapping of axes"),
    ("vary: {a: 1}", "8:12: vary: an integer as the axis 'a': a mapping of axes"),
    ("vary: {a: {}}", "8:12: vary: nothing as the axis 'a': a mapping of axes"),
    ("vary: {a: {x: 1}}", "8:16: vary: an integer as the option 'x': a mapping of a case's keys"),
    ("vary: {a: {'x,y': {}}}", "8:16: vary: the name 'x,y': 1 to 40 letters, digits and - _ . +"),
    ("vary: {'a,': {x: {}}}", "8:12: vary: the name 'a,': 1 to 40 letters"),
    ("vary: {a: {x: {id: b}}}", "8:20: vary: the key `id` in an option: one for the entry"),
    ("vary: {a: {x: {odd: 1}}}", "8:20: unknown key 'odd': "),
    ("vary: {a: {x: {parameters: {reductoin: sum}}}}", "8:33: cross_entropy has no parameter 'reductoin': "),
    ("vary: {a: {x: {parameters: {weight: [1, 2]}}}}", "8:41: weight "),
    ("vary: {a: {x: {inputs: {target: [0, 7]}}}}", "8:37: label 7 "),
    ("vary: {a: {x: {}, x: {}}}", "8:23: the key 'x' a second time (first on line 8): each key once"),
    ("vary: {a: {x: {dtypes: [int8]}}}", "8:29: dtypes: 'int8' is not known: "),
    ("vary: {a: {x: {why: 3}}}", "8:25: why: an integer ('3'): one line: "),
    ("why: 3\n    vary: {a: {x: {why: b}}}", "8:10: why: an integer ('3'): one line: "),
]


class TestFaults:
    @pytest.mark.parametrize(("axes", "fault"), FAULTS)
    def test_each_points_to_where_it_stands(self, tmp_path: Path, axes: str, fault: str) -> None:
        text = ENTRY.replace("    why: together\n", "") if axes.startswith("why") else ENTRY
        place = fault if text is ENTRY else fault.replace("8:10", "7:10")
        assert any(line.startswith(f"f.yaml:{place}") for line in faults(tmp_path, f"{text}    {axes}\n"))

    def test_a_fault_of_the_entry_is_told_once(self, tmp_path: Path) -> None:
        found = faults(
            tmp_path, ENTRY.replace("target: [0, 1]", "target: [0, 1, 2]") + AXES.split("      rows")[0]
        )
        assert len(found) == 1
        assert found[0].startswith("f.yaml:5:22: labels must have shape [2] ")

    def test_an_id_is_an_entrys_alone(self, tmp_path: Path) -> None:
        again = ENTRY.split("cases:\n")[1] + AXES
        assert faults(tmp_path, ENTRY + AXES + again)[0].startswith(
            "f.yaml:18:9: the id 'options' is taken by "
        )

    def test_their_number_is_bounded_in_a_file(self, tmp_path: Path) -> None:
        """Also across entries, and before any case is made: 40^8 would not end."""
        many = "{" + ", ".join(f"o{place}: {{}}" for place in range(40)) + "}"
        axes = "    vary: {" + ", ".join(f"a{place}: {many}" for place in range(8)) + "}\n"
        assert faults(tmp_path, ENTRY + axes) == [
            "f.yaml:8:5: vary: 6553600000000 cases, 1000 are left in this file: "
            "fewer options, more files, or CONFORMANCE_MAX_CASES"
        ]
        second = (ENTRY + AXES).split("cases:\n")[1].replace("options", "more")
        assert "8 cases, 4 are left" in faults(tmp_path, ENTRY + AXES + second, Limits(cases=12))[0]
        assert len(load(tmp_path, ENTRY + AXES + second, Limits(cases=16))) == 16


class TestSchema:
    validator = jsonschema.Draft202012Validator(schema())

    def valid(self, text: str) -> bool:
        tree = parse(text.encode(), Limits(), Faults("f.yaml"))
        assert tree is not None
        return bool(self.validator.is_valid(plain(tree)))

    def test_it_knows_options(self) -> None:
        assert self.valid(ENTRY + AXES)
        assert self.valid(ENTRY.replace(", target: [0, 1]", "") + AXES)

    def test_only_an_expected_error_may_have_another_reduction(self) -> None:
        odd = ENTRY.replace("ignore_index: 1", "reduction: average")
        assert self.valid(odd + "    expect: error\n")
        assert not self.valid(odd)

    @pytest.mark.parametrize(
        "axes",
        [
            "vary: {}", "vary: {a: {}}", "vary: {a: {x: 1}}", "vary: {'a b': {x: {}}}",
            "vary: {a: {'x,y': {}}}", "vary: {a: {x: {id: b}}}",
            "vary: {a: {x: {odd: 1}}}", "vary: {a: {x: {inputs: {x: [1]}}}}",
            "vary: {a: {x: {parameters: {axis: 1}}}}",
        ],
    )  # fmt: skip
    def test_it_refuses_what_loading_refuses(self, axes: str) -> None:
        assert not self.valid(f"{ENTRY}    {axes}\n")
