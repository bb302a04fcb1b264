"""Kernel variants: each took effect by its framework's own report, or is refused in a line."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from adapters.driving import SERVE, Client

from conformance.adapters import hardware, options, variants
from conformance.adapters.base import Unavailable
from conformance.adapters.description import Variant
from conformance.adapters.jax import kernels as jax_kernels
from conformance.adapters.options import EXIT_UNAVAILABLE
from conformance.adapters.registry import FRAMEWORKS, description

ROOT = Path(__file__).parents[2]
EVERY = [(framework, variant) for framework in FRAMEWORKS for variant in description(framework).variants]
HERE = [pair for pair in EVERY if not variants.missing(pair[1], hardware.flags())]
NEEDY = [pair for pair in EVERY if pair[1].needs]


def refusal(*arguments: str, environment: dict[str, str] | None = None) -> str:
    """The one line of a worker that refuses to start."""
    ended = subprocess.run(
        [sys.executable, str(SERVE), *arguments],
        input="",
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (EXIT_UNAVAILABLE, "")
    return ended.stderr.strip().splitlines()[-1].removeprefix("conformance: ")


@pytest.mark.parametrize(("framework", "variant"), HERE, ids=lambda part: getattr(part, "name", part))
def test_a_variant_takes_effect_by_the_frameworks_own_report(framework: str, variant: Variant) -> None:
    with Client(framework, "--variant", variant.name) as worker:
        assert worker.hello["variant"] == variant.name
        report = {**worker.hello["hardware"], **worker.hello["kernels"]}
        assert {key: report[key] for key in variant.reported} == variant.reported
        for key, names in variant.unreported.items():
            assert not set(worker.hello["kernels"][key]) & set(names)
        # It computes: an ulp or two from the right softmax, whichever kernels run.
        numbers = worker.ask("softmax", x=[[1.0, 2.0, 3.0]]).numbers()
        np.testing.assert_allclose(numbers, [[0.09003057, 0.24472847, 0.66524096]], rtol=1e-6)
        assert worker.close()[0] == 0


@pytest.mark.parametrize(("framework", "variant"), NEEDY, ids=lambda part: getattr(part, "name", part))
def test_a_variant_that_the_processor_lacks_is_refused(
    framework: str, variant: Variant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is imported or set: some frameworks would try, and die of it."""
    monkeypatch.setattr(hardware, "flags", lambda: frozenset(variant.needs[1:]))
    with pytest.raises(Unavailable) as refused:
        options.prepare([framework, "--variant", variant.name])
    what = f"{framework}/{variant.name} needs a processor with {', '.join(variant.needs)}"
    assert str(refused.value) == f"{what}: this one lacks {variant.needs[0]}"
    assert not set(variant.environment) & set(os.environ)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_every_subject_reports_its_kernels_and_has_two_kinds(framework: str) -> None:
    with Client(framework) as worker:
        assert worker.hello["kernels"]
        assert "variant" not in worker.hello
        worker.close()
    assert [name for name, _ in HERE if name == framework]


def test_variants_of_one_framework_differ_in_what_is_reported() -> None:
    reports = {}
    for variant in ("sse4_2", "avx2"):
        with Client("jax", "--variant", variant) as worker:
            reports[variant] = worker.hello["kernels"]
            worker.close()
    assert "avx2" in reports["avx2"]["features"]
    assert "avx2" not in reports["sse4_2"]["features"]


