"""TensorFlow, without importing it."""

from ..description import EAGER, Description, Mode, Variant

#: XLA compiles kernels of its own: oneDNN's switches choose nothing in the mode `xla`.
BY_OPERATION = ("eager", "function")

DESCRIPTION = Description(
    modes=(
        EAGER,
        Mode(
            "function",
            "as a graph, traced once a shape and dtype",
            "tf.function(call)(tensors)",
            compiles=True,
            like="eager",
        ),
        Mode(
            "xla",
            "compiled by XLA, one program a shape and dtype",
            "tf.function(call, jit_compile=True)(tensors)",
            ("errors for what depends on the data, as a label out of range: its programs raise none",),
            compiles=True,
            like="eager",
        ),
    ),
    devices=("cpu", "gpu"),
    variants=(
        Variant("onednn", {"TF_ENABLE_ONEDNN_OPTS": "1"}, {"onednn": True}, modes=BY_OPERATION),
        Variant("eigen", {"TF_ENABLE_ONEDNN_OPTS": "0"}, {"onednn": False}, modes=BY_OPERATION),
        Variant(
            "avx2",
            {"TF_ENABLE_ONEDNN_OPTS": "1", "ONEDNN_MAX_CPU_ISA": "AVX2"},
            {"onednn": True, "isa": "Intel AVX2"},
            needs=("avx2", "fma"),
            modes=BY_OPERATION,
        ),
        Variant(
            "one_thread",
            {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"},
            {"threads": 1},
        ),
    ),
    accelerator="gpu",
    accelerator_probe="import tensorflow as f; print(bool(f.config.list_physical_devices('GPU')))",
    # Without GPU code the wheel is a fifth of the size, and its results on the CPU are the same.
    distributions=("tensorflow-cpu", "tensorflow"),
    constraints=(("<2.9", ("protobuf<3.21",)), ("<2.18", ("numpy<2",))),
    requirements=(("<2.12", ("setuptools",)),),
    wheels=("tensorflow", "tensorflow-cpu"),
)
