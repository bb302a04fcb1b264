"""Feature search: the smallest set of features that explains failing checks and no conforming one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from conformance.cases.case import Case
from conformance.checking.features.feature_phrases import ACCIDENTAL, PHRASES
from conformance.checking.features.input_features import of_case, of_quantity

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

#: Features that one cause may name.
_MAX_FEATURES = 3
#: Sets that are extended by one more feature.
_BEAM_WIDTH = 16
#: Bits that naming a feature costs: about log2 of how many there are; an accidental one has to earn more.
_FEATURE_BITS, _ACCIDENTAL_BITS = 6.0, 12.0
#: So few failing checks may earn no feature: then the set is named that holds nearly of them alone.
_FEW, _MAX_FEW_FEATURES, _CLOSE_SCORE = 4, 2, 0.9
#: From this share of failing checks on a function fails everywhere.
_EVERYWHERE_SHARE = 0.85


class FeatureTable:
    """Which check has which feature.

    Attributes:
        names: The features that any check has, in the order of `PHRASES`.
        holds: A row a check, a column a feature.
    """

    def __init__(self, rows: Sequence[Mapping[str, object]], cases: Mapping[str, Case]) -> None:
        columns = {name: column for column, name in enumerate(PHRASES)}
        every = np.zeros((len(rows), len(columns)), dtype=bool)
        of_cases: dict[tuple[str, str], frozenset[str]] = {}
        for number, row in enumerate(rows):
            case, dtype = cases[str(row["case"])], str(row["dtype"])
            key = (case.id, dtype)
            if key not in of_cases:
                of_cases[key] = of_case(case, dtype)
            for name in of_cases[key] | of_quantity(case, dtype, str(row["quantity"])):
                every[number, columns[name]] = True
        met: Mask = np.asarray(every.any(axis=0))
        self.names = [name for name, present in zip(PHRASES, met, strict=True) if present]
        self.holds: Mask = every[:, met]

    def having(self, features: Sequence[str]) -> Mask:
        """The checks that have all of these features."""
        columns = [self.names.index(name) for name in features]
        return np.asarray(self.holds[:, columns].all(axis=1))


@dataclass(frozen=True)
class Explanation:
    """Features of failing checks.

    Attributes:
        features: The features; none: the checks fail everywhere, or have nothing in common.
        gain: Bits that they save of telling which checks fail.
        score: Harmonic mean of the share of those checks that fail, and of the failing that they hold for.
    """

    features: tuple[str, ...]
    gain: float
    score: float


def explain(
    table: FeatureTable, failing: Mask, conforming: Mask, unlikely: frozenset[str] = frozenset()
) -> Explanation:
    """The features that tell failing from conforming checks in the fewest bits (minimum description length).

    Those that are `unlikely` to be the cause cost as many bits as accidental ones.

    A set of features splits the checks in two; what it costs is naming it, and then the entropy of failing
    in either part. Checks that neither fail nor conform count in neither.
    """
    total, failures = int((failing | conforming).sum()), int(failing.sum())
    if not failures or total < 3 or failures > _EVERYWHERE_SHARE * total:
        return Explanation((), 0.0, 1.0)
    search = _Beam(table, failing, conforming, ACCIDENTAL | unlikely)
    best = closest = Explanation((), 0.0, 0.0)
    for _ in range(_MAX_FEATURES):
        found = search.widen()
        best = max((best, *found), key=lambda explanation: explanation.gain)  # of equals the first
        telling = [explanation for explanation in found if search.accidental.isdisjoint(explanation.features)]
        closest = max((closest, *telling), key=lambda explanation: explanation.score)
    if best.features:
        return best
    few = 1 < failures <= _FEW and len(closest.features) <= _MAX_FEW_FEATURES
    return closest if few and closest.score >= _CLOSE_SCORE else Explanation((), 0.0, 0.0)


class _Beam:
    """Sets of features that are extended by one feature at a time, the best of them alone."""

    def __init__(
        self, table: FeatureTable, failing: Mask, conforming: Mask, accidental: frozenset[str]
    ) -> None:
        self.table, self.failing, self.conforming = table, failing, conforming
        self.accidental = accidental
        self.total, self.failures = int((failing | conforming).sum()), int(failing.sum())
        self.unexplained = _entropy(self.failures, self.total)
        self.price = np.array(
            [_ACCIDENTAL_BITS if name in accidental else _FEATURE_BITS for name in table.names]
        )
        self.sets: list[tuple[int, ...]] = [()]

    def widen(self) -> list[Explanation]:
        """Extends every set by one feature; the explanations of the best, the best first."""
        candidates: dict[tuple[int, ...], tuple[float, float]] = {}
        for columns in self.sets:
            gain, score = self._gains(columns)
            ranked = np.argsort(-gain, kind="stable")[:_BEAM_WIDTH]
            for column in ranked[np.isfinite(gain[ranked])]:
                candidates.setdefault(
                    tuple(sorted((*columns, int(column)))), (float(gain[column]), float(score[column]))
                )
        chosen = sorted(candidates.items(), key=lambda item: (-item[1][0], item[0]))[:_BEAM_WIDTH]
        self.sets = [columns for columns, _ in chosen]
        return [
            Explanation(tuple(self.table.names[column] for column in columns), gain, score)
            for columns, (gain, score) in chosen
        ]

    def _gains(self, columns: tuple[int, ...]) -> tuple[Floats, Floats]:
        """Of each feature beside these: the bits that it saves (-inf: it tells nothing), and its score."""
        holds = self.table.holds[:, list(columns)].all(axis=1)
        hit = self.table.holds[holds & self.failing].sum(axis=0).astype(float)
        inside = hit + self.table.holds[holds & self.conforming].sum(axis=0)
        gain = self.unexplained - _entropy(hit, inside)
        gain = gain - _entropy(self.failures - hit, self.total - inside)
        gain -= self.price + self.price[list(columns)].sum()
        gain[hit * self.total <= self.failures * inside] = -np.inf  # where it holds fewer fail than elsewhere
        gain[list(columns)] = -np.inf
        return gain, 2 * hit / (inside + self.failures)


def _entropy(part: float | Floats, whole: float | Floats) -> Floats:
    """Bits that tell which `part` of the `whole` it is."""
    share = np.divide(part, np.maximum(whole, 1))
    with np.errstate(all="ignore"):
        bits = -(share * np.log2(share) + (1 - share) * np.log2(1 - share))
    return np.asarray(whole * np.where((share <= 0) | (share >= 1), 0.0, bits), dtype=float)
