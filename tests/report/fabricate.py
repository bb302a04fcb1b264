"""A made-up run with the real frames' columns: for pages that must be drawn before anything was measured."""

from __future__ import annotations

import math
from itertools import combinations, product
from typing import Any

import numpy as np
import pandas as pd

from conformance.results import run
from conformance.results.run import Run

OPERATIONS = (
    "sigmoid",
    "log_sigmoid",
    "softmax",
    "log_softmax",
    "logsumexp",
    "one_hot",
    "nll_loss",
    "cross_entropy",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
)
FORMULATIONS = ("functional", "module", "composed", "naive")
SUBJECTS = ("numpy", "torch", "tensorflow", "jax")
VERSIONS = {"numpy": "2.4.6", "torch": "2.13.0", "tensorflow": "2.21.0", "jax": "0.10.2"}
DTYPES = ("float16", "bfloat16", "float32", "float64")
POSTS = (
    "000_4dde878f34a0f263.txt",
    "001_073a0e06d37fbd35.txt",
    "002_f9c5598ee2dc6448.txt",
    "003_b571dd78b6e0ff6f.txt",
)
HOSTILE = (
    '</script><script>document.title="owned"</script>',
    "<img src=x onerror=\"document.title='owned'\">",
    "\"quotes\" 'single' `back` & ampersand; {{ 7 * 7 }} ${1} %s \\u003c",
    '=HYPERLINK("http://example.invalid")',
    "line\nbreak\ttab\r\nwindows \u202e backwards \u2028 separator",
    "x" * 10_000,
    "<b>" * 3_333,
    "nul \x00 bell \x07 escape \x1b[31m red \x1b]0;owned\x07 delete \x7f next line \x85 end",
    "\u05e9\u05dc\u05d5\u05dd \u0627\u0644\u0639\u0631\u0628\u064a\u0629 (1 < 2) \u202etxt.exe \u2067end",
    "cross-entropy-options[none,varied,some-ignored,0.1]",
)
BRACKETS = HOSTILE[9]
LONG = "<" + "é" * 9_998 + ">"


COPYABLE = "sigmoid-of-minus-12"  # the one case whose inputs are there: its reproduction runs
_EXP = np.exp(-np.abs(np.float32([3, -12])))
SIGMOID = (np.where(np.float32([3, -12]) < 0, _EXP, np.float32(1)) / (1 + _EXP))[1]


def inputs_of(case: str, dtype: str) -> dict[str, Any]:
    """The inputs of the one case that has some; KeyError for all others."""
    return {COPYABLE: {"x": np.array([3.0, -12.0])}}[case]


