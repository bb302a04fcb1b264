"""Imported by the process that calls of the command line are forked from: one run warms everything up.

Templates are compiled, modules imported, the exact arithmetic loaded; each call inherits all that.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from rich.console import Console

from conformance import api, cli, report

_CASE = "source: s\ncases: [{id: a, operation: softmax, inputs: {x: [1, 2]}, formulations: [functional]}]\n"

with tempfile.TemporaryDirectory() as _folder:
    (Path(_folder) / "cases.yaml").write_text(_CASE)
    _run = api.run([Path(_folder) / "cases.yaml"], subjects=["numpy"], output=Path(_folder) / "out")
    report.terminal(_run, Console(quiet=True))
assert cli.main
