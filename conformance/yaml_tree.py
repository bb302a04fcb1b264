"""YAML text -> a tree whose every node knows its line and column; the part of YAML 1.2 that case files need.

One document of mappings, sequences and scalars, and nothing else: tags, anchors and aliases are faults, as are
texts beyond the limits. Plain scalars follow YAML 1.2's core schema, resolved here so that a figure keeps the
digits in which it was written. Whatever the text, only faults come out, never an exception.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError

from conformance.faults import Faults, shown
from conformance.limits import Limits

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {
    word: value
    for value, low in ((True, "true"), (False, "false"))
    for word in (low, low.title(), low.upper())
}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITY = re.compile(r"([-+]?)\.(inf|Inf|INF)")
_NAN = frozenset({".nan", ".NaN", ".NAN"})
# YAML 1.2, section 5.1: the characters that a stream may hold.
_UNPRINTABLE = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Node:
    """A place in the text; line and column count from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Scalar(Node):
    """A scalar's value by the core schema, and its text as written; `wrong` says why it has no value."""

    value: str | int | float | bool | None
    text: str
    wrong: str = ""


@dataclass(frozen=True, slots=True)
class Sequence(Node):
    """A list."""

    items: list[Node] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Mapping(Node):
    """A dictionary: each key's value, and where the key itself stands."""

    entries: dict[str, Node] = field(default_factory=dict)
    keys: dict[str, Scalar] = field(default_factory=dict)


def kind(node: Node) -> str:
    """What a node is, in a reader's words."""
    if isinstance(node, Sequence):
        return "a list"
    if isinstance(node, Mapping):
        return "a mapping"
    value = node.value if isinstance(node, Scalar) else None
    names = {bool: "a truth value", int: "an integer", float: "a number", str: "a text"}
    return names.get(type(value), "nothing")


def plain(node: Node) -> Any:
    """The tree as Python's own lists, dictionaries and scalars."""
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    if isinstance(node, Mapping):
        return {key: plain(value) for key, value in node.entries.items()}
    return node.value if isinstance(node, Scalar) else None


def find(node: Node, path: tuple[int | str, ...]) -> tuple[Node, Node]:
    """The node that a path of keys and indices leads to, or the last that exists, and the key that names it."""
    key: Node = node
    for step in path:
        if isinstance(node, Mapping) and isinstance(step, str) and step in node.entries:
            key, node = node.keys[step], node.entries[step]
        elif isinstance(node, Sequence) and isinstance(step, int) and step < len(node.items):
            key = node = node.items[step]
        else:
            break
    return node, key


def parse(data: bytes, limits: Limits, faults: Faults) -> Mapping | None:
    """The document's top mapping, or None after faults that leave no tree to look at."""
    text = _decode(data, faults)
    if text is None:
        return None
    builder = _Builder(limits, faults)
    for event in _events(text, faults):
        if not builder.take(event):
            return None
    if faults:
        return None
    if not isinstance(builder.root, Mapping):
        faults.add(1, 1, "the file holds no mapping", "the keys `source` and `cases`")
        return None
    return builder.root


def _decode(data: bytes, faults: Faults) -> str | None:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        good = data[: error.start].decode("utf-8", "replace")
        faults.add(
            *_position(good, len(good)), f"the byte 0x{data[error.start]:02x} is no UTF-8", "text in UTF-8"
        )
        return None
    bad = _UNPRINTABLE.search(text)
    if bad is not None:
        what = f"the character U+{ord(bad[0]):04X} is not allowed in YAML"
        faults.add(*_position(text, bad.start()), what, 'an escape in a double-quoted text, as "\\u0007"')
        return None
    return text


def _position(text: str, index: int) -> tuple[int, int]:
    before = text[:index]
    return before.count("\n") + 1, index - (before.rfind("\n") + 1) + 1


