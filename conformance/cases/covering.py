"""`cover`: one entry of a case file that stands for a covering array of its axes' options.

Every combination of options of so many axes as `strength` says is in at least one case, but those that
`never` names; all combinations of all axes, as `vary` has them, would be thousands. The rows are computed by
covertable, which is deterministic, and kept under a digest of what they depend on.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from conformance.caches import cache_directory, keep
from conformance.cases.tensors.generators import GENERATORS
from conformance.cases.variations import MERGED, Option, axes_of, over, variations, without
from conformance.yaml.problems import Faults, meant, shown
from conformance.yaml.tree import List, Mapping, Node, Scalar, kind

MAX_STRENGTH = 4
#: What the settings of an option's tensors lack, by tensor: laid under the generators once all options are.
SIZES = "sizes"
_REMEDY = (
    "{strength: 3, axes: {layout: {strided: {layout: {x: strided}}}}, never: [{shape: row, axis: inner}]}"
)
_KEYS = ("strength", "axes", "never")
#: Labels of a row: axis -> option.
Row = dict[str, str]


def covering(node: Mapping, most: int, faults: Faults) -> list[tuple[str, Mapping]] | None:
    """The cases of an entry with `cover`: what comes behind its id, as `[overflow,sum]`, and its mapping.

    Args:
        node: the entry.
        most: how many cases there may be.
        faults: receives what is wrong in `cover`.

    Returns:
        The cases; None after faults.
    """
    before = len(faults.noted)
    cover, key = node.entries["cover"], node.keys["cover"]
    if not isinstance(cover, Mapping) or "axes" not in cover.entries:
        faults.add(key.line, key.column, f"cover: {kind(cover)} without axes", _REMEDY)
        return None
    for name, key_node in cover.keys.items():
        if name not in _KEYS:
            faults.add(key_node.line, key_node.column, f"cover: the key {shown(name)}", meant(name, _KEYS))
    listed = axes_of("cover", cover.entries["axes"], cover.keys["axes"], faults)
    axes = {options[0].axis: options for options in listed if options}
    never = list(_never(cover.entries.get("never"), axes, faults))
    strength = _strength(cover, len(axes), faults)
    if len(faults.noted) > before:
        return None
    rows = covering_rows(
        {axis: [each.label for each in options] for axis, options in axes.items()}, strength, never
    )
    if len(rows) > most:
        remedy = "fewer options, more files, or CONFORMANCE_MAX_CASES"
        faults.add(key.line, key.column, f"cover: {len(rows)} cases, {most} are left in this file", remedy)
        return None
    bare = without(node, "cover")
    met: set[Any] = set()
    cases = []
    for row in rows:
        chosen = [next(each for each in axes[axis] if each.label == row[axis]) for axis in axes]
        why = _first_meeting(chosen, strength, met)
        cases.append((f"[{','.join(each.label for each in chosen)}]", _laid(bare, chosen, why)))
    return cases


def _strength(cover: Mapping, axes: int, faults: Faults) -> int:
    node = cover.entries.get("strength")
    value = node.value if isinstance(node, Scalar) else 2 if node is None else None
    if type(value) is int and 1 <= value <= min(axes, MAX_STRENGTH):
        return value
    where = node or cover
    faults.add(where.line, where.column, "cover: strength", f"an integer from 1 to {min(axes, MAX_STRENGTH)}")
    return 1


def _never(
    node: Node | None, axes: dict[str, list[Option]], faults: Faults
) -> Iterator[dict[str, list[str]]]:
    """The combinations that cannot be: axis -> options; faults for axes and options that there are not."""
    if node is None:
        return
    if not isinstance(node, List):
        faults.add(node.line, node.column, f"cover: {kind(node)} as never", _REMEDY)
        return
    for item in node.items:
        if not isinstance(item, Mapping) or not item.entries:
            faults.add(item.line, item.column, f"cover: {kind(item)} among never", _REMEDY)
            continue
        combination: dict[str, list[str]] = {}
        for axis, listed in item.entries.items():
            if axis not in axes:
                where = item.keys[axis]
                faults.add(where.line, where.column, f"never: no axis {shown(axis)}", meant(axis, axes))
                continue
            labels = [each.label for each in axes[axis]]
            nodes = listed.items if isinstance(listed, List) else [listed]
            for each in nodes:
                if not isinstance(each, Scalar) or each.text not in labels:
                    written = each.text if isinstance(each, Scalar) else kind(each)
                    faults.add(
                        each.line, each.column, f"never: no option {shown(written)}", meant(written, labels)
                    )
            combination[axis] = [each.text for each in nodes if isinstance(each, Scalar)]
        yield combination


def covering_rows(
    axes: dict[str, list[str]], strength: int, never: Sequence[dict[str, list[str]]] = ()
) -> list[Row]:
    """The rows of a covering array, each an option for every axis, in an order that is always the same.

    Args:
        axes: axis -> options.
        strength: how many axes' options meet in every combination.
        never: combinations that no row may hold, as axis -> options.
    """
    version = importlib.metadata.version("covertable")
    digest = hashlib.sha256(json.dumps([version, axes, strength, list(never)]).encode()).hexdigest()
    path = cache_directory() / "covering" / f"{digest}.json"
    try:
        kept: list[Row] = json.loads(path.read_bytes())
        if all(set(row) == set(axes) for row in kept):
            return kept
    except (OSError, ValueError, TypeError):
        pass  # not kept yet, or damaged
    import covertable  # late for start-up time: most runs find their rows

    constraints = [
        {"operator": "or", "conditions": [
            {"operator": "not", "condition": {"operator": "in", "left": axis, "values": labels}}
            for axis, labels in combination.items()
        ]}
        for combination in never
    ]  # fmt: skip
    rows = [dict(row) for row in covertable.make(axes, strength=strength, constraints=constraints)]
    rows.sort(key=lambda row: [axes[axis].index(row[axis]) for axis in axes])
    keep(path, json.dumps(rows).encode())
    return rows


def _first_meeting(chosen: Sequence[Option], strength: int, met: set[Any]) -> str:
    """What a row is the first to bring together; all that it brings together has been met then."""
    meetings = list(itertools.combinations([(each.axis, each.label) for each in chosen], strength))
    new = [meeting for meeting in meetings if meeting not in met]
    met.update(meetings)
    named = (new or meetings)[0]
    return f"first to meet: {' x '.join(f'{axis} {label}' for axis, label in named)}"


def _laid(node: Mapping, chosen: Iterable[Option], why: str) -> Mapping:
    """A case with the keys of options over its own, and its tensors' settings completed by `sizes`."""
    sizes = node.entries.get(SIZES)
    for option in chosen:
        keys = without(option.keys, "why")
        further = keys.entries.get(SIZES)
        if isinstance(sizes, Mapping) and isinstance(further, Mapping):
            sizes = over(sizes, further, tuple(further.entries))
        else:
            sizes = further or sizes
        node = over(node, without(keys, SIZES), MERGED)
    text = node.entries.get("why")
    base = text if isinstance(text, Scalar) and isinstance(text.value, str) else None
    said = f"{base.value}; {why}" if base else why
    label = base or Scalar(node.line, node.column, "", "")
    reason = Mapping(node.line, node.column, {"why": replace(label, value=said, text=said)}, {"why": label})
    node = over(without(node, SIZES), reason)
    return _sized(node, sizes) if isinstance(sizes, Mapping) else node