@pytest.mark.parametrize(
    ("framework", "name", "kernels", "words"),
    [
        ("torch", "avx2", {"cpu_capability": "AVX512"}, "torch reports cpu_capability 'AVX512', not 'AVX2'"),
        ("torch", "avx2", {}, "torch reports cpu_capability None, not 'AVX2'"),
        ("tensorflow", "eigen", {"onednn": True}, "tensorflow reports onednn True, not False"),
        ("tensorflow", "avx2", {"onednn": True}, "tensorflow reports isa None, not 'Intel AVX2'"),
        ("jax", "sse4_2", {"isa": "AVX2"}, "jax reports isa 'AVX2', not 'SSE4_2'"),
        ("numpy", "baseline", {"dispatched": ["SSE42", "AVX2"]}, "numpy still reports dispatched AVX2"),
        ("numpy", "baseline", {}, "this numpy does not report what is dispatched"),
    ],
)
def test_a_variant_without_effect_is_refused(
    framework: str, name: str, kernels: dict[str, object], words: str
) -> None:
    with pytest.raises(Unavailable) as refused:
        variants.require_effect(framework, name, kernels)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_build_that_ignores_the_variable_is_refused_by_the_worker() -> None:
    """A worker whose switch is not set, as a build that does not read it."""
    program = (
        "import sys; from conformance.adapters import options, variants, loop\n"
        "variants.choose = lambda variant, environment: None\n"
        "arguments = ['tensorflow', '--variant', 'eigen']; options.prepare(arguments)\n"
        "sys.exit(loop.run(arguments, sys.stdin.buffer, sys.stdout.buffer))"
    )
    environment = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": "1"}
    ended = subprocess.run(
        [sys.executable, "-c", program], input=b"", capture_output=True, env=environment, check=False
    )
    assert (ended.returncode, ended.stdout) == (EXIT_UNAVAILABLE, b"")
    assert ended.stderr.decode().splitlines()[-1] == (
        "conformance: tensorflow/eigen does not take effect here: "
        "with TF_ENABLE_ONEDNN_OPTS=1 tensorflow reports onednn True, not False"
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["torch", "--variant", "avx3"], "torch has the variants default, avx2, avx512"),
        (["tensorflow", "--mode", "xla", "--variant", "eigen"], "chooses no kernels of the mode xla"),
        (["jax", "--device", "gpu", "--variant", "avx2"], "is of the processor's kernels: gpu runs others"),
        (["stranger", "--variant", "avx2"], "stranger has no variants"),
    ],
)
def test_a_variant_that_does_not_exist_is_refused(arguments: list[str], words: str) -> None:
    assert words in refusal(*arguments)


def test_flags_go_behind_the_users_own() -> None:
    environment = {"XLA_FLAGS": "--xla_cpu_enable_fast_math=false --xla_cpu_max_isa=AVX"}
    variants.choose(description("jax").variants[0], environment)
    users = "--xla_cpu_enable_fast_math=false --xla_cpu_max_isa=AVX"
    assert environment["XLA_FLAGS"] == users + " --xla_cpu_max_isa=AVX2"
    environment = {"TF_ENABLE_ONEDNN_OPTS": "1"}
    variants.choose(description("tensorflow").variants[1], environment)
    assert environment == {"TF_ENABLE_ONEDNN_OPTS": "0"}


def test_the_longest_list_of_features_is_taken() -> None:
    program = b"\x00+a,-b\x12+64bit,+avx,+avx2,+fma,+sse4.2,-avx512f\x00"
    features = jax_kernels.target_features(program)
    assert features == {"64bit", "avx", "avx2", "fma", "sse4.2"}
    assert jax_kernels.described(features)["isa"] == "AVX2"
    assert jax_kernels.described({"neon", "sve"}) == {"features": ["neon", "sve"]}
    assert jax_kernels.described(jax_kernels.target_features(b"no list at all")) == {}


def test_programs_of_variants_are_kept_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    from conformance.adapters.jax.program_files import installation

    digests = []
    for variant in description("jax").variants:
        monkeypatch.setenv("XLA_FLAGS", "")
        digests.append(installation("cpu"))
        variants.choose(variant, os.environ)
        digests.append(installation("cpu"))
    assert len(set(digests)) == 3  # without a variant it is twice the same


