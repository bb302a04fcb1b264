"""Case: one entry of a case file, and the arguments that it means in each dtype.

`conformance.cases.models` has the keys of a file, `conformance.cases.loader` reads one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from conformance.adapters.layouts import Layout
from conformance.cases.models import DTYPES, Equals, Known, Parts
from conformance.cases.tensors.values import Tensor, rounded, size
from conformance.errors import CaseError
from conformance.operations import JVP, OPERATIONS, SECOND, upstream
from conformance.operations.base import Input

#: Elements up to which built arguments are kept: a case is asked for them many times.
_MAX_BUILT_ELEMENTS = 2**16


@dataclass(frozen=True, eq=False)
class Case:
    """A case: an operation, its inputs and parameters, and what is expected of every subject.

    Attributes:
        id: name, unique over all files.
        source: where the example comes from.
        file: the case file, relative to the corpus (`cases/...`) or the working directory.
        line: the line of the file on which the case begins.
        operation: name of the operation.
        inputs: the operation's inputs by name, not yet built.
        parameters: the parameters that the case gives, by name; tensors among them are not yet built.
        dtypes: dtypes in which the case runs.
        formulations: formulations that are asked, in the operation's order.
        quantities: `value`, `gradient`, `second`: what is compared.
        tags: names by which cases are selected.
        expect: `value`, `error`, or the special value that every element of the exact value has (`nan`,
            `inf`, `-inf`, `zero`).
        printed: figures as the source prints them: texts, in nested lists; None for none.
        known: deviations that are documented.
        why: what only this case would catch.
        title: a heading for reports.
        source_title: what the source is called.
        decimals: decimals to which the inputs are known; None: they are exact.
        warns: whether the framework warns; None: it may do either.
        layout: memory layout of each input and tensor parameter that is not contiguous, by name.
        equals: another case whose result this one's must equal.
        parts: what it is split into, into cases of their own (`conformance.cases.parts`).
        call: how it is called: `once`, `twice`, `one_thread` or `at_once`.
        label_dtype: integers in which labels are handed over.
        dtype_of: dtypes of the tensors that have one of their own, by name: half logits, float32 weights.
        upstream: upstream gradient; None: the suite's own.
        conventions: what a user's function declares and what decides here, by name; none in a case file.
        convention: the convention of which every answer is right here; empty: the suite's own answers alone.
        graph: what gradients go back through, one of `models.GRAPHS`.
        tracked: tensors that are tracked for gradients: `all` floating inputs, the `first` alone, `none`, or
            all and the `weights` that the case gives.
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
    source_title: str = ""
    decimals: int | None = None
    warns: bool | None = None
    layout: Mapping[str, Layout] = field(default_factory=dict)
    equals: Equals | None = None
    parts: Parts | None = None
    call: str = "once"
    label_dtype: str = "int64"
    dtype_of: Mapping[str, str] = field(default_factory=dict)
    upstream: Tensor | None = None
    conventions: Mapping[str, object] = field(default_factory=dict)
    convention: str = ""
    tracked: str = "all"
    graph: str = "single"
    _built: dict[str, dict[str, Any]] = field(default_factory=dict, repr=False)

    def tensors(self) -> Iterator[Tensor]:
        """Every tensor among inputs and parameters."""
        for tensor in (*self.inputs.values(), *self.parameters.values()):
            if hasattr(tensor, "integral"):
                yield tensor

    def arguments(self, dtype: str) -> dict[str, Any]:
        """Inputs and parameters by name, rounded to the dtype: float64 and int64 arrays, Python scalars.

        Args:
            dtype: the dtype to round to. Every parameter is there, by its default where the case gives none.

        Raises:
            CaseError: the dtype cannot hold a number of the case, or a file has gone.
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
            own = self.dtype_of_tensor(item.name, dtype)
            built[item.name] = _floats(tensor, own) if self._floating(item) else tensor.values(dtype)
        for parameter in operation.parameters:
            value = self.parameters.get(parameter.name, parameter.default)
            own = self.dtype_of_tensor(parameter.name, dtype)
            built[parameter.name] = _floats(value, own) if hasattr(value, "integral") else value
        for value in built.values():
            if isinstance(value, np.ndarray):
                value.setflags(write=False)
        if sum(size(tensor.shape) for tensor in self.tensors()) <= _MAX_BUILT_ELEMENTS:
            self._built[dtype] = built
        return dict(built)

    def dtype_of_tensor(self, name: str, dtype: str) -> str:
        """The floating dtype of a tensor of the case in a dtype; float64, which holds them, for integers."""
        own = self.dtype_of.get(name, dtype)
        return own if own in DTYPES else "float64"

    def _tracked(self, item: Input) -> bool:
        """Whether gradients are taken with respect to the input: integers have none."""
        return self._floating(item) and self.dtype_of.get(item.name, "float32") in DTYPES

    def _floating(self, item: Input) -> bool:
        return item.kind == "floating" or not self.inputs[item.name].integral

    def flow(self, dtype: str, shape: tuple[int, ...]) -> Any:
        """Upstream gradient of a result: the case's own, rounded, else the suite's.

        Args:
            dtype: the dtype to round to.
            shape: the shape of the result.

        Raises:
            CaseError: the case's own has another shape, or a number that is not finite in the dtype.
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
        flow = _floats(self.upstream, dtype)
        if not np.isfinite(flow).all():
            raise ValueError("upstream holds an infinity or nan")
        return flow

    def with_upstream(self, dtype: str) -> dict[str, Any]:
        """As subjects are asked: labels in their own integers, `upstream` where the case has its own.

        `layout` and `dtype_of` are there too, where the case has them, and `tracked`, where it is not `all`.
        """
        arguments: dict[str, Any] = {} if self.tracked == "all" else {"tracked": self.tracked}
        arguments |= {
            name: value.astype(self.label_dtype, copy=False)
            if isinstance(value, np.ndarray) and value.dtype.kind != "f"
            else value
            for name, value in self.arguments(dtype).items()
        }
        if self.graph != "single":
            arguments["graph"] = self.graph
        if self.layout:
            arguments["layout"] = dict(self.layout)
        if self.dtype_of:
            arguments["dtype_of"] = dict(self.dtype_of)
        if self.upstream is None or self.expect == "error":
            return arguments
        return {
            **arguments,
            "upstream": self.flow(dtype, OPERATIONS[self.operation].result_shape(self.arguments(dtype))),
        }

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
                item.name: np.empty(0, np.float64 if self._tracked(item) else np.int64)
                for item in operation.inputs
            }
            arguments |= {
                name: np.empty(0) for name, one in self.parameters.items() if hasattr(one, "integral")
            }
            if "gradient" in self.quantities:
                tracked = operation.differentiable(arguments)
                tracked = tracked[:1] if self.tracked == "first" else tracked
                if self.tracked == "weights":
                    tracked += tuple(name for name in operation.weights if name in arguments)
                names += [f"gradient:{name}" for name in tracked]
            if "second" in self.quantities:
                names += [f"{SECOND}{name}" for name in operation.twice_differentiable(arguments)]
            if "jvp" in self.quantities:
                # The direction that is sent has the first input's shape.
                shape = self.inputs[operation.inputs[0].name].shape
                alike = [
                    name for name in operation.differentiable(arguments) if self.inputs[name].shape == shape
                ]
                names += [f"{JVP}{name}" for name in alike]
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
            dtype_of={},
            equals=None,
            parts=None,
            call="once",
            upstream=None,
            convention="",
            tracked="all",
            graph="single",
            _built={},
        )


def _floats(tensor: Tensor, dtype: str) -> Any:
    return rounded(np.asarray(tensor.values(dtype), np.float64), dtype)
