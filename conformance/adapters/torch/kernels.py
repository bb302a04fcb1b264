"""Which kernels PyTorch dispatches, by its own report."""

from __future__ import annotations

import re
from typing import Any, Dict

import torch


def kernels() -> Dict[str, Any]:
    """``cpu_capability``, the instruction set that torch chose its kernels for; inductor goes by the same."""
    if hasattr(torch.backends, "cpu"):
        return {"cpu_capability": str(torch.backends.cpu.get_cpu_capability())}
    match = re.search(r"CPU capability usage: (.*)", torch.__config__.show())
    return {"cpu_capability": match.group(1) if match else "unknown"}
