"""Page of a sweep: the verdict, a chart's data for each function, and the regions."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from conformance.sweeping import page
from conformance.sweeping.ball_judge import BallJudge
from conformance.sweeping.binade_sweep import BinadeResult, ExactJudge
from conformance.sweeping.functions import SweptFunction
from conformance.sweeping.inputs import Binade, binades
from conformance.sweeping.result_files import rows
from conformance.sweeping.summary import short_digits
from conformance.sweeping.swept import Part, Swept

FUNCTION = SweptFunction("sigmoid", "value")


@pytest.fixture(scope="module")
def swept() -> Swept:
    """float16's sigmoid, right but for one input."""
    result = Swept(subjects={"mine": {"versions": {"mine": "1.0"}, "hardware": {}}})
    judge = BallJudge(FUNCTION, 0, "float16")
    for binade in binades("float16", 0, 0xFFFF):
        bits = np.arange(binade.size) + binade.first
        observed = judge.reference(bits).rounded
        if binade.index == 15:
            observed[3] *= 1.5
        tested = ExactJudge(judge, binade, 0, binade.size)
        tested.judge(0, observed)
        result.add(Part("mine", FUNCTION, binade), (0, 0xFFFF), BinadeResult((tested.tally,)))
    refused = BinadeResult((), "raised", "<b>no</b>")
    result.add(Part("other", FUNCTION, Binade("float16", 0)), (0, 0xFFFF), refused)
    return result


def test_it_says_what_failed_and_where(swept: Swept) -> None:
    text = page.page(rows(swept), swept)
    assert "1,025 numbers of 66,560 numbers do not conform: 1 wrong, 1,024 raised." in text
    assert '<td class="right">1.00292969</td>' in text
    assert "&lt;b&gt;no&lt;/b&gt;" in text


def test_every_binade_is_a_point_with_its_bound(swept: Swept) -> None:
    (chart,) = page.charts(rows(swept))
    places = [row["place"] for row in chart["rows"]]
    assert places == [*range(-31, 0), *range(1, 32)]
    assert all(row["bound"] > 0.5 for row in chart["rows"])
    worst = max(chart["rows"], key=lambda row: row["error"])
    assert (worst["place"], worst["verdict"]) == (16, "wrong")


def test_what_it_carries_is_json_without_markup(swept: Swept, tmp_path: Path) -> None:
    page.write_page(rows(swept), swept, tmp_path)
    text = (tmp_path / "sweep.html").read_text(encoding="utf-8")
    (data,) = re.findall(r'id="sweep-data">(.*?)</script>', text)
    assert [chart["name"] for chart in json.loads(data)] == ["sigmoid value"]
    assert "<" not in data


def test_digits_keep_their_exponent() -> None:
    assert short_digits("1.030576812281360000000000e-09") == "1.0305768122e-09"
    assert short_digits("-0.25000000000000000000") == "-0.250000000"
    assert short_digits("inf") == "inf"
