"""Signals that end a run early, but whole: SIGINT and SIGTERM."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def interruptible(on_signal: Callable[[str], object]) -> Iterator[None]:
    """Ends the block early on SIGINT and SIGTERM; the caller goes on behind it.

    Args:
        on_signal: Gets the signal's name.
    """
    name = ""

    def terminate(signum: int, _frame: object) -> None:
        nonlocal name
        name = signal.Signals(signum).name
        raise KeyboardInterrupt

    in_main = threading.current_thread() is threading.main_thread()
    numbers = (signal.SIGINT, signal.SIGTERM) if in_main else ()
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        for number in before:
            signal.signal(number, terminate)
        yield
    except KeyboardInterrupt:
        on_signal(name or "SIGINT")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
