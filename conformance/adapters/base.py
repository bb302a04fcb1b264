"""Adapter: what a framework must bring, and what each one inherits.

A framework in this repository is a folder beside this file, with the same files in each, and its name in
``FRAMEWORKS`` of `registry.py`:

- ``description.py``: ``DESCRIPTION``, what is known before its import: modes, devices, how it is installed.
- ``formulations.py``: ``FUNCTIONS``, the table operation -> formulation -> function in the framework's own
  arrays, with the operation's canonical signature. A parameter that a function's signature lacks is
  `unsupported` without a line of code.
- ``kernels.py``: which kernels run, by the framework's own report, where it makes one.
- ``adapter.py``: ``ADAPTER``, a subclass of :class:`Adapter`. It must write `load`, `store`, `compute` and
  `describe`; `second`, `lay_out`, `lacks`, `kernels` and `compilations` where the framework can.

An adapter of another distribution is the class alone, named by an entry point.
"""

from __future__ import annotations

import inspect
from contextlib import nullcontext
from functools import lru_cache
from typing import Any, Callable, ContextManager, Dict, FrozenSet, NamedTuple, Optional, Sequence, Tuple

from .layouts import Layout

Array = Any  # a NumPy array; NumPy 1.19 has no types to say more
Tensor = Any  # an array of the framework
Function = Callable[..., Any]
Table = Dict[str, Dict[str, Function]]

#: Every formulation, in the order in which they are named.
FORMULATIONS = ("functional", "module", "chunked", "composed", "one_hot", "naive", "manual")

#: The arrays of a request that are no arguments: the upstream gradient, the direction of second derivatives.
FLOWS = ("upstream", "direction")

#: The arrays of a request that are masks: booleans, whatever dtype they come in.
MASKS = ("where",)

#: The parameters' defaults in the canonical signatures: at these they ask for nothing special. Arrays of
#: other names are inputs, the positional arguments, in the order of the request, unless it lists them under
#: `keywords` (an operation given as a formula has tensors of its own names, and `defaults` of its own).
DEFAULTS: Dict[str, Any] = {
    "axis": -1,
    "weight": None,
    "pos_weight": None,
    "bias": None,
    "where": None,
    "ignore_index": -100,
    "label_smoothing": 0.0,
    "temperature": 1.0,
    "log_target": False,
    "alpha": 0.25,
    "gamma": 2.0,
    "beta": 0.5,
    "reduction": "mean",
    "size_average": None,
    "reduce": None,
}


class Unsupported(NotImplementedError):
    """The framework has no such operation, formulation, parameter or dtype; its text is the reason.

    Any NotImplementedError counts as one: a user's function needs no import of ours to say so.
    """


def counted(num_classes: int) -> int:
    """The number of classes; Unsupported for the -1 by which torch alone takes it from the labels."""
    if num_classes < 0:
        raise Unsupported("num_classes=-1, the largest label plus one, is torch's alone")
    return num_classes


class Unavailable(Exception):
    """The worker cannot start: no such framework, mode, device or function. Its text is one line."""


class Call(NamedTuple):
    """One formulation with its scalar parameters; hashable, so that compiled functions are kept by it.

    Attributes:
        function: The formulation.
        inputs: The names of its positional arguments.
        scalars: Its other arguments that are no tensors, by name.
        dtype: The dtype of the floating inputs.
    """

    function: Function
    inputs: Tuple[str, ...]
    scalars: Tuple[Tuple[str, Any], ...]
    dtype: str

    def __call__(self, tensors: Dict[str, Tensor]) -> Tensor:
        """The formulation's result: inputs by position; tensors such as `weight` and scalars by name."""
        keywords = {name: tensor for name, tensor in tensors.items() if name not in self.inputs}
        return self.function(*[tensors[name] for name in self.inputs], **keywords, **dict(self.scalars))


