"""TensorFlow, in each of its modes."""

from __future__ import annotations

import os
import re
from functools import partial
from typing import Any, Dict, Optional, Sequence, Set, Tuple

import numpy as np

from ..base import Adapter, Array, Call, Function, Tensor, Unavailable
from ..imports import as_if_absent
from ..thread_count import threads_named

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # quiet; settings that touch numerics stay as they are

# Where they are installed, TensorFlow's import takes them along, for no operation: a fifth of its time.
with as_if_absent("jax", "pandas", "pyarrow"):
    import tensorflow as tf

from ..bfloat16 import name_of
from .description import DESCRIPTION
from .formulations import FUNCTIONS
from .kernels import kernels


class TensorflowAdapter(Adapter):
    """TensorFlow 2.2 and newer."""

    framework = "tensorflow"
    modes = DESCRIPTION.mode_names
    devices = DESCRIPTION.devices
    formulations = FUNCTIONS

    def __init__(self, mode: Optional[str] = None, device: Optional[str] = None) -> None:
        super().__init__(mode, device)
        tf.get_logger().setLevel("ERROR")
        gpus = tf.config.list_physical_devices("GPU")
        if self.device == "gpu" and not gpus:
            raise Unavailable("tensorflow has no device 'gpu' here: it lists no physical one")
        if self.device == "cpu":
            tf.config.set_visible_devices([], "GPU")
        for gpu in gpus:
            tf.config.experimental.set_memory_growth(gpu, True)
        self.reported = kernels(tf)
        self.functions: Dict[Any, Function] = {}
        self.compiled: Set[Any] = set()

    def load(self, array: Array, dtype: str) -> Tensor:
        """A tensor; bfloat16 as TensorFlow's own NumPy type."""
        return tf.constant(array.view(tf.bfloat16.as_numpy_dtype) if dtype == "bfloat16" else array)

    def store(self, result: Tensor) -> Tuple[Array, str]:
        """The array of a tensor."""
        if not tf.is_tensor(result):
            raise TypeError("a tensor was expected, not {}".format(type(result).__name__))
        array = np.asarray(tf.convert_to_tensor(result).numpy())  # numpy() leaves a scalar of a 0-d tensor
        if result.dtype == tf.bfloat16:
            return array.view(np.uint16), "bfloat16"
        return array, name_of(array.dtype)

    def compute(
        self, call: Call, tensors: Dict[str, Tensor], wrt: Tuple[str, ...], upstream: Optional[Tensor]
    ) -> Tuple[Tensor, Sequence[Tensor]]:
        """Value and gradients under one tape."""
        value, gradients = self.carry_out(taped, call, tensors, wrt, upstream)
        return value, gradients

    def second(
        self,
        call: Call,
        tensors: Dict[str, Tensor],
        name: str,
        upstream: Optional[Tensor],
        direction: Tensor,
    ) -> Tensor:
        """By a tape around the gradient's."""
        return self.carry_out(twice_taped, call, dict(tensors, direction=direction), (name,), upstream)

    def gradients_through(
        self,
        graph: str,
        call: Call,
        tensors: Dict[str, Tensor],
        wrt: Tuple[str, ...],
        upstream: Optional[Tensor],
    ) -> Tuple[Tensor, Sequence[Tensor]]:
        """Under one tape, which stays for a second pass."""
        value, gradients = self.carry_out(THROUGH[graph], call, tensors, wrt, upstream)
        return value, gradients

    def tangent(self, call: Call, tensors: Dict[str, Tensor], name: str, direction: Tensor) -> Tensor:
        """By ``tf.autodiff.ForwardAccumulator``."""
        return self.carry_out(pushed_forward, call, dict(tensors, direction=direction), (name,), None)

    def carry_out(
        self,
        evaluate: Function,
        call: Call,
        tensors: Dict[str, Tensor],
        wrt: Tuple[str, ...],
        upstream: Optional[Tensor],
    ) -> Any:
        """What `evaluate` gives, in one function where functions are the mode."""
        if self.mode == "eager":
            return evaluate(call, tensors, wrt, upstream)
        key = (evaluate, call, wrt, tuple(tensors), upstream is None)
        if key not in self.functions:

            def function(tensors: Dict[str, Tensor], upstream: Optional[Tensor]) -> Any:
                return evaluate(call, tensors, wrt, upstream)

            users = call.function is self.users_function
            self.functions[key] = tf.function(function, autograph=users, **MODES[self.mode])
        self.compiled.add((key, tuple((tensor.shape, tensor.dtype) for tensor in tensors.values())))
        return self.functions[key](tensors, upstream)

    def lacks(self, error: Exception) -> Optional[str]:
        """Kernels missing for a half type or a small integer; and for what oneDNN lacks where it is limited.

        TensorFlow asks the processor which dtypes oneDNN has: under a lower limit it calls it all the same.
        """
        limited = "ONEDNN_MAX_CPU_ISA" in os.environ and NO_PRIMITIVE in str(error)
        return str(error) if limited or NO_KERNEL.search(str(error)) else None

    def compilations(self) -> int:
        """How many graphs were traced (eager: none)."""
        return len(self.compiled)

    def kernels(self) -> Dict[str, Any]:
        """oneDNN, on or off, and the instruction set that it runs."""
        return self.reported

    def describe(self) -> Dict[str, Any]:
        """Versions with Keras' and CUDA's; oneDNN as it is set, since it chooses the kernels."""
        build = tf.sysconfig.get_build_info() if hasattr(tf.sysconfig, "get_build_info") else {}
        versions = {"keras": tf.keras.__version__}
        if self.device == "gpu" and build.get("cuda_version"):
            versions["cuda"] = build["cuda_version"]
        tf.reduce_sum(tf.zeros(1))  # from its first operation on it has its threads
        threads = threads_named("tf_Compute")
        hardware = {
            **({"threads": threads} if threads else {}),
            "intra_op_threads": tf.config.threading.get_intra_op_parallelism_threads(),
            "inter_op_threads": tf.config.threading.get_inter_op_parallelism_threads(),
        }
        settings = {"TF_ENABLE_ONEDNN_OPTS": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "default")}
        return {"version": tf.__version__, "versions": versions, "hardware": hardware, "settings": settings}


