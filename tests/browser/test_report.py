"""The report in a real browser: opened from disk, without a network."""

from __future__ import annotations

import csv
import math
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote, urlencode

import pandas as pd
import pytest
from browser.conftest import STEP_SECONDS, Page
from report.fabricate import BRACKETS, COPYABLE, SIGMOID, inputs_of
from selenium.webdriver.common.by import By

from conformance.report.frames import light
from conformance.report.precision import no_digit_right
from conformance.report.reproduction.program import check_of, reproduce
from conformance.report.verdicts import SEVERITY

# What the page copies, kept where the test can see it.
CLIPBOARD = (
    "Object.defineProperty(navigator, 'clipboard', {value: {writeText: (text) => { window.copied = text; }}})"
)
ROW = """
return [...arguments[0].querySelectorAll("tbody tr")]
  .find((row) => row.cells[0].textContent.includes("numpy")).cells[2].textContent;
"""
FACETS = ("operation", "formulation", "quantity", "dtype", "subject", "verdict", "tags")
OUTCOMES = ("discrepancy", "known", "textbook", "conforms", "no verdict")
KEY = ("case", "dtype", "formulation", "quantity", "subject")
EVERY = urlencode([("outcome", outcome) for outcome in OUTCOMES])


def outcomes(frame: pd.DataFrame) -> pd.Series:
    """The outcome of each check, by its place in `OUTCOMES`."""
    conforms, textbook = frame["conforms"], frame["textbook"].fillna(False).astype(bool)
    failing = textbook.map({True: 2, False: 0}).where(frame["known"].fillna("").eq(""), 1)
    return failing.where(~conforms.fillna(False).astype(bool), 3).where(conforms.notna(), 4)


def shown(frame: pd.DataFrame) -> pd.DataFrame:
    """What the table shows at first: neither textbook failures nor what is not offered."""
    return frame[outcomes(frame).isin([0, 1, 3])]


def worst_first(frame: pd.DataFrame) -> pd.DataFrame:
    """The checks by outcome, then from the worst verdict, then from the largest error over bound."""
    keys = {"outcome": outcomes(frame), "severity": frame["verdict"].map(SEVERITY)}
    ordered = frame.assign(**keys, share=frame["ratio"].astype(float).fillna(-1))
    ordered = ordered.sort_values(
        ["outcome", "severity", "share"], ascending=[True, False, False], kind="stable"
    )
    return frame.loc[ordered.index]


def choose(page: Page, facet: str, value: str) -> None:
    """Opens a facet and clicks one of its boxes."""
    page.js("document.querySelector(`#facet-${arguments[0]} summary`).click()", facet)
    box = page.browser.find_element(By.CSS_SELECTOR, f'#facet-{facet} input[value="{value}"]')
    page.js("arguments[0].click()", box)


class TestOpening:
    """The file alone is enough."""

    def test_says_whether_the_stack_conforms(self, page: Page) -> None:
        """The first heading is the verdict, the title repeats it, and the console holds no error."""
        heading = page.browser.find_element(By.TAG_NAME, "h1").text
        assert heading.startswith("This stack does not conform: ")
        assert page.browser.title.startswith(heading[:60])
        assert page.count() == len(shown(page.run.frame))
        assert page.errors() == []

    def test_asks_for_nothing(self, page: Page) -> None:
        """No address but the file's own is ever requested."""
        page.js("document.getElementById('frontier').scrollIntoView()")
        page.wait("return document.querySelectorAll('.charts svg').length === 4")
        names = page.js("return performance.getEntriesByType('resource').map((entry) => entry.name)")
        assert [name for name in names if not name.startswith(("blob:", "data:"))] == []
        assert page.errors() == []

    def test_hostile_texts_are_texts(self, page: Page) -> None:
        """Ids, messages and reasons that hold markup are shown, and run nothing."""
        assert page.browser.title != "owned"
        assert page.js("return document.querySelectorAll('main img, main iframe, main script').length") == 0
        page.open("#q=onerror&columns=case,message")
        assert any("<img src=x onerror=" in text for text in page.column("case") + page.column("message"))
        assert page.browser.title != "owned"
        page.browser.find_element(By.CSS_SELECTOR, "#checks-table a.open").click()
        page.wait("return document.getElementById('details').open")
        assert page.js("return document.querySelectorAll('dialog img, dialog script').length") == 0
        assert page.errors() == []

    @pytest.mark.parametrize("column", ["case", "message", "known"])
    def test_ten_thousand_letters_are_shown_whole(self, page: Page, column: str) -> None:
        """A name, a message and a reason of 10,000 letters: cut in the table, whole in the details."""
        rows = page.run.frame[page.run.frame[column].str.len() >= 9_999]
        assert len(rows)
        view = {"columns": f"case,{column}", "q": rows.iloc[0][column][:200]}
        page.open("#" + urlencode(view))
        assert max(len(text) for text in page.column(column)) <= 120
        page.js("document.querySelector('#checks-table a.open').click()")
        page.wait("return document.getElementById('details').open")
        assert rows.iloc[0][column] in page.js("return document.getElementById('details').textContent")
        assert page.js("return document.documentElement.scrollWidth <= innerWidth")
        assert page.errors() == []