class Adapter:
    """One framework in one mode on one device.

    Attributes:
        framework: Its name.
        modes: The ways to carry a function out, the default first.
        devices: The devices, the default first; empty: the framework itself says which there are.
        formulations: Operation -> formulation -> function.
        implicit_axis: The formulations that take ``axis=None``.
        users_function: A user's own function in the place of a formulation `functional`; None without one.
        overwritable: Whether a function could write into its inputs: they are compared with what was sent.
        mode: The mode of this one.
        device: The device of this one.
    """

    framework: str = ""
    modes: Tuple[str, ...] = ("eager",)
    devices: Tuple[str, ...] = ("cpu",)
    formulations: Table = {}  # noqa: RUF012 - a table that nobody writes to
    implicit_axis: FrozenSet[str] = frozenset()
    users_function: Optional[Function] = None
    overwritable: bool = False

    def __init__(self, mode: Optional[str] = None, device: Optional[str] = None) -> None:
        self.mode = one_of("mode", mode or self.modes[0], self.modes, self.framework)
        self.device = device or (self.devices or ("cpu",))[0]
        if self.devices:
            one_of("device", self.device, self.devices, self.framework)

    # What an adapter must write.

    def load(self, array: Array, dtype: str) -> Tensor:
        """The framework's array of a storage array (``bfloat16`` comes as its bits in uint16)."""
        raise NotImplementedError

    def store(self, result: Tensor) -> Tuple[Array, str]:
        """The storage array and the dtype's name of a framework's array: the inverse of `load`."""
        raise NotImplementedError

    def compute(
        self, call: Call, tensors: Dict[str, Tensor], wrt: Tuple[str, ...], upstream: Optional[Tensor]
    ) -> Tuple[Tensor, Sequence[Tensor]]:
        """The value of ``call(tensors)`` and its gradients with respect to the tensors named in `wrt`.

        One forward and one backward pass, from the upstream gradient (None: ones of the value's shape).
        A framework that differentiates nothing gives no gradients, whatever is asked: an empty list, and
        they are `unsupported`. Whatever the framework raises is left to rise: it is the observation.
        """
        raise NotImplementedError

    def describe(self) -> Dict[str, Any]:
        """``version``, ``versions`` of companions, ``hardware`` and ``settings``, for the hello frame."""
        raise NotImplementedError

    # What an adapter may write.

    def second(
        self,
        call: Call,
        tensors: Dict[str, Tensor],
        name: str,
        upstream: Optional[Tensor],
        direction: Tensor,
    ) -> Tensor:
        """The derivative of <gradient, direction> with respect to the input `name`, from the same upstream.

        Zeros where the gradient does not depend on the input. Unsupported where there is none.
        """
        raise Unsupported("the adapter of {} computes no second derivatives".format(self.framework))

    def gradients_through(
        self,
        graph: str,
        call: Call,
        tensors: Dict[str, Tensor],
        wrt: Tuple[str, ...],
        upstream: Optional[Tensor],
    ) -> Tuple[Tensor, Sequence[Tensor]]:
        """As `compute`, through another graph, all of which have the same gradients.

        ``retained``: those of a second backward pass through the same graph. ``shared``: those of two calls
        that share their inputs, the second from an upstream gradient of 0. ``result``: those with respect to
        what a ReLU made the first input of, all above 0.
        """
        raise Unsupported("the adapter of {} takes gradients of the call alone".format(self.framework))

    def tangent(self, call: Call, tensors: Dict[str, Tensor], name: str, direction: Tensor) -> Tensor:
        """The derivative of the value along the direction of the input `name` (forward mode, ``jvp``).

        Zeros where the value does not depend on the input. Unsupported where there is none.
        """
        raise Unsupported("the adapter of {} has no forward mode".format(self.framework))

    def untracked(self) -> ContextManager[Any]:
        """The context of inference, in which the framework records nothing for gradients."""
        return nullcontext()

    def one_thread(self) -> ContextManager[None]:
        """A context in which the framework computes with one thread; Unsupported where none can be had."""
        raise Unsupported(
            "{0} sets its threads when it starts: the variant {0}/one_thread runs with one".format(
                self.framework
            )
        )

    def kernels(self) -> Dict[str, Any]:
        """Which kernels the framework dispatches on this processor, as it reports itself; empty: it does not.

        A variant of its description is shown by this report.
        """
        return {}

    def lay_out(self, tensor: Tensor, layout: Layout) -> Tensor:
        """The same values in another memory layout, see `layouts`; Unsupported where there is none."""
        raise Unsupported("{} lets nobody choose a memory layout".format(self.framework))

    def lacks(self, error: Exception) -> Optional[str]:
        """A reason, where the framework's error only says that it has no kernel for the dtype; else None."""
        return None

    def compilations(self) -> int:
        """How many programs the framework has compiled so far (0 where it interprets)."""
        return 0

    # What every adapter inherits.

    @property
    def conventions(self) -> Dict[str, Any]:
        """What the user's function declares, where libraries differ by decision; empty: nothing."""
        declared = getattr(self.users_function, "conventions", None)
        return dict(declared) if isinstance(declared, dict) else {}

    def adopt(self, function: Function, operation: str) -> None:
        """Put a user's own function in the place of the operation's formulation `functional`."""
        self.users_function = function
        self.formulations = dict(self.formulations)
        self.formulations[operation] = dict(self.formulations.get(operation, {}), functional=function)

    def find(self, operation: str, formulation: str) -> Function:
        """The function of a formulation; Unsupported where the framework has none."""
        if formulation not in self.formulations.get(operation, {}):
            raise Unsupported("{} has no formulation {} of {}".format(self.framework, formulation, operation))
        return self.formulations[operation][formulation]

    def call(self, request: Dict[str, Any], arrays: Dict[str, Array]) -> Call:
        """The call that a request asks for; Unsupported where its formulation lacks one of its parameters."""
        operation, formulation = request["operation"], request["formulation"]
        function = self.find(operation, formulation)
        signature = signature_of(function)
        keywords = {*DEFAULTS, *FLOWS, *request.get("keywords", ())}
        inputs = tuple(name for name in arrays if name not in keywords)
        scalars = dict(request["parameters"])
        defaults = dict(DEFAULTS, **request.get("defaults", {}))
        needed = {name for name, value in scalars.items() if value != defaults.get(name, _NO_DEFAULT)}
        ignored = defaults["ignore_index"]
        if signature.ignore_index != ignored and has_ignored_label(scalars, arrays, ignored):
            scalars.setdefault("ignore_index", ignored)
            needed.add("ignore_index")
        needed.update(name for name in arrays if name not in inputs and name not in FLOWS)
        if not signature.anything:
            for name in sorted(needed - signature.parameters):
                raise Unsupported("{} {} has no parameter {}".format(formulation, operation, name))
            scalars = {name: value for name, value in scalars.items() if name in signature.parameters}
        if scalars.get("axis", -1) is None and formulation not in self.implicit_axis:
            raise Unsupported("{} {} takes no implicit axis".format(formulation, operation))
        return Call(function, inputs, tuple(sorted(scalars.items())), request["dtype"])


