"""What a reader is told about a case file that is not right: where, what is wrong, what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest
from case_faults import HEAD, SOFTMAX, faults

from conformance.cases.loader import load_cases
from conformance.errors import CaseError
from conformance.yaml.problems import MAX_LISTED_FAULTS

ENTROPY = HEAD + "    operation: cross_entropy\n"

STRUCTURE = [
    ("", "f.yaml:1:1: the file holds no mapping: the keys `source` and `cases`"),
    ("[1]", "f.yaml:1:1: the file holds no mapping: the keys `source` and `cases`"),
    ("source: s", "f.yaml:1:1: the key `cases` is missing: a list of cases"),
    ("source: s\ncases: []", "f.yaml:2:8: cases: empty: a list of cases"),
    ("source: s\ncases: 3", "f.yaml:2:8: cases: an integer ('3'): a list of cases"),
    ("source: s\ncases: [3]", "f.yaml:2:9: an integer as a case: a mapping with id, operation, inputs"),
    (
        "source: s\ncase: []\ncases: [3]",
        "f.yaml:2:1: unknown key 'case': did you mean 'cases'? There are: source",
    ),
    (
        HEAD.replace("source: s\n", ""),
        "f.yaml:2:5: a case without a source: `source` at the top of the file or",
    ),
    (HEAD, "f.yaml:3:5: the key `operation` is missing: an operation's name, as cross_entropy"),
    (SOFTMAX, "f.yaml:3:5: the key `inputs` is missing: a mapping of the operation's inputs to tensors"),
    (
        SOFTMAX + "    inputs: [1]",
        "f.yaml:5:13: inputs: a list: a mapping of the operation's inputs to tensors",
    ),
    (SOFTMAX.replace("id: a", "id: a b"), "f.yaml:3:9: id: 'a b' is not right: a name unique over all files"),
    (
        SOFTMAX + "    inputs: {x: [1, 2]}\n    tracked: none\n    quantities: [value, gradient]",
        "f.yaml:7:17: tracked: none, and gradient among the quantities: [value], or `tracked: first`",
    ),
    (
        SOFTMAX + "    inputs: {x: [1, 2]}\n    tracked: none\n    upstream: [1, 2]",
        "f.yaml:7:15: upstream: this case has no gradient: a case with a gradient, or no `upstream`",
    ),
    (
        SOFTMAX + "    inputs: {x: [1, 2]}\n    tracked: some",
        "f.yaml:6:14: tracked: 'some' is not known: one of: all, first, none, weights",
    ),
    (
        SOFTMAX + "    inputs: {x: [1, 2]}\n    tracked: weights",
        "f.yaml:6:14: tracked: weights, and none is given: parameters: {weight: ...}, or all",
    ),
    (
        SOFTMAX + "    inputs: {x: [1, 2]}\n    layout: {upstream: broadcast}",
        "f.yaml:6:24: the rows of upstream differ: equal rows, which share memory",
    ),
    (
        SOFTMAX + "    inputs: {x: [1, -2]}\n    graph: result",
        "f.yaml:6:12: graph: result, and a number of x that is not above 0: numbers above 0, which a ReLU",
    ),
    (
        SOFTMAX + "    inputs: {x: [1, 2]}\n    graph: shared\n    tracked: none",
        "f.yaml:6:12: graph: shared, and no gradient alone: quantities of value and gradient",
    ),
    (SOFTMAX.replace("id: a", "id: 12"), "f.yaml:3:9: id: an integer ('12'): a name unique over all files"),
    (SOFTMAX + "    id: b", "f.yaml:5:5: the key 'id' a second time (first on line 3): each key once"),
    (SOFTMAX + "    inputs: {y: [1]}", "f.yaml:5:14: softmax has no input 'y': one of: x"),
    (SOFTMAX + "    inputs: {y: [1]}", "f.yaml:5:13: the input `x` is missing: softmax(x, *, axis=-1, "),
    (
        HEAD + "    operation: sofmax",
        "f.yaml:4:16: no operation 'sofmax': did you mean 'softmax'? There are: ",
    ),
    (HEAD + "    operation: no", "f.yaml:4:16: no operation 'no': one of: sigmoid"),
]

KEYS = [
    ("parameters: {axs: 1}", "6:18: softmax has no parameter 'axs': did you mean 'axis'? There are: axis"),
    ("parameters: {axis: 1.5}", "6:24: axis: a number ('1.5'): an integer"),
    ("parameters: {axis: 7}", "6:24: axis 7 is out of range for 1 dimensions"),
    (
        "dtypes: [float31]",
        "6:14: dtypes: 'float31' is not known: did you mean 'float32'? There are: float16, bfloat16",
    ),
    ("dtypes: float32", "6:13: dtypes: a text ('float32'): a list of dtypes, as [float32, float64]"),
    ("dtypes: []", "6:13: dtypes: empty: a list of dtypes, as [float32, float64]"),
    ("dtypes: [float32, float32]", "6:13: dtypes: 'float32' is listed twice: a list of dtypes"),
    (
        "formulations: [naive]",
        "6:20: softmax has no formulation 'naive': one of: functional, module, composed, manual",
    ),
    (
        "quantities: [values]",
        "6:18: quantities: 'values' is not known: did you mean 'value'? There are: value, gradient",
    ),
    ("expect: eror", "6:13: expect: 'eror' is not known: did you mean 'error'? There are: value, error, nan"),
    ("tags: seed", "6:11: tags: a text ('seed'): a list of names"),
    ("warns: yes", "6:12: warns: a text ('yes'): true where the framework must warn"),
    (
        "decimals: -1",
        "6:15: decimals: '-1' is not right: how many decimals of the inputs are known, from 0 to 30",
    ),
    ("why:", "6:5: why: nothing: one line: what only this case would catch"),
    (
        "label_dtype: int32",
        "6:18: label_dtype without labels: a case that has labels",
    ),
    ("label_dtype: int4", "6:18: label_dtype: 'int4' is not known: did you mean 'int64'? There are: int8"),
    ("printed: abc", "6:14: printed: 'abc' is no figure: a number as the source shows it"),
    ("printed: [0.1, 0.2, 0.7]", "6:14: printed figures of shape [3]: [2], the shape of the result"),
    ("printed: [[0.1], 0.7]", "6:14: printed figures in ragged lists: [2], the shape of the result"),
    ("printed: [0.1, 0.9]\n    dtypes: [float16]", "7:13: printed figures without float32: float32 too"),
    (
        "known: [{subject: torch, reason: r}]",
        "6:13: the key `source` is missing: where the deviation is documented",
    ),
    (
        "known: [{subject: pytorch, reason: r, source: s}]",
        "6:23: known: no subject is like 'pytorch': did you mean 'torch'?",
    ),
    (
        "known: [{subject: '*', reason: r, source: s, dtype: float8}]",
        "6:57: known: no dtype of this case is like 'float8': ",
    ),
    (
        "known: [{subject: '*', reason: r, source: s, quantity: 'gradient:y'}]",
        "6:60: known: no quantity of this case is like 'gradient:y': did you mean 'gradient:x'?",
    ),
    (
        "known: [{subject: '*', reason: r, source: s, formulation: naive}]",
        "6:63: known: no formulation of this case is like 'naive'",
    ),
    (
        "known: [{subject: '*', reason: r, source: s, versions: old}]",
        "6:60: versions: 'old' names no versions: versions of",
    ),
    (
        "known: [{subject: '*', reason: r, source: s, processor: 'avx512f, not sse9'}]",
        "6:61: known: no instruction set is 'sse9': ",
    ),
]

TENSORS = [
    ("[[1, 2], [3]]", "5:26: x: a list of 1 beside a list of 2: lists of one length at each level"),
    ("[1, [2]]", "5:21: x: a list of 1 beside a number: lists of one length at each level"),
    ("[1, {a: 2}]", "5:21: x: a mapping beside a number: lists of one length"),
    (
        "[1, true]",
        "5:21: x: a truth value ('true') among numbers: a number, its bits as '0x1.8p+3', or an edge",
    ),
    ("[1, null]", "5:21: x: nothing ('null') among numbers: a number, its bits"),
    ("[1, 1 2]", "5:21: x: a text ('1 2') among numbers: a number, its bits"),
    ("[1e5]", "5:18: x: 100000 overflows float16: `dtypes` without float16, .inf, or an edge as 'max'"),
    ("[100000]", "5:18: x: 100000 overflows float16: `dtypes` without float16"),
    ("[1e400]", "5:18: x: '1e400' overflows float64: .inf, or a smaller number"),
    (
        '["0x1.001p+3"]',
        "5:18: x: the bits '0x1.001p+3' are not those of any float16: `dtypes` without float16",
    ),
    ('["0x1p+9999"]', "5:18: x: a text ('0x1p+9999') among numbers"),
    (
        "[exp_overlow]",
        "5:18: x: no edge 'exp_overlow': did you mean 'exp_overflow'? There are: max, min_normal",
    ),
    ('["max + 1ulp"]', "5:18: x: max + 1ulp lies beyond the largest float16: `dtypes` without float16"),
    (
        "{norml: {shape: [2]}}",
        "5:18: x: no generator 'norml': did you mean 'normal'? There are: file, normal",
    ),
    ("{normal: 3}", "5:26: x: an integer as normal's settings: a mapping, as {shape: [4, 8], seed: 1}"),
    (
        "{normal: {}, uniform: {}}",
        "5:17: x: a mapping of 2 keys: nested lists of numbers, {file: name.npy}, or",
    ),
    ("{normal: {seed: 1}}", "5:26: the key `shape` is missing: the size of each axis, as [4, 8]"),
    (
        "{normal: {shape: [2], seed: 1, scal: 2}}",
        "5:48: unknown key 'scal': did you mean 'scale'? There are: shape, scale",
    ),
    ("{normal: {shape: [-2], seed: 1}}", "5:35: shape: '-2' is not right: the size of each axis"),
    (
        "{normal: {shape: [2], seed: 1, scale: .inf}}",
        "5:55: scale: '.inf' is not right: a finite number, or its bits",
    ),
    (
        "{normal: {shape: [2], seed: 1, scale: 1e300}}",
        "overflows float16: numbers that the case's dtypes have",
    ),
    ("{ladder: {low: 3, high: 8}}", "5:32: low: 3 is no power of two: a power of two, as 0.125"),
    ("{normal: {shape: [2], seed: 1, grid: 0.3}}", "5:54: grid: 0.3 is no power of two: a power of two"),
    ("{ladder: {low: 8, high: 8}}", "5:26: ladder: low 8 is not below high 8: the smaller number as low"),
    (
        "{normal: {shape: [99999, 99999], seed: 1}}",
        "5:17: x: 9999800001 elements in one case, the limit is 67108864",
    ),
    ("{labels: {shape: [2], classes: 0, seed: 1}}", "5:48: classes: '0' is not right"),
]

YAML = [
    ("a: [", "f.yaml:1:5: no YAML: "),
    ("a: 'b", "f.yaml:1:6: no YAML: 'found unexpected end of stream'"),
    (
        "a: b: c",
        "f.yaml:1:5: no YAML: 'mapping values are not allowed here': YAML 1.2; quote texts that hold",
    ),
    ("a: \x07", "f.yaml:1:4: the character U+0007 is not allowed in YAML: an escape in a double-quoted text"),
    (b"a: 1\nb: \xff", "f.yaml:2:4: the byte 0xff is no UTF-8: text in UTF-8"),
    ("a: 1\n---\nb: 2", "f.yaml:2:1: a second YAML document: one document a file"),
    ("%YAML 1.1\n---\na: 1", "f.yaml:2:1: a YAML version other than 1.2: no %YAML line"),
    ("%TAG ! tag:x,2000:\n---\na: 1", "f.yaml:2:1: a %TAG line: plain YAML without tags"),
    (
        "a: !!python/object:os.system [x]",
        "f.yaml:1:4: the tag 'tag:yaml.org,2002:python/object:os.system': the value alone",
    ),
    ("a: &b 1", "f.yaml:1:4: the anchor '&b': the value alone"),
    ("a: 1\nb: *a", "f.yaml:2:4: the alias '*a': the value itself"),
    ("? [a]\n: 1", "f.yaml:1:3: a list as a key: a word as a key"),
    (
        "[" * 100,
        "f.yaml:1:33: nested deeper than 32 levels: tensors of fewer axes (the limit is raised by",
    ),
    ("- 1\n" * 40000, "f.yaml:32000:3: more than 32000 values in one file: a `.npy` file for a large tensor"),
    (
        "#" * 600_000,
        "f.yaml:1:1: larger than 524288 bytes: more files, .npy files for tensors, or",
    ),
]


class TestMessages:
    @pytest.mark.parametrize(("text", "wanted"), STRUCTURE)
    def test_structure(self, tmp_path: Path, text: str, wanted: str) -> None:
        assert any(line.startswith(wanted) for line in faults(tmp_path, text)), faults(tmp_path, text)

    @pytest.mark.parametrize(("key", "wanted"), KEYS)
    def test_keys(self, tmp_path: Path, key: str, wanted: str) -> None:
        found = faults(tmp_path, SOFTMAX + f"    inputs: {{x: [1, 2]}}\n    {key}\n")
        assert len(found) == 1
        assert found[0].startswith(f"f.yaml:{wanted}")

    @pytest.mark.parametrize(("tensor", "wanted"), TENSORS)
    def test_tensors(self, tmp_path: Path, tensor: str, wanted: str) -> None:
        found = faults(tmp_path, SOFTMAX + f"    inputs: {{x: {tensor}}}\n")
        assert len(found) == 1
        assert wanted in found[0]

    @pytest.mark.parametrize(("text", "wanted"), YAML)
    def test_yaml(self, tmp_path: Path, text: str | bytes, wanted: str) -> None:
        assert any(line.startswith(wanted) for line in faults(tmp_path, text)), faults(tmp_path, text)

    @pytest.mark.parametrize(
        ("inputs", "wanted"),
        [
            (
                "{logits: [[1, 2]], target: [2]}",
                "5:40: label 2 is outside 0 .. 1 and is not ignored: arguments that fit",
            ),
            ("{logits: [[1, 2]], target: [0, 1]}", "5:22: labels must have shape [1]"),
            (
                "{logits: [[1, 2]], target: [0.5]}",
                "5:22: class probabilities must have the logits' shape [1, 2], not [1]",
            ),
            (
                "{logits: [[1, 2]], target: [9999999999999999999]}",
                "5:41: target: the label '9999999999999999999' lies outside",
            ),
        ],
    )
    def test_arguments_that_do_not_fit(self, tmp_path: Path, inputs: str, wanted: str) -> None:
        (found,) = faults(tmp_path, ENTROPY + f"    inputs: {inputs}\n")
        assert found.startswith(f"f.yaml:{wanted}")

    def test_labels_are_integers(self, tmp_path: Path) -> None:
        text = (
            ENTROPY.replace("cross_entropy", "nll_loss")
            + "    inputs: {log_probs: [[1, 2]], target: [1.0]}\n"
        )
        assert faults(tmp_path, text) == ["f.yaml:5:44: target: a number ('1.0') is no label: an integer"]

    def test_numbers_from_a_generator_are_no_labels(self, tmp_path: Path) -> None:
        made = "{normal: {shape: [1], seed: 1}}"
        text = (
            ENTROPY.replace("cross_entropy", "nll_loss")
            + f"    inputs: {{log_probs: [[1, 2]], target: {made}}}\n"
        )
        assert faults(tmp_path, text) == ["f.yaml:5:43: target: numbers where labels belong: integers"]


class TestAllAtOnce:
    TEXT = """cases:
  - operation: softmax
    inputs: {x: [[1, 2], [3]]}
  - id: b
    operation: nll_loss
    inputs: {log_probs: [[1, 2]], target: [1.0]}
    parameters: {weight: [1, 2, 3], reduction: avg}
  - id: b
    operation: softmax
    inputs: {x: [1, 2]}
    dtypes: [float8, float32]
    printed: [1, 2, 3]
    known:
      - 3
      - {subject: me, reason: r, source: s}
