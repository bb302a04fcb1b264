"""Response to a request: one outcome for each quantity, the same way for every adapter."""

from __future__ import annotations

import re
import time
import zlib
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np

from .base import FLOWS, MASKS, Adapter, Array, Call, Tensor
from .bfloat16 import cast
from .call_ways import computed
from .promotion import refuses, result_dtypes
from .user_call import MISFIT, misfit_of

GRADIENT = "gradient:"
SECOND, JVP = "second:", "jvp:"
MAX_MESSAGE_CHARACTERS = 2000
COLOUR_CODES = re.compile("\x1b\\[[0-9;]*m")  # Keras paints its messages

Header = Dict[str, Any]
Arrays = Dict[str, Array]
Stored = Tuple[Array, str]


def answer(adapter: Adapter, request: Header, arrays: Arrays, warned: List[str]) -> Tuple[Header, Arrays]:
    """The response's header and arrays: one outcome for each quantity of the request.

    All quantities come from one call. Where that raises, each is asked for alone: a value whose gradient
    does not exist is still a value. `warned` is the list to which warnings are being collected.
    """
    del warned[:]
    start = time.process_time()
    outcomes: Dict[str, Header] = {}
    results: Dict[str, Stored] = {}
    try:
        call = adapter.call(request, arrays)
    except Exception as error:
        failed = failure(adapter, error, request.get("mixed", False))
        outcomes = dict.fromkeys(request["quantities"], failed)
    else:
        _observe(adapter, call, request, arrays, request["quantities"], outcomes, results)
    header = {
        "kind": "response",
        "id": request["id"],
        "warnings": list(dict.fromkeys(warned)),
        "seconds": time.process_time() - start,
        "compilations": adapter.compilations(),
        "outcomes": outcomes,
        "arrays": [{"name": name, "dtype": dtype} for name, (_, dtype) in results.items()],
    }
    return header, {name: array for name, (array, _) in results.items()}


def failure(adapter: Adapter, error: Exception, mixed: bool = False) -> Header:
    """The outcome that an error is: what the framework lacks is `unsupported`, all else `raised`.

    `mixed`: tensors have dtypes of their own, which a framework may refuse to take together.
    """
    misfit = misfit_of(adapter.users_function, error)
    if misfit:
        return {"status": "raised", "error": MISFIT, "message": misfit[:MAX_MESSAGE_CHARACTERS]}
    try:
        message = COLOUR_CODES.sub("", str(error))[:MAX_MESSAGE_CHARACTERS]
    except Exception as second_error:  # in the error's own message
        message = "its message cannot be shown: {}".format(type(second_error).__name__)
    if isinstance(error, NotImplementedError):
        return {"status": "unsupported", "message": message}
    reason = adapter.lacks(error)
    if reason is None and mixed and refuses(adapter.framework, error):
        reason = message
    if reason is not None:
        return {"status": "unsupported", "message": reason[:MAX_MESSAGE_CHARACTERS]}
    return {"status": "raised", "error": type(error).__name__, "message": message}


def _observe(
    adapter: Adapter,
    call: Call,
    request: Header,
    arrays: Arrays,
    quantities: Sequence[str],
    outcomes: Dict[str, Header],
    results: Dict[str, Stored],
) -> None:
    """Fill in the outcome, and the array if one is returned, of each of the quantities."""
    try:
        returned, overwritten = _evaluate(adapter, call, request, arrays, quantities)
    except Exception as error:
        if len(quantities) == 1:
            outcomes[quantities[0]] = failure(adapter, error, request.get("mixed", False))
            return
        for quantity in quantities:
            _observe(adapter, call, request, arrays, [quantity], outcomes, results)
        return
    results.update(returned)
    if adapter.users_function is not None:
        adapter.users_function.answered = True  # type: ignore[attr-defined]
    outcome: Header = {"status": "returned"}
    if overwritten:
        outcome["overwritten"] = overwritten
    if request.get("mixed"):
        outcome["dtypes"] = allowed(adapter, request)
    lacking = {"status": "unsupported", "message": "{} gives no gradients".format(adapter.framework)}
    outcomes.update((quantity, outcome if quantity in returned else lacking) for quantity in quantities)


