"""The fuzzer in short, and what it has found, each fault once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.cases.loader import load_cases
from conformance.errors import CaseError

FUZZER = Path(__file__).with_name("fuzz_case_files.py")
CASE = "source: s\ncases: [{id: a, operation: softmax, inputs: {x: [1]}, %s}]\n"


def test_no_input_of_a_thousand_breaks_the_claim(tmp_path: Path) -> None:
    """In a process of its own: its audit hook, which sees every file that is opened, stays for good."""
    argv = [
        sys.executable,
        str(FUZZER),
        "mutations",
        "--inputs",
        "1000",
        "--findings",
        str(tmp_path / "findings"),
    ]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    figures = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == 0, done.stdout
    assert (figures["inputs"], figures["findings"]) == (1000, 0)
    assert figures["accepted"] > 20


def test_the_guard_sees_what_leaves_the_folder(tmp_path: Path) -> None:
    """A guard that sees nothing would prove nothing."""
    code = (
        "import os, pathlib, subprocess, sys; from guard import Guard\n"
        "guard = Guard(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[1]) / 'cache')\n"
        "for call in (lambda: open('/etc/hostname'), lambda: open(sys.argv[1] + '/new', 'w'),\n"
        "             lambda: subprocess.run(['true']), lambda: os.remove('x'), lambda: os.listdir('/')):\n"
        "    try: guard.call(call)\n"
        "    except AssertionError as error: print(type(error).__name__)\n"
    )
    argv = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(
        argv, capture_output=True, text=True, check=True, env={"PYTHONPATH": str(FUZZER.parent)}
    )
    assert done.stdout.split() == ["TouchedError"] * 5


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ("layout: {é: odd}", "layout: 'odd' is not known"),
        ("layout: {x: [a]}", "a list: a mapping of tensors to transposed, padded"),
        ("equals: {case: b, gradient: absent}", "the key `relation` is missing"),
        (r'title: "\e[2J"', "a text with U+001B in it: characters that are shown"),
        (r'title: "a\rb"', "a text with U+000D in it"),
        (r'title: "\u202egnp.exe"', "a text with U+202E in it"),
        (r'tags: ["\ud800"]', "a text with U+D800 in it"),
    ],
)
def test_what_was_found(tmp_path: Path, part: str, said: str) -> None:
    """Each a line for the reader, where once a traceback, a raw byte or a terminal's command came out."""
    (tmp_path / "f.yaml").write_text(CASE % part)
    with pytest.raises(CaseError) as caught:
        load_cases([tmp_path / "f.yaml"])
    assert said in str(caught.value)
    assert str(caught.value).isascii()
