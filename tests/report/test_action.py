"""The GitHub Action: its steps run as they stand, with a `conformance` that writes a made-up run."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from report.fabricate import fabricate
from ruamel.yaml import YAML

from conformance.report import write

ROOT = Path(__file__).resolve().parent.parent.parent
ACTION: dict[str, Any] = YAML(typ="safe").load((ROOT / "action.yml").read_text(encoding="utf-8"))
STEPS = {step["name"]: step for step in ACTION["runs"]["steps"]}


def run_step(name: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a step's script as GitHub does, with a stub of the command on the path."""
    stub = folder / "bin" / "conformance"
    stub.parent.mkdir(exist_ok=True)
    stub.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > "{folder}/arguments"\nexit "${{STUB_CODE:-0}}"\n')
    stub.chmod(stub.stat().st_mode | stat.S_IEXEC)
    (folder / "bin" / "python").unlink(missing_ok=True)
    (folder / "bin" / "python").symlink_to(sys.executable)
    paths = os.pathsep.join([str(ROOT), *[path for path in sys.path if path]])
    files = {"GITHUB_OUTPUT": str(folder / "output"), "GITHUB_STEP_SUMMARY": str(folder / "summary")}
    given = dict.fromkeys(STEPS[name].get("env", {}), "")
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", STEPS[name]["run"]],
        env={
            **os.environ,
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": paths,
            **files,
            **given,
            "GITHUB_WORKSPACE": str(folder),
            **environment,
        },
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,  # against hanging alone: a busy machine keeps it
    )


class TestAction:
    """action.yml is a composite action that anyone can read."""

    def test_inputs_have_descriptions_and_defaults(self) -> None:
        """Nothing has to be given."""
        for name, entry in ACTION["inputs"].items():
            assert entry["description"], name
            assert isinstance(entry["default"], str), name

    def test_every_expression_names_something(self) -> None:
        """Each input that a step asks for is declared, and each declared one is used."""
        text = (ROOT / "action.yml").read_text(encoding="utf-8")
        assert set(re.findall(r"inputs\.([\w-]+)", text)) == set(ACTION["inputs"])

    def test_no_input_is_pasted_into_a_script(self) -> None:
        """Inputs travel as environment variables: a path is never a command."""
        for name, step in STEPS.items():
            if "run" in step:
                assert "${{" not in step["run"], name
                assert step["shell"] == "bash", name

    def test_arguments_are_words(self, tmp_path: Path) -> None:
        """Lists become repeated options; what looks like a command stays a word."""
        done = run_step(
            "Run",
            tmp_path,
            PATHS="cases/seeds\n $(touch${IFS}owned)",
            SUBJECTS="torch jax:eager",
            DTYPES="float32",
            KNOWN="ours.yaml theirs.yaml",
            BASELINE="runs/main",
            OUTPUT="out dir",
        )
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "arguments").read_text().splitlines() == [
            *("run", "cases/seeds", "$(touch${IFS}owned)"),
            *("--subject", "torch", "--subject", "jax:eager", "--dtype", "float32"),
            *("--known", "ours.yaml", "--known", "theirs.yaml"),
            *("--baseline", "runs/main", "--output", "out dir"),
        ]
        run_step("Run", tmp_path, BASELINE="runs/main", ALLOW_REMOVED="true", OUTPUT="out")
        assert "--allow-removed" in (tmp_path / "arguments").read_text().splitlines()
        assert run_step("Run", tmp_path, ALLOW_REMOVED="true", OUTPUT="out").returncode == 0
        assert "--allow-removed" not in (tmp_path / "arguments").read_text().splitlines()
        assert set((tmp_path / "output").read_text().splitlines()) == {"exit-code=0"}

    @pytest.mark.parametrize("code", ["0", "1", "2", "143"])
    def test_the_exit_code_survives(self, tmp_path: Path, code: str) -> None:
        """The run's step does not stop the summary; the last step gives the verdict."""
        done = run_step("Run", tmp_path, OUTPUT="out", STUB_CODE=code)
        assert done.returncode == 0
        assert (tmp_path / "output").read_text() == f"exit-code={code}\n"
        assert run_step("Verdict", tmp_path, CODE=code, FAIL="true").returncode == int(code)
        forgiven = 0 if code == "1" else int(code)
        assert run_step("Verdict", tmp_path, CODE=code, FAIL="false").returncode == forgiven
        assert run_step("Verdict", tmp_path, CODE="", FAIL="false").returncode == 2

    def test_summary_and_annotations(self, tmp_path: Path) -> None:
        """The job summary is summary.md; of the suite's own cases the step that runs them is annotated."""
        run = fabricate(500)
        run.frame["message"] = ""
        run.save(tmp_path / "run")
        write(run, tmp_path / "run")
        (tmp_path / "losses.yml").write_text("steps:\n  - uses: OWNER/loss-conformance@v0\n")
        workflow = {"GITHUB_WORKFLOW_REF": "me/losses/losses.yml@refs/heads/main"}
        done = run_step("Summary and annotations", tmp_path, OUTPUT=str(tmp_path / "run"), **workflow)
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "summary").read_text() == (tmp_path / "run" / "summary.md").read_text()
        assert done.stdout.startswith("::error file=losses.yml,line=2,title=")
