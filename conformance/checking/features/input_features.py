"""Input features: what is special about a check, named by the phrases of `feature_phrases`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from conformance.adapters.layouts import Layout
from conformance.cases.case import Case
from conformance.cases.models import DTYPES
from conformance.checking.features.value_features import of_values
from conformance.operations import JVP, OPERATIONS
from conformance.operations.formula.operation import FormulaOperation

Array = npt.NDArray[Any]
Arguments = Mapping[str, Any]

#: Numbers of classes above which kernels take another way: a vector, a warp, a block, several blocks.
_CLASS_THRESHOLDS = (4, 8, 32, 128, 256, 1024, 2048, 10_000, 65_536)
#: Numbers of rows above which kernels take blocks of them.
_ROW_THRESHOLDS = (4, 32, 256)
#: Labels above these do not fit into narrower integers.
_LABEL_THRESHOLDS = (127, 255, 32_767)
#: Layouts of an upstream gradient that have a phrase of their own.
UPSTREAM_LAYOUTS = ("broadcast", "strided", "transposed", "reversed", "offset")
_OF_CALLS = {"twice": "called twice", "one_thread": "one thread", "at_once": "two calls"}
_OF_DTYPES = {
    "float16": {"float16", "half", "narrow", "beyond bfloat16"},
    "bfloat16": {"bfloat16", "half", "narrow"},
    "float32": {"narrow", "beyond bfloat16"},
    "float64": {"float64", "beyond bfloat16"},
}


def of_case(case: Case, dtype: str) -> frozenset[str]:
    """The features of a case in a dtype; those of a check's quantity are `of_quantity`."""
    operation = OPERATIONS[case.operation]
    several = len(operation.differentiable(dict(case.arguments(dtype)))) > 1
    case, arguments = _of_logits(case, case.arguments(dtype))
    axis = _axis(case, arguments)
    with np.errstate(all="ignore"):
        features = set(_of_labels(case, arguments))
        features.update(_of_parameters(case, arguments))
        features.update(_of_shape(case, arguments))
        features.update(of_values(case.operation, arguments, axis, dtype, _of_elements(case)))
    if case.expect == "error":
        features.add("error")
    layouts = [layout for name, layout in case.layout.items() if name != "upstream"]
    if layouts:
        features.add("layout")
        features.update(map(_of_layout, layouts))
    if case.dtype_of:
        features.update(_of_dtypes(case, dtype))
    if case.tracked == "none" or (case.quantities == ("value",) and case.expect != "error"):
        features.add("untracked")
    if case.tracked == "first" and several:
        features.add("first tracked")
    if case.call != "once":
        features.add(_OF_CALLS[case.call])
    if case.label_dtype != "int64":
        features.update({"label width", *({"unsigned labels"} if case.label_dtype == "uint8" else ())})
    features.update(f"declared {name}" for name in case.conventions)
    return frozenset(features | _OF_DTYPES.get(dtype, set()))


def _of_dtypes(case: Case, dtype: str) -> Iterator[str]:
    first = OPERATIONS[case.operation].inputs[0].name
    for name, own in case.dtype_of.items():
        if name == first and own not in DTYPES:
            yield "integral scores"
        elif name == "target" and case.inputs[name].integral and own in DTYPES and not _of_elements(case):
            yield "floating labels"
        elif own != dtype:
            yield "mixed dtypes"
            if name != first:
                yield "mixed target" if name == "target" else "mixed weight"


def _of_layout(layout: Layout) -> str:
    if not isinstance(layout, str):
        return "memory order"
    return "inside storage" if layout == "offset" else layout  # "offset" is a feature of scores


def of_quantity(case: Case, dtype: str, quantity: str) -> frozenset[str]:
    """The features of the quantity that a check compares."""
    if quantity == "value" or case.expect == "error":
        return frozenset()
    if quantity.startswith("gradient:") and case.graph != "single":
        return frozenset({f"graph {case.graph}"}) | _of_flow(case, dtype, quantity)
    return _of_flow(case, dtype, quantity)


