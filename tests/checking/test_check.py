"""`conformance check`: verdict, cause and exit code of functions that forget one thing, or none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from conformance.checking import check, control, report, user_module
from conformance.errors import RunError, SubjectError

ROOT = Path(__file__).parents[2]
MINIATURES = ROOT / "tests" / "miniatures"
CASES = ROOT / "tests" / "few_cases.yaml"


def command(*arguments: str, output: Path) -> subprocess.CompletedProcess[str]:
    """`conformance check` in a process of its own."""
    line = [sys.executable, "-m", "conformance", "check", *arguments, "--output", str(output)]
    return subprocess.run(line, capture_output=True, text=True, cwd=ROOT, timeout=600)


def checked(name: str, output: Path, *options: str) -> subprocess.CompletedProcess[str]:
    where = f"{MINIATURES / 'fused.py'}:{name}"
    return command(where, "--operation", "cross_entropy", "--path", str(CASES), *options, output=output)


def test_right_fused_loss_conforms(tmp_path: Path) -> None:
    ran = checked("fused", tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    first = "fused.fused is right in what it has: 76 checks conform; class probabilities never tried."
    assert ran.stdout.splitlines()[0] == first
    assert "refuses a target of probabilities throughout" in ran.stdout
    assert (
        "is right in what it has: 76 checks" in (tmp_path / "summary.md").read_text("utf-8").splitlines()[0]
    )


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("fused_forgets_ignored_gradient", "its gradient is wrong where some rows are ignored"),
        ("fused_forgets_weighted_denominator", "where there is a weight and the reduction is mean"),
        ("fused_forgets_own_maximum", "where the maxima of rows lie far apart"),
        ("fused_forgets_label_range", "it returns a number where a label lies beyond the last class"),
        ("fused_accumulates_in_half", "where there are tens of thousands of classes"),
    ],
)
def test_first_line_names_what_a_fused_loss_forgets(name: str, cause: str, tmp_path: Path) -> None:
    ran = checked(name, tmp_path)
    assert ran.returncode == 1, ran.stdout + ran.stderr
    first = ran.stdout.splitlines()[0]
    assert first.startswith(f"fused.{name} is wrong: ")
    assert cause in first


def test_reproduction_shows_the_fault_and_imports_nothing_of_ours(tmp_path: Path) -> None:
    ran = checked("fused_forgets_weighted_denominator", tmp_path, "--dtype", "float32")
    program = "\n".join(line[4:] for line in ran.stdout.splitlines() if line.startswith("    "))
    assert "conformance" not in program.replace(str(ROOT), "")
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    returned = next(line for line in program.splitlines() if line.startswith("# returned"))
    assert float(shown.stdout.split()[0]) == pytest.approx(float(returned.split()[-1]), rel=1e-6)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nothing.py:loss", "--operation", "softmax"], "nothing.py: no such file"),
        (["fused", "--operation", "softmax"], "write FILE_OR_MODULE:FUNCTION"),
        ([f"{MINIATURES / 'fused.py'}:fusde", "--operation", "softmax"], "defines no fusde"),
        ([f"{MINIATURES / 'fused.py'}:fused", "--operation", "softmex"], "no such operation"),
    ],
)
def test_fault_of_the_call_is_one_line_and_exit_2(arguments: list[str], says: str, tmp_path: Path) -> None:
    ran = command(*arguments, output=tmp_path)
    assert ran.returncode == 2
    assert says in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


def test_file_that_does_not_import_is_a_fault_of_the_call(tmp_path: Path) -> None:
    file = tmp_path / "broken.py"
    file.write_text(
        "import torch\n\nraise ValueError('on purpose')\n\n\ndef loss(logits, target):\n    return 0\n"
    )
    with pytest.raises(SubjectError, match="on purpose"):
        check.check(f"{file}:loss", "cross_entropy", paths=[CASES], dtypes=["float32"])


def test_numpy_function_is_judged_by_value_and_by_the_gradient_that_it_offers(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "import numpy as np\n\n\n"
        "def plain(x):\n    return (1 / (1 + np.exp(-x))).astype(x.dtype)\n\n\n"
        "def graded(x):\n    return plain(x)\n\n\n"
        "graded.gradient = lambda upstream, x: {'x': 2 * upstream * plain(x) * plain(-x)}\n"
    )
    cases = tmp_path / "cases.yaml"
    cases.write_text(
        "source: here\ncases:\n  - id: one\n    operation: sigmoid\n    inputs: {x: [-1, 0, 1]}\n"
        "    dtypes: [float32]\n"
    )
    plain = check.check(f"{file}:plain", "sigmoid", paths=[cases])
    assert plain.exit_code == 0
    assert dict(zip(plain.own["quantity"], plain.own["verdict"], strict=True))["gradient:x"] == "unsupported"
    graded = check.check(f"{file}:graded", "sigmoid", paths=[cases])
    assert graded.exit_code == 1
    assert list(graded.discrepancies()["quantity"]) == ["gradient:x"]


def test_function_that_writes_into_its_input_is_wrong_whatever_it_returns(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "import numpy as np\n\n\n"
        "def loss(x):\n    value = 1 / (1 + np.exp(-x))\n    x *= 2\n    return value.astype(x.dtype)\n"
    )
    cases = tmp_path / "cases.yaml"
    cases.write_text(
        "source: here\ncases:\n  - id: one\n    operation: sigmoid\n    inputs: {x: [-1, 0.5, 1]}\n"
        "    dtypes: [float32]\n    quantities: [value]\n"
    )
    run = check.check(f"{file}:loss", "sigmoid", paths=[cases])
    assert run.exit_code == 1
    assert list(run.discrepancies()["message"]) == ["overwrites its input x"]
    assert "is wrong: it overwrites its inputs" in report.sentence(run)


def test_labels_of_other_integers_that_it_refuses_are_unsupported(tmp_path: Path) -> None:
    cases = tmp_path / "cases.yaml"
    cases.write_text(
        "source: here\ncases:\n  - id: one\n    operation: cross_entropy\n    dtypes: [float32]\n"
        "    inputs: {logits: [[1, 2, 3], [3, 0, -1]], target: [2, 1]}\n"
        "    vary:\n      labels:\n        wide: {}\n        narrow: {label_dtype: uint8}\n"
    )
    run = check.check(f"{MINIATURES / 'fused.py'}:fused", "cross_entropy", paths=[cases])
    assert run.exit_code == 0
    refused = run.own[run.own["verdict"] == "unsupported"]
    assert set(refused["case"]) == {"one[narrow]"}
    assert refused["message"].str.startswith("refuses a target of uint8 labels throughout").all()


def test_function_given_itself_must_be_importable() -> None:
    with pytest.raises(SubjectError, match="top level"):
        check.check(lambda x: x, "sigmoid")
    where, _ = user_module.located(check.pick)
    assert where == "conformance.checking.check:pick"


def test_unknown_operation_is_named() -> None:
    with pytest.raises(RunError, match="no such operation"):
        check.check("mine.py:loss", "crossentropy")


def row(verdict: str, error: float | None, **more: object) -> dict[str, object]:
    conforms = {"unsupported": None, "stable": True}.get(verdict, False)
    names = {"case": "one", "dtype": "float32", "quantity": "value", "formulation": "functional", "known": ""}
    return {**names, "verdict": verdict, "conforms": conforms, "ulp_error": error, "message": "", **more}


@pytest.mark.parametrize(
    ("user_row", "control_row", "inherited"),
    [
        (row("wrong", 100.0), row("wrong", 50.0), True),
        (row("wrong", 100.0), row("wrong", 49.0), False),
        (row("wrong", 100.0), row("lossy", 100.0), False),
        (row("wrong", 100.0), row("stable", 1.0), False),
        (row("raised", None), row("raised", None), True),
        (row("wrong", None), row("wrong", float("inf")), False),
        (row("wrong", float("inf")), row("wrong", float("inf")), True),
    ],
)
def test_inherited_is_the_same_verdict_and_an_error_within_a_factor_of_two(
    user_row: dict[str, object], control_row: dict[str, object], inherited: bool
) -> None:
    control.inherit([user_row], {("one", "float32", "value"): control_row}, "torch")
    assert str(user_row["known"]).startswith("inherited") == inherited


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"def f(:\n", "f.py:1: not a Python file that can be read: invalid syntax"),
        (b"\0", "f.py: not a Python file that can be read: source code string cannot contain null bytes"),
        (b"# coding: klingon\n", "f.py: not a Python file that can be read: "),
    ],
)
def test_a_file_that_is_no_python(tmp_path: Path, data: bytes, message: str) -> None:
    """One line, with the line where there is one."""
    (tmp_path / "f.py").write_bytes(data)
    with pytest.raises(SubjectError) as caught:
        user_module.parsed(tmp_path / "f.py")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
