"""JAX, in each of its modes. Gradients by ``jax.vjp``."""

from __future__ import annotations

import os
from contextlib import nullcontext
from functools import partial
from typing import Any, Callable, ContextManager, Dict, FrozenSet, Optional, Sequence, Set, Tuple

import jax
import jax.numpy as jnp
import numpy as np

from ..base import (
    DEFAULTS,
    FLOWS,
    FORMULATIONS,
    Adapter,
    Array,
    Call,
    Function,
    Tensor,
    Unavailable,
    Unsupported,
    signature_of,
)
from ..bfloat16 import name_of
from ..by_rows import row_call
from ..thread_count import threads_named
from .description import DESCRIPTION
from .formulations import FUNCTIONS
from .kernels import error_of_float16, kernels, require_isa_flag
from .modes import BY_ROWS, MODES
from .program_files import can_keep
from .programs import Programs

BFLOAT16 = np.dtype(jnp.bfloat16)
SECOND, JVP, GRAPH = "second:", "jvp:", "graph:"
#: Parameters that our own formulations take as traced numbers: one compilation serves all their values.
TRACED = ("ignore_index", "label_smoothing")
#: Parameters that are filled in where a request leaves them out: saying the default compiles nothing new.
FILLED_IN = ("axis", "reduction", "ignore_index")


