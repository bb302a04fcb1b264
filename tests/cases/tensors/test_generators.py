"""Generators: the same bits for ever, and the shape and kind of numbers that their names promise."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from conformance.cases.tensors.generator import Generator
from conformance.cases.tensors.generators import GENERATORS
from conformance.cases.tensors.random_stream import Stream

#: SHA-256 of the little-endian bytes. A change here changes every case that uses the generator: none may.
DIGESTS: list[tuple[str, dict[str, Any], str]] = [
    ("normal", {"shape": [4, 8], "seed": 1}, "5bfb0ed93862d33c66c634746d71e729"),
    ("normal", {"shape": [2, 3, 5], "scale": 10, "seed": 2020}, "1692707b29bb4911ed5542846db74158"),
    ("normal", {"shape": [4, 8], "scale": 4, "grid": 0.25, "seed": 1}, "52f513980d461e03c4face20e3a305dd"),
    ("uniform", {"shape": [4, 8], "low": -1, "high": 3, "seed": 1}, "cc4bc879cf114a31e192852e89aedf2b"),
    (
        "offset",
        {"shape": [4, 8], "offset": 4096, "scale": 8, "grid": 4, "seed": 1},
        "8aa44f5cdf84efbf94e8612b2e450422",
    ),
    ("one_dominant", {"shape": [4, 8], "gap": 15, "seed": 6}, "81d881031c95314f9c26d34833f06bd9"),
    ("masked", {"shape": [4, 8], "share": 0.5, "scale": 8, "seed": 3}, "d469073a34fcefb3e463a6eaea6fba31"),
    ("spread", {"shape": [4, 8], "low": -20, "high": 20}, "6f49459728f928016821f8f4511c570d"),
    ("ladder", {"low": 0.125, "high": 1024}, "ee4f2dd656210b5a31c1c9bd29acaec9"),
    ("gaps", {"low": 0.125, "high": 1024, "steps": 8, "classes": 2}, "d925c2f594e74c5c19b6c283034d8375"),
    ("labels", {"shape": [4, 8], "classes": 2, "seed": 13}, "91de2e0751bd19cdc1a00651b616deac"),
    ("same_label", {"shape": [3], "label": 1}, "2ca2b5d16c0df8286b9292695aee6a87"),
    ("constant", {"shape": [3], "value": 0.5}, "8d33dc134e3b28ea434955972125af15"),
    (
        "tiled",
        {"of": {"normal": {"shape": [3, 8], "seed": 1}}, "rows": 7},
        "ea9da381da8a31d9e0d35fb786e52e93",
    ),
    ("probabilities", {"shape": [2, 7, 3], "seed": 23451}, "bce724cbd8fe7d48e10b46c17030ff23"),
    ("probabilities", {"shape": [2, 7, 3], "kept": 2, "seed": 23451}, "8a306b39d567da340acc6fdb755897bf"),
    (
        "labels",
        {"shape": [4, 8], "classes": 5, "ignored": -100, "seed": 13},
        "687a3fe522eadcd94513cd9dcf1ce0d4",
    ),
    (
        "masked_tail",
        {"shape": [2, 7, 3], "kept": 4, "scale": 2, "seed": 9},
        "5c202ee6f368fe6fdcabb44f6ffbe1d4",
    ),
    ("with_zeros", {"shape": [4, 8], "low": 0.25, "high": 4, "seed": 9}, "182869f63aa81349aee685439e35104e"),
]


def made(name: str, **settings: Any) -> np.ndarray:
    return GENERATORS[name](**settings).make()


def digest(array: np.ndarray) -> str:
    little = array.astype(array.dtype.newbyteorder("<"))
    return hashlib.sha256(repr((array.shape, array.dtype.kind)).encode() + little.tobytes()).hexdigest()[:32]


class TestBits:
    def test_splitmix64(self) -> None:
        """The first outputs for the state 1234567, as published with the reference implementation."""
        stream = Stream("any", 0)
        stream.state = 1234567
        assert stream.bits(5).tolist() == [
            6457827717110365317,
            3203168211198807973,
            9817491932198370423,
            4593380528125082431,
            16408922859458223821,
        ]

    def test_words_do_not_depend_on_how_they_are_drawn(self) -> None:
        """Across chunks and calls."""
        whole = Stream("any", 3).bits(2**20 + 9)
        parts = Stream("any", 3)
        np.testing.assert_array_equal(whole, np.concatenate([parts.bits(size) for size in (7, 0, 2**20, 2)]))

    @pytest.mark.parametrize(("name", "settings", "wanted"), DIGESTS, ids=lambda value: str(value)[:40])
    def test_digests(self, name: str, settings: dict[str, Any], wanted: str) -> None:
        assert digest(made(name, **settings)) == wanted

    def test_every_generator_is_pinned(self) -> None:
        assert {name for name, _, _ in DIGESTS} == set(GENERATORS)

    def test_generators_of_one_seed_are_unrelated(self) -> None:
        assert not np.any(Stream("normal", 1).bits(1000) == Stream("uniform", 1).bits(1000))
        assert not np.any(Stream("normal", 1).bits(1000) == Stream("normal", 2).bits(1000))


class TestNumbers:
    def test_uniform(self) -> None:
        """Evenly spread, the upper end out of reach."""
        values = made("uniform", shape=[100_000], low=-1, high=3, seed=1)
        assert values.min() >= -1
        assert values.max() < 3
        counts, _ = np.histogram(values, bins=20, range=(-1, 3))
        assert abs(counts - 5000).max() < 350

    def test_normal(self) -> None:
        """Mean, variance, skewness and kurtosis of twelve uniforms: 0, 1, 0, 3 - 6 / (5 * 12)."""
        values = made("normal", shape=[400_000], seed=1)
        moments = [np.mean(values**power) for power in (1, 2, 3, 4)]
        np.testing.assert_allclose(moments, [0, 1, 0, 2.9], atol=0.02)
        assert abs(values).max() < 6
        assert abs(np.corrcoef(values[:-1], values[1:])[0, 1]) < 0.01

    def test_scale(self) -> None:
        np.testing.assert_array_equal(
            made("normal", shape=[9], seed=1, scale=4), 4 * made("normal", shape=[9], seed=1)
        )

    @pytest.mark.parametrize("name", ["normal", "one_dominant"])
    def test_a_grid_moves_each_number_to_its_next_multiple(self, name: str) -> None:
        settings = {"shape": [40, 9], "scale": 3, "seed": 1} | ({} if name == "normal" else {"gap": 16})
        free, held = made(name, **settings), made(name, grid=0.125, **settings)
        assert np.all(held * 8 == np.rint(held * 8))
        assert 0.06 < abs(held - free).max() <= 0.0625

    def test_offset(self) -> None:
        """Multiples of the grid, so that the offset is exact."""
        values = made("offset", shape=[4, 100], offset=4096, scale=8, grid=0.5, seed=1)
        assert np.all((values - 4096) * 2 == np.rint((values - 4096) * 2))
        assert 6 < np.std(values) < 10

    def test_one_dominant(self) -> None:
        """One class a row is `gap` above the rest, and not the same in each."""
        values = made("one_dominant", shape=[50, 8, 3], gap=100, seed=1)
        assert np.all((values > 50).sum(axis=1) == 1)
        assert set(np.argmax(values, axis=1).ravel()) == set(range(8))

    def test_masked(self) -> None:
        values = made("masked", shape=[200, 50], share=0.3, keep=7, seed=1)
        assert 0.27 < np.isneginf(values).mean() < 0.32
        assert np.isfinite(values[:, 7]).all()
        assert not np.isnan(values).any()

    def test_masked_tail(self) -> None:
        values = made("masked_tail", shape=[2, 5, 3], kept=2, seed=1)
        assert np.isfinite(values[:, :2]).all()
        assert (values[:, 2:] == -np.inf).all()
        assert np.isfinite(made("masked_tail", shape=[4], kept=2, seed=1)).tolist() == [
            True,
            True,
            False,
            False,
        ]

    def test_with_zeros(self) -> None:
        values = made("with_zeros", shape=[4, 8], low=0.25, high=4, seed=1).ravel()
        assert ((values == 0) == (np.arange(32) % 3 == 0)).all()
        drawn = values[values != 0]
        assert 0.25 <= drawn.min() < drawn.max() < 4

    def test_probabilities_of_the_first_classes(self) -> None:
        values = made("probabilities", shape=[4, 8], kept=3, seed=1)
        assert (values[:, 3:] == 0).all()
        assert (values[:, :3] > 0).all()
        np.testing.assert_allclose(values.sum(axis=1), 1)

    def test_labels_that_are_ignored(self) -> None:
        labels = made("labels", shape=[3, 5], classes=4, ignored=-100, seed=1).ravel()
        assert ((labels == -100) == (np.arange(15) % 3 == 0)).all()
        assert GENERATORS["labels"](shape=[3], classes=4, ignored=255, seed=1).outline().max() == 255

    def test_masked_of_everything_but_one(self) -> None:
        values = made("masked", shape=[3, 4], share=1, keep=2, seed=1)
        assert np.isfinite(values).sum(axis=1).tolist() == [1, 1, 1]

    def test_spread(self) -> None:
        values = made("spread", shape=[2, 5], low=-2, high=2)
        assert values.tolist() == [[-2, -1, 0, 1, 2], [-1, 0, 1, 2, -2]]

    def test_ladder_and_gaps(self) -> None:
        """Exactly representable in every dtype: a power of two times 1 + j / 8."""
        rungs = made("ladder", low=0.5, high=2, steps=4)
        assert rungs.tolist() == [0.5, 0.625, 0.75, 0.875, 1, 1.25, 1.5, 1.75, 2]
        assert made("ladder", low=0.5, high=2, steps=4, negative=True).tolist() == (-rungs).tolist()
        rows = made("gaps", low=0.5, high=2, steps=4, classes=3)
        assert rows[:, 0].tolist() == rungs.tolist()
        assert not rows[:, 1:].any()
        assert rows.astype(np.float16).astype(np.float64).tolist() == rows.tolist()

    def test_labels(self) -> None:
        values = made("labels", shape=[1000], classes=7, seed=1)
        assert values.dtype == np.int64
        assert set(values) == set(range(7))
        assert made("same_label", shape=[2, 2], label=-100).tolist() == [[-100, -100], [-100, -100]]

    def test_probabilities(self) -> None:
        """Positive, and a row's sum is one but for the rounding of its terms."""
        values = made("probabilities", shape=[50, 7, 3], seed=1)
        assert values.min() > 0
        assert abs(values.sum(axis=1) - 1).max() < 1e-15

    def test_constant(self) -> None:
        assert made("constant", shape=[2], value="0x1.8p+1").tolist() == [3.0, 3.0]


