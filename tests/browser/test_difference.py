"""The page of a difference: versions, causes, programs, links and a filter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from browser.conftest import Page
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver

import conformance
from conformance.results.run import Run

CASES = """\
source: a test
cases:
  - id: mild
    operation: softmax
    inputs: {x: [[1, 2, 3]]}
    dtypes: [float32, float64]
"""


def _changed(run: Run) -> None:
    """What a later version might return: the functional softmax is off, and a textbook one as well."""
    for formulation in ("functional", "manual"):
        rows = run.frame["formulation"].eq(formulation) & run.frame["quantity"].eq("value")
        run.frame.loc[rows, ["verdict", "bits", "observed"]] = ["lossy", "x", "0.25"]
        run.frame.loc[rows, "conforms"] = False
        run.frame.loc[rows, ["ulp_error", "ratio"]] = [4000.0, 100.0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of one case, the later one off, and their difference."""
    folder = tmp_path_factory.mktemp("difference")
    cases = folder / "cases.yaml"
    cases.write_text(CASES)
    old = conformance.run([cases], subjects=["numpy"], output=folder / "old")
    new = conformance.run([cases], subjects=["numpy"], output=folder / "new")
    _changed(new)
    conformance.diff(old, new).save(folder)
    return folder


def _open(browser: WebDriver, folder: Path) -> None:
    browser.get((folder / "diff.html").as_uri())


def test_the_heading_names_the_versions(browser: WebDriver, folder: Path) -> None:
    """Which framework, from which version to which; the same stands in diff.md."""
    _open(browser, folder)
    version = conformance.load(folder / "new").environment["subjects"]["numpy"]["version"]
    assert f"numpy {version} as before" in browser.find_element(By.ID, "verdict").text
    assert browser.title.startswith(f"numpy {version}")
    assert f"numpy {version} as before" in (folder / "diff.md").read_text("utf-8")


def test_regressions_are_grouped_and_textbook_ones_stand_apart(browser: WebDriver, folder: Path) -> None:
    """Two dtypes are one cause; the bound stands beside the error; what gates nothing is folded."""
    _open(browser, folder)
    section = browser.find_element(By.ID, "regressed")
    (cause,) = section.find_elements(By.CSS_SELECTOR, ".sentences li")
    assert "softmax in numpy (float32 and float64)" in cause.text
    assert "as 0.25 " in cause.text
    heads = [
        head.text
        for head in section.find_elements(By.CSS_SELECTOR, "thead")[0].find_elements(By.TAG_NAME, "th")
    ]
    assert "bound" in heads
    folds = section.find_elements(By.CSS_SELECTOR, ":scope > details")
    assert [fold.get_attribute("open") is not None for fold in folds] == [True, False]
    assert "textbook" in folds[1].text


def test_a_row_has_its_program_and_leads_into_the_later_run(browser: WebDriver, folder: Path) -> None:
    """The program runs in the framework alone; the link opens the check in report.html."""
    _open(browser, folder)
    row = browser.find_element(By.CSS_SELECTOR, "#regressed tr.filtered")
    text = browser.execute_script("return arguments[0].querySelector('pre code').textContent", row)
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert round(float(done.stdout), 5) in (0.09003, 0.24473, 0.66524)
    browser.get(str(row.find_element(By.TAG_NAME, "a").get_attribute("href")))
    page = Page(browser, folder / "new" / "report.html", conformance.load(folder / "new"))
    page.wait("return document.documentElement.dataset.ready === 'true'")
    page.wait("return document.getElementById('details').open")
    assert page.js("return document.querySelector('#details h2').textContent") == "mild"


def test_the_filter_shows_the_rows_that_hold_every_word(browser: WebDriver, folder: Path) -> None:
    """And says how many of how many."""
    _open(browser, folder)
    browser.find_element(By.ID, "row-filter").send_keys("float64 functional")
    shown = browser.execute_script("return document.querySelectorAll('tr.filtered:not([hidden])').length")
    every = browser.execute_script("return document.querySelectorAll('tr.filtered').length")
    assert 0 < shown < every
    assert browser.find_element(By.ID, "row-count").text == f"{shown} of {every} rows"
