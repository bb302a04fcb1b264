"""Known deviations excuse what they state, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from conformance.cases.deviations import Check, Ledger, kernel_words, matches
from conformance.cases.loader import load_cases
from conformance.cases.models import Deviation
from conformance.errors import CaseError

CASE = """
source: tests
cases:
  - {id: one, operation: softmax, inputs: {x: [1, 2]}, why: shows it}
  - {id: two, operation: softmax, inputs: {x: [1, 3]}, why: shows it too}
"""
CHECK = Check(("torch",), "float32", "functional", "value", "2.13.0")


@dataclass(frozen=True)
class Judgement:
    """A judgement's columns."""

    verdict: str = "wrong"
    message: str = ""
    ulp_error: float | None = None
    observed: float | None = None


CONFORMS = Judgement("exact", "", 0.0, 1.0)
LOSSY = Judgement("lossy", "outside the bound", 8.0, 0.25)
NAN = Judgement("wrong", "wrongly nan", float("inf"), float("nan"))
RAISED = Judgement("raised", "RuntimeError: expected Long, but found Int")


def ledger_of(
    observed: str, judged: Judgement, keys: dict[str, str] | None = None, **check: Any
) -> tuple[str, Ledger, list[Any]]:
    """What an entry of these keys says to a judgement: the excuse, the ledger, the cases."""
    entry = Deviation(
        id="a-deviation",
        operation="softmax",
        cases=["*"],
        **{"subject": "torch, tensorflow", **(keys or {})},
        reason="it deviates",
        source="a link",
        observed=YAML(typ="safe").load(observed),
    )
    ledger, case = Ledger(), replace(_case(), known=(entry,))
    conforms = judged.verdict == "exact"
    return ledger.excuse(case, replace(CHECK, **check), judged, conforms), ledger, [case]


def _case() -> Any:
    path = Path(__file__).parents[1] / "few_cases.yaml"
    return replace(load_cases([path])[0], id="one", operation="softmax")


@pytest.mark.parametrize(
    ("observed", "judged"),
    [
        ("[{ulps: [4, 16]}]", LOSSY),
        ("[{verdicts: [lossy], between: [0.2, 0.3]}]", LOSSY),
        ("[{values: [.nan]}]", NAN),
        ("[{ulps: [.inf, .inf]}]", NAN),
        ("[{values: ['0.25']}]", LOSSY),
        ("[{values: [0.2]}]", LOSSY),  # at the digits written
        ("[{message: RuntimeError}]", RAISED),
        ("[{values: [1]}, {values: [0, 0.25]}]", LOSSY),
        ("[{ulps: [4, 16], dtypes: [float32], cases: [o*], quantities: [value]}]", LOSSY),
    ],
)
def test_what_is_stated_is_known(observed: str, judged: Judgement) -> None:
    excuse, ledger, cases = ledger_of(observed, judged)
    assert excuse == "it deviates (a link)"
    assert (ledger.stale(cases), ledger.otherwise(cases)) == ([], [])


@pytest.mark.parametrize(
    ("observed", "judged"),
    [
        ("[{ulps: [4, 16]}]", replace(LOSSY, ulp_error=17.0)),  # larger
        ("[{ulps: [4, 16]}]", replace(LOSSY, ulp_error=3.0)),  # smaller
        ("[{ulps: [4, 16]}]", RAISED),  # no number at all
        ("[{values: [.nan]}]", replace(NAN, observed=float("inf"))),
        ("[{values: [.nan]}]", replace(NAN, observed=42.0)),
        ("[{values: [0]}]", replace(LOSSY, observed=5e-324)),
        ("[{values: [0.25]}]", replace(LOSSY, observed=0.256)),
        ("[{values: [.inf]}]", replace(NAN, observed=float("-inf"))),
        ("[{between: [0.2, 0.3]}]", NAN),
        ("[{verdicts: [lossy]}]", replace(LOSSY, verdict="wrong")),
        ("[{message: RuntimeError}]", replace(RAISED, message="ValueError: expected Long")),
        ("[{ulps: [4, 16], values: [0]}]", LOSSY),  # one of two
    ],
)
def test_what_is_not_stated_is_a_discrepancy_and_is_named(observed: str, judged: Judgement) -> None:
    excuse, ledger, cases = ledger_of(observed, judged)
    assert excuse == ""
    (line,) = ledger.otherwise(cases)
    assert line.startswith("known a-deviation states otherwise: one torch float32 functional value: ")
    assert ledger.stale(cases) == []


def test_what_conforms_is_never_known_and_makes_its_entry_stale() -> None:
    excuse, ledger, cases = ledger_of("[{ulps: [0, 16]}]", CONFORMS)
    assert excuse == ""
    assert ledger.stale(cases) == ["known for torch, tensorflow deviates no longer: a-deviation"]
    assert ledger.covering_conforming(cases) == {"a-deviation": 1}