def _frame(checks: int, seed: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    block = len(OPERATIONS) * len(FORMULATIONS) * 2 * len(DTYPES) * len(SUBJECTS)
    cases = math.ceil(checks / block)
    keys = pd.MultiIndex.from_product(
        [range(cases), OPERATIONS, FORMULATIONS, ("value", "gradient:x"), DTYPES, SUBJECTS],
        names=["number", "operation", "formulation", "quantity", "dtype", "subject"],
    ).to_frame(index=False)[:checks]
    count = len(keys)
    ulps = np.abs(random.standard_cauchy(count)) * 0.6
    bound = 8 + random.integers(0, 60, count) + random.random(count)
    attainable = bound * (0.2 + 0.6 * random.random(count))
    naive = (keys["formulation"] == "naive").to_numpy()
    ulps = np.where(naive, ulps * 40, np.minimum(ulps, bound * 0.98))
    verdict = np.select(
        [ulps <= 0.5, ulps < 1, ulps <= attainable, ulps <= bound, ulps < 1000],
        ["exact", "faithful", "accurate", "stable", "lossy"],
        "wrong",
    ).astype(object)
    exact = np.exp(-6 * random.random(count))
    frame = pd.DataFrame(
        {
            "case": keys["operation"].str.replace("_", "-") + "-" + keys["number"].astype(str).str.zfill(3),
            **{name: keys[name] for name in ("operation", "formulation", "quantity", "dtype", "subject")},
            "framework_version": keys["subject"].map(VERSIONS),
            "verdict": verdict,
            "conforms": pd.array(ulps <= bound, dtype="boolean"),
            "ulp_error": ulps,
            "ulp_bound": bound,
            "ulp_attainable": attainable,
            "observed": [repr(float(v)) for v in np.float32(exact)],
            "exact": [f"{v:.24e}" for v in exact],
            "worst_index": [f"[{i}, {i % 3}]" for i in random.integers(0, 4, count)],
            "known": "",
            "message": "",
            "source": [POSTS[n % 4] if n < 4 else "" for n in keys["number"]],
            "framework": keys["subject"],
            "textbook": naive,
            "ratio": ulps / bound,
            "elements": random.integers(1, 99, count),
            "shape": "[4, 3]",
            "bits": [f"{v:016x}" for v in random.integers(0, 2**62, count)],
            "file": "cases/seeds/softmax.yaml",
            "line": 10 + keys["number"] % 90,
            "tags": np.where((keys["number"] < 4) & (keys["operation"] != "logsumexp"), "seed", "extreme"),
            "why": "a row that only this case reaches",
        }
    )
    return _special(frame)


def _special(frame: pd.DataFrame) -> pd.DataFrame:
    """Known deviations, discrepancies of every kind, what is unsupported, and text that means harm."""
    lacks = (frame["formulation"] == "module") & frame["subject"].isin(["numpy", "jax"])
    frame.loc[lacks, ["verdict", "message", "observed"]] = ["unsupported", "the framework has no modules", ""]
    frame.loc[lacks, "conforms"] = pd.NA
    frame.loc[lacks, ["ulp_error", "ulp_bound", "ulp_attainable", "ratio"]] = math.nan
    bce = (frame["operation"] == "binary_cross_entropy_with_logits") & (frame["subject"] == "torch")
    known = bce & (frame["formulation"] == "functional") & (frame["quantity"] == "value")
    frame.loc[known, ["verdict", "known"]] = [
        "lossy",
        "max(x, 0) - x t + log1p(exp(-|x|)) cancels for target 0 (https://github.com/pytorch/pytorch/issues/195529)",
    ]
    frame.loc[known, ["conforms", "ulp_error", "source"]] = [
        False,
        6.5e5,
        "https://github.com/pytorch/pytorch/issues/195529",
    ]
    alike = frame["case"].eq("cross-entropy-000") & frame["formulation"].eq("functional")
    alike &= frame["dtype"].eq("float32") & frame["quantity"].eq("value")
    frame.loc[alike, ["verdict", "observed", "exact"]] = ["stable", "0.0", "2.0611536181902037e-09"]
    frame.loc[alike, ["ulp_error", "ulp_bound", "ulp_attainable", "ratio"]] = [1.4e7, 2.9e7, 7.2, 0.48]
    return _harm(frame)


def _harm(frame: pd.DataFrame) -> pd.DataFrame:
    """Discrepancies of every kind, with texts that hold markup, quotes and 10,000 letters."""
    pick = frame.index[(frame["formulation"] == "functional") & (frame["known"] == "")]
    if len(pick) < 40:
        return frame
    _failures(frame, pick)
    _copyable(frame, pick[36])
    frame.loc[pick[30], "case"] = HOSTILE[1] + "-case"
    frame.loc[pick[33], ["case", "known", "verdict"]] = [HOSTILE[6], HOSTILE[0], "wrong"]
    frame.loc[pick[31], ["case", "verdict"]] = [HOSTILE[8], "wrong"]
    frame.loc[pick[32], ["case", "verdict"]] = [BRACKETS, "wrong"]
    frame.loc[pick[34], ["case", "verdict"]] = [HOSTILE[7], "wrong"]
    plain = frame.index[
        frame["operation"].eq("softmax") & frame["textbook"].eq(False) & frame["known"].eq("")
    ]
    for place, row in enumerate(plain[:42:3]):  # more reasons than are shown at once
        frame.loc[row, ["known", "verdict", "conforms", "ulp_error"]] = [
            f"reason {place}",
            "lossy",
            False,
            99,
        ]
    frame.loc[pick[35], ["case", "known", "verdict"]] = ["long-reason", "because " * 1_250, "wrong"]
    frame.loc[pick[35], "conforms"] = False
    frame.loc[pick[31:33], "conforms"] = False
    frame.loc[pick[34], "conforms"] = False
    frame.loc[pick[33], "conforms"] = False
    return frame


def _failures(frame: pd.DataFrame, pick: pd.Index) -> None:
    """A failure of every kind, each with a text that means harm."""
    for number, (verdict, text) in enumerate(
        [
            ("wrong", HOSTILE[0]),
            ("raised", HOSTILE[1]),
            ("crashed", HOSTILE[2]),
            ("timed out", HOSTILE[3]),
            ("lossy", HOSTILE[4]),
            ("wrong", HOSTILE[5]),
            ("raised", LONG),
            ("wrong", HOSTILE[7]),
            ("raised", HOSTILE[8]),
        ]
    ):
        row = pick[number * 3]
        frame.loc[row, ["verdict", "message"]] = [verdict, text]
        frame.loc[row, "conforms"] = False
        if verdict in {"raised", "crashed", "timed out"}:
            frame.loc[row, ["observed", "exact", "worst_index", "shape"]] = ""
            frame.loc[row, ["ulp_error", "ulp_bound", "ulp_attainable", "ratio"]] = math.nan
        else:
            frame.loc[row, ["ulp_error", "ratio"]] = [math.inf if verdict == "wrong" else 4321.5, math.inf]
            frame.loc[row, "observed"] = "nan" if verdict == "wrong" else "0.25"


def _copyable(frame: pd.DataFrame, row: int) -> None:
    """The one check whose inputs are there: its reproduction runs."""
    frame.loc[row, ["case", "verdict", "observed", "exact", "worst_index", "source"]] = [
        COPYABLE,
        "lossy",
        str(SIGMOID),
        "6.144174602214718094e-6",
        "[1]",
        "https://github.com/pytorch/pytorch/issues/195529",
    ]
    frame.loc[row, ["operation", "formulation", "quantity", "dtype", "subject", "framework"]] = [
        "sigmoid",
        "functional",
        "value",
        "float32",
        "numpy",
        "numpy",
    ]
    frame.loc[row, "conforms"] = False


def fabricate(checks: int = 2_000, seed: int = 1, complete: bool = True) -> Run:
    """A run of `checks` checks with every frame filled; the same for ever for one seed."""
    frame = _frame(checks, seed).astype(run.RESULTS)
    frames = {
        "relations": run.typed(_relations(seed), run.RELATIONS),
        "equivalence": run.typed(_equivalence(seed), run.EQUIVALENCE),
        "breaks": run.typed(_breaks(), run.BREAKS),
        "sweep": run.typed(_sweep(), run.SWEEP),
        "printed": run.typed(_printed(), run.PRINTED),
    }
    return Run(frame, _environment(frame, seed, complete), frames)


def _environment(frame: pd.DataFrame, seed: int, complete: bool) -> dict[str, Any]:
    subjects = {
        name: {
            "framework": name,
            "version": VERSIONS[name],
            "python": "3.11.7",
            "numpy": "2.4.6",
            "device": "cpu",
            "mode": "jit" if name == "jax" else "eager",
            "hardware": {"cpu": "AVX-512"},
            "flushes_subnormals": name == "tensorflow",
            "seconds": 12.5,
        }
        for name in SUBJECTS
    }
    return {
        "format": 1,
        "id": f"run-{seed}",
        "started": "2026-11-21T09:00:00+00:00",
        "finished": "2026-11-21T09:01:10+00:00",
        "complete": complete,
        "seconds": 70.2,
        "subjects": subjects,
        "hardware": {"machine": "x86_64", "cpu": "Xeon with AVX-512", "cores": 2},
        "settings": {"paths": ["cases"]},
        "conformance": "0.1.0",
        "counts": frame["verdict"].value_counts().to_dict(),
    }


def _equivalence(seed: int) -> list[dict[str, Any]]:
    random = np.random.default_rng(seed)
    rows = []
    for operation, formulation, dtype in product(OPERATIONS, FORMULATIONS, DTYPES):
        for a, b in combinations(SUBJECTS, 2):
            same = int(random.integers(0, 21))
            rows.append(
                {
                    "operation": operation,
                    "formulation": formulation,
                    "quantity": "value",
                    "dtype": dtype,
                    "subject_a": a,
                    "subject_b": b,
                    "checks": 20,
                    "identical": same,
                    "share_identical": same / 20,
                    "largest_distance": float(random.integers(0, 9)),
                    "beyond_bounds": int(random.random() < 0.02),
                    "worst_case": "softmax-001",
                    **_by_class(same),
                }
            )
    return rows


def _by_class(same: int) -> dict[str, Any]:
    """Twenty checks: most on ordinary inputs, one on special ones."""
    figures = {"ordinary": (15, 0, 0.0, 2.0, 3.0), "extreme": (4, same % 2, 1.0, 8.0, 9.0)}
    figures["special"] = (1, 0, 0.0, 0.0, 0.0)
    names = ("checks", "beyond", "median", "p99", "largest")
    return {
        f"{values}_{name}": figure
        for values, row in figures.items()
        for name, figure in zip(names, row, strict=True)
    }


IDENTITIES = (
    ("softmax + log = log_softmax", "log_softmax", "naive", "functional"),
    ("log_softmax + nll = cross_entropy", "cross_entropy", "composed", "functional"),
    ("module = functional", "cross_entropy", "module", "functional"),
)


def _relations(seed: int) -> list[dict[str, Any]]:
    random = np.random.default_rng(seed)
    rows = []
    for post, source in enumerate((*POSTS, "")):
        for (name, operation, left, right), dtype, subject in product(IDENTITIES, DTYPES, SUBJECTS):
            broken = source == "" and left == "naive"
            rows.append(
                {
                    "case": f"{operation.replace('_', '-')}-{post:03d}",
                    "relation": name,
                    "operation": operation,
                    "quantity": "value",
                    "dtype": dtype,
                    "subject": subject,
                    "left": left,
                    "right": right,
                    "judgement": "broken"
                    if broken
                    else ("identical", "within bounds")[int(random.integers(2))],
                    "distance": math.inf if broken else float(random.integers(0, 4)),
                    "allowed": 17.5,
                    "textbook": left == "naive",
                    "message": "",
                    "source": source,
                }
            )
    return rows


def _breaks() -> list[dict[str, Any]]:
    gaps = {"float16": 17.328, "bfloat16": 92.5, "float32": 103.972, "float64": 745.133}
    return [
        {
            "relation": "softmax + log = log_softmax",
            "operation": "log_softmax",
            "dtype": dtype,
            "subject": subject,
            "left": "naive",
            "right": "functional",
            "holds_to": gap - 2**-10,
            "holds_to_bits": (gap - 2**-10).hex(),
            "breaks_at": gap,
            "breaks_at_bits": gap.hex(),
            "left_value": "-inf",
            "right_value": f"-{gap:.6f}",
            "exact": f"-{gap:.6f}",
            "case": "log-softmax-frontier",
        }
        for (dtype, gap), subject in product(gaps.items(), SUBJECTS)
    ]


def _sweep() -> list[dict[str, Any]]:
    rows = []
    precisions = {"float16": 11, "bfloat16": 8, "float32": 24, "float64": 53}
    lines = product(
        precisions.items(), ("log_softmax", "cross_entropy"), ("functional", "naive"), enumerate(SUBJECTS)
    )
    for (dtype, precision), operation, formulation, (number, subject) in lines:
        for gap in np.geomspace(0.1, 2000, 40):
            lost = math.exp(min(gap, 500)) if formulation == "naive" else 1 + math.sin(gap * (number + 1))
            error = min(lost, 2.0**precision * 4)
            rows.append(
                {
                    "case": f"{operation}-frontier",
                    "operation": operation,
                    "formulation": formulation,
                    "quantity": "value",
                    "dtype": dtype,
                    "subject": subject,
                    "gap": float(gap),
                    "ulp_error": math.inf if error >= 2.0**precision else error,
                    "ulp_bound": 6 + min(math.exp(min(gap, 30)), 2.0**precision),
                    "ulp_attainable": 5.0,
                }
            )
    return rows


def _printed() -> list[dict[str, Any]]:
    figures = (("5.6638", "5.66384"), ("0.5173", "0.51729"), ("1.7541", "1.75408"), ("1.3863", "1.386294"))
    return [
        {
            "case": f"cross-entropy-{number:03d}",
            "source": POSTS[number],
            "printed": shown,
            "exact": exact,
            "subject": subject,
            "formulation": formulation,
            "observed": exact,
            "confirmed": True,
        }
        for (number, (shown, exact)), subject, formulation in product(
            enumerate(figures), SUBJECTS, ("functional", "module")
        )
    ]
