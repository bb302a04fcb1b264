"""How fast the report is written, opens and filters, and how large it is, for a run of 20,000 checks.

    python benchmarks/report_page.py [--checks 20000 | --run DIR] [--output FILE]

A made-up run of that size is held to limits; a real one, given by its directory, is measured alone.
Opens the file from disk in headless Chromium without a network. Prints a line for each figure with its
limit, and exits with 1 where one is missed. Needs what `pip install loss-conformance[test]` installs, and
Chromium with its driver.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from browser.conftest import OFFLINE, SWITCHES, programs  # noqa: E402
from report.fabricate import fabricate, inputs_of  # noqa: E402
from selenium import webdriver  # noqa: E402
from selenium.webdriver.chrome.options import Options  # noqa: E402
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.remote.webdriver import WebDriver  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

from conformance.report import write  # noqa: E402
from conformance.results.loading import load  # noqa: E402
from conformance.results.run import Run  # noqa: E402

LIMITS = {"size": 6.0, "written": 3.0, "first paint": 2.0, "filter": 0.2, "search": 0.2, "sort": 0.2}
UNITS = {"size": "MB"}
# A change of the view until the table holds its rows and the browser has painted them.
CHANGE = """
const done = arguments[arguments.length - 1];
const start = performance.now();
location.hash = arguments[0];
const painted = () => requestAnimationFrame(() => setTimeout(() => done(performance.now() - start)));
addEventListener("hashchange", painted, {once: true});
"""
VIEWS = {
    "filter": [
        "operation=softmax",
        "dtype=float32&subject=torch",
        "verdict=wrong&verdict=lossy",
        "outcome=discrepancy",
    ],
    "search": ["q=cross", "q=torch+sigmoid-00", "q=issues", "q=zzz"],
    "sort": ["sort=ulp_error:desc", "sort=case:asc,dtype:desc", "sort=exact:asc", "sort=verdict:desc"],
}


def chromium(profile: str) -> WebDriver:
    """A fresh Chromium without a network."""
    browser, driver = programs()
    options = Options()
    options.binary_location = browser
    for switch in (*SWITCHES, f"--user-data-dir={profile}", "--window-size=1280,900"):
        options.add_argument(switch)
    session = webdriver.Chrome(options=options, service=Service(driver))
    session.execute_cdp_cmd("Network.enable", {})
    session.execute_cdp_cmd("Network.emulateNetworkConditions", OFFLINE)
    return session


def opened(session: WebDriver, file: Path) -> dict[str, float]:
    """Seconds from the start of the navigation to the first paint with text, and to the table being ready."""
    session.get("about:blank")
    session.get(file.as_uri())
    ready = "return document.documentElement.dataset.ready === 'true' && performance.now()"
    table = WebDriverWait(session, 60, poll_frequency=0.02).until(lambda one: one.execute_script(ready))
    paint = session.execute_script(
        "return performance.getEntriesByName('first-contentful-paint')[0].startTime"
    )
    return {"first paint": paint / 1000, "table ready": table / 1000}


def made_up(checks: int) -> Run:
    """A run of so many checks, each with inputs for its reproduction."""
    run = fabricate(checks)
    run.arguments = inputs_of
    return run


def written(run: Run, folder: Path) -> dict[str, float]:
    """Seconds that the report takes to be written into `folder`."""
    write(run, folder)  # bundles the chart library once per machine
    start = time.perf_counter()
    write(run, folder)
    return {"written": time.perf_counter() - start}


def measure(file: Path) -> dict[str, float]:
    """The page's figures: seconds, and megabytes for the size."""
    figures = {"size": file.stat().st_size / 1e6}
    with tempfile.TemporaryDirectory() as profile:
        session = chromium(profile)
        try:
            openings = [opened(session, file) for _ in range(3)]
            for name in ("first paint", "table ready"):
                figures[name] = statistics.median(one[name] for one in openings)
            for name, views in VIEWS.items():
                session.set_script_timeout(30)
                rounds = [[session.execute_async_script(CHANGE, view) for view in views] for _ in range(5)]
                # The slowest view; of each the median, since another process may take the processor once.
                figures[name] = max(statistics.median(times) for times in zip(*rounds, strict=True)) / 1000
        finally:
            session.quit()
    return figures


def main() -> int:
    """Measures, prints, and says whether every limit holds."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--checks", type=int, default=20_000)
    parser.add_argument("--run", type=Path, help="a run's directory: its report is measured without limits")
    parser.add_argument("--output", type=Path, help="also write the table to this file")
    options = parser.parse_args()
    limits = {} if options.run else LIMITS
    with tempfile.TemporaryDirectory() as folder:
        run = load(options.run) if options.run else made_up(options.checks)
        figures = {} if options.run else written(run, Path(folder))
        figures |= measure((options.run or Path(folder)).resolve() / "report.html")
    busy = os.getloadavg()[0] / (os.cpu_count() or 1)
    lines = [
        f"report of {len(run.frame):,} checks on {platform.machine()}, Python {platform.python_version()}, "
        f"{busy:.1f} processes for each processor"
    ]
    for name, value in figures.items():
        limit, unit = limits.get(name), UNITS.get(name, "s")
        verdict = "" if limit is None else f"limit {limit:g} {unit}: {'holds' if value < limit else 'MISSED'}"
        lines.append(f"{name:12} {value:7.3f} {unit:2}  {verdict}".rstrip())
    text = "\n".join(lines)
    print(text)
    if options.output:
        options.output.write_text(text + "\n", encoding="utf-8")
    return int(any(figures[name] >= limit for name, limit in limits.items()))


if __name__ == "__main__":
    sys.exit(main())
