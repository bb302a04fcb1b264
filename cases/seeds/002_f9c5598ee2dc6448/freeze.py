"""Draws the notebook's tensors again and writes them beside this file: python freeze.py (torch 1.7 to 2.13).

The notebook seeds PyTorch once, so the order of its draws is part of it; its author ran the third cell
twice, and the figure shown is that of the second draw.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the notebook's own name

HERE = Path(__file__).parent


def printed(loss: torch.Tensor, figure: str) -> None:
    """Stops where a loss does not come out as the notebook shows it."""
    if f"{loss.item():.4f}" != figure:
        raise SystemExit(f"the loss is {loss.item():.6f}, the notebook shows {figure}")


def binary(name: str, *shape: int, figure: str) -> None:
    """One of the notebook's binary examples: logits, their probabilities, and targets of 0 and 1."""
    logits = torch.randn(*shape)
    target = torch.empty(*shape).random_(2)
    probs = torch.sigmoid(logits)
    printed(F.binary_cross_entropy(probs, target), figure)
    printed(F.binary_cross_entropy_with_logits(logits, target), figure)
    for part, tensor in (("logits", logits), ("probs", probs), ("target", target)):
        np.save(HERE / f"{name}-{part}.npy", tensor.numpy())


def classes(name: str, *shape: int, figure: str) -> None:
    """One of the notebook's examples with classes: logits and labels."""
    logits = torch.randn(*shape)
    target = torch.empty((shape[0], *shape[2:]), dtype=torch.long).random_(shape[1])
    printed(F.cross_entropy(logits, target), figure)
    np.save(HERE / f"{name}-logits.npy", logits.numpy())
    np.save(HERE / f"{name}-target.npy", target.numpy())


if __name__ == "__main__":
    torch.manual_seed(2020)
    binary("binary-single", 3, figure="0.2576")
    binary("binary-batch", 32, 5, figure="0.8165")
    classes("classes-single-first", 3, 5, figure="1.7413")
    classes("classes-single", 3, 5, figure="1.7541")
    classes("classes-batch", 32, 10, 5, figure="2.7944")
