"""Where case files are, and what they are called."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from conformance.errors import CaseError

#: The file of a folder that lists deviations which many of its cases show; no case file itself. Further ones
#: have names like `modes.known.yaml`.
KNOWN = "known.yaml"


def corpus() -> Path:
    """The folder of the suite's own cases: the checkout's, or the wheel's copy."""
    package = Path(__file__).parents[1]
    installed = package / "_cases"
    return installed if installed.is_dir() else package.parent / "cases"


def files(paths: Iterable[Path]) -> list[Path]:
    """The case files at and below the paths, each once, sorted by label; CaseError for a path without any."""
    by_resolved: dict[Path, Path] = {}
    for path in paths:
        path = Path(path)
        if path.is_dir():
            inside = [file for file in path.rglob("*") if file.suffix in (".yaml", ".yml") and file.is_file()]
            inside = [file for file in inside if not lists_deviations(file)]
            # A link out of the folder is not part of it.
            below = [file for file in inside if file.resolve().is_relative_to(path.resolve())]
            if not below:
                raise CaseError(f"{shown_path(path)}: no case files here: a folder with *.yaml files")
            by_resolved.update({file.resolve(): file for file in below})
        elif path.is_file():
            by_resolved[path.resolve()] = path
        else:
            raise CaseError(
                f"{shown_path(path)}: there is no such file or folder: a *.yaml file or a folder of them"
            )
    return sorted(by_resolved, key=label)


def lists_deviations(path: Path) -> bool:
    """Whether a file is one of known deviations, by its name."""
    return path.name == KNOWN or path.name.endswith(f".{KNOWN}")


def known_files(folder: Path) -> list[Path]:
    """The files of known deviations in a folder, `known.yaml` first."""
    files = [path for path in folder.glob(f"*{KNOWN}") if lists_deviations(path)]
    return sorted(files, key=lambda path: (path.name != KNOWN, path.name))


def label(path: Path) -> str:
    """How reports name a case file: `cases/...` in the corpus, else relative to the working directory."""
    home = corpus().resolve()
    if path.resolve().is_relative_to(home):
        return _printable(f"cases/{path.resolve().relative_to(home).as_posix()}")
    return shown_path(path)


def shown_path(path: Path) -> str:
    """A path as errors show it: relative to the working directory where it lies below that."""
    full = path.resolve()
    here = Path.cwd()
    return _printable(full.relative_to(here).as_posix() if full.is_relative_to(here) else full.as_posix())


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)
