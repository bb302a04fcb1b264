"""`cover`: an entry stands for a covering array of its axes' options."""

from __future__ import annotations

import hashlib
import itertools
import json
from pathlib import Path

import jsonschema
import pytest

from conformance.cases import covering
from conformance.cases.case import Case
from conformance.cases.covering import covering_rows
from conformance.cases.discovery import corpus
from conformance.cases.json_schema import schema
from conformance.cases.loader import load_cases
from conformance.errors import CaseError
from conformance.yaml.limits import Limits
from conformance.yaml.problems import Faults
from conformance.yaml.tree import Mapping, parse, plain

AXES = {
    "values": ["ordinary", "overflow", "mask", "ties"],
    "shape": ["row", "rows", "image"],
    "layout": ["contiguous", "transposed", "strided"],
    "reduction": ["none", "sum", "mean"],
    "dtype": ["float16", "float32"],
}
NEVER = [{"shape": ["row"], "layout": ["transposed"]}]
ENTRY = """source: tests
cases:
  - id: meet
    operation: cross_entropy
    inputs: {target: {labels: {seed: 1}}}
    why: by threes
    cover:
      strength: 3
      axes:
        values:
          ordinary: {inputs: {logits: {normal: {scale: 2, seed: 2}}}}
          overflow: {inputs: {logits: {offset: {offset: 1000, scale: 4, seed: 3}}}}
        shape:
          row: {sizes: {logits: {shape: [8]}, target: {shape: [], classes: 8}, upstream: {shape: []}}}
          rows: {sizes: {logits: {shape: [4, 8]}, target: {shape: [4], classes: 8}, upstream: {shape: [4]}}}
        layout:
          contiguous: {}
          transposed: {layout: {logits: transposed}}
        reduction:
          none: {parameters: {reduction: none}}
          sum: {parameters: {reduction: sum}}
        upstream:
          plain: {}
          large: {upstream: {uniform: {low: 1024, high: 4096, seed: 4}}}
      never:
        - {shape: row, layout: transposed}
"""


def load(folder: Path, text: str, limits: Limits | None = None) -> list[Case]:
    (folder / "f.yaml").write_text(text)
    return load_cases([folder / "f.yaml"], limits)


def meetings(row: dict[str, str], strength: int = 3) -> set[frozenset[tuple[str, str]]]:
    return {frozenset(some) for some in itertools.combinations(row.items(), strength)}


class TestRows:
    def test_every_three_options_meet_but_those_that_cannot(self) -> None:
        rows = covering_rows(AXES, 3, NEVER)
        met = set().union(*(meetings(row) for row in rows))
        possible = {
            frozenset(zip(axes, options, strict=True))
            for axes in itertools.combinations(AXES, 3)
            for options in itertools.product(*(AXES[axis] for axis in axes))
        }
        cannot = {("shape", "row"), ("layout", "transposed")}
        assert met == {meeting for meeting in possible if not cannot <= meeting}
        assert len(rows) < 4 * 3 * 3 * 3 * 2 / 2

    def test_they_are_kept(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CONFORMANCE_CACHE", str(tmp_path))
        rows = covering_rows(AXES, 2, NEVER)
        (kept,) = (tmp_path / "covering").iterdir()
        assert json.loads(kept.read_text()) == rows
        kept.write_text("[{}]")  # damaged
        assert covering_rows(AXES, 2, NEVER) == rows

    def test_they_are_the_same_for_ever(self) -> None:
        """A change here changes the ids of the corpus."""
        text = json.dumps(covering_rows(AXES, 3, NEVER), sort_keys=True)
        assert hashlib.sha256(text.encode()).hexdigest()[:16] == "85266d1f7e120112"

    def test_those_of_the_corpus_are_the_same_for_ever(self) -> None:
        ids = [case.id for case in load_cases([corpus() / "interactions"])]
        assert hashlib.sha256("\n".join(ids).encode()).hexdigest()[:16] == "d670d300ba45a149"


class TestCases:
    def test_sizes_complete_the_generators(self, tmp_path: Path) -> None:
        for case in load(tmp_path, ENTRY):
            _, shape, layout, reduction, upstream = case.id[5:-1].split(",")
            assert case.inputs["logits"].shape == ((8,) if shape == "row" else (4, 8))
            assert case.inputs["target"].shape == (() if shape == "row" else (4,))
            assert case.layout == ({"logits": "transposed"} if layout == "transposed" else {})
            assert case.parameters["reduction"] == reduction
            whole = reduction == "none" and shape == "rows"
            assert (case.upstream is None) == (upstream == "plain")
            assert case.upstream is None or case.upstream.shape == ((4,) if whole else ())

    def test_each_says_what_it_is_the_first_to_bring_together(self, tmp_path: Path) -> None:
        cases = load(tmp_path, ENTRY)
        assert cases[0].why == "by threes; first to meet: values ordinary x shape row x layout contiguous"
        assert len({case.why for case in cases}) == len(cases)

    def test_their_count_is_bounded(self, tmp_path: Path) -> None:
        with pytest.raises(CaseError, match=r"f.yaml:7:5: cover: \d+ cases, 3 are left in this file"):
            load(tmp_path, ENTRY, Limits(cases=3))

    def test_the_schema_has_it(self) -> None:
        root = parse(ENTRY.encode(), Limits(), Faults("f.yaml"))
        assert isinstance(root, Mapping)
        validator = jsonschema.Draft202012Validator(schema())
        validator.validate(plain(root))
        wrong = plain(parse(ENTRY.replace("strength: 3", "strenght: 3").encode(), Limits(), Faults("f.yaml")))
        assert not validator.is_valid(wrong)


class TestFaults:
    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ("strength: 3", "strength: 9", "8:17: cover: strength: an integer from 1 to 4"),
            ("strength: 3", "strenght: 3", "8:7: cover: the key 'strenght': did you mean 'strength'"),
            ("shape: row, layout", "shapes: row, layout", "26:12: never: no axis 'shapes': did you mean"),
            ("layout: transposed}\n", "layout: turned}\n", "26:32: never: no option 'turned'"),
            ("{shape: row, layout: transposed}\n", "row\n", "26:11: cover: a text among never"),
            ("none: {parameters", "none: {id", "cover: the key `id` in an option"),
            ("transposed: {layout: {logits", "transposed: {layout: {logit", "'logit' is no tensor"),
        ],
    )  # fmt: skip
    def test_at_their_place(self, tmp_path: Path, old: str, new: str, message: str) -> None:
        assert old in ENTRY
        with pytest.raises(CaseError) as caught:
            load(tmp_path, ENTRY.replace(old, new))
        assert message in str(caught.value)

    def test_vary_beside_cover(self, tmp_path: Path) -> None:
        with pytest.raises(CaseError, match="vary beside cover: an entry for each"):
            load(tmp_path, ENTRY.replace("    cover:", "    vary: {a: {b: {}}}\n    cover:"))

    def test_no_axes(self, tmp_path: Path) -> None:
        text = ENTRY[: ENTRY.index("    cover:")] + "    cover: 3\n"
        with pytest.raises(CaseError, match=r"f.yaml:7:5: cover: an integer without axes"):
            load(tmp_path, text)

    def test_a_cache_that_cannot_be_written_is_done_without(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "file").write_text("")
        monkeypatch.setattr(covering, "cache_directory", lambda: tmp_path / "file")
        assert covering_rows(AXES, 1) == covering_rows(AXES, 1)
