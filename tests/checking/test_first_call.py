"""First call: what no other call could change is refused once; results, classes and modules are handled."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from conformance.adapters.user_call import misfit_of
from conformance.adapters.user_function import load_function
from conformance.checking import check, report, user_module
from conformance.errors import SubjectError
from conformance.results.loading import load

LOSSES = Path(__file__).with_name("structured_losses.py")
CASES = Path(__file__).parents[1] / "few_cases.yaml"


def checked(name: str, output: Path | None = None, **options: str | int) -> check.CheckRun:
    """The check of one of the losses, in float32."""
    return check.check(
        f"{LOSSES}:{name}", "cross_entropy", paths=[CASES], dtypes=["float32"], output=output, **options
    )


@pytest.mark.parametrize(
    ("name", "returns", "words"),
    [
        ("pair", None, "pair returns a tuple of 2: say which is the loss, as --returns 0"),
        ("named", None, "named returns a dict of loss, z: say which is the loss, as --returns loss"),
        ("pair", "2", "--returns 2: pair returns a tuple of 2"),
        ("modules.plain", "0", "--returns 0: modules.plain returns one Tensor: leave it out"),
        ("forgets", None, "forgets returns None: return the loss"),
        ("lacks", None, "lacks requires chunk, which the operation does not give: give it a default"),
        ("hides", None, "hides requires chunk, which the operation does not give: give it a default"),
        ("needs_reduction", None, "needs_reduction requires reduction, which not every call gives: give it"),
        ("NeedsClasses", None, "NeedsClasses requires classes, which the operation does not give: give it"),
        ("few", None, "takes 1 positional argument but 2 were given: give it all inputs of the operation"),
    ],
)
def test_a_misfit_is_told_in_one_line_with_the_remedy(name: str, returns: str | None, words: str) -> None:
    function = load_function(f"{LOSSES}:{name}", returns)
    with pytest.raises(TypeError) as failure:
        function(torch.zeros(2, 3), torch.tensor([0, 1]))
    told = misfit_of(function, failure.value)
    assert words in told
    assert "\n" not in told


@pytest.mark.parametrize("name", ["pair", "hides"])
def test_a_misfit_ends_the_check_at_once(name: str, tmp_path: Path) -> None:
    """Nothing is left behind to resume."""
    with pytest.raises(SubjectError, match=f"{name} re"):
        checked(name, tmp_path / "out")
    assert not [path.name for path in (tmp_path / "out").iterdir() if path.suffix in (".bin", ".json")]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("pair", {"returns": 0}),
        ("named", {"returns": "loss"}),
        ("modules.plain", {}),
        ("Built", {}),
        ("NamedModule", {"returns": "loss"}),
    ],
)
def test_results_classes_and_modules_are_handled(name: str, options: dict[str, str | int]) -> None:
    run = checked(name, **options)
    assert run.exit_code == 0, report.cause_lines(run)
    assert report.sentence(run) == (
        f"structured_losses.{name} is right in what it has: 17 checks conform; weight never tried."
    )


def test_an_error_of_one_branch_is_no_misfit() -> None:
    """A helper that lacks an argument where the reduction is sum: the function is wrong there."""
    run = checked("breaks_on_a_branch")
    assert run.exit_code == 1
    assert " is wrong: it raises" in report.sentence(run)


@pytest.mark.parametrize(
    ("name", "options", "call"),
    [
        ("TenthOff", {}, "TenthOff(reduction='none')(logits, target)"),
        ("plain_tenth_off", {"returns": 1}, "loss_alone(logits, target, reduction='none')"),
    ],
)
def test_its_program_calls_it_as_the_check_did(
    name: str, options: dict[str, str | int], call: str, tmp_path: Path
) -> None:
    run = checked(name, tmp_path, **options)
    _, program = report.reproductions(run)[0]
    assert program is not None
    assert f"result = {call}" in program
    argv = [sys.executable, "-W", "ignore", "-c", program]
    shown = subprocess.run(argv, capture_output=True, text=True, check=True, cwd=tmp_path)
    returned = next(line for line in program.splitlines() if line.startswith("# returned"))
    assert float(shown.stdout.split()[0]) == pytest.approx(float(returned.split()[-1]), rel=1e-6)
    assert load(tmp_path).exit_code == 1


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("no_such_module_here:loss", "no module no_such_module_here here: write FILE_OR_MODULE:FUNCTION"),
        ("torch.nn.functionl:loss", "torch.nn has no module functionl here"),
        ("torch.nn.functional:cros_entropy", "defines no cros_entropy; did you mean cross_entropy?"),
        (f"{LOSSES}:pairs", "defines no pairs; did you mean pair?"),
    ],
)
def test_a_name_that_is_not_there_is_told_what_was_meant(where: str, words: str) -> None:
    with pytest.raises(SubjectError) as told:
        user_module.subjects(where, "cross_entropy", None, None)
    assert words in str(told.value)


def test_the_framework_of_a_module_is_the_one_that_it_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read as that of a file is; a module without a Python text is torch's."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "adapters"))
    user, control = user_module.subjects("users_functions:noisy_sigmoid", "sigmoid", None, None)
    assert (user.framework, control.name) == ("numpy", "numpy")
    assert user_module.module_file("math") is None
