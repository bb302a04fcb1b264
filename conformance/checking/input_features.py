"""Input features: what is special about a check, in the words that a person would use for a cause."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from conformance.cases.case import Case
from conformance.operations import OPERATIONS, SECOND
from conformance.operations.formula.operation import FormulaOperation

Array = npt.NDArray[Any]
Arguments = Mapping[str, Any]

#: Feature -> what holds of the check, the more telling first: of two that tell as much, the first is named.
PHRASES = {
    "label beyond": "a label lies beyond the last class",
    "label negative": "a label is negative and not the ignored one",
    "shapes differ": "the target's shape does not fit the input's",
    "smoothing outside": "the label smoothing lies outside [0, 1]",
    "odd reduction": "there is no such reduction",
    "axis outside": "the input has no such axis",
    "weight misfit": "the weight's length is not the number of classes",
    "probability outside": "a probability lies outside [0, 1]",
    "target outside": "a target lies outside [0, 1]",
    "error": "an error is right",
    "layout": "a tensor is not contiguous in memory (transposed, strided, broadcast)",
    "label width": "labels are not 64-bit integers",
    "all ignored": "every row is ignored",
    "ignored special": "an ignored row holds nan or an infinity",
    "ignored class": "the ignored label is one of the classes",
    "ignored": "some rows are ignored",
    "weight zero": "a class weight is 0",
    "weight": "there is a weight",
    "pos_weight": "there is a pos_weight",
    "smoothing": "there is label smoothing",
    "unnormalised": "class probabilities do not sum to one",
    "probabilities": "the target holds class probabilities",
    "no elements": "the input is empty (no rows)",
    "one class": "there is one class",
    "tens of thousands": "there are tens of thousands of classes",
    "vocabulary": "there are more than 1,024 classes",
    "many classes": "there are hundreds of classes",
    "odd classes": "the number of classes is no multiple of 8",
    "many rows": "there are more than 1,024 rows",
    "one row": "there is one row",
    "no axes": "the input has no axis",
    "one axis": "the input has one axis (shape)",
    "further axes": "the input has more than two axes (shape)",
    "axis": "the axis is not the last",
    "last axis": "the axis is the last",
    "nan": "the input holds nan",
    "infinity": "the input holds plus infinity",
    "row masked": "a whole row is masked (minus infinity)",
    "masked": "a score is masked (minus infinity)",
    "overflow": "exp of a score overflows unless the maximum is subtracted",
    "rows apart": "the maxima of rows lie far apart, so that each row needs its own",
    "offset": "the scores of a row share a large common offset",
    "gap": "the scores of a row lie far apart (tails)",
    "edge": "a probability is 0 or 1, or next to it",
    "tail": "a score is large (the saturated tail)",
    "zero": "a score is exactly 0",
    "soft": "the target is soft, between 0 and 1",
    "positive": "a target is 1 (the positive class)",
    "large label": "a label is larger than 127",
    "fewer classes": "no label names the last class (num_classes is larger)",
    "none": "the reduction is none",
    "sum": "the reduction is sum",
    "mean": "the reduction is mean",
    "upstream": "the upstream gradient is not all ones",
    "second": "it is the second derivative",
    "gradient": "it is the gradient",
    "half": "the dtype is a half type",
    "float64": "the dtype is float64",
}
#: From these scores on exp overflows; half types are computed in float32.
OVERFLOWING_SCORE = {"float16": 88.0, "bfloat16": 88.0, "float32": 88.0, "float64": 709.0}
#: Of inputs with more elements the values are not read.
_MAX_READ_ELEMENTS = 1 << 20


def of_case(case: Case, dtype: str) -> frozenset[str]:
    """The features of a case in a dtype; those of a check's quantity are `of_quantity`."""
    arguments = case.arguments(dtype)
    with np.errstate(all="ignore"):
        features = set(_of_labels(case, arguments))
        features.update(_of_parameters(case, arguments))
        features.update(_of_shape(case, arguments))
        features.update(_of_values(case, arguments, dtype))
    if case.expect == "error":
        features.add("error")
    if case.layout:
        features.add("layout")
    if case.label_dtype != "int64":
        features.add("label width")
    features.update({"float16": {"half"}, "bfloat16": {"half"}, "float64": {"float64"}}.get(dtype, set()))
    return frozenset(features)


