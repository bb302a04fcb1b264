"""Tensors of a battery by their kinds: ordinary ones, and the scores at which kernels break."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from conformance.cases.tensors import landmarks
from conformance.cases.tensors.generator import Generator
from conformance.cases.tensors.generators import (
    Constant,
    Gaps,
    Ladder,
    Masked,
    Normal,
    Offset,
    OneDominant,
    Probabilities,
    RandomLabels,
    SameLabel,
    Uniform,
)
from conformance.cases.tensors.values import Literal, Made, Tensor
from conformance.errors import ArgumentError
from conformance.operations.formula.kinds import Kind
from conformance.operations.formula.operation import FormulaOperation

Shape = tuple[int, ...]
#: Rows and classes of a case whose point is not its shape.
ROWS, CLASSES = 4, 6
#: Size of a matrix's dimension of another name, as features.
FEATURES = 5
#: The name of the dimension of a matrix that labels index.
CLASS_DIMENSION = "classes"
#: Kinds whose tensors have the shape of the scores.
_LIKE_SCORES = ("scores", "log_probs", "probabilities", "targets", "class_probabilities")
#: Scores at which an exponential overflows, becomes subnormal or underflows, next to it, and far beyond.
OVERFLOW = ("exp_overflow - 1ulp", "exp_overflow", "exp_overflow + 1ulp", "-exp_overflow", "10000", "-10000")
UNDERFLOW = ("exp_subnormal", "exp_subnormal + 1ulp", "exp_underflow", "exp_underflow - 1ulp", "-17", "-38")
PROBABILITIES = ("1 - 1ulp", "1 - 2ulp", "min_normal", "0.0001", "0.5", "0.75")
LOG_PROBABILITIES = ("-min_normal", "exp_underflow", "exp_subnormal", "-0.0001", "-1000", "-10000")
TINY = ("min_subnormal", "-min_normal", "max_subnormal", "0", "-0.0001", "0.001")


class Shapes:
    """Shapes of an operation's tensors, from that of its scores.

    Attributes:
        operation: The operation.
        scores: The shape of the scores.
    """

    def __init__(self, operation: FormulaOperation, scores: Shape = (ROWS, CLASSES)) -> None:
        self.operation, self.scores = operation, scores
        kinds = {item.name: operation.kinds[item.name] for item in operation.inputs}
        self.has_scores = any(kind.name in _LIKE_SCORES for kind in kinds.values())
        self.matrices = [kind for kind in kinds.values() if kind.name == "matrix"]

    @property
    def classes(self) -> int:
        """The number of classes."""
        return self.scores[min(1, len(self.scores) - 1)] if self.scores else 1

    def of(self, kind: Kind) -> Shape:
        """The shape of a tensor of the kind."""
        if kind.name == "matrix":
            return self._size(kind.rows), self._size(kind.columns)
        axis = min(1, len(self.scores) - 1)
        if kind.name == "labels":
            return self.scores[:axis] + self.scores[axis + 1 :] if self.has_scores else self.scores[:1]
        return (self.classes,) if kind.name == "weights" and self.operation.by_class else self.scores

    def _size(self, dimension: str | int) -> int:
        """The size of a matrix's dimension; the first one's rows are as many as labels."""
        if isinstance(dimension, int):
            return dimension
        if dimension == CLASS_DIMENSION:
            return self.classes
        return self.scores[0] if dimension == self.matrices[0].rows else FEATURES


def tensor(kind: Kind, shapes: Shapes, seed: int) -> Tensor:
    """An ordinary tensor of the kind."""
    return Made(_generator(kind, shapes, seed))


def _generator(kind: Kind, shapes: Shapes, seed: int) -> Generator:
    shape = list(shapes.of(kind))
    if kind.name == "labels":
        return RandomLabels(shape=shape, classes=shapes.classes, seed=seed)
    if kind.name == "class_probabilities":
        return Probabilities(shape=shape, seed=seed)
    spans = {"log_probs": (-8.0, -0.125), "probabilities": (0.0625, 0.9375), "targets": (0.0, 1.0)}
    spans["weights"] = (0.25, 2.0)
    if kind.name in spans:
        low, high = spans[kind.name]
        return Uniform(shape=shape, low=low, high=high, seed=seed)
    return Normal(shape=shape, seed=seed)


def hard(kind: Kind, shapes: Shapes) -> Tensor:
    """Targets of 0 and 1, or all probability at one class, the first."""
    shape = shapes.of(kind)
    values = np.zeros(shape)
    if kind.name == "class_probabilities":
        np.moveaxis(values, min(1, len(shape) - 1), 0)[:1] = 1.0
    else:
        values.reshape(-1)[::2] = 1.0
    return literal(values)


def literal(values: Any) -> Tensor:
    """The numbers as a case's literal."""
    array = np.asarray(values)
    return Literal(array.shape, array.dtype.kind in "iu", array.ravel())


