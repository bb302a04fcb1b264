"""Which cases a run holds, and everything else that decides its checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from conformance.errors import RunError

if TYPE_CHECKING:
    from conformance.cases.case import Case

#: Cases with this tag run only where they are asked for (`--tag large`).
ON_DEMAND = "large"


@dataclass
class Settings:
    """What is run: everything that decides which checks a run holds, as it stands in run.json."""

    paths: list[str] = field(default_factory=list)
    subjects: list[str] = field(default_factory=list)
    operations: list[str] = field(default_factory=list)
    dtypes: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    limit: float = 60.0
    memory: int | None = None
    python: str | None = None
    subjects_file: str | None = None
    large: bool = False
    profile: str = "default"
    start: float = 180.0
    repeat: int = 1
    known: list[str] = field(default_factory=list)


def pick(cases: Sequence[Case], settings: Settings) -> list[Case]:
    """The cases of the operations and tags; those tagged `large` only where they are asked for.

    Raises RunError for an operation that does not exist, and where no case is left.
    """
    from conformance.operations import OPERATIONS  # Settings alone must not cost their import.

    operations, tags = settings.operations, settings.tags
    large = settings.large or settings.profile == "full"
    for name in operations:
        if name not in OPERATIONS:
            raise RunError(f"--operation {name}: no such operation (there are {', '.join(OPERATIONS)})")
    chosen = [
        case
        for case in cases
        if (not operations or case.operation in operations)
        and (not tags or set(tags) & set(case.tags))
        and (large or ON_DEMAND in tags or ON_DEMAND not in case.tags)
    ]
    if not chosen:
        raise RunError("no case is left by this selection; `conformance list cases` shows what there is")
    return chosen
