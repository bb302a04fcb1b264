"""Calls of a user's function: a class or module as a function, one of several results, misfits in one line.

A misfit is what no call of the operation could change: a required argument, too few inputs, a tuple.
"""

from __future__ import annotations

import inspect
import re
from typing import Any, Callable, Dict, Optional, Tuple

from .base import DEFAULTS, Function, of_class

#: The error's name in the answers of a function that does not fit; its message says the remedy.
MISFIT = "Misfit"
#: How Python says that a call lacks an argument, or has too many inputs, behind a hidden signature.
_LACKS = re.compile(r"missing \d+ required (?:positional|keyword-only) arguments?: '(\w+)'")
_TOO_MANY = re.compile(r"takes (?:from \d+ to )?\d+ positional arguments? but \d+ were given")

#: What adapters read of a user's function besides its signature.
_ATTRIBUTES = ("gradient", "conventions")
_VARIABLE = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class Misfit(TypeError):
    """No call of the operation fits the function; the text is one line, with the remedy."""


def fitted(value: Callable[..., Any], name: str, returns: Optional[str] = None) -> Function:
    """The function that stands in the place of `functional`.

    A class with `forward` is built from the parameters and called on the inputs; an instance with `forward`
    is called, and has the signature of `forward`.

    Args:
        value: What the user's file has under the name.
        name: The name, as messages show it.
        returns: Which of several results is the loss, an index or a key; None: there is one result.

    Returns:
        A function that raises `Misfit`, and keeps its text as the attribute `misfit`, where no call fits;
        whoever calls it sets its attribute `answered` once it has.
    """
    called: Any = value
    signature = _signature(value)
    if inspect.isclass(called) and hasattr(called, "forward"):
        if signature is not None and all(
            parameter.kind in _VARIABLE for parameter in signature.parameters.values()
        ):
            called = called()
        else:
            made: Any = called
            called = of_class(made)
    if hasattr(called, "forward"):
        signature = _signature(called.forward)
    return _guarded(called, signature, name, returns)


def misfit_of(function: Optional[Function], error: Exception) -> str:
    """Why no call of the operation fits a user's function, by an error of one; empty where it is the call's.

    Args:
        function: The user's function; None: there is none.
        error: What a call of it raised, perhaps as a framework passed it on.
    """
    text: str = getattr(function, "misfit", "")
    if text or function is None or getattr(function, "answered", True):
        return text
    name, message = function.user_name, str(error)  # type: ignore[attr-defined]
    lacking = _LACKS.search(message)
    if lacking:
        return _required(name, lacking.group(1))
    return (
        "{}: give it all inputs of the operation, in their order".format(message)
        if _TOO_MANY.search(message)
        else ""
    )


def _guarded(
    called: Callable[..., Any], signature: Optional[inspect.Signature], name: str, returns: Optional[str]
) -> Function:
    """The function, whose faults of structure are told apart from those of a single call."""

    def function(*inputs: Any, **parameters: Any) -> Any:
        try:
            result = called(*inputs, **parameters)
        except TypeError:
            text = _lacking(name, signature, len(inputs), parameters)
            if not text:
                raise
        else:
            result, text = _chosen(result, name, returns)
            if not text:
                return result
        function.misfit = text  # type: ignore[attr-defined]
        raise Misfit(text)

    inputs_alone = inspect.Signature([inspect.Parameter("inputs", inspect.Parameter.VAR_POSITIONAL)])
    function.__signature__ = signature or inputs_alone  # type: ignore[attr-defined]
    function.misfit, function.answered, function.user_name = "", False, name  # type: ignore[attr-defined]
    for attribute in _ATTRIBUTES:
        if hasattr(called, attribute):
            setattr(function, attribute, getattr(called, attribute))
    return function


def _signature(value: Callable[..., Any]) -> Optional[inspect.Signature]:
    """The signature of what can be called; None for a builtin, which tells nothing of itself."""
    try:
        return inspect.signature(value)
    except (TypeError, ValueError):
        return None


def _lacking(
    name: str, signature: Optional[inspect.Signature], inputs: int, parameters: Dict[str, Any]
) -> str:
    """The argument that a signature requires and no call gives, in words; empty where there is none.

    Args:
        name: The function's name.
        signature: Its signature; None where it tells none.
        inputs: The number of inputs of a call that failed, which come by position.
        parameters: Its parameters, which come by name.
    """
    for place, parameter in enumerate(signature.parameters.values() if signature else ()):
        by_position = parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        given = parameter.name in parameters or (by_position and place < inputs)
        if parameter.default is parameter.empty and parameter.kind not in _VARIABLE and not given:
            return _required(name, parameter.name)
    return ""


def _required(name: str, argument: str) -> str:
    why = "not every call gives" if argument in DEFAULTS else "the operation does not give"
    return "{} requires {}, which {}: give it a default".format(name, argument, why)


def _chosen(result: Any, name: str, returns: Optional[str]) -> Tuple[Any, str]:
    """The result that is the loss, and why there is none; empty where there is one."""
    several = isinstance(result, (tuple, list, dict))
    if returns is None and isinstance(result, (tuple, dict)):
        first = next(iter(result), "") if isinstance(result, dict) else 0
        return None, "{} returns {}: say which is the loss, as --returns {}".format(
            name, _described(result), first
        )
    if returns is None:
        return result, "" if result is not None else "{} returns None: return the loss".format(name)
    if not several:
        return None, "--returns {}: {} returns one {}: leave it out".format(
            returns, name, type(result).__name__
        )
    by_index = returns.lstrip("-").isdigit() and not isinstance(result, dict)
    try:
        return result[int(returns) if by_index else returns], ""
    except (LookupError, TypeError):
        return None, "--returns {}: {} returns {}".format(returns, name, _described(result))


def _described(result: Any) -> str:
    """A tuple, list or dict in a few words."""
    if isinstance(result, dict):
        return "a dict of {}".format(", ".join(str(key) for key in list(result)[:8]) or "nothing")
    return "a {} of {}".format("list" if isinstance(result, list) else "tuple", len(result))
