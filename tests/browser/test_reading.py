"""The report read in light and dark, wide and narrow, and with the keyboard alone."""

from __future__ import annotations

import pytest
from browser.conftest import Page
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys


def press(page: Page, *keys: str) -> None:
    """Presses keys, one after the other, wherever the focus is."""
    ActionChains(page.browser).send_keys(*keys).perform()


def tab_to(page: Page, selector: str, most: int) -> None:
    """Presses Tab until an element has the focus; fails where that takes more than `most` presses."""
    for _ in range(most):
        press(page, Keys.TAB)
        if page.js("return document.activeElement.matches(arguments[0])", selector):
            return
    place = page.js("return document.activeElement.outerHTML.slice(0, 200)")
    pytest.fail(f"{selector} is not reached by {most} presses of Tab: the focus is at {place}")


class TestReading:
    """Light and dark, wide and narrow, with the keyboard alone."""

    def test_dark_is_remembered(self, page: Page) -> None:
        """The button changes the theme at once, the charts too, and a reload keeps it."""
        first = page.js("return document.documentElement.dataset.theme")
        page.browser.find_element(By.ID, "theme").click()
        other = page.js("return document.documentElement.dataset.theme")
        assert {first, other} == {"light", "dark"}
        sheet = page.js("return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
        assert (max(sheet) < 64) if other == "dark" else (min(sheet) > 192)
        page.open()
        assert page.js("return document.documentElement.dataset.theme") == other
        page.browser.find_element(By.ID, "theme").click()

    def test_the_system_decides_at_first(self, page: Page) -> None:
        """Without a choice the page follows the system."""
        page.js("localStorage.clear()")
        for theme in ("dark", "light"):
            feature = {"features": [{"name": "prefers-color-scheme", "value": theme}]}
            page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", feature)
            page.open()
            assert page.js("return document.documentElement.dataset.theme") == theme

    @pytest.mark.parametrize("width", [360, 768, 1280])
    def test_never_scrolls_sideways(self, page: Page, width: int) -> None:
        """Only tables scroll sideways, never the page."""
        with page.window(width):
            page.open()
            page.js("for (const one of document.querySelectorAll('details:not(.facet)')) one.open = true")
            page.js("document.getElementById('frontier').scrollIntoView()")
            page.wait("return document.querySelectorAll('.charts svg').length === 4")
            assert page.js("return document.documentElement.scrollWidth") <= width

    def test_the_keyboard_is_enough(self, page: Page) -> None:
        """Section, search, filter, row and dialog are reached and left by keys alone, and focus is seen."""
        press(page, Keys.TAB)
        assert page.js("return document.activeElement.className") == "skip"
        tab_to(page, "nav a[href='#checks']", 10)
        press(page, Keys.ENTER)
        tab_to(page, "#search", 3)
        press(page, "softmax-00")
        page.wait("return location.hash.includes('q=softmax-00')")
        tab_to(page, "#facet-dtype summary", 5)
        press(page, Keys.ENTER)
        page.wait("return document.querySelectorAll('#facet-dtype input').length === 4")
        press(page, Keys.TAB, Keys.SPACE)
        page.wait("return location.hash.includes('dtype=float16')")
        assert page.js("return document.activeElement.value") == "float16"
        press(page, Keys.ESCAPE)
        assert page.js("return document.activeElement.closest('#facet-dtype') !== null")
        assert page.js("return document.querySelector('#facet-dtype').open") is False
        tab_to(page, "#checks-table a.open", 30)
        press(page, Keys.ENTER)
        page.wait("return document.getElementById('details').open")
        assert page.js("return document.activeElement.closest('dialog') !== null")
        assert page.js("return getComputedStyle(document.activeElement).outlineStyle") != "none"
        press(page, Keys.ESCAPE)
        page.wait("return !document.getElementById('details').open && !location.hash.includes('check=')")
