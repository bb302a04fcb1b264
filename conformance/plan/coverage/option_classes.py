"""Option classes: what a case's parameters and targets are, by kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

Arguments = Mapping[str, Any]

REDUCTIONS = ("none", "sum", "mean")
WEIGHTS = ("none", "varied", "all equal", "with zeros", "all zero", "huge and tiny")
SMOOTHINGS = ("0", "next to 0", "between", "next to 1", "1")
IGNORED = ("no row", "some rows", "all rows", "a class", "a negative label", "a label beyond")
TARGETS = ("labels", "one-hot", "soft", "not normalised", "constant")
AXES = ("last", "first", "inner", "negative", "implicit")
WHERE = ("everywhere", "in places")
FLAGS = ("no old flag", "size_average or reduce")
NUMBERS = ("as many as labels", "more than labels")
#: What the targets of the binary losses are; those of logits may lie outside 0 to 1.
BINARY_TARGETS = ("hard", "soft", "constant")
#: The classes of an operation that has other ones on an option.
LACKING: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("binary_cross_entropy", "target"): BINARY_TARGETS,
    ("binary_cross_entropy_with_logits", "target"): (*BINARY_TARGETS, "outside"),
    ("nll_loss", "target"): (),
    ("one_hot", "target"): (),
    ("logsumexp", "axis"): AXES[:4],
    ("js_div", "target"): (),
    ("sigmoid_focal_loss", "target"): BINARY_TARGETS,
    ("kl_div", "target"): TARGETS[1:],
    ("kl_div", "reduction"): (*REDUCTIONS, "batchmean"),
}
#: Smoothing within this of 0 or 1 is next to it; weights of this ratio are huge and tiny.
NEXT, HUGE_RATIO = 1e-3, 1e5


def reduction(arguments: Arguments) -> Iterator[str]:
    """The reduction, by today's name."""
    name = str(arguments.get("reduction"))
    yield "mean" if name == "elementwise_mean" else name


def weight(arguments: Arguments, name: str) -> Iterator[str]:
    """What the weights are."""
    given = arguments.get(name)
    if given is None:
        yield "none"
    elif not given.any():
        yield "all zero"
    elif (given == given.flat[0]).all():
        yield "all equal"
    else:
        yield "with zeros" if (given == 0).any() else "varied"
        positive = given[given > 0]
        if positive.max() / positive.min() >= HUGE_RATIO:
            yield "huge and tiny"


def smoothing(arguments: Arguments) -> Iterator[str]:
    """How strong the smoothing is."""
    share = float(arguments["label_smoothing"])
    if share in (0, 1):
        yield f"{share:g}"
    else:
        yield "next to 0" if share <= NEXT else "next to 1" if share >= 1 - NEXT else "between"


def ignored(arguments: Arguments, classes: int) -> Iterator[str]:
    """Which rows are ignored, and by what label; nothing of class probabilities."""
    target, index = arguments["target"], arguments["ignore_index"]
    if target.dtype.kind == "f":
        return
    rows = target == index
    if not rows.any():
        yield "no row"
        return
    yield "all rows" if rows.all() else "some rows"
    if 0 <= index < classes:
        yield "a class"
    elif index >= classes:
        yield "a label beyond"
    elif index != -100:
        yield "a negative label"


def target(operation: str, arguments: Arguments) -> Iterator[str]:
    """What the targets are."""
    given = np.exp(arguments["target"]) if arguments.get("log_target") else arguments["target"]
    if not given.size:
        return
    if operation.startswith(("binary", "sigmoid_focal")):
        hard = np.isin(given, (0, 1)).all()
        yield "hard" if hard else "outside" if (given < 0).any() or (given > 1).any() else "soft"
        if given.size > 1 and (given == given.flat[0]).all():
            yield "constant"
    elif given.dtype.kind != "f":
        yield "labels"
    elif np.isfinite(given).all():
        sums = given.sum(axis=1 if given.ndim > 1 else 0)
        if (np.abs(sums - 1) > 2.0**-6).any():
            yield "not normalised"
        else:
            yield "one-hot" if np.isin(given, (0, 1)).all() else "soft"
        if given.size > 1 and (given == given.flat[0]).all():
            yield "constant"


def axis(arguments: Arguments, axes: int) -> Iterator[str]:
    """Where the axis lies, and whether it is counted from behind."""
    index = arguments["axis"]
    if index is None:
        yield "implicit"
        return
    if index < 0:
        yield "negative"
    position = index % axes if axes else 0
    yield "last" if position == axes - 1 or not axes else "inner" if position else "first"


def num_classes(arguments: Arguments) -> Iterator[str]:
    """Whether there are classes that no label names."""
    labels = arguments["target"]
    if labels.size:
        yield "as many as labels" if labels.max() + 1 == arguments["num_classes"] else "more than labels"


def where(arguments: Arguments) -> Iterator[str]:
    """Whether elements are left out."""
    yield "everywhere" if arguments.get("where") is None else "in places"


def flags(arguments: Arguments) -> Iterator[str]:
    """Whether the reduction is given by PyTorch's old flags."""
    given = arguments.get("size_average") is not None or arguments.get("reduce") is not None
    yield "size_average or reduce" if given else "no old flag"
