"""A run of cases with printed figures alone shows each figure, and what every subject makes of it."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

import conformance
from conformance.report.terminal import figures_table

CASES = """
source: 007_a_post.txt
tags: [seed]
cases:
  - {id: right, operation: softmax, inputs: {x: [0, 0]}, printed: [0.50, 0.5], MORE}
  - {id: misprint, operation: softmax, inputs: {x: [1, 1, 1, 1]}, printed: [0.25, 0.25, 0.24, 0.25], MORE}
"""


def test_a_tick_where_it_is_confirmed_and_the_figure_where_it_is_not(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_text(CASES.replace("MORE", "why: as printed, dtypes: [float32], quantities: [value]"))
    run = conformance.run([file], subjects=["numpy"])
    console = Console(file=(stream := io.StringIO()), width=200)
    console.print(figures_table(run))
    head, *lines = (line.split() for line in stream.getvalue().splitlines())
    assert head == ["post", "case", "printed", "exact", "numpy"]
    rows = {row[1]: row for row in lines}
    answered = run.frame[(run.frame["case"] == "right") & (run.frame["verdict"] != "unsupported")]
    assert rows["right"][0] == "007"
    assert "✓" in rows["right"]
    assert rows["right"][-1] == f"×{len(answered)}"
    assert "✗" in rows["misprint"]
    assert "0.24" in " ".join(rows["misprint"])
