"""PyTorch's floor: eager, tensors that share the arrays' memory, gradients by autograd.

python benchmarks/floor/torch_eager.py CALLS
"""

from __future__ import annotations

import math
import os

from calls import GRADIENT, SECOND, TANGENT, Call, Results, clock, measure

START = clock()
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that spin take the core of the others

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from torch.autograd import forward_ad  # noqa: E402

IMPORTED = clock()


def class_axis(x: Tensor) -> int:
    return 1 if x.dim() > 1 else 0


def total(rows: Tensor, reduction: str, share: Tensor | None = None) -> Tensor:
    if reduction == "none":
        return rows
    if reduction == "sum":
        return rows.sum()
    if reduction != "mean":
        raise ValueError(reduction)
    return rows.mean() if share is None else rows.sum() / share.sum()


def zero_removes(coefficient: Tensor, term: Tensor) -> Tensor:
    return coefficient * term.masked_fill((coefficient == 0) & torch.isinf(term), 0)


def manual_softmax(x: Tensor, axis: int = -1) -> Tensor:
    exp = torch.exp(x)
    return exp / exp.sum(dim=axis, keepdim=True)


def manual_one_hot(target: Tensor, num_classes: int) -> Tensor:
    return torch.zeros((*target.shape, num_classes), dtype=torch.long).scatter_(-1, target.unsqueeze(-1), 1)


def labels_of(like: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int) -> tuple[Tensor, ...]:
    ignored = target == ignore_index
    labels = target.masked_fill(ignored, 0)
    share = torch.ones_like(labels, dtype=like.dtype) if weight is None else weight[labels]
    return labels, share.masked_fill(ignored, 0), ignored


def nll(log_probs, target, weight=None, ignore_index=-100, reduction="mean", *, hot=False):
    labels, share, ignored = labels_of(log_probs, target, weight, ignore_index)
    axis = class_axis(log_probs)
    if hot:
        one_hot = F.one_hot(labels, log_probs.shape[axis]).to(log_probs.dtype)
        entries = (one_hot.movedim(-1, axis) * log_probs).sum(dim=axis)
    else:
        entries = log_probs.gather(axis, labels.unsqueeze(axis)).squeeze(axis)
    return total((-entries * share).masked_fill(ignored, 0), reduction, share)


def cross_entropy(log_softmax, nll_loss, product=torch.mul):
    def over_classes(log_probs, target, weight):
        axis = class_axis(log_probs)
        if weight is not None:
            target = target * weight.reshape([-1 if i == axis else 1 for i in range(log_probs.dim())])
        return -product(target, log_probs).sum(dim=axis)

    def loss(logits, target, weight=None, ignore_index=-100, label_smoothing=0.0, reduction="mean"):
        axis = class_axis(logits)
        log_probs, evenly = log_softmax(logits, axis), label_smoothing / logits.shape[axis]
        if target.is_floating_point():
            target = target * (1 - label_smoothing) + evenly
            return total(over_classes(log_probs, target, weight), reduction)
        by_label = nll_loss(log_probs, target, weight=weight, ignore_index=ignore_index, reduction=reduction)
        if label_smoothing == 0:
            return by_label
        _, share, ignored = labels_of(logits, target, weight, ignore_index)
        smooth = over_classes(log_probs, torch.ones_like(log_probs), weight).masked_fill(ignored, 0)
        return (1 - label_smoothing) * by_label + evenly * total(smooth, reduction, share)

    return loss


def composed_bce(probs, target, weight=None, reduction="mean"):
    log_p = torch.log(probs.masked_fill((target == 0) & (probs == 0), 1))
    log_1_p = torch.log1p(-probs.masked_fill((target == 1) & (probs == 1), 0))
    rows = -target * log_p - (1 - target) * log_1_p
    return total(rows if weight is None else rows * weight, reduction)


def manual_bce(probs, target, weight=None, reduction="mean"):
    rows = -(target * torch.log(probs) + (1 - target) * torch.log(1 - probs))
    return total(rows if weight is None else rows * weight, reduction)