def _sized(node: Mapping, sizes: Mapping) -> Mapping:
    """A case whose generators have the settings that they lack: those of their tensor in `sizes`."""
    entries = dict(node.entries)
    for key in MERGED:
        tensors = entries.get(key)
        if isinstance(tensors, Mapping):
            completed = {
                name: _completed(value, sizes.entries.get(name)) for name, value in tensors.entries.items()
            }
            entries[key] = replace(tensors, entries=completed)
    if "upstream" in entries:
        entries["upstream"] = _completed(entries["upstream"], _upstream_size(node, sizes))
    return replace(node, entries=entries)


def _upstream_size(node: Mapping, sizes: Mapping) -> Node | None:
    """The settings that an upstream gradient lacks: where the result is reduced, that of a scalar."""
    parameters = node.entries.get("parameters")
    reduction = parameters.entries.get("reduction") if isinstance(parameters, Mapping) else None
    if not isinstance(reduction, Scalar) or reduction.value == "none":
        return sizes.entries.get("upstream")
    line, column = reduction.line, reduction.column
    return Mapping(
        line, column, {"shape": List(line, column)}, {"shape": Scalar(line, column, "shape", "shape")}
    )


def _completed(tensor: Node, size: Node | None) -> Node:
    """A tensor whose generator has the settings of `size` that it has not been given."""
    if not isinstance(tensor, Mapping) or not isinstance(size, Mapping) or len(tensor.entries) != 1:
        return tensor
    ((word, settings),) = tensor.entries.items()
    if word not in GENERATORS or not isinstance(settings, Mapping):
        return tensor
    known = GENERATORS[word].model_fields
    lacking = Mapping(
        settings.line,
        settings.column,
        {name: value for name, value in size.entries.items() if name in known},
        {name: value for name, value in size.keys.items() if name in known},
    )
    return replace(tensor, entries={word: over(lacking, settings)})


def expanded(node: Mapping, most: int, faults: Faults) -> list[tuple[str, Mapping]] | None:
    """The cases of an entry: one, or those that its `vary` or its `cover` stands for.

    Args:
        node: the entry.
        most: how many cases there may be.
        faults: receives what is wrong in `vary` or `cover`.
    """
    if "cover" not in node.entries:
        return variations(node, most, faults)
    if "vary" in node.entries:
        key = node.keys["vary"]
        faults.add(key.line, key.column, "vary beside cover", "an entry for each")
        return None
    return covering(node, most, faults)