class JaxAdapter(Adapter):
    """JAX 0.4.13 and newer. x64 is on where float64 is asked for alone: float32 runs as its users run it."""

    framework = "jax"
    modes = DESCRIPTION.mode_names
    devices = DESCRIPTION.devices
    formulations = FUNCTIONS

    def __init__(self, mode: Optional[str] = None, device: Optional[str] = None) -> None:
        super().__init__(mode, device)
        require_isa_flag(os.environ.get("XLA_FLAGS", ""))
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # subjects share a GPU
        if self.device == "cpu":
            jax.config.update("jax_platforms", "cpu")
        jax.config.update("jax_traceback_filtering", "off")  # of an error its type and message are told
        try:
            self.jax_device = jax.devices(self.device)[0]
        except RuntimeError as error:
            reason = (str(error).splitlines() or [""])[0]
            raise Unavailable("jax has no device {!r} here: {}".format(self.device, reason)) from error
        self.reported = kernels() if self.device == "cpu" else {}
        self.float16_error = error_of_float16(self.reported)
        cache = os.environ.get("CONFORMANCE_CACHE")
        if self.mode == "eager" or not can_keep():
            use_cache(cache)
        about = "{} {}".format(self.device, self.jax_device.device_kind)
        self.evaluate: Function = evaluate
        if self.mode not in ("jit", "eager"):
            self.evaluate = partial(evaluate, carry_out=MODES[self.mode])
            about = "{} {}".format(about, self.mode)
        self.programs = Programs(self.evaluate, cache, about)
        self.users_programs: Dict[Any, Function] = {}
        self.compiled: Set[Any] = set()
        self.wanted: FrozenSet[str] = frozenset(FORMULATIONS)

    def call(self, request: Dict[str, Any], arrays: Dict[str, Array]) -> Call:
        """The call on a batch, or on a row of it; which formulations the run asks for is noted."""
        self.wanted = frozenset(request.get("formulations", FORMULATIONS))
        dtypes = {request["dtype"], *(entry["dtype"] for entry in request["arrays"])}
        if "float16" in dtypes and self.float16_error:
            raise Unsupported("XLA compiles no float16 without F16C: {}".format(self.float16_error))
        call = super().call(request, arrays)
        return row_call(request["operation"], call, arrays) if self.mode in BY_ROWS else call

    def load(self, array: Array, dtype: str) -> Tensor:
        """The NumPy array: JAX takes it as it is, and makes of it what its x64 mode says."""
        return array.view(BFLOAT16) if dtype == "bfloat16" else array

    def store(self, result: Tensor) -> Tuple[Array, str]:
        """The array of a JAX array."""
        if not isinstance(result, jax.Array):
            raise TypeError("a JAX array was expected, not {}".format(type(result).__name__))
        array = np.asarray(result)
        if array.dtype == BFLOAT16:
            return array.view(np.uint16), "bfloat16"
        return array, name_of(array.dtype)

    def compute(
        self, call: Call, tensors: Dict[str, Tensor], wrt: Tuple[str, ...], upstream: Optional[Tensor]
    ) -> Tuple[Tensor, Sequence[Tensor]]:
        """Value and gradients out of one compiled program."""
        return self.carry_out(call, wrt, tensors, upstream)  # type: ignore[no-any-return]

    def second(
        self,
        call: Call,
        tensors: Dict[str, Tensor],
        name: str,
        upstream: Optional[Tensor],
        direction: Tensor,
    ) -> Tensor:
        """By the pullback of the pullback, which a function of one's own with a custom_vjp has too."""
        return self.carry_out(call, (SECOND + name,), dict(tensors, direction=direction), upstream)

    def gradients_through(
        self,
        graph: str,
        call: Call,
        tensors: Dict[str, Tensor],
        wrt: Tuple[str, ...],
        upstream: Optional[Tensor],
    ) -> Tuple[Tensor, Sequence[Tensor]]:
        """In one program, as `compute`."""
        return self.carry_out(call, (GRAPH + graph, *wrt), tensors, upstream)  # type: ignore[no-any-return]

    def tangent(self, call: Call, tensors: Dict[str, Tensor], name: str, direction: Tensor) -> Tensor:
        """By ``jax.jvp``."""
        return self.carry_out(call, (JVP + name,), dict(tensors, direction=direction), None)

    def lacks(self, error: Exception) -> Optional[str]:
        """Forward mode, of a function that has a gradient of its own alone (``jax.custom_vjp``)."""
        return str(error) if CUSTOM_VJP in str(error) else None

    def carry_out(
        self, call: Call, wrt: Tuple[str, ...], tensors: Dict[str, Tensor], upstream: Optional[Tensor]
    ) -> Any:
        """What `evaluate` gives, in this mode."""
        wide = any(tensor.dtype == np.float64 for tensor in tensors.values())
        with enable_x64() if call.dtype == "float64" or wide else nullcontext():
            users = call.function is self.users_function
            call, traced = (call, {}) if users else normalized(call)
            if self.mode == "eager":
                tensors = {name: jnp.asarray(tensor) for name, tensor in tensors.items()}
                return evaluate(call, wrt, tensors, traced, upstream)
            if users:
                return self.compute_users(call, wrt, (tensors, traced, upstream))
            name, calls = self.beside(call, frozenset(traced).union(tensors).difference(FLOWS))
            return self.programs.run(name, calls, wrt, (tensors, traced, upstream))

    def compute_users(
        self, call: Call, wrt: Tuple[str, ...], arguments: Tuple[Any, ...]
    ) -> Tuple[Tensor, Sequence[Tensor]]:
        """The same for a user's function: nothing is known of what it depends on, so nothing is kept."""
        key = (call, wrt)
        if key not in self.users_programs:
            self.users_programs[key] = jax.jit(lambda *arrays: self.evaluate(call, wrt, *arrays))
        shapes = tuple((name, tensor.shape, tensor.dtype) for name, tensor in arguments[0].items())
        self.compiled.add((key, arguments[2] is None, shapes))
        return self.users_programs[key](*arguments)  # type: ignore[no-any-return]

    def beside(self, call: Call, parameters: FrozenSet[str]) -> Tuple[str, Dict[str, Call]]:
        """The call's own name, and the calls with the same parameters that the run wants: one program.

        Compiled by jit and on the CPU alone: other devices fuse and tune a program as a whole, and of rows
        few formulations are asked for.
        """
        operation, asked = NAMES.get(call.function, ("", ""))
        if not operation:
            return "", {"": call}
        together = self.device == "cpu" and self.mode == "jit"
        given = parameters.union(name for name, _ in call.scalars).difference(call.inputs)
        calls = {
            operation + " " + name: call._replace(function=function)
            for name, function in FUNCTIONS[operation].items()
            if name == asked
            or (together and name in self.wanted and given <= signature_of(function).parameters)
        }
        return operation + " " + asked, calls

    def compilations(self) -> int:
        """How many programs were needed: one for each operation, static parameters, shapes and dtypes."""
        return len(self.programs.used) + len(self.compiled)

    def kernels(self) -> Dict[str, Any]:
        """The instructions that XLA compiles for, on the processor."""
        return self.reported

    def describe(self) -> Dict[str, Any]:
        """Versions with jaxlib's, and the device."""
        threads = threads_named("tf_XLAEigen") if self.device == "cpu" else None
        return {
            "version": jax.__version__,
            "versions": {"jaxlib": jax.lib.__version__},
            "hardware": {"device": self.jax_device.device_kind, **({"threads": threads} if threads else {})},
            "settings": {"XLA_FLAGS": os.environ.get("XLA_FLAGS", "")},
        }


#: What JAX says of forward mode through such a function.
CUSTOM_VJP = "forward-mode differentiation (jvp) to a custom_vjp function"
#: Function -> its operation and formulation.
NAMES: Dict[Function, Tuple[str, str]] = {
    function: (operation, name) for operation, table in FUNCTIONS.items() for name, function in table.items()
}


