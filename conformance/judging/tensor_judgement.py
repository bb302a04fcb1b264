"""Judgement of a tensor of one's own, and its text of one screen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from conformance.judging.verdict import conforms

#: Lines that one input takes in the text, and characters of a line.
_MAX_INPUT_LINES = 3
_MAX_LINE_CHARACTERS = 100


@dataclass(frozen=True)
class TensorJudgement:
    """Verdict on a tensor, with the figures of its worst element; `str` shows them on one screen.

    Attributes:
        operation: The operation's name.
        quantity: `value` or `gradient:ARGUMENT`.
        dtype: The tensor's dtype, in whose ulps errors and bounds are.
        shape: The shape that the quantity has.
        verdict: The verdict on the worst element, and so on the tensor.
        message: What is wrong with it, in a few words; empty where it conforms.
        ulp_error: Its error; None where the shape is wrong, or there are no elements.
        bound: What the standard algorithm may lose there; None likewise.
        attainable: What the best known algorithm may lose there; None likewise.
        worst_index: Its index; None likewise.
        observed: The element; None likewise.
        exact: The decimal digits of the exact value there.
        failing: How many elements do not conform.
        inputs: The arguments there, by name, as text.
    """

    operation: str
    quantity: str
    dtype: str
    shape: tuple[int, ...]
    verdict: str
    message: str = ""
    ulp_error: float | None = None
    bound: float | None = None
    attainable: float | None = None
    worst_index: tuple[int, ...] | None = None
    observed: Any = None
    exact: str = ""
    failing: int = 0
    inputs: Mapping[str, str] | None = None

    @property
    def conforms(self) -> bool:
        """Whether every element lies within the bound, and shape and dtype are right."""
        return bool(conforms(self.verdict))

    def __str__(self) -> str:
        reason = f": {self.message}" if self.message else ""
        title = f"{self.operation} {self.quantity} in {self.dtype} is {self.verdict}{reason}"
        if self.worst_index is None:
            return title
        size = int(np.prod(self.shape))
        count = f"; {self.failing:,} of {size:,} elements do not conform" if size > 1 and self.failing else ""
        lines = [
            ("observed", str(self.observed)),
            ("exact", self.exact),
            ("error", f"{self.ulp_error:.4g} ulps"),
            ("bound", f"{self.bound:.4g} ulps, attainable {self.attainable:.4g}"),
            *([("worst at", f"{list(self.worst_index)} of {list(self.shape)}{count}")] if self.shape else []),
            *(self.inputs or {}).items(),
        ]
        width = max(len(name) for name, _ in lines) + 2
        return "\n".join([title, *(f"  {name:{width}}{_indented(text, width + 2)}" for name, text in lines)])


def _indented(text: str, margin: int) -> str:
    """The text with all lines behind the first under its beginning."""
    return text.replace("\n", "\n" + " " * margin)


@dataclass(frozen=True)
class Position:
    """Position of an element in a result, and what it depends on.

    Attributes:
        index: Its index in the result.
        shape: The result's shape.
        first_shape: The shape of the operation's first input.
        row_axis: The axis of that input along which an element depends on a whole row, if any.
    """

    index: tuple[int, ...]
    shape: tuple[int, ...]
    first_shape: tuple[int, ...]
    row_axis: int | None

    def excerpt(self, array: npt.NDArray[Any], by_rows: bool = True) -> str:
        """What an argument holds there: its element, its row, its label; the whole where it has none.

        Args:
            array: The argument.
            by_rows: Whether it may have a row or a label there: an input or an upstream gradient.
        """
        if array.ndim == 0:
            return str(array[()])
        texts = [f"{list(self.index)} = {array[self.index]!s}"] if array.shape == self.shape else []
        if by_rows and self.row_axis is not None:
            texts += self._row_or_label(array, self.row_axis)
        return "\n".join(texts) or f"of shape {list(array.shape)}: {_short(array)}"

    def _row_or_label(self, array: npt.NDArray[Any], axis: int) -> list[str]:
        """The row that the element depends on, or the label of that row."""
        rows_shape = self.first_shape[:axis] + self.first_shape[axis + 1 :]
        if array.shape == self.first_shape and self.shape in (self.first_shape, rows_shape):
            rest = self.index if self.shape == rows_shape else _without(self.index, axis)
            selection: tuple[Any, ...] = (*rest[:axis], slice(None), *rest[axis:])
            names = [":" if position == axis else str(i) for position, i in enumerate(selection)]
            return [f"[{', '.join(names)}] = {_short(array[selection])}"]
        if array.shape == rows_shape and self.shape == self.first_shape:
            label = _without(self.index, axis)
            return [f"{list(label)} = {array[label]!s}"]
        return []


def _without(index: tuple[int, ...], axis: int) -> tuple[int, ...]:
    """The index without one axis."""
    return index[:axis] + index[axis + 1 :]


def _short(array: npt.NDArray[Any]) -> str:
    """The beginning and the end of an array, in a few lines."""
    text = np.array2string(
        array, threshold=12, edgeitems=3, max_line_width=_MAX_LINE_CHARACTERS - 30, separator=", "
    )
    lines = text.splitlines()
    if len(lines) > _MAX_INPUT_LINES:
        lines = [*lines[: _MAX_INPUT_LINES - 1], "..."]
    return "\n".join(lines)
