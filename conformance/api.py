"""What `conformance.run` is: the engine, and the report drawn into the run's directory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conformance.caches import cache_directory
from conformance.execution import memory_tuning, session

if TYPE_CHECKING:
    from conformance.report import Story
    from conformance.results.run import Run


def run(
    paths: Sequence[str | Path] = (),
    *,
    baseline: Run | None = None,
    told: Callable[[Story], object] | None = None,
    **options: Any,
) -> Run:
    """Runs cases through subjects, judges every check and, with `output`, writes the whole report there.

    Takes the arguments of `conformance.execution.session.run` and returns its Run. The report says what
    changed since `baseline`; without one, since the run that `output` holds. `told` gets the story that the
    report tells.
    """
    output, resume = options.get("output"), options.get("resume")

    # Reports are drawn by heavy modules: they are imported once the workers have begun theirs.
    def meanwhile() -> None:
        if output is not None:
            from conformance import report

            report.prepare(cache_directory() / "report")

    def publish(result: Run, directory: Path) -> None:
        from conformance import report
        from conformance.comparison import baseline as previous

        last = None if resume else output
        result.since = previous.since(last if baseline is None else baseline, result)
        memory_tuning.let_go()
        story = report.write(result, directory)
        if told is not None:
            told(story)

    return session.run(paths, **{"publish": publish, "meanwhile": meanwhile, **options})
