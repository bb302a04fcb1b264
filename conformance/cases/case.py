"""A case: one entry of a case file, and the arguments that it means in each dtype.

The keys of a file are in `conformance.cases.models`, the reading of one in `conformance.cases.loader`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from conformance.cases.models import Equals, Known
from conformance.cases.tensors.values import Tensor, rounded, size
from conformance.errors import CaseError
from conformance.operations import OPERATIONS, SECOND, upstream
from conformance.operations.base import Input

#: Arguments of at most this many elements are kept, for a case is asked for them many times.
_KEPT = 2**16


@dataclass(frozen=True, eq=False)
class Case:
    """One case.

    file, line: where it stands; file is relative. inputs and parameters: what the case itself gives, tensors
    not yet built. expect: `value`, `error`, or the special value that every element of the exact value has
    (`nan`, `inf`, `-inf`, `zero`). printed: figures as text, in nested lists. decimals: the inputs are known
    to that many decimals only. warns: whether the framework warns; None where it may do either. layout: the
    memory layout of inputs and tensor parameters that are not contiguous, by name. equals: another case whose
    result this one's must equal. label_dtype: the integers in which labels are handed over. upstream: the
    upstream gradient; None for the suite's own.
    """

    id: str
    source: str
    file: str
    line: int
    operation: str
    inputs: Mapping[str, Tensor]
    parameters: Mapping[str, Any]
    dtypes: tuple[str, ...]
    formulations: tuple[str, ...]
    quantities: tuple[str, ...]
    tags: tuple[str, ...] = ()
    expect: str = "value"
    printed: Any = None
    known: tuple[Known, ...] = ()
    why: str = ""
    title: str = ""
    decimals: int | None = None
    warns: bool | None = None
    layout: Mapping[str, str] = field(default_factory=dict)
    equals: Equals | None = None
    label_dtype: str = "int64"
    upstream: Tensor | None = None
    _built: dict[str, dict[str, Any]] = field(default_factory=dict, repr=False)

    def tensors(self) -> Iterator[Tensor]:
        """Every tensor among inputs and parameters."""
        for one in (*self.inputs.values(), *self.parameters.values()):
            if hasattr(one, "integral"):
                yield one

    def arguments(self, dtype: str) -> dict[str, Any]:
        """Inputs and parameters by name, rounded to the dtype: float64 and int64 arrays, Python scalars.

        Every parameter is there, by its default where the case gives none. Raises CaseError where the dtype
        cannot hold a number of the case or a file has gone.
        """
        try:
            return self.build(dtype)
        except ValueError as error:
            raise CaseError(f"{self.file}:{self.line}: {self.id}: {error}") from None

    def build(self, dtype: str) -> dict[str, Any]:
        """As `arguments`, with the bare ValueError of what cannot be built."""
        if dtype in self._built:
            return dict(self._built[dtype])
        operation = OPERATIONS[self.operation]
        built: dict[str, Any] = {}
        for item in operation.inputs:
            tensor = self.inputs[item.name]
            built[item.name] = _floats(tensor, dtype) if self._floating(item) else tensor.values(dtype)
        for parameter in operation.parameters:
            value = self.parameters.get(parameter.name, parameter.default)
            built[parameter.name] = _floats(value, dtype) if hasattr(value, "integral") else value
        for value in built.values():
            if isinstance(value, np.ndarray):
                value.setflags(write=False)
        if sum(size(one.shape) for one in self.tensors()) <= _KEPT:
            self._built[dtype] = built
        return dict(built)

    def _floating(self, item: Input) -> bool:
        return item.kind == "floating" or not self.inputs[item.name].integral

    def flow(self, dtype: str, shape: tuple[int, ...]) -> Any:
        """The upstream gradient of a result of that shape: the case's own, rounded, else the suite's.

        Raises CaseError where the case's own has another shape, or a number that is not finite in the dtype.
        """
        try:
            return self.build_flow(dtype, shape)
        except ValueError as error:
            raise CaseError(f"{self.file}:{self.line}: {self.id}: {error}") from None

    def build_flow(self, dtype: str, shape: tuple[int, ...]) -> Any:
        """As `flow`, with the bare ValueError."""
        if self.upstream is None:
            return upstream(shape)
        if self.upstream.shape != shape:
            raise ValueError(f"upstream has the shape {list(self.upstream.shape)}, the result {list(shape)}")
        found = _floats(self.upstream, dtype)
        if not np.isfinite(found).all():
            raise ValueError("upstream holds an infinity or nan")
        return found

    def with_upstream(self, dtype: str) -> dict[str, Any]:
        """As subjects are asked: labels in their own integers, and `upstream` where the case has its own."""
        arguments = {
            name: value.astype(self.label_dtype, copy=False)
            if isinstance(value, np.ndarray) and value.dtype.kind != "f"
            else value
            for name, value in self.arguments(dtype).items()
        }
        if self.upstream is None or self.expect == "error":
            return arguments
        return {**arguments, "upstream": self.flow(dtype, OPERATIONS[self.operation].result_shape(arguments))}

    def quantity_names(self) -> tuple[str, ...]:
        """The case's quantities with their inputs, as `value`, `gradient:logits` and `second:logits`."""
        return self._quantity_names

    @cached_property
    def _quantity_names(self) -> tuple[str, ...]:
        names = ["value"] if "value" in self.quantities else []
        if self.quantities != ("value",):
            operation = OPERATIONS[self.operation]
            # Their kinds decide: no tensor is made for this.
            arguments: dict[str, Any] = {
                item.name: np.empty(0, np.float64 if self._floating(item) else np.int64)
                for item in operation.inputs
            }
            if "gradient" in self.quantities:
                names += [f"gradient:{name}" for name in operation.differentiable(arguments)]
            if "second" in self.quantities:
                names += [f"{SECOND}{name}" for name in operation.twice_differentiable(arguments)]
        return tuple(names)

    def variant(
        self, name: str, operation: str, inputs: Mapping[str, Tensor], parameters: Mapping[str, Any]
    ) -> Case:
        """Another operation on tensors of this case: all formulations, no printed figures, nothing known."""
        return replace(
            self,
            id=name,
            operation=operation,
            inputs=inputs,
            parameters=parameters,
            formulations=OPERATIONS[operation].formulations,
            expect="value",
            printed=None,
            known=(),
            decimals=None,
            warns=None,
            layout={},
            equals=None,
            upstream=None,
            _built={},
        )


def _floats(tensor: Tensor, dtype: str) -> Any:
    return rounded(np.asarray(tensor.values(dtype), np.float64), dtype)
