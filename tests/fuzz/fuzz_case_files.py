"""Fuzzes the reading of case files: whatever the bytes, cases or a CaseError, soon, and nothing touched.

    python tests/fuzz/fuzz_case_files.py mutations [--seconds 600] [--inputs N] [--seed 1]
    python tests/fuzz/fuzz_case_files.py atheris [--seconds 600]        # needs `pip install atheris`

`mutations` draws files from a grammar and from spoilt files of the corpus; `atheris` is libFuzzer, led by the
branches that an input covers. What breaks the claim is kept in `--findings`, and the exit code is then 1.
"""

from __future__ import annotations

import argparse
import json
import mmap
import os
import re
import shutil
import struct
import sys
import tempfile
import time
import traceback
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parent)]

#: CPU seconds that one input may take.
SOON = 1.0
#: Inputs after which the cache of what has been read is emptied.
CACHED = 1000
_FIGURES = struct.Struct("QQQd")
LINE = re.compile(r"[^\n]+?:\d+(:\d+)?: [ -~]+|[^\n]+: and \d+ more")


class Target:
    """What is fuzzed: a case file, its `.npy` file, a `known.yaml` or a `subjects.yaml`."""

    def __init__(self, folder: Path, findings: Path) -> None:
        from guard import Guard
        from hostile_files import write_neighbours

        from conformance.cases.loader import load_cases
        from conformance.errors import CaseError
        from conformance.subjects import subjects_file
        from conformance.yaml.limits import Limits

        write_neighbours(folder)
        self.load_cases, self.load_subjects, self.error = load_cases, subjects_file.load, CaseError
        self.folder, self.findings = folder / "inside", findings
        self.cache = folder.parent / "cache"
        self.cache.mkdir()
        os.environ["CONFORMANCE_CACHE"] = str(self.cache)
        self.limits = Limits(elements=2**12)
        self.sound = b"source: s\ncases: [{id: a, operation: softmax, inputs: {x: {file: x.npy}}}]\n"
        self.inputs = self.accepted = self.failed = 0
        self.shared = mmap.mmap(-1, _FIGURES.size)
        for name in ("cases", "npy", "known", "subjects"):
            self._one(name, b"source: s\ncases: [{id: a, operation: softmax, inputs: {x: [1, 2]}}]\n")
        self.guard = Guard(folder, self.cache)

    def __call__(self, kind: str, data: bytes) -> None:
        """One input; what breaks the claim is written down."""
        self.inputs += 1
        if self.inputs % CACHED == 0:
            shutil.rmtree(self.cache / "trees", ignore_errors=True)
        before = self.guard.slowest
        self.guard.slowest = 0.0
        try:
            self.guard.call(lambda: self._one(kind, data))
            if self.guard.slowest > SOON:
                raise AssertionError(f"took {self.guard.slowest:.2f} s")
        except Exception:
            self._keep(kind, data, traceback.format_exc())
        self.guard.slowest = max(before, self.guard.slowest)
        _FIGURES.pack_into(self.shared, 0, self.inputs, self.accepted, self.failed, self.guard.slowest)

    def figures(self) -> dict[str, float]:
        """How many inputs, how many were sound, how many broke the claim, and the slowest's CPU seconds."""
        names = ("inputs", "accepted", "findings", "slowest_cpu_seconds")
        return dict(zip(names, _FIGURES.unpack_from(self.shared), strict=True))

    def _one(self, kind: str, data: bytes) -> None:
        self.guard_writes(kind, data)
        try:
            if kind == "subjects":
                self.load_subjects(self.folder / "subjects.yaml")
                return
            cases = self.load_cases([self.folder / "f.yaml"], self.limits)
        except self.error as error:
            for line in str(error).splitlines():
                assert LINE.fullmatch(line), line
            return
        self.accepted += 1
        again = self.load_cases([self.folder / "f.yaml"], self.limits)  # the tree now comes from the cache
        assert [repr(one) for one in again] == [repr(one) for one in cases]
        for one in cases:
            for dtype in one.dtypes if one.expect != "error" else ():
                one.arguments(dtype)

    def guard_writes(self, kind: str, data: bytes) -> None:
        """Puts the input where the readers find it."""
        watching = getattr(self, "guard", None) is not None and self.guard.watching
        if watching:
            self.guard.watching = False
        names = {"cases": "f.yaml", "npy": "x.npy", "known": "known.yaml", "subjects": "subjects.yaml"}
        (self.folder / names[kind]).write_bytes(data)
        if kind in ("npy", "known"):
            (self.folder / "f.yaml").write_bytes(self.sound)
        if kind != "known":
            (self.folder / "known.yaml").unlink(missing_ok=True)
        if watching:
            self.guard.watching = True

    def _keep(self, kind: str, data: bytes, why: str) -> None:
        self.failed += 1
        self.guard.touched.clear()
        self.findings.mkdir(parents=True, exist_ok=True)
        (self.findings / f"{kind}-{self.failed}").write_bytes(data)
        (self.findings / f"{kind}-{self.failed}.txt").write_text(why)
        print(f"finding {self.failed} ({kind}): {why.strip().splitlines()[-1]}", flush=True)