class TestFilters:
    """Search, facets, order and columns show what the frame holds."""

    def test_search_finds_every_word_in_any_column(self, page: Page) -> None:
        """A row is shown when each word occurs in some column of its."""
        page.browser.find_element(By.ID, "search").send_keys("Torch sigmoid-000")
        page.wait("return new URLSearchParams(location.hash.slice(1)).get('q') === 'Torch sigmoid-000'")
        texts = (
            page.run.frame.astype(object)
            .fillna("")
            .apply(lambda row: "\n".join(map(str, row)).lower(), axis=1)
        )
        expected = texts.str.contains("torch", regex=False) & texts.str.contains("sigmoid-000", regex=False)
        assert page.count() == int(expected.sum()) > 0

    @pytest.mark.parametrize("facet", FACETS)
    def test_each_facet_counts_and_filters(self, page: Page, facet: str) -> None:
        """A facet's box shows as many rows as it says, and as the frame has."""
        value = {"tags": "seed", "verdict": "lossy"}.get(facet) or str(page.run.frame[facet].iloc[5])
        choose(page, facet, value)
        rows = page.run.frame if facet == "verdict" else shown(page.run.frame)
        assert page.count() == int(rows[facet].eq(value).sum()) > 0
        label = page.browser.find_element(By.CSS_SELECTOR, f'#facet-{facet} input[value="{value}"]')
        said = page.js("return arguments[0].closest('label').querySelector('small').textContent", label)
        assert int(said.replace(",", "")) == page.count()

    def test_outcomes_are_those_of_the_run(self, page: Page) -> None:
        """`discrepancy` shows exactly the checks that gate, `known` those that are documented."""
        for outcome, rows in (("discrepancy", page.run.discrepancies()), ("known", page.run.known())):
            page.open("#" + urlencode({"outcome": outcome}))
            assert page.count() == len(rows) > 0

    def test_outcomes_are_buttons(self, page: Page) -> None:
        """Textbook failures and what is not offered are off at first; each button counts its checks."""
        frame = page.run.frame
        counts = outcomes(frame).value_counts()
        buttons = "[...document.querySelectorAll('#outcomes button')]"
        told = page.js(f"return {buttons}.map((b) => [b.textContent, b.getAttribute('aria-pressed')])")
        assert [pressed for _, pressed in told] == ["true", "true", "false", "true", "false", "false"]
        for place, (text, _) in enumerate(told[:5]):
            assert int(text.split()[-1].replace(",", "")) == counts.get(place, 0)
        page.js(f"{buttons}[2].click()")
        assert page.count() == int(outcomes(frame).isin([0, 1, 2, 3]).sum())
        page.js(f"{buttons}[3].click()")
        assert page.count() == int(outcomes(frame).isin([0, 1, 2]).sum())

    def test_the_worst_comes_first(self, page: Page) -> None:
        """Discrepancies by verdict and error over bound, then what is known, then what conforms."""
        first = worst_first(page.run.frame).head(5)
        assert page.column("case")[:5] == [case[:120] for case in first["case"]]

    def test_a_check_without_a_right_digit_has_a_mark(self, page: Page) -> None:
        """What conforms with an error as large as the value is counted, filtered and marked."""
        frame = page.run.frame
        marked = frame[no_digit_right(light(frame)).to_numpy()]
        page.open("#" + urlencode({"mark": "no digit right", "columns": "case,verdict,digits_right"}))
        assert page.count() == len(marked) > 0
        assert all("no digit right" in text for text in page.column("verdict"))
        assert {float(text) for text in page.column("digits_right")} <= {0.0, 0.1, 0.2, 0.3}

    def test_a_case_is_a_filter(self, page: Page) -> None:
        """A link to a case shows its checks, whatever its name holds."""
        for case in (BRACKETS, "softmax-000"):
            page.open("#" + urlencode({"case": case}))
            assert page.count() == int(page.run.frame["case"].eq(case).sum()) > 0

    def test_filters_of_several_facets_combine(self, page: Page) -> None:
        """Values of one facet add up, facets narrow each other, a chip takes one back."""
        page.open("#dtype=float16&dtype=float32&subject=jax")
        frame = page.run.frame
        both = frame["dtype"].isin(["float16", "float32"]) & frame["subject"].eq("jax")
        frame, both = shown(frame), both[shown(frame).index]
        assert page.count() == int(both.sum())
        page.browser.find_element(By.CSS_SELECTOR, '[aria-label="Remove the filter dtype float16"]').click()
        assert page.count() == int((frame["dtype"].eq("float32") & frame["subject"].eq("jax")).sum())
        page.browser.find_element(By.CSS_SELECTOR, ".chip.clear").click()
        assert page.count() == len(frame)

    def test_a_cell_of_the_map_filters_everything_below(self, page: Page) -> None:
        """A click in the heat map narrows the table, the cards and the lists."""
        with page.window(1920):
            page.open()
            cell = page.browser.find_element(
                By.CSS_SELECTOR, '.heat a.cell[href*="operation=sigmoid&subject=torch"]'
            )
            page.js("arguments[0].click()", cell)
            page.wait("return !document.getElementById('filters').hidden")
            assert set(page.column("operation")) == {"sigmoid"}
            assert set(page.column("subject")) == {"torch"}
        shown = page.js(
            "const shown = document.querySelectorAll('.finding:not([hidden])');"
            "return [...shown].map((one) => one.dataset.operation)"
        )
        assert set(shown) <= {"sigmoid"}

    def test_what_a_filter_leaves_of_the_reasons_is_seen(self, page: Page) -> None:
        """Reasons beyond the first dozen are folded: a filter opens the fold, or hides an empty one."""
        rest = "document.querySelector('#findings .rest')"
        assert page.js(f"return {rest}.open") is False
        page.open("#operation=softmax")
        page.wait(f"return {rest}.open && !{rest}.hidden")
        page.open("#operation=one_hot")
        page.wait(f"return {rest}.hidden")

    @pytest.mark.parametrize("way", ["asc", "desc"])
    def test_sorts_numbers_as_numbers_and_verdicts_by_severity(self, page: Page, way: str) -> None:
        """The first rows are those of the frame, missing values last."""
        page.open(f"#sort=ulp_error:{way}&columns=case,ulp_error&{EVERY}")
        values = page.run.frame["ulp_error"].dropna().astype(float).sort_values(ascending=way == "asc")
        first = page.column("ulp_error")[0]
        assert first == {"asc": page.js("return (0).toFixed(0)"), "desc": "∞"}[way] or float(
            first
        ) == pytest.approx(values.iloc[0], rel=1e-3)
        page.open(f"#sort=verdict:{way}&columns=case,verdict&{EVERY}")
        texts = [text.partition(" 0")[0] for text in page.column("verdict")]  # without the mark
        ranks = [SEVERITY[text.split(" ", 1)[1]] for text in texts]
        assert ranks == sorted(ranks, reverse=way == "desc")
        met = [SEVERITY[name] for name in page.run.frame["verdict"].unique()]
        assert ranks[0] == (max(met) if way == "desc" else min(met))

    def test_a_click_on_a_heading_sorts(self, page: Page) -> None:
        """The heading's click is in the address, and a second one turns it around."""
        heading = page.browser.find_element(
            By.XPATH, "//*[@class='dt-scroll-headInner']//th[contains(., 'dtype')]"
        )
        page.js("arguments[0].scrollIntoView({block: 'center'})", heading)
        heading.click()
        page.wait("return location.hash.includes('sort=dtype%3Aasc')")
        assert page.column("dtype")[0] == "float16"
        heading.click()
        page.wait("return location.hash.includes('sort=dtype%3Adesc')")
        assert page.column("dtype")[0] == "float64"

    def test_columns_can_be_chosen(self, page: Page) -> None:
        """A box in `columns` shows and hides a column."""
        assert page.column("message") == []
        choose(page, "columns", "message")
        assert len(page.column("message")) > 5
        assert page.js("return new URLSearchParams(location.hash.slice(1)).get('columns')").endswith(
            "message"
        )


