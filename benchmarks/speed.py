"""How fast a run is: beside the floor, which is what the frameworks need for the same calls.

    python benchmarks/speed.py [PATH ...] [--operation OP] [--subject S] [--cold] [--save FILE]

Runs the floors of all frameworks side by side (`benchmarks/floor.py`), then the suite, each with empty caches
of its own; then, without --cold, both again with what they have cached. Prints for each wall time, the
processor's time, checks a second, and where the suite's own time goes. Needs an otherwise idle machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from conformance.plan.requests import Request

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
#: Seconds of `import torch` where the aims of docs/performance.md were set.
AIM = 1.1
FRAMEWORKS = ("numpy", "torch", "tensorflow", "jax")


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("paths", nargs="*")
    parser.add_argument("--operation", action="append", default=[])
    parser.add_argument("--subject", action="append", default=[])
    parser.add_argument("--cold", action="store_true", help="with empty caches alone")
    parser.add_argument("--save", type=Path, help="also write the tables to this file")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.subject = options.subject or list(FRAMEWORKS)
    if options.inside:
        inside(options)
        return
    console = Console(record=True, width=110)
    with tempfile.TemporaryDirectory() as folder:
        frames = dump(options, Path(folder))
        alone = import_of_torch()
        console.print(
            f"import torch alone: {alone:.1f} s of the processor; the aims are of a machine with {AIM}"
        )
        caches = {what: Path(folder) / what for what in ("floor", "suite")}
        for state in ("empty",) if options.cold else ("empty", "warm"):
            floor_wall, floors = side_by_side(frames, caches["floor"])
            figures = suite(options, Path(folder), caches["suite"])
            console.print(heading(state))
            show(console, floor_wall, floors, figures, alone)
    if options.save:
        options.save.write_text(console.export_text(), encoding="utf-8")


def heading(state: str) -> str:
    """What was measured, where."""
    return f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {state} caches"


def dump(options: argparse.Namespace, folder: Path) -> dict[str, Path]:
    """A file of request frames for each subject."""
    from conformance.cases.loader import load_cases
    from conformance.plan import requests as plan
    from conformance.plan.selection import Settings, pick

    cases = load_cases([Path(path) for path in options.paths] or None)
    made = plan.make(pick(cases, Settings(operations=options.operation)), options.subject)
    files = {}
    for subject, requests in made.requests.items():
        files[subject] = folder / f"{subject}.frames"
        sent = (request.payload() for request in requests if not aborted(request, subject))
        files[subject].write_bytes(b"".join(sent))
    return files


def aborted(request: Request, subject: str) -> bool:
    """Whether the call is known to end a process on this processor: no floor outlives it."""
    from conformance.adapters.hardware import processor
    from conformance.cases.known import matches

    about = subject, request.group.dtype, request.formulation
    return any(
        known.processor and matches(known, *about, quantity, "", frozenset(processor()["flags"]))
        for known in request.group.case.known
        for quantity in request.quantities
    )


def import_of_torch() -> float:
    """Seconds of the processor for `import torch` in a process of its own: how fast this machine is."""
    program = "import time, torch; print(time.process_time())"
    asked = [sys.executable, "-c", program]
    return min(float(subprocess.run(asked, check=True, stdout=subprocess.PIPE).stdout) for _ in range(3))


def side_by_side(frames: dict[str, Path], cache: Path) -> tuple[float, dict[str, dict[str, float]]]:
    """The floors' wall time together, and each one's own figures."""
    cache.mkdir(exist_ok=True)
    environment = {**os.environ, "CONFORMANCE_CACHE": str(cache)}
    start = time.perf_counter()
    running = {
        subject: subprocess.Popen(
            [sys.executable, str(ROOT / "benchmarks" / "floor.py"), subject, str(file)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        for subject, file in frames.items()
    }
    said = {subject: process.communicate()[0] for subject, process in running.items()}
    wall = time.perf_counter() - start
    found = {subject: json.loads(text.splitlines()[-1]) for subject, text in said.items()}
    # What makes the calls ready is no part of the floor.
    return wall - max(one["ready"] for one in found.values()), found


def suite(options: argparse.Namespace, folder: Path, cache: Path) -> dict[str, Any]:
    """A run of the suite in a process of its own: its figures."""
    argv = [sys.executable, __file__, *options.paths, "--inside", str(folder / "run")]
    argv += [word for name in options.operation for word in ("--operation", name)]
    argv += [word for name in options.subject for word in ("--subject", name)]
    environment = {**os.environ, "CONFORMANCE_CACHE": str(cache)}
    start = time.perf_counter()
    text = subprocess.run(argv, env=environment, check=True, stdout=subprocess.PIPE).stdout
    return {**json.loads(text.splitlines()[-1]), "wall": time.perf_counter() - start}


def inside(options: argparse.Namespace) -> None:
    """The run itself, with a clock on each part of the parent; prints its figures as JSON."""
    import resource

    from conformance import api, report
    from conformance.cases import loader
    from conformance.execution import session
    from conformance.judging import collector
    from conformance.judging.breakpoints import Search
    from conformance.judging.references import References
    from conformance.plan import requests as plan
    from conformance.results import journal
    from conformance.results import run as results

    parts = Parts()
    for name, owner, function in (
        ("case files", loader, "load_cases"),
        ("plan", plan, "make"),
        ("exact values", References, "get"),
        ("exact values", References, "once"),
        ("judging", collector.Collector, "finish"),
        ("search for breaks", Search, "take"),
        ("journal", journal.RunDirectory, "record"),
        ("frames", session._Session, "_run"),
        ("tables", results.Run, "write"),
        ("report", report, "write"),
    ):
        setattr(owner, function, parts.timed(name, getattr(owner, function)))
    run = api.run(
        options.paths, subjects=options.subject, operations=options.operation, output=options.inside
    )
    main_thread, own = time.thread_time(), resource.getrusage(resource.RUSAGE_SELF)
    workers = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = own.ru_utime + own.ru_stime
    parts.spent["start-up and the rest"] = main_thread - sum(parts.spent.values())
    parts.spent["threads of the workers' pipes"] = spent - main_thread
    figures = {
        "checks": len(run.frame),
        "parts": parts.spent,
        "parent": spent,
        "workers": workers.ru_utime + workers.ru_stime,
        "memory": own.ru_maxrss / 1024,
        "subjects": {
            name: {key: about.get(key, 0) for key in ("seconds", "compilations")}
            for name, about in run.environment["subjects"].items()
        },
    }
    print(json.dumps(figures))


class Parts:
    """Seconds of the main thread's processor time in each part, those of inner parts not counted twice."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}
        self._open: list[str] = []
        self._since = 0.0

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function with a clock on it."""

        @wraps(function)
        def clocked(*arguments: Any, **options: Any) -> Any:
            self._turn()
            self._open.append(name)
            try:
                return function(*arguments, **options)
            finally:
                self._turn()
                self._open.pop()

        return clocked

    def _turn(self) -> None:
        now = time.thread_time()
        if self._open:
            part = self._open[-1]
            self.spent[part] = self.spent.get(part, 0.0) + now - self._since
        self._since = now


def show(
    console: Console,
    floor_wall: float,
    floors: dict[str, dict[str, float]],
    figures: dict[str, Any],
    alone: float,
) -> None:
    """The tables; `alone` is this machine's `import_of_torch`."""
    table = Table(
        "framework", "calls", "floor: import s", "calls s", "processor s", "suite: calls s", "programs"
    )
    for subject, one in floors.items():
        own = figures["subjects"][subject]
        seconds = [f"{value:.1f}" for value in (one["import"], one["run"], one["cpu"], own["seconds"])]
        table.add_row(subject, f"{one['calls']:,.0f}", *seconds, str(own["compilations"]))
    console.print(table)
    floor_cpu = sum(one["cpu"] for one in floors.values())
    cpu = figures["parent"] + figures["workers"]
    table = Table("", "floor", "suite", "suite / floor")
    wall = figures["wall"]
    table.add_row("wall, s", f"{floor_wall:.1f}", f"{wall:.1f}", f"{wall / floor_wall:.2f}")
    table.add_row("processor, s", f"{floor_cpu:.1f}", f"{cpu:.1f}", f"{cpu / floor_cpu:.2f}")
    table.add_row(f"wall, s, as if import torch took {AIM}", "", f"{wall * AIM / alone:.1f}", "")
    table.add_row("checks", "", f"{figures['checks']:,}", "")
    table.add_row("checks a second", "", f"{figures['checks'] / wall:,.0f}", "")
    table.add_row("parent's memory, MB", "", f"{figures['memory']:,.0f}", "")
    console.print(table)
    table = Table("part of the parent", "processor s")
    for name, spent in sorted(figures["parts"].items(), key=lambda pair: -pair[1]):
        table.add_row(name, f"{spent:.2f}")
    console.print(table)


if __name__ == "__main__":
    main()
