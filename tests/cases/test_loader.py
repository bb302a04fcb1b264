"""What a sound case file means."""

from __future__ import annotations

from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from conformance.cases.case import Case
from conformance.cases.discovery import files
from conformance.cases.input_intervals import slack
from conformance.cases.loader import load_cases
from conformance.errors import CaseError
from conformance.yaml.limits import Limits

SOFTMAX = """
source: a source
cases:
  - id: one
    operation: softmax
    inputs:
      x: {x}
"""


def load(folder: Path, text: str) -> list[Case]:
    path = folder / "file.yaml"
    path.write_text(text, encoding="utf-8")
    return load_cases([path])


def softmax(folder: Path, x: str, more: str = "") -> Case:
    return load(folder, SOFTMAX.replace("{x}", x) + more)[0]


class TestDefaults:
    def test_all_that_may_be_left_out(self, tmp_path: Path) -> None:
        """Every dtype, formulation and quantity; a value is expected and nothing known."""
        case = softmax(tmp_path, "[1, 2]")
        assert case.dtypes == ("float16", "bfloat16", "float32", "float64")
        assert case.formulations == ("functional", "module", "composed", "manual")
        assert case.quantity_names() == ("value", "gradient:x")
        assert (case.expect, case.printed, case.known, case.decimals, case.warns) == (
            "value",
            None,
            (),
            None,
            None,
        )
        assert (case.source, case.line, slack(case)) == ("a source", 4, 0.0)

    def test_parameters_by_their_defaults(self, tmp_path: Path) -> None:
        """Arguments hold every parameter; the case itself only those that the file gives."""
        case = softmax(tmp_path, "[1, 2]")
        assert case.arguments("float32")["axis"] == -1
        assert case.parameters == {}

    def test_tags_and_source_of_the_file_hold_for_its_cases(self, tmp_path: Path) -> None:
        text = "tags: [a, b]" + SOFTMAX.replace("{x}", "[1]") + "    tags: [b, c]\n    source: its own\n"
        (case,) = load(tmp_path, text)
        assert (case.tags, case.source) == (("a", "b", "c"), "its own")

    def test_an_expected_error_has_no_gradient(self, tmp_path: Path) -> None:
        case = softmax(tmp_path, "[1, 2]", "    parameters: {axis: 7}\n    expect: error\n")
        assert case.quantity_names() == ("value",)


class TestNumbers:
    @pytest.mark.parametrize(
        ("written", "number"),
        [
            ("1e2", 100.0),
            ("1E2", 100.0),
            ("+.5", 0.5),
            ("2.", 2.0),
            ("0x10", 16.0),
            ("0o17", 15.0),
            ("012", 12.0),
            ('"0x1.8p+3"', 12.0),
            ('"-0x1p-3"', -0.125),
            (".inf", np.inf),
            ("-.INF", -np.inf),
            ("-0.0", -0.0),
            ("max", 65504.0),
            ('"-max + 1ulp"', -65472.0),
            ('"1 - 1ulp"', 1 - 2.0**-11),
            ("exp_overflow", 11.09375),
        ],
    )
    def test_yaml_1_2_bits_and_edges(self, tmp_path: Path, written: str, number: float) -> None:
        """As YAML 1.2 has them (012 is twelve), and the edges of the dtype."""
        (found,) = softmax(tmp_path, f"[{written}]").arguments("float16")["x"]
        assert found == number
        assert np.signbit(found) == np.signbit(number)

    def test_nan(self, tmp_path: Path) -> None:
        assert np.isnan(softmax(tmp_path, "[.nan, 1]").arguments("bfloat16")["x"]).tolist() == [True, False]

    @pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
    def test_rounded_to_nearest_even_in_the_dtype(self, tmp_path: Path, dtype: str) -> None:
        """0.1 is in no dtype; a tie goes to the even neighbour."""
        found = softmax(tmp_path, "[0.1, 1.00390625, 1.01171875, 1.00048828125]").arguments(dtype)["x"]
        storage = ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype
        wanted = np.array([0.1, 1.00390625, 1.01171875, 1.00048828125], np.float64).astype(storage)
        np.testing.assert_array_equal(found, wanted.astype(np.float64))

    def test_shapes(self, tmp_path: Path) -> None:
        assert softmax(tmp_path, "3").arguments("float32")["x"].shape == ()
        assert softmax(tmp_path, "[[], []]").arguments("float32")["x"].shape == (2, 0)
        assert softmax(tmp_path, "[[[1, 2]], [[3, 4]]]").arguments("float32")["x"].shape == (2, 1, 2)

    def test_arguments_cannot_be_written(self, tmp_path: Path) -> None:
        """They are built once and shared by everyone who asks."""
        case = softmax(tmp_path, "[1, 2]")
        with pytest.raises(ValueError, match="read-only"):
            case.arguments("float32")["x"][0] = 5
        assert case.arguments("float32")["x"] is case.arguments("float32")["x"]

    def test_printed_figures_keep_their_digits(self, tmp_path: Path) -> None:
        case = softmax(tmp_path, "[1, 2]", "    printed: [0.2690, -7.0e-01]\n")
        assert case.printed == ["0.2690", "-7.0e-01"]


