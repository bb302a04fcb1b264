"""Tensors that a case describes instead of listing; named after what they make, the same bits for ever.

Every value comes from the words of a `Stream` by single IEEE operations of float64. The class axis is 1, or 0
of a vector.
"""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any

import numpy as np
from pydantic import Field, model_validator

from conformance.cases.tensors.generator import (
    Floats,
    Generator,
    Grid,
    Labels,
    PowerOfTwo,
    Real,
    Seed,
    Shape,
    Size,
    first_classes,
    on_grid,
)

#: Elements of what `tiled` repeats.
MAX_TILE_ELEMENTS = 2**16


class Normal(Generator):
    """Independent numbers of mean 0 and standard deviation `scale`; with a `grid`, multiples of it."""

    name = "normal"
    shape: Shape
    scale: Real = 1.0
    grid: Grid = None
    seed: Seed

    def make(self) -> Floats:
        """scale times a normal number each, or the multiple of grid next to it."""
        return on_grid(self.stream().normal(self.count) * self.scale, self.grid).reshape(self.made)


class Uniform(Generator):
    """Independent numbers, evenly likely from `low` up to `high`."""

    name = "uniform"
    shape: Shape
    low: Real = 0.0
    high: Real = 1.0
    seed: Seed

    def make(self) -> Floats:
        """low + (high - low) times a uniform number each."""
        return (self.stream().uniform(self.count) * (self.high - self.low) + self.low).reshape(self.made)


class Offset(Generator):
    """Normal numbers rounded to multiples of `grid`, all moved by one common offset."""

    name = "offset"
    shape: Shape
    offset: Real
    scale: Real = 1.0
    grid: PowerOfTwo = 0.25
    seed: Seed

    def make(self) -> Floats:
        """offset + grid times an integer each."""
        normal = self.stream().normal(self.count) * self.scale
        return (on_grid(normal, self.grid) + self.offset).reshape(self.made)


class OneDominant(Generator):
    """Normal numbers, as `normal` makes them, and in each row one class, drawn, that lies `gap` higher."""

    name = "one_dominant"
    shape: Shape
    gap: Real
    scale: Real = 1.0
    grid: Grid = None
    seed: Seed

    def make(self) -> Floats:
        """Normal numbers, plus gap at one class of each row."""
        stream = self.stream()
        normal = on_grid(stream.normal(self.count) * self.scale, self.grid).reshape(self.made)
        return np.where(self.one_class_a_row(stream), normal + self.gap, normal)


class Masked(Generator):
    """Normal numbers, a share of them -inf; the class `keep` never is."""

    name = "masked"
    shape: Shape
    share: Annotated[Real, Field(ge=0, le=1, description="the share of -inf, from 0 to 1")]
    scale: Real = 1.0
    keep: Annotated[int, Field(ge=0)] = 0
    seed: Seed

    def make(self) -> Floats:
        """Normal numbers, or -inf where a uniform number lies below the share."""
        stream = self.stream()
        normal = (stream.normal(self.count) * self.scale).reshape(self.made)
        hidden = stream.uniform(self.count).reshape(self.made) < self.share
        if self.made:
            np.moveaxis(hidden, self.class_axis, 0)[self.keep : self.keep + 1] = False
        return np.where(hidden, -np.inf, normal)


class MaskedTail(Generator):
    """Normal numbers in the first classes and -inf in the others: a padded vocabulary."""

    name = "masked_tail"
    shape: Shape
    kept: Annotated[int, Field(ge=0, description="how many classes are not -inf")]
    scale: Real = 1.0
    seed: Seed

    def make(self) -> Floats:
        """Normal numbers, or -inf from the class kept on."""
        numbers: Floats = first_classes(self, self.stream().normal(self.count) * self.scale, -np.inf)
        return numbers


class WithZeros(Generator):
    """Independent numbers, evenly likely from `low` up to `high`, but 0 at every third, from the first on."""

    name = "with_zeros"
    shape: Shape
    low: Real = 0.0
    high: Real = 1.0
    seed: Seed

    def make(self) -> Floats:
        """The numbers of `uniform`, times 0 or 1."""
        drawn = self.stream().uniform(self.count) * (self.high - self.low) + self.low
        return np.where(np.arange(self.count) % 3 == 0, 0.0, drawn).reshape(self.made)


class Spread(Generator):
    """Each row the same steps from `low` to `high`, turned by one class from row to row."""

    name = "spread"
    shape: Annotated[list[Size], Field(min_length=2, max_length=2, description="rows and classes, as [4, 8]")]
    low: Real
    high: Real

    def make(self) -> Floats:
        """low + (high - low) j / (n - 1), j turned by the row's number."""
        rows, classes = self.made
        turned = (np.arange(classes)[None, :] + np.arange(rows)[:, None]) % max(classes, 1)
        return (self.high - self.low) * (turned / max(classes - 1, 1)) + self.low


