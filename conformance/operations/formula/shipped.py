"""Operations of the suite that are defined by a formula, and what the corpus asks beside its text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from conformance.arithmetic.balls import NAN, Ball
from conformance.arithmetic.formats import FloatArray
from conformance.errors import ArgumentError
from conformance.operations.base import REDUCTIONS, Arguments, Relation
from conformance.operations.formula.graph import FormulaError
from conformance.operations.formula.kinds import Kind
from conformance.operations.formula.operation import FormulaOperation
from conformance.operations.formula.signature import Formula

Undefined = Callable[[Arguments, str], npt.NDArray[np.bool_]]


class ShippedFormula(FormulaOperation):
    """Operation of the suite whose mathematics is a formula.

    Attributes:
        formulations: See `Operation`.
        relations: See `Operation`.
        controls: See `Operation`.
        differentiated: The optional tensors that gradients are taken with respect to, where given.
        rows: Whether the scores of a row are those of classes, though there are no labels.
        undefined: Which elements of a quantity a row that is masked throughout makes nan, where the formula
            has 0 for its probabilities.
    """

    def __init__(
        self,
        function: Formula,
        kinds: Mapping[str, Kind],
        formulations: tuple[str, ...],
        relations: tuple[Relation, ...] = (),
        differentiated: tuple[str, ...] = (),
        controls: tuple[str, ...] = ("functional", "composed"),
        reductions: tuple[str, ...] = REDUCTIONS,
        rows: bool = False,
        undefined: Undefined | None = None,
    ) -> None:
        super().__init__(function, kinds)
        self.parameters = tuple(  # type: ignore[misc]
            replace(item, choices=reductions) if item.kind == "reduction" else item
            for item in self.parameters
        )
        self.formulations = formulations  # type: ignore[misc, assignment]  # of a formula each instance is an operation
        self.relations = relations  # type: ignore[misc]
        self.controls = controls  # type: ignore[misc]
        self.differentiated, self.rows, self.undefined = differentiated, rows, undefined

    @property
    def by_class(self) -> bool:
        """See `FormulaOperation`; scores alone are those of classes where the author says so."""
        return self.rows or super().by_class

    def check_shapes(self, arguments: Arguments) -> None:
        """See `Operation`: the formula's own complaint, without the place in its text."""
        try:
            super().check_shapes(arguments)
        except FormulaError as error:
            text = str(error)
            raise ArgumentError(f"{self.name}: {text.partition(': ')[2] or text}") from None

    def masked_rows(self, arguments: Arguments, quantity: str) -> npt.NDArray[np.bool_]:
        """See `Operation`: of the value."""
        nothing = super().masked_rows(arguments, quantity)
        if self.undefined is None or quantity != "value":
            return nothing
        return np.broadcast_to(self.undefined(arguments, quantity), nothing.shape)

    def balls(self, arguments: Arguments, quantity: str, g: FloatArray) -> Iterable[Ball]:
        """See `Operation`."""
        result = super().balls(arguments, quantity, g)
        if self.undefined is None:
            return result
        shape = self.quantity_shape(arguments, quantity)
        gone = np.broadcast_to(self.undefined(arguments, quantity), shape).ravel()
        return [NAN if none else value for none, value in zip(gone, result, strict=True)]

    def balls_of_masked_zeros(self, arguments: Arguments, quantity: str, g: FloatArray) -> Iterable[Ball]:
        """See `Operation`: the formula's own decision."""
        return super().balls(arguments, quantity, g)

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
    reductions: tuple[str, ...] = REDUCTIONS,
    rows: bool = False,
    undefined: Undefined | None = None,
    **kinds: Kind,
) -> Callable[[Formula], ShippedFormula]:
    """Decorator that makes an operation of the suite of a formula, in a module of `operations/by_formula`.

    Args:
        formulations: The ways to compute it that frameworks may offer.
        relations: Identities between two of them.
        differentiated: The optional tensors that gradients are taken with respect to.
        controls: The formulations beside which a user's function is judged.
        reductions: What the parameter `reduction` may be.
        rows: Whether the scores of a row are those of classes, though there are no labels.
        undefined: Given arguments and a quantity, which of its elements a row that is masked throughout makes
            nan; of a shape that broadcasts to the quantity's.
        **kinds: For each positional argument its kind; see `operation`.
    """

    def decorated(function: Formula) -> ShippedFormula:
        return ShippedFormula(
            function, kinds, formulations, relations, differentiated, controls, reductions, rows, undefined
        )

    return decorated
