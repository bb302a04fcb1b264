"""NumPy, without importing it."""

from ..description import Description, Variant

#: What NumPy may have kernels for beyond any build's baseline, by the names of its releases.
BEYOND_BASELINE = (
    *("X86_V3", "X86_V4", "AVX512_ICL", "AVX512_SPR"),  # from 2.4 on
    *("AVX", "F16C", "FMA3", "AVX2", "AVX512F", "AVX512CD", "AVX512_SKX", "AVX512_CLX", "AVX512_CNL"),
    *("ASIMDHP", "ASIMDDP", "ASIMDFHM", "SVE", "VSX2", "VSX3", "VSX4", "VXE", "VXE2"),
)

DESCRIPTION = Description(
    variants=(
        Variant(
            "baseline",
            {"NPY_DISABLE_CPU_FEATURES": " ".join(BEYOND_BASELINE)},
            unreported={"dispatched": BEYOND_BASELINE},
        ),
    ),
    wheels=("numpy",),
)