"""

    def test_every_fault_of_a_file_in_its_order(self, tmp_path: Path) -> None:
        """One part's fault hides no other part's."""
        places = [line.split(": ")[0] for line in faults(tmp_path, self.TEXT)]
        assert places == [
            f"f.yaml:{place}"
            for place in (
                "2:5",
                "2:5",
                "3:26",
                "6:44",
                "7:48",
                "8:9",
                "11:14",
                "12:14",
                "14:9",
                "15:19",
            )
        ]

    def test_every_file(self, tmp_path: Path) -> None:
        """Ids are unique over all files, and the message names both places."""
        sound = SOFTMAX + "    inputs: {x: [1]}\n"
        (tmp_path / "a.yaml").write_text(sound)
        (tmp_path / "b.yaml").write_text(sound + "    tags: 1\n")
        with pytest.raises(CaseError) as caught:
            load_cases([tmp_path])
        first, second = str(caught.value).splitlines()
        assert "b.yaml:3:9: the id 'a' is taken by " in first
        assert first.endswith("a.yaml:3:9: an id of its own for each case")
        assert "b.yaml:6:11: tags: " in second

    def test_a_flood_is_counted(self, tmp_path: Path) -> None:
        found = faults(tmp_path, SOFTMAX + f"    inputs: {{x: [{', '.join(['what'] * 200)}]}}\n")
        assert len(found) == MAX_LISTED_FAULTS + 1
        assert found[-1] == f"f.yaml: and {200 - MAX_LISTED_FAULTS} more"


def test_a_file_name_is_printable(tmp_path: Path) -> None:
    (found,) = faults(tmp_path, "source: s", "a\nb\x1b.yaml")
    assert r"a\x0ab\x1b.yaml:1:1: " in found
