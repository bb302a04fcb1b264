"""A real Chromium and real pages: where it is missing, nothing is skipped, all fails with the remedy."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from report.fabricate import fabricate, inputs_of
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.ui import WebDriverWait

from conformance.comparison.difference import diff
from conformance.report import write
from conformance.results.run import Run

SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
OFFLINE = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
CHECKS = 4_000
#: What a step of the browser may take: a limit against hanging, far above what a busy machine needs.
STEP_SECONDS = 600


def programs() -> tuple[str, str]:
    """Chromium and its driver; the test fails with the remedy where one is missing."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not browser or not driver:
        pytest.fail(
            "the browser tests need Chromium and its driver: apt-get install chromium chromium-driver", False
        )
    return browser, driver


@pytest.fixture(scope="session")
def downloads() -> Iterator[Path]:
    """The folder into which the browser downloads."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def browser(downloads: Path) -> Iterator[WebDriver]:
    """Chromium with a fresh profile and no network."""
    chromium, driver = programs()
    with tempfile.TemporaryDirectory() as profile:
        options = Options()
        options.binary_location = chromium
        for switch in (*SWITCHES, f"--user-data-dir={profile}", "--window-size=1280,900"):
            options.add_argument(switch)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        session = webdriver.Chrome(options=options, service=Service(driver))
        session.command_executor.client_config.timeout = STEP_SECONDS  # 120 where nothing is said
        session.set_script_timeout(STEP_SECONDS)
        session.set_page_load_timeout(STEP_SECONDS)
        session.execute_cdp_cmd("Network.enable", {})
        session.execute_cdp_cmd("Network.emulateNetworkConditions", OFFLINE)
        session.execute_cdp_cmd(
            "Page.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(downloads)}
        )
        yield session
        session.quit()


@dataclass
class Page:
    """A report that is open: what a reader sees and does, in a few words."""

    browser: WebDriver
    file: Path
    run: Run

    def open(self, view: str = "") -> None:
        """Opens the file afresh at a view, and waits for the table."""
        self.browser.get("about:blank")
        self.browser.get(self.file.as_uri() + view)
        self.wait("return document.documentElement.dataset.ready === 'true'")

    def js(self, script: str, *arguments: Any) -> Any:
        """What a script returns."""
        return self.browser.execute_script(script, *arguments)

    def wait(self, script: str) -> Any:
        """Waits until a script returns something true."""
        return WebDriverWait(self.browser, STEP_SECONDS).until(lambda browser: browser.execute_script(script))

    @contextmanager
    def window(self, width: int) -> Iterator[None]:
        """A window of that width, a phone's where it is narrow."""
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 700}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        try:
            yield
        finally:
            self.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})

    def count(self) -> int:
        """How many checks the table says it shows."""
        return int(
            str(self.js("return document.getElementById('checks-count').textContent"))
            .split()[0]
            .replace(",", "")
        )

    def column(self, name: str) -> list[str]:
        """The texts of one column of the rows in sight."""
        found: list[str] = self.js(
            """
            const title = arguments[0].replaceAll("_", " ");
            const heads = [...document.querySelectorAll("#checks-table_wrapper .dt-scroll-headInner th")];
            const place = heads.findIndex((head) => head.textContent.trim() === title);
            return [...document.querySelectorAll("#checks-table tbody tr")]
              .map((row) => row.cells[place]?.textContent.trim()).filter((text) => text !== undefined);
            """,
            name,
        )
        return found

    def errors(self) -> list[str]:
        """The console's errors since the last call."""
        return [
            str(entry["message"]) for entry in self.browser.get_log("browser") if entry["level"] == "SEVERE"
        ]


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Run]:
    """A report of a made-up run, hostile texts included, and the run."""
    folder = tmp_path_factory.mktemp("report")
    run = fabricate(CHECKS)
    run.arguments = inputs_of
    write(run, folder, difference=diff(fabricate(CHECKS, seed=2), run, elements=False))
    return folder / "report.html", run


@pytest.fixture
def page(browser: WebDriver, report: tuple[Path, Run]) -> Page:
    """The report, freshly open."""
    opened = Page(browser, *report)
    opened.errors()
    opened.open()
    return opened
