"""PyTorch, without importing it."""

from ..description import Description, Variant

DESCRIPTION = Description(
    modes=("eager", "compile", "vmap"),
    devices=(),
    variants=(
        Variant("default", {"ATEN_CPU_CAPABILITY": "default"}, {"cpu_capability": "DEFAULT"}),
        Variant("avx2", {"ATEN_CPU_CAPABILITY": "avx2"}, {"cpu_capability": "AVX2"}, needs=("avx2", "fma")),
        Variant(
            "avx512",
            {"ATEN_CPU_CAPABILITY": "avx512"},
            {"cpu_capability": "AVX512"},
            needs=("avx512f", "avx512dq", "avx512bw", "avx512vl", "fma"),  # torch itself does not look
        ),
    ),
    compiling=("compile",),
    slow=("compile",),
    accelerator="cuda",
    accelerator_probe="import torch; print(torch.cuda.is_available())",
    constraints=(("<2.3", ("numpy<2", "setuptools<70")),),
    requirements=(("<3", ("setuptools",)),),
    wheels=("torch",),
)
