"""Slices of a case's tensors: the numbers of a whole, a stretch of one axis at a time."""

from __future__ import annotations

from dataclasses import dataclass

from conformance.cases.tensors.values import Array, Tensor


@dataclass(frozen=True, eq=False)
class Slice:
    """A stretch of another tensor along one axis.

    Attributes:
        of: The whole tensor.
        axis: The axis along which it is cut.
        start: The first index that belongs to the slice.
        stop: The first index behind it.
    """

    of: Tensor
    axis: int
    start: int
    stop: int

    @property
    def shape(self) -> tuple[int, ...]:
        """The size of each axis."""
        whole = self.of.shape
        return (*whole[: self.axis], self.stop - self.start, *whole[self.axis + 1 :])

    @property
    def integral(self) -> bool:
        """Whether labels may be meant."""
        return self.of.integral

    def values(self, dtype: str) -> Array:
        """The whole tensor's numbers in the stretch."""
        return self._cut(self.of.values(dtype))

    def outline(self) -> Array:
        """The whole tensor's own in the stretch."""
        return self._cut(self.of.outline())

    def _cut(self, array: Array) -> Array:
        return array[(slice(None),) * self.axis + (slice(self.start, self.stop),)]

    def __str__(self) -> str:
        """The whole tensor and the stretch."""
        return f"{self.of} [{self.start}:{self.stop}] along axis {self.axis}"


@dataclass(frozen=True, eq=False)
class LocalLabels:
    """Labels as a shard of the classes has them: those of other shards are its first class.

    Attributes:
        of: The labels among all classes.
        start: The shard's first class.
        stop: The first class behind it.
    """

    of: Tensor
    start: int
    stop: int

    @property
    def shape(self) -> tuple[int, ...]:
        """The size of each axis."""
        return self.of.shape

    @property
    def integral(self) -> bool:
        """They are labels."""
        return True

    def values(self, dtype: str) -> Array:
        """The labels less the shard's first class, 0 where they lie outside."""
        return self._local(self.of.values(dtype))

    def outline(self) -> Array:
        """As `values`."""
        return self._local(self.of.outline())

    def _local(self, labels: Array) -> Array:
        inside = (labels >= self.start) & (labels < self.stop)
        local: Array = (labels - self.start) * inside
        return local

    def __str__(self) -> str:
        """The labels and the shard."""
        return f"{self.of} among the classes {self.start} to {self.stop - 1}"
