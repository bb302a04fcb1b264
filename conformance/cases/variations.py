"""`vary`: one entry of a case file that stands for a case for each combination of its options.

Works on the YAML tree: every key of an option keeps its place in the file, so that a fault in a case points
into the option where the wrong key stands.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod

from conformance.yaml.problems import Faults, shown
from conformance.yaml.tree import Mapping, Node, Scalar, kind

#: What axes and their options may be called.
LABEL = re.compile(r"[A-Za-z0-9_.+-]{1,40}")
_AXES = "a mapping of axes, as {reduction: {sum: {parameters: {reduction: sum}}}}"
MERGED = ("inputs", "parameters")
#: Keys that an option cannot have.
FIXED = ("id", "operation", "vary", "cover")
MAX_AXES = 12


@dataclass(frozen=True)
class Option:
    """One label of one axis, and the keys that it lays over the case's."""

    axis: str
    label: str
    keys: Mapping


def variations(node: Mapping, most: int, faults: Faults) -> list[tuple[str, Mapping]] | None:
    """The cases of an entry: what comes behind its id, as `[sum,varied]`, and its mapping without `vary`.

    An entry without `vary` is one case with nothing behind its id. None after a fault in `vary` itself, or
    if the cases would be more than `most`.
    """
    if "vary" not in node.entries:
        return [("", node)]
    before = len(faults.noted)
    axes = list(axes_of("vary", node.entries["vary"], node.keys["vary"], faults))
    if len(faults.noted) > before:
        return None
    count = prod(len(options) for options in axes)
    if count > most:
        where = node.keys["vary"]
        remedy = "fewer options, more files, or CONFORMANCE_MAX_CASES"
        faults.add(where.line, where.column, f"vary: {count} cases, {most} are left in this file", remedy)
        return None
    bare = without(node, "vary")
    return [(f"[{','.join(option.label for option in chosen)}]", _laid(bare, chosen))
            for chosen in itertools.product(*axes)]  # fmt: skip


def without(node: Mapping, key: str) -> Mapping:
    """A mapping without one of its keys."""
    return Mapping(
        node.line,
        node.column,
        {name: value for name, value in node.entries.items() if name != key},
        {name: key_node for name, key_node in node.keys.items() if name != key},
    )


def axes_of(word: str, node: Node, key: Node, faults: Faults) -> Iterator[list[Option]]:
    """The options of each axis; faults for what is none.

    Args:
        word: the key under which the axes stand, as faults name it.
        node: the axes.
        key: where their key stands.
        faults: receives what is wrong.
    """
    if not isinstance(node, Mapping) or not 0 < len(node.entries) <= MAX_AXES:
        what = f"{len(node.entries)} axes" if isinstance(node, Mapping) else kind(node)
        faults.add(key.line, key.column, f"{word}: {what}", f"{_AXES}, at most {MAX_AXES}")
        return
    for axis, listed in node.entries.items():
        _check_name(word, axis, node.keys[axis], faults)
        if not isinstance(listed, Mapping) or not listed.entries:
            what = f"{word}: {kind(listed) if not isinstance(listed, Mapping) else 'nothing'} as the axis"
            faults.add(node.keys[axis].line, node.keys[axis].column, f"{what} {shown(axis)}", _AXES)
            continue
        yield [option for label in listed.entries for option in _option(word, axis, label, listed, faults)]


def _option(word: str, axis: str, label: str, listed: Mapping, faults: Faults) -> list[Option]:
    key_node, keys = listed.keys[label], listed.entries[label]
    _check_name(word, label, key_node, faults)
    if not isinstance(keys, Mapping):
        remedy = "a mapping of a case's keys, as {parameters: {reduction: sum}}; {} for the case as it is"
        faults.add(
            key_node.line, key_node.column, f"{word}: {kind(keys)} as the option {shown(label)}", remedy
        )
        return []
    for fixed in FIXED:
        if fixed in keys.keys:
            where = keys.keys[fixed]
            what = f"{word}: the key `{fixed}` in an option"
            faults.add(where.line, where.column, what, "one for the entry")
    return [Option(axis, label, keys)]


def _check_name(word: str, name: str, node: Node, faults: Faults) -> None:
    if not LABEL.fullmatch(name):
        remedy = "1 to 40 letters, digits and - _ . +"
        faults.add(node.line, node.column, f"{word}: the name {shown(name)}", remedy)


def _laid(node: Mapping, chosen: tuple[Option, ...]) -> Mapping:
    """A case with the keys of options over its own; what only it would catch says which options they are."""
    for option in chosen:
        label = Scalar(node.line, node.column, f"{option.axis} {option.label}", "")
        why = _joined(node.entries.get("why"), option.keys.entries.get("why", label))
        above = Mapping(
            option.keys.line,
            option.keys.column,
            {**option.keys.entries, "why": why},
            {"why": node.keys.get("why", label), **option.keys.keys},
        )
        node = over(node, above, MERGED)
    return node


def over(below: Mapping, above: Mapping, merged: tuple[str, ...] = ()) -> Mapping:
    """Two mappings in one, `above` winning; mappings under the `merged` keys likewise."""
    entries = {**below.entries, **above.entries}
    for key in merged:
        lower, upper = below.entries.get(key), above.entries.get(key)
        if isinstance(lower, Mapping) and isinstance(upper, Mapping):
            entries[key] = over(lower, upper)
    return Mapping(below.line, below.column, entries, {**below.keys, **above.keys})


def _joined(first: Node | None, second: Node) -> Node:
    """Two texts in one; the one that is no text, where one is not, for it is a fault."""
    if not isinstance(first, Scalar):
        return second if first is None else first
    if (
        not isinstance(first.value, str)
        or not isinstance(second, Scalar)
        or not isinstance(second.value, str)
    ):
        return second if isinstance(first.value, str) else first
    text = f"{first.value}; {second.value}"
    return replace(first, value=text, text=text)
