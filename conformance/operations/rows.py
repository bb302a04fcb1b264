"""Rows of logits in balls: softmax, its logarithm and their derivatives, with nothing that cancels.

A row is shifted by its maximum, so the largest exponential is exactly 1, and the others are summed without
it: `rest`. Where a textbook subtracts from 1, the complement is that sum. A result is exactly 0 in
balls wherever it is exactly 0 in mathematics: distinct exponentials of floats are linearly independent
over the rationals (Lindemann-Weierstrass), so zeros come from coefficients alone, and those are exact.
"""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from functools import cached_property
from operator import mul, neg

from conformance.arithmetic.balls import (
    INFINITY,
    MINUS_INFINITY,
    NAN,
    ONE,
    TAIL_BITS,
    ZERO,
    Ball,
    ball,
    balls,
    current_precision,
    exact_sum,
    exponentials,
    is_nan,
    magnitude,
    power_of_two,
    precision,
    product,
    sum_of,
    total,
    wide,
)
from conformance.arithmetic.formats import FloatArray
from conformance.arithmetic.repeated_values import (
    Column,
    distinct_values,
    each,
    encoded_numbers,
    first_position,
)

# The exponent below which an addend to 1 could vanish at the starting precision.
_VANISHING_EXPONENT = -60


class Row:
    """Exponentials of one row of extended reals, at the current precision.

    Attributes:
        logits: The row.
        size: The number of logits.
        poisoned: Whether a nan is among them: then everything is nan.
        maximum: The largest logit.
        top: Its first position, -1 in an empty or poisoned row.
        undecided: The positions whose probability has no limit: two or more +inf, or a row of -inf alone.
        special: Whether the row is poisoned, has undecided positions, or is empty; then what follows is
            not there.
        exps: exp(x - maximum) of each position, exactly 1 at `top`; computed when it is asked for.
        rest: The sum of the others' exponentials.
        inverse: 1 / (1 + rest).
        lonely: Whether `rest` is so small that it could vanish beside 1.
    """

    def __init__(self, logits: FloatArray, rest: Ball | None = None) -> None:
        self.logits = encoded_numbers(logits)
        self.size = len(self.logits)
        self.poisoned = any(map(math.isnan, distinct_values(self.logits)))
        self.maximum = max(distinct_values(self.logits), default=-math.inf)
        self.top = first_position(self.logits, self.maximum) if self.size and not self.poisoned else -1
        self.undecided: frozenset[int] = frozenset()
        if not math.isfinite(self.maximum):
            infinite = [i for i, x in enumerate(self.logits) if x == self.maximum]
            if len(infinite) > 1:
                self.undecided = frozenset(infinite)
        self.special = self.poisoned or bool(self.undecided) or self.size == 0
        if self.special:
            return
        self.rest: Ball = self._sum_of_others() if rest is None else rest
        self.inverse: Ball = 1 / (1 + self.rest)
        self.lonely = bool(self.rest.is_zero()) or magnitude(self.rest) < _VANISHING_EXPONENT

    @cached_property
    def exps(self) -> Column:
        """exp(x - maximum) of each position."""
        finite = math.isfinite(self.maximum)
        exps = exponentials(self.logits, self.maximum) if finite else [ZERO] * self.size
        exps[self.top] = ONE
        return exps

    def _sum_of_others(self) -> Ball:
        """The sum of the exponentials without the maximum's own 1."""
        exps = self.exps
        exps[self.top] = ZERO
        others = sum_of(exps)
        exps[self.top] = ONE
        return others

    def drop(self, logit: float) -> Ball:
        """maximum - logit, exactly or nearly so: how far it lies below the maximum."""
        if logit == self.maximum:
            return ZERO
        if logit == -math.inf or self.maximum == math.inf:
            return INFINITY
        return ball(self.maximum) - logit

    def log_mass(self) -> Ball:
        """log of the sum of the shifted exponentials, at least 0."""
        return self.rest.log1p()

    def others(self, index: int) -> Ball:
        """The sum of the exponentials of all positions but one; nothing cancels."""
        if self.logits[index] == self.maximum:
            return self.rest
        return total(ONE, self.rest) - self.exps[index]


def softmax(row: Row, factor: Ball = ONE) -> Column:
    """factor * softmax(row)."""
    if row.poisoned:
        return [NAN] * row.size
    if row.special:
        undecided = ZERO if factor.is_zero() else NAN
        return [undecided if index in row.undecided else ZERO for index in range(row.size)]
    scale = factor * row.inverse
    result = each(scale.__mul__, row.exps)
    if row.lonely:
        result[row.top] = _complement(row.rest * row.inverse, factor)
    return result


def _complement(probability: Ball, factor: Ball) -> Ball:
    """factor * (1 - probability), with the side of 1 kept."""
    with wide():
        return total(ONE, -probability) * factor


