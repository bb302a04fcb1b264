"""JSON schemas of a case file and of `known.yaml`, made from the models, the operations and the generators.

Editors complete and check case files by it; what it cannot say (shapes that fit, figures that are right) is
checked by `conformance validate`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from conformance.cases.covering import MAX_STRENGTH
from conformance.cases.models import CaseEntry, CaseFile, Deviation, DeviationFile
from conformance.cases.tensors.generators import GENERATORS
from conformance.cases.tensors.landmarks import NAMES
from conformance.cases.variations import FIXED, LABEL, MAX_AXES
from conformance.operations import OPERATIONS, Operation
from conformance.yaml.keys import json_schema

_TEMPLATE = "#/$defs/{model}"
_TENSOR = {"$ref": "#/$defs/tensor"}
_LABELS = {"$ref": "#/$defs/labels"}
#: The reductions that any operation has.
_CHOICES = dict.fromkeys(
    choice
    for operation in OPERATIONS.values()
    for parameter in operation.parameters
    if parameter.kind == "reduction"
    for choice in parameter.choices
)
_PARAMETERS: dict[str, dict[str, Any]] = {
    "axis": {"type": ["integer", "null"]},
    "integer": {"type": "integer"},
    "real": {"type": ["number", "string"]},
    "reduction": {"type": "string", "examples": list(_CHOICES)},
    "tensor": {"anyOf": [_TENSOR, {"type": "null"}]},
    "flag": {"type": ["boolean", "null"]},
}


def schema() -> dict[str, Any]:
    """The schema (draft 2020-12) as plain dictionaries."""
    file = CaseFile.model_json_schema(ref_template=_TEMPLATE)
    case = CaseEntry.model_json_schema(ref_template=_TEMPLATE)
    definitions = {**file.pop("$defs", {}), **case.pop("$defs", {})}
    case["properties"]["operation"] = {"enum": list(OPERATIONS), "description": "an operation's name"}
    case["properties"]["printed"] = {"$ref": "#/$defs/figures"}
    case["properties"]["upstream"] = _TENSOR
    case["properties"]["vary"] = _axes(case)
    case["properties"]["cover"] = _cover(case)
    case["allOf"] = [*(_of_operation(operation) for operation in OPERATIONS.values()), _reduction(_CHOICES)]
    file["properties"]["cases"] = {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/case"}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **file,
        "title": "A case file of the conformance suite",
        "$defs": {
            **definitions,
            "case": case,
            **_tensors(definitions),
            **{f"keys_of_{name}": _keys(operation) for name, operation in OPERATIONS.items()},
        },
    }


def known_schema() -> dict[str, Any]:
    """The schema of a `known.yaml`."""
    file = json_schema(DeviationFile, "The known deviations of the conformance suite's subjects")
    file["$defs"][Deviation.__name__]["properties"]["operation"]["enum"] = list(OPERATIONS)
    return file


def _keys(operation: Operation) -> dict[str, Any]:
    """What the keys of a case of this operation hold; an option of `vary` has the same."""
    inputs = {item.name: _LABELS if item.kind == "labels" else _TENSOR for item in operation.inputs}
    parameters = {item.name: _PARAMETERS[item.kind] for item in operation.parameters}
    keys = {
        "inputs": {"properties": inputs, "additionalProperties": False},
        "parameters": {"properties": parameters, "additionalProperties": False},
        "formulations": {"items": {"enum": list(operation.formulations)}},
    }
    return {"properties": keys}


def _of_operation(operation: Operation) -> dict[str, Any]:
    """What a case of this operation is."""
    keys = {"$ref": f"#/$defs/keys_of_{operation.name}"}
    options = {"additionalProperties": {"additionalProperties": keys}}
    inputs = {"required": [item.name for item in operation.inputs]}
    choices = [item.choices for item in operation.parameters if item.kind == "reduction"]
    return {
        "if": {
            "properties": {"operation": {"const": operation.name}},
            "required": ["operation"],
            "not": {"required": ["cover"]},
        },
        "then": {
            **keys,
            "properties": {"vary": options},
            **({"allOf": [_reduction(*choices)]} if choices else {}),
            # Options may bring what the entry itself leaves out.
            "if": {"not": {"required": ["vary"]}},
            "then": {"properties": {"inputs": inputs}},
        },
    }


def _reduction(choices: Iterable[str]) -> dict[str, Any]:
    """The reductions of a case: only one that expects an error may name a reduction that there is not."""
    return {
        "if": {"properties": {"expect": {"const": "error"}}, "required": ["expect"]},
        "else": {"properties": {"parameters": {"properties": {"reduction": {"enum": list(choices)}}}}},
    }


def _axes(case: dict[str, Any]) -> dict[str, Any]:
    """The schema of `vary`: axes of labels, each with keys of a case."""
    keys = {name: value for name, value in case["properties"].items() if name not in FIXED}
    named = {"propertyNames": {"pattern": f"^{LABEL.pattern}$"}, "type": "object", "minProperties": 1}
    option = {"type": "object", "properties": keys, "additionalProperties": False}
    axis = {**named, "additionalProperties": option}
    described = case["properties"]["vary"]["description"]
    return {**named, "maxProperties": MAX_AXES, "description": described, "additionalProperties": axis}


def _cover(case: dict[str, Any]) -> dict[str, Any]:
    """The schema of `cover`: axes as `vary` has them, whose options may complete the generators' settings."""
    axes = _axes(case)
    option = axes["additionalProperties"]["additionalProperties"]
    # Generators lack what `sizes` gives them: their settings are left to `conformance validate`.
    option["properties"] |= {"inputs": {"type": "object"}, "parameters": {"type": "object"}, "upstream": {}}
    option["properties"]["sizes"] = {"type": "object", "additionalProperties": {"type": "object"}}
    combination = {"type": "object", "minProperties": 1}
    properties = {
        "strength": {"type": "integer", "minimum": 1, "maximum": MAX_STRENGTH},
        "axes": axes,
        "never": {"type": "array", "items": combination},
    }
    return {
        "type": "object",
        "description": case["properties"]["cover"]["description"],
        "properties": properties,
        "required": ["axes"],
        "additionalProperties": False,
    }


def _tensors(definitions: dict[str, Any]) -> dict[str, Any]:
    """The definitions of tensors, labels and printed figures; the generators' own go to `definitions`."""
    schemas = {}
    for name, model in GENERATORS.items():
        schemas[name] = model.model_json_schema(ref_template=_TEMPLATE)
        definitions.update(schemas[name].pop("$defs", {}))
    generators = [_one_key(name, settings) for name, settings in schemas.items()]
    integral = [_one_key(name, schemas[name]) for name, model in GENERATORS.items() if model.integral]
    file = _one_key("file", {"type": "string", "pattern": r"\.npy$"})
    number = {
        "type": ["number", "string"],
        "description": f"a number, its bits as '0x1.8p+3', or an edge as 'max - 1ulp': {', '.join(NAMES)}",
    }
    return {
        "tensor": {"anyOf": [number, _list_of("tensor"), file, *generators]},
        "labels": {"anyOf": [{"type": "integer"}, _list_of("labels"), file, *integral]},
        "figures": {"anyOf": [{"type": ["number", "string"]}, _list_of("figures")]},
    }


def _one_key(name: str, value: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {name: value}, "required": [name], "additionalProperties": False}


def _list_of(name: str) -> dict[str, Any]:
    return {"type": "array", "items": {"$ref": f"#/$defs/{name}"}}
