"""`assert_conforms` in the place of `assert_close`: tensors of all frameworks, at their own inputs."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import conformance
from conformance.errors import ArgumentError
from conformance.testing import assert_conforms, checks

RANDOM = np.random.default_rng(11)
LOGITS = (RANDOM.normal(size=(8, 16)) * 4).astype(np.float32)
LABELS = RANDOM.integers(0, 16, 8)
WEIGHT = RANDOM.uniform(0.5, 2, 16).astype(np.float32)


@pytest.fixture(scope="module")
def torch() -> Any:
    return pytest.importorskip("torch")


@pytest.fixture(scope="module")
def tf() -> Any:
    return pytest.importorskip("tensorflow")


@pytest.fixture(scope="module")
def jax() -> Any:
    return pytest.importorskip("jax")


class TestInThePlaceOfAssertClose:
    """Ten tests as their authors write them, without a tolerance."""

    def test_torch_cross_entropy(self, torch: Any) -> None:
        logits, labels = torch.tensor(LOGITS, requires_grad=True), torch.tensor(LABELS)
        weight = torch.tensor(WEIGHT)
        loss = torch.nn.functional.cross_entropy(logits, labels, weight=weight, label_smoothing=0.1)
        assert_conforms(loss, "cross_entropy", logits, labels, weight=weight, label_smoothing=0.1)

    def test_torch_gradient_under_loss_scaling(self, torch: Any) -> None:
        logits, labels = torch.tensor(LOGITS, requires_grad=True), torch.tensor(LABELS)
        loss = torch.nn.functional.cross_entropy(logits, labels, reduction="sum")
        scale = torch.tensor(1024.0)
        (gradient,) = torch.autograd.grad(loss, logits, scale)
        assert_conforms(gradient, "cross_entropy", logits, labels, quantity="gradient:logits", upstream=scale,
                        reduction="sum")  # fmt: skip

    @pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
    def test_torch_in_every_dtype(self, torch: Any, dtype: str) -> None:
        logits = torch.tensor(LOGITS).to(getattr(torch, dtype)).requires_grad_()
        value = torch.log_softmax(logits, 1)
        assert value.requires_grad
        assert str(value.dtype) == f"torch.{dtype}"
        assert_conforms(value, "log_softmax", logits, axis=1)

    def test_torch_module_on_a_view(self, torch: Any) -> None:
        x = torch.nn.Parameter(torch.tensor(LOGITS))
        view = x.t()[::2]
        assert_conforms(torch.nn.LogSigmoid()(view), "log_sigmoid", view)

    def test_tensorflow_sigmoid(self, tf: Any) -> None:
        for dtype in (tf.float16, tf.bfloat16, tf.float32, tf.float64):
            x = tf.Variable(tf.cast(LOGITS, dtype))
            assert_conforms(tf.nn.sigmoid(x), "sigmoid", x)

    def test_tensorflow_gradient(self, tf: Any) -> None:
        logits = tf.constant(LOGITS)
        with tf.GradientTape() as tape:
            tape.watch(logits)
            loss = tf.nn.sparse_softmax_cross_entropy_with_logits(LABELS, logits)
        gradient = tape.gradient(loss, logits)
        assert_conforms(gradient, "cross_entropy", logits, LABELS, quantity="gradient:logits",
                        reduction="none")  # fmt: skip

    def test_jax_softmax(self, jax: Any) -> None:
        for dtype in ("float16", "bfloat16", "float32"):
            x = jax.numpy.asarray(LOGITS, dtype)
            assert_conforms(jax.nn.softmax(x, axis=0), "softmax", x, axis=0)

    def test_jax_gradient_of_logsumexp(self, jax: Any) -> None:
        x = jax.numpy.asarray(LOGITS)
        upstream = jax.numpy.arange(1.0, 9.0)
        value, pullback = jax.vjp(lambda scores: jax.nn.logsumexp(scores, axis=-1), x)
        assert_conforms(value, "logsumexp", x)
        assert_conforms(*pullback(upstream), "logsumexp", x, quantity="gradient:x", upstream=upstream)

    def test_numpy_log_sigmoid(self) -> None:
        for dtype in (np.float32, np.float64):
            x = LOGITS.astype(dtype)
            value = np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x)))
            assert_conforms(value, "log_sigmoid", x, at_most="accurate")

    def test_numpy_one_hot(self) -> None:
        assert_conforms(np.eye(16, dtype=np.int64)[LABELS], "one_hot", LABELS, num_classes=16)
        assert_conforms(np.eye(16, dtype=ml_dtypes.bfloat16)[LABELS], "one_hot", LABELS, num_classes=16)


class TestWhatAssertClosePasses:
    """Seeded bugs within the default tolerances of torch.testing.assert_close."""

    def test_the_logarithm_of_softmax(self, torch: Any) -> None:
        """A probability of 1e-313 is subnormal: its logarithm is off by a hundred million ulps."""
        logits = torch.tensor([[0.0, -720.0, -3.0], [5.0, -716.0, 5.0]], dtype=torch.float64)
        wrong, right = torch.log(torch.softmax(logits, 1)), torch.log_softmax(logits, 1)
        torch.testing.assert_close(wrong, right)
        assert_conforms(right, "log_softmax", logits, axis=1)
        with pytest.raises(AssertionError, match=r"lossy: outside the bound\n(.*\n)*  worst at  \[., 1\]"):
            assert_conforms(wrong, "log_softmax", logits, axis=1)

    def test_a_gradient_of_rounded_probabilities(self, torch: Any) -> None:
        """A fused kernel that keeps its probabilities in bfloat16 until the backward pass."""
        logits = torch.tensor(
            np.random.default_rng(21).normal(size=(16, 500)).astype(np.float32), requires_grad=True
        )
        labels = torch.tensor(np.random.default_rng(22).integers(0, 500, 16))
        (right,) = torch.autograd.grad(torch.nn.functional.cross_entropy(logits, labels), logits)
        rounded = torch.softmax(logits, 1).bfloat16().float()
        wrong = (rounded - torch.nn.functional.one_hot(labels, 500)) / 16
        torch.testing.assert_close(wrong, right)
        assert_conforms(right, "cross_entropy", logits, labels, quantity="gradient:logits")
        with pytest.raises(AssertionError, match="cross_entropy gradient:logits in float32 is lossy"):
            assert_conforms(wrong, "cross_entropy", logits, labels, quantity="gradient:logits")

    def test_a_loss_that_the_standard_algorithm_loses_too(self, torch: Any) -> None:
        """It returns 0 where 2.06e-9 is right, which is within the bound, and not what is attainable."""
        logits, labels = torch.tensor([[20.0, 0.0]]), torch.tensor([0])
        loss = torch.nn.functional.cross_entropy(logits, labels)
        torch.testing.assert_close(loss, torch.tensor(2.0611536e-09))
        assert_conforms(loss, "cross_entropy", logits, labels)
        with pytest.raises(AssertionError, match=r"is stable(.*\n)*  asked for: accurate, or better"):
            assert_conforms(loss, "cross_entropy", logits, labels, at_most="accurate")


class TestMessage:
    def test_it_is_one_screen(self) -> None:
        """Of 30,000 elements: observed, exact, error, bound, index, and the inputs there."""
        logits = np.random.default_rng(23).normal(size=(30, 1000)).astype(np.float32)
        labels = np.random.default_rng(24).integers(0, 1000, 30)
        weight = np.ones(1000, np.float32)
        exact = conformance.exact("cross_entropy", logits, labels, weight=weight, reduction="none")
        observed = exact.to("float32")
        observed[17] *= np.float32(1.001)
        judgement = exact.judge(observed)
        assert not judgement.conforms
        assert (judgement.verdict, judgement.worst_index, judgement.failing) == ("lossy", (17,), 1)
        assert judgement.observed == observed[17]
        assert judgement.ulp_error is not None
        assert judgement.bound is not None
        assert judgement.ulp_error > 1000 > judgement.bound
        lines = str(judgement).splitlines()
        assert len(lines) <= 24
        assert max(map(len, lines)) <= 100
        assert lines[0] == "cross_entropy value in float32 is lossy: outside the bound"
        beginnings = [line[:12].strip() for line in lines if line[2:3].strip()]
        assert beginnings[1:] == [
            "observed", "exact", "error", "bound", "worst at", "logits", "target", "weight", "with",
        ]  # fmt: skip
        assert f"  target    [17] = {labels[17]}" in lines
        assert "  worst at  [17] of [30]; 1 of 30 elements do not conform" in lines
        with pytest.raises(AssertionError) as failure:
            assert_conforms(observed, "cross_entropy", logits, labels, weight=weight, reduction="none")
        assert str(failure.value) == str(judgement)

    def test_a_gradient_shows_the_label_of_its_row_and_the_upstream(self) -> None:
        logits = LOGITS.T.reshape(2, 16, 4).astype(np.float32)
        labels = np.random.default_rng(25).integers(0, 16, (2, 4))
        upstream = np.arange(1, 9, dtype=np.float32).reshape(2, 4)
        value = conformance.exact("cross_entropy", logits, labels, reduction="none")
        exact = value.gradient("logits", upstream=upstream)
        wrong = exact.to("float32")
        wrong[1, 5, 2] += 1
        text = str(exact.judge(wrong))
        assert "worst at  [1, 5, 2] of [2, 16, 4]; 1 of 128 elements" in text
        assert f"target    [1, 2] = {labels[1, 2]}\n" in text
        assert "upstream  [1, 2] = 7.0" in text
        assert f"logits    [1, 5, 2] = {logits[1, 5, 2]!s}\n            [1, :, 2] = [" in text

    def test_another_shape_is_wrong(self) -> None:
        with pytest.raises(AssertionError, match=r"is wrong: it has shape \[8\] where \[\] is right"):
            assert_conforms(np.zeros(8, np.float32), "cross_entropy", LOGITS, LABELS)


class TestCallsAtFault:
    @pytest.mark.parametrize(
        ("call", "words"),
        [
            (lambda: assert_conforms(1.0, "entropies", LOGITS), "there is no operation 'entropies'"),
            (lambda: assert_conforms(LOGITS, "softmax", LOGITS, at_most="lossy"), "at_most must be one of"),
            (lambda: assert_conforms(LOGITS, "softmax", LOGITS, quantity="second:x"), "quantity must be"),
            (lambda: assert_conforms(LOGITS, "softmax", LOGITS, upstream=LOGITS), "has no upstream gradient"),
            (lambda: assert_conforms(LABELS, "softmax", LOGITS), "dtype must be one of .*, not int64"),
            (
                lambda: assert_conforms(LOGITS.astype(np.float16), "softmax", LOGITS),
                "x holds .* which is no float16: round the inputs",
            ),
            (
                lambda: assert_conforms(
                    LOGITS, "cross_entropy", LOGITS, LABELS, quantity="gradient:logits", upstream=WEIGHT
                ),
                r"upstream must have the result's shape \[\], not \[16\]",
            ),
            (
                lambda: assert_conforms(
                    WEIGHT, "cross_entropy", LOGITS, LABELS, weight=WEIGHT, quantity="gradient:bias"
                ),
                "no gradient with respect to 'bias' here",
            ),
        ],
    )
    def test_they_say_what_is_wrong(self, call: Callable[[], None], words: str) -> None:
        with pytest.raises(ArgumentError, match=words):
            call()


def test_checks_refuses_an_operation_or_dtype_that_does_not_exist() -> None:
    """A misspelt dtype would select nothing, and nothing would fail."""
    with pytest.raises(ArgumentError, match="there is no operation 'softmex'; there are sigmoid, "):
        checks("losses.py:loss", operation="softmex")
    with pytest.raises(ArgumentError, match=r"dtypes must be of float16, .*, not flaot32"):
        checks("losses.py:loss", operation="softmax", dtypes=["float64", "flaot32"])


def test_bounds_are_arrays_in_ulps_of_the_dtype() -> None:
    exact = conformance.exact("cross_entropy", np.array([20.0, 0.0]), np.array(0))
    assert exact.bound("float32").shape == exact.attainable(np.float32).shape == ()
    assert exact.attainable("float32") < 32 < 1e6 < exact.bound("float32")
    assert exact.bound(ml_dtypes.bfloat16) == exact.bound("bfloat16") != exact.bound("float32")
    gradient = exact.gradient("logits")
    assert gradient.bound("float64").shape == (2,)
    assert (gradient.attainable("float64") <= gradient.bound("float64")).all()


def test_bounds_are_those_of_a_run() -> None:
    from conformance.operations import reference

    arguments: dict[str, object] = {"x": LOGITS.astype(np.float64), "axis": 1}
    g = np.ones(LOGITS.shape)
    settled = reference("log_softmax", arguments, "gradient:x", "float32", g)
    exact = conformance.exact("log_softmax", LOGITS, axis=1).gradient("x")
    np.testing.assert_array_equal(exact.bound("float32"), settled.bound)
    np.testing.assert_array_equal(exact.attainable("float32"), settled.attainable)


def test_an_upstream_gradient_scales_the_gradient() -> None:
    exact = conformance.exact("sigmoid", np.array([0.5, -3.0]))
    ones, twos = exact.gradient("x"), exact.gradient("x", upstream=[2.0, -2.0])
    assert (twos.to("float64") == ones.to("float64") * [2, -2]).all()


def test_it_imports_neither_pytest_nor_pandas() -> None:
    program = (
        "import sys, numpy as np; from conformance.testing import assert_conforms\n"
        "assert_conforms(np.full(4, 0.25, np.float32), 'softmax', np.zeros(4, np.float32))\n"
        "print(sorted({'pytest', 'pandas', 'pyarrow', 'torch'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_a_thousand_elements_take_less_than_20_ms() -> None:
    """Of the processor, so that a busy machine is no fault; the best of five inputs in a warm process."""
    seconds = []
    for seed in range(6):
        x = np.random.default_rng(seed).normal(size=(10, 100)).astype(np.float32)
        z = x - x.max(axis=1, keepdims=True)
        value = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        start = time.process_time()
        assert_conforms(value, "log_softmax", x)
        seconds.append(time.process_time() - start)
    assert min(seconds[1:]) < 0.02