def bce_with_logits(log_sigmoid, product=torch.mul):
    def loss(logits, target, weight=None, pos_weight=None, reduction="mean"):
        positive = target if pos_weight is None else target * pos_weight
        rows = -product(positive, log_sigmoid(logits)) - product(1 - target, log_sigmoid(-logits))
        return total(rows if weight is None else rows * weight, reduction)

    return loss


def module(kind):
    return lambda *inputs, **parameters: kind(**parameters)(*inputs)


def hot_nll(*arguments, **parameters):
    return nll(*arguments, **parameters, hot=True)


FORMULATIONS = {
    "sigmoid": {
        "functional": torch.sigmoid,
        "module": module(nn.Sigmoid),
        "manual": lambda x: 1 / (1 + torch.exp(-x)),
    },
    "log_sigmoid": {
        "functional": F.logsigmoid,
        "module": module(nn.LogSigmoid),
        "composed": lambda x: -F.softplus(-x),
        "naive": lambda x: torch.log(torch.sigmoid(x)),
    },
    "softmax": {
        "functional": lambda x, axis=-1: F.softmax(x, dim=axis),
        "module": lambda x, axis=-1: nn.Softmax(dim=axis)(x),
        "composed": lambda x, axis=-1: torch.exp(F.log_softmax(x, dim=axis)),
        "manual": manual_softmax,
    },
    "log_softmax": {
        "functional": lambda x, axis=-1: F.log_softmax(x, dim=axis),
        "module": lambda x, axis=-1: nn.LogSoftmax(dim=axis)(x),
        "composed": lambda x, axis=-1: x - torch.logsumexp(x, dim=axis, keepdim=True),
        "naive": lambda x, axis=-1: torch.log(F.softmax(x, dim=axis)),
        "manual": lambda x, axis=-1: torch.log(manual_softmax(x, axis)),
    },
    "logsumexp": {
        "functional": lambda x, axis=-1: torch.logsumexp(x, dim=axis),
        "manual": lambda x, axis=-1: torch.log(torch.exp(x).sum(dim=axis)),
    },
    "one_hot": {"functional": F.one_hot, "manual": manual_one_hot},
    "nll_loss": {
        "functional": F.nll_loss,
        "module": module(nn.NLLLoss),
        "composed": nll,
        "one_hot": hot_nll,
    },
    "binary_cross_entropy": {
        "functional": F.binary_cross_entropy,
        "module": module(nn.BCELoss),
        "composed": composed_bce,
        "manual": manual_bce,
    },
    "binary_cross_entropy_with_logits": {
        "functional": F.binary_cross_entropy_with_logits,
        "module": module(nn.BCEWithLogitsLoss),
        "composed": bce_with_logits(F.logsigmoid, zero_removes),
        "naive": lambda x, t, **more: F.binary_cross_entropy(torch.sigmoid(x), t, **more),
        "manual": bce_with_logits(lambda x: -torch.log(1 + torch.exp(-x))),
    },
}
LOG_SOFTMAX = FORMULATIONS["log_softmax"]
FORMULATIONS["cross_entropy"] = {
    "functional": F.cross_entropy,
    "module": module(nn.CrossEntropyLoss),
    "composed": cross_entropy(LOG_SOFTMAX["functional"], F.nll_loss, zero_removes),
    "one_hot": cross_entropy(LOG_SOFTMAX["functional"], hot_nll),
    "naive": cross_entropy(LOG_SOFTMAX["naive"], F.nll_loss),
    "manual": cross_entropy(LOG_SOFTMAX["manual"], hot_nll),
}


def order_of_axes(layout: str | list[int], axes: int) -> list[int] | None:
    if layout == "transposed":
        return list(reversed(range(axes)))
    if layout == "channels_last":
        return [0, *range(2, axes), 1]
    return None if isinstance(layout, str) else layout


