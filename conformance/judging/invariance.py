"""Bitwise invariance: whether a result keeps its bits when only the circumstances of the call change.

A row alone or in a batch, its position there, the memory layout, a second call, one thread or all, two calls
at once: cases state them (`equals` with `invariance`). Threads are compared with a variant, too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from conformance.judging.case_identities import IdentityResult

BITWISE, WITHIN, BROKEN = "bitwise", "within bounds", "broken"
THREADS = "threads"
#: The variant of a framework that computes with one thread.
ONE_THREAD = "/one_thread"
_KEYS = ("operation", "formulation", "quantity", "dtype", "subject", "kind")


@dataclass
class _Tally:
    """Comparisons of one kind: how many, and the farthest apart."""

    compared: int = 0
    bitwise: int = 0
    broken: int = 0
    largest: float = 0.0
    worst_case: str = ""

    def add(self, judgement: str, distance: float, case: str) -> None:
        """Counts one more."""
        self.compared += 1
        self.bitwise += judgement == "identical"
        self.broken += judgement == BROKEN
        # Of equals the first by name, whichever was judged first.
        if judgement != "identical" and (
            not self.worst_case or (-distance, case) < (-self.largest, self.worst_case)
        ):
            self.largest, self.worst_case = distance, case


class Invariance:
    """Tallies of a run's comparisons: the rows of invariance.csv."""

    def __init__(self) -> None:
        self._tallies: defaultdict[tuple[str, ...], _Tally] = defaultdict(_Tally)

    def add(self, result: IdentityResult, quantity: str, dtype: str) -> None:
        """Counts an identity between cases, where it is one of invariance.

        Args:
            result: the identity in one subject and formulation.
            quantity: the quantity that was compared.
            dtype: its dtype.
        """
        equals = result.case.equals
        if equals is None or equals.invariance is None:
            return
        key = result.case.operation, result.formulation, quantity, dtype, result.subject, equals.invariance
        self._tallies[key].add(result.distance.judgement, result.distance.largest, result.case.id)

    def rows(self, equivalences: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The rows of invariance.csv.

        Args:
            equivalences: the rows of equivalence.csv, of which those of a subject and its variant with one
                thread count.
        """
        rows = [
            dict(zip(_KEYS, key, strict=True))
            | _counts(tally.compared, tally.bitwise, tally.broken, tally.largest, tally.worst_case)
            for key, tally in sorted(self._tallies.items())
        ]
        for pair in equivalences:
            if pair["subject_b"] == f"{pair['subject_a']}{ONE_THREAD}":
                same = int(pair["identical"]) == int(pair["checks"])
                worst = "" if same else str(pair["worst_case"])
                checks, identical, beyond = (int(pair[n]) for n in ("checks", "identical", "beyond_bounds"))
                about = {name: pair[name] for name in _KEYS[:4]}
                kind = {"subject": pair["subject_a"], "kind": f"{THREADS}, all checks"}
                rows.append(
                    about | kind | _counts(checks, identical, beyond, float(pair["largest_distance"]), worst)
                )
        return rows


def _counts(compared: int, bitwise: int, broken: int, largest: float, worst_case: str) -> dict[str, Any]:
    """The columns behind the keys."""
    return {
        "verdict": BROKEN if broken else BITWISE if bitwise == compared else WITHIN,
        "compared": compared,
        "bitwise": bitwise,
        "broken": broken,
        "largest_distance": largest,
        "worst_case": worst_case,
    }
