"""What is compiled, how often: the cost of a run in compiled modes."""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from adapters.driving import Client

from conformance.adapters.base import Call
from conformance.adapters.jax import programs as jax_programs
from conformance.adapters.jax.adapter import BFLOAT16, JaxAdapter, enable_x64, evaluate, normalized
from conformance.cases.loader import load_cases
from conformance.execution import session
from conformance.plan import requests
from conformance.plan.requests import pick
from conformance.plan.settings import Settings
from conformance.subjects.subject import parse

RANDOM = np.random.default_rng(11)


def _count(worker: Client, **parameters: object) -> int:
    """Programs compiled so far, after one more request with other numbers."""
    response = worker.ask(
        "cross_entropy",
        "composed",
        "float32",
        ["value", "gradient:logits"],
        parameters,
        logits=RANDOM.normal(size=(4, 3)),
        target=RANDOM.integers(0, 3, 4),
        weight=RANDOM.uniform(size=3),
        upstream=1.0,
    )
    assert response.status("gradient:logits") == "returned", response.outcomes
    return int(response.header["compilations"])


def test_jax_compiles_value_and_gradient_once_for_all_numbers(tmp_path: Path) -> None:
    """Labels, weights, the ignored label, smoothing and upstream are traced; JAX's own log is the witness."""
    environment = {**os.environ, "JAX_LOG_COMPILES": "1", "CONFORMANCE_CACHE": str(tmp_path)}
    with Client("jax", environment=environment) as worker:
        first = _count(worker)
        for ignore_index in (-100, 0, 1):
            assert _count(worker, ignore_index=ignore_index) == first
        assert _count(worker, reduction="mean") == first
        assert _count(worker, label_smoothing=0.0) == first
        for smoothing in (0.1, 0.5, 1.0):
            assert _count(worker, label_smoothing=smoothing) == first + 1
        last = _count(worker, reduction="sum")
        assert last == first + 2
        _, log = worker.close()
    assert log.count("Finished XLA compilation of jit(program)") == last
    assert any((tmp_path / "jax-programs").iterdir())


def test_jax_compiles_once_what_it_lowers_to_the_same(tmp_path: Path) -> None:
    """An axis counted from the end is looked up by JAX itself: one program comes out, also on disk."""
    environment = {**os.environ, "JAX_LOG_COMPILES": "1", "CONFORMANCE_CACHE": str(tmp_path)}
    x = RANDOM.normal(size=(2, 3, 4))
    for compiled in (3, 1):  # one for the question about subnormals, which is on no disk
        with Client("jax", environment=environment) as worker:
            for axis, programs in ((2, 2), (-1, 2), (-2, 3)):
                response = worker.ask("softmax", "functional", "float32", ["value"], {"axis": axis}, x=x)
                np.testing.assert_allclose(response.numbers().sum(axis), 1, rtol=1e-6)
                assert response.header["compilations"] == programs
            assert worker.close()[1].count("Finished XLA compilation of jit(program)") == compiled


def test_the_default_corpus_takes_jax_at_most_4700_programs() -> None:
    """Each takes 0.2 to 0.8 s: a new case takes a shape that others have (docs/writing-cases.md).

    Other layouts than the contiguous one are refused before anything is compiled: they take none.
    """
    groups = requests.make(pick(load_cases(), Settings()), ["jax"]).groups
    has = {operation: set(table) for operation, table in JaxAdapter.formulations.items()}
    compiled = [
        group
        for group in groups
        if group.case.expect != "error"
        and not group.case.layout
        and has[group.case.operation].intersection(group.together)
    ]
    assert len({group.program for group in compiled}) <= 4700


