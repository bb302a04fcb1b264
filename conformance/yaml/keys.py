"""Mappings of a YAML tree as pydantic models, each fault at its line and column and in a reader's words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, TypeAlias, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from conformance.yaml.problems import Faults, meant, shown
from conformance.yaml.tree import Mapping, Node, Scalar, find, kind, plain

#: Keys and indices that lead from a mapping to one of its nodes.
KeyPath: TypeAlias = tuple[int | str, ...]


class Keys(BaseModel):
    """Keys of a mapping: no others, each value of its own type, frozen once read."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def json_schema(model: type[BaseModel], title: str) -> dict[str, Any]:
    """The schema (draft 2020-12) of a file whose top is this model, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **model.model_json_schema(ref_template="#/$defs/{model}"),
        "title": title,
    }


def read_keys(model: type[BaseModel], node: Mapping, faults: Faults) -> tuple[Any, frozenset[KeyPath]]:
    """A mapping as a model, or None after faults; and the paths of what is at fault."""
    try:
        return model.model_validate(plain(node)), frozenset()
    except ValidationError as invalid:
        errors = invalid.errors(include_url=False, include_context=True)
    for error in errors:
        where, what, remedy = _fault(model, node, error)
        faults.add(where.line, where.column, what, remedy)
    return None, frozenset(error["loc"] for error in errors)


def _fault(model: type[BaseModel], node: Mapping, error: Any) -> tuple[Node, str, str]:
    """A pydantic error as (where, what is wrong, what would be right)."""
    path: KeyPath = error["loc"]
    value, key = find(node, path)
    if isinstance(value, Scalar) and not value.text:
        value = replace(value, line=key.line, column=key.column)  # nothing stands nowhere: at its key
    owner, described = _field(model, path)
    name = next((step for step in reversed(path) if isinstance(step, str)), getattr(model, "name", ""))
    name = name if name.isidentifier() and name.isascii() else shown(name)
    kind_of = error["type"]
    if kind_of == "extra_forbidden":
        return key, f"unknown key {shown(str(path[-1]))}", meant(str(path[-1]), owner.model_fields)
    if kind_of == "missing":
        return value, f"the key `{path[-1]}` is missing", described
    written = shown(value.text) if isinstance(value, Scalar) and value.text else kind(value)
    if kind_of == "literal_error":
        choices = re.findall(r"'([^']*)'", error["ctx"]["expected"])
        return value, f"{name}: {written} is not known", meant(str(error["input"]), choices)
    if kind_of == "value_error":
        return value, f"{name}: {error['ctx']['error']}", described
    if kind_of in ("string_too_long", "string_too_short", "too_short", "too_long"):
        length = "too long" if kind_of.endswith("long") else "empty"
        return value, f"{name}: {length}", described
    if kind_of.endswith("_type"):
        description = (
            f"{kind(value)} ({written})" if isinstance(value, Scalar) and value.text else kind(value)
        )
        return value, f"{name}: {description}", described
    return value, f"{name}: {written} is not right", described


def _field(model: type[BaseModel], path: KeyPath) -> tuple[type[BaseModel], str]:
    """The model that a path ends in, and the description of the last named field on the way."""
    owner, described = model, ""
    for step in path:
        if not isinstance(step, str) or step not in owner.model_fields:
            continue
        field = owner.model_fields[step]
        described = field.description or ""
        owner = next(_models(field.annotation), owner)
    return owner, described


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models inside an annotation, as in `list[Known]` and `Equals | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)
