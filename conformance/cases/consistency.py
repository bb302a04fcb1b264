"""Consistency of a whole case: shapes and ranges that do not fit each other, globs that match nothing."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from conformance.arithmetic import FORMATS, round_to
from conformance.cases.case import Case
from conformance.cases.models import Known, flags_of, globbed
from conformance.cases.parts import misfit
from conformance.cases.tensors.values import size
from conformance.errors import ArgumentError
from conformance.operations import Operation
from conformance.operations.conventions import CONVENTIONS, deciding
from conformance.subjects import subject
from conformance.yaml.limits import Limits
from conformance.yaml.problems import Faults, meant, shown
from conformance.yaml.tree import Mapping, find

#: Elements up to which a case is built when it is loaded, so that its faults show at once.
MAX_EAGER_ELEMENTS = 2**16
#: Axes that a layout needs, where it is more than one.
_LEAST_AXES = {"transposed": 2, "channels_last": 3, "far": 2, "offset": 0}
_DEVICE_SUFFIXES = ("", "@cpu", "@cuda", "@gpu", "@cuda:0")


class Consistency:
    """Consistency of one case; `node` is where it stands in its file."""

    def __init__(
        self, case: Case, operation: Operation, node: Mapping, faults: Faults, limits: Limits
    ) -> None:
        self.case, self.operation, self.node, self.faults = case, operation, node, faults
        self.limits = limits

    def check(self, arguments: bool, known_places: list[int]) -> None:
        """Note every fault.

        arguments: inputs and parameters are sound. known_places: where the entries of `known` stand in
        the file's list, which may hold others that are not sound.
        """
        case, operation = self.case, self.operation
        if arguments:
            self._check_arguments()
        gradients = [f"gradient:{item.name}" for item in operation.inputs if item.kind != "labels"]
        gradients += [f"gradient:{name}" for name in operation.weights]
        if case.tracked == "weights" and not set(operation.weights).intersection(case.parameters):
            self._fault("tracked", "tracked: weights, and none is given", "parameters: {weight: ...}, or all")
        if "value" not in case.quantities and not gradients:
            self._fault("quantities", f"{operation.name} has no gradient", "[value]")
        if "second" in case.quantities:
            gradients += [f"second:{operation.inputs[0].name}"]
        if "jvp" in case.quantities:
            gradients += [f"jvp:{item.name}" for item in operation.inputs if item.kind != "labels"]
        for index, known in zip(known_places, case.known, strict=True):
            self._check_known(index, known, ("value", *gradients))

    def _fault(self, key: str, what: str, remedy: str, *more: int | str) -> None:
        node, _ = find(self.node, (key, *more))
        self.faults.add(node.line, node.column, what, remedy)

    def _check_arguments(self) -> None:
        case, operation = self.case, self.operation
        try:
            arguments = self._arguments()
        except ValueError as error:
            if case.expect != "error":
                self._fault("inputs", str(error), "numbers that the case's dtypes have")
            return
        if not self._accepted(arguments):
            return
        shape = operation.result_shape(arguments)
        if size(shape) > self.limits.elements:
            what = f"a result of {size(shape)} elements, the limit is {self.limits.elements}"
            self._fault("parameters", what, "a smaller shape, or CONFORMANCE_MAX_ELEMENTS")
        if case.expect == "error":
            return
        self._check_dtypes(arguments)
        self._check_labels(arguments)
        self._check_convention(arguments)
        self._check_graph(arguments)
        if self._check_upstream(shape):
            self._check_layout(arguments)
        fault = None if case.parts is None else misfit(case)
        if fault is not None:
            self._fault("parts", *fault)
        printed_shape = _printed_shape(case.printed)
        if case.printed is not None and printed_shape != shape:
            what = "printed figures " + (
                "in ragged lists" if printed_shape is None else f"of shape {list(printed_shape)}"
            )
            self._fault("printed", what, f"{list(shape)}, the shape of the result")

    def _arguments(self) -> dict[str, Any]:
        """The case's arguments in its last dtype, built in each; of a large case their outlines.

        Raises ValueError where a dtype lacks a number of the case.
        """
        case, operation = self.case, self.operation
        if sum(size(item.shape) for item in case.tensors()) <= MAX_EAGER_ELEMENTS:
            return [case.build(dtype) for dtype in case.dtypes][-1]
        arguments = {item.name: case.parameters.get(item.name, item.default) for item in operation.parameters}
        for item in operation.inputs:
            outline = case.inputs[item.name].outline()
            arguments[item.name] = outline if item.kind != "floating" else np.broadcast_to(0.0, outline.shape)
        return {
            name: np.broadcast_to(0.0, value.shape) if hasattr(value, "integral") else value
            for name, value in arguments.items()
        }

    def _accepted(self, arguments: dict[str, Any]) -> bool:
        """Whether the operation accepts them; else, or where a parameter takes its default, the faults."""
        faults = len(self.faults.noted)
        while True:
            try:
                self.operation.check_arguments(arguments)
                return len(self.faults.noted) == faults
            except ArgumentError as error:
                if self.case.expect == "error":
                    return False
                name = self._blame(str(error).removeprefix(f"{self.operation.name}: "))
                if name not in self.case.parameters:
                    return False
                # What else is wrong shows once this parameter is not.
                defaults = {parameter.name: parameter.default for parameter in self.operation.parameters}
                if arguments[name] is defaults[name]:
                    return False
                arguments[name] = defaults[name]

    def _blame(self, text: str) -> str:
        """Note what the operation says at the argument that it names first; that argument's name."""
        case = self.case
        # An error about a label speaks of the target without its name.
        sentence = f"target {text}" if text.startswith("label ") else text
        named = [name for name in (*case.inputs, *case.parameters) if re.search(rf"\b{name}\b", sentence)]
        key = "parameters" if named and named[0] in case.parameters else "inputs"
        remedy = f"arguments that fit {signature(self.operation)}, or `expect: error`"
        self._fault(key, text, remedy, *named[:1])
        return named[0] if named else ""

    def _check_upstream(self, shape: tuple[int, ...]) -> bool:
        """Whether the result can have the upstream gradient; else the fault."""
        if self.case.upstream is None:
            return True
        try:
            for dtype in self.case.dtypes:
                self.case.build_flow(dtype, shape)
        except ValueError as error:
            self._fault("upstream", str(error), f"finite numbers of the result's shape {list(shape)}")
            return False
        return True

    def _check_layout(self, arguments: dict[str, Any]) -> None:
        """Note layouts that a tensor cannot have."""
        if "upstream" in self.case.layout and self.case.quantities != ("value",):
            shape = self.operation.result_shape(arguments)
            arguments = {**arguments, "upstream": self.case.flow(self.case.dtypes[-1], shape)}
        tensors = [name for name, value in arguments.items() if isinstance(value, np.ndarray)]
        for name, layout in self.case.layout.items():
            value = arguments.get(name)
            if not isinstance(value, np.ndarray):
                self._fault("layout", f"{shown(name)} is no tensor of this case", meant(name, tensors), name)
            elif not isinstance(layout, str):
                if sorted(layout) != list(range(value.ndim)):
                    axes = list(range(value.ndim))
                    what = f"{name} has the axes {axes}, not {layout}"
                    self._fault("layout", what, "each of them once, the outermost in memory first", name)
            elif value.ndim < _LEAST_AXES.get(layout, 1):
                self._fault("layout", f"{name} has too few axes to be {layout}", "another layout", name)
            elif layout == "broadcast" and (value != value[:1]).any():
                self._fault("layout", f"the rows of {name} differ", "equal rows, which share memory", name)

    def _check_graph(self, arguments: dict[str, Any]) -> None:
        """Note a graph without gradients, and a result of ReLU that is not above 0."""
        case = self.case
        if case.graph == "single":
            return
        if "gradient" not in case.quantities or not {"second", "jvp"}.isdisjoint(case.quantities):
            what = f"graph: {case.graph}, and no gradient alone"
            self._fault("graph", what, "quantities of value and gradient")
        first = arguments[self.operation.inputs[0].name]
        if case.graph == "result" and not (first.dtype.kind == "f" and (first > 0).all()):
            what = f"graph: result, and a number of {self.operation.inputs[0].name} that is not above 0"
            self._fault("graph", what, "numbers above 0, which a ReLU hands on")

    def _check_dtypes(self, arguments: dict[str, Any]) -> None:
        """Note dtypes that a tensor cannot have."""
        case = self.case
        tensors = [name for name, value in arguments.items() if isinstance(value, np.ndarray)]
        classes = [item.name for item in self.operation.inputs if item.kind == "labels or probabilities"]
        for name, own in case.dtype_of.items():
            value = arguments.get(name)
            if not isinstance(value, np.ndarray):
                self._fault(
                    "dtype_of", f"{shown(name)} is no tensor of this case", meant(name, tensors), name
                )
            elif name in classes and value.dtype.kind == "f" and own not in FORMATS:
                what = f"class probabilities in {own} are labels"
                self._fault("dtype_of", what, "a floating dtype, or labels", name)
            elif not _holds(own, value):
                self._fault("dtype_of", f"{own} does not hold every number of {name}", "a wider dtype", name)
        if case.dtype_of and not {"value", "gradient"}.issuperset(case.quantities):
            self._fault("quantities", "dtype_of has values and gradients alone", "[value, gradient]")

    def _check_convention(self, arguments: dict[str, Any]) -> None:
        """Note a convention that nothing of the case depends on."""
        name = self.case.convention
        if name and not deciding(self.operation, arguments, {name: CONVENTIONS[name].values[1]}):
            what = f"convention: {name}, and the exact value does not depend on it"
            self._fault("convention", what, f"a case of {CONVENTIONS[name].about}")

    def _check_labels(self, arguments: dict[str, Any]) -> None:
        """Note labels that the case's integers do not hold, and integers where there are no labels."""
        case = self.case
        labels = [
            array for array in arguments.values() if isinstance(array, np.ndarray) and array.dtype.kind == "i"
        ]
        if not labels and case.label_dtype != "int64":
            self._fault("label_dtype", "label_dtype without labels", "a case that has labels")
        for array in labels:
            ends = np.array([array.min(), array.max()] if array.size else [], array.dtype)
            if (ends.astype(case.label_dtype) != ends).any():
                what = f"label_dtype: {case.label_dtype} does not hold every label"
                self._fault("label_dtype", what, "integers that hold them")

    def _check_known(self, index: int, known: Known, quantities: tuple[str, ...]) -> None:
        """Note the globs that match nothing; `place` is the entry's in the file's list."""
        case = self.case
        if not any(globbed(known.subject, name) for name in _subjects(known.subject)):
            what = f"known: no subject is like {shown(known.subject)}"
            self._fault("known", what, meant(known.subject, subject.frameworks()), index, "subject")
        for flag in flags_of(known.processor):
            if flag not in subject.INSTRUCTION_SETS:
                what = f"known: no instruction set is {shown(flag)}"
                self._fault("known", what, meant(flag, subject.INSTRUCTION_SETS), index, "processor")
        for key, glob, names in (
            ("dtype", known.dtype, case.dtypes),
            ("formulation", known.formulation, case.formulations),
            ("quantity", known.quantity, quantities),
        ):
            if not any(globbed(glob, name) for name in names):
                what = f"known: no {key} of this case is like {shown(glob)}"
                self._fault("known", what, meant(glob, names), index, key)