class TestTargets:
    TEXT = """
source: s
cases:
  - id: a
    operation: cross_entropy
    inputs: {logits: [[1, 2, 3]], target: {t}}
"""

    def test_integers_are_labels(self, tmp_path: Path) -> None:
        case = load(tmp_path, self.TEXT.replace("{t}", "[2]"))[0]
        assert case.arguments("float32")["target"].dtype == np.int64
        assert case.quantity_names() == ("value", "gradient:logits")

    def test_numbers_with_a_point_are_probabilities(self, tmp_path: Path) -> None:
        case = load(tmp_path, self.TEXT.replace("{t}", "[[0, 0.5, 0.5]]"))[0]
        assert case.arguments("float16")["target"].dtype == np.float64
        assert case.quantity_names() == ("value", "gradient:logits", "gradient:target")

    def test_integers_are_numbers_where_numbers_belong(self, tmp_path: Path) -> None:
        text = self.TEXT.replace("cross_entropy", "binary_cross_entropy_with_logits").replace(
            "{t}", "[[0, 1, 1]]"
        )
        assert load(tmp_path, text)[0].arguments("float32")["target"].dtype == np.float64


class TestNpyFiles:
    def save(self, folder: Path, name: str, array: np.ndarray) -> None:
        (folder / name).parent.mkdir(exist_ok=True)
        np.save(folder / name, array)

    def test_floats_of_any_width_and_labels(self, tmp_path: Path) -> None:
        self.save(tmp_path, "a/x.npy", np.array([[1, 2.5]], np.float16))
        self.save(tmp_path, "y.npy", np.array([1], np.uint8))
        text = TestTargets.TEXT.replace("[[1, 2, 3]]", "{file: a/x.npy}").replace("{t}", "{file: y.npy}")
        arguments = load(tmp_path, text)[0].arguments("float32")
        np.testing.assert_array_equal(arguments["logits"], [[1, 2.5]])
        assert arguments["target"].dtype == np.int64

    def test_empty_and_fortran_order(self, tmp_path: Path) -> None:
        self.save(tmp_path, "x.npy", np.zeros((0, 3)))
        assert softmax(tmp_path, "{file: x.npy}").arguments("float32")["x"].shape == (0, 3)
        self.save(tmp_path, "x.npy", np.asfortranarray([[1.0, 2.0], [3.0, 4.0]]))
        assert softmax(tmp_path, "{file: x.npy}").arguments("float32")["x"].tolist() == [[1, 2], [3, 4]]

    def test_a_file_that_changes_later_is_a_clear_line(self, tmp_path: Path) -> None:
        self.save(tmp_path, "x.npy", np.zeros(2**17))
        case = softmax(tmp_path, "{file: x.npy}")
        self.save(tmp_path, "x.npy", np.zeros(3))
        with pytest.raises(CaseError, match=r"file\.yaml:4: one: x\.npy has changed since it was loaded"):
            case.arguments("float32")


