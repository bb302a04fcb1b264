"""Evaluation of an expression graph: one walk, with the arithmetic of what it is evaluated in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from conformance.operations.formula.graph import Node, ordered


class Arithmetic(Protocol):
    """What evaluates one primitive: balls, numbers with their errors, or arrays of a dtype."""

    def apply(self, node: Node, operands: list[Any]) -> Any:
        """The array of a node, given those of its operands."""

    def leaf(self, node: Node, value: Any) -> Any:
        """The array of an input or a constant."""


def evaluate(result: Node, inputs: Mapping[str, Any], arithmetic: Arithmetic) -> Any:
    """The array of an expression.

    Args:
        result: The expression.
        inputs: Arrays by the inputs' names: float64, labels int64.
        arithmetic: What it is evaluated in.
    """
    arrays: dict[int, Any] = {}
    for node in ordered([result]):
        if node.primitive == "input":
            value = np.asarray(inputs[node.options["name"]])
            arrays[id(node)] = value if node.kind == "integer" else arithmetic.leaf(node, value)
        elif node.primitive == "constant":
            arrays[id(node)] = arithmetic.leaf(node, np.float64(node.options["value"]))
        else:
            arrays[id(node)] = arithmetic.apply(node, [arrays[id(operand)] for operand in node.operands])
    return arrays[id(result)]


def moved(node: Node, array: Any) -> Any:
    """A structural primitive (one that computes nothing) on a NumPy array of any type; None for others."""
    match node.primitive:
        case "broadcast":
            return np.broadcast_to(array, node.shape)
        case "reshape":
            return np.reshape(array, node.shape)
        case "transpose":
            return np.swapaxes(array, -1, -2)
        case "stop" | "with_adjoint" | "computed_as":
            return array
    return None


def at_labels(array: Any, labels: Any, axis: int, zero: Any) -> Any:
    """Each row's entry at its label; `zero` at a label that is no class (an ignored one)."""
    classes = array.shape[axis]
    inside = (labels >= 0) & (labels < classes)
    if not classes:
        return np.full(labels.shape, zero, dtype=array.dtype)
    index = np.expand_dims(np.where(inside, labels, 0), axis)
    return np.where(inside, np.take_along_axis(array, index, axis).squeeze(axis), zero)


def spread(array: Any, labels: Any, shape: tuple[int, ...], axis: int, zero: Any) -> Any:
    """Each row's number at its label, `zero` elsewhere and in rows whose label is no class."""
    classes = np.arange(shape[axis]).reshape([-1 if number == axis else 1 for number in range(len(shape))])
    return np.where(classes == np.expand_dims(labels, axis), np.expand_dims(array, axis), zero)
