"""NumPy: half types computed in float32 and rounded once, at the end; gradients by hand."""

from __future__ import annotations

from typing import Any, ContextManager, Dict, List, Optional, Sequence, Tuple

import numpy as np

from ..base import Adapter, Array, Call, Unsupported
from ..bfloat16 import name_of, narrow, widen
from ..layouts import Layout
from ..promotion import result_dtypes
from .description import DESCRIPTION
from .formulations import FUNCTIONS
from .kernels import kernels
from .layouts import lay_out
from .second_derivatives import SECOND
from .tangents import TANGENTS


class NumpyAdapter(Adapter):
    """NumPy. A user's own function is given true float16 arrays; there is no bfloat16 to give."""

    framework = "numpy"
    modes = DESCRIPTION.mode_names
    devices = DESCRIPTION.devices
    formulations = FUNCTIONS
    overwritable = True

    def __init__(self, mode: Optional[str] = None, device: Optional[str] = None) -> None:
        super().__init__(mode, device)
        np.seterr(all="ignore")  # infinities are results like others here
        #: Of a request whose tensors have dtypes of their own, by name, and the result's by the empty name.
        self.dtypes: Dict[str, str] = {}

    def call(self, request: Dict[str, Any], arrays: Dict[str, Array]) -> Call:
        """The call; the dtypes of its tensors are noted, which `load` widens."""
        self.dtypes = {}
        if request.get("mixed"):
            users = self.users_function is not None
            result = result_dtypes(self.framework, request, users)[0]
            self.dtypes = dict({entry["name"]: entry["dtype"] for entry in request["arrays"]}, **{"": result})
        return super().call(request, arrays)

    def load(self, array: Array, dtype: str) -> Array:
        """Half types as float32, which holds them exactly; but float16 as it is for a user's function."""
        if dtype == "bfloat16":
            return widen(array)
        return array.astype(np.float32) if dtype == "float16" and self.users_function is None else array

    def promote(self, name: str, tensor: Array, call: Call) -> Array:
        """A tensor in the result's dtype, half types as float32: scores of integers too, but no labels."""
        if tensor.dtype.kind != "f" and name != call.inputs[0]:
            return tensor
        return tensor.astype("float64" if self.dtypes[""] == "float64" else "float32")

    def lay_out(self, tensor: Array, layout: Layout) -> Array:
        return lay_out(tensor, layout)

    def store(self, result: Array) -> Tuple[Array, str]:
        array = np.asarray(result)
        return array, "bfloat16" if array.dtype == np.uint16 else name_of(array.dtype)

    def compute(
        self, call: Call, tensors: Dict[str, Array], wrt: Tuple[str, ...], upstream: Optional[Array]
    ) -> Tuple[Array, Sequence[Array]]:
        gradient = getattr(call.function, "gradient", None)
        if wrt and gradient is None:
            raise Unsupported("NumPy has no autograd, and this formulation no gradient by hand")
        users = call.function is self.users_function
        if users:
            if "bfloat16" in (call.dtype, *self.dtypes.values()):
                raise Unsupported("NumPy has no bfloat16")
            own = {name: self.dtypes.get(name, call.dtype) for name in tensors}
            tensors = {name: narrowed(tensor, own[name]) for name, tensor in tensors.items()}
        elif self.dtypes:
            tensors = {name: self.promote(name, tensor, call) for name, tensor in tensors.items()}
        value = call(tensors)
        gradients: List[Array] = []
        if gradient is not None and wrt:
            upstream = np.ones_like(value) if upstream is None else upstream
            by_name = call._replace(function=gradient, inputs=("upstream",) + call.inputs)(
                dict(
                    tensors,
                    upstream=narrowed(upstream, self.dtypes.get("", call.dtype)) if users else upstream,
                )
            )
            gradients = [named(by_name, name, call.inputs) for name in wrt]
        if users:
            return value, gradients
        if self.dtypes:
            names = [self.dtypes[name] for name in wrt]
            return converted(value, self.dtypes[""]), list(map(converted, gradients, names))
        return narrowed(value, call.dtype), [narrowed(array, call.dtype) for array in gradients]

    def second(
        self,
        call: Call,
        tensors: Dict[str, Array],
        name: str,
        upstream: Optional[Array],
        direction: Array,
    ) -> Array:
        by_hand = SECONDS.get(call.function) or getattr(call.function, "second", None)
        if by_hand is None:
            raise Unsupported("NumPy has no autograd, and this formulation no second derivative by hand")
        users = call.function is self.users_function
        if users and call.dtype == "bfloat16":
            raise Unsupported("NumPy has no bfloat16")
        upstream = np.ones_like(call(tensors)) if upstream is None else upstream
        tensors = dict(tensors, upstream=upstream, direction=direction)
        if users:
            tensors = {name: narrowed(tensor, call.dtype) for name, tensor in tensors.items()}
        result = call._replace(function=by_hand, inputs=("upstream", "direction") + call.inputs)(tensors)
        return result if users else narrowed(result, call.dtype)

    def gradients_through(
        self,
        graph: str,
        call: Call,
        tensors: Dict[str, Array],
        wrt: Tuple[str, ...],
        upstream: Optional[Array],
    ) -> Tuple[Array, Sequence[Array]]:
        """The gradient by hand, asked for twice; that of an upstream gradient of 0 is 0."""
        value, gradients = self.compute(call, dict(tensors), wrt, upstream)
        if graph == "shared":
            nothing = np.zeros_like(value if upstream is None else upstream)
            self.compute(call, dict(tensors), wrt, nothing)
            return value, gradients
        return self.compute(call, dict(tensors), wrt, upstream) if graph == "retained" else (value, gradients)

    def tangent(self, call: Call, tensors: Dict[str, Array], name: str, direction: Array) -> Array:
        by_hand = FORWARD.get(call.function) or getattr(call.function, "jvp", None)
        if by_hand is None:
            raise Unsupported("NumPy has no autograd, and this formulation no forward derivative by hand")
        users = call.function is self.users_function
        if users and call.dtype == "bfloat16":
            raise Unsupported("NumPy has no bfloat16")
        tensors = dict(tensors, direction=direction)
        if users:
            tensors = {key: narrowed(tensor, call.dtype) for key, tensor in tensors.items()}
        inputs = [tensors.pop(key) for key in ("direction",) + call.inputs]
        result = by_hand(name, *inputs, **tensors, **dict(call.scalars))
        return result if users else narrowed(result, call.dtype)

    def kernels(self) -> Dict[str, Any]:
        return kernels()

    def one_thread(self) -> ContextManager[None]:
        """None: NumPy computes none of this with more."""
        raise Unsupported("NumPy's loops have one thread")

    def describe(self) -> Dict[str, Any]:
        return {"version": np.__version__, "versions": {}, "hardware": {}, "settings": {}}


