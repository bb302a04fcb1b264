"""The report under axe, the accessibility audit: no serious finding, light or dark, wide or narrow."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from browser.conftest import Page
from report.fabricate import fabricate
from selenium.webdriver.remote.webdriver import WebDriver

from conformance.comparison.difference import diff

# Every fold open, and laid out where it is far from the screen too.
OPENED = """
for (const one of document.querySelectorAll("details:not(.facet)")) one.open = true;
for (const one of document.querySelectorAll("section")) one.style.contentVisibility = "visible";
"""
RUN = """
const done = arguments[arguments.length - 1];
axe.run(document, {resultTypes: ["violations"]})
  .then((result) => done(result.violations), (error) => done(String(error)));
"""


def audit(page: Page) -> list[str]:
    """A line for each serious or critical finding: the rule, and the first elements."""
    script = resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
    page.js(f"if (!window.axe) {{ {script} }}")
    page.browser.set_script_timeout(120)
    violations: list[dict[str, Any]] = page.browser.execute_async_script(RUN)
    assert isinstance(violations, list), violations
    return [
        f"{one['id']}: {one['help']}: {[node['html'][:200] for node in one['nodes'][:3]]} "
        f"{one['nodes'][0]['failureSummary'][:300]}"
        for one in violations
        if one["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_serious_finding(page: Page, theme: str, width: int) -> None:
    """Names, roles, contrast, headings: the whole page with every fold open and the chart drawn."""
    with page.window(width):
        page.open("#dtype=float32")
        page.js("document.documentElement.dataset.theme = arguments[0]", theme)
        page.js(OPENED)
        page.js("document.getElementById('frontier').scrollIntoView()")
        page.wait("return document.querySelectorAll('.charts svg').length === 1")
        assert audit(page) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_serious_finding_in_a_check(page: Page, theme: str) -> None:
    """The details of a check, and an open facet."""
    page.open("#q=sigmoid-000")
    page.js("document.documentElement.dataset.theme = arguments[0]", theme)
    page.js("document.querySelector('#facet-verdict summary').click()")
    page.js("document.querySelector('#checks-table a.open').click()")
    page.wait("return document.getElementById('details').open")
    assert audit(page) == []


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_serious_finding_in_a_difference(
    browser: WebDriver, tmp_path: Path, theme: str, width: int
) -> None:
    """diff.html of two runs that differ: no console error, no finding, nothing beside the page."""
    difference = diff(fabricate(500, seed=1), fabricate(500, seed=2))
    difference.save(tmp_path)
    page = Page(browser, tmp_path / "diff.html", difference.new)
    page.errors()
    with page.window(width):
        browser.get(page.file.as_uri())
        page.js("document.documentElement.dataset.theme = arguments[0]", theme)
        page.js(OPENED)
        assert audit(page) == []
        assert page.js("return document.documentElement.scrollWidth") <= width
        assert page.errors() == []
