"""Parts of a program, before any framework's syntax: tensors, definitions, the call, the derivative."""

from __future__ import annotations

from dataclasses import dataclass

#: Inputs that are named otherwise in a program, whose result is `value`.
NAMES = {"value": "values"}


@dataclass(frozen=True)
class Tensor:
    """Tensor that a program defines.

    Attributes:
        name: Its name.
        values: An expression for nested lists, or for a flat list where `shape` is given.
        shape: The shape of a flat list.
        integers: The dtype of labels, or a dtype of its own; empty for what has the check's dtype.
        needs: The import that `values` needs; empty for none.
        laid_out: Statements that lay it out in memory; none where it is contiguous.
    """

    name: str
    values: str
    shape: tuple[int, ...] | None
    integers: str
    needs: str
    laid_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Program:
    """Program in parts, before any framework's syntax.

    Attributes:
        imports: Statements that the definitions need.
        tensors: The tensors that it defines.
        inputs: The names of those that the operation takes.
        definitions: Functions of the adapters.
        call: The expression of the value.
        wrt: The input of a derivative; empty for the value.
        upstream: Whether a tensor `upstream` is defined.
        dtype: The check's dtype.
        mode: The subject's mode.
        device: The subject's device; empty for the framework's own choice.
        index: The worst element's; empty for the whole array.
        function: The expression of the function that `call` calls.
        second: Whether the derivative of <gradient, direction> is meant, not the gradient.
        forward: Whether the derivative of the value along `direction` is meant.
        cast: Whether integers are compared in the dtype, as one_hot's.
        graph: What a gradient goes back through; empty for the call alone.
        untracked: Whether the call is made as in inference, where nothing is recorded for gradients.
        mixed: Whether tensors have dtypes of their own: the upstream gradient has the result's.
        widened: Whether the mode returns the value in float32, whatever the dtype.
    """

    imports: list[str]
    tensors: list[Tensor]
    inputs: list[str]
    definitions: list[str]
    call: str
    wrt: str
    upstream: bool
    dtype: str
    mode: str
    device: str
    index: tuple[int, ...]
    function: str
    second: bool = False
    forward: bool = False
    cast: bool = False
    untracked: bool = False
    graph: str = ""
    mixed: bool = False
    widened: bool = False

    @property
    def names(self) -> str:
        """What a function that computes the result takes."""
        flows = (["upstream"] if self.upstream else []) + (
            ["direction"] if self.second or self.forward else []
        )
        return ", ".join([*self.inputs, *flows])

    @property
    def argument(self) -> str:
        """What the function itself calls the input of a derivative."""
        return {name: own for own, name in NAMES.items()}.get(self.wrt, self.wrt)

    @property
    def subscript(self) -> str:
        """The worst element's index as a subscript; the whole array where there is none."""
        return f"[{', '.join(map(str, self.index))}]" if self.index else ""