_NO_DEFAULT = object()


class Signature(NamedTuple):
    """What a function takes besides its inputs.

    Attributes:
        parameters: Their names.
        anything: Whether it has ``**parameters``.
        ignore_index: The default of that parameter; None where it has none.
    """

    parameters: FrozenSet[str]
    anything: bool
    ignore_index: Any


@lru_cache(maxsize=None)
def signature_of(function: Function) -> Signature:
    """The parameters of a function; none for a builtin, which tells nothing of itself."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return Signature(frozenset(), False, None)
    anything = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    ignore_index = parameters["ignore_index"].default if "ignore_index" in parameters else None
    return Signature(frozenset(parameters), anything, ignore_index)


def has_ignored_label(scalars: Dict[str, Any], arrays: Dict[str, Array], default: int) -> bool:
    """Whether a label equals the ignored one: a formulation without `ignore_index` cannot do that case."""
    target = arrays.get("target")
    if target is None or target.dtype.kind not in "iu":
        return False
    return bool((target == scalars.get("ignore_index", default)).any())


def of_class(module: Callable[..., Function]) -> Function:
    """The formulation `module`: build the framework's object from the parameters, call it on the inputs.

    Its signature is that of the class, so that what this version of the class lacks is unsupported.
    """

    def function(*inputs: Tensor, **parameters: Any) -> Tensor:
        return module(**parameters)(*inputs)

    function.__signature__ = inspect.signature(module)  # type: ignore[attr-defined]
    return function


def one_of(what: str, value: str, choices: Sequence[str], framework: str) -> str:
    """The value, if it is one of the choices; Unavailable with the choices if not."""
    if value not in choices:
        raise Unavailable("{} has no {} {!r}: it has {}".format(framework, what, value, ", ".join(choices)))
    return value
