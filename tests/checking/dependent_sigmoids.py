"""Sigmoids that are right by themselves, and depend on the circumstances of the call."""

from __future__ import annotations

import threading
import time

import torch

CALLS = [0]
BUFFER: list[torch.Tensor] = []
LOCK = threading.Lock()
#: How long one of two calls waits for the other, which starts at the same moment: long, for a busy machine.
SECONDS_FOR_THE_OTHER_CALL = 5.0


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
    """Wrong where another call goes on at the same time: calls outside of the main thread come in pairs."""
    if threading.current_thread() is threading.main_thread():
        return steady(x)
    with LOCK:
        CALLS[0] += 1
        pair = CALLS[0] + CALLS[0] % 2
    end = time.monotonic() + SECONDS_FOR_THE_OTHER_CALL
    while CALLS[0] < pair and time.monotonic() < end:
        time.sleep(0.001)
    return steady(x) * (1.01 if CALLS[0] >= pair else 1.0)
