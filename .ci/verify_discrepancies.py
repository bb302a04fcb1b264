"""Decision of continuous integration: is each discrepancy of a run a find, or a fault of the suite?

    python .ci/verify_discrepancies.py reports/latest

The run must be complete, and the NumPy reference must conform. Every other discrepancy that is not known is
run once more as the program of the report, which imports the framework alone. Where that program shows what
the report says, it is a find: it belongs to the framework on this processor, is printed, and fails nothing.
Where it does not, the suite is at fault. Exit code 0: finds at most; 1: a fault; 2: there is no such run.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import conformance
from conformance.arithmetic import to_storage
from conformance.cases.case import Case
from conformance.cases.loader import load_cases
from conformance.errors import ConformanceError
from conformance.report.reproduction.program import check_of, reproduce
from conformance.results.run import Run

#: Seconds until a program counts as hung: far beyond an import of a framework on a busy machine.
PROGRAM_SECONDS = 600
PROCESSES = 2
SHOWN_FINDS = 40
#: What a program is followed by: the facts about its result that a report may speak of.
FACTS = '\nprint("@facts", list(getattr(result, "shape", ())), str(getattr(result, "dtype", "")))\n'
#: Runs a JSON list of programs from the standard input, each in a namespace of its own.
RUNNER = """
import contextlib, io, json, sys
for program in json.load(sys.stdin):
    printed, error = io.StringIO(), ""
    try:
        with contextlib.redirect_stdout(printed):
            exec(compile(program, "program", "exec"), {"__name__": "program"})
    except Exception as raised:
        error = type(raised).__name__
    sys.__stdout__.write(json.dumps([printed.getvalue(), error]) + chr(10))
    sys.__stdout__.flush()
"""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What a program did.

    Attributes:
        printed: what it printed before the facts.
        facts: shape and dtype of its result, as text; empty where it printed none.
        error: the type of the exception that ended it; empty for none.
        signal: the name of the signal that killed its process; empty for none.
        hung: whether it had not ended after `PROGRAM_SECONDS`.
    """

    printed: str = ""
    facts: str = ""
    error: str = ""
    signal: str = ""
    hung: bool = False

    def __str__(self) -> str:
        if self.hung:
            return f"did not end within {PROGRAM_SECONDS} s"
        if self.signal:
            return f"was killed by {self.signal}"
        return f"raised {self.error}" if self.error else f"printed {self.printed or 'nothing'} ({self.facts})"


@dataclass(frozen=True)
class Finding:
    """A discrepancy beside what its program did; `fault` says why it is not the framework's, else empty."""

    row: Row
    outcome: Outcome | None
    fault: str

    def __str__(self) -> str:
        check = " ".join(str(self.row[name]) for name in ("case", "formulation", "quantity", "dtype"))
        said = self.row["observed"] or self.row["message"]
        right = f", exact {self.row['exact']}" if self.row["exact"] else ""
        text = f"{self.row['subject']} {check}: {self.row['verdict']}: {_line(said)}{right}"
        return f"{text}\n    {self.fault}" if self.fault else text


def main(arguments: Sequence[str]) -> int:
    """Prints the decision on the run of a directory; the exit code."""
    try:
        run = conformance.load(arguments[0])
        paths = [Path(path) for path in run.environment["settings"]["paths"]]
        findings = list(verify(run, load_cases(paths or None)))
    except (ConformanceError, IndexError) as error:
        print(f"no run to decide on: {error}", file=sys.stderr)
        return 2
    faults = [*faults_of_the_run(run), *(str(finding) for finding in findings if finding.fault)]
    finds = [finding for finding in findings if not finding.fault]
    for processor in sorted({_processor(described) for described in run.environment["subjects"].values()}):
        print(f"processor: {processor}")
    for finding in finds[:SHOWN_FINDS]:
        print(f"find: {finding}")
    if len(finds) > SHOWN_FINDS:
        print(f"... and {len(finds) - SHOWN_FINDS} finds more: {arguments[0]}/report.html")
    for fault in faults:
        print(f"FAULT: {fault}")
    shown = f"{len(finds)} discrepanc{'y' if len(finds) == 1 else 'ies'} that the framework alone shows"
    print(f"{shown}, {len(faults)} fault{'' if len(faults) == 1 else 's'} of the suite")
    return 1 if faults else 0


def faults_of_the_run(run: Run) -> Iterator[str]:
    """What no processor excuses: an incomplete run, and a NumPy reference that deviates."""
    if not run.complete:
        yield "the run is not complete"
    frame = run.discrepancies()
    for row in frame[frame["framework"] == "numpy"].to_dict("records"):
        yield f"the NumPy reference deviates: {Finding(row, None, '')}"


