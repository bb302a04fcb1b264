"""Case files as a stranger might write them: texts from bytes, by a grammar, and by spoiling sound ones."""

from __future__ import annotations

import io
import random
from pathlib import Path

import numpy as np

from conformance.cases.discovery import corpus, files
from conformance.cases.tensors.generators import GENERATORS
from conformance.operations import OPERATIONS

#: Pieces of YAML, of the schema, and of what has broken parsers before.
TOKENS = [
    *("source: s\n", "cases:\n", "- ", "? ", ": ", "\n", "  ", "    ", "[", "]", "{", "}", ",", "\t", "\r\n"),
    *("&a ", "*a", "!!str ", "!!python/object/apply:os.system ", "!x ", "|\n", ">-\n", "'", '"', "\\", "#"),
    *(
        "%YAML 1.2\n",
        "%TAG ! x\n",
        "---\n",
        "...\n",
        "<<: ",
        "=",
        "@",
        "`",
        "\x85",
        "\u2028",
        "\ufeff",
        "\x00",
    ),
    *(".inf", "-.inf", ".nan", "1e999", "-1e-999", "0x", "0x1p3", "0x1p99999", "0o7", "~", "null", "true"),
    *("max", "-max + 1ulp", "exp_overflow - 1ulp", "1 - 999999ulp", "1 - 99999999ulp", "9" * 50, "1_000"),
    *("é", "\U0001f600", "../../etc/passwd.npy", "/etc/passwd", "x.npy", "loop.npy", "$HOME", "{{x}}", "%s"),
    *(
        "id: a\n",
        "operation: softmax\n",
        "inputs: {x: [1, 2]}\n",
        "vary: ",
        "known: ",
        "layout: ",
        "printed: ",
    ),
]
KEYS = [
    *(
        "id",
        "operation",
        "inputs",
        "parameters",
        "dtypes",
        "formulations",
        "quantities",
        "printed",
        "decimals",
    ),
    *("expect", "warns", "layout", "tags", "known", "why", "source", "title", "vary", "odd", "<<", ""),
]
NAMES = ["x", "logits", "probs", "target", "log_probs", "weight", "pos_weight", "odd"]
PARAMETERS = [
    *("axis", "weight", "pos_weight", "reduction", "ignore_index", "label_smoothing", "num_classes"),
    *("reduce", "size_average"),
]
SETTINGS = ["shape", "seed", "scale", "low", "high", "steps", "classes", "value", "share", "gap", "offset"]
NUMBERS = [
    *(
        "0",
        "1",
        "-1",
        "2",
        "3",
        "0.5",
        "1.0",
        "-0.0",
        "1e308",
        "1e-320",
        "65520",
        "4294967296",
        "1e5",
        ".inf",
    ),
    *("-9223372036854775808", "-.inf", ".nan", "true", "null", "'0x1.8p+3'", "max", "exp_overflow - 1ulp"),
    *("1 - 1ulp", "abc"),
]


def seeds() -> list[bytes]:
    """Sound files: each short case of the corpus as a file of its own."""
    found = []
    for path in files([corpus()]):
        text = path.read_text("utf-8")
        head, *entries = text.split("\n  - id:")
        top = head.partition("cases:")[0]
        found += [f"{top}cases:\n  - id:{entry}\n".encode() for entry in entries if len(entry) < 500]
    return found


