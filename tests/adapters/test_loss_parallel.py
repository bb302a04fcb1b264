"""Mode `torch:loss_parallel`: two ranks of gloo, each with a shard of the classes, and what they refuse."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from adapters.driving import Client

Get = Callable[..., Client]
RNG = np.random.default_rng(5)
#: Seven classes: shards of four and three.
LOGITS = RNG.standard_normal((4, 7)) * 3
LABELS = np.array([6, 0, -100, 3])


def test_both_ranks_give_the_values_and_gradients_of_one_process(client: Get) -> None:
    ranks, alone = client("torch", "--mode", "loss_parallel"), client("torch")
    quantities = ["value", "gradient:logits"]
    weight = np.linspace(0.5, 2, 7)
    calls: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
        ("functional", {"reduction": "mean"}, {}),
        # Beside class weights an ignored label is an index out of bounds: cases/modes.known.yaml.
        ("module", {"reduction": "sum"}, {"weight": weight, "target": np.array([6, 0, 2, 3])}),
        ("functional", {"reduction": "none"}, {"upstream": np.array([1.0, -2.0, 0.5, 4.0])}),
    ]
    for formulation, parameters, tensors in calls:
        asked: dict[str, Any] = {"parameters": parameters, "quantities": quantities}
        given = {"logits": LOGITS, "target": LABELS} | tensors
        both, one = (each.ask("cross_entropy", formulation, **asked, **given) for each in (ranks, alone))
        for quantity in quantities:
            np.testing.assert_allclose(both.numbers(quantity), one.numbers(quantity), rtol=1e-5, atol=1e-6)
    # An error is one on both ranks, which are in step behind it.
    beside_weights: dict[str, Any] = {"logits": LOGITS, "target": LABELS, "weight": weight}
    wrong = ranks.ask("cross_entropy", "functional", quantities=["gradient:logits"], **beside_weights)
    assert wrong.status("gradient:logits") == "raised"
    again = ranks.ask("cross_entropy", "functional", logits=LOGITS, target=LABELS)
    assert again.numbers("value") == pytest.approx(
        alone.ask("cross_entropy", "functional", logits=LOGITS, target=LABELS).numbers("value"), rel=1e-5
    )
    unsupported = {
        "no label smoothing": ("cross_entropy", {"parameters": {"label_smoothing": 0.125}, "logits": LOGITS}),
        "cross_entropy alone": ("nll_loss", {"log_probs": LOGITS}),
    }
    for reason, (operation, given) in unsupported.items():
        refused = ranks.ask(operation, "functional", target=LABELS, **given)
        assert refused.status() == "unsupported"
        assert reason in refused.message()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads Linux's table of processes")
@pytest.mark.parametrize("killed", [True, False])
def test_no_rank_outlives_its_worker(killed: bool) -> None:
    """Killed, or at the end of its requests, the worker takes rank 1 with it."""
    with Client("torch", "--mode", "loss_parallel") as worker:
        (rank,) = children_of(worker.process.pid)
        assert running(rank)
        if killed:
            worker.process.kill()
            worker.process.communicate()
    while running(rank):  # the test runner's own limit is the only one
        time.sleep(0.05)


def children_of(process: int) -> list[int]:
    """The processes that a process has started."""
    return [
        int(path.parent.name)
        for path in Path("/proc").glob("[0-9]*/stat")
        if state_of(path)[1:2] == [str(process)]
    ]


def running(process: int) -> bool:
    """Whether a process is there, and not merely unburied."""
    return state_of(Path(f"/proc/{process}/stat"))[:1] not in ([], ["Z"], ["X"])


def state_of(path: Path) -> list[str]:
    """State and parent of a process, by its line in Linux's table; empty: it has gone."""
    try:
        return path.read_text("ascii", "replace").rpartition(")")[2].split()[:2]
    except OSError:
        return []
