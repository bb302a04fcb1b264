"""Axes of the coverage table: each a name, the classes that an operation has on it, and a classifier."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from conformance.adapters import layouts
from conformance.cases.case import Case
from conformance.cases.models import DTYPES, GRAPHS, TRACKED
from conformance.operations import JVP, OPERATIONS, SECOND, Operation
from conformance.plan.coverage import option_classes, own_dtypes, value_classes

#: Operations whose elements do not depend on one another, and how their first input's numbers are classed.
_BY_ELEMENT: dict[str, tuple[tuple[str, ...], Callable[[Any, str], Iterator[str]]]] = {
    "sigmoid": (value_classes.OF_ELEMENTS, value_classes.of_elements),
    "log_sigmoid": (value_classes.OF_ELEMENTS, value_classes.of_elements),
    "binary_cross_entropy": (value_classes.OF_PROBABILITIES, value_classes.of_probabilities),
    "binary_cross_entropy_with_logits": (value_classes.OF_ELEMENTS, value_classes.of_elements),
    "sigmoid_focal_loss": (value_classes.OF_ELEMENTS, value_classes.of_elements),
    "nll_loss": (value_classes.OF_LOG_PROBABILITIES, value_classes.of_log_probabilities),
    "kl_div": (value_classes.OF_LOG_PROBABILITIES, value_classes.of_log_probabilities),
}
SHAPES = ("0-d", "1-d", "2-d", "3-d", "4-d", "5-d", "empty", "one row", "many rows", "long")
OF_CLASSES = ("one class", "two classes", "many classes")
#: From so many rows or classes on a shape has many; from so many elements on it is long.
MANY, LONG = 1024, 1 << 16


@dataclass(frozen=True)
class Question:
    """A case in a dtype, as classifiers see it.

    Attributes:
        case: the case.
        dtype: one of its dtypes.
    """

    case: Case
    dtype: str

    @cached_property
    def arguments(self) -> dict[str, Any]:
        """Inputs and parameters by name, rounded to the dtype."""
        return self.case.arguments(self.dtype)

    @cached_property
    def operation(self) -> Operation:
        """The case's operation."""
        return OPERATIONS[self.case.operation]

    @property
    def first(self) -> Any:
        """The first input."""
        return self.arguments[self.operation.inputs[0].name]

    @cached_property
    def scores(self) -> Any:
        """What softmax is taken of: the first input, or what a product makes (logits, a head's scores)."""
        if "query" in self.arguments:
            scale = self.arguments["scale"] or self.first.shape[-1] ** -0.5
            with np.errstate(all="ignore"):
                scores = self.first @ self.arguments["key"].T * scale
            where = self.arguments["where"]
            return scores if where is None else np.where(where != 0, scores, -np.inf)
        if "head" not in self.arguments:
            return self.first
        bias = self.arguments["bias"]
        with np.errstate(all="ignore"):
            logits = self.first @ self.arguments["head"].T
            return logits if bias is None else logits + bias

    @cached_property
    def class_axis(self) -> int:
        """The axis of the classes."""
        if "axis" in self.arguments:
            return self.operation.row_axis(self.arguments) or 0
        return 1 if self.scores.ndim > 1 else 0

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return int(self.scores.shape[self.class_axis]) if self.scores.ndim else 0


Classifier = Callable[[Question], Iterable[str]]


@dataclass(frozen=True)
class Axis:
    """An axis of the table.

    Attributes:
        name: its name.
        declared: the classes that an operation has on it; none: the operation has no such axis.
        classes: the classes that a case in a dtype falls into, one or several.
    """

    name: str
    declared: Callable[[Operation], Sequence[str]]
    classes: Classifier


def _values(question: Question) -> Iterable[str]:
    name = question.operation.name
    with np.errstate(all="ignore"):
        if name in _BY_ELEMENT:
            return list(_BY_ELEMENT[name][1](question.scores, question.dtype))
        return list(value_classes.of_rows(question.scores, question.class_axis, question.dtype))


def _declared_values(operation: Operation) -> Sequence[str]:
    if operation.inputs[0].kind == "labels":
        return ()
    return _BY_ELEMENT.get(operation.name, (value_classes.OF_ROWS,))[0]


def _shape(question: Question) -> Iterator[str]:
    scores = question.scores
    yield f"{scores.ndim}-d"
    if not scores.size:
        yield "empty"
        return
    if scores.size >= LONG:
        yield "long"
    axis = question.class_axis
    classes = 1
    if has_classes(question.operation):
        classes = scores.shape[axis] if scores.ndim else 1
        yield from (name for name, there in zip(OF_CLASSES, (classes == 1, classes == 2, classes >= MANY),
                    strict=True) if there)  # fmt: skip
    rows = scores.size // classes
    if scores.ndim > 1 and rows == 1:
        yield "one row"
    if rows >= MANY:
        yield "many rows"


def has_classes(operation: Operation) -> bool:
    """Whether elements of a row of the first input depend on one another, or are chosen among."""
    return operation.inputs[0].kind != "labels" and (
        operation.name not in _BY_ELEMENT or operation.name == "nll_loss"
    )


def _declared_shapes(operation: Operation) -> Sequence[str]:
    return (*SHAPES, *(OF_CLASSES if has_classes(operation) else ()))


REORDERED = "axes in another order"
LAYOUTS = ("contiguous", *layouts.LAYOUTS, REORDERED)
#: Those of the tensors beside the first.
OTHER_LAYOUTS = ("contiguous", "transposed", "strided", "padded", "offset", "reversed")


def _layout(question: Question) -> Iterator[str]:
    yield _layout_name(question.case.layout.get(question.operation.inputs[0].name, "contiguous"))