class TestPermalinks:
    """Every view has an address."""

    def test_reload_restores_the_view(self, page: Page) -> None:
        """Filters, search, order, columns and the open check come back."""
        view = "#operation=softmax&dtype=float32&q=jax&sort=ulp_error%3Adesc&columns=case%2Cdtype%2Culp_error"
        page.open(view)
        before = (page.count(), page.column("case"), page.column("ulp_error"))
        page.browser.refresh()
        page.wait("return document.documentElement.dataset.ready === 'true'")
        assert (page.count(), page.column("case"), page.column("ulp_error")) == before
        assert page.column("verdict") == []

    def test_a_check_has_an_address(self, page: Page) -> None:
        """A row's link opens its details, and so does the address in a new window."""
        page.open("#q=sigmoid-000")
        link = page.browser.find_element(By.CSS_SELECTOR, "#checks-table a.open")
        address = link.get_attribute("href")
        link.click()
        page.wait("return document.getElementById('details').open")
        text = page.js("return document.querySelector('#details .body').textContent")
        page.browser.get("about:blank")
        page.browser.get(address)
        page.wait("return document.getElementById('details').open")
        assert page.js("return document.querySelector('#details .body').textContent") == text
        page.browser.find_element(By.CSS_SELECTOR, "#details .close").click()
        assert "check=" not in page.js("return location.hash")

    def test_an_address_of_another_run_says_so(self, page: Page) -> None:
        """A check that this run has not is named, and breaks nothing."""
        page.open("#check=" + "no-such%2Fcase/float32/functional/value/torch")
        assert "no such check" in page.js("return document.querySelector('#details h2').textContent")
        assert page.errors() == []

    def test_back_goes_back(self, page: Page) -> None:
        """The browser's history holds the views."""
        choose(page, "dtype", "float16")
        narrowed = page.count()
        choose(page, "subject", "jax")
        page.browser.back()
        page.wait("return !location.hash.includes('subject')")
        assert page.count() == narrowed


