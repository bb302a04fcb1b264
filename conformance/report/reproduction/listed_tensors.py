"""Listed tensors: the distinct tensors of a run's programs, each rounded one as what it is rounded from."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.arithmetic.formats import FORMATS, round_to
from conformance.report.reproduction.literals import Array

#: The dtype that the tensors of a case are rounded from.
_WIDEST = "float64"


class ListedTensors:
    """Tensors that programs list, each distinct one once.

    Attributes:
        arrays: The tensors: their shapes and their numbers, `nan` and infinities as texts. Of one that is
            another one rounded to a dtype, `of` (the other's number) and `dtype` stand in the numbers' place.
    """

    def __init__(self) -> None:
        self.arrays: list[dict[str, Any]] = []
        self._numbers: dict[tuple[object, ...], int] = {}
        self._values: list[Array] = []
        self._of_cases: dict[tuple[str, str], dict[str, int]] = {}

    def add(self, case: str, name: str, dtype: str, value: Array) -> int:
        """The number of a case's tensor."""
        key = value.tobytes(), value.shape, value.dtype.char
        if key not in self._numbers:
            self._numbers[key] = len(self.arrays)
            floating = value.dtype.kind == "f"
            numbers = [_json(number, floating) for number in value.reshape(-1).tolist()]
            self.arrays.append({"shape": list(value.shape), "float": floating, "values": numbers})
            self._values.append(value)
        self._of_cases.setdefault((case, name), {})[dtype] = self._numbers[key]
        return self._numbers[key]

    def share(self) -> None:
        """Puts what a tensor is rounded from in the place of its numbers, where that gives every bit."""
        for of_dtypes in self._of_cases.values():
            widest = of_dtypes.get(_WIDEST)
            if widest is None or not self.arrays[widest]["float"] or "of" in self.arrays[widest]:
                continue
            for dtype, number in of_dtypes.items():
                array = self.arrays[number]
                if number == widest or "of" in array or not array["float"] or dtype not in FORMATS:
                    continue
                value = np.asarray(self._values[number], np.float64)
                with np.errstate(all="ignore"):
                    rounded = round_to(FORMATS[dtype], np.asarray(self._values[widest], np.float64))
                if value.shape == rounded.shape and value.tobytes() == np.asarray(rounded).tobytes():
                    self.arrays[number] = {
                        "shape": array["shape"],
                        "float": True,
                        "of": widest,
                        "dtype": dtype,
                    }


def _json(number: float, floating: bool) -> float | str | int:
    """A number as JSON holds it; what JSON lacks, and the zero whose sign it loses, as text."""
    if not floating:
        return int(number)
    special = not np.isfinite(number) or (number == 0 and np.signbit(number))
    return repr(number) if special else number
