"""Formulas by which torch's modes compute: what `cases/modes.known.yaml` says of them, on today's torch."""

from __future__ import annotations

from typing import Any, TypeAlias

import pytest

torch = pytest.importorskip("torch")
F = torch.nn.functional
Tensor: TypeAlias = Any

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


def functorch_bce_with_logits(x: Tensor, t: Tensor, weight: Tensor | None = None) -> Tensor:
    """`binary_cross_entropy_with_logits_hack` of functorch, by its operations in their order."""
    m = (-x).clamp_min(0)
    if weight is None:
        return (1 - t).mul(x).add_(m).add_((-m).exp_().add((-x - m).exp_()).log_())
    factor = (weight - 1).mul(t).add_(1)
    return (1 - t).mul(x).add_(factor.mul((-m).exp_().add((-x - m).exp_()).log_().add_(m)))


def same_bits(left: Tensor, right: Tensor) -> bool:
    """Whether two tensors are equal, nan where the other is nan, and of one dtype."""
    return left.dtype == right.dtype and torch.equal(left.nan_to_num(nan=7.0), right.nan_to_num(nan=7.0))


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "pos_weight"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_func_takes_functorchs_formula(dtype: Any, weighted: bool) -> None:
    x = torch.linspace(-60, 60, 1201, dtype=dtype)
    t = (torch.arange(1201) % 3).to(dtype) / 2
    weight = torch.linspace(0.25, 4, 1201, dtype=dtype) if weighted else None

    def loss(x: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(x, t, pos_weight=weight, reduction="none")

    value, pull = torch.func.vjp(loss, x)
    tracked = x.clone().requires_grad_()
    rows = functorch_bce_with_logits(tracked, t, weight)
    assert same_bits(value, rows.detach())
    flow = torch.linspace(0.5, 2, 1201, dtype=dtype)
    assert same_bits(pull(flow)[0], torch.autograd.grad(rows, tracked, flow)[0])
    assert not same_bits(value, loss(x)), "eager torch has a formula of its own"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_references_subtract_logsumexp(dtype: Any) -> None:
    context = pytest.importorskip("torch._prims.context").TorchRefsMode
    x = torch.randn(64, 9, dtype=dtype, generator=torch.Generator().manual_seed(7)) * 20 + 500
    with context():
        value = torch.log_softmax(x, -1)
    assert same_bits(value, x - torch.logsumexp(x, -1, keepdim=True))
    assert not same_bits(value, torch.log_softmax(x, -1)), "eager torch subtracts the maximum first"


def test_references_pick_the_ignored_label() -> None:
    context = pytest.importorskip("torch._prims.context").TorchRefsMode
    scores = torch.log_softmax(torch.arange(8.0), -1)
    with context(), pytest.raises(IndexError, match="index -100 is out of bounds"):
        F.nll_loss(scores, torch.tensor(-100), reduction="sum")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's forward mode loads TorchScript
def test_forward_mode_takes_weights_for_constants() -> None:
    scores, labels, weight = torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([0]), torch.ones(3)

    def loss(weight: Tensor) -> Tensor:
        return F.cross_entropy(scores, labels, weight=weight, reduction="sum")

    assert torch.equal(torch.func.jacfwd(loss)(weight), torch.zeros(3))
    with pytest.raises(RuntimeError, match="not differentiable with respect to argument 'weight'"):
        loss(weight.requires_grad_())
