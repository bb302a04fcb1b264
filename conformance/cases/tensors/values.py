"""The tensors of a case as its file gives them, before any rounding: literals, `.npy` files, generators."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from conformance.arithmetic import FORMATS, round_to
from conformance.cases.tensors.generator import Generator
from conformance.cases.tensors.landmarks import Edge
from conformance.yaml.problems import shown

Array = npt.NDArray[Any]
#: Elements up to which a tensor stays in memory once it is made.
_MAX_STORED_ELEMENTS = 2**16
#: Elements up to which tensors of one description are one.
_MAX_SHARED_ELEMENTS = 2**12


class Tensor(Protocol):
    """A tensor as a case describes it. integral: every element is an integer, so that labels may be meant."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The size of each axis."""

    @property
    def integral(self) -> bool:
        """Whether labels may be meant."""

    def values(self, dtype: str) -> Array:
        """int64 where integral, else float64, not yet rounded to the dtype; edges are those of the dtype.

        Raises ValueError where the dtype has no such number, OSError where a file cannot be read.
        """

    def outline(self) -> Array:
        """The shape and the greatest label of `values`, without the cost of making them."""


@dataclass(frozen=True, eq=False)
class Literal:
    """Nested lists of numbers; `edges` at flat positions, `exact` where the bits were given."""

    shape: tuple[int, ...]
    integral: bool
    flat: Array
    edges: tuple[tuple[int, Edge], ...] = ()

    def values(self, dtype: str) -> Array:
        """The numbers, edges resolved."""
        if not self.edges:
            return self.flat.reshape(self.shape)
        flat = self.flat.copy()
        for index, edge in self.edges:
            flat[index] = edge.value(dtype)
        return flat.reshape(self.shape)

    def outline(self) -> Array:
        """The numbers, which are there already; edges stay 0."""
        return self.flat.reshape(self.shape)

    def __str__(self) -> str:
        """The numbers as nested lists, edges by name."""
        texts = self.flat.astype(object)
        for index, edge in self.edges:
            texts[index] = edge.text
        return _short(str(texts.reshape(self.shape).tolist()))


@dataclass(frozen=True, eq=False)
class Made:
    """A generator's tensor."""

    generator: Generator

    @property
    def shape(self) -> tuple[int, ...]:
        """The size of each axis."""
        return self.generator.made

    @property
    def integral(self) -> bool:
        """Whether the generator makes labels."""
        return self.generator.integral

    def values(self, dtype: str) -> Array:
        """The generator's numbers; no dtype changes them."""
        if size(self.shape) > _MAX_STORED_ELEMENTS:
            return self.generator.make()
        return self._numbers

    def outline(self) -> Array:
        """The generator's own."""
        return self.generator.outline()

    @cached_property
    def _numbers(self) -> Array:
        draw = _drawn if size(self.shape) <= _MAX_SHARED_ELEMENTS else _drawn.__wrapped__
        return draw(type(self.generator), self.generator.model_dump_json())

    def __str__(self) -> str:
        """The generator as a case file has it."""
        settings = self.generator.model_dump(exclude_defaults=True)
        return f"{self.generator.name}({', '.join(f'{name}={value}' for name, value in settings.items())})"


@dataclass(frozen=True, eq=False)
class Stored:
    """A `.npy` file's tensor."""

    path: Path
    shape: tuple[int, ...]
    integral: bool

    def values(self, dtype: str) -> Array:
        """The file's numbers as float64 or int64."""
        array = open_npy(self.path)
        if array.shape != self.shape:
            raise ValueError(f"{self.path.name} has changed since it was loaded")
        return np.array(array, dtype=np.int64 if self.integral else np.float64)

    def outline(self) -> Array:
        """The file's numbers: only they tell the greatest label."""
        return self.values("float64") if self.integral else np.broadcast_to(0.0, self.shape)

    def __str__(self) -> str:
        """The file's name and shape."""
        return f"{self.path.name} {list(self.shape)}"


@lru_cache(maxsize=1024)
def _drawn(kind: type[Generator], settings: str) -> Array:
    """What a generator makes: the cases of a product have the same one."""
    tensor = kind.model_validate_json(settings).make()
    tensor.setflags(write=False)
    return tensor


def open_npy(path: Path) -> Array:
    """A `.npy` file's array, mapped, never unpickled; ValueError says what is wrong with it."""
    name = shown(path.name)
    try:
        with path.open("rb") as file:
            magic = file.read(6)
    except OSError as error:
        raise ValueError(f"{name} cannot be read: {error.strerror or type(error).__name__}") from None
    if magic != b"\x93NUMPY":
        raise ValueError(f"{name} is no .npy file")
    try:
        array: Array = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # NumPy evaluates the header, and fails in many ways on a hostile one
        pickled = "Python objects" in str(error) or "allow_pickle" in str(error)
        broken = "holds Python objects" if pickled else "has a broken header, or fewer numbers than that says"
        raise ValueError(f"{name} {broken}") from None
    if array.dtype.kind not in "fiu" or array.dtype.itemsize > 8 or array.dtype == np.uint64:
        raise ValueError(f"{name} holds {array.dtype}, not float16, float32, float64 or int64 and narrower")
    return array


def rounded(values: Array, dtype: str) -> Array:
    """Floating values in the dtype, as float64; ValueError where a finite number overflows."""
    numbers = round_to(FORMATS[dtype], values)
    lost = np.isinf(numbers) & np.isfinite(values)
    if lost.any():
        raise ValueError(overflow(float(values[lost].reshape(-1)[0]), dtype))
    return numbers


def overflow(value: float, dtype: str) -> str:
    """What to say about a literal that has no finite value in the dtype."""
    return f"{value:g} overflows {dtype}"


def size(shape: tuple[int, ...]) -> int:
    """The number of elements, however large."""
    return math.prod(shape)


def _short(text: str, width: int = 120) -> str:
    return text if len(text) <= width else f"{text[: width - 4]} ..."
