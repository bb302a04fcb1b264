"""Runs that somebody stored, perhaps a stranger: held to the types that comparisons and reports rely on."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from conformance.errors import RunError
from conformance.results import run as results
from conformance.results import sanitize
from conformance.results.frame_files import Keep
from conformance.results.run import FORMAT, FRAMES, Run


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
    unsteady: dict[str, int] = {}


def load(
    directory: str | Path, names: Collection[str] = FRAMES, keep: Mapping[str, Keep] = MappingProxyType({})
) -> Run:
    """The run that `directory` holds (as `Run.save` wrote it); `names` are the frames to read, `results` one.

    `keep` says of a frame, by its name, which of its rows.

    Raises RunError, one line, where there is none, or none that can be read.
    """
    folder = Path(directory)
    _check(folder / "run.json")
    try:
        run = results.load(folder, names, keep)
    except RunError as error:
        raise RunError(sanitize.text(" ".join(str(error).split()))) from None
    about = sanitize.plain(run.environment)
    subjects = {name: sanitize.hello(said) for name, said in about.get("subjects", {}).items()}
    run.environment = {**about, "subjects": subjects}
    return run


def _check(path: Path) -> None:
    """RunError for what is no environment of this format; `results.load` tells another one, and none."""
    try:
        found = json.loads(path.read_bytes())
        if not isinstance(found, dict) or found.get("format") == FORMAT:
            _Environment.model_validate(found)
    except FileNotFoundError:
        return
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(sanitize.text(one, 40) for one in first["loc"])
        why = f"{path.name}: {place}: {first['msg']}" if place else f"{path.name}: {first['msg']}"
        raise RunError(f"{path.parent}: this run cannot be read ({why})") from None
    except (OSError, ValueError, RecursionError) as error:
        why = " ".join(str(error).split())
        raise RunError(f"{path.parent}: this run cannot be read ({path.name}: {why})") from None