def _other_layout(question: Question) -> Iterator[str]:
    first = question.operation.inputs[0].name
    others = [_layout_name(layout) for name, layout in question.case.layout.items() if name != first]
    yield from others or ["contiguous"]


def _layout_name(layout: Any) -> str:
    return layout if isinstance(layout, str) else REORDERED


def _own_dtypes(question: Question) -> Iterator[str]:
    return own_dtypes.of_tensors(question.arguments, question.case.dtype_of, question.dtype)


def _label_dtype(question: Question) -> Iterator[str]:
    if _has_labels(question.operation) and question.arguments["target"].dtype.kind != "f":
        yield question.case.label_dtype


def _patterns(operation: Operation) -> tuple[str, ...]:
    """The gradient patterns that differ: of one floating input, the first is all."""
    floating = sum(item.kind != "labels" for item in operation.inputs)
    return (*((), TRACKED[:3:2], TRACKED[:3])[min(floating, 2)], *TRACKED[3:] * bool(operation.weights))


def _has_labels(operation: Operation) -> bool:
    return any(item.kind != "floating" for item in operation.inputs)


def _option(name: str, declared: Sequence[str], classes: Classifier) -> Axis:
    """An axis of one parameter, which the operations that have it have."""

    def of(operation: Operation) -> Sequence[str]:
        if name not in (
            *(item.name for item in operation.parameters),
            *(item.name for item in operation.inputs),
        ):
            return ()
        return option_classes.LACKING.get((operation.name, name), tuple(declared))

    return Axis(name, of, classes)


#: The axes of a case in a dtype.
OF_QUESTIONS: tuple[Axis, ...] = (
    Axis("dtype", lambda operation: DTYPES, lambda question: (question.dtype,)),
    _option("reduction", option_classes.REDUCTIONS, lambda q: option_classes.reduction(q.arguments)),
    _option("weight", option_classes.WEIGHTS, lambda q: option_classes.weight(q.arguments, "weight")),
    _option("pos_weight", option_classes.WEIGHTS, lambda q: option_classes.weight(q.arguments, "pos_weight")),
    _option("label_smoothing", option_classes.SMOOTHINGS, lambda q: option_classes.smoothing(q.arguments)),
    _option("ignore_index", option_classes.IGNORED,
            lambda q: option_classes.ignored(q.arguments, q.classes)),
    _option("target", option_classes.TARGETS, lambda q: option_classes.target(q.operation.name, q.arguments)),
    _option("axis", option_classes.AXES, lambda q: option_classes.axis(q.arguments, q.first.ndim)),
    _option("num_classes", option_classes.NUMBERS, lambda q: option_classes.num_classes(q.arguments)),
    _option("where", option_classes.WHERE, lambda q: option_classes.where(q.arguments)),
    _option("size_average", option_classes.FLAGS, lambda q: option_classes.flags(q.arguments)),
    Axis("values", _declared_values, _values),
    Axis("shape", _declared_shapes, _shape),
    Axis("layout", lambda operation: LAYOUTS, _layout),
    Axis(
        "layout of the others",
        lambda operation: OTHER_LAYOUTS if len(operation.inputs) > 1 else (),
        _other_layout,
    ),
    Axis(
        "label dtype",
        lambda operation: ("int8", "uint8", "int16", "int32", "int64") if _has_labels(operation) else (),
        _label_dtype,
    ),
    Axis("own dtypes", own_dtypes.declared, _own_dtypes),
    Axis("graph", lambda operation: GRAPHS if _patterns(operation) else (), lambda q: (q.case.graph,)),
    Axis("tracked", lambda operation: _patterns(operation), lambda question: (question.case.tracked,)),
)  # fmt: skip

UPSTREAM = "upstream"
#: Classes of the upstream gradient: of a scalar result autograd's one or another number; of an array.
UPSTREAMS = (
    "one", "a scalar of its own", "an array", "zeros among", "zero", "large", "small",
)  # fmt: skip


def upstream(question: Question, quantity: str) -> Iterator[str]:
    """Classes of the upstream gradient of a quantity; none of a value."""
    if quantity == "value" or quantity.startswith(JVP) or question.case.expect == "error":
        return
    shape = question.operation.result_shape(question.arguments)
    if question.case.upstream is None:
        yield "an array" if shape else "one"
        return
    flow = np.abs(np.asarray(question.case.flow(question.dtype, shape)))
    yield "an array" if shape else "a scalar of its own"
    if flow.size and not flow.any():
        yield "zero"
    elif (flow == 0).any():
        yield "zeros among"
    if (flow >= MANY).any():
        yield "large"
    if ((flow > 0) & (flow <= 1 / MANY)).any():
        yield "small"


def quantities(operation: Operation) -> tuple[str, ...]:
    """The quantities that an operation has."""
    floating = [item.name for item in operation.inputs if item.kind != "labels"]
    return (
        "value",
        *(f"gradient:{name}" for name in (*floating, *operation.weights)),
        *(f"{SECOND}{name}" for name in floating[:1]),
        *(f"{JVP}{name}" for name in floating),
    )


def declared(operation: Operation) -> dict[str, tuple[str, ...]]:
    """The classes that an operation has on each axis: axis -> classes."""
    axes = {
        "quantity": quantities(operation),
        "formulation": operation.formulations,
        UPSTREAM: UPSTREAMS if len(quantities(operation)) > 1 else (),
        **{axis.name: tuple(axis.declared(operation)) for axis in OF_QUESTIONS},
    }
    return {axis: classes for axis, classes in axes.items() if classes}
