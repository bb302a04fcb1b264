"""Writes the pages and pictures that show a run, whole, and all from the same one.

    conformance run --profile full --exit-zero --output reports/full
    python docs/make_pages.py reports/full

These are docs/findings.md with docs/findings/, docs/pictures/, and the captions of README.md and
docs/report.md. Needs Chromium with its driver, and what `loss-conformance[test]` installs. Deviations that
are not known are shown, and refused nowhere.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from pathlib import Path

import make_findings
import make_pictures

import conformance
from conformance import report
from conformance.results.run import Run

ROOT = Path(__file__).resolve().parent.parent
#: Pages with a picture, whose captions name the run.
CAPTIONED = ("README.md", "docs/report.md")
CAPTION = re.compile(r"of run `\w+` \([^)]*\)")


def main() -> None:
    """Writes everything for the run that is named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", help="the directory of a complete run of the whole corpus, as reports/full")
    run = conformance.load(parser.parse_args().run)
    if not run.complete:
        sys.exit(f"{run.directory}: the run is not complete: go on with it by --resume")
    write_captions(run, ROOT)
    index, *pages = make_findings.write(run, ROOT / "docs")
    pictures = write_pictures(run, ROOT / "docs" / "pictures")
    print(f"{index}: {len(pages)} findings; {len(pictures)} pictures; run {run.environment['id']}")


def write_pictures(run: Run, folder: Path) -> list[Path]:
    """Writes the pictures of the run's report, which is written anew: as today's code shows it."""
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.png"):
        old.unlink()
    with tempfile.TemporaryDirectory() as written:
        report.write(run, Path(written))
        make_pictures.take(Path(written) / "report.html", folder)
    return sorted(folder.glob("*.png"))


def write_captions(run: Run, root: Path) -> None:
    """Names the run in every page with a picture of it; ends where a page has no place for that."""
    about = make_findings.described_run(run)
    date, command = run.environment["started"][:10], f"`conformance run{about['profile']}`"
    stated = f"of run `{run.environment['id']}` ({date}, {command}: {about['versions']})"
    for name in CAPTIONED:
        page = root / name
        text, captions = CAPTION.subn(stated, page.read_text(encoding="utf-8"))
        if captions != 1:
            sys.exit(f"{name}: {captions} captions `of run ...`, where there must be one")
        page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
