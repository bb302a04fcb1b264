"""Kinds of a formula's inputs: what their numbers mean, from which shapes, values and cases follow."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """What an input holds.

    Attributes:
        name: The kind, as an author writes it.
        meaning: What its numbers are.
        rows: Of a matrix, the name or the number of its rows; empty for other kinds.
        columns: Of a matrix, the name or the number of its columns.
    """

    name: str
    meaning: str
    rows: str | int = ""
    columns: str | int = ""

    @property
    def integral(self) -> bool:
        """Whether it holds integers."""
        return self.name == "labels"


scores = Kind("scores", "unbounded numbers: logits")
log_probs = Kind("log_probs", "logarithms of probabilities, at most 0")
probabilities = Kind("probabilities", "numbers in [0, 1], each by itself")
targets = Kind("targets", "wanted values in [0, 1], of the shape of the scores")
labels = Kind("labels", "one integer a row, of the classes of the scores")
class_probabilities = Kind("class_probabilities", "numbers that sum to 1 over the classes, beside the scores")
weights = Kind("weights", "one factor a class, at least 0")


def matrix(rows: str | int, columns: str | int) -> Kind:
    """A matrix; equal names of rows and columns stand for equal sizes.

    Args:
        rows: A name, as "tokens", or a number.
        columns: A name, as "features", or a number.
    """
    return Kind("matrix", f"a matrix of {rows} x {columns}", rows, columns)
