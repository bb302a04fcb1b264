"""Polynomials of the swept functions: within their margin of the exact value at every input tried."""

from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import pytest
from sweeping_samples import ELEMENTS, IDS

from conformance.arithmetic.balls import ball
from conformance.operations import Reference
from conformance.sweeping import polynomials
from conformance.sweeping.ball_judge import BallJudge
from conformance.sweeping.functions import SweptFunction
from conformance.sweeping.inputs import Binade, binade_count
from conformance.sweeping.polynomials import MARGIN_ULPS, ROW_INPUTS, Piece, pieces


def value_at(piece: Piece, index: int) -> float:
    """The polynomial at an input: by its row's coefficients where the piece has rows, as the judge does."""
    if piece.count >= ROW_INPUTS:
        row = index - index % ROW_INPUTS
        coefficients = piece.rows(row, ROW_INPUTS)[:, 0].tolist()
        t = 2.0 * (index - row) / ROW_INPUTS - 1.0
    else:
        coefficients, t = list(piece.coefficients), 2.0 * (index - piece.first) / piece.count - 1.0
    value = 0.0
    for coefficient in reversed(coefficients):
        value = value * t + coefficient
    return value


def chosen_binades(function: SweptFunction, rng: random.Random, count: int) -> list[Binade]:
    """Binades of the domain: those in which the function bends, and as many others."""
    last = function.domain("float32")[1] // Binade("float32", 0).size
    bending = [index for index in (*range(110, 136), *range(366, 392)) if index < last]
    others = [index for index in range(last) if not Binade("float32", index).special]
    return [Binade("float32", index) for index in rng.sample(bending, count) + rng.sample(others, count)]


def distance(reference: Reference, index: int, ulps: float, exponent: int) -> float:
    """How far a figure in ulps is from the exact value, in ulps."""
    exact = (ball(reference.high[index]) + ball(reference.low[index])) * ball(2.0**-exponent)
    return float(abs(ball(ulps) - exact))


@pytest.mark.parametrize(("function", "element"), ELEMENTS, ids=IDS)
def test_every_polynomial_is_within_the_margin(function: SweptFunction, element: int) -> None:
    rng = random.Random(f"{function} {element}")
    judge = BallJudge(function, element, "float32")
    tried = 0
    for binade in chosen_binades(function, rng, 6):
        for _ in range(8):
            index = rng.choice((rng.randrange(binade.size), 0, binade.size - 1, 1 << rng.randrange(23)))
            (piece,) = pieces(function, element, binade, index, 1)
            assert piece.first <= index < piece.first + piece.count
            if not piece.coefficients:
                continue
            exact = judge.reference(np.array([binade.first + index]))
            assert exact.ulp[0] == 2.0**piece.ulp_exponent
            assert distance(exact, 0, value_at(piece, index), piece.ulp_exponent) <= MARGIN_ULPS
            tried += 1
    assert tried > 20


def test_a_polynomial_with_too_few_terms_is_seen() -> None:
    """The margin is what the test above holds it for: without the remainder it would be left."""
    function = SweptFunction("sigmoid", "value")
    binade, index = Binade("float32", 128), 5
    (piece,) = pieces(function, 0, binade, index, 1)
    short = Piece(piece.first, piece.count, piece.ulp_exponent, piece.coefficients[:-2])
    exact = BallJudge(function, 0, "float32").reference(np.array([binade.first + index]))
    assert distance(exact, 0, value_at(short, index), piece.ulp_exponent) > MARGIN_ULPS


@pytest.mark.parametrize("index", [0, 1, 100, 126, 127, 128, 135, 254, 256, 300, 382, 383, 390])
def test_pieces_cover_a_binade_and_do_not_depend_on_the_range(index: int) -> None:
    function, binade = SweptFunction("log_sigmoid", "value"), Binade("float32", index)
    whole = pieces(function, 0, binade, 0, binade.size)
    assert whole[0].first == 0
    assert all(one.first + one.count == other.first for one, other in pairwise(whole))
    assert whole[-1].first + whole[-1].count == binade.size
    part = pieces(function, 0, binade, 123_456, 1_000_000)
    assert part == [
        piece for piece in whole if piece.first + piece.count > 123_456 and piece.first < 1_123_456
    ]


def test_few_inputs_are_left_to_balls() -> None:
    """About an ulp's change and a zero: the pieces without a polynomial are the smallest ones."""
    function = SweptFunction("sigmoid", "second:x")
    left = [
        piece
        for index in range(0, binade_count("float32"), 8)
        if not Binade("float32", index).special
        for piece in pieces(function, 0, Binade("float32", index), 0, 1 << 23)
        if not piece.coefficients
    ]
    assert {piece.count for piece in left} == {polynomials.MIN_INPUTS}
    assert len(left) < 100
