"""Operations: a file each, with its signature, exact value and derivatives; `error_analysis/` bounds."""

from __future__ import annotations

from conformance.operations.base import (
    JVP,
    SECOND,
    Arguments,
    Input,
    Operation,
    Parameter,
    Reference,
    Relation,
    along,
    direction,
    upstream,
)
from conformance.operations.exact_values import Call, reference, references
from conformance.operations.registry import (
    OPERATIONS,
    is_of_the_suite,
    no_operation,
    operation_named,
    register,
)

__all__ = [
    "JVP",
    "OPERATIONS",
    "SECOND",
    "Arguments",
    "Call",
    "Input",
    "Operation",
    "Parameter",
    "Reference",
    "Relation",
    "along",
    "direction",
    "is_of_the_suite",
    "no_operation",
    "operation_named",
    "reference",
    "references",
    "register",
    "upstream",
]