def surprisals(row: Row) -> Column:
    """-log softmax(row): the log of the sum plus each logit's distance from the maximum, all at least 0."""
    if row.poisoned:
        return [NAN] * row.size
    if row.special:
        return [NAN if index in row.undecided else INFINITY for index in range(row.size)]
    mass = row.log_mass()
    drops = each(row.drop, row.logits)
    return _lonely_surprisals(row, drops, mass) if row.lonely else each(mass.__add__, drops)


def _lonely_surprisals(row: Row, drops: Column, mass: Ball) -> Column:
    """`total` of each drop and a tiny mass, with one precision for all."""
    finite = [row.maximum - value for value in distinct_values(row.logits) if -math.inf < value < row.maximum]
    if mass.is_zero() or not finite:
        return each(lambda drop: drop + mass, drops)
    lowest = math.frexp(min(finite))[1] - 1
    highest = math.frexp(min(max(finite), sys.float_info.max))[1] + 1
    tail = mass if magnitude(mass) > lowest - TAIL_BITS else power_of_two(lowest - TAIL_BITS)
    with precision(current_precision() + highest - magnitude(tail)):
        return each(lambda drop: mass if drop.is_zero() else drop + tail, drops)


def surprisal(row: Row, index: int) -> Ball:
    """-log softmax(row) at one position."""
    if row.poisoned or index in row.undecided:
        return NAN
    return INFINITY if row.special else total(row.drop(row.logits[index]), row.log_mass())


def logsumexp(row: Row) -> Ball:
    """log sum exp: +inf with any +inf, -inf for a row of -inf alone and for an empty one."""
    if row.poisoned:
        return NAN
    if not math.isfinite(row.maximum):
        return ball(row.maximum)
    return total(ball(row.maximum), row.log_mass())


def weighted_surprisal(row: Row, coefficients: Sequence[Ball]) -> Ball:
    """sum_c u_c * -log softmax(row)_c for exact coefficients u; those that are exactly 0 drop their term."""
    if row.poisoned or any(is_nan(coefficient) for coefficient in coefficients):
        return NAN
    terms = [(index, value) for index, value in enumerate(coefficients) if not value.is_zero()]
    if row.special or any(row.logits[i] == -math.inf for i, _ in terms) or row.maximum == math.inf:
        # Infinite terms decide; the extended reals' own rules (inf - inf = nan) do the rest.
        return sum_of([product(value, surprisal(row, index)) for index, value in terms])
    with wide():
        drops = sum_of([value * row.drop(row.logits[index]) for index, value in terms])
        mass = sum_of([value for _, value in terms])
    return drops if mass.is_zero() else total(drops, mass * row.log_mass())


def log_softmax_pullback(row: Row, g: Sequence[Ball]) -> Column:
    """g_i - p_i * sum(g): the gradient of log_softmax for the upstream g (exact balls)."""
    if row.poisoned:
        return [NAN] * row.size
    whole = exact_sum(g)
    if whole.is_zero():
        return list(g)
    if row.special:
        return [NAN if index in row.undecided else value for index, value in enumerate(g)]
    share = whole * row.inverse

    def entry(logit: float, exp: Ball, value: Ball) -> Ball:
        if logit == row.maximum:
            with wide():
                others = value - whole
            if row.lonely:
                return total(others, share * row.rest)
            return (value * row.rest + others) * row.inverse
        if logit - row.maximum < _VANISHING_EXPONENT / 2:
            return total(value, -(exp * share))
        return value - exp * share

    return each(entry, row.logits, row.exps, g)


def label_pullback(row: Row, label: int, factor: Ball) -> Column:
    """factor * (softmax(row) - onehot(label)): the target's entry is minus the sum of the others."""
    result = softmax(row, factor)
    if row.special:
        if not row.poisoned and label not in row.undecided:
            result[label] = -factor
        return result
    if row.logits[label] != row.maximum and row.logits[label] - row.maximum < _VANISHING_EXPONENT / 2:
        result[label] = _complement(row.exps[label] * row.inverse, -factor)
    else:
        result[label] = -(row.others(label) * row.inverse * factor)
    return result


def softmax_pullback(row: Row, g: FloatArray) -> Column:
    """p_i * sum_j p_j (g_i - g_j): the gradient of softmax for the upstream g."""
    if row.poisoned:
        return [NAN] * row.size
    values: list[float] = g.tolist()
    if row.special:
        equal = len({values[index] for index in row.undecided}) <= 1
        return [ZERO if equal or index not in row.undecided else NAN for index in range(row.size)]
    if len(set(values)) == 1:
        return [ZERO] * row.size
    upstream = balls(g)
    at_top = upstream[row.top]
    others = each(mul, row.exps, upstream)
    others[row.top] = ZERO
    level = sum_of(others)
    square = row.inverse * row.inverse
    inner = each(lambda u: (u - at_top) + (u * row.rest - level), upstream)
    inner[row.top] = at_top * row.rest - level
    if _around_zero(inner):
        zero = _common_mean(row, values)
        if zero is not None:
            inner = [ZERO if u == zero else d for u, d in zip(values, inner, strict=True)]
    return each(lambda exp, value: exp * square * value, row.exps, inner)