SAMPLES: dict[str, dict[str, Any]] = {
    "normal": {"seed": 1},
    "uniform": {"seed": 1},
    "offset": {"offset": 5, "seed": 1},
    "one_dominant": {"gap": 5, "seed": 1},
    "masked": {"share": 0.5, "seed": 1},
    "masked_tail": {"kept": 1, "seed": 1},
    "with_zeros": {"seed": 1},
    "labels": {"classes": 3, "seed": 1},
    "same_label": {"label": 1},
    "constant": {"value": 1},
}


def test_tiled_repeats_the_rows_of_another_generator() -> None:
    tile = made("normal", shape=[3, 8], seed=1)
    seven = made("tiled", of={"normal": {"shape": [3, 8], "seed": 1}}, rows=7)
    assert all((seven[row] == tile[row % 3]).all() for row in range(7))


class TestShapes:
    @pytest.mark.parametrize(
        "shape", [[], [0], [5], [2, 3], [0, 3], [3, 0], [2, 3, 4], [2, 1, 1, 1, 1, 1, 1, 2]], ids=str
    )
    @pytest.mark.parametrize("name", SAMPLES)
    def test_what_is_made_has_the_shape_that_was_said(self, name: str, shape: list[int]) -> None:
        generator = GENERATORS[name](shape=shape, **SAMPLES[name])
        assert generator.make().shape == generator.made == tuple(shape)

    @pytest.mark.parametrize("shape", [[0], [5], [2, 3], [0, 3], [3, 0], [2, 3, 4]], ids=str)
    def test_probabilities(self, shape: list[int]) -> None:
        assert made("probabilities", shape=shape, seed=1).shape == tuple(shape)

    @pytest.mark.parametrize("shape", [[2, 3], [0, 3], [3, 0], [1, 1]], ids=str)
    def test_spread(self, shape: list[int]) -> None:
        assert made("spread", shape=shape, low=0, high=1).shape == tuple(shape)

    def test_sweeps_know_their_length(self) -> None:
        for name in ("ladder", "gaps"):
            generator = GENERATORS[name](low=2.0**-3, high=2.0**10, steps=8)
            assert generator.make().shape == generator.made
            assert generator.made[0] == 105


