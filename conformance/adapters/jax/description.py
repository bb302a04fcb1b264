"""JAX, without importing it."""

from ..description import Description, Variant

DESCRIPTION = Description(
    modes=("jit", "eager", "vmap"),
    devices=("cpu", "gpu", "tpu"),
    variants=(
        Variant(
            "avx2",
            {"XLA_FLAGS": "--xla_cpu_max_isa=AVX2"},
            {"isa": "AVX2"},
            needs=("avx2", "fma"),
        ),
        Variant("sse4_2", {"XLA_FLAGS": "--xla_cpu_max_isa=SSE4_2"}, {"isa": "SSE4_2"}, needs=("sse4_2",)),
    ),
    compiling=("jit",),
    formulations_in_modes=("functional", "composed"),  # JAX has no losses of its own
    accelerator="gpu",
    accelerator_probe="import jax; print(jax.default_backend() == 'gpu')",
    compiled_distribution="jaxlib",
    extras="[cpu]",
    constraints=(("<0.4.26", ("numpy<2", "scipy<1.13")),),
    wheels=("jaxlib",),  # JAX itself is Python alone, and before 0.4.14 there is nothing but its source
)
