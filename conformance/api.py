"""Public entry point `run`: one execution of the suite, and the report drawn into its directory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conformance.caches import cache_directory
from conformance.execution import memory_tuning, session

if TYPE_CHECKING:
    from conformance.execution.progress import Progress
    from conformance.report import Overview
    from conformance.results.run import Run


def run(
    paths: Sequence[str | Path] = (),
    *,
    subjects: Sequence[str] = (),
    operations: Sequence[str] = (),
    dtypes: Sequence[str] = (),
    tags: Sequence[str] = (),
    large: bool = False,
    profile: str = "default",
    output: str | Path | None = None,
    resume: bool = False,
    baseline: Run | None = None,
    limit: float = 60.0,
    start_limit: float = 180.0,
    memory: int | None = None,
    repeat: int = 1,
    workers: int | None = None,
    known: Sequence[str | Path] = (),
    python: str | None = None,
    subjects_file: str | Path | None = None,
    scheduler: str | None = None,
    progress: Progress | None = None,
    on_overview: Callable[[Overview], object] | None = None,
    **hooks: Any,
) -> Run:
    """Runs cases through subjects, judges every check and, with `output`, writes the whole report there.

    Args:
        paths: Case files or folders; none: the suite's own corpus.
        subjects: What is under test, as ``torch``, ``torch:compile``, ``torch==1.10.0`` or a name of
            `subjects_file`; none: every framework that is installed.
        operations: Names of operations, as ``softmax``: only their cases; none: all.
        dtypes: Among ``float16``, ``bfloat16``, ``float32``, ``float64``; none: all.
        tags: Only cases with one of these tags; none: all but those that run on demand.
        large: Also the cases that run only on demand.
        profile: ``default``; ``full``: every mode and device of each framework, and the large cases;
            ``kernels``: every kernel variant that this processor can run.
        output: The directory that receives the run and its report; None: nothing is written.
        resume: Go on with the run that was interrupted in `output`, with that run's settings.
        baseline: The run that the report compares with; None: the one that `output` holds.
        limit: Seconds that one check may take.
        start_limit: Seconds until a subject's framework must be imported.
        memory: Bytes of memory that a worker may use; None: no limit.
        repeat: How often each check is asked; where a subject's bits differ the worst verdict stands.
        workers: How many subjects run at a time; None: all.
        known: Files of deviations that the caller accepts, in the grammar of `known.yaml`.
        python: The interpreter of the subjects that name none; of a pinned one the Python to build on.
        subjects_file: A ``subjects.yaml``: names, pins, interpreters, commands.
        scheduler: The address of a Dask scheduler: a subject a task; None: all run here.
        progress: Is told how far the run is; None: nobody is.
        on_overview: Gets what the report says, once it is written.
        **hooks: Further arguments of `conformance.execution.session.run`.

    Returns:
        The run; interrupted (SIGINT, SIGTERM) it is what had been judged, marked incomplete.

    Raises:
        CaseError: A case file is at fault: a line `file:line:column: ...` for each fault.
        SubjectError: A subject does not exist, is not installed, or cannot be started.
        RunError: `output` cannot be written or resumed, or the call selects nothing that exists.
    """
    options: dict[str, Any] = {
        "subjects": subjects,
        "operations": operations,
        "dtypes": dtypes,
        "tags": tags,
        "large": large,
        "profile": profile,
        "output": output,
        "resume": resume,
        "limit": limit,
        "start_limit": start_limit,
        "memory": memory,
        "repeat": repeat,
        "workers": workers,
        "known": known,
        "python": python,
        "subjects_file": subjects_file,
        "progress": progress,
    }
    earlier = baseline if baseline is not None else None if resume else output
    drawing: dict[str, Any] = {"publish": _publisher(earlier, on_overview)}
    if output is not None:
        drawing["meanwhile"] = _prepare_report
    if scheduler is not None:
        from conformance.execution import cluster_run  # late: Dask takes long to import

        return cluster_run.run(paths, scheduler=scheduler, **{**drawing, **options, **hooks})
    return session.run(paths, **{**drawing, **options, **hooks})


def _prepare_report() -> None:
    from conformance import report  # late: workers start before what draws reports is imported

    report.prepare(cache_directory() / "report")


def _publisher(
    earlier: Run | str | Path | None, on_overview: Callable[[Overview], object] | None
) -> Callable[[Run, Path], None]:
    """Draws the report of a run into its directory, with what changed since `earlier`."""

    def publish(run: Run, directory: Path) -> None:
        from conformance import report  # late: as above
        from conformance.comparison.baseline import changes_since  # late: as above

        difference = changes_since(earlier, run)
        memory_tuning.release_free_memory()
        overview = report.write(run, directory, difference=difference)
        if on_overview is not None:
            on_overview(overview)

    return publish
