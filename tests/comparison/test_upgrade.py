"""Subjects that run elsewhere, for real: small environments that uv builds from the package index."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from conformance.cli import cli
from conformance.errors import CaseError, SubjectError
from conformance.execution import session
from conformance.results.loading import load
from conformance.subjects import pythons, remote_bootstrap
from conformance.subjects.environments import interpreter
from conformance.subjects.pythons import Python
from conformance.subjects.subject import Subject, parse, with_pins
from conformance.subjects.subjects_file import load as load_subjects

CASES = """\
source: a test
cases:
  - id: gentle
    operation: cross_entropy
    inputs:
      logits: {normal: {shape: [64, 9], scale: 2, seed: 1}}
      target: {labels: {shape: [64], classes: 9, seed: 2}}
    parameters: {reduction: none}
  - id: single
    operation: sigmoid
    inputs: {x: [-1, 0, 2]}
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache of this module's own, so that every environment is built here, once."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONFORMANCE_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="module")
def elsewhere(cache: Path) -> str:
    """An interpreter with NumPy and nothing of ours: of another Python where this machine has one."""
    here = pythons.found()
    others = [python for python in here[1:] if (3, 8) <= python.minor <= (3, 11)] or here[:1]
    chosen: Python = others[-1]
    pin = "numpy==1.24.4" if chosen.minor <= (3, 11) else "numpy==2.2.6"
    return interpreter([pin], lambda _: None, chosen)


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    path = tmp_path / "cases.yaml"
    path.write_text(CASES, "utf-8")
    return path


def test_the_grammar_takes_pins() -> None:
    subject = parse("torch==2.12.1,numpy==2.1.0:compile@cuda:0")
    assert (subject.framework, subject.version, subject.mode, subject.device) == (
        "torch",
        "2.12.1",
        "compile",
        "cuda:0",
    )
    assert subject.pins == ("torch==2.12.1", "numpy==2.1.0")
    assert subject.unpinned == "torch:compile@cuda:0"
    assert parse("torch==2.13.0+cpu").version == "2.13.0+cpu"
    assert parse("torch").pins == ()


@pytest.mark.parametrize(
    "text", ["torch==", "torch=1.0", "torch==1.0,", "torch,numpy==1.0", "torch==1.0,numpy", ""]
)
def test_what_is_no_subject_is_refused(text: str) -> None:
    with pytest.raises(SubjectError, match="the grammar is framework"):
        parse(text)


def test_pins_that_come_apart_from_the_subject() -> None:
    assert (
        with_pins(parse("torch:compile"), ["numpy==1.21.6", "torch==1.10.0"]).name
        == "torch==1.10.0,numpy==1.21.6:compile"
    )
    with pytest.raises(SubjectError, match="need one of torch too"):
        with_pins(parse("torch"), ["numpy==1.21.6"])


def test_a_file_of_subjects(tmp_path: Path) -> None:
    path = tmp_path / "subjects.yaml"
    path.write_text(
        "subjects:\n"
        "  - {name: ours, subject: numpy, python: bin/python}\n"
        "  - {name: far, subject: torch@cuda, command: ssh -p 22 'no de' python3, environment: {A: '1'}}\n"
        "  - {subject: 'torch:compile', pins: [torch==1.10.0, numpy==1.21.6]}\n",
        "utf-8",
    )
    ours, far, pinned = load_subjects(path).values()
    assert (ours.name, ours.python) == ("ours", str(tmp_path / "bin/python"))
    assert (far.remote, far.environment) == (("ssh", "-p", "22", "no de", "python3"), {"A": "1"})
    assert pinned.name == "torch==1.10.0,numpy==1.21.6:compile"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("subjects:\n  - {subject: tortch}\n", "2:5: subject 'tortch': no adapter for 'tortch'"),
        ("subjects:\n  - {subjet: torch}\n", "2:6: unknown key 'subjet': did you mean 'subject'?"),
        ("subjects:\n  - torch\n", "2:5: a text as a subject: a mapping with the key `subject`"),
        (
            "subjects:\n  - {subject: torch, python: p, command: c}\n",
            "2:5: `python` and `command` exclude each other",
        ),
        ("subjects:\n  - {subject: torch==1.0, command: c}\n", "2:5: a pin and `command` exclude each other"),
        ("subjects:\n  - {subject: numpy}\n  - {subject: numpy}\n", "3:5: the name 'numpy' is taken"),
        ("subjects: []\n", "1:11: subjects: empty"),
    ],
)
def test_a_faulty_file_of_subjects_names_line_and_remedy(text: str, fault: str, tmp_path: Path) -> None:
    path = tmp_path / "subjects.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(CaseError) as caught:
        load_subjects(path)
    assert f"{path}:{fault}" in str(caught.value)


def test_the_adapters_are_handed_over_to_a_bare_interpreter(
    elsewhere: str, cases: Path, tmp_path: Path
) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    command = ("env", "-i", f"PATH={os.defpath}", f"HOME={bare}", f"TMPDIR={bare}", elsewhere)
    far = Subject("far", "numpy", remote=command)
    run = session.run([cases], under_test=[far, Subject("here", "numpy", python=elsewhere)])
    assert run.complete
    assert run.environment["subjects"]["far"]["python"] == run.environment["subjects"]["here"]["python"]
    bits = {name: part["bits"].tolist() for name, part in run.frame.groupby("subject")}
    assert bits["far"] == bits["here"]
    assert not {"crashed", "not run"} & set(run.frame["verdict"])
    assert not list(bare.iterdir())


