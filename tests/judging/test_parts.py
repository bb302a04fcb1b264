"""Parts and wholes: how a loss is split into cases, and what the parts' results together must be."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest

import conformance
from conformance.cases.case import Case
from conformance.cases.discovery import corpus
from conformance.cases.loader import load_cases
from conformance.cases.parts import part_ids
from conformance.errors import CaseError
from conformance.judging.parts import Part, combined
from conformance.operations import OPERATIONS, Reference, reference

CORPUS = {case.id: case for case in load_cases([corpus() / "identities" / "parts.yaml"])}
WHOLES = [case for case in CORPUS.values() if case.parts is not None]
SPLIT = """
source: a test
cases:
  - id: whole
    operation: {operation}
    inputs: {{logits: {{normal: {{shape: [4, 8], seed: 1}}}}, target: [2, 0, 7, 5]}}
    parameters: {{reduction: {reduction}}}
    parts: {{{parts}}}
"""
LOSSES = '''
import numpy as np


def rows(logits, target):
    shifted = logits - logits.max(1, keepdims=True)
    return np.log(np.exp(shifted).sum(1)) - shifted[np.arange(len(target)), target]


def right(logits, target, *, reduction="mean"):
    loss = rows(logits, target)
    return loss if reduction == "none" else loss.mean() if reduction == "mean" else loss.sum()


def mean_of_each(logits, target, *, reduction="mean"):
    """A sum that is divided by the rows of its own micro-batch."""
    loss = rows(logits, target)
    return loss if reduction == "none" else loss.mean()


def of_eight_classes(logits, target, *, reduction="mean"):
    """Takes the number of all classes for that of a shard."""
    correction = np.float32(np.log(8 / logits.shape[1]))
    return right(logits, target, reduction=reduction) + correction
'''


def exact(case: Case, dtype: str, quantity: str) -> Reference:
    arguments = case.arguments(dtype)
    flow = case.flow(dtype, OPERATIONS[case.operation].result_shape(arguments))
    return reference(case.operation, arguments, quantity, dtype, flow)


@pytest.mark.parametrize("whole", WHOLES, ids=lambda case: case.id)
def test_exact_values_of_the_parts_are_combined_to_the_whole_s(whole: Case) -> None:
    for quantity in whole.quantity_names():
        of_parts = [CORPUS[name] for name in part_ids(whole)]
        own = [exact(case, "float64", quantity) for case in of_parts]
        values = [exact(case, "float64", "value") for case in of_parts]
        together = [
            Part(each.high, each.bound * each.ulp, value.high, value.bound * value.ulp)
            for each, value in zip(own, values, strict=True)
        ]
        result, error = combined(whole, "float64", quantity, together)
        right = exact(whole, "float64", quantity)
        np.testing.assert_allclose(result.astype(float), right.high, rtol=1e-14, atol=1e-17)
        assert (error >= 0).all()
        assert (error.astype(float) < 1e-13 + 50 * right.bound * right.ulp).all()


def test_the_parts_are_cases_with_their_own_rows_and_the_whole_s_upstream() -> None:
    whole = CORPUS["cross-entropy-row-chunks"]
    first, second = (CORPUS[name] for name in part_ids(whole))
    for name in ("logits", "target"):
        stacked = [case.arguments("float32")[name] for case in (first, second)]
        np.testing.assert_array_equal(np.concatenate(stacked), whole.arguments("float32")[name])
    flows = [case.flow("float32", (rows,)) for case, rows in ((first, 1), (second, 3))]
    np.testing.assert_array_equal(np.concatenate(flows), whole.flow("float32", (4,)))
    linear = CORPUS["linear-cross-entropy-micro-batches.2"]
    assert linear.inputs["hidden"].shape == (2, 8)
    assert linear.inputs["head"].shape == (16, 8)
    assert linear.parameters["reduction"] == "sum"
    shard = CORPUS["cross-entropy-shards[ordinary].2"]
    assert shard.arguments("float32")["target"].tolist() == [0, 1, 0, 2]


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"parts": "rows: [1, 2], relation: r"}, "positive sizes whose sum is 4"),
        ({"parts": "rows: [4, 0], relation: r"}, "positive sizes whose sum is 4"),
        ({"parts": "relation: r"}, "parts of rows or of classes"),
        ({"parts": "rows: [2, 2], classes: [4, 4], relation: r"}, "parts of rows or of classes"),
        ({"parts": "classes: [5, 3], relation: r", "reduction": "sum"}, "cross_entropy of labels by rows"),
        ({"parts": "rows: [2, 2], over: 0, relation: r"}, "a positive number"),
        ({"parts": "rows: [2, 2], over: 4, relation: r"}, "over, and no mean"),
        ({"parts": "rows: [2, 2], relation: r", "reduction": "mean"}, "a mean of means"),
    ],
)
def test_parts_that_do_not_fit_are_refused_with_a_remedy(
    keys: dict[str, str], says: str, tmp_path: Path
) -> None:
    text = SPLIT.format(**{"operation": "cross_entropy", "reduction": "none"} | keys)
    (tmp_path / "split.yaml").write_text(text)
    with pytest.raises(CaseError, match=r"split.yaml:\d+:\d+: ") as error:
        load_cases([tmp_path / "split.yaml"])
    assert says in str(error.value)


def judgements(name: str, parts: str, reduction: str, folder: Path) -> set[str]:
    """How the relation of the parts was judged for a function."""
    (folder / "losses.py").write_text(dedent(LOSSES))
    text = SPLIT.format(operation="cross_entropy", parts=parts, reduction=reduction)
    (folder / "split.yaml").write_text(text + "    dtypes: [float32]\n    quantities: [value]\n")
    run = conformance.check(f"{folder / 'losses.py'}:{name}", "cross_entropy", paths=[folder / "split.yaml"])
    frame = run.relations()
    own = frame[(frame["subject"] == f"losses.{name}") & (frame["relation"] == "together")]
    assert set(own["case"]) == {"whole"}
    return set(own["judgement"])


@pytest.mark.parametrize(
    ("name", "parts", "reduction", "expected"),
    [
        ("right", "rows: [1, 3], over: 4, relation: together", "mean", {"identical", "within bounds"}),
        ("mean_of_each", "rows: [1, 3], over: 4, relation: together", "mean", {"broken"}),
        ("right", "classes: [5, 3], relation: together", "none", {"identical", "within bounds"}),
        ("of_eight_classes", "classes: [5, 3], relation: together", "none", {"broken"}),
    ],
)
def test_a_function_of_the_user_s_is_held_to_the_relation(
    name: str, parts: str, reduction: str, expected: set[str], tmp_path: Path
) -> None:
    assert judgements(name, parts, reduction, tmp_path) <= expected