class _Sweep(Generator):
    """Numbers from `low` to `high`, both powers of two, `steps` of them evenly within each doubling."""

    low: PowerOfTwo
    high: PowerOfTwo
    steps: Annotated[int, Field(ge=1, le=1024, description="how many numbers within each doubling")] = 8
    negative: bool = False

    @model_validator(mode="after")
    def _ends(self) -> _Sweep:
        if self.low >= self.high:
            raise ValueError(f"low {self.low:g} is not below high {self.high:g}: the smaller number as low")
        return self

    @property
    def rungs(self) -> int:
        """How many numbers the sweep has."""
        return int(np.frexp(self.high)[1] - np.frexp(self.low)[1]) * self.steps + 1

    def sweep(self) -> Floats:
        """The numbers themselves, the smallest magnitude first."""
        rung = np.arange(self.rungs)
        values = np.ldexp(self.low * (1 + (rung % self.steps) / self.steps), rung // self.steps)
        return -values if self.negative else values


class Ladder(_Sweep):
    """A vector that climbs from `low` to `high`, or from -low down to -high if `negative`."""

    name = "ladder"

    @property
    def made(self) -> tuple[int, ...]:
        """The number of rungs."""
        return (self.rungs,)

    def make(self) -> Floats:
        """The sweep."""
        return self.sweep()


class Gaps(_Sweep):
    """Rows [g, 0, ...]: the first class's logit climbs from `low` to `high`, the others' stay 0."""

    name = "gaps"
    classes: Annotated[int, Field(ge=2, le=2**20)] = 2

    @property
    def made(self) -> tuple[int, ...]:
        """A row for each gap."""
        return (self.rungs, self.classes)

    def make(self) -> Floats:
        """The sweep as the first column."""
        rows = np.zeros(self.made)
        rows[:, 0] = self.sweep()
        return rows


class RandomLabels(Generator):
    """Labels, drawn from `classes` classes; `ignored` is the label at every third, from the first on."""

    name = "labels"
    integral = True
    shape: Shape
    classes: Annotated[int, Field(ge=1, le=2**40)]
    ignored: Annotated[int | None, Field(ge=-(2**63), lt=2**63, description="a label, or null for none")] = (
        None
    )
    seed: Seed

    def make(self) -> Labels:
        """Integers from 0 to classes - 1."""
        drawn = self.stream().below(self.classes, self.count)
        if self.ignored is not None:
            drawn = np.where(np.arange(self.count) % 3 == 0, np.int64(self.ignored), drawn)
        return drawn.reshape(self.made)

    def outline(self) -> Labels:
        """The last class at every place, or the label that is ignored where it is greater."""
        greatest = max(self.classes - 1, -1 if self.ignored is None else self.ignored)
        return np.broadcast_to(np.int64(greatest), self.made)


class SameLabel(Generator):
    """The same label throughout."""

    name = "same_label"
    integral = True
    shape: Shape
    label: Annotated[int, Field(ge=-(2**63), lt=2**63)]

    def make(self) -> Labels:
        """The label at every place."""
        return np.full(self.made, self.label, np.int64)

    def outline(self) -> Labels:
        """The label at every place."""
        return np.broadcast_to(np.int64(self.label), self.made)


class Constant(Generator):
    """The same number throughout."""

    name = "constant"
    shape: Shape
    value: Real

    def make(self) -> Floats:
        """The value at every place."""
        return np.full(self.made, self.value)


class Probabilities(Generator):
    """Class probabilities: rows of positive numbers that sum to one, but for rounding."""

    name = "probabilities"
    shape: Annotated[
        list[Size], Field(min_length=1, max_length=8, description="with the class axis, as [4, 8]")
    ]
    kept: Annotated[int | None, Field(ge=1, description="classes from here on have probability 0")] = None
    seed: Seed

    def make(self) -> Floats:
        """Integers from 1 to 2^32, each divided by its row's sum."""
        weights = ((self.stream().bits(self.count) >> np.uint64(32)) + np.uint64(1)).reshape(self.made)
        if self.kept is not None:
            weights = first_classes(self, weights, np.uint64(0))
        total = weights.sum(axis=self.class_axis, keepdims=True, dtype=np.uint64)
        shares: Floats = weights.astype(np.float64) / total.astype(np.float64)
        return shares


class Tiled(Generator):
    """Another tensor's rows in turn, over and over, up to `rows` of them."""

    name = "tiled"
    of: Annotated[dict[str, Any], Field(description="a generator of numbers, as {normal: {...}}")]
    rows: Size

    @cached_property
    def tile(self) -> Generator:
        """What makes the rows."""
        word, settings = next(iter(self.of.items()), ("", {}))
        model = GENERATORS.get(word)
        if len(self.of) != 1 or model is None or model.integral or model is Tiled:
            raise ValueError("`of` is one generator of numbers, as {normal: {shape: [3, 8], seed: 1}}")
        return model.model_validate(settings)

    @model_validator(mode="after")
    def _has_rows(self) -> Tiled:
        if not self.tile.made or not self.tile.made[0] or self.tile.count > MAX_TILE_ELEMENTS:
            raise ValueError(f"`of` has no rows, or more than {MAX_TILE_ELEMENTS:,} elements")
        return self

    @property
    def made(self) -> tuple[int, ...]:
        """The rows, and the other axes of the tile."""
        return (self.rows, *self.tile.made[1:])

    def make(self) -> Floats | Labels:
        """Row i is the tile's row i modulo their number."""
        tile = self.tile.make()
        return tile[np.arange(self.rows) % len(tile)]


GENERATORS: dict[str, type[Generator]] = {
    one.name: one
    for one in (
        Normal, Uniform, WithZeros, Offset, OneDominant, Masked, MaskedTail, Spread, Ladder, Gaps,
        RandomLabels, SameLabel, Constant, Probabilities, Tiled,
    )
}  # fmt: skip
