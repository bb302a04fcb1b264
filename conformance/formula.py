"""Formulas: any loss as a text over a small vocabulary; `from conformance import formula as m`.

From the text follow the exact value and its derivatives, the bound of the formula as written and a NumPy
reference:

    @m.operation(logits=m.scores, target=m.targets)
    def focal(logits, target, *, gamma=2.0, reduction="mean"):
        p = m.sigmoid(logits)
        agree = p * target + (1 - p) * (1 - target)
        return m.reduce(m.binary_cross_entropy_with_logits(logits, target) * (1 - agree) ** gamma, reduction)
"""

from __future__ import annotations

from conformance.operations.formula.graph import FormulaError
from conformance.operations.formula.graph import Node as Expression
from conformance.operations.formula.language import *  # noqa: F403  # kinds and vocabulary are its __all__
from conformance.operations.formula.language import __all__ as _language
from conformance.operations.formula.operation import FormulaOperation, operation
from conformance.operations.registry import register

__all__ = ["Expression", "FormulaError", "FormulaOperation", "operation", "register", *_language]
