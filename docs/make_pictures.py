"""The pictures of a report, docs/pictures/*.png, by Chromium; `make_pages.py` has them taken."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from browser.conftest import SWITCHES, programs  # noqa: E402
from selenium import webdriver  # noqa: E402
from selenium.webdriver.chrome.options import Options  # noqa: E402
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

READY = "return document.documentElement.dataset.ready === 'true'"
CHARTS = (
    "return !document.querySelector('#frontier-view') || document.querySelectorAll('.charts svg').length > 0"
)
OPEN = """
const findings = document.getElementById("findings");
const all = [...findings.querySelectorAll("details.finding")];
// One whose error is a number, with a program that fits the picture.
const short = (one) => one.querySelector("code")?.textContent.split("\\n").length < 20;
const telling = (one) => short(one) && / ulps/.test(one.textContent) && !/∞ ulps/.test(one.textContent);
const one = all.find(telling) ?? all.find((other) => other.querySelector(".snippet")) ?? all[0];
if (one) {
  for (let fold = one; fold; fold = fold.parentElement.closest("details")) fold.open = true;
  one.id = "shown";
}
"""


@dataclass(frozen=True)
class Picture:
    """One picture: the view's address, the element that stands at the top, the window."""

    name: str
    view: str
    top: str
    width: int = 1280
    height: int = 800
    theme: str = "light"


PICTURES = (
    Picture("verdict", "", "body", height=840),
    Picture("map", "", "#map", height=560),
    Picture("frontier", "", "#frontier", height=900),
    Picture("finding", "", "#shown", height=900),
    Picture("checks", "#dtype=float32&operation=cross_entropy", "#checks", height=640),
    Picture("equivalence", "", "#equivalence", height=900),
    Picture("check", "#check=jax-40344/float64/functional/gradient%3Alogits/torch", "body", height=900),
    Picture("phone", "", "body", width=390, height=844, theme="dark"),
)


def take(file: Path, folder: Path) -> None:
    """Writes every picture of one report."""
    browser, driver = programs()
    with tempfile.TemporaryDirectory() as profile:
        options = Options()
        options.binary_location = browser
        for switch in (*SWITCHES, f"--user-data-dir={profile}", "--hide-scrollbars"):
            options.add_argument(switch)
        session = webdriver.Chrome(options=options, service=Service(driver))
        try:
            for picture in PICTURES:
                metrics = {
                    "width": picture.width,
                    "height": picture.height,
                    "deviceScaleFactor": 1,
                    "mobile": False,
                }
                session.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
                scheme = {"features": [{"name": "prefers-color-scheme", "value": picture.theme}]}
                session.execute_cdp_cmd("Emulation.setEmulatedMedia", scheme)
                session.get("about:blank")
                session.get(file.as_uri() + picture.view)
                WebDriverWait(session, 60).until(lambda one: one.execute_script(READY))
                session.execute_script(OPEN)
                scroll = f"document.querySelector('{picture.top}')?.scrollIntoView({{block: 'start'}})"
                session.execute_script(scroll)
                if picture.name == "frontier":
                    WebDriverWait(session, 60).until(lambda one: one.execute_script(CHARTS))
                    session.execute_script(scroll)
                session.save_screenshot(str(folder / f"{picture.name}.png"))
        finally:
            session.quit()
