"""JAX's floor: one `jax.jit` program a signature, all formulations in it, and JAX's own cache on the disk.

    python benchmarks/floor/jax_jit.py CALLS [--cache FOLDER] [--executables]

A signature is the operation, what is static, shapes and dtypes. With --executables the cache holds compiled
programs as JAX itself writes them (`jax.experimental.serialize_executable`), so that none is traced again.
"""

from __future__ import annotations

import argparse
import hashlib
import pickle
from functools import partial
from pathlib import Path
from typing import Any

from calls import GRADIENT, SECOND, TANGENT, Call, Results, clock, measure

START = clock()
import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from jax.experimental.serialize_executable import deserialize_and_load, serialize  # noqa: E402

IMPORTED = clock()
jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_traceback_filtering", "off")  # errors are expected, and their tracebacks unread
#: Programs in memory at a time: each has several maps, and a process may have 65,530.
MAX_PROGRAMS = 1_000
#: Numbers that a program takes as arguments: one program serves all their values.
TRACED = ("ignore_index", "label_smoothing")


def class_axis(x) -> int:
    return 1 if x.ndim > 1 else 0


def total(rows, reduction, share=None):
    if reduction == "none":
        return rows
    wide = rows.astype(jnp.float32) if rows.dtype.itemsize == 2 else rows
    if reduction == "sum":
        return jnp.sum(wide).astype(rows.dtype)
    if reduction != "mean":
        raise ValueError(reduction)
    if share is None:
        return jnp.mean(rows)
    return (jnp.sum(wide) / jnp.sum(share.astype(wide.dtype))).astype(rows.dtype)


def zero_removes(coefficient, term):
    return coefficient * jnp.where((coefficient == 0) & jnp.isinf(term), 0, term)


def manual_softmax(x, axis=-1):
    exp = jnp.exp(x)
    return exp / jnp.sum(exp, axis=axis, keepdims=True)


def manual_log_softmax(x, axis=-1):
    return jnp.log(manual_softmax(x, axis))


def naive_log_softmax(x, axis=-1):
    return jnp.log(jax.nn.softmax(x, axis=axis))


def logsumexp(x, axis=-1, where=None):
    return jax.nn.logsumexp(x, axis=axis, where=None if where is None else where != 0)


def manual_one_hot(target, num_classes):
    return (target[..., None] == jnp.arange(num_classes)).astype(jnp.float32)


def labels_of(like, target, weight, ignore_index):
    ignored = target == ignore_index
    labels = jnp.where(ignored, 0, target)
    share = jnp.ones(labels.shape, like.dtype) if weight is None else weight[labels]
    return labels, jnp.where(ignored, 0, share), ignored


def taken(log_probs, labels):
    axis = class_axis(log_probs)
    return jnp.take_along_axis(log_probs, jnp.expand_dims(labels, axis), axis=axis).squeeze(axis)


def by_one_hot(log_probs, labels):
    axis = class_axis(log_probs)
    hot = jax.nn.one_hot(labels, log_probs.shape[axis], axis=axis, dtype=log_probs.dtype)
    return jnp.sum(hot * log_probs, axis=axis)


def nll(entries):
    def loss(log_probs, target, weight=None, ignore_index=-100, reduction="mean"):
        labels, share, ignored = labels_of(log_probs, target, weight, ignore_index)
        return total(jnp.where(ignored, 0, -entries(log_probs, labels) * share), reduction, share)

    return loss


def cross_entropy(log_softmax, entries, product=jnp.multiply):
    def over_classes(log_probs, target, weight):
        axis = class_axis(log_probs)
        if weight is not None:
            target = target * weight.reshape([-1 if i == axis else 1 for i in range(log_probs.ndim)])
        return -jnp.sum(product(target, log_probs), axis=axis)

    def loss(logits, target, weight=None, ignore_index=-100, label_smoothing=None, reduction="mean"):
        axis = class_axis(logits)
        log_probs = log_softmax(logits, axis=axis)
        evenly = 0 if label_smoothing is None else label_smoothing / logits.shape[axis]
        if jnp.issubdtype(target.dtype, jnp.floating):
            if label_smoothing is not None:
                target = target * (1 - label_smoothing) + evenly
            rows = over_classes(log_probs, target, weight)
            return total(rows, reduction, jnp.ones(rows.shape, rows.dtype))
        by_label = nll(entries)(log_probs, target, weight, ignore_index, reduction)
        if label_smoothing is None:
            return by_label
        _, share, ignored = labels_of(logits, target, weight, ignore_index)
        smooth = jnp.where(ignored, 0, over_classes(log_probs, jnp.ones_like(log_probs), weight))
        return (1 - label_smoothing) * by_label + evenly * total(smooth, reduction, share)

    return loss