def mutations(target: Target, seconds: float, inputs: int, seed: int) -> None:
    """Draws files until the time is over or `inputs` have been drawn."""
    from hostile_files import Maker

    maker = Maker(seed)
    end = time.monotonic() + seconds
    while time.monotonic() < end and target.inputs < inputs:
        kind = maker.random.choices(("cases", "npy", "known", "subjects"), (90, 4, 3, 3))[0]
        target(kind, maker.npy() if kind == "npy" else maker.file())


def with_atheris(target: Target, seconds: float, scratch: Path) -> None:
    """Lets libFuzzer draw the files; the first byte says which file it is."""
    import atheris  # type: ignore[import-not-found]
    from hostile_files import TOKENS, seeds

    corpus = scratch / "corpus"
    corpus.mkdir()
    for number, data in enumerate(seeds()):
        (corpus / str(number)).write_bytes(b"\x00" + data)
    words = scratch / "words"
    quoted = ["".join(f"\\x{byte:02x}" for byte in token.encode()) for token in TOKENS]
    words.write_text("".join(f'"{token}"\n' for token in quoted))
    kinds = {1: "npy", 2: "known", 3: "subjects"}

    def one(data: bytes) -> None:
        target(kinds.get(data[0] & 63, "cases") if data else "cases", data[1:])

    options = [
        f"-dict={words}",
        "-max_len=4096",
        f"-artifact_prefix={scratch}/",
        f"-max_total_time={int(seconds)}",
    ]
    atheris.Setup([sys.argv[0], str(corpus), *options], one)
    atheris.Fuzz()  # Does not return: libFuzzer ends the process.


def main() -> int:
    """Fuzzes, and prints the figures as one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("driver", choices=("mutations", "atheris"))
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--inputs", type=int, default=10**9)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--findings", type=Path, default=Path("findings"))
    options = parser.parse_args()
    if options.driver == "atheris":
        import atheris

        with atheris.instrument_imports(include=["conformance"]):
            import conformance.cases.loader
            import conformance.subjects.subjects_file  # noqa: F401
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as name:
        target = Target(Path(name) / "cases", options.findings)
        start = time.monotonic()
        # libFuzzer ends its process by itself: it gets one of its own, and the figures lie in shared memory.
        child = os.fork() if options.driver == "atheris" else 0
        if child:
            os.waitpid(child, 0)
        elif options.driver == "atheris":
            with_atheris(target, options.seconds, Path(name))
        else:
            mutations(target, options.seconds, options.inputs, options.seed)
        figures = {
            "driver": options.driver,
            **target.figures(),
            "seconds": round(time.monotonic() - start, 1),
        }
        print(json.dumps(figures), flush=True)
    return int(figures["findings"] > 0)


if __name__ == "__main__":
    sys.exit(main())
