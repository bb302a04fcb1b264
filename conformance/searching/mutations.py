"""Mutations: one change to a candidate, as an adversary of floating point would make it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from conformance.arithmetic.formats import FORMATS, Format
from conformance.searching.candidate import CLASS, ROW, Candidate, Tensor

Change = Callable[[Tensor, Format, random.Random], None]

#: How often the shape is changed, a label, a mask set; the other changes are to numbers.
_SHAPE, _LABEL = 0.06, 0.06
MAX_ROWS = 8
#: The greatest magnitude of numbers that training meets every day.
EVERYDAY = 1000.0
MAX_CLASSES = 64


def mutated(candidate: Candidate, rng: random.Random, everyday: bool = False) -> Candidate:
    """The candidate with one to three changes.

    Args:
        candidate: What is changed; itself it stays.
        rng: The source of randomness.
        everyday: Whether a change to anything beyond `EVERYDAY`, infinities among it, is left out.
    """
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        changed = _changed(candidate, rng)
        if not everyday or _is_everyday(changed):
            candidate = changed
    return candidate


def _is_everyday(candidate: Candidate) -> bool:
    return all(
        bool((np.abs(tensor) <= EVERYDAY).all())
        for tensor in candidate.tensors.values()
        if tensor.dtype.kind == "f"
    )


def _changed(candidate: Candidate, rng: random.Random) -> Candidate:
    chance = rng.random()
    if chance < _SHAPE:
        return _of_another_shape(candidate, rng)
    target = candidate.tensors.get("target")
    if chance < _SHAPE + _LABEL and target is not None and target.size:
        return _of_another_target(candidate, target, rng)
    names = [name for name, tensor in candidate.tensors.items() if tensor.dtype.kind == "f" and tensor.size]
    probable = [candidate.main] * 4 + [name for name in names if name not in (candidate.main, "target")]
    name = rng.choice(probable)
    values = candidate.tensors[name].copy()
    form = FORMATS[candidate.dtype]
    if name == "probs":
        _to_probability(values, form, rng)
    elif "weight" in name:
        values[_position(values, rng)] = rng.choice((0.0, 1.0, 2.0 ** rng.randrange(-12, 12)))
    else:
        rng.choice(_CHANGES)(values, form, rng)
    return candidate.with_tensor(name, values)


def _position(values: Tensor, rng: random.Random) -> tuple[int, ...]:
    return tuple(rng.randrange(length) for length in values.shape)


def _of_another_shape(candidate: Candidate, rng: random.Random) -> Candidate:
    """One row or class less, or one twice."""
    axis, limit = rng.choice(((ROW, MAX_ROWS), (CLASS, MAX_CLASSES)))
    length = candidate.length(axis)
    indices = list(range(length))
    if length > 1 and (length >= limit or rng.random() < 0.5):
        del indices[rng.randrange(length)]
    elif length:
        indices.insert(rng.randrange(length + 1), rng.randrange(length))
    return (candidate.taken(axis, indices) if length else None) or candidate


def _of_another_target(candidate: Candidate, target: Tensor, rng: random.Random) -> Candidate:
    changed = target.copy()
    position = _position(changed, rng)
    if target.dtype.kind != "f":
        changed[position] = rng.randrange(max(candidate.length(CLASS), 1))
    else:
        changed[position] = rng.choice((0.0, 1.0, 0.5, 2.0 ** -rng.randrange(2, 12), rng.random()))
    return candidate.with_tensor("target", changed)


def _to_probability(values: Tensor, form: Format, rng: random.Random) -> None:
    """A probability: near 0, near 1, at an end, or anywhere."""
    near = 2.0 ** -rng.randrange(1, form.precision + 2)
    tiny = 2.0 ** rng.randrange(form.emin - form.precision + 1, 0)
    values[_position(values, rng)] = rng.choice((0.0, 1.0, near, 1.0 - near, tiny, rng.random()))


def _nudged(values: Tensor, form: Format, rng: random.Random) -> None:
    """Bits: one number moved by a power of two of its own spacings."""
    position = _position(values, rng)
    if np.isfinite(values[position]):
        size = 2.0 ** rng.randrange(-form.precision, 3) * max(abs(values[position]), form.smallest_normal)
        values[position] += rng.choice((-1, 1)) * size


def _to_landmark(values: Tensor, form: Format, rng: random.Random) -> None:
    """One number at an edge: 0, a power of two, where exp or its sum under- or overflows."""
    edge = -form.emin * float(np.log(2.0))
    values[_position(values, rng)] = rng.choice((-1, 1)) * rng.choice(
        (0.0, 2.0 ** rng.randrange(-form.precision - 4, 12), edge * rng.choice((0.25, 0.5, 1.0, 1.1)))
    )


def _widened(values: Tensor, form: Format, rng: random.Random) -> None:
    """Gaps: all numbers of the tensor, or one, times a power of two."""
    factor = rng.choice((0.5, 2.0, 4.0, 1.25))
    if rng.random() < 0.5:
        values *= factor
    else:
        values[_position(values, rng)] *= factor


def _offset(values: Tensor, form: Format, rng: random.Random) -> None:
    """A common offset."""
    values += rng.choice((-1, 1)) * 2.0 ** rng.randrange(-2, 14)


def _masked(values: Tensor, form: Format, rng: random.Random) -> None:
    """A mask: one number -inf, or the lowest that users write in its place."""
    values[_position(values, rng)] = rng.choice((-np.inf, -form.largest, -1e4))


def _tied(values: Tensor, form: Format, rng: random.Random) -> None:
    """Two equal numbers, or all of them."""
    source = values[_position(values, rng)]
    if rng.random() < 0.2:
        values[...] = source
    else:
        values[_position(values, rng)] = source


def _drawn(values: Tensor, form: Format, rng: random.Random) -> None:
    """One number drawn anew."""
    values[_position(values, rng)] = rng.gauss(0.0, rng.choice((0.1, 1.0, 10.0, 50.0)))


_CHANGES: tuple[Change, ...] = (
    _nudged, _nudged, _to_landmark, _widened, _offset, _masked, _tied, _drawn, _drawn,
)  # fmt: skip


def simpler(candidate: Candidate) -> list[Candidate]:
    """Candidates that are smaller or plainer by one step, the smallest first."""
    smaller: list[Candidate | None] = []
    for axis in (ROW, CLASS):
        length = candidate.length(axis)
        if length > 1:
            smaller += [
                candidate.taken(axis, half) for half in (range(length // 2), range(length // 2, length))
            ]
            smaller += [
                candidate.taken(axis, [each for each in range(length) if each != index])
                for index in range(length)
            ]
    for name in ("weight", "pos_weight"):
        if name in candidate.tensors:
            rest = {key: tensor for key, tensor in candidate.tensors.items() if key != name}
            smaller.append(replace(candidate, tensors=rest))
    for name in candidate.scalars:
        if name != "reduction":
            rest = {key: value for key, value in candidate.scalars.items() if key != name}
            smaller.append(replace(candidate, scalars=rest))
    plainer = [each for each in smaller if each is not None]
    for name, tensor in candidate.tensors.items():
        if tensor.dtype.kind != "f":
            continue
        for position in np.ndindex(tensor.shape):
            for value in _plainer(float(tensor[position])):
                values = tensor.copy()
                values[position] = value
                plainer.append(candidate.with_tensor(name, values))
    return plainer


def _plainer(value: float) -> list[float]:
    """Numbers in the place of one that people would rather read."""
    if value == 0 or not np.isfinite(value):
        return []
    figures = [float(f"{value:.{digits}e}") for digits in range(3)]
    plain = [0.0, *figures, float(np.rint(value))]
    return [each for each in dict.fromkeys(plain) if each != value and len(repr(each)) < len(repr(value))]
