"""`validate`: figures and expectations that the exact value does not bear out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.cases.input_intervals import interval, slack
from conformance.cases.loader import load_cases
from conformance.cases.validation import validate
from conformance.errors import CaseError
from conformance.operations import reference

HEAD = "source: s\ncases:\n  - id: a\n    operation: "
ENTROPY = HEAD + "cross_entropy\n    inputs: {logits: [[10, 3, 1], [-1, 0, -4]], target: [1, 2]}\n"
SIGMOID = HEAD + "sigmoid\n    inputs: {x: [0.5, 1]}\n"
BINARY = HEAD + "binary_cross_entropy_with_logits\n    inputs: {logits: [1], target: [%s]}\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "f.yaml"
    path.write_text(text)
    return path


def fault(folder: Path, text: str) -> str:
    with pytest.raises(CaseError) as caught:
        validate([write(folder, text)])
    return str(caught.value).split("f.yaml:")[-1]


class TestPrinted:
    @pytest.mark.parametrize(
        "figure", ["5.6638", "5.66", "6", "5.663799", "+5.6638", "0.56638e1", "56.638e-1", '"5.6638"']
    )
    def test_any_digits_that_are_right(self, tmp_path: Path, figure: str) -> None:
        validate([write(tmp_path, ENTROPY + f"    printed: {figure}\n")])

    @pytest.mark.parametrize(
        ("figure", "right"), [("5.6639", "5.6638"), ("-5.6638", "5.6638"), ("5.6", "5.7")]
    )
    def test_others_are_told_with_both_figures(self, tmp_path: Path, figure: str, right: str) -> None:
        found = fault(tmp_path, ENTROPY + f"    printed: {figure}\n")
        assert found.startswith(f"3: a: printed: {figure} at [], but the exact value is 5.66379")
        assert found.endswith(f": {right}")

    def test_which_of_many(self, tmp_path: Path) -> None:
        found = fault(tmp_path, SIGMOID + "    printed: [0.6225, 0.7310]\n")
        assert found == "3: a: printed: 0.7310 at [1], but the exact value is 0.731058578630: 0.7311"

    @pytest.mark.parametrize("figure", [".inf", "inf", "0.0"])
    def test_infinity_where_it_is_right(self, tmp_path: Path, figure: str) -> None:
        text = ENTROPY.replace("[10, 3, 1]", "[10, -.inf, 1]") + f"    printed: {figure}\n"
        if "inf" in figure:
            validate([write(tmp_path, text)])
        else:
            assert fault(tmp_path, text).endswith(": inf")


class TestExpect:
    def test_a_special_value_of_every_element(self, tmp_path: Path) -> None:
        text = ENTROPY.replace("[1, 2]}", "[-100, -100]}")
        validate([write(tmp_path, text + "    expect: nan\n")])
        assert "expect: zero, but the exact value at [] in float16 is nan: `expect: value`" in fault(
            tmp_path, text + "    expect: zero\n"
        )

    def test_a_generator_that_overflows_a_dtype(self, tmp_path: Path) -> None:
        text = SIGMOID.replace("[0.5, 1]", "{constant: {shape: [70000], value: 1e30}}")
        assert "1e+30 overflows float16" in fault(tmp_path, text)


class TestDecimals:
    def test_the_interval_decides(self, tmp_path: Path) -> None:
        """Logits of one decimal move the loss by up to 0.1."""
        for figure in ("5.60", "5.66", "5.75"):
            validate([write(tmp_path, ENTROPY + f"    decimals: 1\n    printed: {figure}\n")])
        for figure in ("5.55", "5.78"):
            found = fault(tmp_path, ENTROPY + f"    decimals: 1\n    printed: {figure}\n")
            assert (
                f"printed: {figure} at [], but inputs known to 1 decimals lead elsewhere: to [5.56" in found
            )

    @pytest.mark.parametrize(
        ("text", "allowed"),
        [
            (BINARY % "0", True),
            (BINARY % "1", True),
            (BINARY % "0.5", False),
            (ENTROPY + "    parameters: {label_smoothing: 0.1}\n", False),
            (ENTROPY + "    parameters: {weight: [1, 2, 3]}\n", True),
            (ENTROPY + "    parameters: {weight: [1, -2, 3]}\n", False),
        ],
    )
    def test_only_where_the_corners_decide(self, tmp_path: Path, text: str, allowed: bool) -> None:
        (case,) = load_cases([write(tmp_path, text + "    decimals: 2\n")])
        if allowed:
            assert slack(case) > 0
        else:
            with pytest.raises(
                ValueError, match="decimals: the value need not rise or fall throughout: targets of 0"
            ):
                slack(case)

    @settings(deadline=None)  # a case file is written and read each time
    @given(st.data())
    def test_values_of_any_inputs_in_the_box_lie_inside(
        self, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
    ) -> None:
        """Random points of the box, its corners among them."""
        name = data.draw(
            st.sampled_from(
                ["softmax", "log_softmax", "logsumexp", "sigmoid", "log_sigmoid", "cross_entropy"]
            )
        )
        logits = data.draw(st.lists(st.integers(-60, 60).map(lambda n: n / 10), min_size=3, max_size=3))
        inputs = f"{{logits: [{logits}], target: [1]}}" if name == "cross_entropy" else f"{{x: {logits}}}"
        text = f"source: s\ncases:\n  - id: a\n    operation: {name}\n    inputs: {inputs}\n    decimals: 1\n"
        (case,) = load_cases([write(tmp_path_factory.mktemp("box"), text)])
        low, high = interval(case)
        moves = data.draw(st.lists(st.floats(-0.05, 0.05), min_size=3, max_size=3))
        arguments = case.build("float64")
        first = next(iter(case.inputs))
        moved = {**arguments, first: arguments[first] + np.reshape(moves, arguments[first].shape)}
        value = reference(name, moved, "value", "float64").high
        assert np.all((low <= value) & (value <= high))
