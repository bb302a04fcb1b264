"""YAML text -> a tree whose every node knows its line and column.

One document of mappings, lists and scalars, and nothing else: tags, anchors and aliases are faults, as are
texts beyond the limits. Plain scalars follow YAML 1.2's core schema, resolved here so that a figure keeps the
digits in which it was written. Whatever the text, only faults come out, never an exception.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError

from conformance.yaml.limits import Limits
from conformance.yaml.problems import CONTROL, Faults, shown

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
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
class List(Node):
    """A list."""

    items: list[Node] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Mapping(Node):
    """A dictionary: each key's value, and where the key itself stands."""

    entries: dict[str, Node] = field(default_factory=dict)
    keys: dict[str, Scalar] = field(default_factory=dict)


def kind(node: Node) -> str:
    """What a node is, in a reader's words."""
    if isinstance(node, List):
        return "a list"
    if isinstance(node, Mapping):
        return "a mapping"
    value = node.value if isinstance(node, Scalar) else None
    names = {bool: "a truth value", int: "an integer", float: "a number", str: "a text"}
    return names.get(type(value), "nothing")


def plain(node: Node) -> Any:
    """The tree as Python's own lists, dictionaries and scalars."""
    if isinstance(node, List):
        return [plain(item) for item in node.items]
    if isinstance(node, Mapping):
        return {key: plain(value) for key, value in node.entries.items()}
    return node.value if isinstance(node, Scalar) else None


def find(node: Node, path: tuple[int | str, ...]) -> tuple[Node, Node]:
    """The node that a path of keys and indices leads to, or the last that exists; and that node's key."""
    key: Node = node
    for step in path:
        if isinstance(node, Mapping) and isinstance(step, str) and step in node.entries:
            key, node = node.keys[step], node.entries[step]
        elif isinstance(node, List) and isinstance(step, int) and step < len(node.items):
            key = node = node.items[step]
        else:
            break
    return node, key


def parse(
    data: bytes, limits: Limits, faults: Faults, right: str = "the keys `source` and `cases`"
) -> Mapping | None:
    """The document's top mapping, or None after faults that leave no tree to look at.

    right: what the file should hold, where it holds no mapping.
    """
    text = _decode(data, faults)
    if text is None:
        return None
    builder = _Builder(limits, faults)
    try:
        for event in _events(text, faults):
            builder.take(event)
    except _EndError:
        return None
    if builder.unread:
        return None
    if not isinstance(builder.root, Mapping):
        faults.add(1, 1, "the file holds no mapping", right)
        return None
    return builder.root


class _EndError(Exception):
    """A fault after which the rest of the text cannot be read; it is noted already."""


def _decode(data: bytes, faults: Faults) -> str | None:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        good = data[: error.start].decode("utf-8", "replace")
        what = f"the byte 0x{data[error.start]:02x} is no UTF-8"
        faults.add(*_position(good, len(good)), what, "text in UTF-8")
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
    """The parser's events, until the text turns out to be no YAML."""
    try:
        yield from YAML(typ="safe", pure=True).parse(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
        problem = " ".join(str(error.problem or error.context or "cannot be read").split())
        remedy = "YAML 1.2; quote texts that hold any of : # [ ] { } , & *"
        faults.add(line, column, f"no YAML: {shown(problem, 160)}", remedy)
        raise _EndError from None
    except Exception as error:  # the scanner raises what it likes on hostile text
        faults.add(1, 1, f"no YAML: {type(error).__name__}", "YAML 1.2")
        raise _EndError from None


class _Builder:
    """Takes events, and grows the tree by a stack of open collections."""

    def __init__(self, limits: Limits, faults: Faults) -> None:
        self.limits, self.faults = limits, faults
        self.root: Node | None = None
        self.stack: list[tuple[List | Mapping, list[Scalar]]] = []
        self.nodes = 0
        self.documents = 0
        self.unread = False

    def take(self, event: Any) -> None:
        """Grow by one event; _EndError ends the reading."""
        name = type(event).__name__
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        if name == "DocumentStartEvent":
            self._document(event, line, column)
        elif name in ("SequenceEndEvent", "MappingEndEvent"):
            self.stack.pop()
        elif name in ("ScalarEvent", "SequenceStartEvent", "MappingStartEvent", "AliasEvent"):
            self._check(event, name, line, column)
            if name == "SequenceStartEvent":
                self._open(List(line, column))
            elif name == "MappingStartEvent":
                self._open(Mapping(line, column))
            else:
                quoted = name == "ScalarEvent" and bool(event.style)
                self._place(_scalar(line, column, getattr(event, "value", ""), quoted))

    def _end(self, line: int, column: int, what: str, remedy: str) -> NoReturn:
        self.faults.add(line, column, what, remedy)
        raise _EndError

    def _document(self, event: Any, line: int, column: int) -> None:
        self.documents += 1
        if self.documents > 1:
            self._end(line, column, "a second YAML document", "one document a file")
        if event.version is not None and tuple(event.version) != (1, 2):
            self._end(line, column, "a YAML version other than 1.2", "no %YAML line")
        if event.tags:
            self._end(line, column, "a %TAG line", "plain YAML without tags")

    def _check(self, event: Any, name: str, line: int, column: int) -> None:
        """Note a fault for what case files do not need, end at a limit."""
        self.nodes += 1
        if self.nodes > self.limits.nodes:
            remedy = f"a `.npy` file for a large tensor, or more files{_raised('nodes')}"
            self._end(line, column, f"more than {self.limits.nodes} values in one file", remedy)
        if name != "ScalarEvent" and len(self.stack) >= self.limits.depth:
            remedy = f"tensors of fewer axes{_raised('depth')}"
            self._end(line, column, f"nested deeper than {self.limits.depth} levels", remedy)
        if name == "AliasEvent":
            self.unread = True
            self.faults.add(line, column, f"the alias {shown('*' + event.anchor)}", "the value itself")
            return
        odd = CONTROL.search(getattr(event, "value", None) or "")
        if odd is not None:
            self.unread = True
            self.faults.add(
                line, column, f"a text with U+{ord(odd[0]):04X} in it", "characters that are shown"
            )
        if event.anchor is not None:
            self.faults.add(line, column, f"the anchor {shown('&' + event.anchor)}", "the value alone")
        if event.tag is not None:
            self.faults.add(line, column, f"the tag {shown(str(event.tag))}", "the value alone")

    def _open(self, node: List | Mapping) -> None:
        self._place(node)
        self.stack.append((node, []))

    def _place(self, node: Node) -> None:
        if not self.stack:
            self.root = node
            return
        parent, pending = self.stack[-1]
        if isinstance(parent, List):
            parent.items.append(node)
        elif not pending:
            pending.append(self._key(parent, node))
        else:
            key = pending.pop()
            # The first of two equal keys stays: the second is a fault already.
            if key.text not in parent.entries:
                parent.entries[key.text], parent.keys[key.text] = node, key

    def _key(self, parent: Mapping, node: Node) -> Scalar:
        if not isinstance(node, Scalar):
            self.unread = True
            self.faults.add(node.line, node.column, f"{kind(node)} as a key", "a word as a key")
            return Scalar(node.line, node.column, "", "")
        if node.text in parent.keys:
            what = f"the key {shown(node.text)} a second time (first on line {parent.keys[node.text].line})"
            self.faults.add(node.line, node.column, what, "each key once")
        return node


def _raised(name: str) -> str:
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