def verify(run: Run, cases: Iterable[Case]) -> Iterator[Finding]:
    """Each discrepancy of a run, NumPy's left out, beside what its program did.

    Args:
        run: the stored run.
        cases: the cases that it ran.
    """
    by_id = {case.id: case for case in cases}
    frame = run.discrepancies()
    rows: list[Row] = frame[frame["framework"] != "numpy"].to_dict("records")
    programs = [_program(row, run, by_id) for row in rows]
    batches: dict[tuple[Any, ...], list[int]] = {}
    for index, (row, program) in enumerate(zip(rows, programs, strict=True)):
        if program is not None:
            # What kills a process, or changes JAX's precision for the rest of it, stands alone.
            alone = index if row["verdict"] in ("crashed", "timed out") else -1
            batches.setdefault((row["subject"], row["dtype"], alone), []).append(index)
    outcomes: dict[int, Outcome] = {}
    with ThreadPoolExecutor(PROCESSES) as pool:
        texts = [[programs[index] or "" for index in batch] for batch in batches.values()]
        for batch, done in zip(batches.values(), pool.map(run_programs, texts), strict=True):
            outcomes.update(zip(batch, done, strict=True))
    for index, row in enumerate(rows):
        outcome = outcomes.get(index)
        yield Finding(row, outcome, _fault(row, outcome))


def run_programs(programs: Sequence[str]) -> list[Outcome]:
    """The outcomes of programs, in one process of their own while none of them kills it."""
    outcomes: list[Outcome] = []
    while len(outcomes) < len(programs):
        remaining = [program + FACTS for program in programs[len(outcomes) :]]
        with tempfile.TemporaryDirectory() as folder:
            try:
                done = subprocess.run(
                    [sys.executable, "-c", RUNNER],
                    input=json.dumps(remaining),
                    capture_output=True,
                    text=True,
                    cwd=folder,
                    timeout=PROGRAM_SECONDS,
                )
            except subprocess.TimeoutExpired:
                outcomes.append(Outcome(hung=True))
                continue
        lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
        outcomes += [_outcome(*line) for line in lines]
        if len(lines) < len(remaining):
            killed = (
                signal.Signals(-done.returncode).name if done.returncode < 0 else f"exit {done.returncode}"
            )
            outcomes.append(Outcome(signal=killed))
    return outcomes


def _outcome(printed: str, error: str) -> Outcome:
    text, _, facts = printed.rpartition("@facts ")
    return Outcome(text.strip() if facts else printed.strip(), facts.strip() if text else "", error)


def _program(row: Row, run: Run, cases: Mapping[str, Case]) -> str | None:
    """The report's program of a check; None where it has none."""
    case = cases.get(str(row["case"]))
    if case is None:
        return None
    return reproduce(check_of(row, run.environment), case.with_upstream(str(row["dtype"])))


def _fault(row: Row, outcome: Outcome | None) -> str:
    """Why the framework alone does not show what the report says of it; empty where it does."""
    if outcome is None:
        return "no program that imports the framework alone can be written for it"
    return "" if _shows(row, outcome) else f"its program {outcome}"


def _shows(row: Row, outcome: Outcome) -> bool:
    message = str(row["message"])
    match row["verdict"]:
        case "crashed":
            return bool(outcome.signal) and outcome.signal in message
        case "timed out":
            return outcome.hung
        case "raised":
            return bool(outcome.error) and message.startswith(outcome.error)
    if outcome.error or outcome.signal or outcome.hung:
        return False
    if message.startswith("returned a value where an error is right"):
        return True
    if not row["observed"]:  # a wrong shape or dtype
        shape, _, dtype = outcome.facts.rpartition(" ")
        return f"shape {shape} " in message or f" {dtype.rpartition('.')[2]} " in message
    return _bits(outcome.printed, row) == _bits(str(row["observed"]), row)


def _bits(text: str, row: Row) -> bytes | None:
    """A number as the dtype holds it; None for what is no number."""
    try:
        number = float(text)
    except ValueError:
        return None
    return b"nan" if number != number else to_storage(np.array([number]), str(row["dtype"])).tobytes()


def _processor(described: Mapping[str, Any]) -> str:
    hardware = described.get("hardware", {})
    return f"{hardware.get('cpu', 'unknown')} ({' '.join(hardware.get('flags', ()))})"


def _line(text: object) -> str:
    return " ".join(str(text).split())[:160]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