def of_quantity(case: Case, dtype: str, quantity: str) -> frozenset[str]:
    """The features of the quantity that a check compares."""
    if quantity == "value":
        return frozenset()
    if case.expect == "error":
        return frozenset({"gradient"})
    features = {"second" if quantity.startswith(SECOND) else "gradient"}
    scalar = OPERATIONS[case.operation].result_shape(case.arguments(dtype)) == ()
    return frozenset(features if scalar and case.upstream is None else features | {"upstream"})


def _normalised(target: Array, axis: int) -> bool:
    """Whether probabilities sum to one, each rounded by at most u = 2^-8 (bfloat16) of itself."""
    return bool((np.abs(target.sum(axis=axis) - 1) <= 2.0**-8).all())


def _axis(case: Case, arguments: Arguments) -> int:
    """The axis of the classes, or the axis that the operation runs along."""
    first = arguments[OPERATIONS[case.operation].inputs[0].name]
    if "axis" in arguments:
        axis = arguments["axis"]
        return -1 if axis is None or _outside(axis, first) else int(axis)
    return 1 if first.ndim > 1 else 0


def _outside(axis: int, array: Array) -> bool:
    return not -max(array.ndim, 1) <= axis < max(array.ndim, 1)


def _of_elements(case: Case) -> bool:
    """Whether the operation takes targets element by element: a binary loss, or a formula without classes."""
    operation = OPERATIONS[case.operation]
    return case.operation.startswith("binary") or (
        isinstance(operation, FormulaOperation) and not operation.by_class
    )


def _of_labels(case: Case, arguments: Arguments) -> Iterator[str]:
    target = arguments.get("target")
    if not isinstance(target, np.ndarray):
        return
    first = arguments[OPERATIONS[case.operation].inputs[0].name]
    if _of_elements(case):
        if target.shape != first.shape:
            yield "shapes differ"
        yield from _of_binary_target(target)
        return
    if target.dtype.kind == "f":
        yield "probabilities"
        if target.shape != first.shape:
            yield "shapes differ"
        elif target.ndim and not _normalised(target, _axis(case, arguments)):
            yield "unnormalised"
        return
    classes = arguments.get("num_classes") or (first.shape[_axis(case, arguments)] if first.ndim else 0)
    ignored = (
        target == arguments["ignore_index"] if "ignore_index" in arguments else np.zeros(target.shape, bool)
    )
    if (target[~ignored] >= classes).any():
        yield "label beyond"
    if (target[~ignored] < 0).any():
        yield "label negative"
    if target.size and target.max() > 127:
        yield "large label"
    if case.operation == "one_hot":
        if target.size and target.max() < classes - 1:
            yield "fewer classes"
        return
    rows = np.moveaxis(first, _axis(case, arguments), -1) if first.ndim else first
    if rows.shape[:-1] != target.shape:
        yield "shapes differ"
    elif ignored.any():
        yield "ignored"
        if ignored.all():
            yield "all ignored"
        if 0 <= arguments["ignore_index"] < classes:
            yield "ignored class"
        if not np.isfinite(rows[ignored]).all():
            yield "ignored special"


def _of_binary_target(target: Array) -> Iterator[str]:
    if ((target < 0) | (target > 1)).any():
        yield "target outside"
    if ((target > 0) & (target < 1)).any():
        yield "soft"
    if (target == 1).any():
        yield "positive"