def _around_zero(values: Column) -> bool:
    """Whether a ball may be zero, but is not known to be."""
    return any(value.contains(ZERO) and not value.is_zero() for value in distinct_values(values))


def _common_mean(row: Row, g: Sequence[float]) -> Fraction | None:
    """The mean of g over each group of equal logits if it is the same in all of them, else None.

    Where g_i equals it, sum_j p_j (g_i - g_j) vanishes identically, and nowhere else.
    """
    sums: dict[float, Fraction] = {}
    counts: dict[float, int] = {}
    for (value, upstream), count in Counter(zip(row.logits, g, strict=True)).items():
        if value != -math.inf:
            sums[value] = sums.get(value, Fraction(0)) + count * Fraction(upstream)
            counts[value] = counts.get(value, 0) + count
    means = {sums[value] / count for value, count in counts.items()}
    return means.pop() if len(means) == 1 else None


def softmax_curvature(row: Row, g: FloatArray, v: FloatArray) -> list[Ball]:
    """p_i ((g_i - E g) (v_i - E v) - Cov(g, v)), under p: the derivative of <softmax_pullback(row, g), v>.

    Upstream and direction are counted from their values at the maximum, whose own terms then vanish.
    """
    if row.poisoned:
        return [NAN] * row.size
    if any(len(set(values.tolist())) == 1 for values in (g, v)):
        return [ZERO] * row.size
    if row.special:
        undecided = list(row.undecided)
        equal = any(len(set(values[undecided].tolist())) <= 1 for values in (g, v))
        return [ZERO if equal or index not in row.undecided else NAN for index in range(row.size)]
    with wide():
        first, second = ([ball(x) - ball(values[row.top]) for x in values.tolist()] for values in (g, v))
    p = [exp * row.inverse for exp in row.exps]
    mean, other = (sum_of([q * x for q, x in zip(p, values, strict=True)]) for values in (first, second))
    mixed = sum_of([q * x * y for q, x, y in zip(p, first, second, strict=True)])
    inner = [(x - mean) * (y - other) - (mixed - mean * other) for x, y in zip(first, second, strict=True)]
    if _around_zero(inner):
        groups = _by_logit(row, g, v)
        inner = [
            ZERO if value.contains(ZERO) and _vanishes(groups, Fraction(x), Fraction(y)) else value
            for value, x, y in zip(inner, g.tolist(), v.tolist(), strict=True)
        ]
    return [q * value for q, value in zip(p, inner, strict=True)]


_LogitGroup = tuple[Fraction, int, Fraction, Fraction, Fraction]


def _by_logit(row: Row, g: FloatArray, v: FloatArray) -> list[_LogitGroup]:
    """For each logit that occurs: it, how often, and the sums of g, v and g v there."""
    pairs_at: dict[float, list[tuple[Fraction, Fraction]]] = {}
    for value, x, y in zip(row.logits, g.tolist(), v.tolist(), strict=True):
        if value != -math.inf:
            pairs_at.setdefault(value, []).append((Fraction(x), Fraction(y)))
    zero = Fraction(0)
    return [
        (
            Fraction(value),
            len(pairs),
            sum((x for x, _ in pairs), zero),
            sum((y for _, y in pairs), zero),
            sum((x * y for x, y in pairs), zero),
        )
        for value, pairs in pairs_at.items()
    ]


def _vanishes(groups: Sequence[_LogitGroup], x: Fraction, y: Fraction) -> bool:
    """Whether (x - E g) (y - E v) - Cov(g, v) is 0 identically: so is the coefficient of each exponential."""
    coefficients: dict[Fraction, Fraction] = {}
    for a, m, g_a, v_a, both_a in groups:
        for b, n, g_b, v_b, both_b in groups:
            covariance = both_a * n - g_a * v_b - g_b * v_a + m * both_b
            term = (m * x - g_a) * (n * y - v_b) - covariance / 2
            coefficients[a + b] = coefficients.get(a + b, Fraction(0)) + term
    return not any(coefficients.values())


def centred(row: Row, v: FloatArray, factor: Ball) -> Column:
    """factor * p_i (v_i - sum_j p_j v_j); a factor of exactly 0 leaves 0 unless a logit is nan."""
    if factor.is_zero() and not row.poisoned:
        return [ZERO] * row.size
    values = softmax_pullback(row, v)
    with wide():
        return each(lambda value: product(factor, value), values)


def negated(values: Sequence[Ball]) -> Column:
    """The values with their signs changed."""
    with precision(1 << 20):  # Even a sign rounds to the current precision.
        return each(neg, values)


__all__ = [
    "INFINITY",
    "MINUS_INFINITY",
    "Row",
    "centred",
    "label_pullback",
    "log_softmax_pullback",
    "logsumexp",
    "negated",
    "softmax",
    "softmax_curvature",
    "softmax_pullback",
    "surprisal",
    "surprisals",
    "weighted_surprisal",
]