def _events(text: str, faults: Faults) -> Iterator[Any]:
    """The parser's events; a text that is no YAML ends them with a fault."""
    try:
        yield from YAML(typ="safe", pure=True).parse(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
        problem = " ".join(str(error.problem or error.context or "cannot be read").split())
        faults.add(
            line,
            column,
            f"no YAML: {problem[:120]}",
            "YAML 1.2; quote texts that hold any of : # [ ] { } , & *",
        )
    except Exception as error:  # noqa: BLE001 - the scanner raises what it likes on hostile text
        faults.add(1, 1, f"no YAML: {type(error).__name__}", "YAML 1.2")


class _Builder:
    """Takes events, and grows the tree by a stack of open collections."""

    def __init__(self, limits: Limits, faults: Faults) -> None:
        self.limits, self.faults = limits, faults
        self.root: Node | None = None
        self.stack: list[tuple[Node, list[Scalar | None]]] = []
        self.nodes = 0
        self.documents = 0

    def take(self, event: Any) -> bool:
        """Grow by one event; False ends the reading."""
        name = type(event).__name__
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        if name == "DocumentStartEvent":
            return self._document(event, line, column)
        if name in ("SequenceEndEvent", "MappingEndEvent"):
            self.stack.pop()
            return True
        if name not in ("ScalarEvent", "SequenceStartEvent", "MappingStartEvent", "AliasEvent"):
            return True
        if not self._allowed(event, name, line, column):
            return False
        if name == "SequenceStartEvent":
            self._open(Sequence(line, column))
        elif name == "MappingStartEvent":
            self._open(Mapping(line, column))
        else:
            quoted = name == "ScalarEvent" and event.style is not None
            self._place(_scalar(line, column, getattr(event, "value", ""), quoted))
        return True

    def _document(self, event: Any, line: int, column: int) -> bool:
        self.documents += 1
        if self.documents > 1:
            self.faults.add(line, column, "a second YAML document", "one document a file")
        elif event.version is not None and tuple(event.version) != (1, 2):
            self.faults.add(line, column, "a YAML version other than 1.2", "no %YAML line")
        elif event.tags:
            self.faults.add(line, column, "a %TAG line", "no tags: plain YAML")
        return not self.faults

    def _allowed(self, event: Any, name: str, line: int, column: int) -> bool:
        self.nodes += 1
        if self.nodes > self.limits.nodes:
            what = f"more than {self.limits.nodes} values in one file"
            self.faults.add(
                line, column, what, f"a `.npy` file for a large tensor, or more files{_raise('nodes')}"
            )
            return False
        if name != "ScalarEvent" and len(self.stack) >= self.limits.depth:
            what = f"nested deeper than {self.limits.depth} levels"
            self.faults.add(line, column, what, f"tensors of fewer axes{_raise('depth')}")
            return False
        if name == "AliasEvent":
            self.faults.add(
                line, column, f"the alias {shown('*' + event.anchor)}", "the value itself: no aliases"
            )
        elif event.anchor is not None:
            self.faults.add(
                line, column, f"the anchor {shown('&' + event.anchor)}", "the value alone: no anchors"
            )
        if name != "AliasEvent" and event.tag is not None:
            self.faults.add(line, column, f"the tag {shown(str(event.tag))}", "the value alone: no tags")
        return True

    def _open(self, node: Node) -> None:
        self._place(node)
        self.stack.append((node, [None]))

    def _place(self, node: Node) -> None:
        if not self.stack:
            self.root = node
            return
        parent, pending = self.stack[-1]
        if isinstance(parent, Sequence):
            parent.items.append(node)
        elif isinstance(parent, Mapping):
            if pending[0] is None:
                pending[0] = self._key(node)
                return
            key, pending[0] = pending[0], None
            # The first of two equal keys stays: the second is a fault already.
            if key.text not in parent.entries:
                parent.entries[key.text], parent.keys[key.text] = node, key

    def _key(self, node: Node) -> Scalar:
        parent = self.stack[-1][0]
        if not isinstance(node, Scalar):
            self.faults.add(node.line, node.column, f"{kind(node)} as a key", "a word as a key")
            return Scalar(node.line, node.column, "", "")
        if isinstance(parent, Mapping) and node.text in parent.keys:
            first = parent.keys[node.text]
            what = f"the key {shown(node.text)} a second time (first on line {first.line})"
            self.faults.add(node.line, node.column, what, "each key once")
        return node


def _raise(name: str) -> str:
    return f" (the limit is raised by CONFORMANCE_MAX_{name.upper()})"


def _scalar(line: int, column: int, text: str, quoted: bool) -> Scalar:
    """A scalar by YAML 1.2's core schema."""
    if quoted:
        return Scalar(line, column, text, text)
    if text in _NULL:
        return Scalar(line, column, None, text)
    if text in _BOOL:
        return Scalar(line, column, _BOOL[text], text)
    infinite = _INFINITY.fullmatch(text)
    if infinite:
        return Scalar(line, column, float(f"{infinite[1]}inf"), text)
    if text in _NAN:
        return Scalar(line, column, float("nan"), text)
    if len(text) <= 400 and _INTEGER.fullmatch(text):
        base = {"0x": 16, "0o": 8}.get(text[:2], 10)
        return Scalar(line, column, int(text, base), text)
    if len(text) <= 400 and _FLOAT.fullmatch(text):
        value = float(text)
        wrong = "overflows float64" if value in (float("inf"), float("-inf")) else ""
        return Scalar(line, column, value, text, wrong)
    return Scalar(line, column, text, text)
