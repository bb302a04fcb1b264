"""Makers of random calls, with which parameters and gradients come up by chance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from oracle.values import Array

Rng = np.random.Generator
DTYPES = (np.float16, np.float32, np.float64)


@dataclass(frozen=True)
class Call:
    """An operation, its inputs by position, its parameters by name, and what to differentiate by.

    `names` are those of the inputs, where they are not the first gradient's and `target`.
    """

    operation: str
    inputs: tuple[Array, ...]
    parameters: dict[str, Any] = field(default_factory=dict)
    gradients: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        inputs = ", ".join(f"np.array({x.tolist()}, dtype=np.{x.dtype})" for x in self.inputs)
        return f"exact({self.operation!r}, {inputs}, **{self.parameters})"


def one_of(rng: Rng, choices: Any) -> Any:
    """One of the choices, all as likely."""
    return choices[int(rng.integers(len(choices)))]


def shape_of(rng: Rng) -> tuple[int, ...]:
    """One to four dimensions, at most 5 long, mostly small, now and then one of length 1."""
    lengths = {1: 7, 2: 5, 3: 4, 4: 3}
    dimensions = int(rng.integers(1, 5))
    return tuple(int(rng.integers(1, lengths[dimensions] + 1)) for _ in range(dimensions))


def scores_of(rng: Rng, shape: tuple[int, ...]) -> Array:
    """Normal numbers at a scale from 1e-3 to 1e3, some with ties or a common offset, in one of the dtypes."""
    x = rng.standard_normal(shape) * 10 ** rng.uniform(-3, 3)
    kind = int(rng.integers(6))
    if kind == 0:
        x = np.round(x)
    elif kind == 1:
        x = x + np.round(rng.uniform(-1000, 1000))
    return np.asarray(x).astype(one_of(rng, DTYPES))


def masked(rng: Rng, x: Array, axis: int) -> Array:
    """The same with -inf at places, never at a whole row."""
    hidden = rng.random(x.shape) < 0.4
    kept = np.expand_dims(rng.integers(0, x.shape[axis], np.delete(x.shape, axis)), axis)
    np.put_along_axis(hidden, kept, False, axis)
    return np.where(hidden, x.dtype.type(-np.inf), x)


def weights_of(rng: Rng, shape: tuple[int, ...]) -> Array:
    """Positive weights, a fifth of them 0."""
    return np.where(rng.random(shape) < 0.2, 0, rng.uniform(0.1, 3, shape)).astype(one_of(rng, DTYPES))


def reduction_of(rng: Rng, legacy: bool = True) -> dict[str, Any]:
    """A reduction by its name, left out, or in one of the former spellings."""
    kind = int(rng.integers(6))
    if kind == 0:
        return {}
    if kind == 1 and legacy:
        flags = (None, True, False)
        return {"size_average": one_of(rng, flags), "reduce": one_of(rng, flags)}
    names = ("mean", "sum", "none", "elementwise_mean") if legacy else ("mean", "sum", "none")
    return {"reduction": one_of(rng, names)}


def is_none(parameters: dict[str, Any]) -> bool:
    """Whether the call keeps every row apart, so that a mean over nothing cannot come up."""
    return parameters.get("reduce") is False or parameters.get("reduction") == "none"


def elementwise_call(operation: str) -> Callable[[Rng], Call]:
    """Calls of an operation of one input without parameters."""

    def make(rng: Rng) -> Call:
        return Call(operation, (scores_of(rng, shape_of(rng)),), {}, ("x",))

    return make


def axis_call(operation: str) -> Callable[[Rng], Call]:
    """Calls of an operation along an axis."""

    def make(rng: Rng) -> Call:
        x = scores_of(rng, shape_of(rng))
        axis = int(rng.integers(-x.ndim, x.ndim))
        if rng.random() < 0.3:
            x = masked(rng, x, axis)
        elif rng.random() < 0.3:
            where = np.isfinite(masked(rng, x, axis))
            return Call(operation, (x,), {"axis": axis, "where": where}, ("x",))
        elif operation != "logsumexp" and rng.random() < 0.1:
            return Call(operation, (x,), {"axis": None}, ("x",))
        return Call(operation, (x,), {} if axis == -1 else {"axis": axis}, ("x",))

    return make


def one_hot_call(rng: Rng) -> Call:
    """Labels in range."""
    classes = int(rng.integers(1, 6))
    return Call("one_hot", (rng.integers(0, classes, shape_of(rng)),), {"num_classes": classes})


def labels_of(rng: Rng, scores: Array, parameters: dict[str, Any]) -> Array:
    """Labels, a fifth of them ignored, at least one of a row that counts unless the weights forbid it."""
    axis = 0 if scores.ndim == 1 else 1
    target = np.asarray(rng.integers(0, scores.shape[axis], np.delete(scores.shape, axis)))
    if rng.random() < 0.5:
        ignored = one_of(rng, (-100, -1, 0, scores.shape[axis] + 3))
        parameters["ignore_index"] = ignored
        target = np.where(rng.random(target.shape) < 0.2, ignored, target)
    return target


def counts_nothing(target: Array, parameters: dict[str, Any]) -> bool:
    """Whether a mean would divide by 0."""
    weight = parameters.get("weight")
    kept = target[target != parameters.get("ignore_index", -100)]
    return kept.size == 0 or (weight is not None and not weight[kept].any())


def class_parameters(rng: Rng, classes: int) -> dict[str, Any]:
    """A reduction, and class weights in half of the calls."""
    parameters = reduction_of(rng)
    if rng.random() < 0.5:
        parameters["weight"] = weights_of(rng, (classes,))
    return parameters


def nll_loss_call(rng: Rng) -> Call:
    """Log-probabilities of any size: the loss is linear in them."""
    scores = scores_of(rng, shape_of(rng))
    parameters = class_parameters(rng, scores.shape[0 if scores.ndim == 1 else 1])
    target = labels_of(rng, scores, parameters)
    if counts_nothing(target, parameters) and not is_none(parameters):
        return nll_loss_call(rng)
    return Call("nll_loss", (scores, target), parameters, ("log_probs",))


def cross_entropy_call(rng: Rng) -> Call:
    """Labels or probabilities; where some logits are -inf, the target is elsewhere."""
    scores = scores_of(rng, shape_of(rng))
    axis = 0 if scores.ndim == 1 else 1
    parameters = class_parameters(rng, scores.shape[axis])
    if rng.random() < 0.4:
        parameters["label_smoothing"] = float(one_of(rng, (0.0, 0.1, 0.5, 1.0, rng.random())))
    hides = rng.random() < 0.25 and not parameters.get("label_smoothing")
    if rng.random() < 0.5:
        return soft_call(rng, masked(rng, scores, axis) if hides else scores, axis, parameters)
    target = labels_of(rng, scores, parameters)
    if counts_nothing(target, parameters) and not is_none(parameters):
        return cross_entropy_call(rng)
    if hides:
        hidden = masked(rng, scores, axis)
        label = np.expand_dims(target, axis) == classes_along(scores, axis)
        if rng.random() < 0.5:
            parameters["where"] = label | np.isfinite(hidden)
        else:
            scores = np.where(label, scores, hidden)
    return Call("cross_entropy", (scores, target), parameters, ("logits",))


def classes_along(scores: Array, axis: int) -> Array:
    """0, 1, 2 ... along the axis, with length 1 elsewhere."""
    return np.arange(scores.shape[axis]).reshape([-1 if d == axis else 1 for d in range(scores.ndim)])


def soft_call(rng: Rng, scores: Array, axis: int, parameters: dict[str, Any]) -> Call:
    """Class probabilities, 0 where the logit is -inf; they need not sum to one."""
    shares = rng.random(scores.shape) * np.isfinite(scores)
    shares /= np.maximum(shares.sum(axis=axis, keepdims=True), 1e-9)
    target = np.where(rng.random(scores.shape) < 0.2, 0, shares).astype(scores.dtype)
    gradients = ("logits", "target") if np.isfinite(scores).all() else ("logits",)
    return Call("cross_entropy", (scores, target), parameters, gradients)


def binary_targets(rng: Rng, like: Array) -> Array:
    """Zeros and ones, or anything between."""
    hard = rng.integers(0, 2, like.shape)
    return (hard if rng.random() < 0.5 else rng.random(like.shape)).astype(like.dtype)


def stretching(rng: Rng, shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape that NumPy stretches to the given one: the same, its tail, or with ones."""
    kind = int(rng.integers(3))
    if kind == 0:
        return shape
    if kind == 1:
        return shape[int(rng.integers(len(shape))) :]
    return tuple(1 if rng.random() < 0.5 else n for n in shape)


