"""A check that is asked several times: what its verdict is where the answers differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from conformance.judging.verdict import VERDICTS

if TYPE_CHECKING:
    from conformance.judging.observation import Observation

#: Verdicts from best to worst; what is unsupported once and answered once is judged by the answer.
_RANK = {name: rank for rank, name in enumerate(("unsupported", *VERDICTS[:-1]))}


def worst(first: Observation, again: Sequence[Observation]) -> tuple[Observation, bool]:
    """The observation that stands for all repeats of a check, and whether they differ.

    They differ where their bits, shapes, dtypes or outcomes do; then the one with the worst verdict stands,
    of equals the first, and its message says how many results there were. All are judged already.
    """
    everyone = [first, *again]
    kinds = {
        (one.outcome["status"], one.outcome.get("error"), one.dtype, one.shape, one.bits) for one in everyone
    }
    if len(kinds) == 1:
        return first, False
    chosen = max(everyone, key=_badness)  # max keeps the first of equals
    assert chosen.judgement is not None
    said = f"not deterministic: {len(kinds)} results in {len(everyone)} repeats"
    message = f"{said}; {chosen.judgement.message}" if chosen.judgement.message else said
    return replace(chosen, judgement=replace(chosen.judgement, message=message)), True


def _badness(one: Observation) -> tuple[int, float]:
    assert one.judgement is not None
    error = one.judgement.ulp_error
    return _RANK[one.judgement.verdict], -1.0 if error is None else error
