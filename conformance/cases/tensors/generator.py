"""Base of generators: the settings that several share, and what each has."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from conformance.cases.tensors.random_stream import Stream

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]


def _hexadecimal(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return float.fromhex(value) if "0x" in value.lower() else value
        except (ValueError, OverflowError):
            return value
    return value


Real = Annotated[
    float,
    BeforeValidator(_hexadecimal),
    Field(allow_inf_nan=False, description="a finite number, or its bits as '0x1.8p+3'"),
    WithJsonSchema(
        {"type": ["number", "string"], "description": "a finite number, or its bits as '0x1.8p+3'"}
    ),
]
Size = Annotated[int, Field(ge=0, le=2**40)]
Shape = Annotated[list[Size], Field(max_length=8, description="the size of each axis, as [4, 8]")]
Seed = Annotated[int, Field(ge=0, lt=2**63, description="any integer from 0; another seed, other numbers")]


def _power_of_two(value: float) -> float:
    if np.frexp(value)[0] != 0.5:
        raise ValueError(f"{value:g} is no power of two")
    return value


PowerOfTwo = Annotated[
    Real, Field(gt=0, description="a power of two, as 0.125"), AfterValidator(_power_of_two)
]
Grid = Annotated[PowerOfTwo | None, Field(description="a power of two, as 0.125; null for none")]


class Generator(BaseModel):
    """What every generator has: a shape, known before anything is made, and the tensor itself."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
    name: ClassVar[str]
    integral: ClassVar[bool] = False

    @property
    def made(self) -> tuple[int, ...]:
        """The tensor's shape."""
        shape: list[int] = getattr(self, "shape")  # noqa: B009 - only the sweeps are without this field
        return tuple(shape)

    def make(self) -> Floats | Labels:
        """The tensor: float64, or int64 labels."""
        raise NotImplementedError

    def outline(self) -> Floats | Labels:
        """An array of the same shape, with the greatest label if it makes labels, that takes no memory."""
        return np.broadcast_to(0.0, self.made)

    def stream(self) -> Stream:
        """This generator's own random words."""
        return Stream(self.name, getattr(self, "seed"))  # noqa: B009 - only generators with a seed draw

    @property
    def count(self) -> int:
        """The number of elements."""
        return int(np.prod(self.made, dtype=object))

    @property
    def class_axis(self) -> int:
        """1, or 0 of a vector."""
        return 1 if len(self.made) > 1 else 0

    def one_class_a_row(self, stream: Stream) -> npt.NDArray[np.bool_]:
        """True at one class, drawn for each row."""
        others = tuple(size for axis, size in enumerate(self.made) if axis != self.class_axis)
        classes = self.made[self.class_axis] if self.made else 1
        drawn = stream.below(max(classes, 1), int(np.prod(others))).reshape(others)
        chosen = np.arange(classes) == drawn[..., None]
        return np.moveaxis(chosen, -1, self.class_axis) if self.made else chosen.reshape(())


def on_grid(values: Floats, grid: float | None) -> Floats:
    """The multiples of `grid` next to the values; the values where there is none."""
    return values if grid is None else np.rint(values / grid) * grid


def first_classes(of: Any, values: Any, other: Any) -> Any:
    """The values of the first `kept` classes, and another number in the other classes."""
    values = values.reshape(of.made)
    if not values.ndim:
        return values
    within = np.arange(values.shape[of.class_axis]) < of.kept
    along = [-1 if axis == of.class_axis else 1 for axis in range(values.ndim)]
    return np.where(within.reshape(along), values, other)