def _of_flow(case: Case, dtype: str, quantity: str) -> frozenset[str]:
    """The features of a derivative's upstream gradient, and of the input that it is by."""
    operation = OPERATIONS[case.operation]
    if quantity.startswith(JVP):  # it has no upstream gradient
        return frozenset({"of target"} if quantity[len(JVP) :] != operation.inputs[0].name else ())
    shape = operation.result_shape(case.arguments(dtype))
    flow = np.asarray(case.flow(dtype, shape))
    features = set()
    if (flow != 1).any():
        features.update({"upstream"} if shape else {"upstream", "scalar upstream"})
    if (flow == 0).any():
        features.add("upstream zero")
    if "upstream" in case.layout:
        features.add("upstream layout")
        features.update(f"upstream {name}" for name in UPSTREAM_LAYOUTS if name == case.layout["upstream"])
    name = quantity.rpartition(":")[2]
    if name in ("hidden", "query"):
        features.add(f"of {name}")
    if name != operation.inputs[0].name:
        features.add(f"of {name}" if name in ("head", "bias", "key", "value") else "of target")
    return frozenset(features)


def _of_logits(case: Case, arguments: Arguments) -> tuple[Case, Arguments]:
    """The logits of a linear layer, or a head's scores, which features are about; -inf where masked."""
    if "query" in arguments:
        scale = arguments["scale"] or arguments["query"].shape[1] ** -0.5
        with np.errstate(all="ignore"):
            scores = arguments["query"] @ arguments["key"].T * scale
        rest = {"axis": 1, "where": arguments["where"]} | ({"scale": scale} if arguments["scale"] else {})
        case, arguments = replace(case, operation="softmax", _built={}), {"x": scores, **rest}
    if arguments.get("where") is not None:
        return case, OPERATIONS[case.operation].completed(dict(arguments))
    if "head" not in arguments:
        return case, arguments
    rest = {name: value for name, value in arguments.items() if name not in ("hidden", "head")}
    with np.errstate(all="ignore"):
        logits = arguments["hidden"] @ arguments["head"].T
        logits = logits if rest["bias"] is None else logits + rest["bias"]
    return replace(case, operation="cross_entropy", _built={}), {"logits": logits, **rest}


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
    elif target.dtype.kind == "f":
        yield from _of_probabilities(target, first, _axis(case, arguments))
    else:
        yield from _of_integers(case, arguments, target, first)


def _of_probabilities(target: Array, first: Array, axis: int) -> Iterator[str]:
    yield "probabilities"
    if target.shape != first.shape:
        yield "shapes differ"
    elif target.ndim and not _normalised(target, axis):
        yield "unnormalised"
    if target.size and np.isin(target, (0, 1)).all():
        yield "certain"


def _of_integers(case: Case, arguments: Arguments, target: Array, first: Array) -> Iterator[str]:
    axis = _axis(case, arguments)
    classes = arguments.get("num_classes") or (first.shape[axis] if first.ndim else 0)
    ignore_index = arguments.get("ignore_index")
    ignored = np.zeros(target.shape, bool) if ignore_index is None else target == ignore_index
    if (target[~ignored] >= classes).any():
        yield "label beyond"
    if (target[~ignored] < 0).any():
        yield "label negative"
    for threshold in _LABEL_THRESHOLDS:
        if target.size and target.max() > threshold:
            yield f"label above {threshold:,}"
    if case.operation == "one_hot":
        if target.size and target.max() < classes - 1:
            yield "fewer classes"
        return
    rows = np.moveaxis(first, axis, -1) if first.ndim else first
    if rows.shape[:-1] != target.shape:
        yield "shapes differ"
        return
    weight = arguments.get("weight")
    counted = target[~ignored]
    inside = counted.size and ((counted >= 0) & (counted < classes)).all()
    if isinstance(weight, np.ndarray) and weight.shape == (classes,) and inside and not weight[counted].any():
        yield "weight all zero"
    within = ignore_index is not None and 0 <= ignore_index < classes
    if within:
        yield "ignored class"
    if ignored.any():
        yield "ignored"
        if ignored.all():
            yield "all ignored"
        if not within and ignore_index != -100:
            yield "ignored negative"
        if not np.isfinite(rows[ignored]).all():
            yield "ignored special"