def _of_parameters(case: Case, arguments: Arguments) -> Iterator[str]:
    weight = arguments.get("weight")
    if isinstance(weight, np.ndarray):
        yield "weight"
        if (weight == 0).any():
            yield "weight zero"
        first = arguments[OPERATIONS[case.operation].inputs[0].name]
        by_class = case.operation in ("nll_loss", "cross_entropy") and first.ndim
        if by_class and weight.shape != (first.shape[_axis(case, arguments)],):
            yield "weight misfit"
    if isinstance(arguments.get("pos_weight"), np.ndarray):
        yield "pos_weight"
    if arguments.get("label_smoothing"):
        yield "smoothing"
        if not 0 <= arguments["label_smoothing"] <= 1:
            yield "smoothing outside"
    if arguments.get("reduction") in ("none", "sum", "mean"):
        yield str(arguments["reduction"])
    elif arguments.get("reduction") not in (None, "elementwise_mean"):
        yield "odd reduction"
    if "axis" in arguments:
        first = arguments[OPERATIONS[case.operation].inputs[0].name]
        last = (
            arguments["axis"] is not None
            and first.ndim
            and int(arguments["axis"]) % first.ndim == first.ndim - 1
        )
        outside = arguments["axis"] is not None and _outside(arguments["axis"], first)
        yield "axis outside" if outside else "last axis" if last else "axis"


def _of_shape(case: Case, arguments: Arguments) -> Iterator[str]:
    first = arguments[OPERATIONS[case.operation].inputs[0].name]
    if not first.size:
        yield "no elements"
    if first.ndim == 0:
        yield "no axes"
        return
    if first.ndim == 1:
        yield "one axis"
    if first.ndim > 2:
        yield "further axes"
    if case.operation in ("one_hot", "sigmoid", "log_sigmoid") or _of_elements(case):
        return
    classes = first.shape[_axis(case, arguments)]
    if classes == 1:
        yield "one class"
    if classes > 10_000:
        yield "tens of thousands"
    if classes > 1024:
        yield "vocabulary"
    if classes > 128:
        yield "many classes"
    if classes % 8:
        yield "odd classes"
    rows = first.size // max(1, classes)
    if rows > 1024:
        yield "many rows"
    if rows == 1 and first.ndim > 1:
        yield "one row"


def _of_values(case: Case, arguments: Arguments, dtype: str) -> Iterator[str]:
    first = arguments[OPERATIONS[case.operation].inputs[0].name]
    if first.dtype.kind != "f" or not first.size or first.size > _MAX_READ_ELEMENTS:
        return
    if np.isnan(first).any():
        yield "nan"
    if np.isposinf(first).any():
        yield "infinity"
    if np.isneginf(first).any():
        yield "masked"
    if case.operation == "binary_cross_entropy":
        if ((first < 0) | (first > 1)).any():
            yield "probability outside"
        if ((first < 1e-3) | (first > 1 - 1e-3)).any():
            yield "edge"
        return
    finite = np.where(np.isfinite(first), first, 0.0)
    if finite.max() > OVERFLOWING_SCORE[dtype]:
        yield "overflow"
    if (first == 0).any():
        yield "zero"
    if np.abs(finite).max() > 12:
        yield "tail"
    if first.ndim and case.operation not in ("sigmoid", "log_sigmoid") and not _of_elements(case):
        yield from _of_rows(np.moveaxis(first, _axis(case, arguments), -1))


def _of_rows(rows: Array) -> Iterator[str]:
    if not rows.shape[-1]:
        return
    if np.isneginf(rows).all(axis=-1).any():
        yield "row masked"
    highest = np.where(np.isfinite(rows), rows, -np.inf).max(axis=-1)
    lowest = np.where(np.isfinite(rows), rows, np.inf).min(axis=-1)
    some = np.isfinite(highest)
    if not some.any():
        return
    spread = (highest - lowest)[some]
    if np.ptp(highest[some]) > 80:
        yield "rows apart"
    if (np.abs(highest[some]) > 8 * (spread + 1)).any():
        yield "offset"
    if spread.max() > 12:
        yield "gap"
