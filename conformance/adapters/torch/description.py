"""PyTorch, without importing it."""

from ..description import Description

DESCRIPTION = Description(
    modes=("eager", "compile", "vmap"),
    devices=(),
    compiling=("compile",),
    slow=("compile",),
    accelerator="cuda",
    accelerator_probe="import torch; print(torch.cuda.is_available())",
    constraints=(("<2.3", ("numpy<2", "setuptools<70")),),
    requirements=(("<3", ("setuptools",)),),
    wheels=("torch",),
)