def binary_parameters(rng: Rng, shape: tuple[int, ...]) -> dict[str, Any]:
    """A reduction, and weights in half of the calls."""
    parameters = reduction_of(rng)
    if rng.random() < 0.5:
        parameters["weight"] = weights_of(rng, stretching(rng, shape))
    return parameters


def binary_call(rng: Rng) -> Call:
    """Probabilities all over (0, 1), close to both ends, and at an end where the target is there too."""
    shape, dtype = shape_of(rng), one_of(rng, DTYPES)
    near = 10.0 ** -rng.uniform(0, 7, shape)
    probs = np.clip(np.where(rng.random(shape) < 0.5, near, 1 - near), 1e-7, 1 - 2.0**-11).astype(dtype)
    target = binary_targets(rng, probs)
    gradients = ("probs", "target")
    if np.isin(target, (0, 1)).all() and rng.random() < 0.3:
        probs, gradients = np.where(rng.random(shape) < 0.2, target, probs), ("probs",)
    return Call("binary_cross_entropy", (probs, target), binary_parameters(rng, shape), gradients)


def binary_with_logits_call(rng: Rng) -> Call:
    """Logits of any size; positive weights in half of the calls."""
    logits = scores_of(rng, shape_of(rng))
    parameters = binary_parameters(rng, logits.shape)
    if rng.random() < 0.5:
        parameters["pos_weight"] = weights_of(rng, stretching(rng, logits.shape))
    return Call(
        "binary_cross_entropy_with_logits",
        (logits, binary_targets(rng, logits)),
        parameters,
        ("logits", "target"),
    )


MAKERS: dict[str, Callable[[Rng], Call]] = {
    "sigmoid": elementwise_call("sigmoid"),
    "log_sigmoid": elementwise_call("log_sigmoid"),
    "softmax": axis_call("softmax"),
    "log_softmax": axis_call("log_softmax"),
    "logsumexp": axis_call("logsumexp"),
    "one_hot": one_hot_call,
    "nll_loss": nll_loss_call,
    "cross_entropy": cross_entropy_call,
    "binary_cross_entropy": binary_call,
    "binary_cross_entropy_with_logits": binary_with_logits_call,
}