class Maker:
    """Makes hostile files from a stream of random numbers; the same seed makes the same files."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.seeds = seeds()

    def file(self) -> bytes:
        """One file."""
        kind = self.random.random()
        if kind < 0.1:
            return self.random.randbytes(self.random.randrange(120))
        if kind < 0.4:
            picked = self.random.choices(TOKENS, k=self.random.randrange(40))
            return "".join(picked).encode("utf-8", "surrogatepass")
        if kind < 0.7:
            return self.grammar().encode()
        return self.spoilt(self.random.choice(self.seeds))

    def spoilt(self, data: bytes) -> bytes:
        """A file cut, repeated, patched with tokens, flipped in its bits, spliced with another."""
        draw = self.random
        for _ in range(draw.randint(1, 4)):
            start = draw.randrange(len(data) + 1)
            end = min(len(data), start + draw.randrange(40))
            way = draw.randrange(6)
            if way == 0:
                data = data[:start] + data[end:]
            elif way == 1:
                data = data[:start] + draw.choice(TOKENS).encode() + data[end:]
            elif way == 2:
                data = data[:end] + data[start:]
            elif way == 3 and start < len(data):
                data = data[:start] + bytes([data[start] ^ (1 << draw.randrange(8))]) + data[start + 1 :]
            elif way == 4:
                data = data[:start] + draw.choice(NUMBERS).encode() + data[end:]
            else:
                other = draw.choice(self.seeds)
                data = data[:start] + other[draw.randrange(len(other)) :]
        return data[:4000]

    def grammar(self) -> str:
        """A file of the right form and odd parts."""
        draw = self.random
        cases = ", ".join(self._case() for _ in range(draw.choice((0, 1, 1, 1, 1, 1, 2))))
        top = [f"cases: [{cases}]"]
        if draw.random() < 0.9:
            top.append(f"source: {self._word()}")
        if draw.random() < 0.1:
            top.append(f"{draw.choice(KEYS)}: {self._anything(2)}")
        return "\n".join(top) + "\n"

    def _case(self) -> str:
        draw = self.random
        name = draw.choice([*OPERATIONS, "odd"])
        inputs = [one.name for one in OPERATIONS[name].inputs] if name in OPERATIONS else ["x"]
        if draw.random() < 0.1:
            inputs = draw.choices(NAMES, k=2)
        entries = {
            "id": draw.choice("abcdefgh"),
            "operation": name,
            "inputs": "{" + ", ".join(f"{one}: {self._tensor()}" for one in inputs) + "}",
        }
        if draw.random() < 0.4:
            chosen = draw.sample(PARAMETERS, draw.randint(1, 2))
            entries["parameters"] = "{" + ", ".join(f"{one}: {self._parameter()}" for one in chosen) + "}"
        for key in draw.sample(KEYS[4:], draw.choice((0, 0, 1, 2))):
            entries[key] = self._value(key)
        return "{" + ", ".join(f"{key}: {value}" for key, value in entries.items()) + "}"

    def _value(self, key: str) -> str:
        draw = self.random
        likely = {
            "dtypes": "[float16, bfloat16]", "formulations": "[functional, naive]", "quantities": "[value]",
            "printed": "[0.1, 0.2]", "decimals": "3", "expect": draw.choice(("error", "nan", "zero", "inf")),
            "warns": "true", "layout": "{x: transposed}", "tags": "[a, b]",
            "known": "[{subject: torch, reason: r, source: s, versions: '<3'}]",
            "vary": "{a: {p: {parameters: {axis: 0}}, q: {dtypes: [float32]}}, b: {r: {tags: [c]}}}",
        }  # fmt: skip
        return likely[key] if key in likely and draw.random() < 0.6 else self._anything(3)

    def _tensor(self) -> str:
        draw = self.random
        kind = draw.random()
        if kind < 0.55:
            return self._list(draw.choice((1, 1, 2, 2, 3)))
        if kind < 0.85:
            settings = {"shape": str(draw.choices((0, 1, 2, 3, 5), k=draw.randint(0, 3))), "seed": "1"}
            for key in draw.sample(SETTINGS, draw.randint(0, 3)):
                settings[key] = draw.choice(NUMBERS)
            inside = ", ".join(f"{key}: {value}" for key, value in settings.items())
            return f"{{{draw.choice(sorted(GENERATORS))}: {{{inside}}}}}"
        if kind < 0.93:
            name = draw.choice(
                ("x.npy", "../x.npy", "/etc/passwd", "loop.npy", "out.npy", "f.yaml", ".", "a" * 300)
            )
            return f"{{file: {name}}}"
        return self._anything(3)

    def _list(self, depth: int) -> str:
        draw = self.random
        if depth == 0:
            return draw.choice(NUMBERS if draw.random() < 0.3 else NUMBERS[:7])
        width = draw.choice((0, 1, 2, 2, 2, 3))
        return "[" + ", ".join(self._list(depth - 1) for _ in range(width)) + "]"

    def _parameter(self) -> str:
        draw = self.random
        return draw.choice(("mean", "sum", "none", "0", "1", "-1", "0.1", "[1, 2]", self._tensor()))

    def _anything(self, depth: int) -> str:
        draw = self.random
        kind = draw.random()
        if depth == 0 or kind < 0.5:
            return draw.choice(NUMBERS) if kind < 0.25 else self._word()
        inside = [self._anything(depth - 1) for _ in range(draw.randrange(4))]
        if kind < 0.75:
            return "[" + ", ".join(inside) + "]"
        return "{" + ", ".join(f"{self._word()}: {one}" for one in inside) + "}"

    def _word(self) -> str:
        draw = self.random
        return draw.choice(
            (*KEYS[:-2], *NAMES, "float32", "functional", "value", "torch*", "'a b'", "é", "x" * 120)
        )

    def npy(self) -> bytes:
        """A `.npy` file, sound or not."""
        draw = self.random
        kinds = ("<f8", ">f4", "<f2", "<i8", "|i1", "<u8", "<c8", "|b1", "<U3", "|V4", "<M8[s]", "|O", "<f4")
        shape = tuple(draw.choices((0, 1, 2, 3), k=draw.randrange(4)))
        stream = io.BytesIO()
        array = np.zeros(shape, draw.choice(kinds))
        np.lib.format.write_array(stream, array, allow_pickle=True)
        data = stream.getvalue()
        if draw.random() < 0.5:
            return data
        start = draw.randrange(len(data) + 1)
        patch = draw.choice(
            (b"(", b"9" * 20, b"-" * 2000, b"[" * 2000, b"{}", b"\x00", b"__import__('os')", b"")
        )
        return data[:start] + patch + data[start + draw.randrange(20) :]


def write_neighbours(folder: Path) -> None:
    """What lies around the fuzzed file: a sound `.npy`, one outside, links that lead out and in circles."""
    inside = folder / "inside"
    inside.mkdir(parents=True, exist_ok=True)
    np.save(inside / "x.npy", np.zeros(3))
    np.save(folder / "x.npy", np.zeros(3))
    for name, target in (("out.npy", "../x.npy"), ("loop.npy", "loop.npy")):
        link = inside / name
        if not link.is_symlink():
            link.symlink_to(target)