def composed_bce(probs, target, weight=None, reduction="mean"):
    log_p = jnp.log(jnp.where((target == 0) & (probs == 0), 1, probs))
    log_1_p = jnp.log1p(-jnp.where((target == 1) & (probs == 1), 0, probs))
    rows = -target * log_p - (1 - target) * log_1_p
    return total(rows if weight is None else rows * weight, reduction)


def manual_bce(probs, target, weight=None, reduction="mean"):
    rows = -(target * jnp.log(probs) + (1 - target) * jnp.log(1 - probs))
    return total(rows if weight is None else rows * weight, reduction)


def bce_with_logits(log_sigmoid, product=jnp.multiply):
    def loss(logits, target, weight=None, pos_weight=None, reduction="mean"):
        positive = target if pos_weight is None else target * pos_weight
        rows = -product(positive, log_sigmoid(logits)) - product(1 - target, log_sigmoid(-logits))
        return total(rows if weight is None else rows * weight, reduction)

    return loss


FORMULATIONS = {
    "sigmoid": {"functional": jax.nn.sigmoid, "manual": lambda x: 1 / (1 + jnp.exp(-x))},
    "log_sigmoid": {
        "functional": jax.nn.log_sigmoid,
        "composed": lambda x: -jax.nn.softplus(-x),
        "naive": lambda x: jnp.log(jax.nn.sigmoid(x)),
    },
    "softmax": {
        "functional": jax.nn.softmax,
        "composed": lambda x, axis=-1: jnp.exp(jax.nn.log_softmax(x, axis=axis)),
        "manual": manual_softmax,
    },
    "log_softmax": {
        "functional": jax.nn.log_softmax,
        "composed": lambda x, axis=-1: x - jax.nn.logsumexp(x, axis=axis, keepdims=True),
        "naive": naive_log_softmax,
        "manual": manual_log_softmax,
    },
    "logsumexp": {
        "functional": logsumexp,
        "manual": lambda x, axis=-1: jnp.log(jnp.sum(jnp.exp(x), axis=axis)),
    },
    "one_hot": {"functional": jax.nn.one_hot, "manual": manual_one_hot},
    "nll_loss": {"composed": nll(taken), "one_hot": nll(by_one_hot)},
    "cross_entropy": {
        "composed": cross_entropy(jax.nn.log_softmax, taken, zero_removes),
        "one_hot": cross_entropy(jax.nn.log_softmax, by_one_hot),
        "naive": cross_entropy(naive_log_softmax, taken),
        "manual": cross_entropy(manual_log_softmax, by_one_hot),
    },
    "binary_cross_entropy": {"composed": composed_bce, "manual": manual_bce},
    "binary_cross_entropy_with_logits": {
        "composed": bce_with_logits(jax.nn.log_sigmoid, zero_removes),
        "naive": lambda x, t, **more: composed_bce(jax.nn.sigmoid(x), t, **more),
        "manual": bce_with_logits(lambda x: -jnp.log(1 + jnp.exp(-x))),
    },
}


