"""Processor that a worker runs on, as far as it decides which kernels run."""

from __future__ import annotations

import os
import platform
from functools import lru_cache
from typing import Any, Dict, FrozenSet

#: The instruction sets that numerical libraries choose their kernels by.
X86_FLAGS = ("avx", "avx2", "fma", "f16c", "avx512f", "avx512_bf16", "avx512_fp16", "amx_bf16")
KERNEL_FLAGS = (*X86_FLAGS, "asimd", "sve", "bf16")


def processor() -> Dict[str, Any]:
    """``cpu`` (the model's name), ``flags`` (of KERNEL_FLAGS), ``cores`` (that this process may use)."""
    present = flags()
    return {
        "cpu": _described().get("model name") or platform.processor() or platform.machine(),
        "flags": [flag for flag in KERNEL_FLAGS if flag in present],
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
    }


def flags() -> FrozenSet[str]:
    """Every instruction set of the processor, as Linux names them; empty on another system."""
    described = _described()
    return frozenset(described.get("flags", described.get("features", "")).split())


@lru_cache(maxsize=1)
def _described() -> Dict[str, str]:
    """The first processor in /proc/cpuinfo."""
    described: Dict[str, str] = {}
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            for line in lines:
                key, _, value = line.partition(":")
                described.setdefault(key.strip().lower(), value.strip())
    except OSError:
        pass  # not Linux: platform knows the little there is
    return described
