"""The tensors and scalars of a case, read from its YAML nodes: each fault has its own line and column."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from conformance.cases.tensors import landmarks
from conformance.cases.tensors.generators import GENERATORS
from conformance.cases.tensors.values import Literal, Made, Stored, Tensor, open_npy, overflow, rounded, size
from conformance.yaml.keys import read_keys
from conformance.yaml.limits import Limits
from conformance.yaml.problems import Faults, meant, shown
from conformance.yaml.tree import List, Mapping, Node, Scalar, kind

_TENSOR_REMEDY = (
    "nested lists of numbers, {file: name.npy}, or a generator as {normal: {shape: [4, 8], seed: 1}}"
)
_NUMBER_REMEDY = "a number, its bits as '0x1.8p+3', or an edge as 'exp_overflow - 1ulp'"


@dataclass
class Reader:
    """Reads the tensors of one case; `elements` counts those of all its tensors."""

    folder: Path
    limits: Limits
    faults: Faults
    dtypes: tuple[str, ...]
    elements: int = 0

    def fault(self, node: Node, what: str, remedy: str) -> None:
        """Note a fault at a node."""
        self.faults.add(node.line, node.column, what, remedy)

    def tensor(self, name: str, node: Node, labels: bool, floating: bool) -> Tensor | None:
        """The tensor at a node; `labels` and `floating` say which kinds the operation takes there."""
        tensor = self._stored(name, node) if isinstance(node, Mapping) and "file" in node.entries else None
        if isinstance(node, Mapping):
            tensor = tensor if "file" in node.entries else self._made(name, node)
        else:
            tensor = _Lists(self, name, labels, floating).read(node)
        if tensor is None:
            return None
        if labels and not floating and not tensor.integral:
            self.fault(node, f"{name}: numbers where labels belong", "integers")
            return None
        self.elements += size(tensor.shape)
        if self.elements > self.limits.elements:
            what = f"{name}: {self.elements} elements in one case, the limit is {self.limits.elements}"
            self.fault(node, what, "a smaller shape, or CONFORMANCE_MAX_ELEMENTS")
            return None
        return tensor

    def _made(self, name: str, node: Mapping) -> Tensor | None:
        if len(node.entries) != 1:
            self.fault(node, f"{name}: a mapping of {len(node.entries)} keys", _TENSOR_REMEDY)
            return None
        ((word, settings),) = node.entries.items()
        if word not in GENERATORS:
            key = node.keys[word]
            self.fault(key, f"{name}: no generator {shown(word)}", meant(word, ["file", *GENERATORS]))
            return None
        if not isinstance(settings, Mapping):
            self.fault(
                settings,
                f"{name}: {kind(settings)} as {word}'s settings",
                "a mapping, as {shape: [4, 8], seed: 1}",
            )
            return None
        generator, _ = read_keys(GENERATORS[word], settings, self.faults)
        return None if generator is None else Made(generator)

    def _stored(self, name: str, node: Mapping) -> Tensor | None:
        where = node.entries["file"]
        for key, extra in node.keys.items():
            if key != "file":
                self.fault(extra, f"{name}: the key {shown(key)} beside file", "file alone")
        if not isinstance(where, Scalar) or not isinstance(where.value, str):
            self.fault(
                where,
                f"{name}: {kind(where)} as a file's name",
                "a name below the case file's folder, as logits.npy",
            )
            return None
        try:
            path = _below(self.folder, where.value)
            array = open_npy(path)
        except ValueError as error:
            self.fault(where, f"{name}: {error}", "a .npy file below the case file's folder")
            return None
        return Stored(path, array.shape, array.dtype.kind in "iu")

    def number(self, name: str, node: Node, integer: bool) -> Any:
        """A scalar parameter: an integer, or any finite number; None after a fault."""
        value = node.value if isinstance(node, Scalar) else None
        if integer:
            if isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63:
                return value
            self.fault(node, f"{name}: {_written(node)}", "an integer")
            return None
        if isinstance(value, str) and _hexadecimal(value) is not None:
            value = _hexadecimal(value)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= 1e308:
            return float(value)
        self.fault(node, f"{name}: {_written(node)}", "a number")
        return None


def _below(folder: Path, name: str) -> Path:
    """The file of this name below a folder, links resolved; ValueError where it lies elsewhere or is none."""
    if not name or "\0" in name or Path(name).is_absolute() or not name.endswith(".npy"):
        raise ValueError(f"{shown(name)} is no name of a .npy file")
    try:
        path = (folder / name).resolve()
        if not path.is_relative_to(folder.resolve()):
            raise ValueError(f"{shown(name)} leads out of the case file's folder")
        if not path.is_file():
            raise ValueError(f"there is no file {shown(name)}")
    except (OSError, RuntimeError):  # a name too long, a circle of links
        raise ValueError(f"{shown(name)} cannot be looked up") from None
    return path


def _hexadecimal(text: str) -> float | None:
    if "0x" not in text[:3].lower() or len(text) > 80 or text != text.strip():
        return None
    try:
        return float.fromhex(text)
    except (ValueError, OverflowError):
        return None


def _written(node: Node) -> str:
    """A node as the file has it."""
    return f"{kind(node)} ({shown(node.text)})" if isinstance(node, Scalar) and node.text else kind(node)


@dataclass
class _Lists:
    """Reads nested lists of numbers."""

    reader: Reader
    name: str
    labels: bool
    floating: bool

    def read(self, node: Node) -> Literal | None:
        """The lists as a tensor, or None after faults."""
        before = len(self.reader.faults.noted)
        shape, leaves = self._shape(node)
        if shape is None:
            return None
        # Where both may stand, integers are labels: class probabilities are written 1.0, not 1.
        integral = self.labels and all(type(leaf.value) is int for leaf in leaves)
        read: Callable[[Scalar], Any] = self._label if integral or not self.floating else self._float
        values = self._plain(leaves) if read == self._float else None
        if values is None:
            values = [read(leaf) for leaf in leaves]
        if len(self.reader.faults.noted) > before:
            return None
        edges = tuple(
            (index, value) for index, value in enumerate(values) if isinstance(value, landmarks.Edge)
        )
        numbers = [0.0 if isinstance(value, landmarks.Edge) else value for value in values]
        return Literal(shape, integral, np.array(numbers, np.int64 if integral else np.float64), edges)

    def _shape(self, node: Node) -> tuple[tuple[int, ...] | None, list[Scalar]]:
        """The shape of nested lists and their leaves in order; None after the fault of a ragged list."""
        shape: list[int] = []
        level = [node]
        while level and isinstance(level[0], List):
            lengths = {len(node.items) if isinstance(node, List) else -1 for node in level}
            if len(lengths) > 1:
                return self._ragged(level)
            shape.append(lengths.pop())
            level = [item for node in level if isinstance(node, List) for item in node.items]
        bad = [node for node in level if not isinstance(node, Scalar)]
        if bad and isinstance(level[0], Scalar):
            return self._ragged(level)
        for node in bad:
            self.reader.fault(node, f"{self.name}: {kind(node)} among numbers", _NUMBER_REMEDY)
        return (None, []) if bad else (tuple(shape), [node for node in level if isinstance(node, Scalar)])

    def _ragged(self, level: list[Node]) -> tuple[None, list[Scalar]]:
        """Note the first node that is unlike the level's first."""

        def named(node: Node) -> str:
            if isinstance(node, List):
                return f"a list of {len(node.items)}"
            return "a number" if isinstance(node, Scalar) else kind(node)

        first = named(level[0])
        odd = next(node for node in level if named(node) != first)
        what = f"{self.name}: {named(odd)} beside {first}"
        self.reader.fault(odd, what, "lists of one length at each level")
        return None, []

    def _label(self, leaf: Scalar) -> Any:
        value = leaf.value
        if not isinstance(value, int) or isinstance(value, bool):
            self.reader.fault(leaf, f"{self.name}: {_written(leaf)} is no label", "an integer")
        elif not -(2**63) <= value < 2**63:
            self.reader.fault(
                leaf, f"{self.name}: the label {shown(leaf.text)} lies outside int64", "a smaller integer"
            )
        return value

    def _float(self, leaf: Scalar) -> Any:
        value = leaf.value
        if isinstance(value, str):
            return self._text(leaf, value)
        if value is None or isinstance(value, bool):
            self.reader.fault(leaf, f"{self.name}: {_written(leaf)} among numbers", _NUMBER_REMEDY)
            return 0.0
        try:
            number = float("nan") if leaf.wrong else float(value)
        except OverflowError:
            number = float("nan")
        if leaf.wrong or (isinstance(value, int) and number != number):
            self.reader.fault(
                leaf, f"{self.name}: {shown(leaf.text)} overflows float64", ".inf, or a smaller number"
            )
            return 0.0
        self._in_every_dtype(leaf, lambda dtype: rounded(np.array(number), dtype))
        return number

    def _plain(self, leaves: list[Scalar]) -> list[Any] | None:
        """All numbers at once, where every leaf is one that every dtype of the case has; else None."""
        if not all(type(leaf.value) in (int, float) and not leaf.wrong for leaf in leaves):
            return None
        try:
            numbers = np.array([leaf.value for leaf in leaves], np.float64)
            for dtype in self.reader.dtypes:
                rounded(numbers, dtype)
        except (ValueError, OverflowError):
            return None  # one leaf at a time, for its line and column
        return list(numbers.tolist())

    def _text(self, leaf: Scalar, text: str) -> Any:
        bits = _hexadecimal(text)
        if bits is not None:
            self._in_every_dtype(leaf, lambda dtype: _same(bits, text, dtype))
            return bits
        edge = landmarks.parse(text)
        if isinstance(edge, landmarks.Edge):
            self._in_every_dtype(leaf, edge.value)
            return edge
        if edge is not None:
            self.reader.fault(leaf, f"{self.name}: no edge {shown(edge)}", meant(edge, landmarks.NAMES))
        else:
            self.reader.fault(leaf, f"{self.name}: {_written(leaf)} among numbers", _NUMBER_REMEDY)
        return 0.0

    def _in_every_dtype(self, leaf: Scalar, value: Callable[[str], object]) -> None:
        """Note a fault for a number that one of the case's dtypes does not have."""
        for dtype in self.reader.dtypes:
            try:
                value(dtype)
            except ValueError as error:
                remedy = f"`dtypes` without {dtype}, .inf, or an edge as 'max'"
                self.reader.fault(leaf, f"{self.name}: {error}", remedy)
                return


def _same(bits: float, text: str, dtype: str) -> None:
    number = float(rounded(np.array(bits), dtype))
    if number != bits:
        raise ValueError(
            f"the bits {shown(text)} are not those of any {dtype}"
            if np.isfinite(number)
            else overflow(bits, dtype)
        )
