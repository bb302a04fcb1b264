"""One head of scaled dot-product attention: right, and as its kernels were wrong."""

from __future__ import annotations

import math

import torch
from table import right, wrong
from torch import Tensor

BLOCK_KEYS = 2


def wide_of(tensor: Tensor) -> Tensor:
    """In float32 at least, as a fused kernel accumulates."""
    return tensor if tensor.dtype == torch.float64 else tensor.float()


def check_shapes(query: Tensor, key: Tensor, value: Tensor) -> None:
    """ValueError for matrices that do not fit."""
    if query.shape[1:] != key.shape[1:] or key.shape[:1] != value.shape[:1]:
        raise ValueError("query is [N, D], key [M, D], value [M, E]")


def head(
    query: Tensor, key: Tensor, value: Tensor, scale: float, where: Tensor | None, forgets: str = ""
) -> Tensor:
    """Attention in the accumulator's dtype, with one thing forgotten."""
    check_shapes(query, key, value)
    q, k, v = wide_of(query), wide_of(key), wide_of(value)
    features = q.shape[1]
    factor = scale or 1 / math.sqrt(features)
    if forgets == "root":
        factor = scale or 1 / features
    if forgets == "given scale":
        factor = 1 / math.sqrt(features)
    if forgets == "scale twice":
        factor = factor * factor if scale else factor
    scores = q @ k.T * factor
    if forgets == "scores stored":
        scores = scores.to(query.dtype).to(q.dtype)
    if where is not None and forgets != "mask":
        kept = where.T if forgets == "mask transposed" and where.shape[0] == where.shape[1] else where
        fill = {"fill of zero": 0.0, "small fill": -30.0}.get(forgets, float("-inf"))
        scores = scores.masked_fill(~kept, fill)
    weights = normalized(scores, forgets)
    if where is not None and forgets != "zeros":
        weights = weights.masked_fill((~where).all(1, keepdim=True), 0)
    if forgets == "uniform rows" and where is not None:
        weights = torch.where((~where).all(1, keepdim=True), 1 / k.shape[0], weights)
    if forgets == "gradient of the weights":
        weights = weights.detach()
    if forgets == "gradient to the keys":
        weights = torch.softmax(masked(q @ k.detach().T * factor, where), 1)
    return (weights @ v).to(query.dtype)


def masked(scores: Tensor, where: Tensor | None) -> Tensor:
    """The scores with -inf where they are left out."""
    return scores if where is None else scores.masked_fill(~where, float("-inf"))


def normalized(scores: Tensor, forgets: str) -> Tensor:
    """Softmax of each row of scores."""
    if forgets == "maximum":
        exp = torch.exp(scores)
        return exp / exp.sum(1, keepdim=True)
    if forgets == "axis":
        return torch.softmax(scores, 0)
    if forgets == "last block" and scores.shape[1] > BLOCK_KEYS:
        seen = scores.clone()
        seen[:, -(scores.shape[1] % BLOCK_KEYS or BLOCK_KEYS) :] = float("-inf")
        return torch.softmax(torch.where(seen.isinf().all(1, keepdim=True), scores, seen), 1)
    return torch.softmax(scores, 1)


@right("attention")
def fused_attention(
    query: Tensor, key: Tensor, value: Tensor, *, scale: float = 0.0, where: Tensor | None = None
) -> Tensor:
    """In the accumulator's dtype, rounded once; a query that no key is left for is 0."""
    return head(query, key, value, scale, where)


@right("attention")
def fused_attention_nan_rows(
    query: Tensor, key: Tensor, value: Tensor, *, scale: float = 0.0, where: Tensor | None = None
) -> Tensor:
    """A query that no key is left for is nan, though its gradients are 0."""
    result = head(query, key, value, scale, where)
    return result if where is None else result.masked_fill((~where).all(1, keepdim=True), float("nan"))


@wrong("attention", "numerics", "value", "gradient")
def fused_attention_forgets_the_root(
    query: Tensor, key: Tensor, value: Tensor, *, scale: float = 0.0, where: Tensor | None = None
) -> Tensor:
    """Scales by one over the features, not over their square root."""
    return head(query, key, value, scale, where, "root")


