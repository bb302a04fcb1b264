"""Operations of the suite that are defined by a formula, and what the corpus asks beside its text."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from conformance.errors import ArgumentError
from conformance.operations.base import Arguments, Relation
from conformance.operations.formula.graph import FormulaError
from conformance.operations.formula.kinds import Kind
from conformance.operations.formula.operation import FormulaOperation
from conformance.operations.formula.signature import Formula


class ShippedFormula(FormulaOperation):
    """Operation of the suite whose mathematics is a formula.

    Attributes:
        formulations: See `Operation`.
        relations: See `Operation`.
        controls: See `Operation`.
        differentiated: The optional tensors that gradients are taken with respect to, where given.
    """

    def __init__(
        self,
        function: Formula,
        kinds: Mapping[str, Kind],
        formulations: tuple[str, ...],
        relations: tuple[Relation, ...] = (),
        differentiated: tuple[str, ...] = (),
        controls: tuple[str, ...] = ("functional", "composed"),
    ) -> None:
        super().__init__(function, kinds)
        self.formulations = formulations  # type: ignore[misc, assignment]  # of a formula each instance is an operation
        self.relations = relations  # type: ignore[misc]
        self.controls = controls  # type: ignore[misc]
        self.differentiated = differentiated

    def check_shapes(self, arguments: Arguments) -> None:
        """See `Operation`: the formula's own complaint, without the place in its text."""
        try:
            super().check_shapes(arguments)
        except FormulaError as error:
            text = str(error)
            raise ArgumentError(f"{self.name}: {text.partition(': ')[2] or text}") from None

    def differentiable(self, arguments: Arguments) -> tuple[str, ...]:
        """See `Operation`; of optional tensors, those that are given."""
        given = [name for name in self.differentiated if isinstance(arguments.get(name), np.ndarray)]
        return (*super().differentiable(arguments), *given)


def shipped(
    *,
    formulations: tuple[str, ...],
    relations: tuple[Relation, ...] = (),
    differentiated: tuple[str, ...] = (),
    controls: tuple[str, ...] = ("functional", "composed"),
    **kinds: Kind,
) -> Callable[[Formula], ShippedFormula]:
    """Decorator that makes an operation of the suite of a formula, in a module of `operations/by_formula`.

    Args:
        formulations: The ways to compute it that frameworks may offer.
        relations: Identities between two of them.
        differentiated: The optional tensors that gradients are taken with respect to.
        controls: The formulations beside which a user's function is judged.
        **kinds: For each positional argument its kind; see `operation`.
    """

    def decorated(function: Formula) -> ShippedFormula:
        return ShippedFormula(function, kinds, formulations, relations, differentiated, controls)

    return decorated