def _holds(dtype: str, value: np.ndarray[Any, Any]) -> bool:
    """Whether a dtype holds a tensor: floating numbers are rounded to it, integers it holds exactly."""
    if dtype in FORMATS:
        return value.dtype.kind == "f" or bool((round_to(FORMATS[dtype], value.astype(float)) == value).all())
    with np.errstate(invalid="ignore"):
        return bool((value.astype(dtype) == value).all())


def _subjects(glob: str) -> list[str]:
    """Names of subjects that a glob may mean: every mode and kernel variant, on the usual devices."""
    plain = [name for framework in subject.frameworks() for name in subject.names(framework)]
    names = [f"{name}{device}" for name in plain for device in _DEVICE_SUFFIXES]
    # A version belongs into `versions`, but a subject's name may hold one.
    pinned = re.match(r"(\w+)==[\w.+!-]+", glob)
    return names + ([glob] if pinned and pinned[1] in subject.frameworks() else [])


def _printed_shape(printed: Any) -> tuple[int, ...] | None:
    """The shape of nested lists; None where they are ragged."""
    if not isinstance(printed, list):
        return ()
    inner = {_printed_shape(item) for item in printed}
    if len(inner) > 1 or None in inner:
        return None
    return (len(printed), *(inner.pop() or () if inner else ()))


def signature(operation: Operation) -> str:
    """An operation's signature as the documentation writes it, without the legacy parameters."""
    inputs = ", ".join(item.name for item in operation.inputs)
    listed = [item for item in operation.parameters if item.name not in ("size_average", "reduce")]
    parameters = ", ".join(f"{item.name}={item.default!r}" for item in listed)
    return f"{operation.name}({inputs}{', *, ' + parameters if parameters else ''})"
