"""Gradients with respect to a weight: who gives them is judged on them, and who gives none is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.checking import check, report
from conformance.checking.check_run import CheckRun

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
CASES = [ROOT / "cases" / "gradients" / "weights.yaml"]
QUANTITY = "gradient:weight"
UNTRIED = "the gradient with respect to the weight"


def checked(where: str, operation: str = "nll_loss") -> CheckRun:
    """The run of a function of this folder over the cases of gradients with respect to weights."""
    file, _, name = where.partition(":")
    return check.check(f"{HERE / file}.py:{name}", operation, paths=CASES)


def verdicts(run: CheckRun) -> set[str]:
    """The verdicts on the gradient with respect to the weight."""
    return set(run.own[run.own["quantity"] == QUANTITY]["verdict"])


@pytest.mark.parametrize(
    "where", ["weight_losses:composed", "weight_losses_jax:composed", "weight_losses_numpy:of_both"]
)
def test_right_gradient_conforms(where: str) -> None:
    run = checked(where)
    assert run.exit_code == 0, report.sentence(run)
    assert UNTRIED not in run.untried
    assert (run.own[run.own["quantity"] == QUANTITY]["conforms"].dropna()).all()
    assert run.own[run.own["dtype"] == "float32"]["conforms"].notna().all()


@pytest.mark.parametrize(
    "where",
    [
        "weight_losses:torchs_own",
        "weight_losses:detached",
        "weight_losses:refuses_tracked_weight",
        "weight_losses:zeros_for_the_weight",
        "weight_losses_jax:stopped",
        "weight_losses_jax:fused",
        "weight_losses_numpy:of_the_scores",
    ],
)
def test_function_that_gives_none_is_right_and_untried_there(where: str) -> None:
    run = checked(where)
    assert run.exit_code == 0, report.sentence(run)
    assert verdicts(run) == {"unsupported"}
    assert f"{UNTRIED} never tried" in report.sentence(run)
    assert run.own[run.own["quantity"] == "gradient:log_probs"]["conforms"].any()


def test_function_that_gives_none_for_one_reduction_is_judged_on_the_others() -> None:
    run = checked("weight_losses:detached_by_rows")
    assert run.exit_code == 0, report.sentence(run)
    assert run.untried == ()
    rows = run.own[run.own["quantity"] == QUANTITY]
    assert set(rows[rows["case"].str.contains("none")]["verdict"]) == {"unsupported"}
    assert rows[~rows["case"].str.contains("none")]["conforms"].all()


def test_values_alone_answer_nothing_there() -> None:
    assert set(checked("weight_losses_numpy:values").own["verdict"]) == {"unsupported"}


@pytest.mark.parametrize(
    ("where", "first"),
    [
        (
            "weight_losses:constant_total",
            "is wrong where the reduction is mean",
        ),
        ("weight_losses:last_class_is_dead", "is 0"),
        (
            "weight_losses_jax:constant_total",
            "is wrong where the reduction is mean",
        ),
        (
            "weight_losses_numpy:doubled",
            "(2 times what is right)",
        ),
    ],
)
def test_wrong_gradient_fails_and_is_named(where: str, first: str) -> None:
    run = checked(where)
    assert run.exit_code == 1
    assert "its gradient with respect to the weight is" in report.sentence(run)
    assert first in report.sentence(run)
    assert set(run.discrepancies()["quantity"]) == {QUANTITY}


def test_gradient_of_a_weight_that_is_no_parameter_is_not_named_beside_it() -> None:
    run = check.check(f"{HERE / 'user_losses.py'}:unsteady", "cross_entropy", paths=CASES, dtypes=["float32"])
    assert "weight" in run.untried
    assert UNTRIED not in run.untried
