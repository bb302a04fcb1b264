"""Root causes: all that a function does wrong: what it does, and the features of the checks where it does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from conformance.cases.case import Case
from conformance.checking.fault_words import (
    PRECISIONS_ALONE,
    Fault,
    Symptoms,
    fault_of,
    harm_of,
    tells_bits,
    words,
)
from conformance.checking.features.feature_phrases import OVERFLOWS, PHRASES
from conformance.checking.features.feature_search import Explanation, FeatureTable, Mask, explain
from conformance.checking.features.input_features import of_case
from conformance.checking.features.upstream_gradient import leaves_out_upstream

Row = Mapping[str, Any]

#: Causes that one kind of quantity may have; what is left of it is one more, without words for where.
_MAX_CAUSES = 4
#: Features that hold so well of all that fails are not sought again fault by fault.
_WELL_EXPLAINED = 0.75
#: From this share of failing checks on, nothing tells them from the few that conform.
_NEARLY_EVERYWHERE_SHARE = 0.75
#: A cause without words for where is vague where it is judged in so many times the checks that fail by it.
_VAGUE_FACTOR = 4
#: From so many failing checks on a function fails everywhere, and not in one case.
_FEW = 3
#: The kinds of quantities: a gradient is blamed only where the value conforms, and so on.
_KINDS = ("value", "gradient", "second", "jvp")


@dataclass(frozen=True)
class Cause:
    """One thing that a function does wrong.

    Attributes:
        does: What it does wrong, as ``its value is wrong``.
        where: The features of the failing checks, in words; empty: everywhere, or nothing in common.
        failing: How many checks fail by it.
        there: How many checks are judged where the words hold.
        harm: Its place among causes, the most harmful first.
        example: The plainest failing check, a row of the frame.
        features: The names of the features.
        harm_in_words: The harm of what `does` says, which is what most of its checks show; None: `harm`.
    """

    does: str
    where: str
    failing: int
    there: int
    harm: float
    example: Row = field(default_factory=dict)
    features: tuple[str, ...] = ()
    harm_in_words: float | None = None

    @property
    def rank(self) -> tuple[float, bool, float, int]:
        """Its place among causes; of two as harmful, the one whose words say where, and so much, is first."""
        in_words = self.harm if self.harm_in_words is None else self.harm_in_words
        return self.harm, self.is_vague, in_words, -self.failing

    @property
    def is_vague(self) -> bool:
        """Whether its words hold of many checks that conform: it is what no feature explains."""
        return not self.where and self.failing * _VAGUE_FACTOR < self.there

    @property
    def sentence(self) -> str:
        """The cause in words."""
        return f"{self.does}{f' where {self.where}' if self.where else ''}"


@dataclass(frozen=True)
class Diagnosis:
    """Everything that a function does wrong, the most harmful cause first.

    Attributes:
        causes: The causes, one at least.
        failing: How many of its checks fail.
        checked: How many of its checks are judged.
    """

    causes: tuple[Cause, ...]
    failing: int
    checked: int

    @property
    def sentence(self) -> str:
        """The most harmful cause in words."""
        return self.causes[0].sentence

    @property
    def example(self) -> Row:
        """The plainest failing check of the most harmful cause."""
        return self.causes[0].example


def diagnose(
    rows: Sequence[Row], cases: Mapping[str, Case], others: Sequence[Cause] = ()
) -> Diagnosis | None:
    """The diagnosis of a function's rows; None where all conform and there are no `others`.

    Args:
        rows: The function's checks; unsupported ones are left out.
        cases: The cases by their ids.
        others: Causes that are known already (answers that differ from call to call, labels out of range),
            whose checks are not among the rows.
    """
    judged = [row for row in rows if row["conforms"] is not None]
    causes = [*others, *_Search(judged, cases).causes()]
    if not causes:
        return None
    causes.sort(key=lambda cause: cause.rank)
    failing = sum(row["conforms"] is False for row in judged) + sum(cause.failing for cause in others)
    return Diagnosis(tuple(causes), failing, len(judged) + sum(cause.there for cause in others))


class _Search:
    """The search for causes among the judged checks of one function."""

    def __init__(self, judged: Sequence[Row], cases: Mapping[str, Case]) -> None:
        self.rows = judged
        self.cases = cases
        self.failed = np.array([row["conforms"] is False for row in judged], dtype=bool)
        self.kinds = np.array([str(row["quantity"]).partition(":")[0] for row in judged])
        self.faults = [fault_of(row) if bad else None for row, bad in zip(judged, self.failed, strict=True)]
        self.remaining = self.failed.copy()
        self.table = FeatureTable(judged, cases) if self.failed.any() else None

    def causes(self) -> list[Cause]:
        """The causes, in the order in which they were found."""
        found: list[Cause] = []
        if self.table is None:
            return found
        for kind in _KINDS:
            for _ in range(_MAX_CAUSES):
                cause = self._next(kind, len(found))
                if cause is None:
                    break
                found.append(cause)
            rest = self._failing(kind)
            if rest.any():
                found.append(self._cause(kind, Explanation((), 0.0, 0.0), rest))
        return _merged(found)

    def _failing(self, kind: str) -> Mask:
        """The failing checks of a kind that nothing has explained yet."""
        remaining: Mask = self.remaining & (self.kinds == kind)
        return remaining

    def _next(self, kind: str, already: int) -> Cause | None:
        """The next cause of a kind of quantity, whose checks no longer remain; None where there is none."""
        assert self.table is not None
        failing = self._failing(kind)
        if not failing.any():
            return None
        conforming = self._conforming(kind)
        best = self._explained(failing, conforming)
        share = failing.sum() / (failing | conforming).sum()
        if best.score < _WELL_EXPLAINED and share >= _NEARLY_EVERYWHERE_SHARE:
            best = Explanation((), 0.0, 1.0)
        if best.score < _WELL_EXPLAINED:
            faults = sorted(set(self._faults_of(failing)), key=lambda fault: fault.harm)
            for name in dict.fromkeys(fault.alike for fault in faults):
                of_fault = failing & np.array([bool(f and f.alike == name) for f in self.faults], dtype=bool)
                alone = self._explained(of_fault, conforming)
                if alone.score > best.score:
                    best = alone
        best = self._plainer(best, failing, conforming)
        if not best.features and already and best.score < 1:
            return None
        return self._cause(kind, best, failing)

    def _explained(self, failing: Mask, conforming: Mask) -> Explanation:
        """What explains failing checks; an overflow makes nan, infinities and zeros, no other number."""
        assert self.table is not None
        finite = all(fault.is_inaccurate for fault in self._faults_of(failing))
        return explain(self.table, failing, conforming, OVERFLOWS if finite else frozenset())

    def _plainer(self, best: Explanation, failing: Mask, conforming: Mask) -> Explanation:
        """What explains the plainly wrong checks, where the dtype alone explains them and the lossy ones.

        An error of one absolute size, as an epsilon, is plain where the result is small, and shows as lost
        digits in every check of a precise dtype. Where the checks are right to so many bits, it is these.
        """
        assert self.table is not None
        if not best.features or not PRECISIONS_ALONE.issuperset(best.features):
            return best
        explained = failing & self.table.having(best.features)
        rows = [row for row, at in zip(self.rows, explained, strict=True) if at]
        lossy = np.array([fault is not None and fault.lossy for fault in self.faults], dtype=bool)
        plain = failing & ~lossy
        if not plain.any() or not (failing & lossy).any() or tells_bits(rows, best.features):
            return best
        alone = self._explained(plain, conforming)
        telling = alone.features and not PRECISIONS_ALONE.issuperset(alone.features)
        return alone if telling and alone.score >= _WELL_EXPLAINED else best

    def _conforming(self, kind: str) -> Mask:
        """The conforming checks of a kind, but those whose case fails in a quantity that comes before it."""
        before = {
            (row["case"], row["dtype"])
            for row, bad, other in zip(self.rows, self.failed, self.kinds, strict=True)
            if bad and _KINDS.index(other) < _KINDS.index(kind)
        }
        clear = np.array([(row["case"], row["dtype"]) not in before for row in self.rows], dtype=bool)
        conforming: Mask = ~self.failed & (self.kinds == kind) & clear
        return conforming

    def _faults_of(self, mask: Mask) -> list[Fault]:
        return [fault for fault, here in zip(self.faults, mask, strict=True) if here and fault is not None]

    def _cause(self, kind: str, best: Explanation, failing: Mask) -> Cause:
        """The cause of the failing checks that have the features, and of what follows from them."""
        assert self.table is not None
        holds = self.table.having(best.features)
        here = holds & failing
        explained = [row for row, at in zip(self.rows, here, strict=True) if at]
        faults = Counter(self._faults_of(here))
        ((fault, _),) = faults.most_common(1)
        harm = min(harm_of(fault, kind) for fault in faults)
        imprecise = fault.lossy and bool(best.features) and PRECISIONS_ALONE.issuperset(best.features)
        follows = self._following(kind, holds, explained, fault, imprecise)
        self.remaining &= ~(here | follows)
        symptoms = Symptoms(
            kind,
            explained,
            best.features,
            without_upstream=kind == "gradient" and leaves_out_upstream(explained, self.cases),
            forward_alone=kind == "value" and self._gradients_conform(explained),
        )
        does = words(fault, symptoms)
        if not best.features and len(explained) >= _FEW:
            judged = int((here | self._conforming(kind)).sum())
            does += " nearly everywhere" if len(explained) >= _NEARLY_EVERYWHERE_SHARE * judged else ""
        phrases = [PHRASES[name] for name in best.features if name != "of target"]
        return Cause(
            does,
            " and ".join(phrases),
            failing=int((here | follows).sum()),
            there=int((holds & (self.kinds == kind)).sum()),
            harm=harm,
            example=min(explained, key=self._plainness),
            features=best.features,
            harm_in_words=harm_of(fault, kind),
        )

    def _gradients_conform(self, explained: Sequence[Row]) -> bool:
        """Whether gradients are judged in a few of these cases and dtypes, and all of them conform."""
        same = {(row["case"], row["dtype"]) for row in explained}
        failed = [
            bad
            for row, kind, bad in zip(self.rows, self.kinds, self.failed, strict=True)
            if kind == "gradient" and (row["case"], row["dtype"]) in same
        ]
        return len(failed) >= _FEW and not any(failed)

    def _following(
        self, kind: str, holds: Mask, explained: Sequence[Row], first: Fault, imprecise: bool
    ) -> Mask:
        """Failing checks of later kinds that are no news: of the same cases, or no more harmful.

        Where a dtype alone loses digits (`imprecise`), inaccurate derivatives of the same cases are no news.
        """
        same = {(row["case"], row["dtype"]) for row in explained}
        later = np.array([_KINDS.index(other) > _KINDS.index(kind) for other in self.kinds], dtype=bool)
        mild = np.array(
            [
                fault is not None
                and (
                    (fault.harm >= first.harm and bool(here))
                    or (
                        (fault.harm >= first.harm or (imprecise and fault.alike == first.alike))
                        and (row["case"], row["dtype"]) in same
                    )
                )
                for row, fault, here in zip(self.rows, self.faults, holds, strict=True)
            ],
            dtype=bool,
        )
        following: Mask = self.remaining & later & mild
        return following

    def _plainness(self, row: Row) -> tuple[Any, ...]:
        """Sorts the check first that shows the fault most plainly: it is small, with little else special."""
        order = ("float32", "float64", "float16", "bfloat16")
        return (
            row["verdict"] == "lossy",
            len(of_case(self.cases[row["case"]], row["dtype"])),
            order.index(row["dtype"]) if row["dtype"] in order else len(order),
            row["elements"] or 0,
            row["case"],
        )


def _merged(causes: Sequence[Cause]) -> list[Cause]:
    """The causes, those with one sentence as one."""
    merged: dict[str, Cause] = {}
    for cause in causes:
        first = merged.get(cause.sentence)
        if first is None:
            merged[cause.sentence] = cause
        else:
            merged[cause.sentence] = replace(
                first,
                failing=first.failing + cause.failing,
                there=first.there + cause.there,
                harm=min(first.harm, cause.harm),
            )
    return list(merged.values())