#: The modes by the names of the description's rows: what ``tf.function`` is given; eager uses none.
MODES: Dict[str, Dict[str, Any]] = {"eager": {}, "function": {}, "xla": {"jit_compile": True}}
#: oneDNN has no kernel for these dtypes at its instruction set.
NO_PRIMITIVE = "could not create a primitive descriptor"
NO_KERNEL = re.compile(
    r"of (bfloat16|half|u?int(8|16)|uint32|uint64) is not in the list of allowed values"
    r"|has DataType (u?int(8|16)|uint32|uint64) not in list of allowed values"
    r"|Could not find (valid )?device for node|No OpKernel was registered|No registered"
)


def taped(
    call: Call, tensors: Dict[str, Tensor], wrt: Tuple[str, ...], upstream: Optional[Tensor]
) -> Tuple[Tensor, Sequence[Tensor]]:
    """The value, and the gradients by one tape."""
    if not wrt:
        return call(tensors), ()
    sources = [tensors[name] for name in wrt]
    with tf.GradientTape() as tape:
        tape.watch(sources)
        value = call(tensors)
    gradients = tape.gradient(value, sources, upstream)
    for name, gradient in zip(wrt, gradients):
        if gradient is None:
            raise ValueError("the tape holds no gradient with respect to {}".format(name))
    return value, [tf.convert_to_tensor(gradient) for gradient in gradients]


def twice_taped(
    call: Call, tensors: Dict[str, Tensor], wrt: Tuple[str, ...], upstream: Optional[Tensor]
) -> Tensor:
    """The derivative of <gradient, direction> by two tapes; `direction` is among the tensors."""
    tensors = dict(tensors)
    direction, source = tensors.pop("direction"), tensors[wrt[0]]
    with tf.GradientTape() as tape:
        tape.watch(source)
        _, (gradient,) = taped(call, tensors, wrt, upstream)
    zero = tf.UnconnectedGradients.ZERO
    return tf.convert_to_tensor(tape.gradient(gradient, source, direction, unconnected_gradients=zero))


def taped_through(
    graph: str, call: Call, tensors: Dict[str, Tensor], wrt: Tuple[str, ...], upstream: Optional[Tensor]
) -> Tuple[Tensor, Sequence[Tensor]]:
    """Value and gradients: see `Adapter.gradients_through`."""
    sources = [tensors[name] for name in wrt]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(sources)
        first = call.inputs[0]
        inputs = dict(tensors, **{first: tf.nn.relu(tensors[first])}) if graph == "result" else tensors
        value = call(inputs)
        other = call(inputs) if graph == "shared" else value
    given = tf.ones_like(value) if upstream is None else upstream
    if graph == "shared":
        gradients = tape.gradient([value, other], sources, [given, tf.zeros_like(given)])
    else:
        gradients = tape.gradient(value, sources, given)
    if graph == "retained":
        gradients = tape.gradient(value, sources, given)
    return value, [tf.convert_to_tensor(gradient) for gradient in gradients]


#: Graph -> what evaluates gradients through it: functions of their own, by which graphs are kept.
THROUGH: Dict[str, Function] = {
    graph: partial(taped_through, graph) for graph in ("retained", "shared", "result")
}


def pushed_forward(
    call: Call, tensors: Dict[str, Tensor], wrt: Tuple[str, ...], upstream: Optional[Tensor]
) -> Tensor:
    """The derivative of the value along `direction`, which is among the tensors."""
    tensors = dict(tensors)
    direction = tensors.pop("direction")
    with tf.autodiff.ForwardAccumulator(tensors[wrt[0]], direction) as accumulator:
        value = call(tensors)
    zero = tf.UnconnectedGradients.ZERO
    return tf.convert_to_tensor(accumulator.jvp(value, unconnected_gradients=zero))


ADAPTER = TensorflowAdapter