class TestSettings:
    @pytest.mark.parametrize(
        ("name", "settings"),
        [
            ("normal", {"shape": [2]}),
            ("normal", {"shape": [2.0], "seed": 1}),
            ("normal", {"shape": [2], "seed": -1}),
            ("normal", {"shape": [2], "seed": True}),
            ("normal", {"shape": [2], "seed": 1, "scale": float("nan")}),
            ("normal", {"shape": [1] * 9, "seed": 1}),
            ("normal", {"shape": [2], "seed": 2**63}),
            ("uniform", {"shape": 2, "seed": 1}),
            ("masked", {"shape": [2], "seed": 1, "share": 1.5}),
            ("ladder", {"low": 3, "high": 8}),
            ("ladder", {"low": 8, "high": 4}),
            ("ladder", {"low": 1, "high": 4, "steps": 0}),
            ("labels", {"shape": [2], "classes": 0, "seed": 1}),
            ("spread", {"shape": [2], "low": 0, "high": 1}),
            ("constant", {"shape": [2], "value": "1"}),
            ("tiled", {"of": {"labels": {"shape": [3], "classes": 2, "seed": 1}}, "rows": 7}),
            ("tiled", {"of": {"normal": {"shape": [0, 3], "seed": 1}}, "rows": 7}),
            ("tiled", {"of": {"normal": {"shape": [2**40, 3], "seed": 1}}, "rows": 7}),
            ("tiled", {"of": {"tiled": {}}, "rows": 7}),
            ("tiled", {"of": {}, "rows": 7}),
        ],
    )
    def test_what_is_refused(self, name: str, settings: dict[str, Any]) -> None:
        with pytest.raises(ValidationError):
            GENERATORS[name](**settings)

    def test_names_are_their_own(self) -> None:
        assert all(name == model.name for name, model in GENERATORS.items())
        assert all(issubclass(model, Generator) and model.__doc__ for model in GENERATORS.values())
