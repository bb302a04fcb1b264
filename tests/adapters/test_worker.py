"""The worker as a process: streams, start and end, and a user's own function."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from adapters.driving import SERVE, Client

from conformance.adapters import protocol
from conformance.adapters.options import EXIT_UNAVAILABLE

USERS = Path(__file__).with_name("users_functions.py")
X = np.array([[1.0, 2.0, -3.0]])


@contextmanager
def users(name: str, operation: str) -> Iterator[Client]:
    """A worker with a function of users_functions.py."""
    with Client("numpy", "--function", f"{USERS}:{name}", "--operation", operation) as worker:
        yield worker
        assert worker.close()[0] == 0


def test_what_a_function_prints_reaches_the_standard_error_and_no_frame() -> None:
    with Client("numpy", "--function", f"{USERS}:noisy_sigmoid", "--operation", "sigmoid") as worker:
        for _ in range(3):
            response = worker.ask("sigmoid", x=X)
            np.testing.assert_allclose(response.numbers(), 1 / (1 + np.exp(-X)), rtol=1e-6)
            assert response.warnings == ["UserWarning: twice the same"]
        code, errors = worker.close()
    assert code == 0
    assert errors.count("a line that is no frame") == 3
    assert errors.count("bytes that are no frame") == 3


def test_it_ends_with_its_input() -> None:
    with Client("numpy") as worker:
        assert worker.ask("sigmoid", x=X).status() == "returned"
        assert worker.close() == (0, "")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["sklearn"], "no adapter for 'sklearn': there are jax, numpy, tensorflow, torch"),
        (["numpy", "--mode", "jit"], "numpy has no mode 'jit': it has eager"),
        (["numpy", "--device", "tpu"], "numpy has no device 'tpu': it has cpu"),
        (["numpy", "--speed", "9"], "unrecognized arguments: --speed 9"),
        (["numpy", "--function", f"{USERS}:raises"], "--function and --operation go together"),
        (["numpy", "--function", "raises", "--operation", "sigmoid"], "write FILE_OR_MODULE:NAME"),
        (["numpy", "--function", "gone.py:f", "--operation", "sigmoid"], "gone.py does not import"),
        (["numpy", "--function", f"{USERS}:gone", "--operation", "sigmoid"], "has no function gone"),
        (
            ["numpy", "--function", f"{USERS}:not_a_function", "--operation", "sigmoid"],
            "has no function not_a",
        ),
    ],
)
def test_what_cannot_start_says_why_in_one_line(arguments: list[str], line: str) -> None:
    ended = subprocess.run(
        [sys.executable, str(SERVE), *arguments], capture_output=True, text=True, input="", check=False
    )
    assert (ended.returncode, ended.stdout) == (EXIT_UNAVAILABLE, "")
    assert ended.stderr.startswith("conformance: ")
    assert line in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_a_missing_framework_says_so(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('no torch in this house')\n")
    ended = subprocess.run(
        [sys.executable, str(SERVE), "torch"],
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        input="",
        check=False,
    )
    assert ended.returncode == EXIT_UNAVAILABLE
    assert ended.stderr == "conformance: torch does not import here: ImportError: no torch in this house\n"


def test_parameters_that_a_function_lacks_are_unsupported() -> None:
    tensors = {"logits": np.eye(2, 3), "target": np.array([1, 2])}
    with users("cross_entropy_of_labels", "cross_entropy") as worker:
        assert worker.ask("cross_entropy", **tensors).status() == "returned"
        assert worker.ask("cross_entropy", parameters={"reduction": "none"}, **tensors).numbers().shape == (
            2,
        )
        at_defaults = {"ignore_index": -100, "label_smoothing": 0.0, "reduction": "mean"}
        assert worker.ask("cross_entropy", parameters=at_defaults, **tensors).status() == "returned"
        for name, value in {"label_smoothing": 0.1, "ignore_index": 1}.items():
            lacking = worker.ask("cross_entropy", parameters={name: value}, **tensors)
            assert lacking.message() == f"functional cross_entropy has no parameter {name}"
        weighted = worker.ask("cross_entropy", weight=np.ones(3), **tensors)
        assert weighted.message() == "functional cross_entropy has no parameter weight"
        ignored = worker.ask("cross_entropy", logits=np.eye(2, 3), target=np.array([1, -100]))
        assert ignored.message() == "functional cross_entropy has no parameter ignore_index"


def test_values_without_gradients_are_values() -> None:
    with users("cross_entropy_of_labels", "cross_entropy") as worker:
        response = worker.ask(
            "cross_entropy",
            quantities=["value", "gradient:logits"],
            logits=np.eye(2, 3),
            target=np.array([1, 2]),
        )
        assert response.status() == "returned"
        assert response.status("gradient:logits") == "unsupported"


def test_a_gradient_by_hand_is_taken() -> None:
    with users("Squares.sigmoid", "sigmoid") as worker:
        response = worker.ask("sigmoid", quantities=["value", "gradient:x"], x=X, upstream=X)
        np.testing.assert_allclose(response.numbers("gradient:x"), 2 * X * X)


def test_not_implemented_is_unsupported_and_true_halves_are_handed_over() -> None:
    with users("not_for_halves", "sigmoid") as worker:
        assert worker.ask("sigmoid", dtype="float16", x=X).message() == "no float16 here"
        assert worker.ask("sigmoid", dtype="bfloat16", x=X).message() == "NumPy has no bfloat16"
        assert worker.ask("sigmoid", dtype="float64", x=X).status() == "returned"
        assert worker.ask("softmax", dtype="bfloat16", x=X).status() == "returned"


def test_an_error_is_an_observation_and_the_worker_goes_on() -> None:
    with users("raises", "sigmoid") as worker:
        response = worker.ask("sigmoid", quantities=["value", "gradient:x"], x=X)
        assert (response.status(), response.message()) == ("raised", "ArithmeticError as it does")
        assert worker.ask("softmax", x=X).status() == "returned"


def test_a_death_ends_the_stream() -> None:
    with Client("numpy", "--function", f"{USERS}:dies", "--operation", "sigmoid") as worker:
        with pytest.raises(AssertionError):
            worker.ask("sigmoid", x=X)
        assert worker.close()[0] == 9


def test_a_stream_that_is_no_frames_is_refused() -> None:
    ended = subprocess.run(
        [sys.executable, str(SERVE), "numpy"], input=b"x" * 64, capture_output=True, check=False
    )
    assert ended.returncode not in (0, EXIT_UNAVAILABLE)
    assert b"bytes that are no frame" in ended.stderr
    assert ended.stdout.startswith(protocol.MAGIC)


def test_an_entry_point_adds_a_framework(tmp_path: Path) -> None:
    (tmp_path / "abacus.py").write_text(
        "from conformance.adapters.numpy.adapter import NumpyAdapter\n"
        "class Abacus(NumpyAdapter):\n"
        "    framework = 'abacus'\n"
    )
    info = tmp_path / "abacus-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: abacus\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[conformance.adapters]\nabacus = abacus:Abacus\n")
    root = SERVE.parents[2]
    with Client("abacus", environment={"PYTHONPATH": f"{tmp_path}:{root}"}) as worker:
        assert worker.hello["framework"] == "abacus"
        assert worker.ask("sigmoid", x=X).status() == "returned"
        lacking = worker.ask("sigmoid", "module", x=X)
        assert lacking.message() == "abacus has no formulation module of sigmoid"
        assert worker.close()[0] == 0


def test_zero_dimensional_and_empty_arrays_keep_their_shapes(client: Callable[..., Client]) -> None:
    for dtype in ("float16", "bfloat16", "float32", "float64"):
        assert client("numpy").ask("sigmoid", dtype=dtype, x=np.float64(1)).numbers().shape == ()
        assert client("numpy").ask("softmax", dtype=dtype, x=np.zeros((0, 3))).numbers().shape == (0, 3)
