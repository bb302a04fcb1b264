"""Tensors of any framework as NumPy arrays: on any device, with or without a gradient, bfloat16 too."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

from conformance.arithmetic.formats import FORMATS
from conformance.errors import ArgumentError

_BFLOAT16 = np.dtype(ml_dtypes.bfloat16)


def as_array(value: object) -> npt.NDArray[Any]:
    """The NumPy array of a tensor, array, number or nested list, in its own dtype (ml_dtypes.bfloat16 too).

    No framework is imported: a tensor of PyTorch is known by its `detach`; those of TensorFlow and JAX are
    arrays to NumPy.

    Raises:
        ValueError, TypeError, RuntimeError: It is no array; the framework's own words.
    """
    tensor: Any = value
    if hasattr(tensor, "detach") and hasattr(tensor, "numpy"):
        # NumPy does not know PyTorch's bfloat16; float32 holds it exactly.
        if str(tensor.dtype) == "torch.bfloat16":
            return as_array(tensor.float()).astype(_BFLOAT16)
        array: npt.NDArray[Any] = tensor.numpy(force=True)
        return array
    return np.asarray(tensor)


def dtype_name(dtype: Any) -> str:
    """The name of one of the four dtypes, given as a name or as NumPy, PyTorch, TensorFlow or JAX have it.

    Raises:
        ArgumentError: It is none of them.
    """
    name = dtype if isinstance(dtype, str) else getattr(dtype, "name", None)
    if not isinstance(name, str):
        try:
            name = np.dtype(dtype).name
        except TypeError:
            name = str(dtype).removeprefix("torch.")
    if name not in FORMATS:
        raise ArgumentError(f"dtype must be one of {', '.join(FORMATS)}, not {name}")
    return name