def rows_of(texts: tuple[str, ...], shapes: Shapes) -> Tensor:
    """Landmarks: by class each in a row of its own before zeros, else one an element."""
    count = len(texts)
    shape = (count, *shapes.scores[1:]) if len(shapes.scores) > 1 else (count,)
    width = int(np.prod(shape[1:]))
    flat, edges = np.zeros(count * width), []
    for number, text in enumerate(texts):
        edge = landmarks.parse(text)
        if isinstance(edge, landmarks.Edge):
            edges.append((number * width, edge))
        else:
            flat[number * width] = float(text)
    return Literal(shape, False, flat, tuple(edges))


def scores(shapes: Shapes) -> Mapping[str, Tensor]:
    """Scores at which kernels break, by what is special about them."""
    shape = list(shapes.scores)
    made: dict[str, Generator] = {
        "scale-8": Normal(shape=shape, scale=8.0, seed=11),
        "scale-40": Normal(shape=shape, scale=40.0, seed=12),
        "small": Normal(shape=shape, scale=2.0**-10, seed=13),
        "ties": Normal(shape=shape, scale=1.0, grid=1.0, seed=14),
        "zeros": Constant(shape=shape, value=0.0),
    }
    if shapes.operation.by_class:
        made |= {
            "offset-256": Offset(shape=shape, offset=256.0, seed=15),
            "offset-minus-1024": Offset(shape=shape, offset=-1024.0, grid=1.0, seed=16),
            "dominant-12": OneDominant(shape=shape, gap=12.0, seed=17),
            "dominant-40": OneDominant(shape=shape, gap=40.0, seed=18),
            "gaps": Gaps(low=0.25, high=64.0, steps=1, classes=shapes.classes),
        }
    else:
        made |= {
            "ladder": Ladder(low=0.25, high=64.0, steps=2),
            "ladder-negative": Ladder(low=0.25, high=64.0, steps=2, negative=True),
        }
    special = {"overflow": OVERFLOW, "underflow": UNDERFLOW, "tiny": TINY}
    return {
        **{name: Made(generator) for name, generator in made.items()},
        **{name: rows_of(texts, shapes) for name, texts in special.items()},
    }


def edges(kind: Kind, shapes: Shapes) -> Tensor:
    """Probabilities next to 0 and 1; logarithms of probabilities at 0 and far below."""
    return rows_of(PROBABILITIES if kind.name == "probabilities" else LOG_PROBABILITIES, shapes)


def masked(shapes: Shapes) -> Tensor:
    """Scores of which some, but never the first class, are minus infinity."""
    return Made(Masked(shape=list(shapes.scores), share=0.4, scale=2.0, seed=19))


def same_label(kind: Kind, shapes: Shapes, label: int) -> Tensor:
    """One label throughout."""
    return Made(SameLabel(shape=list(shapes.of(kind)), label=label))


def one_nan(tensor_: Tensor) -> Tensor:
    """The tensor with a nan at its first place."""
    values = np.array(tensor_.values("float64"), np.float64)
    values.reshape(-1)[:1] = np.nan
    return literal(values)


def with_label(tensor_: Tensor, label: int, every: bool = False) -> Tensor:
    """The labels with another one at the first place and each second behind it, or throughout."""
    values = np.array(tensor_.values("float64"), np.int64)
    values.reshape(-1)[:: 1 if every else 2] = label
    return literal(values)


def check_dimensions(operation: FormulaOperation) -> None:
    """ArgumentError for labels beside matrices of which none says how many classes there are."""
    shapes = Shapes(operation)
    names = {name for kind in shapes.matrices for name in (kind.rows, kind.columns)}
    labels = any(operation.kinds[item.name].integral for item in operation.inputs)
    if labels and shapes.matrices and not shapes.has_scores and CLASS_DIMENSION not in names:
        raise ArgumentError(
            f"{operation.name}: labels beside matrices: call the dimension of the classes {CLASS_DIMENSION!r}"
        )
