"""Settings of a run: everything that decides which checks it holds."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Settings:
    """Everything that decides which checks a run holds, as it stands in run.json.

    Attributes:
        paths: Case files or folders; none: the suite's own corpus.
        subjects: Names of subjects; none: every framework that is installed.
        operations: Only the cases of these operations; none: of all.
        dtypes: Only these dtypes; none: all.
        tags: Only cases with one of these tags; none: all but those that run on demand.
        limit: Seconds that one check may take.
        memory: Bytes of memory that a worker may use; None: no limit.
        python: The interpreter of the subjects that name none.
        subjects_file: A `subjects.yaml`.
        large: Whether the cases that run on demand belong to it too.
        profile: `default`, or `full`: every mode and device, and the large cases.
        start: Seconds until a subject's framework must be imported.
        repeat: How often each check is asked.
        known: The user's own files of known deviations.
    """

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