def _of_binary_target(target: Array) -> Iterator[str]:
    if ((target < 0) | (target > 1)).any():
        yield "target outside"
    if ((target > 0) & (target < 1)).any():
        yield "soft"
    elif target.size:
        yield "hard"
    if (target == 1).any():
        yield "positive"
    if (target < 1).any():
        yield "negative"


#: Numbers among the parameters whose names are the features where they are not the default.
_OPTIONS = ("softcap", "z_loss", "logit_scale", "divisor", "temperature", "scale")


def _of_parameters(case: Case, arguments: Arguments) -> Iterator[str]:
    weight = arguments.get("weight")
    first = arguments[OPERATIONS[case.operation].inputs[0].name]
    if isinstance(weight, np.ndarray):
        yield "weight"
        if (weight == 0).any():
            yield "weight zero"
        by_class = case.operation in ("nll_loss", "cross_entropy") and first.ndim
        if by_class and weight.shape != (first.shape[_axis(case, arguments)],):
            yield "weight misfit"
    if isinstance(arguments.get("bias"), np.ndarray):
        yield "bias"
    if isinstance(arguments.get("where"), np.ndarray):
        yield "where"
        if (arguments["where"] == 0).all(axis=_axis(case, arguments)).any():
            yield "row left out"
    if isinstance(arguments.get("pos_weight"), np.ndarray):
        yield "pos_weight"
    if arguments.get("label_smoothing"):
        yield "smoothing"
        if arguments["label_smoothing"] == 1:
            yield "smoothing whole"
        if not 0 <= arguments["label_smoothing"] <= 1:
            yield "smoothing outside"
    if arguments.get("reduction") in ("none", "sum", "mean", "batchmean"):
        yield str(arguments["reduction"])
        if arguments["reduction"] != "none":
            yield "not none"
    elif arguments.get("reduction") not in (None, "elementwise_mean"):
        yield "odd reduction"
    if arguments.get("log_target"):
        yield "log target"
    defaults = {item.name: item.default for item in OPERATIONS[case.operation].parameters}
    yield from (name for name in _OPTIONS if arguments.get(name) != defaults.get(name))
    if "axis" in arguments:
        yield from _of_axis(arguments["axis"], first)


def _of_axis(axis: int | None, first: Array) -> Iterator[str]:
    if axis is not None and _outside(axis, first):
        yield "axis outside"
        return
    if axis is not None and axis < -1:
        yield "negative axis"
    place = None if axis is None or not first.ndim else int(axis) % first.ndim
    if place != 1 and first.ndim > 1:
        yield "axis not 1"
    if place is not None and place == first.ndim - 1:
        yield "last axis"
        return
    yield "axis"
    if place is not None:
        yield "middle axis" if place else "first axis"


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
    if first.ndim == 3:
        yield "three axes"
    if case.operation == "one_hot":
        if first.size > 1:
            yield "several labels"
        return
    if case.operation in ("sigmoid", "log_sigmoid") or _of_elements(case):
        if first.size % 8:
            yield "odd elements"
        if first.size >= 8:
            yield "full vector"
        return
    axis = _axis(case, arguments)
    if 1 in np.delete(first.shape, axis):
        yield "axis of one"
    yield from _of_classes(first, first.shape[axis])


def _of_classes(first: Array, classes: int) -> Iterator[str]:
    if classes < 3:
        yield ("no classes", "one class", "two classes")[classes]
    for threshold in _CLASS_THRESHOLDS:
        if classes > threshold:
            yield "above 128 classes" if threshold == 128 else f"above {threshold:,} classes"
    if classes % 8:
        yield "odd classes"
        if classes > 8:
            yield "tail of many classes"
    if classes % 4:
        yield "odd classes of 4"
    rows = first.size // max(1, classes)
    for threshold in _ROW_THRESHOLDS:
        if rows > threshold:
            yield f"above {threshold} rows"
    if rows > 1024:
        yield "many rows"
    if rows > 65_535:
        yield "above 65,535 rows"
    if rows == 1 and first.ndim > 1:
        yield "one row"
    if rows > 1:
        yield "several rows"
        if rows % 2:
            yield "odd rows"
