"""Text of files and answers is printed as it is by every command: never taken for markup, nor for emoji."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from measured import measured

ROOT = Path(__file__).parents[1]
#: What Rich would print as a cross, as a style, and as nothing.
TEXT = "gradient:x: [bold]of[/bold] [/] :smile:"
CASES = f"""
source: '{TEXT}'
cases:
  - id: off
    operation: sigmoid
    inputs: {{x: [-1, 0.5]}}
    dtypes: [float32]
    formulations: [functional]
    why: '{TEXT}'
    known: [{{subject: jax, reason: '{TEXT}', source: '{TEXT}'}}]
  - id: late
    operation: sigmoid
    inputs: {{x: [-1, 0.5]}}
    dtypes: [float32]
    formulations: [functional]
    expect: error
    why: '{TEXT}'
"""
LOSS = f"""
import numpy as np

def mine(x):
    if x.size > 1:
        raise ValueError({TEXT!r})
    return x
"""
NAME = "gradient:x:[bold].yaml"
#: Command line -> what it has to print as it is.
COMMANDS = {
    "run": (["run", NAME, "-s", "numpy", "--output", "out:x:"], "out:x:/report.html"),
    "check": (["check", "mine.py:mine", "-o", "sigmoid", "--path", NAME, "--output", "out:x:"], TEXT),
    "explain": (["explain", "off", "-s", "numpy", "--path", NAME], TEXT),
    "explain a function": (["explain", "off", "--function", "mine.py:mine", "--path", NAME], TEXT),
    "reproduce": (["reproduce", "off", "--function", "mine.py:mine", "--path", NAME], TEXT),
    "list cases": (["list", "cases", "--path", NAME], "gradient:x:"),
    "list as JSON": (["list", "cases", "--json", "--path", NAME], TEXT),
    "validate": (["validate", "no:x:[bold].yaml"], "no:x:[bold].yaml"),
    "diff": (["diff", "no:x:[bold]", "out"], "no:x:[bold]"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A case file and a function."""
    folder = tmp_path_factory.mktemp("text")
    (folder / NAME).write_text(CASES)
    (folder / "mine.py").write_text(LOSS)
    return folder


@pytest.mark.parametrize("terminal", [False, True], ids=["pipe", "terminal"])
@pytest.mark.parametrize("command", COMMANDS)
def test_text_is_printed_as_it_is(command: str, terminal: bool, folder: Path) -> None:
    words, text = COMMANDS[command]
    colour = {"FORCE_COLOR": "1", "COLUMNS": "400"} if terminal else {}
    path = os.environ.get("PATH", "")
    environment = measured({"PYTHONPATH": str(ROOT), "PATH": path, "HOME": str(folder), **colour})
    argv = [sys.executable, "-m", "conformance", *words]
    done = subprocess.run(argv, capture_output=True, text=True, cwd=folder, env=environment, check=False)
    shown = done.stdout + done.stderr
    assert "Traceback" not in shown, shown
    assert text in _without_colours(shown), shown
    assert not {"❌", "😄"} & set(shown)


def _without_colours(text: str) -> str:
    parts = text.split("\x1b[")
    return parts[0] + "".join(part.partition("m")[2] for part in parts[1:])
