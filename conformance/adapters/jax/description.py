"""JAX, without importing it."""

from ..description import Description, Mode, Variant

ROWS_ALONE = (
    "reductions: it keeps rows apart, so reduction none alone",
    "an operation along the first axis: that is the one it maps over",
    "weights or a mask of the elements: it would share them among the rows",
    "scores of classes of another shape than (N, C), and attention without a batch: these are no rows",
)

DESCRIPTION = Description(
    modes=(
        Mode(
            "jit", "compiled by XLA, one program a shape and dtype", "jax.jit(call)(tensors)", compiles=True
        ),
        Mode("eager", "operation by operation", like="jit"),
        Mode(
            "vmap",
            "row by row, compiled",
            "jax.jit(jax.vmap(call))(rows)",
            ROWS_ALONE,
            compiles=True,
            like="jit",
        ),
        Mode(
            "vmap_axes",
            "row by row: over the first input's last axis, the others' first, none of the parameters",
            "jax.jit(jax.vmap(call, in_axes=(-1, 0, None), out_axes=-1))(rows)",
            ROWS_ALONE,
            compiles=True,
            like="vmap",
        ),
        Mode(
            "checkpoint",
            "what the gradient needs is computed a second time, compiled",
            "jax.jit(jax.checkpoint(call))(tensors)",
            compiles=True,
            like="jit",
        ),
    ),
    devices=("cpu", "gpu", "tpu"),
    variants=(
        Variant(
            "avx2",
            {"XLA_FLAGS": "--xla_cpu_max_isa=AVX2"},
            {"isa": "AVX2"},
            needs=("avx2", "fma"),
        ),
        Variant("one_thread", {"NPROC": "1"}, {"threads": 1}),
        Variant("sse4_2", {"XLA_FLAGS": "--xla_cpu_max_isa=SSE4_2"}, {"isa": "SSE4_2"}, needs=("sse4_2",)),
    ),
    accelerator="gpu",
    accelerator_probe="import jax; print(jax.default_backend() == 'gpu')",
    compiled_distribution="jaxlib",
    extras="[cpu]",
    constraints=(("<0.4.26", ("numpy<2", "scipy<1.13")),),
    wheels=("jaxlib",),  # JAX itself is Python alone, and before 0.4.14 there is nothing but its source
)