def test_what_a_remote_shell_reads_again_is_quoted() -> None:
    assert (
        remote_bootstrap.argv(["docker", "run", "-i", "image", "python"], ["numpy"])[-2]
        == remote_bootstrap.BOOTSTRAP.strip()
    )
    line = " ".join(remote_bootstrap.argv(["ssh", "host", "python3"], ["numpy"])[2:])
    script = f'python3() {{ test "$3" = "$WANTED" && test $# = 4; }}\n{line}'
    environment = {"WANTED": remote_bootstrap.BOOTSTRAP.strip(), "PATH": os.defpath}
    subprocess.run([shutil.which("sh") or "sh", "-c", script], env=environment, check=True)


def test_a_command_that_cannot_start_is_a_verdict_not_a_failure(cases: Path) -> None:
    run = session.run(
        [cases], under_test=[Subject("gone", "numpy", remote=("no-such-command-at-all",))], dtypes=["float32"]
    )
    assert set(run.frame["verdict"]) <= {"crashed", "not run"}
    assert run.frame["message"].str.contains("cannot start").any()


def test_an_interpreter_that_lacks_the_framework_is_named(elsewhere: str, tmp_path: Path) -> None:
    result = invoke("run", "--subject", "torch", "--python", elsewhere, "--output", str(tmp_path / "out"))
    assert isinstance(result.exception, SubjectError)
    assert f"torch is not installed there; install it with: {elsewhere} -m pip install torch" in str(
        result.exception
    )
    result = invoke("run", "--subject", "torch", "--python", "/no/python", "--output", str(tmp_path / "out"))
    assert "no Python answers there (No such file or directory)" in str(result.exception)


def test_two_versions_side_by_side_and_what_changed(cache: Path, cases: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    result = invoke(
        "upgrade",
        "numpy==1.24.4",
        "numpy==1.26.4",
        "--path",
        str(cases),
        "--case",
        "single",
        "--output",
        str(output),
    )
    assert result.exit_code == 0, result.output
    assert "Nothing regressed" in result.output
    assert "1.24.4 (Python" in result.output
    table = pd.read_csv(output / "diff.csv")
    assert set(table["case"]) == {"single"}
    assert set(table["change"]) <= {"unchanged", "changed bits"}
    old, new, both = load(output / "old"), load(output / "new"), load(output)
    assert set(old.frame["framework_version"]) == {"1.24.4"}
    assert set(new.frame["framework_version"]) == {"1.26.4"}
    assert len(old.frame) == len(new.frame) == len(both.frame) / 2
    assert (
        both.environment["subjects"]["numpy==1.24.4"]["python"]
        == both.environment["subjects"]["numpy==1.26.4"]["python"]
    )
    for name in ("diff.md", "diff.html", "report.html", "old/observations.bin", "new/report.html"):
        assert (output / name).stat().st_size > 0
    again = invoke("diff", str(output / "old"), str(output / "new"), "--output", str(tmp_path / "again"))
    assert again.exit_code == 0
    assert (tmp_path / "again" / "diff.csv").read_bytes() == (output / "diff.csv").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (("torch==1.10.0", "jax==0.5.0"), "pin different frameworks"),
        (("torch==1.10.0", "torch==1.10.0"), "are the same pins"),
        (("torch", "torch==1.10.0"), "'torch' is no pin"),
        (("scipy==1.0", "scipy==1.1"), "no framework is pinned"),
        (("torch==1.10.0", "torch==1.11.0", "--subject", "jax"), "jax is not pinned"),
        (("torch==1.10.0", "torch==1.11.0", "--case", "no-such-case"), "--case no-such-case: no such case"),
    ],
)
def test_an_upgrade_that_is_none_is_refused(arguments: tuple[str, ...], fault: str, tmp_path: Path) -> None:
    result = invoke("upgrade", *arguments, "--output", str(tmp_path / "out"))
    assert fault in str(result.exception)


def test_a_baseline_gates_on_what_got_worse_and_on_nothing_else(cases: Path, tmp_path: Path) -> None:
    baseline, output = tmp_path / "baseline", tmp_path / "out"
    invoke("run", str(cases), "--subject", "numpy", "--output", str(baseline))
    call = ("run", str(cases), "--subject", "numpy", "--baseline", str(baseline), "--output", str(output))
    same = invoke(*call)
    assert same.exit_code == 0, same.output
    assert "Nothing regressed" in same.output
    assert (output / "diff.md").is_file()
    stored = load(baseline)
    grown = stored.frame["ulp_error"].gt(1.2).fillna(False) & ~stored.frame["textbook"].fillna(False)
    assert grown.any()
    stored.frame.loc[grown, "ulp_error"] = 0.1
    stored.save(baseline)
    assert invoke(*call).exit_code == 0
    assert invoke(*call, "--strict").exit_code == 1
    missing = invoke("run", "--baseline", str(tmp_path / "nowhere"), "--output", str(output))
    assert "no run here" in str(missing.exception)


def test_a_run_records_the_interpreter_that_was_named(cases: Path, tmp_path: Path, elsewhere: str) -> None:
    output = tmp_path / "out"
    session.run([cases], subjects=["numpy"], python=elsewhere, output=output)
    assert json.loads((output / "run.json").read_text("utf-8"))["settings"]["python"] == elsewhere
    assert sys.executable != elsewhere


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments))