def test_programs_depend_on_no_other_framework_s_adapter() -> None:
    from conformance.adapters.jax.program_files import own_sources

    adapters = ROOT / "conformance" / "adapters"
    sources = {path.relative_to(adapters).as_posix() for path in own_sources(adapters / "jax")}
    assert {"jax/adapter.py", "jax/programs.py", "base.py", "by_rows.py"} <= sources
    assert not [name for name in sources if name.startswith(("torch/", "tensorflow/", "numpy/"))]
    for name in sources:  # so that what is left out cannot shape a program
        text = (adapters / name).read_text("utf-8")
        assert not re.search(r"from \.\.?(torch|tensorflow|numpy)\b", text), name


@pytest.mark.skipif(
    "avx512f" not in hardware.flags(), reason="TensorFlow takes oneDNN for bfloat16 from avx512f on"
)
def test_a_product_of_bfloat16_without_a_kernel_is_refused_for_it_ends_the_process() -> None:
    program = "import tensorflow as tf; x = tf.ones((4, 8), tf.bfloat16); tf.matmul(x, x, transpose_b=True)"
    for isa in ("SSE41", "AVX", "AVX2", "AVX2_VNNI"):
        environment = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": "1", "ONEDNN_MAX_CPU_ISA": isa}
        ended = subprocess.run([sys.executable, "-c", program], env=environment, stderr=subprocess.DEVNULL)
        assert ended.returncode == -signal.SIGSEGV, isa
    rows = [[1.0, 0.5], [0.25, -1.0]]
    with Client("tensorflow", "--variant", "avx2") as worker:
        for formulation in ("module", "naive"):
            attention = {
                "dtype": "bfloat16",
                "formulation": formulation,
                "query": rows,
                "key": rows,
                "value": rows,
            }
            refused = worker.ask("attention", **attention)
            assert refused.status() == "unsupported"
            assert "tf.matmul of bfloat16 ends the process (SIGSEGV)" in refused.message()
        assert (
            worker.ask(
                "attention", dtype="float32", query=rows, key=rows, value=rows, formulation="naive"
            ).status()
            == "returned"
        )


def test_xla_without_f16c_has_no_float16() -> None:
    with Client("jax", "--variant", "sse4_2") as worker:
        refused = worker.ask("softmax", dtype="float16", x=[[1.0, 2.0]])
        assert refused.status() == "unsupported"
        assert "XLA compiles no float16 without F16C: INTERNAL: Failed to materialize" in refused.message()
        assert worker.ask("softmax", dtype="bfloat16", x=[[1.0, 2.0]]).status() == "returned"
        worker.close()
    assert jax_kernels.error_of_float16({"isa": "AVX2", "features": ["f16c"]}) == ""
    assert jax_kernels.error_of_float16({"features": ["neon"]}) == ""


def test_onednn_held_below_the_processor_lacks_bfloat16() -> None:
    """TensorFlow calls it where the processor has AVX-512; elsewhere Eigen's kernel answers."""
    with Client("tensorflow", "--variant", "avx2") as worker:
        response = worker.ask("softmax", dtype="bfloat16", x=[[1.0, 2.0]])
        calls_onednn = {"avx512bw", "avx512vl"} <= hardware.flags()
        assert response.status() == ("unsupported" if calls_onednn else "returned")
        assert worker.ask("softmax", dtype="float32", x=[[1.0, 2.0]]).status() == "returned"
        worker.close()


def test_an_xla_without_the_flag_is_refused_before_it_ends_the_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    flags = description("jax").variants[0].environment["XLA_FLAGS"]
    jax_kernels.require_isa_flag(flags)  # the JAX of these tests has it
    (tmp_path / "xla_extension.so").write_bytes(b"\x7fELF some other flags")
    (tmp_path / "empty.so").touch()
    monkeypatch.setattr(jax_kernels, "libraries", lambda: sorted(tmp_path.iterdir()))
    jax_kernels.require_isa_flag("--xla_cpu_enable_fast_math=false")
    with pytest.raises(Unavailable, match=r"^jax .* its XLA has no flag xla_cpu_max_isa$"):
        jax_kernels.require_isa_flag(flags)
