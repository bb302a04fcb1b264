"""Runs one selection in many ways that must not matter, and compares the tables' digests.

    python tests/execution/run_many_ways.py [PATH ...] [--subject S ...] [--runs 10] [--seed 1]

What differs, drawn by the seed: the order of subjects and of paths, how many workers run at a time, the hash
seed, the locale (of those that `locale -a` lists), the time zone, and whether the caches are empty. Prints a
line for each run, and the figures as one line of JSON; the exit code is 1 where there are two digests.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
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
ZONES = ("UTC", "Asia/Tokyo", "America/St_Johns", "Pacific/Kiritimati", "Asia/Kathmandu")
QUICK = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "cases" / "seeds").glob("*.yaml"))


def locales() -> list[str]:
    """The locales of this machine."""
    listed = subprocess.run(["locale", "-a"], capture_output=True, text=True, check=False).stdout.split()
    return sorted(listed) or ["C", "POSIX"]


def way(
    draw: random.Random, paths: Sequence[str], subjects: Sequence[str]
) -> tuple[list[str], dict[str, str]]:
    """One way to run them: the words after `conformance run`, and the environment."""
    shuffled = draw.sample(list(paths), len(paths)), draw.sample(list(subjects), len(subjects))
    workers = draw.randint(1, len(subjects))
    words = [
        *shuffled[0],
        *(word for name in shuffled[1] for word in ("-s", name)),
        "--workers",
        str(workers),
    ]
    locale = draw.choice(locales())
    environment = {
        "PYTHONHASHSEED": str(draw.randrange(2**32)),
        "TZ": draw.choice(ZONES),
        "LC_ALL": locale,
        "LANG": locale,
        **({"CONFORMANCE_CACHE": "empty"} if draw.random() < 0.3 else {}),
    }
    return words, environment


def digests(words: Sequence[str], environment: dict[str, str], folder: Path) -> dict[str, str]:
    """Runs it, and gives each table's digest."""
    if "CONFORMANCE_CACHE" in environment:
        environment = {**environment, "CONFORMANCE_CACHE": str(folder / "cache")}
    argv = [sys.executable, "-m", "conformance", "run", *words, "--output", str(folder / "out")]
    done = subprocess.run(
        argv,
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in (0, 1):
        raise RuntimeError(done.stderr)
    return {name: hashlib.sha256((folder / "out" / name).read_bytes()).hexdigest() for name in TABLES}


def main() -> int:
    """Runs `--runs` ways."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("paths", nargs="*", default=QUICK)
    parser.add_argument("--subject", action="append", dest="subjects")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    draw = random.Random(options.seed)
    seen: dict[str, set[str]] = {name: set() for name in TABLES}
    for number in range(options.runs):
        words, environment = way(draw, options.paths, options.subjects or ["numpy", "torch", "jax"])
        with tempfile.TemporaryDirectory() as folder:
            digest = digests(words, environment, Path(folder))
        for name in TABLES:
            seen[name].add(digest[name])
        print(f"run {number + 1}: {digest['results.csv'][:16]} {environment} {' '.join(words)}", flush=True)
    figures = {
        "seed": options.seed,
        "runs": options.runs,
        "digests": {k: sorted(v) for k, v in seen.items()},
    }
    print(json.dumps(figures))
    return int(any(len(digests) > 1 for digests in seen.values()))


if __name__ == "__main__":
    sys.exit(main())
