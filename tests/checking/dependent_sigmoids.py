"""Sigmoids that are right by themselves, and depend on the circumstances of the call."""

from __future__ import annotations

import threading
import time

import torch

CALLS = [0]
BUFFER: list[torch.Tensor] = []
LOCK = threading.Lock()


def steady(x: torch.Tensor) -> torch.Tensor:
    """Computed in float64, whose last bits, which depend on the layout, are rounded away."""
    return torch.sigmoid(x.double()).to(x.dtype)


def right(x: torch.Tensor) -> torch.Tensor:
    """Depends on nothing but x."""
    return steady(x)


def by_batch(x: torch.Tensor) -> torch.Tensor:
    """Wrong in the last row of a batch of 64 and more."""
    y = steady(x)
    return torch.cat([y[:-1], y[-1:] * 1.01]) if len(x) >= 64 else y


def by_batch_within_bounds(x: torch.Tensor) -> torch.Tensor:
    """Another bit, and still right, in batches of 64 and more."""
    y = steady(x)
    return y + (torch.nextafter(y, torch.ones_like(y)) - y).detach() if len(x) >= 64 else y


def by_threads(x: torch.Tensor) -> torch.Tensor:
    """Wrong with one thread."""
    return steady(x) * (1.01 if torch.get_num_threads() == 1 else 1.0)


def by_call(x: torch.Tensor) -> torch.Tensor:
    """Wrong where it was called with the same tensor before, and not by two threads."""
    alone = threading.current_thread() is threading.main_thread()
    seen = alone and getattr(x, "seen_before", False)
    x.seen_before = True
    return steady(x) * (1.01 if seen else 1.0)


def by_other_calls(x: torch.Tensor) -> torch.Tensor:
    """Wrong where another call goes on at the same time."""
    with LOCK:
        CALLS[0] += 1
    time.sleep(0.002)  # for the other to come in
    others = CALLS[0] > 1
    y = steady(x) * (1.01 if others else 1.0)
    time.sleep(0.002)
    with LOCK:
        CALLS[0] -= 1
    return y