def program(call: Call, static: dict[str, Any]):
    """The function of arrays and traced numbers that gives all results of a call by name."""

    def evaluate(arrays, traced):
        results = {}
        for formulation, quantities in call.quantities.items():
            # Behind a barrier each: XLA treats every formulation as if it were compiled alone.
            own = jax.lax.optimization_barrier(arrays)
            upstream, direction = own.pop("upstream", None), own.pop("direction", None)
            backward = [name for name in quantities if name.startswith((GRADIENT, SECOND))]
            wrt = tuple(dict.fromkeys(name.partition(":")[2] for name in backward))

            def loss(tensors, own=own, formulation=formulation):
                named = {**own, **tensors}
                inputs = [named.pop(name) for name in call.inputs]
                return FORMULATIONS[call.operation][formulation](*inputs, **named, **static, **traced)

            def derivatives(sources, loss=loss, upstream=upstream):
                value, pullback = jax.vjp(loss, sources)
                flow = jnp.ones_like(value) if upstream is None else upstream.astype(value.dtype)
                return value, pullback(flow)[0]

            sources = {name: own[name] for name in wrt}
            try:
                value, gradients = derivatives(sources) if wrt else (loss({}), {})
                found = {"value": value, **{GRADIENT + name: g for name, g in gradients.items()}}
                for name in quantities:
                    kind, _, source = name.partition(":")
                    if kind + ":" == SECOND:
                        first = partial(lambda source, tensors: derivatives(tensors)[1][source], source)
                        found[name] = jax.vjp(first, sources)[1](direction)[0][source]
                    elif kind + ":" == TANGENT:
                        along = {source: direction}
                        found[name] = jax.jvp(loss, ({source: own[source]},), (along,))[1]
                results.update({f"{formulation} {name}": found[name] for name in quantities})
            except Exception:
                continue  # what this version refuses, it refuses while it is traced
        return results

    return evaluate


class Programs:
    """Programs by signature: from memory, from the disk, or compiled."""

    def __init__(self, cache: Path | None, executables: bool) -> None:
        self.held: dict[str, Any] = {}
        self.asked: dict[str, dict[str, list[str]]] = {}
        self.folder = cache if executables else None
        if cache is not None and not executables:
            jax.config.update("jax_compilation_cache_dir", str(cache))
            jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
            jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)

    def announce(self, calls: list[Call]) -> None:
        """Notes what any call asks of a signature, so that one program serves them all."""
        for call in calls:
            asked = self.asked.setdefault(signature(call)[0], {})
            for formulation, quantities in call.quantities.items():
                known = asked.setdefault(formulation, [])
                known += [name for name in quantities if name not in known]

    def carry_out(self, call: Call) -> Results:
        """Every formulation's value and gradients, out of one program."""
        wide = any(array.dtype == "float64" for array in call.arrays.values())
        with jax.enable_x64(wide or call.dtype == "float64"):  # float32 runs as its users run it
            arrays = {
                name: array.view(jnp.bfloat16) if name in call.bits else array
                for name, array in call.arrays.items()
            }
            name, static, traced = signature(call)
            if name not in self.held:
                if len(self.held) == MAX_PROGRAMS:
                    self.held.clear()
                whole = call._replace(quantities=self.asked[name])
                self.held[name] = self.made(name, program(whole, static), arrays, traced)
            try:
                results = self.held[name](arrays, traced)
            except Exception:
                return {}
            wanted = [f"{f} {quantity}" for f, names in call.quantities.items() for quantity in names]
            return {key: as_array(results[key]) for key in wanted if key in results}

    def made(self, name: str, function: Any, arrays: Any, traced: Any) -> Any:
        """The compiled program of a signature."""
        if self.folder is None:
            return jax.jit(function)
        path = self.folder / hashlib.sha256(name.encode()).hexdigest()
        if path.is_file():
            return deserialize_and_load(*pickle.loads(path.read_bytes()))
        compiled = jax.jit(function).lower(arrays, traced).compile()
        self.folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pickle.dumps(serialize(compiled)))
        return compiled


def signature(call: Call) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """What a program is compiled for, as a text; the static parameters; the traced ones."""
    static = dict(call.scalars)
    if not static.get("label_smoothing", 1):
        del static["label_smoothing"]
    axes = call.arrays[call.inputs[0]].ndim
    if static.get("axis") is not None and -axes <= static["axis"] < 0:
        static["axis"] += axes
    traced = {name: static.pop(name) for name in TRACED if name in static}
    if call.operation in ("nll_loss", "cross_entropy"):
        traced.setdefault("ignore_index", -100)
    shapes = [(name, array.dtype.str, array.shape) for name, array in sorted(call.arrays.items())]
    asked = sorted({name for names in call.quantities.values() for name in names})
    options = sorted(static.items()), sorted(traced)
    return repr((call.operation, call.dtype, *options, shapes, sorted(call.bits), asked)), static, traced


def as_array(result):
    array = np.asarray(result)
    return array.view(np.int16) if array.dtype == jnp.bfloat16 else array


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--executables", action="store_true")
    options, _ = parser.parse_known_args()
    programs = Programs(options.cache, options.executables)
    measure(START, IMPORTED, programs.carry_out, programs.announce)
