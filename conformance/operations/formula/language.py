"""Language of formulas, as the operations of the suite are written in it: the kinds and the vocabulary."""

from conformance.operations.formula.kinds import (
    class_probabilities,
    labels,
    log_probs,
    matrix,
    probabilities,
    scores,
    targets,
    weights,
)
from conformance.operations.formula.vocabulary import *  # noqa: F403  # the vocabulary is its __all__
from conformance.operations.formula.vocabulary import __all__ as _vocabulary

__all__ = [
    "class_probabilities",
    "labels",
    "log_probs",
    "matrix",
    "probabilities",
    "scores",
    "targets",
    "weights",
    *_vocabulary,
]