def _evaluate(
    adapter: Adapter, call: Call, request: Header, arrays: Arrays, quantities: Sequence[str]
) -> Tuple[Dict[str, Stored], List[str]]:
    """The storage arrays of the quantities, and the inputs that a call wrote into.

    All come from one call; a second derivative from one of its own.
    """
    dtypes = {entry["name"]: entry["dtype"] for entry in request["arrays"]}
    if request.get("mixed") and "upstream" in arrays:  # it has the result's dtype
        result = allowed(adapter, request)[0]
        arrays = dict(arrays, upstream=cast(arrays["upstream"], dtypes["upstream"], result))
        dtypes["upstream"] = result
    arrays = {name: array != 0 if name in MASKS else array for name, array in arrays.items()}
    dtypes.update((name, "bool") for name in MASKS if name in arrays)
    tensors = {name: adapter.load(array, dtypes[name]) for name, array in arrays.items()}
    for name, layout in request.get("layouts", {}).items():
        tensors[name] = adapter.lay_out(tensors[name], layout)
    loaded = dict(tensors) if adapter.overwritable else {}
    sent = {name: _sum_of_bits(adapter, tensor) for name, tensor in loaded.items()}
    upstream, direction = (tensors.pop(name, None) for name in FLOWS)
    second = [quantity for quantity in quantities if quantity.startswith(SECOND)]
    forward = [quantity for quantity in quantities if quantity.startswith(JVP)]
    returned: Dict[str, Stored] = {}
    if request.get("tracked") == "none":
        with adapter.untracked():
            returned = _value_and_gradients(adapter, call, request, dict(tensors), None, quantities)
    elif len(second) + len(forward) < len(quantities):
        returned = _value_and_gradients(adapter, call, request, dict(tensors), upstream, quantities)
    for quantity in second:
        derivative = adapter.second(call, dict(tensors), quantity[len(SECOND) :], upstream, direction)
        returned[quantity] = adapter.store(derivative)
    for quantity in forward:
        tangent = adapter.tangent(call, dict(tensors), quantity[len(JVP) :], direction)
        returned[quantity] = adapter.store(tangent)
    overwritten = [name for name, tensor in loaded.items() if _sum_of_bits(adapter, tensor) != sent[name]]
    if adapter.conventions.get("in_place_gradient") and call.function is adapter.users_function:
        overwritten = [name for name in overwritten if not _holds_gradient(adapter, loaded, name, returned)]
    return returned, overwritten


def _holds_gradient(
    adapter: Adapter, loaded: Dict[str, Tensor], name: str, returned: Dict[str, Stored]
) -> bool:
    """Whether an input's memory holds the gradient with respect to it, bit for bit."""
    if GRADIENT + name not in returned:
        return False
    gradient = np.ascontiguousarray(returned[GRADIENT + name][0])
    return _sum_of_bits(adapter, loaded[name]) == zlib.crc32(gradient.data)


def allowed(adapter: Adapter, request: Header) -> List[str]:
    """The dtypes that the result may have, the documented one first."""
    return result_dtypes(adapter.framework, request, adapter.users_function is not None)


def _value_and_gradients(
    adapter: Adapter,
    call: Call,
    request: Header,
    tensors: Dict[str, Tensor],
    upstream: Tensor,
    quantities: Sequence[str],
) -> Dict[str, Stored]:
    """The storage arrays of the value and of the gradients among the quantities, these or none of them."""
    wrt = [quantity for quantity in quantities if quantity.startswith(GRADIENT)]
    names, way = tuple(name[len(GRADIENT) :] for name in wrt), request.get("call", "once")
    graph = request.get("graph")
    if graph and names:
        value, gradients = adapter.gradients_through(graph, call, tensors, names, upstream)
    else:
        value, gradients = computed(adapter, way, call, tensors, names, upstream)
    if len(gradients) not in (0, len(wrt)):  # which of them these are, nobody can tell
        raise ValueError("the adapter gave {} of {} gradients".format(len(gradients), len(wrt)))
    returned = {}
    if "value" in quantities:
        array, dtype = adapter.store(value)
        if request["operation"] == "one_hot" and dtype != request["dtype"]:  # integers: no framework agrees
            array, dtype = cast(array, dtype, request["dtype"]), request["dtype"]
        returned["value"] = (array, dtype)
    for quantity, gradient in zip(wrt, gradients):
        returned[quantity] = adapter.store(gradient)
    return returned


def _sum_of_bits(adapter: Adapter, tensor: Tensor) -> int:
    return zlib.crc32(np.ascontiguousarray(adapter.store(tensor)[0]).data)
