"""`conformance check` against a formula: a loss that the suite has never seen."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import conformance
from conformance.checking.check_run import CheckRun
from conformance.checking.report import sentence
from conformance.errors import ConformanceError, RunError
from conformance.operations import OPERATIONS
from conformance.operations.formula.graph import FormulaError

HERE = Path(__file__).parent
FORMULA = f"{HERE / 'poly_formula.py'}:poly_cross_entropy"
FUNCTION = f"{HERE / 'poly_torch.py'}:right"


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    before = dict(OPERATIONS)
    yield
    OPERATIONS.clear()
    OPERATIONS.update(before)


def check(name: str, dtypes: tuple[str, ...] = ("float32",), output: Path | None = None) -> CheckRun:
    function = f"{HERE / 'poly_torch.py'}:{name}"
    return conformance.check(function, formula=FORMULA, dtypes=dtypes, output=output)


def processor_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(item.ru_utime + item.ru_stime for item in used)


def test_a_right_loss_is_judged_in_four_dtypes_in_a_minute(tmp_path: Path) -> None:
    before = processor_seconds()
    run = check("right", (), tmp_path / "run")
    assert processor_seconds() - before < 60
    assert (run.exit_code, run.diagnosis) == (0, None)
    judged = run.own[run.own["conforms"].notna()]
    assert set(judged["dtype"]) == {"float16", "bfloat16", "float32", "float64"}
    assert set(judged["quantity"]) == {"value", "gradient:logits"}
    assert "poly_torch.right is right: " in sentence(run)
    stored = conformance.load(tmp_path / "run")
    assert set(stored.frame["operation"]) == {"poly_cross_entropy"}
    assert set(stored.frame["subject"]) == {"poly_torch.right", "numpy"}
    assert json.loads((tmp_path / "run" / "run.json").read_text())["complete"]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("wrong_sign", "its value is wrong"),
        ("wrong_constant", "its value is wrong"),
        ("missing_factor", "its gradient is wrong"),
        ("overflow", "its value is wrong"),
    ],
)
def test_a_wrong_loss_is_caught(name: str, says: str) -> None:
    run = check(name)
    assert run.exit_code == 1
    assert sentence(run).startswith(f"poly_torch.{name} is wrong: {says}")
    control = run.frame[run.frame["subject"] == "numpy"]
    assert control["conforms"].all()


def weighted(name: str) -> CheckRun:
    function, formula = f"{HERE / 'weighted_numpy.py'}:{name}", f"{HERE / 'poly_formula.py'}:weighted"
    return conformance.check(function, formula=formula, dtypes=("float32",))


def test_an_optional_tensor_of_the_authors_own_name_comes_by_keyword() -> None:
    run = weighted("right")
    assert run.exit_code == 0
    verdicts = run.own.set_index(["case", "quantity"])["verdict"]
    assert verdicts["weighted-class_weight-none", "value"] in ("exact", "faithful", "accurate", "stable")
    assert verdicts["weighted-ignored-nan", "value"] in ("exact", "faithful", "accurate", "stable")


def test_a_function_without_it_is_unsupported_there() -> None:
    run = weighted("unweighted")
    assert run.exit_code == 0
    messages = run.own[run.own["case"] == "weighted-class_weight-mean"]["message"]
    assert set(messages) == {"functional weighted has no parameter class_weight"}


def test_a_mean_over_all_rows_is_caught_where_rows_are_ignored_or_weighted() -> None:
    run = weighted("forgetful")
    failing = set(run.discrepancies()["case"])
    ignored = {"weighted-ignored", "weighted-ignored-class", "weighted-ignored-nan"}
    assert failing == {*ignored, "weighted-class_weight-mean"}


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("misspelt", "poly_formula.py:14: no name 'log_softmx' here: did you mean log_softmax?"),
        ("unfit", "poly_formula.py:19: the shapes [4, 6] and [4] do not fit each other"),
        ("undecorated", "poly_formula.py:22: undecorated is no formula: @operation"),
        ("absent", "poly_formula.py:1: no formula 'absent' here; there is misspelt, poly_cross_entropy, und"),
    ],
)
def test_a_wrong_formula_is_refused_with_its_line(name: str, says: str) -> None:
    with pytest.raises(FormulaError) as caught:
        conformance.check(FUNCTION, formula=f"{HERE / 'poly_formula.py'}:{name}", framework="numpy")
    assert says in str(caught.value)


def test_a_wrong_formula_ends_with_2_before_anything_starts(tmp_path: Path) -> None:
    formula = f"{HERE / 'poly_formula.py'}:misspelt"
    command = [sys.executable, "-m", "conformance", "check", FUNCTION, "--formula", formula, "-f", "numpy"]
    ran = subprocess.run([*command, "--output", "run"], cwd=tmp_path, capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "did you mean log_softmax?" in ran.stderr
    assert not (tmp_path / "run").exists()


def test_there_is_no_such_file() -> None:
    with pytest.raises(RunError, match=r"there is no file absent\.py"):
        conformance.check(FUNCTION, formula="absent.py:absent")


def test_a_formula_that_is_no_python(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("from conformance import formula as m\ndef f(:\n    pass\n")
    with pytest.raises(FormulaError, match=r"broken.py:2: no Python: invalid syntax"):
        conformance.check(FUNCTION, formula=f"{tmp_path / 'broken.py'}:f")


def test_an_operation_and_a_formula_exclude_each_other() -> None:
    with pytest.raises(RunError, match="by --operation OP or by --formula FILE:NAME"):
        conformance.check("loss.py:loss", "softmax", formula=FORMULA)
    with pytest.raises(ConformanceError, match="by --operation OP or by --formula FILE:NAME"):
        conformance.check("loss.py:loss")


SUM_FORMULA = """
from conformance import formula as m


@m.operation(logits=m.scores, target=m.labels)
def summed(logits, target, *, reduction="sum"):
    return m.reduce(-m.take(m.log_softmax(logits), target), reduction)
"""
SUM_IN = {
    "jax": """
import jax, jax.numpy as jnp


def summed(logits, target):
    axis = min(1, logits.ndim - 1)
    log_p = jax.nn.log_softmax(logits, axis=axis)
    rows = jnp.take_along_axis(log_p, jnp.expand_dims(target, axis), axis)
    return -jnp.sum(rows.astype(jnp.float32)).astype(logits.dtype)
""",
    "torch": """
import torch


def summed(logits, target):
    return torch.nn.functional.cross_entropy(logits, target, reduction="sum")
""",
}


@pytest.mark.parametrize("framework", SUM_IN)
def test_a_default_reduction_of_a_formulas_own_is_no_mean(framework: str, tmp_path: Path) -> None:
    """A function without the parameter is asked for the formula's default alone, in whatever words."""
    (tmp_path / "formula.py").write_text(SUM_FORMULA)
    (tmp_path / f"{framework}_sum.py").write_text(SUM_IN[framework])
    loss = f"{tmp_path / f'{framework}_sum.py'}:summed"
    formula = f"{tmp_path / 'formula.py'}:summed"
    run = conformance.check(loss, formula=formula, dtypes=["float32"], framework=framework)
    means = run.own[run.own["case"].str.contains("mean") & (run.own["quantity"] == "value")]
    assert set(means["verdict"]) == {"unsupported"}
    assert run.exit_code == 0, sentence(run)
    assert run.own["conforms"].eq(True).sum() > 20