def laid_out(tensor: Tensor, layout: str | list[int]) -> Tensor:
    order = order_of_axes(layout, tensor.dim())
    if order is not None:
        back = sorted(range(tensor.dim()), key=order.__getitem__)
        return tensor.permute(order).contiguous().permute(back)
    if layout == "broadcast":
        return tensor[:1].clone().expand_as(tensor)
    between = math.nan if tensor.is_floating_point() else 0
    if layout == "padded":  # to a multiple of 64 columns
        return F.pad(tensor, (0, 64 - tensor.shape[-1] % 64), value=between)[..., : tensor.shape[-1]]
    if layout == "offset":  # three elements behind the start of its storage
        longer = F.pad(tensor.flatten(), (3, 3), value=between)
        return longer[3:-3].view(tensor.shape)
    return torch.stack((tensor, torch.full_like(tensor, between)), -1).flatten(-2)[..., ::2]


def carry_out(call: Call) -> Results:
    """Every formulation's value and derivatives, out of the same tensors."""
    tensors = {}
    for name, array in call.arrays.items():
        if name in call.bits:
            tensors[name] = torch.from_numpy(array.view("int16")).view(torch.bfloat16)
        else:
            tensors[name] = torch.from_numpy(array)
    for name, layout in call.layouts.items():
        tensors[name] = laid_out(tensors[name], layout)
    upstream, direction = tensors.pop("upstream", None), tensors.pop("direction", None)
    results: Results = {}
    for formulation, quantities in call.quantities.items():
        function = FORMULATIONS[call.operation][formulation]

        def loss(tensors, function=function):
            named = dict(tensors)
            inputs = [named.pop(name) for name in call.inputs]
            return function(*inputs, **named, **call.scalars)

        wrt = [name for name in quantities if name.startswith((GRADIENT, SECOND))]
        sources = [tensors[name.partition(":")[2]].requires_grad_() for name in wrt]
        try:
            with torch.set_grad_enabled(call.tracked):  # in evaluation nobody builds a graph
                value = loss(tensors)
            if "value" in quantities:
                results[f"{formulation} value"] = as_array(value)
            gradients = derivatives(value, wrt, sources, upstream, direction)
            results.update(
                {f"{formulation} {name}": as_array(g) for name, g in zip(wrt, gradients, strict=True)}
            )
            for name in quantities:
                if name.startswith(TANGENT):
                    of = {key: tensor.detach() for key, tensor in tensors.items()}
                    results[f"{formulation} {name}"] = as_array(tangent(loss, of, name, direction))
        except Exception:
            continue  # a call that the case expects to be refused, or that this version refuses
    return results


def tangent(loss, tensors, name, direction):
    name = name.partition(":")[2]
    with forward_ad.dual_level():
        value = loss({**tensors, name: forward_ad.make_dual(tensors[name], direction)})
        found = forward_ad.unpack_dual(value).tangent
        return torch.zeros_like(value) if found is None else found


def derivatives(value, wrt, sources, upstream, direction):
    if not sources:
        return []
    if value.dim() == 0 and (upstream is None or upstream.item() == 1):
        upstream = None  # a loss begins with autograd's own 1
    if wrt[-1].startswith(GRADIENT):
        return torch.autograd.grad(value, sources, upstream)
    gradients = torch.autograd.grad(value, sources, upstream, create_graph=True)
    return [
        second(gradient, source, direction) if name.startswith(SECOND) else gradient
        for name, gradient, source in zip(wrt, gradients, sources, strict=True)
    ]


def second(gradient, source, direction):
    if not gradient.requires_grad:  # it does not depend on the input
        return torch.zeros_like(source)
    (found,) = torch.autograd.grad(gradient, source, direction, retain_graph=True, allow_unused=True)
    return torch.zeros_like(source) if found is None else found


def as_array(tensor: Tensor):
    tensor = tensor.detach()
    return tensor.view(torch.int16).numpy() if tensor.dtype == torch.bfloat16 else tensor.numpy()


if __name__ == "__main__":
    measure(START, IMPORTED, carry_out)
