"""Arguments that only together are not right: each is told, and nothing large is built for it."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from conformance.cases.loader import load_cases
from conformance.errors import CaseError
from conformance.yaml.limits import Limits

CASE = "source: s\ncases:\n  - {{id: a, operation: {}}}\n"
LARGE = "logits: {normal: {shape: [70000, 2], seed: 1}}"


def faults(folder: Path, case: str, limits: Limits | None = None) -> list[str]:
    """The lines of the error that a case leads to, without the file's name."""
    path = folder / "f.yaml"
    path.write_text(CASE.format(case))
    with pytest.raises(CaseError) as caught:
        load_cases([path], limits)
    return [line.partition("f.yaml:")[2] for line in str(caught.value).splitlines()]


class TestEveryFault:
    def test_a_parameter_hides_neither_another_nor_the_labels(self, tmp_path: Path) -> None:
        """Three that the operation tells one at a time."""
        parameters = "parameters: {label_smoothing: 5, weight: [1, 2, 3]}"
        case = f"cross_entropy, inputs: {{logits: [[1, 2]], target: [7]}}, {parameters}"
        told = [line.partition(": ")[2].partition(",")[0] for line in faults(tmp_path, case)]
        assert told == [
            "label 7 is outside 0 .. 1 and is not ignored: arguments that fit cross_entropy(logits",
            "label_smoothing must lie in [0",
            "weight must have one entry a class",
        ]

    def test_what_the_default_does_not_mend_either(self, tmp_path: Path) -> None:
        """Without labels there are no classes to count."""
        (found,) = faults(tmp_path, "one_hot, inputs: {target: []}, parameters: {num_classes: -1}")
        assert found.startswith("3:81: num_classes must be positive")


class TestLargeCases:
    def test_shapes_are_held_together_unbuilt(self, tmp_path: Path) -> None:
        target = "target: {constant: {value: 0, shape: [70000, 3]}}"
        (found,) = faults(tmp_path, f"binary_cross_entropy_with_logits, inputs: {{{LARGE}, {target}}}")
        assert "target must have the shape of logits, [70000, 2], not [70000, 3]" in found

    def test_a_label_out_of_range(self, tmp_path: Path) -> None:
        labels = "target: {same_label: {label: 2, shape: [70000]}}"
        (found,) = faults(tmp_path, f"cross_entropy, inputs: {{{LARGE}, {labels}}}")
        assert "label 2 is outside 0 .. 1 and is not ignored" in found

    @pytest.mark.parametrize("made", ["labels: {classes: 2, seed: 1", "same_label: {label: 1"])
    def test_labels_take_no_memory(self, tmp_path: Path, made: str) -> None:
        """2^22 of them would be 32 MiB."""
        logits = "logits: {normal: {shape: [4194304, 2], seed: 1}}"
        inputs = f"{{{logits}, target: {{{made}, shape: [4194304]}}}}}}"
        path = tmp_path / "f.yaml"
        path.write_text(CASE.format(f"cross_entropy, inputs: {inputs}"))
        tracemalloc.start()
        assert len(load_cases([path])) == 1
        assert tracemalloc.get_traced_memory()[1] < 1 << 24
        tracemalloc.stop()

    def test_drawn_labels_that_the_classes_lack(self, tmp_path: Path) -> None:
        labels = "target: {labels: {classes: 3, shape: [70000], seed: 1}}"
        (found,) = faults(tmp_path, f"cross_entropy, inputs: {{{LARGE}, {labels}}}")
        assert "label 2 is outside 0 .. 1 and is not ignored" in found

    @pytest.mark.parametrize(
        "case",
        [
            "inputs: {target: [1]}, parameters: {num_classes: 99999999999}",
            "inputs: {target: [1]}, parameters: {num_classes: 99999999999}, expect: error",
            "inputs: {target: [99999999998]}",
            "inputs: {target: {same_label: {label: 99999999998, shape: [70000]}}}",
        ],
    )
    def test_a_result_counts_as_its_inputs_do(self, tmp_path: Path, case: str) -> None:
        """A label among a hundred milliards of classes would be 745 GiB."""
        tracemalloc.start()
        (found,) = faults(tmp_path, f"one_hot, {case}")
        assert tracemalloc.get_traced_memory()[1] < 1 << 24
        tracemalloc.stop()
        assert "99999999999" in found or "6999999999930000" in found
        assert "elements, the limit is 67108864: a smaller shape, or CONFORMANCE_MAX_ELEMENTS" in found

    def test_at_the_limit(self, tmp_path: Path) -> None:
        """Three labels of four classes are twelve elements."""
        path, case = tmp_path / "f.yaml", "one_hot, inputs: {target: [0, 1, 2]}, parameters: {num_classes: 4}"
        path.write_text(CASE.format(case))
        assert len(load_cases([path], Limits(elements=12))) == 1
        assert "12 elements, the limit is 11" in faults(tmp_path, case, Limits(elements=11))[0]
