"""Kills runs at random moments, resumes them, and compares their tables with the undisturbed run's.

    python tests/execution/kill_anywhere.py [PATH ...] [--subject S ...] [--kills 50] [--seed 1]

A moment is drawn evenly between the run's first byte in its directory and its end. The command line's
process alone gets SIGKILL, so that its workers must end by themselves; a resumed run is killed again one time
in three. Prints a line for each run, and the figures as one line of JSON; the exit code is 1 where a byte
differs, or a process is left after five seconds.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TABLES = (
    "results.csv",
    "relations.csv",
    "equivalence.csv",
    "invariance.csv",
    "printed.csv",
    "sweep.csv",
    "breaks.csv",
)
#: Seconds in which the workers of a run that was killed must have ended.
PATIENCE = 5.0
QUICK = ["cases/seeds"]


class Killer:
    """Runs one selection again and again; the same seed draws the same moments."""

    def __init__(self, words: Sequence[str], folder: Path, seed: int) -> None:
        self.words, self.folder, self.random = list(words), folder, random.Random(seed)
        self.counts: Counter[str] = Counter()
        self.seconds = math.inf
        whole = folder / "whole"
        self._start([*self.words, "--output", str(whole)], whole, None)
        self.tables = tables(whole)

    def trial(self, number: int) -> str:
        """One run, killed and resumed until it ends: what is wrong with it, or nothing."""
        out = self.folder / f"run-{number}"
        words, again = [*self.words, "--output", str(out)], True
        while again:
            moment = self.random.uniform(0, self.seconds)
            again = self.random.random() < 1 / 3
            if not self._start(words, out, moment):
                self.counts["ended before its kill"] += 1
                break
            words = ["--resume", "--output", str(out)]
        if (out / "journal.bin").exists():
            self._start(words, out, None)
            self.counts["resumed"] += 1
        wrong = [name for name, data in tables(out).items() if data != self.tables[name]]
        return f"other bytes in {', '.join(wrong)}" if wrong else ""

    def _start(self, words: Sequence[str], out: Path, moment: float | None) -> bool:
        """One process, killed that many seconds after its journal began to grow: whether the kill struck."""
        argv = [sys.executable, "-m", "conformance", "run", *words]
        before = _journal(out)
        with (self.folder / "output.txt").open("wb") as stream:
            running = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, cwd=ROOT)
            while running.poll() is None and _journal(out) == before and "--resume" not in words:
                time.sleep(0.002)
            began = time.monotonic()
            if moment is None:
                running.wait()
            else:
                try:
                    running.wait(moment)
                except subprocess.TimeoutExpired:
                    return self._kill(running, out)
        output = (self.folder / "output.txt").read_text()
        if running.returncode not in (0, 1) or "Traceback" in output:
            raise RuntimeError(output)
        if "--resume" not in words:  # A machine that has become quicker must not make kills come too late.
            self.seconds = min(self.seconds, time.monotonic() - began)
        return False

    def _kill(self, running: subprocess.Popen[bytes], out: Path) -> bool:
        workers = children(running.pid)
        running.send_signal(signal.SIGKILL)
        if running.wait() != -signal.SIGKILL:
            return False
        self.counts["kills"] += 1
        self.counts["kills while files were written"] += (out / ".writing").exists()
        self.counts["kills before the first answer"] += _journal(out) < 2000
        left = left_after(workers, PATIENCE)
        self.counts["processes left"] += len(left)
        for pid in left:
            subprocess.run(["kill", "-9", str(pid)], check=False)
        return True


def tables(folder: Path) -> dict[str, bytes]:
    """The bytes of every table of a finished run."""
    if not json.loads((folder / "run.json").read_text())["complete"]:
        raise RuntimeError(f"{folder}: the run is not complete")
    return {name: (folder / name).read_bytes() for name in TABLES}


def children(pid: int) -> list[int]:
    """The processes that a process has started, and that live."""
    children = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        children += [int(word) for word in task.read_text().split()]
    return children


def left_after(pids: Sequence[int], seconds: float) -> list[int]:
    """The processes that still live after so many seconds; sooner where all have ended."""
    end = time.monotonic() + seconds
    left = list(pids)
    while left and time.monotonic() < end:
        time.sleep(0.05)
        left = [pid for pid in left if _lives(pid)]
    return left


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _journal(out: Path) -> int:
    """The bytes of a run's journal: -1 where there is none."""
    try:
        return (out / "journal.bin").stat().st_size
    except FileNotFoundError:
        return -1


def main() -> int:
    """Kills until there have been `--kills`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("paths", nargs="*", default=QUICK)
    parser.add_argument("--subject", action="append", dest="subjects")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    subjects = [word for name in options.subjects or ["numpy", "torch"] for word in ("-s", name)]
    with tempfile.TemporaryDirectory() as folder:
        killer = Killer([*options.paths, *subjects], Path(folder), options.seed)
        runs = wrong = 0
        while killer.counts["kills"] < options.kills:
            difference = killer.trial(runs)
            runs, wrong = runs + 1, wrong + bool(difference)
            print(
                f"run {runs}: {killer.counts['kills']} kills so far; {difference or 'the same bytes'}",
                flush=True,
            )
    left = killer.counts["processes left"]
    figures = {"seed": options.seed, "runs": runs, **killer.counts, "runs with other bytes": wrong}
    print(json.dumps({**figures, "seconds of the quickest run": round(killer.seconds, 1)}))
    return int(wrong > 0 or left > 0)


if __name__ == "__main__":
    sys.exit(main())
