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
for (const fold of document.querySelectorAll("details:not(.facet)")) fold.open = true;
for (const section of document.querySelectorAll("section")) section.style.contentVisibility = "visible";
"""
# Contrast takes axe a millisecond or more a text (all other rules together a tenth of that) and hangs on
# elements, classes and styles alone: it is measured on one row of each look in a table.
ONE_ROW_OF_EACH_LOOK = """
for (const body of document.querySelectorAll("tbody")) {
  const looks = new Set();
  for (const row of [...body.rows]) {
    const look = [row, ...row.querySelectorAll("*")]
      .map((part) => [part.tagName, part.className, part.getAttribute("style"), !part.textContent]).join(" ");
    if (looks.has(look)) row.remove();
    looks.add(look);
  }
}
"""
CONTRAST = ["color-contrast"]
RUN = """
const [rules, enabled, done] = arguments;
const options = enabled ? {runOnly: rules}
  : {rules: Object.fromEntries(rules.map((name) => [name, {enabled: false}]))};
axe.run(document, {...options, resultTypes: ["violations"]})
  .then((result) => done(result.violations), (error) => done(String(error)));
"""


def audit(page: Page) -> list[str]:
    """A line for each serious or critical finding: the rule, and the first elements."""
    script = resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
    page.js(f"if (!window.axe) {{ {script} }}")
    findings = violations(page, contrast=False)
    page.js(ONE_ROW_OF_EACH_LOOK)
    findings += violations(page, contrast=True)
    return [
        f"{finding['id']}: {finding['help']}: {[node['html'][:200] for node in finding['nodes'][:3]]} "
        f"{finding['nodes'][0]['failureSummary'][:300]}"
        for finding in findings
        if finding["impact"] in ("serious", "critical")
    ]


def violations(page: Page, contrast: bool) -> list[dict[str, Any]]:
    """What axe finds on the page as it stands, by the contrast of its texts alone or by all other rules."""
    answer: list[dict[str, Any]] = page.browser.execute_async_script(RUN, CONTRAST, contrast)
    assert isinstance(answer, list), answer
    return answer


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
