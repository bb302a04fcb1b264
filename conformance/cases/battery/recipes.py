"""Recipes of a battery: what each case changes of the ordinary one, as far as the kinds have it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from conformance.cases.battery import tensors
from conformance.cases.battery.tensors import CLASSES, ROWS, Shape, Shapes
from conformance.cases.tensors.values import Tensor
from conformance.operations.formula.operation import FormulaOperation

#: Shapes of the scores beside the ordinary one, by name; a formula need not take them all.
SHAPES: Mapping[str, Shape] = {
    "one-axis": (CLASSES,),
    "three-axes": (2, 5, 3),
    "one-row": (1, CLASSES),
    "one-class": (ROWS, 1),
    "many-rows": (257, 3),
    "many-classes": (2, 1000),
}
LAYOUTS = ("transposed", "strided", "padded", "offset", "reversed")
#: Special scores that are tried with targets of 0 and of 1: a kernel may lose either side.
_ON_EITHER_SIDE = ("overflow", "underflow", "ladder", "ladder-negative")
#: Values that a number among the parameters takes beside half and twice its default.
_NUMBERS = (0.0, 0.5, 1.0)
#: Special scores that are tried with targets of 0 and of 1: a kernel may lose either side.
_ON_EITHER_SIDE = ("overflow", "underflow", "ladder", "ladder-negative")


@dataclass(frozen=True)
class Recipe:
    """A case to be made.

    Attributes:
        name: What it is about, the end of its id.
        shapes: The shapes of its tensors.
        inputs: The inputs that are not ordinary, by name.
        parameters: The parameters that it states.
        layout: The memory layouts that are not contiguous.
        upstream: The upstream gradient; None: the suite's own.
        quantities: What is compared.
        optional: Whether a formula may be unable to take it: a number of axes, a value of a parameter.
        why: What only this case would catch.
    """

    name: str
    shapes: Shapes
    inputs: Mapping[str, Tensor] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    layout: Mapping[str, str] = field(default_factory=dict)
    upstream: Tensor | None = None
    quantities: tuple[str, ...] = ("value", "gradient")
    optional: bool = False
    why: str = ""


def recipes(operation: FormulaOperation) -> Iterator[Recipe]:
    """The recipes, in the order in which they are judged."""
    shapes = Shapes(operation)
    yield Recipe("plain", shapes, why="ordinary inputs")
    yield from _reductions(operation, shapes)
    yield from _scores(operation, shapes)
    yield from _targets(operation, shapes)
    yield from _parameters(operation, shapes)
    yield from _layouts(operation, shapes)
    for name, shape in SHAPES.items():
        yield Recipe(name, Shapes(operation, shape), optional=True, why=f"scores of shape {list(shape)}")
    yield Recipe(
        "empty", Shapes(operation, (0, CLASSES)), parameters=_reduced(operation, "sum"), optional=True,
        why="no rows",
    )  # fmt: skip


def _reduced(operation: FormulaOperation, reduction: str) -> dict[str, Any]:
    """The reduction, where the operation has one."""
    return {item.name: reduction for item in operation.parameters if item.kind == "reduction"}


def _names(operation: FormulaOperation, *kinds: str) -> list[str]:
    """The inputs of these kinds."""
    return [item.name for item in operation.inputs if operation.kinds[item.name].name in kinds]


def _reductions(operation: FormulaOperation, shapes: Shapes) -> Iterator[Recipe]:
    for reduction in ("none", "sum", "mean") if _reduced(operation, "") else ():
        parameters = _reduced(operation, reduction)
        yield Recipe(f"reduction-{reduction}", shapes, parameters=parameters, why=f"reduction {reduction}")
    if operation.result_shape(_ordinary(operation, shapes)) == ():
        flow = tensors.literal(np.array(-2.5))
        yield Recipe("upstream", shapes, upstream=flow, why="an upstream gradient that is not 1")


def _ordinary(operation: FormulaOperation, shapes: Shapes) -> dict[str, Any]:
    """Arguments of the shapes, for what only they decide."""
    inputs: dict[str, Any] = {
        item.name: np.zeros(
            shapes.of(operation.kinds[item.name]), np.int64 if item.kind == "labels" else np.float64
        )
        for item in operation.inputs
    }
    return operation.completed(inputs)


def _scores(operation: FormulaOperation, shapes: Shapes) -> Iterator[Recipe]:
    """Scores at which kernels break, for the first input of scores; without classes, for either target."""
    for name in _names(operation, "probabilities", "log_probs"):
        made = tensors.edges(operation.kinds[name], shapes)
        why, fitting = f"{name} at their ends", Shapes(operation, made.shape)
        yield Recipe(f"edges-{name}", fitting, {name: made}, why=why, optional=True)
    names = _names(operation, "scores")
    if not names:
        return
    targets = [] if operation.by_class else _names(operation, "targets")
    for special, made in tensors.scores(shapes).items():
        why, fitting = f"scores: {special}", Shapes(operation, made.shape)
        yield Recipe(special, fitting, {names[0]: made}, why=why, optional=True)
        for target in targets if special in _ON_EITHER_SIDE else ():
            for label in (0.0, 1.0):
                inputs = {names[0]: made, target: tensors.literal(np.full(made.shape, label))}
                name = f"{special}-{target}-{label:g}"
                yield Recipe(name, fitting, inputs, why=f"{why}; {target} {label:g}", optional=True)
    nan = tensors.one_nan(tensors.tensor(operation.kinds[names[0]], shapes, 1))
    yield Recipe("nan", shapes, {names[0]: nan}, quantities=("value",), why="a score is nan")
    if operation.by_class:
        inputs = {names[0]: tensors.masked(shapes)}
        for name in _names(operation, "labels"):
            inputs[name] = tensors.same_label(operation.kinds[name], shapes, 0)
        for name in _names(operation, "class_probabilities"):
            inputs[name] = tensors.hard(operation.kinds[name], shapes)
        yield Recipe("masked", shapes, inputs, why="scores of minus infinity, none of them the target's")


def _targets(operation: FormulaOperation, shapes: Shapes) -> Iterator[Recipe]:
    for name in _names(operation, "targets", "class_probabilities"):
        yield Recipe(f"hard-{name}", shapes, {name: tensors.hard(operation.kinds[name], shapes)},
                     why=f"{name} of 0 and 1")  # fmt: skip
    for name in _names(operation, "labels"):
        kind = operation.kinds[name]
        last = tensors.same_label(kind, shapes, shapes.classes - 1)
        yield Recipe(f"last-{name}", shapes, {name: last}, why="every label is the last class")
        yield from _ignored(operation, shapes, name)


def _ignored(operation: FormulaOperation, shapes: Shapes, name: str) -> Iterator[Recipe]:
    """Rows that are ignored, some and all; nan in them; one of the classes as the ignored label."""
    default = {item.name: item.default for item in operation.parameters}.get("ignore_index")
    if not isinstance(default, int):
        return
    labels = tensors.tensor(operation.kinds[name], shapes, 5)
    some, every = tensors.with_label(labels, default), tensors.with_label(labels, default, every=True)
    yield Recipe("ignored", shapes, {name: some}, why="some rows are ignored")
    summed, of_class = _reduced(operation, "sum"), tensors.with_label(labels, 1)
    yield Recipe("all-ignored", shapes, {name: every}, summed, why="every row is ignored", optional=True)
    stated = {"ignore_index": 1}
    yield Recipe("ignored-class", shapes, {name: of_class}, stated, why="a class is ignored")
    for scores in _names(operation, "scores", "log_probs")[:1]:
        nan = tensors.one_nan(tensors.tensor(operation.kinds[scores], shapes, 1))
        yield Recipe("ignored-nan", shapes, {name: some, scores: nan}, quantities=("value",),
                     why="an ignored row holds nan")  # fmt: skip


def _parameters(operation: FormulaOperation, shapes: Shapes) -> Iterator[Recipe]:
    """Parameters at other values than their default, and the optional tensors that have a kind."""
    for item in operation.parameters:
        values: list[Any] = []
        if item.kind == "real":
            assert isinstance(item.default, (int, float))
            values = [
                value for value in (item.default / 2, item.default * 2, *_NUMBERS) if value != item.default
            ]
        elif item.kind == "flag":
            values = [not item.default]
        for value in dict.fromkeys(values):
            text = f"{value:g}" if item.kind == "real" else str(value).lower()
            why = f"{item.name} is {text}"
            yield Recipe(f"{item.name}-{text}", shapes, parameters={item.name: value}, why=why, optional=True)
        if item.kind == "tensor" and item.name in operation.kinds:
            for reduction in ("mean", "none") if _reduced(operation, "") else ("",):
                given = tensors.tensor(operation.kinds[item.name], shapes, 7)
                parameters = {item.name: given, **(_reduced(operation, reduction) if reduction else {})}
                name = f"{item.name}-{reduction}" if reduction else item.name
                yield Recipe(name, shapes, parameters=parameters, why=f"there is a {item.name}")


def _layouts(operation: FormulaOperation, shapes: Shapes) -> Iterator[Recipe]:
    first = operation.inputs[0].name
    if not operation.kinds[first].integral:
        for layout in LAYOUTS:
            yield Recipe(layout, shapes, layout={first: layout}, why=f"{first} is {layout} in memory")
