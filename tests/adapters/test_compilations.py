"""What is compiled, how often: the cost of a run in compiled modes."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from adapters.driving import Client

RANDOM = np.random.default_rng(11)


def _count(worker: Client, **parameters: object) -> int:
    """Programs compiled so far, after one more request with other numbers."""
    response = worker.ask(
        "cross_entropy",
        "composed",
        "float32",
        ["value", "gradient:logits"],
        parameters,
        logits=RANDOM.normal(size=(4, 3)),
        target=RANDOM.integers(0, 3, 4),
        weight=RANDOM.uniform(size=3),
        upstream=1.0,
    )
    assert response.status("gradient:logits") == "returned", response.outcomes
    return int(response.header["compilations"])


def test_jax_compiles_value_and_gradient_once_for_all_numbers(tmp_path: Path) -> None:
    """Labels, weights, the ignored label, smoothing and upstream are traced; JAX's own log is the witness."""
    environment = {**os.environ, "JAX_LOG_COMPILES": "1", "CONFORMANCE_CACHE": str(tmp_path)}
    with Client("jax", environment=environment) as worker:
        first = _count(worker)
        for ignore_index in (-100, 0, 1):
            assert _count(worker, ignore_index=ignore_index) == first
        assert _count(worker, reduction="mean") == first
        assert _count(worker, label_smoothing=0.0) == first
        for smoothing in (0.1, 0.5, 1.0):
            assert _count(worker, label_smoothing=smoothing) == first + 1
        last = _count(worker, reduction="sum")
        assert last == first + 2
        _, log = worker.close()
    assert log.count("Finished XLA compilation of jit(program)") == last
    assert any((tmp_path / "jax").iterdir())


def test_torch_compiles_a_program_of_its_own_for_each_shape(tmp_path: Path) -> None:
    environment = {**os.environ, "CONFORMANCE_CACHE": str(tmp_path)}
    with Client("torch", "--mode", "compile", environment=environment) as worker:
        for columns, programs in ((3, 1), (2, 2), (3, 2)):
            x = RANDOM.normal(size=(2, columns))
            response = worker.ask("sigmoid", "functional", "float64", x=x)
            np.testing.assert_allclose(response.numbers(), 1 / (1 + np.exp(-x)), rtol=1e-12)
            assert response.header["compilations"] == programs + 1  # one for the question about subnormals
        assert worker.close()[0] == 0
    assert any((tmp_path / "inductor").iterdir())