class TestTakingAway:
    """What is seen can be taken along."""

    @pytest.mark.parametrize("view", ["", "subject=jax&formulation=functional&sort=ulp_error%3Adesc"])
    def test_csv_holds_what_is_shown(self, page: Page, downloads: Path, view: str) -> None:
        """The file has the table's rows, columns and order, and the frame's values to the bit."""
        frame = page.run.frame
        names = list(frame.columns)
        page.open(f"#{view}&columns={','.join(names)}&{EVERY}")
        target = downloads / "checks.csv"
        target.unlink(missing_ok=True)
        page.js("document.getElementById('download').click()")
        stop = time.monotonic() + STEP_SECONDS
        while not target.exists() and time.monotonic() < stop:
            time.sleep(0.05)
        with target.open(encoding="utf-8", newline="") as file:
            head, *got = csv.reader(file)
        assert head == names
        want = frame
        if view:
            want = frame[frame["subject"].eq("jax") & frame["formulation"].eq("functional")]
            want = want.sort_values("ulp_error", ascending=False, kind="stable", na_position="last")
        else:
            want = worst_first(frame)
        assert len(got) == len(want) > 100
        for place, name in enumerate(names):
            texts = [row[place] for row in got]
            if pd.api.types.is_numeric_dtype(want[name]) and not pd.api.types.is_bool_dtype(want[name]):
                numbers = pd.Series([float(text) if text else math.nan for text in texts])
                assert numbers.equals(want[name].astype(float).reset_index(drop=True)), name
            else:
                assert texts == want[name].astype(object).fillna("").map(str).tolist(), name

    def test_the_copied_reproduction_runs_and_says_the_same(self, page: Page) -> None:
        """The copy button's text, run with the framework alone, prints the digits that the card shows."""
        page.js(CLIPBOARD)
        card = page.browser.find_element(By.XPATH, f"//details[contains(., '{COPYABLE}')]")
        page.js("arguments[0].open = true", card)
        page.js("arguments[0].querySelector('button.copy').click()", card)
        text = page.wait("return window.copied")
        done = subprocess.run(
            [sys.executable, "-c", text], capture_output=True, text=True, check=True, timeout=STEP_SECONDS
        )
        returned = page.js(ROW, card)
        assert done.stdout.strip() == returned.strip() == str(SIGMOID)

    def test_any_check_has_its_program_inputs_and_issue(self, page: Page) -> None:
        """The dialog's program is the one that Python writes, number for number, and the issue holds it."""
        frame = page.run.frame
        chosen = frame[frame["case"].eq(COPYABLE) & frame["subject"].eq("numpy")].iloc[0]
        key = "/".join(quote(str(chosen[name]), safe="") for name in KEY)
        page.js(CLIPBOARD)
        page.open("#" + urlencode({"check": key}))
        page.js(CLIPBOARD)
        page.wait("return document.querySelector('#check-program button')")
        program = page.js("return document.querySelector('#check-program pre code').textContent")
        written = reproduce(check_of(chosen), inputs_of(chosen["case"], chosen["dtype"]))
        assert written is not None
        answers = [
            subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True).stdout
            for text in (program, written)
        ]
        assert answers[0] == answers[1] == str(SIGMOID) + "\n"
        buttons = "[...document.querySelectorAll('#check-program button')]"
        page.js(f"{buttons}.find((button) => button.textContent.includes('issue')).click()")
        issue = page.wait("return window.copied")
        assert program.strip() in issue
        for part in (chosen["observed"], chosen["exact"], chosen["framework_version"], chosen["case"]):
            assert str(part) in issue
        assert page.errors() == []
