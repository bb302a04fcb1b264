"""What a subject's worker tells the engine: who it is, its answers, that it has ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conformance.plan.requests import Request


@dataclass(frozen=True)
class Answer:
    """What came of a request: outcomes by quantity and the arrays of those that returned."""

    subject: str
    request: Request
    outcomes: dict[str, dict[str, Any]]
    arrays: dict[str, Any]
    dtypes: dict[str, str]
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0
    body: bytes = b""  # the arrays as they came: what the journal keeps
    compilations: int = 0  # of the whole process so far


@dataclass(frozen=True)
class Hello:
    """A worker's first frame: the framework, its versions and hardware."""

    subject: str
    header: dict[str, Any]


@dataclass(frozen=True)
class Ended:
    """A worker that has answered, or given up, everything."""

    subject: str


Message = Answer | Hello | Ended
