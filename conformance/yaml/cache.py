"""The trees of YAML files that have been read before: reading one is most of what loading it costs.

A tree depends on its text alone. It is kept as JSON, which can hold nothing but data, under a digest of the
text and of the code that reads it.
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from conformance.caches import cache_directory, keep
from conformance.yaml import tree as yaml_tree
from conformance.yaml.limits import Limits
from conformance.yaml.problems import Faults
from conformance.yaml.tree import List, Mapping, Node, Scalar


def parse(data: bytes, limits: Limits, faults: Faults, *right: str) -> Mapping | None:
    """As `yaml_tree.parse`: a tree without faults is kept, and found again."""
    path = cache_directory() / "trees" / _key(data, limits)
    try:
        root = _unpacked(json.loads(path.read_bytes()))
        if isinstance(root, Mapping):
            return root
    except (OSError, ValueError, TypeError, LookupError):
        pass  # not kept yet, or damaged
    before = len(faults.noted)
    tree = yaml_tree.parse(data, limits, faults, *right)
    if tree is not None and len(faults.noted) == before:
        keep(path, json.dumps(_packed(tree), separators=(",", ":")).encode())
    return tree


def _key(data: bytes, limits: Limits) -> str:
    return hashlib.sha256(b"".join((_reader(), repr(limits).encode(), b"\0", data))).hexdigest()


@lru_cache(maxsize=1)
def _reader() -> bytes:
    """A digest of what makes trees of texts."""
    import ruamel.yaml  # late for start-up time: most runs find their trees

    texts = [Path(file).read_bytes() for file in (str(yaml_tree.__file__), __file__)]
    return hashlib.sha256(b"".join((*texts, ruamel.yaml.__version__.encode()))).digest()


def _packed(node: Node) -> list[Any]:
    if isinstance(node, Scalar):
        return [node.line, node.column, 0, node.value, node.text, node.wrong]
    if isinstance(node, List):
        return [node.line, node.column, 1, [_packed(item) for item in node.items]]
    assert isinstance(node, Mapping)
    pairs = [(_packed(node.keys[name]), _packed(value)) for name, value in node.entries.items()]
    return [node.line, node.column, 2, pairs]


def _unpacked(packed: list[Any]) -> Node:
    line, column, sort, *rest = packed
    if sort == 0:
        return Scalar(line, column, *rest)
    if sort == 1:
        return List(line, column, [_unpacked(item) for item in rest[0]])
    pairs = [(_unpacked(key), _unpacked(value)) for key, value in rest[0]]
    keys = {key.text: key for key, _ in pairs if isinstance(key, Scalar)}
    return Mapping(line, column, {name: pair[1] for name, pair in zip(keys, pairs, strict=True)}, keys)