def evaluate(
    call: Call,
    wrt: Tuple[str, ...],
    tensors: Dict[str, Tensor],
    traced: Dict[str, Any],
    upstream: Optional[Tensor],
    carry_out: Callable[[Call, Dict[str, Tensor]], Tensor] = Call.__call__,
) -> Any:
    """The value, and its gradients with respect to the tensors named in `wrt`.

    Where that is `second:<input>`: the derivative of <gradient, direction>, and of the value along the
    direction where it is `jvp:<input>`; `direction` is among the tensors.
    `carry_out` gives a call's result on tensors.
    """
    function = partial(carry_out, call._replace(scalars=call.scalars + tuple(traced.items())))
    if not wrt:
        return function(tensors), ()
    if wrt[0].startswith(SECOND):
        return pulled_back_twice(function, wrt[0][len(SECOND) :], dict(tensors), upstream)
    if wrt[0].startswith(GRAPH):
        return gradients_through(wrt[0][len(GRAPH) :], function, wrt[1:], tensors, upstream)
    if wrt[0].startswith(JVP):
        return pushed_forward(function, wrt[0][len(JVP) :], dict(tensors))
    rest = {name: tensor for name, tensor in tensors.items() if name not in wrt}
    value, pullback = jax.vjp(
        lambda *sources: function(dict(zip(wrt, sources), **rest)), *[tensors[name] for name in wrt]
    )
    return value, pullback(flow(value, upstream))


def flow(value: Tensor, upstream: Optional[Tensor]) -> Tensor:
    """The upstream gradient in the result's dtype, which a user's function may choose; None: ones."""
    return jnp.ones_like(value) if upstream is None else upstream.astype(value.dtype)


def pulled_back_twice(
    function: Function, name: str, tensors: Dict[str, Tensor], upstream: Optional[Tensor]
) -> Any:
    """The derivative of <gradient, direction> with respect to the tensor `name`."""
    direction = tensors.pop("direction")

    def gradient(source: Tensor) -> Tensor:
        value, pullback = jax.vjp(lambda x: function(dict(tensors, **{name: x})), source)
        return pullback(flow(value, upstream))[0]

    return jax.vjp(gradient, tensors[name])[1](direction)[0]


def gradients_through(
    graph: str,
    function: Function,
    wrt: Tuple[str, ...],
    tensors: Dict[str, Tensor],
    upstream: Optional[Tensor],
) -> Tuple[Tensor, Sequence[Tensor]]:
    """Value and gradients: see `Adapter.gradients_through`. The first input is the first of `wrt`."""
    rest = {name: tensor for name, tensor in tensors.items() if name not in wrt}

    def of_sources(*sources: Tensor) -> Tensor:
        if graph == "result":
            sources = (jax.nn.relu(sources[0]), *sources[1:])
        return function(dict(zip(wrt, sources), **rest))

    sources = [tensors[name] for name in wrt]
    value, pullback = jax.vjp(of_sources, *sources)
    given = flow(value, upstream)
    if graph == "shared":
        _, both = jax.vjp(lambda *sources: (of_sources(*sources), of_sources(*sources)), *sources)
        return value, both((given, jnp.zeros_like(given)))
    gradients = pullback(given)
    return value, pullback(given) if graph == "retained" else gradients


def pushed_forward(function: Function, name: str, tensors: Dict[str, Tensor]) -> Any:
    """The derivative of the value along the direction of the tensor `name`."""
    direction = tensors.pop("direction")
    _, tangent = jax.jvp(lambda x: function(dict(tensors, **{name: x})), (tensors[name],), (direction,))
    return tangent


def normalized(call: Call) -> Tuple[Call, Dict[str, Any]]:
    """The call with its static parameters spelled out, and the traced ones apart.

    No smoothing is left out: traced, a 0 could not be told from any other number.
    """
    taken = signature_of(call.function).parameters
    scalars = {name: DEFAULTS[name] for name in FILLED_IN if name in taken}
    scalars.update(call.scalars)
    if scalars.get("label_smoothing") == 0:
        del scalars["label_smoothing"]
    traced = {name: scalars.pop(name) for name in TRACED if name in scalars}
    return call._replace(scalars=tuple(sorted(scalars.items()))), traced


def enable_x64() -> ContextManager[Any]:
    """The context in which JAX has float64: it has moved."""
    if hasattr(jax, "enable_x64"):
        return jax.enable_x64(True)  # type: ignore[no-any-return]
    from jax.experimental import enable_x64 as experimental

    return experimental()  # type: ignore[no-any-return]


def use_cache(directory: Optional[str]) -> None:
    """Let JAX keep every compiled program in the directory, however small and quick to compile."""
    if not directory:
        return
    settings = {
        "jax_compilation_cache_dir": os.path.join(directory, "jax"),
        "jax_persistent_cache_min_compile_time_secs": 0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }
    for name, value in settings.items():
        try:
            jax.config.update(name, value)
        except AttributeError:
            pass  # an older JAX caches what it thinks worth it


ADAPTER = JaxAdapter