class TestVariant:
    def test_the_steps_of_a_case(self, tmp_path: Path) -> None:
        """Another operation on the same tensors, without the first one's figures."""
        case = softmax(tmp_path, "[1, 2]", "    printed: [0.2689, 0.7311]\n")
        other = case.variant("one/step", "log_softmax", case.inputs, {"axis": 0})
        assert other.formulations == ("functional", "module", "composed", "naive", "manual")
        assert (other.id, other.printed, other.arguments("float32")["axis"]) == ("one/step", None, 0)


class TestPaths:
    def test_sorted_by_name_whatever_the_order_given(self, tmp_path: Path) -> None:
        names = ["b.yaml", "a/z.yml", "a/b.yaml"]
        for name in names:
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(
                SOFTMAX.replace("{x}", "[1]").replace("one", f"id-{names.index(name)}")
            )
        found = load_cases([tmp_path / "b.yaml", tmp_path])
        assert [case.id for case in found] == ["id-2", "id-1", "id-0"]

    def test_named_relative_to_the_working_directory(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert softmax(tmp_path, "[1]").file == "file.yaml"

    def test_the_corpus_is_named_from_cases(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Wherever the run starts, in a checkout or in an installation."""
        monkeypatch.chdir(tmp_path)
        assert {case.file.split("/")[0] for case in load_cases()} == {"cases"}

    def test_links_out_of_a_folder_are_left_out(self, tmp_path: Path) -> None:
        outside, inside = tmp_path / "outside.yaml", tmp_path / "inside"
        inside.mkdir()
        outside.write_text("secret")
        (inside / "a.yaml").write_text(SOFTMAX.replace("{x}", "[1]"))
        (inside / "b.yaml").symlink_to(outside)
        assert [path.name for path in files([inside])] == ["a.yaml"]

    @pytest.mark.parametrize(
        ("name", "wanted"), [("nowhere.yaml", "no such file or folder"), ("", "no case files")]
    )
    def test_nothing_there(self, tmp_path: Path, name: str, wanted: str) -> None:
        with pytest.raises(CaseError, match=wanted):
            load_cases([tmp_path / name])


class TestLimits:
    def test_raised_by_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CONFORMANCE_MAX_ELEMENTS", "100")
        assert Limits.from_environment().elements == 100

    @pytest.mark.parametrize("text", ["", "0", "-1", "1e6", "many", "9" * 30, "²"])
    def test_what_is_no_limit(self, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
        monkeypatch.setenv("CONFORMANCE_MAX_DEPTH", text)
        with pytest.raises(CaseError, match=r"CONFORMANCE_MAX_DEPTH: .* a positive integer"):
            Limits.from_environment()

    @pytest.mark.parametrize(
        ("limits", "wanted"),
        [
            (Limits(file_bytes=50), "1:1: larger than 50 bytes"),
            (Limits(nodes=13), "7:10: more than 13 values in one file"),
            (Limits(depth=5), "7:11: nested deeper than 5 levels"),
            (Limits(elements=3), "7:10: x: 4 elements in one case, the limit is 3"),
        ],
    )
    def test_each_names_itself_and_how_to_raise_it(self, tmp_path: Path, limits: Limits, wanted: str) -> None:
        path = tmp_path / "file.yaml"
        path.write_text(SOFTMAX.replace("{x}", "[[1, 2], [3, 4]]"))
        with pytest.raises(CaseError) as caught:
            load_cases([path], limits)
        assert wanted in str(caught.value)
        assert "CONFORMANCE_MAX_" in str(caught.value)
