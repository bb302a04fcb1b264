"""The worked example of docs/formulas.md does what the page says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import conformance
from conformance.checking.check_run import CheckRun
from conformance.checking.report import sentence
from conformance.operations import OPERATIONS

PAGE = (Path(__file__).parents[2] / "docs" / "formulas.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"as `(\w+\.py)`[^\n]*\n\n```python\n(.*?)```", PAGE, re.DOTALL))


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    before = dict(OPERATIONS)
    yield
    OPERATIONS.clear()
    OPERATIONS.update(before)


def check(folder: Path, kernels: str) -> CheckRun:
    (folder / "focal.py").write_text(FILES["focal.py"], encoding="utf-8")
    (folder / "kernels.py").write_text(kernels, encoding="utf-8")
    formula = f"{folder / 'focal.py'}:focal_loss"
    return conformance.check(f"{folder / 'kernels.py'}:loss", formula=formula, dtypes=["float32"])


def test_the_example_is_right(tmp_path: Path) -> None:
    assert FILES.keys() == {"focal.py", "kernels.py"}
    formula = FILES["focal.py"].partition("def ")[2]
    assert len(formula.splitlines()) <= 10
    assert sentence(check(tmp_path, FILES["kernels.py"])).startswith("kernels.loss is right: ")


def test_with_the_frameworks_own_loss_it_is_not(tmp_path: Path) -> None:
    logarithms = "-(target * F.logsigmoid(logits) + (1 - target) * F.logsigmoid(-logits))"
    assert logarithms in FILES["kernels.py"]
    own = 'F.binary_cross_entropy_with_logits(logits, target, reduction="none")'
    run = check(tmp_path, FILES["kernels.py"].replace(logarithms, own))
    assert run.exit_code == 1
    assert sentence(run).startswith("kernels.loss is wrong: its ")