def narrowed(array: Array, dtype: str) -> Array:
    """A float32 array rounded to the half type that was asked for (bfloat16: its bits); others as is."""
    array = np.asarray(array)
    if array.dtype != np.float32 or dtype not in ("float16", "bfloat16"):
        return array
    return array.astype(np.float16) if dtype == "float16" else narrow(array)


def converted(array: Array, dtype: str) -> Array:
    """An array in the dtype, as bits where that is bfloat16."""
    array = np.asarray(array)
    return narrow(array) if dtype == "bfloat16" else array.astype(dtype)


def named(gradients: Any, name: str, inputs: Tuple[str, ...]) -> Array:
    """The gradient with respect to one input; a bare array is that of the first input."""
    if not isinstance(gradients, dict):
        gradients = {inputs[0]: gradients}
    if name not in gradients:
        raise Unsupported("the gradient by hand leaves out {}".format(name))
    return gradients[name]


#: Function -> its second derivative by hand.
SECONDS = {
    FUNCTIONS[operation][name]: second
    for operation, table in SECOND.items()
    for name, second in table.items()
}

#: Function -> its derivative along a direction by hand.
FORWARD = {FUNCTIONS[operation]["functional"]: tangent for operation, tangent in TANGENTS.items()}

ADAPTER = NumpyAdapter
