"""Candidate: a call that a search judges and changes, its tensors with named axes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from conformance.arithmetic.formats import from_storage, to_storage
from conformance.cases.case import Case
from conformance.operations import OPERATIONS, Arguments, direction, upstream

Tensor = npt.NDArray[Any]

#: Elements that a seed's first tensor has at most.
MAX_SEED_ELEMENTS = 64
ROW, CLASS = "row", "class"
_ELEMENTWISE = frozenset({"sigmoid", "log_sigmoid"})
_BINARY = frozenset({"binary_cross_entropy", "binary_cross_entropy_with_logits"})
_OVER_CLASSES = frozenset({"softmax", "log_softmax", "logsumexp"})
_LOSSES = frozenset({"cross_entropy", "nll_loss"})


@dataclass(frozen=True)
class Candidate:
    """Call of an operation, and the quantity that is judged.

    Attributes:
        operation: The operation.
        dtype: The dtype; floating tensors hold numbers of it, in float64.
        quantity: The quantity.
        tensors: The inputs and tensor parameters by name.
        scalars: The other parameters.
        seed: The id of the case that it began as.
    """

    operation: str
    dtype: str
    quantity: str
    tensors: dict[str, Tensor]
    scalars: dict[str, Any] = field(default_factory=dict)
    seed: str = ""

    @property
    def main(self) -> str:
        """The name of its first input."""
        return OPERATIONS[self.operation].inputs[0].name

    @property
    def size(self) -> int:
        """How many numbers its tensors hold."""
        return sum(tensor.size for tensor in self.tensors.values())

    def axes(self, name: str) -> tuple[str, ...]:
        """What each axis of a tensor is: rows, classes."""
        dimensions = self.tensors[name].ndim
        if name in ("weight", "pos_weight") and self.operation in _LOSSES:
            return (CLASS,)
        return ((ROW, CLASS) if self._has_classes else (ROW, ROW))[:dimensions]

    @property
    def _has_classes(self) -> bool:
        return self.operation in _OVER_CLASSES | _LOSSES

    def length(self, axis: str) -> int:
        """The length of the rows' or of the classes' axis; 0 where there is none."""
        axes = self.axes(self.main)
        return self.tensors[self.main].shape[axes.index(axis)] if axis in axes else 0

    def taken(self, axis: str, indices: Sequence[int]) -> Candidate | None:
        """The candidate with these rows or classes alone, in this order; None where a label has no class."""
        tensors = {}
        for name, tensor in self.tensors.items():
            axes = self.axes(name)
            tensors[name] = tensor.take(indices, axis=axes.index(axis)) if axis in axes else tensor
        target = tensors.get("target")
        if axis == CLASS and target is not None and target.dtype.kind != "f":
            moved = {old: new for new, old in reversed(list(enumerate(indices)))}
            ignored = self.scalars.get("ignore_index", -100)
            if any(label not in moved and label != ignored for label in target.tolist()):
                return None
            tensors["target"] = np.array([moved.get(label, label) for label in target.tolist()], np.int64)
        return replace(self, tensors=tensors)

    def with_tensor(self, name: str, values: Tensor) -> Candidate:
        """The candidate with other values of a tensor, rounded to the dtype."""
        if values.dtype.kind == "f":
            values = from_storage(to_storage(values, self.dtype))
        return replace(self, tensors={**self.tensors, name: values})

    def arguments(self) -> Arguments:
        """The call's arguments."""
        return {**self.tensors, **self.scalars}

    def flows(self) -> dict[str, Tensor]:
        """The upstream gradient, and the direction of a second derivative."""
        operation = OPERATIONS[self.operation]
        complete = operation.completed(self.arguments())
        flows: dict[str, Tensor] = {"upstream": upstream(operation.result_shape(complete))}
        if self.quantity.startswith("second:"):
            flows["direction"] = direction(self.tensors[self.main].shape)
        return flows


def candidates(case: Case, dtype: str) -> Iterator[Candidate]:
    """A case as candidates, one for each quantity; none where its form is one that no search changes."""
    arguments = case.arguments(dtype)
    operation = OPERATIONS[case.operation]
    stated = set(case.inputs) | set(case.parameters)
    given = {name: value for name, value in arguments.items() if name in stated and value is not None}
    tensors = {name: np.array(value) for name, value in given.items() if isinstance(value, np.ndarray)}
    scalars = {name: value for name, value in given.items() if name not in tensors}
    main = tensors[operation.inputs[0].name]
    if main.size > MAX_SEED_ELEMENTS or not main.size or case.layout or case.upstream is not None:
        return
    shaped = _shaped(case.operation, operation.inputs[0].name, tensors, scalars)
    if shaped is None:
        return
    for quantity in case.quantity_names():
        yield Candidate(case.operation, dtype, quantity, dict(shaped), scalars, case.id)


def _shaped(
    operation: str, main: str, tensors: dict[str, Tensor], scalars: dict[str, Any]
) -> dict[str, Tensor] | None:
    """The tensors as rows, or rows and classes; None where they are neither."""
    if set(scalars) - {"axis", "reduction", "ignore_index", "label_smoothing"}:
        return None
    first = tensors[main]
    if operation in _ELEMENTWISE:
        return {main: first.reshape(-1)}
    if operation in _BINARY:
        if any(tensor.shape != first.shape for tensor in tensors.values()):
            return None
        return {name: tensor.reshape(-1) for name, tensor in tensors.items()}
    if operation in _OVER_CLASSES:
        last = scalars.get("axis", -1) in (-1, first.ndim - 1)
        return {main: first.reshape(-1, first.shape[-1])} if last and first.ndim else None
    if operation in _LOSSES and first.ndim == 2:
        return tensors
    return None
