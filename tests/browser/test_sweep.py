"""The page of a sweep: its charts are drawn, with every binade and the bound; the regions can be read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from browser.conftest import STEP_SECONDS
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.ui import WebDriverWait

from conformance.sweeping import page, result_files
from conformance.sweeping.ball_judge import BallJudge
from conformance.sweeping.binade_sweep import BinadeResult, ExactJudge
from conformance.sweeping.functions import SweptFunction
from conformance.sweeping.inputs import Binade, binades
from conformance.sweeping.swept import Part, Swept

FUNCTION = SweptFunction("sigmoid", "value")
SUBJECTS = ("<b>mine</b>", "theirs")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """bfloat16's sigmoid of two subjects, right but for one input of the first; its name is hostile."""
    folder = tmp_path_factory.mktemp("sweep")
    swept = Swept(subjects={name: {"versions": {name: "1.0"}, "hardware": {}} for name in SUBJECTS})
    judge = BallJudge(FUNCTION, 0, "bfloat16")
    for binade in binades("bfloat16", 0, 0xFFFF):
        bits = binade.first + np.arange(binade.size)
        right = judge.reference(bits).rounded
        for name in SUBJECTS:
            observed = right.copy()
            if name == SUBJECTS[0] and binade == Binade("bfloat16", 0x3F80 // binade.size):
                observed[3] *= 1.5
            tested = ExactJudge(judge, binade, 0, binade.size)
            tested.judge(0, observed)
            swept.add(Part(name, FUNCTION, binade), (0, 0xFFFF), BinadeResult((tested.tally,)))
    page.write_page(result_files.rows(swept), swept, folder)
    return folder / page.PAGE


def errors(browser: WebDriver) -> list[str]:
    return [str(entry["message"]) for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]


def test_the_charts_are_drawn_and_the_regions_read(browser: WebDriver, file: Path) -> None:
    """A line of each subject on either side of 0, a mark for each binade, the bound; no error, no network."""
    errors(browser)
    browser.get(file.as_uri())
    drawn = "return document.querySelectorAll('#charts svg .mark-symbol path').length"
    marks = WebDriverWait(browser, STEP_SECONDS).until(lambda opened: opened.execute_script(drawn))
    assert marks >= len(SUBJECTS) * 2 * 255
    lines = browser.execute_script("return document.querySelectorAll('#charts svg .mark-line path').length")
    assert lines >= 2 + 2 * len(SUBJECTS)
    text = browser.find_element(By.TAG_NAME, "body").text
    assert "1 number of 131,072 numbers do not conform: 1 wrong." in text
    assert "<b>mine</b>" in text
    region = browser.find_elements(By.CSS_SELECTOR, "table")[-1].text
    assert "1.0234375" in region
    assert errors(browser) == []


def test_the_charts_follow_the_theme(browser: WebDriver, file: Path) -> None:
    browser.get(file.as_uri())
    ink = "return document.querySelector('#charts svg .role-title-text text')?.getAttribute('fill')"
    light = WebDriverWait(browser, STEP_SECONDS).until(lambda opened: opened.execute_script(ink))
    browser.execute_script("document.documentElement.dataset.theme = 'dark'")
    WebDriverWait(browser, STEP_SECONDS).until(lambda opened: opened.execute_script(ink) not in (None, light))
