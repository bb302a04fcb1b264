"""The section on processors in a real browser."""

from __future__ import annotations

import pytest
from browser.conftest import Page
from browser.test_accessibility import OPENED, audit
from report.fabricate_variants import SMALL, fabricate_variants
from selenium.webdriver.remote.webdriver import WebDriver

from conformance.report import write

# The other sections have their own audit.
OTHERS_REMOVED = """
for (const part of document.querySelectorAll("main > section")) if (part.id !== "processors") part.remove();
"""
CARD = "document.querySelector('#processors .finding')"


@pytest.fixture(scope="module")
def variants(browser: WebDriver, tmp_path_factory: pytest.TempPathFactory) -> Page:
    """The report of kernel variants of two frameworks."""
    run = fabricate_variants(known=True)
    folder = tmp_path_factory.mktemp("variants")
    write(run, folder, lambda run, row: f"print('{row['subject']}')")
    return Page(browser, folder / "report.html", run)


def test_a_plain_run_has_no_such_section(page: Page) -> None:
    assert page.js("return document.querySelectorAll('#processors, nav a[href=\"#processors\"]').length") == 0


def test_the_smallest_input_leads_to_its_checks(variants: Page) -> None:
    """The link of a divergence shows the shown check in every subject, and nothing else."""
    variants.errors()
    variants.open()
    variants.js(f"{CARD}.open = true; {CARD}.querySelector('.facts a').click()")
    variants.wait("return location.hash.includes('case=')")
    assert set(variants.column("case")) == {SMALL}
    assert variants.count() == int(variants.run.frame["case"].eq(SMALL).sum())
    assert variants.errors() == []


def test_the_section_follows_the_filters(variants: Page) -> None:
    """A divergence of softmax goes when another operation is asked for, and so does its known deviation."""
    for operation, hidden in (("softmax", False), ("sigmoid", True)):
        variants.open(f"#operation={operation}")
        assert variants.js(f"return {CARD}.hidden") is hidden
        row = "document.querySelector('#processors tr[data-operation]')"
        assert variants.js(f"return {row}.hidden") is hidden


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_serious_finding(variants: Page, theme: str, width: int) -> None:
    """Names, roles, contrast, and no scrolling sideways."""
    with variants.window(width):
        variants.open()
        variants.js("document.documentElement.dataset.theme = arguments[0]", theme)
        variants.js(OTHERS_REMOVED)
        variants.js(OPENED)
        assert audit(variants) == []
        assert variants.js("return document.documentElement.scrollWidth") <= width