def test_torch_compiles_a_program_of_its_own_for_each_shape(tmp_path: Path) -> None:
    environment = {**os.environ, "CONFORMANCE_CACHE": str(tmp_path)}
    environment.pop("TORCHINDUCTOR_CACHE_DIR", None)  # inductor leaves it behind where this process asked it
    with Client("torch", "--mode", "compile", environment=environment) as worker:
        for columns, programs in ((3, 1), (2, 2), (3, 2)):
            x = RANDOM.normal(size=(2, columns))
            response = worker.ask("sigmoid", "functional", "float64", x=x)
            np.testing.assert_allclose(response.numbers(), 1 / (1 + np.exp(-x)), rtol=1e-12)
            assert response.header["compilations"] == programs + 1  # one for the question about subnormals
        assert worker.close()[0] == 0
    assert any((tmp_path / "inductor").iterdir())


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("operation", ["cross_entropy", "log_softmax", "binary_cross_entropy_with_logits"])
def test_jax_compiles_formulations_together_to_the_bits_of_each_alone(operation: str, dtype: str) -> None:
    """The reference is `jax.jit` of one formulation; a lone nan's sign is nobody's business."""
    adapter = JaxAdapter()
    x = RANDOM.normal(scale=5, size=(4, 7))
    x[1, 2], x[2] = np.inf, 30.0
    target = RANDOM.uniform(size=(4, 7)) if operation.startswith("binary") else RANDOM.integers(0, 7, 4)
    arrays = {"x" if operation == "log_softmax" else "logits": x, "target": target}
    if operation == "log_softmax":
        del arrays["target"]
    tensors = {name: _stored(value, dtype) for name, value in arrays.items()}
    wrt = (next(iter(tensors)),)
    for formulation, function in adapter.formulations[operation].items():
        call = Call(function, tuple(tensors), (), dtype)
        named, calls = adapter.beside(call, frozenset(tensors))
        assert len(calls) == len(adapter.formulations[operation])
        assert named == f"{operation} {formulation}"
        value, (gradient,) = adapter.compute(call, dict(tensors), wrt, None)
        call, traced = normalized(call)
        with enable_x64() if dtype == "float64" else nullcontext():
            alone = jax.jit(lambda *arrays, call=call: evaluate(call, wrt, *arrays))
            expected, (slope,) = alone(tensors, traced, None)
        for got, right in ((value, expected), (gradient, slope)):
            numbers = [np.asarray(one).astype(np.float64) for one in (got, right)]
            np.testing.assert_array_equal(*numbers)
    assert adapter.compilations() == 1


def test_jax_compiles_what_the_case_asks_for_and_no_more() -> None:
    """Without a word of the case, any formulation may be asked for next."""
    adapter = JaxAdapter()
    request = {
        "operation": "log_softmax",
        "formulation": "functional",
        "dtype": "float32",
        "parameters": {},
        "arrays": [],
    }
    for said, named in (({"formulations": ["functional", "naive"]}, {"functional", "naive"}), ({}, None)):
        call = adapter.call({**request, **said}, {"x": np.zeros((2, 3), np.float32)})
        _, calls = adapter.beside(call, frozenset({"x"}))
        assert {name.split()[1] for name in calls} == (named or set(adapter.formulations["log_softmax"]))


def test_without_a_barrier_each_formulation_is_a_program_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """JAX 0.4.13 has none: nothing may be compiled together, and nothing may fail for want of it."""
    monkeypatch.delattr(jax.lax, "optimization_barrier")
    monkeypatch.setattr(jax_programs, "HAS_BARRIER", False)
    adapter = JaxAdapter()
    x = RANDOM.normal(size=(2, 5)).astype("float32")
    for formulation, function in adapter.formulations["log_softmax"].items():
        value, _ = adapter.compute(Call(function, ("x",), (), "float32"), {"x": x}, ("x",), None)
        np.testing.assert_allclose(np.exp(np.asarray(value)).sum(axis=-1), 1, rtol=1e-5, err_msg=formulation)
    assert adapter.compilations() == len(adapter.formulations["log_softmax"])


def _stored(array: Any, dtype: str) -> Any:
    return array.astype(BFLOAT16 if dtype == "bfloat16" else dtype) if array.dtype.kind == "f" else array


def test_jax_loads_a_known_program_and_compiles_a_damaged_one_again(tmp_path: Path) -> None:
    environment = {**os.environ, "JAX_LOG_COMPILES": "1", "CONFORMANCE_CACHE": str(tmp_path)}
    numbers, logs = [], []
    for damage in (False, False, True):
        programs = [path for path in (tmp_path / "jax-programs").rglob("*") if path.is_file()]
        assert len(programs) == bool(logs)
        for path in programs if damage else ():
            path.write_bytes(path.read_bytes()[:1000])
        with Client("jax", environment=environment) as worker:
            response = worker.ask(
                "softmax",
                "functional",
                "float32",
                ["value", "gradient:x"],
                x=np.eye(3),
                upstream=np.ones((3, 3)),
            )
            numbers.append(response.numbers())
            logs.append(worker.close()[1].count("Finished XLA compilation of jit(program)"))
    np.testing.assert_array_equal(numbers[0], numbers[1])
    np.testing.assert_array_equal(numbers[0], numbers[2])
    assert logs == [2, 1, 2]  # one for the question about subnormals


@pytest.mark.parametrize("operation", ["js_div", "entropy"])
def test_second_derivative_of_a_compiled_program_is_unsupported(operation: str) -> None:
    """Its gradient has no graph: that says nothing of what it depends on, and 0 would be wrong."""
    cases = [case for case in load_cases() if case.id == f"{operation.replace('_', '-')}-second"]
    run = session.run(
        cases=cases,
        under_test=[parse("torch:compile")],
        wanted=lambda name, case, dtype, formulation, quantity: (
            formulation == "functional" and dtype == "float32" and quantity == "second:logits"
        ),
    )
    assert run.frame["verdict"].tolist() == ["unsupported"]
    assert "double backward" in run.frame["message"].iloc[0] or "create_graph" in run.frame["message"].iloc[0]
