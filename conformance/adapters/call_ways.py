"""Ways to make a call: once, a second time, with one thread, or two at once.

What a call returns should not depend on any of them. A request names one under `call`.
"""

from __future__ import annotations

import threading
import zlib
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from .base import Adapter, Call, Tensor, Unsupported

Computed = Tuple[Tensor, Sequence[Tensor]]
#: Rounds in which two calls start at the same moment.
ROUNDS = 8


def once(compute: Callable[[], Computed], adapter: Adapter) -> Computed:
    """The call."""
    return compute()


def twice(compute: Callable[[], Computed], adapter: Adapter) -> Computed:
    """The second of two calls."""
    compute()
    return compute()


def with_one_thread(compute: Callable[[], Computed], adapter: Adapter) -> Computed:
    """The call, for which the framework computes with one thread."""
    with adapter.one_thread():
        return compute()


def at_once(compute: Callable[[], Computed], adapter: Adapter) -> Computed:
    """One of two calls that start at the same moment: the first that differs from the first of all."""
    computed: List[Computed] = []
    for _ in range(ROUNDS):
        computed += _pair(compute)
        digests = [_digest(adapter, each) for each in computed]
        differing = [each for each, digest in zip(computed, digests) if digest != digests[0]]
        if differing:
            return differing[0]
        del computed[1:]
    return computed[0]


#: The ways by the names that requests have for them.
WAYS: Dict[str, Callable[[Callable[[], Computed], Adapter], Computed]] = {
    "once": once,
    "twice": twice,
    "one_thread": with_one_thread,
    "at_once": at_once,
}


def computed(
    adapter: Adapter,
    way: str,
    call: Call,
    tensors: Dict[str, Tensor],
    wrt: Tuple[str, ...],
    upstream: Optional[Tensor],
) -> Computed:
    """The value and gradients of a call that is made in one of the ways.

    Args:
        adapter: The framework's.
        way: A name of `WAYS`.
        call: The call.
        tensors: Its tensors.
        wrt: The names of those that gradients are asked of.
        upstream: The upstream gradient; None: ones.

    Raises:
        Unsupported: The framework cannot, or there is no such way.
    """
    if way not in WAYS:
        raise Unsupported("no way {!r} to make a call".format(way))
    return WAYS[way](lambda: adapter.compute(call, dict(tensors), wrt, upstream), adapter)


def _pair(compute: Callable[[], Computed]) -> List[Computed]:
    """What two calls give that start at the same moment; what one of them raises is raised."""
    barrier = threading.Barrier(2)
    given: List[Computed] = []
    errors: List[BaseException] = []

    def target() -> None:
        try:
            barrier.wait()
            given.append(compute())
        except BaseException as error:  # raised again below, in the thread that asked
            errors.append(error)

    threads = [threading.Thread(target=target) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return given


def _digest(adapter: Adapter, result: Computed) -> Any:
    arrays = [adapter.store(tensor)[0] for tensor in (result[0], *result[1])]
    return [zlib.crc32(np.ascontiguousarray(array).data) for array in arrays]
