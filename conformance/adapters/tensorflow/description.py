"""TensorFlow, without importing it."""

from ..description import Description

DESCRIPTION = Description(
    modes=("eager", "function", "xla"),
    devices=("cpu", "gpu"),
    compiling=("function", "xla"),
    accelerator="gpu",
    accelerator_probe="import tensorflow as f; print(bool(f.config.list_physical_devices('GPU')))",
    # Without GPU code the wheel is a fifth of the size, and its results on the CPU are the same.
    distributions=("tensorflow-cpu", "tensorflow"),
    constraints=(("<2.9", ("protobuf<3.21",)), ("<2.18", ("numpy<2",))),
    requirements=(("<2.12", ("setuptools",)),),
    wheels=("tensorflow", "tensorflow-cpu"),
)
