"""How fast a run is: beside its floor, which is what the frameworks need for the same checks.

    python benchmarks/speed.py [PATH ...] [--operation OP] [--subject S] [--cold] [--save FILE]

Runs the suite, then a script a framework with the same calls (`benchmarks/floor/`), side by side, each with
empty caches of its own; then, without --cold, both again with what they have cached. Prints for each wall
time, the processor's time, checks a second, and where the suite's own time goes. Wall times need an otherwise
idle machine; the processor's time is that of its own processes, and little moved by others.
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
from typing import Any

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
FLOOR = ROOT / "benchmarks" / "floor"
sys.path[:0] = [str(ROOT), str(FLOOR)]
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
    parser.add_argument(
        "--jax-cache",
        choices=["executables", "persistent"],
        default="executables",
        help="how JAX's floor keeps programs: compiled, which is faster, or in JAX's compilation cache",
    )
    parser.add_argument("--save", type=Path, help="also write the tables to this file")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.subject = options.subject or list(FRAMEWORKS)
    if options.inside:
        inside(options)
        return
    if not set(options.subject) & {"torch", "tensorflow", "jax"}:
        sys.exit("no floor: one of torch, tensorflow and jax must be among the subjects")
    console = Console(record=True, width=110)
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        alone = import_of_torch()
        console.print(
            f"import torch alone: {alone:.1f} s of the processor; the aims are of a machine with {AIM}"
        )
        for state in ("empty",) if options.cold else ("empty", "warm"):
            figures = suite(options, base)
            if state == "empty":
                write_calls(options, base)
            floor_wall, floors = side_by_side(options, base)
            console.print(heading(state))
            show(console, floor_wall, floors, figures, alone)
    if options.save:
        options.save.write_text(console.export_text(), encoding="utf-8")


def heading(state: str) -> str:
    """What was measured, where."""
    return f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {state} caches"


def write_calls(options: argparse.Namespace, base: Path) -> None:
    """Writes the calls of the run in `base` for each subject that has a floor."""
    import of_run

    import conformance

    run = conformance.load(base / "run")
    for subject in options.subject:
        if subject in of_run.SCRIPTS:
            of_run.write(run, base / "calls", subject)


def import_of_torch() -> float:
    """Seconds of the processor for `import torch` in a process of its own: how fast this machine is."""
    program = "import time, torch; print(time.process_time())"
    asked = [sys.executable, "-c", program]
    return min(float(subprocess.run(asked, check=True, stdout=subprocess.PIPE).stdout) for _ in range(3))


def side_by_side(options: argparse.Namespace, base: Path) -> tuple[float, dict[str, dict[str, float]]]:
    """The floors' wall time together, and each one's own figures."""
    from of_run import SCRIPTS

    running = {}
    for subject in (name for name in options.subject if name in SCRIPTS):
        argv = [sys.executable, str(FLOOR / SCRIPTS[subject]), str(base / "calls" / subject)]
        if subject == "jax":
            argv += ["--cache", str(base / "floor" / "jax")]
            argv += ["--executables"] if options.jax_cache == "executables" else []
        running[subject] = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    said = {subject: process.communicate()[0] for subject, process in running.items()}
    found = {subject: json.loads(text.splitlines()[-1]) for subject, text in said.items()}
    return max(one["wall"] for one in found.values()), found


def suite(options: argparse.Namespace, base: Path) -> dict[str, Any]:
    """A run of the suite in a process of its own, with what it has cached in `base`: its figures."""
    argv = [sys.executable, __file__, *options.paths, "--inside", str(base / "run")]
    argv += [word for name in options.operation for word in ("--operation", name)]
    argv += [word for name in options.subject for word in ("--subject", name)]
    environment = {**os.environ, "CONFORMANCE_CACHE": str(base / "suite")}
    start = time.perf_counter()
    text = subprocess.run(argv, env=environment, check=True, stdout=subprocess.PIPE).stdout
    return {**json.loads(text.splitlines()[-1]), "wall": time.perf_counter() - start}


def inside(options: argparse.Namespace) -> None:
    """The run itself, with a clock on each part of the parent; prints its figures as JSON."""
    import resource

    from conformance import api, report
    from conformance.cases import loader
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
        ("frames", collector.Collector, "frames"),
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
    table = Table("framework", "results", "floor: import s", "calls s", "suite: calls s", "programs")
    for subject, one in floors.items():
        own = figures["subjects"][subject]
        seconds = [f"{value:.1f}" for value in (one["import"], one["run"], own["seconds"])]
        table.add_row(subject, f"{one['results']:,.0f}", *seconds, str(own["compilations"]))
    console.print(table)
    floor_cpu = sum(one["processor"] for one in floors.values())
    cpu = figures["parent"] + figures["workers"]
    table = Table("", "floor", "suite", "suite / floor")
    wall, cores = figures["wall"], os.cpu_count() or 1
    table.add_row("processor, s", f"{floor_cpu:.1f}", f"{cpu:.1f}", f"{cpu / floor_cpu:.2f}")
    table.add_row("wall, s; the floors side by side", *beside(floor_wall, wall))
    table.add_row("wall, s; the floors' work dealt out evenly", *beside(floor_cpu / cores, wall))
    table.add_row(f"wall, s, as if import torch took {AIM}", "", f"{wall * AIM / alone:.1f}", "")
    table.add_row("checks", "", f"{figures['checks']:,}", "")
    table.add_row("checks a second", "", f"{figures['checks'] / wall:,.0f}", "")
    table.add_row("parent's memory, MB", "", f"{figures['memory']:,.0f}", "")
    console.print(table)
    table = Table("part of the parent", "processor s")
    for name, spent in sorted(figures["parts"].items(), key=lambda pair: -pair[1]):
        table.add_row(name, f"{spent:.2f}")
    console.print(table)


def beside(floor: float, suite: float) -> tuple[str, str, str]:
    """Seconds of both, and their ratio."""
    return f"{floor:.1f}", f"{suite:.1f}", f"{suite / floor:.2f}"


if __name__ == "__main__":
    main()
