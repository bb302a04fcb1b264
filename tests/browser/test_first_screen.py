"""The first screen: a table that agrees with the headline, and the discrepancies as sentences."""

from __future__ import annotations

from browser.conftest import Page
from selenium.webdriver.common.by import By


def test_each_subject_adds_up_to_its_checks(page: Page) -> None:
    """The table has every check of a subject once, and a figure leads to as many checks."""
    table = page.js("return document.querySelector('#verdict .counts').innerText").splitlines()
    asked = page.run.frame["subject"].value_counts()
    sums = {line.split()[0]: sum(map(int, line.replace(",", "").split()[1:])) for line in table[1:]}
    assert sums == asked.to_dict()
    link = page.browser.find_element(By.CSS_SELECTOR, "#verdict .counts td.bad a")
    number = int(link.text)
    name = page.js("return arguments[0].closest('tr').querySelector('th').textContent", link)
    page.js("arguments[0].click()", link)
    page.wait("return location.hash.includes('outcome=discrepancy')")
    assert page.count() == number == int(page.run.discrepancies()["subject"].eq(name).sum())


def test_a_discrepancy_is_a_sentence_that_leads_to_its_card(page: Page) -> None:
    """The worst ones are named; a click opens the card, and the view stays."""
    links = page.browser.find_elements(By.CSS_SELECTOR, "#verdict .sentences a")
    assert 1 < len(links) <= 6
    assert page.js("return document.querySelector('#finding-1').open") is False
    before = page.count()
    assert "ends the process in" in links[0].text
    page.js("arguments[0].click()", links[0])
    page.wait("return document.querySelector('#finding-1').open")
    assert links[0].text in page.js("return document.querySelector('#finding-1 summary').textContent")
    assert page.count() == before


def test_sections_come_in_the_order_of_the_bar(page: Page) -> None:
    """What deviates first, what the posts claim last."""
    sections = page.js("return [...document.querySelectorAll('main section')].map((part) => `#${part.id}`)")
    assert sections[:3] == ["#verdict", "#map", "#findings"]
    assert sections[-1] == "#claims"
    assert page.js("return [...document.querySelectorAll('.top nav a')].map((link) => link.hash)") == sections