@pytest.mark.parametrize(
    "check",
    [{"subjects": ("jax",)}, {"dtype": "float16"}, {"formulation": "module"}, {"quantity": "gradient:x"}],
)
def test_an_observation_speaks_of_its_own_checks(check: dict[str, Any]) -> None:
    observed = "[{values: [.nan], dtypes: [float32], formulations: [functional], quantities: [value]}]"
    excuse, ledger, cases = ledger_of(observed, NAN, **check)
    assert (excuse, ledger.deviates, ledger.otherwise(cases)) == ("", {}, [])


def test_a_framework_is_meant_with_its_variants_and_devices() -> None:
    for names in (("torch==2.12.1", "torch"), ("torch@cuda", "torch")):
        assert ledger_of("[{values: [.nan]}]", NAN, subjects=names)[0]
    assert not ledger_of("[{values: [.nan]}]", NAN, subjects=("torch:compile",))[0]


REPORT = {
    "onednn": True,
    "amx": False,
    "isa": "Intel AVX-512 with VNNI, and more",
    "features": ["avx512f", "fma"],
}


@pytest.mark.parametrize(
    ("kernels", "known"),
    [
        ("", True),
        ("onednn", True),
        ("amx", False),
        ("onednn, not amx", True),
        ("isa=Intel AVX-512*", True),
        ("isa=Intel AVX2", False),
        ("not isa=*AVX-512*", False),
        ("features=avx512f, not features=avx512fp16", True),
    ],
)
def test_kernels_are_those_that_the_framework_reports(kernels: str, known: bool) -> None:
    entry = Deviation(
        id="a", operation="softmax", cases=["*"], subject="torch", reason="r", source="s", kernels=kernels
    )
    assert matches(entry, replace(CHECK, kernels=kernel_words(REPORT))) is known


@pytest.mark.parametrize(
    ("keys", "condition"),
    [
        ({"processor": "avx512f, not avx512_bf16"}, "a processor with avx512f, not avx512_bf16"),
        ({"kernels": "onednn"}, "kernels onednn"),
        ({"subject": "torch/avx2, torch"}, "torch/avx2, torch"),
        ({}, ""),
    ],
)
def test_a_run_says_which_kernels_its_deviations_hold_on(keys: dict[str, str], condition: str) -> None:
    """By the column `known`; an entry of any kernels is not among them, nor one that deviates no longer."""
    check = {"processor": frozenset({"avx512f"}), "kernels": frozenset({"onednn"})}
    for judged in (LOSSY, CONFORMS):
        excuse, ledger, cases = ledger_of("[]", judged, **check, keys=keys)
        listed = {excuse: condition} if condition and judged is LOSSY else {}
        assert ledger.environment(cases, complete=True)["kernel_deviations"] == listed


@pytest.mark.parametrize(
    ("observed", "said"),
    [
        ("[{dtypes: [float32]}]", "f.yaml:10:6: observed: nothing is stated"),
        ("[{ulps: [4, 2]}]", "f.yaml:10:13: ulps: 4 is not below 2"),
        ("[{verdicts: [exact]}]", "f.yaml:10:18: verdicts: 'exact' is not known"),
        ("[{values: [none]}]", "f.yaml:10:16: values: 'none' is no number"),
        ("[{value: 3}]", "did you mean 'values'?"),
        ("[{values: [0], cases: [three]}]", ""),
    ],
)
def test_faults_have_their_place(tmp_path: Path, observed: str, said: str) -> None:
    """Of the user's own file, wherever it lies."""
    (tmp_path / "cases.yaml").write_text(CASE)
    lines = [
        "known:",
        "- id: a",
        "  operation: softmax",
        "  cases: [one]",
        "  subject: torch",
        "  dtype: '*'",
    ]
    lines += ["  reason: r", "  source: s", "  observed:", f"    {observed}"]
    (tmp_path / "f.yaml").write_text("\n".join(lines))
    if not said:  # nothing of the selection: no fault where the selection is a part
        assert not load_cases([tmp_path / "cases.yaml"], known=[tmp_path / "f.yaml"])[0].known
        return
    with pytest.raises(CaseError) as raised:
        load_cases([tmp_path / "cases.yaml"], known=[tmp_path / "f.yaml"])
    assert said in str(raised.value)


def test_a_users_file_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "cases.yaml").write_text(CASE)
    with pytest.raises(CaseError, match=r"none\.yaml:1:1: cannot be read"):
        load_cases([tmp_path / "cases.yaml"], known=[tmp_path / "none.yaml"])


def test_over_the_whole_corpus_a_users_entry_must_fit(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text(
        "known:\n- {id: a, operation: softmax, cases: [gone], subject: torch, reason: r, source: s}\n"
    )
    with pytest.raises(CaseError, match=r"f\.yaml:2:3: a fits no check of any case"):
        load_cases(known=[tmp_path / "f.yaml"])