@wrong("attention", "semantics", "scale")
def fused_attention_ignores_the_scale(
    query: Tensor, key: Tensor, value: Tensor, *, scale: float = 0.0, where: Tensor | None = None
) -> Tensor:
    """Takes its own scale whatever is given."""
    return head(query, key, value, scale, where, "given scale")


@wrong("attention", "semantics", "scale")
def fused_attention_scales_twice(
    query: Tensor, key: Tensor, value: Tensor, *, scale: float = 0.0, where: Tensor | None = None
) -> Tensor:
    """Applies a given scale twice."""
    return head(query, key, value, scale, where, "scale twice")


@wrong("attention", "numerics", "accuracy", "float16", "large", "overflow")
def fused_attention_stores_scores(
    query: Tensor, key: Tensor, value: Tensor, *, scale: float = 0.0, where: Tensor | None = None
) -> Tensor:
    """Rounds the scores to a half type before their softmax."""
    return head(query, key, value, scale, where, "scores stored")


@wrong("attention", "semantics", "mask", "where")
def fused_attention_ignores_the_mask(
    query: Tensor, key: Tensor, value: Tensor, *, scale: float = 0.0, where: Tensor | None = None
) -> Tensor:
    """Attends to keys that the mask leaves out."""
    return head(query, key, value, scale, where, "mask")


@wrong("attention", "semantics", "mask", "where")
def fused_attention_transposes_the_mask(
    query: Tensor, key: Tensor, value: Tensor, *, scale: float = 0.0, where: Tensor | None = None
) -> Tensor:
    """Takes the mask's rows for its columns."""
    return head(query, key, value, scale, where, "mask transposed")


@wrong("attention", "semantics", "mask", "where")
def fused_attention_fills_with_zero(
    query: Tensor, key: Tensor, value: Tensor, *, scale: float = 0.0, where: Tensor | None = None
) -> Tensor:
    """Fills masked scores with 0, which is no mask."""
    return head(query, key, value, scale, where, "fill of zero")


@wrong("attention", "numerics", "mask", "where")
def fused_attention_fills_with_a_small_number(
    query: Tensor, key: Tensor, value: Tensor, *, scale: float = 0.0, where: Tensor | None = None
) -> Tensor:
    """Fills masked scores with -30, which lower scores lie below."""
    return head(query, key, value, scale, where, "small fill")


@wrong("attention", "semantics", "mask", "where", "nan")
def fused_attention_averages_masked_rows(
    query: Tensor, key: Tensor, value: Tensor, *, scale: float = 0.0, where: Tensor | None = None
) -> Tensor:
    """Gives a query that no key is left for the mean of all values."""
    return head(query, key, value, scale, where, "uniform rows")


@wrong("attention", "numerics", "large", "overflow", "nan")
def fused_attention_forgets_the_maximum(
    query: Tensor, key: Tensor, value: Tensor, *, scale: float = 0.0, where: Tensor | None = None
) -> Tensor:
    """Takes exponentials without the row's maximum."""
    return head(query, key, value, scale, where, "maximum")


@wrong("attention", "semantics", "value", "gradient")
def fused_attention_normalises_over_queries(
    query: Tensor, key: Tensor, value: Tensor, *, scale: float = 0.0, where: Tensor | None = None
) -> Tensor:
    """Takes softmax along the queries."""
    return head(query, key, value, scale, where, "axis")


@wrong("attention", "numerics", "value", "gradient")
def fused_attention_forgets_the_last_block(
    query: Tensor, key: Tensor, value: Tensor, *, scale: float = 0.0, where: Tensor | None = None
) -> Tensor:
    """Leaves out the last block of keys."""
    return head(query, key, value, scale, where, "last block")


@wrong("attention", "gradients", "gradient", "derivative")
def fused_attention_has_no_gradient_of_the_weights(
    query: Tensor, key: Tensor, value: Tensor, *, scale: float = 0.0, where: Tensor | None = None
) -> Tensor:
    """Differentiates the values alone."""
    return head(query, key, value, scale, where, "gradient of the weights")


@wrong("attention", "gradients", "gradient", "derivative")
def fused_attention_has_no_gradient_to_the_keys(
    query: Tensor, key: Tensor, value: Tensor, *, scale: float = 0.0, where: Tensor | None = None
) -> Tensor:
    """Leaves out the gradient to the keys."""
    return head(query, key, value, scale, where, "gradient to the keys")
