"""Random words that are the same for ever.

No bit depends on NumPy's version, the platform or a mathematical library: they are splitmix64's (Steele, Lea,
Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014) in uint64 arithmetic.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
Bits = npt.NDArray[np.uint64]

_GOLDEN_GAMMA = 0x9E3779B97F4A7C15
_WORD_MASK = (1 << 64) - 1
#: Words made together: so few that they stay in the processor's cache.
_CHUNK_WORDS = 1 << 15


def _mix(state: Bits) -> Bits:
    """splitmix64's output function, in place."""
    state ^= state >> np.uint64(30)
    state *= np.uint64(0xBF58476D1CE4E5B9)
    state ^= state >> np.uint64(27)
    state *= np.uint64(0x94D049BB133111EB)
    state ^= state >> np.uint64(31)
    return state


class Stream:
    """The words that a generator draws; generators of one seed draw unrelated words."""

    def __init__(self, name: str, seed: int) -> None:
        start = 0xCBF29CE484222325
        for byte in f"{name}:{seed}".encode():  # FNV-1a
            start = ((start ^ byte) * 0x100000001B3) & _WORD_MASK
        self.state = start

    def bits(self, count: int) -> Bits:
        """The next `count` words of 64 bits."""
        words = np.empty(count, np.uint64)
        for first in range(0, count, _CHUNK_WORDS):
            size = min(_CHUNK_WORDS, count - first)
            counter = np.arange(1, size + 1, dtype=np.uint64) * np.uint64(_GOLDEN_GAMMA)
            words[first : first + size] = _mix(counter + np.uint64(self.state))
            self.state = (self.state + size * _GOLDEN_GAMMA) & _WORD_MASK
        return words

    def uniform(self, count: int) -> Floats:
        """Multiples of 2^-53 in [0, 1)."""
        return (self.bits(count) >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def normal(self, count: int) -> Floats:
        """Mean 0, variance 1, within +-6: twelve uniforms of 52 bits, summed as integers, less 6."""
        total = self._sums(12, count)
        return (total.astype(np.int64) - np.int64(6 << 52)).astype(np.float64) * 2.0**-52

    def _sums(self, terms: int, count: int) -> Bits:
        """Sums of so many words of 52 bits, `count` words apart from each other."""
        if terms * count <= _CHUNK_WORDS:  # a small tensor costs the calls, a large one the memory
            words = self.bits(terms * count) >> np.uint64(12)
            return np.asarray(words.reshape(terms, count).sum(axis=0, dtype=np.uint64))
        total = np.zeros(count, np.uint64)
        for first in range(0, count, _CHUNK_WORDS):
            part = total[first : first + _CHUNK_WORDS]
            counter = np.arange(first + 1, first + part.size + 1, dtype=np.uint64) * np.uint64(_GOLDEN_GAMMA)
            for term in range(terms):
                state = (self.state + term * count * _GOLDEN_GAMMA) & _WORD_MASK
                part += _mix(counter + np.uint64(state)) >> np.uint64(12)
        self.state = (self.state + terms * count * _GOLDEN_GAMMA) & _WORD_MASK
        return total

    def below(self, limit: int, count: int) -> Labels:
        """Integers in [0, limit)."""
        return (self.bits(count) % np.uint64(limit)).astype(np.int64)
