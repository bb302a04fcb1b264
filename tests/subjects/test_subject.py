"""Subjects: the grammar with its variants, what is refused and what was meant, and how a worker is told."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pytest

from conformance.adapters import hardware
from conformance.errors import SubjectError
from conformance.execution import session
from conformance.plan import profiles
from conformance.subjects.selection import select
from conformance.subjects.subject import Subject, names, parse, with_pins

CASES = Path(__file__).parents[1] / "few_cases.yaml"


@pytest.mark.parametrize(
    ("text", "unpinned"),
    [
        ("torch/avx2", "torch/avx2"),
        ("torch:compile/avx2", "torch:compile/avx2"),
        ("torch/avx2@cpu", "torch/avx2@cpu"),
        ("torch==2.12.1,numpy==2.1.0:vmap/default", "torch:vmap/default"),
        ("torch==2.12.1+cpu/avx2", "torch/avx2"),
        ("tensorflow:function/eigen", "tensorflow:function/eigen"),
        ("jax/sse4_2", "jax/sse4_2"),
        ("numpy/baseline", "numpy/baseline"),
    ],
)
def test_a_variant_stands_between_mode_and_device(text: str, unpinned: str) -> None:
    subject = parse(text)
    assert (subject.name, subject.unpinned) == (text, unpinned)
    assert "--variant" in subject.argv()
    assert subject.argv()[subject.argv().index("--variant") + 1] == subject.variant


def test_a_pin_keeps_the_variant() -> None:
    assert with_pins(parse("torch/avx2"), ["torch==2.12.1"]).name == "torch==2.12.1/avx2"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("torch/avx3", "torch has the variants default, avx2, avx512, one_thread; did you mean torch/avx2?"),
        (
            "torch/compile",
            "torch has the variants default, avx2, avx512, one_thread; did you mean torch:compile?",
        ),
        (
            "torch:avx2",
            "torch has the modes eager, compile, vmap, autocast, func, jacfwd, export, refs, decomp, "
            "loss_parallel; did you mean torch/avx2?",
        ),
        ("torch@avx2", "torch has the devices cpu, cuda and others; did you mean torch/avx2?"),
        ("torch:complie", "did you mean torch:compile?"),
        ("tensorflow@cuda", "tensorflow has the devices cpu, gpu"),
        (
            "tensorflow:xla/eigen",
            "the variant eigen chooses no kernels of the mode xla: eager, function alone; "
            "did you mean tensorflow/eigen?",
        ),
        ("torch/avx2@cuda", "the variant avx2 is of the processor's kernels: cuda runs others"),
        (
            "torch+avx2",
            "the grammar is framework[==version[,package==version ...]][:mode][/variant][@device]",
        ),
        ("torch/avx2:compile", "the grammar is"),
        ("numpy/", "the grammar is"),
    ],
)
def test_what_does_not_exist_is_refused_and_what_was_meant_is_asked(text: str, words: str) -> None:
    with pytest.raises(SubjectError) as refused:
        parse(text)
    assert words in str(refused.value)


def test_every_combination_of_mode_and_variant_is_named() -> None:
    assert {"jax", "jax:vmap", "jax/avx2", "jax:vmap/avx2"} <= set(names("jax"))
    assert "tensorflow:xla/eigen" not in names("tensorflow")
    assert [parse(name).name for name in names("tensorflow")] == names("tensorflow")


def test_a_variant_that_this_processor_lacks_is_told_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hardware, "flags", frozenset)
    with pytest.raises(SubjectError, match=r"^subject .torch/avx2.: torch/avx2 needs a processor with avx2"):
        select(["torch/avx2"])


def test_the_profile_kernels_adds_what_this_processor_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "flags", lambda: frozenset({"avx2", "fma", "sse4_2"}))
    chosen, notes = profiles.with_variants(
        [parse(name) for name in ("numpy", "torch:vmap", "tensorflow:xla", "torch@cuda")]
    )
    assert [one.name for one in chosen] == [
        *("numpy", "numpy/baseline", "torch:vmap", "torch:vmap/default", "torch:vmap/avx2"),
        *("torch:vmap/one_thread", "tensorflow:xla", "tensorflow:xla/one_thread", "torch@cuda"),
    ]
    assert notes == [
        "torch:vmap/avx512 was left out: this processor lacks avx512f, avx512dq, avx512bw, avx512vl"
    ]
    assert [one.variant for one in chosen if "/" in one.name] == [
        *("baseline", "default", "avx2", "one_thread", "one_thread")
    ]


def test_the_profile_kernels_asks_another_machines_worker() -> None:
    far = Subject("far", "torch", remote=("ssh", "host", "python3"))
    chosen, notes = profiles.with_variants([far])
    assert [one.name for one in chosen] == ["far", "far/default", "far/avx2", "far/avx512", "far/one_thread"]
    assert notes == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("torch@cuda:99", "torch has no device 'cuda:99' here"),
        ("jax@tpu", "jax has no device 'tpu' here"),
    ],
)
def test_a_device_that_was_asked_for_and_is_not_there_ends_the_run(name: str, words: str) -> None:
    with pytest.raises(SubjectError) as refused:
        session.run([CASES], subjects=[name])
    assert str(refused.value).startswith(f"subject {name!r}: {words}")
    assert "\n" not in str(refused.value)


def test_a_variant_that_nobody_named_is_unsupported_where_its_worker_refuses_it() -> None:
    """As the profile adds it on a machine whose processor it cannot see."""
    script = "import sys; print('conformance: no such kernels', file=sys.stderr); sys.exit(3)"
    far = Subject("far/avx2", "torch", variant="avx2", command=(sys.executable, "-c", script))
    frame: pd.DataFrame = session.run([CASES], under_test=[far]).frame
    assert set(frame["verdict"]) == {"unsupported"}
    assert set(frame["message"]) == {"no such kernels"}


def test_a_variant_is_chosen_where_the_adapters_are_handed_over() -> None:
    far = Subject("far", "numpy", variant="baseline", remote=(sys.executable,))
    run = session.run([CASES], under_test=[far, parse("numpy")])
    kernels = {name: about["kernels"] for name, about in run.environment["subjects"].items()}
    assert kernels["far"]["dispatched"] == [] != kernels["numpy"]["dispatched"]
    assert run.environment["subjects"]["far"]["variant"] == "baseline"
    assert run.complete
