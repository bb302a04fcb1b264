"""The mathematics: one file an operation, each with its signature, exact value, exact gradient and bound."""

from __future__ import annotations

from conformance.operations.base import (
    SECOND,
    Arguments,
    Input,
    Operation,
    Parameter,
    Reference,
    Relation,
    direction,
    upstream,
)
from conformance.operations.registry import OPERATIONS, Call, operation_named, reference, references

__all__ = [
    "OPERATIONS",
    "SECOND",
    "Arguments",
    "Call",
    "Input",
    "Operation",
    "Parameter",
    "Reference",
    "Relation",
    "direction",
    "operation_named",
    "reference",
    "references",
    "upstream",
]
