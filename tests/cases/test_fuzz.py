"""Case files are data from strangers: whatever the bytes, either cases or a CaseError come out, and soon."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance.cases.discovery import corpus, files
from conformance.cases.loader import load_cases
from conformance.cases.tensors.generators import GENERATORS
from conformance.errors import CaseError
from conformance.operations import OPERATIONS
from conformance.yaml.limits import Limits

FEW = Limits(elements=2**12)
SOON = settings(
    deadline=5000, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
FILES = [path.read_bytes() for path in files([corpus()])]
LINE = re.compile(r"[^\n]+?:\d+(:\d+)?: [ -~]+|[^\n]+: and \d+ more")

TOKENS = [
    "source: s\n",
    "cases:\n",
    "  - id: a\n",
    "    operation: softmax\n",
    "    inputs: {x: [1, 2]}\n",
    "- ",
    "? ",
    ": ",
    "\n",
    "  ",
    "    ",
    "[",
    "]",
    "{",
    "}",
    ",",
    "&a ",
    "*a",
    "!!str ",
    "!x ",
    "|\n",
    ">-\n",
    "'",
    '"',
    "\\",
    "#",
    "%YAML 1.2\n",
    "---\n",
    "...\n",
    "\t",
    "<<: ",
    ".inf",
    ".nan",
    "1e999",
    "0x",
    "~",
    "null",
    "é",
    "\U0001f600",
    "\x85",
    "\u2028",
    "=",
    "@",
    "`",
]

numbers = st.one_of(
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.booleans(),
    st.none(),
    st.sampled_from(
        [
            "max",
            "-max + 1ulp",
            "exp_overflow",
            "1 - 999999ulp",
            "1 - 99999999ulp",
            "0x1p3",
            "0x",
            "0x1p99999",
            "x",
        ]
    ),
)
nested = st.recursive(numbers, lambda inner: st.lists(inner, max_size=4), max_leaves=12)
sizes = st.lists(st.integers(-1, 5) | st.just(2**40) | numbers, max_size=9)
settings_of_generators = st.dictionaries(
    st.sampled_from(
        ["shape", "seed", "scale", "low", "high", "steps", "classes", "value", "share", "keep", "gap", "odd"]
    ),
    numbers | sizes,
    max_size=6,
)
generators = st.dictionaries(
    st.sampled_from([*GENERATORS, "file", "odd"]), settings_of_generators | st.text(), max_size=2
)
tensors = nested | generators
anything = st.recursive(
    st.text(max_size=5) | numbers,
    lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=3), x),
    max_leaves=8,
)
inputs = ["x", "logits", "probs", "target", "log_probs"]
parameters = [
    "axis",
    "weight",
    "pos_weight",
    "reduction",
    "ignore_index",
    "label_smoothing",
    "num_classes",
    "reduce",
]
cases = st.fixed_dictionaries(
    {
        "id": st.sampled_from(["a", "b", "c", "a b"]),
        "operation": st.sampled_from([*OPERATIONS, "odd"]),
        "inputs": st.dictionaries(st.sampled_from(inputs), tensors, max_size=3),
    },
    optional={
        "parameters": st.dictionaries(
            st.sampled_from(parameters), tensors | st.sampled_from(["mean", "sum", "none"])
        ),
        "dtypes": st.lists(
            st.sampled_from(["float16", "bfloat16", "float32", "float64", "int8"]), max_size=3
        ),
        "formulations": st.lists(st.sampled_from(["functional", "naive", "odd"]), max_size=3) | anything,
        "quantities": st.lists(st.sampled_from(["value", "gradient"]), max_size=2) | anything,
        "printed": nested,
        "decimals": numbers,
        "expect": st.sampled_from(["value", "error", "nan", "zero"]) | anything,
        "known": st.lists(
            st.dictionaries(st.sampled_from(["subject", "reason", "source", "versions"]), st.text())
        ),
        "tags": anything,
        "why": anything,
        "odd": anything,
    },
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


def survives(folder: Path, data: bytes) -> None:
    """The claim of this file: sound cases, or lines that a person can read."""
    path = folder / "f.yaml"
    path.write_bytes(data)
    try:
        found = load_cases([path], FEW)
    except CaseError as error:
        for line in str(error).splitlines():
            assert LINE.fullmatch(line), line
        return
    for case in found:
        if case.expect != "error":
            case.arguments(case.dtypes[0])


class TestWhateverTheBytes:
    @SOON
    @given(st.binary(max_size=200))
    def test_bytes(self, folder: Path, data: bytes) -> None:
        survives(folder, data)

    @SOON
    @given(st.lists(st.sampled_from(TOKENS) | st.text(max_size=3), max_size=60))
    def test_words_of_yaml(self, folder: Path, tokens: list[str]) -> None:
        survives(folder, "".join(tokens).encode("utf-8", "surrogatepass"))

    @SOON
    @given(st.lists(cases, max_size=3), st.text(max_size=5))
    def test_cases_of_odd_parts(self, folder: Path, entries: list[Any], source: str) -> None:
        """JSON is YAML: what Python writes as nan and infinity are texts there."""
        survives(folder, json.dumps({"source": source, "cases": entries}).encode())

    @SOON
    @given(st.sampled_from(FILES), st.data())
    def test_the_corpus_cut_and_patched(self, folder: Path, file: bytes, data: st.DataObject) -> None:
        for _ in range(data.draw(st.integers(1, 4))):
            start = data.draw(st.integers(0, len(file)))
            end = min(len(file), start + data.draw(st.integers(0, 30)))
            patch = data.draw(st.sampled_from(TOKENS).map(str.encode) | st.binary(max_size=4))
            file = file[:start] + patch + file[end:]
        survives(folder, file[:4000])

    @SOON
    @given(st.binary(max_size=80), st.integers(0, 2))
    def test_npy_files(self, folder: Path, data: bytes, kept: int) -> None:
        """Bytes after a sound magic, and after a sound header."""
        np.save(folder / "x.npy", np.zeros(3))
        head = (folder / "x.npy").read_bytes()[: (0, 8, 100)[kept]]
        (folder / "x.npy").write_bytes(head + data)
        survives(folder, b"source: s\ncases: [{id: a, operation: softmax, inputs: {x: {file: x.npy}}}]")


class TestSoon:
    @pytest.mark.parametrize(
        "text",
        [
            "a: " + "x " * 130_000,
            "[" * 260_000,
            "{a: " * 60_000,
            "- " * 130_000,
            "? " * 130_000,
            "&a " * 80_000,
            "!" * 260_000,
            "'" * 260_000,
            "#\n" * 130_000,
            "[" + "\n" * 260_000,
            "a: |\n" + " x\n" * 80_000,
            "1," * 130_000,
            "[" + "1, " * 80_000 + "]",
            "---\n" * 60_000,
            "\\" * 260_000,
            '"' + "\\x41" * 60_000 + '"',
            "a: >\n" + " x\n\n" * 60_000,
            "[" + "exp_overflow - 999999999ulp, " * 8000 + "]",
            "9" * 260_000,
            "a: " + "9" * 4000 + "e" + "9" * 4000,
        ],
    )
    def test_the_worst_texts_below_the_limit(self, folder: Path, text: str) -> None:
        """Each takes about a second on one slow core; a quadratic scanner would take minutes."""
        survives(folder, text.encode())
        survives(
            folder, b"source: s\ncases: [{id: a, operation: softmax, inputs: {x: " + text.encode() + b"}}]"
        )
