"""Which instructions XLA compiles for, by what it wrote into a program."""

from __future__ import annotations

import mmap
import os
import re
from pathlib import Path
from typing import Any, Dict, FrozenSet, Iterable

import jax
import jax.numpy as jnp
import jaxlib

from ..base import Unavailable

#: LLVM's names of the instruction sets that ``--xla_cpu_max_isa`` tells apart, the highest first.
LADDER = (
    ("amx-fp16", "AMX_FP16"),
    ("amx-bf16", "AMX"),
    ("avx512bf16", "AVX512_BF16"),
    ("avx512vnni", "AVX512_VNNI"),
    ("avx512f", "AVX512"),
    ("avx2", "AVX2"),
    ("avx", "AVX"),
    ("sse4.2", "SSE4_2"),
)
#: Beginnings of the names of vector instructions, on any processor.
VECTORS = ("amx", "avx", "f16c", "fma", "sse", "neon", "fp-armv8", "fullfp16", "bf16", "sve")
#: LLVM's list of target features, as a compiled program carries it: each with a plus or a minus.
FEATURES = re.compile(rb"[+-]\w[\w.-]*(?:,[+-]\w[\w.-]*){3,}")


#: The flag of XLA that limits its instruction sets.
ISA_FLAG = "xla_cpu_max_isa"


def require_isa_flag(flags: str) -> None:
    """Unavailable, in one line, where the flags limit the instruction set and this XLA knows no such flag.

    Before XLA reads them: it ends the process over a flag that it does not know.

    Args:
        flags: What XLA_FLAGS holds.
    """
    if ISA_FLAG in flags and not any(has_text(path, ISA_FLAG) for path in libraries()):
        what = "jax {} cannot be held to an instruction set: its XLA has no flag {}"
        raise Unavailable(what.format(jax.__version__, ISA_FLAG))


def libraries() -> Iterable[Path]:
    """The files of jaxlib's compiled code."""
    return Path(os.path.dirname(str(jaxlib.__file__))).rglob("*.so")


def has_text(path: Path, text: str) -> bool:
    """Whether a file holds a text; it is mapped, not read into memory."""
    if not path.stat().st_size:  # an empty file cannot be mapped
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        return mapped.find(text.encode("ascii")) >= 0


def kernels() -> Dict[str, Any]:
    """``isa``, by the names of ``--xla_cpu_max_isa``, and ``features``, LLVM's vector instructions.

    Both from a program compiled for the processor; empty where this JAX writes no programs, or none with
    their features. Before JAX's own cache is on: a program out of it comes without them.
    """
    try:
        program = jax.jit(lambda x: x + 1).lower(jnp.zeros(8, jnp.float32)).compile().runtime_executable()
        serialized = program.serialize() if hasattr(program, "serialize") else older_serialized(program)
    except Exception:  # an older JAX lacks one of these; a missing report is no fault of any check
        return {}
    return described(target_features(serialized))


def older_serialized(program: Any) -> bytes:
    """A program's bytes as older JAX gives them."""
    return bytes(program.client.serialize_executable(program))


def target_features(program: bytes) -> FrozenSet[str]:
    """The features that a program was compiled for, from the longest list in its bytes."""
    lists = sorted(FEATURES.findall(program), key=len)
    words = lists[-1].decode("ascii").split(",") if lists else []
    return frozenset(word[1:] for word in words if word.startswith("+"))


def described(features: Iterable[str]) -> Dict[str, Any]:
    """The report on features; without ``isa`` for a processor that is not on the ladder."""
    vectors = sorted(name for name in features if name.startswith(VECTORS))
    isa = next((name for feature, name in LADDER if feature in vectors), None)
    if not vectors:
        return {}
    return {"features": vectors} if isa is None else {"isa": isa, "features": vectors}


def error_of_float16(report: Dict[str, Any]) -> str:
    """What XLA says to any float16, where it compiles none; empty where it does.

    Below F16C conversions are calls that XLA does not link: each program would be compiled for a second, in
    vain. Where the report has F16C, or is of another processor, nothing is tried.
    """
    if "isa" not in report or "f16c" in report["features"]:
        return ""
    try:
        jax.block_until_ready(jax.jit(lambda x: x + x)(jnp.ones(8, jnp.float16)))
    except Exception as error:  # its type has moved between versions
        return (str(error).splitlines() or [""])[0]
    return ""
