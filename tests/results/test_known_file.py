"""`conformance accept`: the file that it writes accepts what the run found, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from runs import check, run

from conformance.cases.deviations import Check, Ledger
from conformance.cases.loader import load_cases
from conformance.cli import cli
from conformance.errors import CaseError, RunError
from conformance.judging.verdict import Judgement
from conformance.results.envelopes import deviating, envelopes
from conformance.results.known_file import accept

CASES = """\
source: these tests
cases:
  - {id: right, operation: softmax, inputs: {x: [1, 2]}, formulations: [functional], why: a}
  - {id: wrong, operation: softmax, inputs: {x: [1, 3]}, formulations: [functional], why: b, EXPECT}
"""


def call(*words: str) -> tuple[int, str]:
    """A command in this process; its exit code and what it printed."""
    result = CliRunner().invoke(cli, words)
    if isinstance(result.exception, (CaseError, RunError)):
        return 2, str(result.exception)
    return result.exit_code, result.output


def test_an_accepted_run_passes_and_another_deviation_in_the_same_case_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("c.yaml").write_text(CASES.replace("EXPECT", "expect: error, dtypes: [float32]"))
    run_it = ("run", "c.yaml", "-s", "numpy", "--output", "out")
    assert call(*run_it)[0] == 1
    assert call("accept", "out") == (0, "1 discrepancy accepted in conformance-known.yaml\n")
    code, output = call(*run_it, "--known", "conformance-known.yaml")
    assert code == 0, output
    code, message = call("accept", "out", "--output", "conformance-known.yaml")
    assert (code, message) == (0, "out: no discrepancy to accept\n")
    text = Path("conformance-known.yaml").read_text()
    Path("other.yaml").write_text(text.replace("verdicts: [wrong]", "verdicts: [raised]"))
    code, output = call(*run_it, "--known", "other.yaml")
    assert code == 1
    line = "known softmax-numpy-functional-value-wrong states otherwise: wrong numpy float32 functional value"
    assert line in output.replace("\n", "")
    Path("c.yaml").write_text(CASES.replace("EXPECT", "expect: error, dtypes: [float32, float64]"))
    code, output = call(*run_it, "--known", "conformance-known.yaml")
    assert code == 1
    assert "wrong softmax functional value float64 in numpy" in output
    Path("c.yaml").write_text(CASES.replace("EXPECT", "dtypes: [float32]"))
    code, output = call(*run_it, "--known", "conformance-known.yaml")
    assert code == 0
    assert "deviates no longer: softmax-numpy-functional-value-wrong" in output
    code, output = call(*run_it, "--known", "conformance-known.yaml", "--strict")
    assert code == 1
    assert "--strict: 1 known deviation deviates no longer" in output


def test_a_file_that_is_there_stays(tmp_path: Path) -> None:
    kept = tmp_path / "known.yaml"
    kept.write_text("mine")
    broken = run([check("wrong", 9.0)])
    with pytest.raises(RunError, match="there is such a file: another --output, or --overwrite"):
        accept(broken, kept)
    assert kept.read_text() == "mine"
    assert accept(broken, kept, overwrite=True) == 1
    assert kept.read_text().startswith("# Deviations accepted from run ")


ROWS = [
    check("wrong", float("inf"), case="few-plain", observed="nan"),
    check("wrong", float("inf"), case="few-plain", observed="nan", dtype="float16"),
    check("wrong", float("inf"), case="few-ignored", observed="nan"),
    check("wrong", float("inf"), case="few-ignored", observed="-inf", quantity="gradient:logits"),
    check("wrong", 4.5e7, case="few-weights", observed="-0.0"),
    check("lossy", 12.5, case="few-weights", observed="-1.5", formulation="module"),
    check("lossy", 5e5, case="few-plain", observed="-1.5", formulation="module"),
    check("lossy", 14.0, case="few-weights-sum", observed="-1.7", formulation="module"),
    check("wrong", 3e300, case="few-weights-sum", observed="5e-324", dtype="float64"),
    check("raised", None, case="few-plain-none", message="RuntimeError: expected 'Long', but: found Int"),
    check("crashed", None, case="few-plain-none", message="killed by SIGABRT | 0x1234: v16", dtype="float16"),
    check(
        "wrong", None, case="few-plain-none", message="returned shape [0] where [] is right", dtype="float64"
    ),
]


def test_the_file_excuses_each_discrepancy_and_nothing_beside_it(tmp_path: Path) -> None:
    """Every check of every case, with each of the observations: known where it is its own, and else not."""
    assert accept(run(ROWS), tmp_path / "known.yaml") == len(ROWS)
    cases = load_cases([Path(__file__).parents[1] / "few_cases.yaml"], known=[tmp_path / "known.yaml"])
    checks = [
        (case, dtype, formulation, quantity)
        for case in cases
        for dtype in ("float16", "float32", "float64")
        for formulation in ("functional", "module")
        for quantity in ("value", "gradient:logits")
    ]
    for row in ROWS:
        observed = float(row["observed"]) if row["observed"] else None
        judged = Judgement(row["verdict"], row["message"], row["ulp_error"], observed=observed)
        for case, dtype, formulation, quantity in checks:
            here = Check(("torch",), dtype, formulation, quantity)
            excuse = Ledger().excuse(case, here, judged, False)
            alike = {
                (other["case"], other["dtype"], other["formulation"], other["quantity"])
                for other in ROWS
                if (
                    (other["verdict"], other["observed"], other["message"])
                    == (row["verdict"], row["observed"], row["message"])
                    and (row["ulp_error"] is None or 0.5 <= row["ulp_error"] / other["ulp_error"] <= 2.0)
                )
                or (other["ulp_error"], row["ulp_error"]) in ((12.5, 14.0), (14.0, 12.5))
                or (
                    other["ulp_error"] == row["ulp_error"] == float("inf")
                    and other["observed"] == row["observed"]
                )
            }
            assert bool(excuse) == ((case.id, dtype, formulation, quantity) in alike), (row, case.id, here)


def test_an_envelope_is_no_wider_than_its_factors() -> None:
    rows = [check("lossy", ulps, case=f"c{ulps}", observed="1.5") for ulps in (8.0, 20.0, 1000.0)]
    found = envelopes(deviating(pd.DataFrame(rows)))
    assert [dict(each.states)["ulps"] for each in found] == ["[4, 40]", "[500, 2e+03]"]
    assert [dict(each.states)["between"] for each in found] == ["[1.12, 1.88]"] * 2


def test_a_figure_is_that_of_the_number_and_not_of_its_shortest_digits() -> None:
    """3.475 names the float16 number 3.474609375, which is 3.47 to three digits."""
    row = check("wrong", 1098.0, case="c", observed="3.475", exact="7.76", dtype="float16")
    (envelope,) = envelopes(deviating(pd.DataFrame([row])))
    assert dict(envelope.states)["values"] == "[3.47]"


def test_a_figure_of_a_wider_result_is_not_rounded_to_the_check_s_dtype() -> None:
    """A gradient of mixed inputs is float32 beside bfloat16: -6.256625e-05 is no bfloat16 number."""
    exact = "5.596768467850559137384587e-05"
    row = check("wrong", 3.258e7, case="c", observed="-6.256625e-05", exact=exact, dtype="bfloat16")
    (envelope,) = envelopes(deviating(pd.DataFrame([row])))
    assert dict(envelope.states)["values"] == "[-6.26e-05]"
