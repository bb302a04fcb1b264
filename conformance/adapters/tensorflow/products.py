"""Products of matrices, where oneDNN has a kernel for them."""

from __future__ import annotations

import os
from typing import Any

import tensorflow as tf

from ..base import Tensor, Unsupported
from ..hardware import flags
from .kernels import is_onednn_on

MAX_ISA = "ONEDNN_MAX_CPU_ISA"
#: Instruction sets for which oneDNN has no product of bfloat16.
WITHOUT_BFLOAT16 = ("SSE41", "AVX", "AVX2", "AVX2_VNNI")


def product(left: Tensor, right: Tensor, **options: Any) -> Tensor:
    """tf.matmul.

    Raises Unsupported where it would end the process.
    """
    refuse_without_kernel(left.dtype)
    return tf.matmul(left, right, **options)


def refuse_without_kernel(dtype: Any) -> None:
    """Raises Unsupported for products of a dtype that end the process.

    TensorFlow asks the processor for AVX-512, not oneDNN, which may use no more than AVX2: a null pointer.
    """
    isa = os.environ.get(MAX_ISA, "").upper()
    if dtype == tf.bfloat16 and isa in WITHOUT_BFLOAT16 and is_onednn_on() and "avx512f" in flags():
        raise Unsupported("tf.matmul of bfloat16 ends the process (SIGSEGV) with {}={}".format(MAX_ISA, isa))
