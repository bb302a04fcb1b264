"""Search: finds what is wrong from seeds that do not show it, the same each time, and writes it as a case."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from distributed import Client, LocalCluster

from conformance.cases.loader import load_cases
from conformance.errors import RunError
from conformance.judging.verdict import conforms
from conformance.searching import case_text
from conformance.searching.candidate import CLASS, ROW, Candidate
from conformance.searching.climb import judged
from conformance.searching.mutations import EVERYDAY, mutated, simpler
from conformance.searching.search import neutral_seeds, search
from conformance.sweeping.subject_call import AdapterKey, adapter_of

#: A log-sum-exp that no case of the seeds overflows, and one that is right.
LOSSES = """
import numpy as np

def unshifted(x, axis=-1):
    with np.errstate(over="ignore"):
        return np.log(np.exp(x).sum(axis=axis))

def shifted(x, axis=-1):
    top = x.max(axis=axis, keepdims=True)
    wide = np.exp((x - top).astype(np.float64)).sum(axis=axis)
    return (top.squeeze(axis) + np.log(wide)).astype(x.dtype)
"""
SEEDS = """
source: three rows of small numbers
cases:
  - {id: three, operation: logsumexp, inputs: {x: [[1, 2, 3], [0, -1, 2]]}, quantities: [value]}
  - {id: pair, operation: logsumexp, inputs: {x: [0.5, -0.25]}, quantities: [value]}
"""

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def client() -> object:
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as connection,
    ):
        yield connection


@pytest.fixture
def seeds(tmp_path: Path) -> Path:
    (tmp_path / "losses.py").write_text(LOSSES)
    (tmp_path / "seeds.yaml").write_text(SEEDS)
    return tmp_path


def searched(seeds: Path, function: str, client: object) -> str:
    """The case file of what a search of 1,800 evaluations finds."""
    result = search(
        "logsumexp", f"{seeds / 'losses.py'}:{function}", minutes=None, evaluations=1800, seed=3,
        paths=[str(seeds / "seeds.yaml")], client=client,
    )  # fmt: skip
    assert result.climbs == 6
    return case_text.file_text(result.found, result.subject, "a test") if result.found else ""


def test_it_finds_an_overflow_and_shrinks_it_to_one_number(seeds: Path, client: object) -> None:
    text = searched(seeds, "unshifted", client)
    (seeds / "found.yaml").write_text(text)
    cases = load_cases([seeds / "found.yaml"])
    assert cases
    assert searched(seeds, "unshifted", client) == text, "the same seed, another result"
    key = AdapterKey("numpy", None, None, f"{seeds / 'losses.py'}:unshifted", "logsumexp")
    for candidate in neutral_seeds("logsumexp", ["float32"], [str(seeds / "found.yaml")]):
        judgement = judged(adapter_of(key), candidate)
        assert judgement is not None
        assert conforms(judgement.verdict) is False
    assert any(
        candidate.size == 1
        for candidate in neutral_seeds("logsumexp", ["float32"], [str(seeds / "found.yaml")])
    )


def test_it_finds_nothing_in_what_is_right(seeds: Path, client: object) -> None:
    assert "float32: lossy" not in searched(seeds, "shifted", client)


def test_a_search_without_end_is_refused() -> None:
    with pytest.raises(RunError, match="--minutes or --evaluations"):
        search("logsumexp", "numpy", minutes=None)


def candidate() -> Candidate:
    logits = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    return Candidate(
        "cross_entropy", "float32", "value",
        {"logits": logits, "target": np.array([2, 0]), "weight": np.array([1.0, 2.0, 3.0])},
    )  # fmt: skip


def test_labels_follow_their_classes() -> None:
    taken = candidate().taken(CLASS, [2, 0])
    assert taken is not None
    assert taken.tensors["logits"].tolist() == [[3.0, 1.0], [6.0, 4.0]]
    assert taken.tensors["target"].tolist() == [0, 1]
    assert taken.tensors["weight"].tolist() == [3.0, 1.0]
    assert candidate().taken(CLASS, [0, 1]) is None
    row = candidate().taken(ROW, [1])
    assert row is not None
    assert row.tensors["target"].tolist() == [0]
    assert row.tensors["weight"].tolist() == [1.0, 2.0, 3.0]


def test_mutations_keep_the_dtype_and_the_everyday() -> None:
    rng, current = random.Random(0), candidate()
    for _ in range(500):
        current = mutated(current, rng, everyday=True)
        logits = current.tensors["logits"]
        assert logits.astype(np.float32).astype(np.float64).tolist() == logits.tolist()
        assert (np.abs(logits) <= EVERYDAY).all()
        assert current.length(ROW) == current.tensors["target"].size
        assert (current.tensors["target"] < current.length(CLASS)).all()


def test_simpler_candidates_are_smaller_or_plainer() -> None:
    attempts = simpler(candidate())
    assert min(attempt.size for attempt in attempts) < candidate().size
    assert any(set(attempt.tensors) == {"logits", "target"} for attempt in attempts)
