"""Loading of stored runs, perhaps a stranger's: checked for the types that others rely on."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from conformance.errors import RunError
from conformance.results import sanitize
from conformance.results.frame_files import Keep, read_csv
from conformance.results.run import FORMAT, FRAMES, Run

#: Frames that runs of earlier versions lack: empty there.
LATER_FRAMES = frozenset({"invariance"})


class _Settings(BaseModel):
    paths: list[str] = []


class _Environment(BaseModel):
    """What is read from `run.json`; more may stand there."""

    model_config = ConfigDict(strict=True)

    id: str = ""
    started: str = ""
    conformance: str = ""
    complete: bool = False
    interrupted: str = ""
    seconds: float | None = None
    hardware: dict[str, Any] = {}
    settings: _Settings = _Settings()
    subjects: dict[str, dict[str, Any]] = {}
    stale_known: list[str] = []
    known_otherwise: list[str] = []
    known_conforming: dict[str, int] = {}
    accepted: list[str] = []
    kernel_deviations: dict[str, str] = {}
    unsteady: dict[str, int] = {}


def load(
    directory: str | Path,
    names: Collection[str] = tuple(FRAMES),
    keep: Mapping[str, Keep] = MappingProxyType({}),
) -> Run:
    """The run that `directory` holds.

    Args:
        directory: As `Run.save`, or a run with `output`, wrote it.
        names: The frames to read, among `results.run.FRAMES`; `results` must be one of them.
        keep: By a frame's name, which of its rows to keep; none: all.

    Returns:
        The run, its texts made safe for terminals and pages.

    Raises:
        RunError: There is no run, none that can be read, or one of another format; one line.
    """
    folder = Path(directory)
    _validate(folder / "run.json")
    try:
        run = _read(folder, names, keep)
    except RunError as error:
        raise RunError(sanitize.text(" ".join(str(error).split()))) from None
    environment = sanitize.plain(run.environment)
    subjects = {name: sanitize.hello(header) for name, header in environment.get("subjects", {}).items()}
    # Its keys are whole reasons, which the column `known` has too: longer than names may be.
    conditions = run.environment.get("kernel_deviations", {}).items()
    whole = {sanitize.text(reason): sanitize.text(condition) for reason, condition in conditions}
    run.environment = {**environment, "subjects": subjects, "kernel_deviations": whole}
    return run


def _validate(path: Path) -> None:
    """RunError for what is no environment of this format; `_read` names another format, and none."""
    try:
        environment = json.loads(path.read_bytes())
        if not isinstance(environment, dict) or environment.get("format") == FORMAT:
            _Environment.model_validate(environment)
    except FileNotFoundError:
        return
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(sanitize.text(part, 40) for part in first["loc"])
        why = f"{path.name}: {key}: {first['msg']}" if key else f"{path.name}: {first['msg']}"
        raise RunError(f"{path.parent}: this run cannot be read ({why})") from None
    except (OSError, ValueError, RecursionError) as error:
        why = " ".join(str(error).split())
        raise RunError(f"{path.parent}: this run cannot be read ({path.name}: {why})") from None


def _read(folder: Path, names: Collection[str], keep: Mapping[str, Keep]) -> Run:
    """The run as it stands in its files."""
    try:
        environment = json.loads((folder / "run.json").read_text("utf-8"))
        if environment.get("format") != FORMAT:
            raise RunError(
                f"{folder}: a run of format {environment.get('format')}; this version reads format {FORMAT}: "
                "run it again, or read it with the version that wrote it"
            )
        frames = {
            name: read_csv(folder / f"{name}.csv", columns, keep.get(name))
            for name, columns in FRAMES.items()
            if name in names and (name not in LATER_FRAMES or (folder / f"{name}.csv").exists())
        }
    except FileNotFoundError as error:
        raise RunError(f"{folder}: no run here ({Path(error.filename).name} is missing)") from None
    except (OSError, ValueError, KeyError) as error:
        raise RunError(f"{folder}: this run cannot be read ({error})") from None
    return Run(frames.pop("results"), environment, frames, folder)
