"""A reproduction is a program that imports the framework alone and prints what the adapter returned."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from report.example_arguments import ARGUMENTS

from conformance.adapters.registry import description
from conformance.arithmetic import from_storage, to_storage
from conformance.operations import OPERATIONS, direction, upstream
from conformance.report.reproduction import literals
from conformance.report.reproduction.formulation_source import formulation, second_by_hand
from conformance.report.reproduction.program import Check, check_of, reproduce

IMPORTABLE = {
    "torch": {"torch"},
    "tensorflow": {"tensorflow"},
    "jax": {"jax", "numpy"},
    "numpy": {"numpy"},
}
STANDARD = set(sys.stdlib_module_names)


def arguments_of(operation: str, dtype: str) -> dict[str, Any]:
    """The operation's arguments as a case gives them: arrays rounded to the dtype, absent weights None."""
    out: dict[str, Any] = {"weight": None} if "cross_entropy" in operation else {}
    for name, value in ARGUMENTS[operation].items():
        if not isinstance(value, list):
            out[name] = value
        elif np.asarray(value).dtype.kind == "i":
            out[name] = np.asarray(value, np.int64)
        else:
            out[name] = from_storage(to_storage(np.asarray(value, np.float64), dtype))
    return out


def job(
    framework: str,
    operation: str,
    name: str,
    quantity: str,
    dtype: str,
    mode: str,
    own: bool = False,
    **parameters: Any,
) -> dict[str, Any]:
    """One check as the driver wants it: the program, and the request of the wire; `own`: its own upstream."""
    arguments = arguments_of(operation, dtype) | parameters
    shape = OPERATIONS[operation].result_shape(arguments)
    if own:
        arguments["upstream"] = np.asarray(0.5 + upstream(shape))
    arrays = {key: value for key, value in arguments.items() if isinstance(value, np.ndarray)}
    if quantity != "value":
        arrays.setdefault("upstream", np.asarray(upstream(shape) if shape else 1.0))
        shape = arrays[quantity.partition(":")[2]].shape
    if quantity.startswith("second"):
        arrays["direction"] = direction(shape)
    index = tuple(size - 1 for size in shape)
    check = Check(operation, name, quantity, dtype, framework, mode=mode, case="here", worst_index=index)
    request = {
        "id": 1,
        "operation": operation,
        "formulation": name,
        "dtype": dtype,
        "quantities": [quantity],
        "parameters": {
            key: value
            for key, value in arguments.items()
            if value is not None and not isinstance(value, np.ndarray) and key in ARGUMENTS[operation]
        },
        "arrays": [
            {"name": key, "dtype": dtype if value.dtype.kind == "f" else "int64"}
            for key, value in arrays.items()
        ],
    }
    return {
        "program": reproduce(check, arguments),
        "request": request,
        "arrays": {key: value.tolist() for key, value in arrays.items()},
        "index": list(index),
        "name": f"{operation} {name} {quantity} {dtype}",
    }


def jobs(framework: str, mode: str) -> list[dict[str, Any]]:
    """Every formulation that the framework has: value, first gradient (also of another upstream), second."""
    out = []
    few = ("log_softmax", "cross_entropy") if mode in ("xla", "export") else tuple(ARGUMENTS)
    for operation, arguments in ARGUMENTS.items():
        if operation not in few:
            continue
        for name in OPERATIONS[operation].formulations:
            if formulation(framework, operation, name) is None:
                continue
            quantities = ["value"]
            if operation != "one_hot":
                quantities.append(f"gradient:{next(iter(arguments))}")
                if framework != "numpy" or second_by_hand(operation, name):
                    quantities.append(f"second:{next(iter(arguments))}")
            out += [job(framework, operation, name, quantity, "float32", mode) for quantity in quantities]
            out += [
                job(framework, operation, name, one, "float32", mode, own=True) for one in quantities[1:2]
            ]
    half = "float16" if framework == "numpy" else "bfloat16"
    out += [job(framework, one, "composed", "value", half, mode) for one in ("log_softmax", "cross_entropy")]
    # float64 comes last: a program of JAX switches it on for good.
    return [*out, job(framework, "log_softmax", "functional", "value", "float64", mode)]


def same(printed: str, returned: str) -> bool:
    """Whether a program's print says what the adapter returned, its error where it raised one."""
    status, _, message = returned.partition(": ")
    if status == "raised":
        return message[:60] in printed
    return printed == returned or (returned == "nan" and printed.strip("-") == "nan")


def printed_and_returned(todo: list[dict[str, Any]], framework: str, mode: str) -> list[dict[str, str]]:
    """What each job's program printed, and what the adapter returned."""
    command = [sys.executable, "-m", "report.run_reproductions", framework, mode]
    done = subprocess.run(
        command,
        input=json.dumps(todo),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=environment(),
    )
    assert done.returncode == 0, done.stderr[-3000:]
    results: list[dict[str, str]] = json.loads(done.stdout)
    return results


@pytest.mark.parametrize(
    ("framework", "mode"),
    [
        ("numpy", ""),
        ("torch", ""),
        *(("torch", mode) for mode in ("autocast", "func", "jacfwd", "export", "refs", "decomp")),
        ("tensorflow", ""),
        ("tensorflow", "xla"),
        ("jax", "jit"),
        ("jax", "vmap_axes"),
        ("jax", "checkpoint"),
    ],
)
def test_prints_what_the_adapter_returned(framework: str, mode: str) -> None:
    """Every formulation's program runs and prints the digits that the adapter's array has at that index."""
    todo = jobs(framework, mode)
    assert all(one["program"] for one in todo)
    results = printed_and_returned(todo, framework, mode)
    wrong = [
        f"{one['name']}: printed {result['printed']!r}, the adapter returned {result['returned']!r}"
        for one, result in zip(todo, results, strict=True)
        if not result["returned"].startswith("unsupported")
        and not same(result["printed"], result["returned"])
    ]
    assert not wrong, "\n".join(wrong)
    answered = [result for result in results if not result["returned"].startswith("unsupported")]
    assert len(answered) >= 10


def test_programs_of_two_ranks_print_what_the_adapter_returned() -> None:
    """Each is a process of its own, as it forks; its digits and its errors are the adapter's."""
    plain: dict[str, Any] = {"weight": None, "label_smoothing": 0.0}
    checks = [
        ("functional", "value", False),
        ("functional", "gradient:logits", False),
        ("module", "gradient:logits", True),
    ]
    todo = [
        job("torch", "cross_entropy", name, quantity, "float32", "loss_parallel", own=own, **plain)
        for name, quantity, own in checks
    ]
    mean = plain | {"reduction": "mean"}
    todo.append(job("torch", "cross_entropy", "functional", "value", "bfloat16", "loss_parallel", **mean))
    results = printed_and_returned(todo, "torch", "loss_parallel")
    assert [result["printed"] for result in results] == [result["returned"] for result in results]
    assert len({result["printed"] for result in results}) > 2


def test_every_mode_has_a_program_of_its_own() -> None:
    """No mode's program is that of the framework's default."""
    for framework, name in (("torch", "functional"), ("tensorflow", "composed"), ("jax", "composed")):
        arguments = arguments_of("log_softmax", "float32")
        programs = {
            mode.name: "\n".join(
                str(
                    reproduce(
                        Check("log_softmax", name, quantity, "float32", framework, mode.name), arguments
                    )
                )
                for quantity in ("value", "gradient:x", "second:x")
            )
            for mode in description(framework).modes
        }
        assert len(set(programs.values())) == len(programs), framework


@pytest.mark.parametrize(
    ("framework", "mode", "words"),
    [
        ("torch", "autocast", 'with torch.autocast("cpu", dtype=torch.bfloat16):'),
        ("torch", "func", "torch.func.grad(lambda logits: F.cross_entropy(logits, target))(logits)"),
        ("torch", "jacfwd", "torch.func.jacfwd(lambda logits: F.cross_entropy(logits, target))(logits)"),
        ("torch", "export", ".run_decompositions().module()(logits, target)"),
        ("torch", "refs", "with torch.no_grad(), TorchRefsMode():"),
        ("torch", "decomp", "with Decompositions():"),
        ("torch", "loss_parallel", "logits = distribute_tensor(logits.detach(), mesh, [Shard("),
        ("torch", "compile", "torch.compile(lambda logits, target:"),
        ("jax", "checkpoint", "jax.checkpoint(lambda logits, target:"),
    ],
)
def test_program_is_that_of_the_mode(framework: str, mode: str, words: str) -> None:
    """Every mode but the framework's own shows in its program."""
    name = "functional" if framework == "torch" else "composed"
    one = job(framework, "cross_entropy", name, "gradient:logits", "float32", mode)
    check = Check("cross_entropy", name, "gradient:logits", "float32", framework, mode=mode)
    plain = {"weight": None, "label_smoothing": 0.0, "reduction": "mean"}
    arguments = {**arguments_of("cross_entropy", "float32"), **plain}
    assert one["program"]
    assert words in str(reproduce(check, arguments))


def environment() -> dict[str, str]:
    """This process' environment, with the tests and the package on the path."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


class TestReproduce:
    """`reproduce` writes programs that stand alone."""

    @pytest.mark.parametrize("framework", sorted(IMPORTABLE))
    def test_imports_the_framework_alone(self, framework: str) -> None:
        """No program imports anything of this package, nor more than its framework (and NumPy beside JAX)."""
        for one in jobs(framework, ""):
            imported = {
                (node.module if isinstance(node, ast.ImportFrom) else alias.name or "").split(".")[0]
                for node in ast.walk(ast.parse(one["program"]))
                if isinstance(node, (ast.Import, ast.ImportFrom))
                for alias in node.names
            }
            assert imported - STANDARD <= IMPORTABLE[framework], one["program"]

    def test_a_call_of_the_framework_stays_one_call(self) -> None:
        """What is one function in the framework is one line of the program, with only what the case says."""
        arguments = arguments_of("cross_entropy", "float32") | {"label_smoothing": 0.0, "ignore_index": -100}
        check = Check(
            "cross_entropy", "functional", "value", "float32", "torch", worst_index=(0,), exact="7.00103"
        )
        program = reproduce(check, arguments)
        assert program is not None
        assert "result = F.cross_entropy(logits, target, reduction='none')\n" in program
        assert "# exact value at [0]: 7.00103\n" in program

    @pytest.mark.parametrize("framework", ["torch", "tensorflow", "jax", "numpy"])
    def test_labels_keep_their_integers(self, framework: str) -> None:
        """A function that takes no int8 refuses the program's labels as it refused the run's."""
        arguments = arguments_of("cross_entropy", "float32") | {"target": np.array([1, 2], np.int8)}
        name = "functional" if framework in ("torch", "numpy") else "composed"
        program = reproduce(Check("cross_entropy", name, "value", "float32", framework), arguments)
        assert program is not None
        (line,) = [line for line in program.splitlines() if line.startswith("target = ")]
        assert re.search(r"dtype=\w+\.int8\)$", line)

    @pytest.mark.parametrize("labels", [[1, -100], [1, 2]])
    def test_an_ignored_label_is_said(self, labels: list[int]) -> None:
        """Keras ignores none by default: the run says which where one is there, and so does the program."""
        given = {"target": np.array(labels), "ignore_index": -100}
        check = Check("cross_entropy", "module", "value", "float32", "tensorflow")
        program = reproduce(check, arguments_of("cross_entropy", "float32") | given)
        assert program is not None
        assert ("ignore_index=-100" in program) is (-100 in labels)

    def test_hostile_texts_stay_comments(self) -> None:
        """An id or a message with line breaks of any kind cannot become a statement."""
        evil = "x\nimport os\rimport sys\x0bimport re\x0cimport io\u2028import abc"
        arguments = arguments_of("sigmoid", "float32")
        check = Check(
            "sigmoid", "functional", "value", "float32", "torch", case=evil, exact=evil, message=evil
        )
        program = reproduce(check, arguments)
        assert program is not None
        body = ast.parse(program).body
        assert [ast.unparse(one) for one in body if isinstance(one, ast.Import)] == ["import torch"]

    def test_a_users_own_function_has_none(self) -> None:
        """There is no program for a subject that is no framework of ours."""
        row = {
            "subject": "losses.py:fused",
            "operation": "sigmoid",
            "formulation": "functional",
            "quantity": "value",
        }
        check = check_of({**row, "dtype": "float32", "case": "a", "worst_index": "[2]"})
        assert reproduce(check, arguments_of("sigmoid", "float32")) is None

    def test_reads_the_subject(self) -> None:
        """Framework, mode, device and worst index come from the row; a default mode from the environment."""
        row = {"subject": "torch==2.12.1:compile@cuda:0", "worst_index": "[1, 20]", "dtype": "float32"}
        check = check_of(row)
        assert (check.framework, check.mode, check.device, check.worst_index) == (
            "torch",
            "compile",
            "cuda:0",
            (1, 20),
        )
        assert check_of({"subject": "jax"}, {"subjects": {"jax": {"mode": "jit"}}}).mode == "jit"

    def test_inputs_too_large_to_copy_have_none(self) -> None:
        """A million different numbers are no text that anyone pastes."""
        many = np.random.default_rng(0).standard_normal(1_000_000)
        check = Check("sigmoid", "functional", "value", "float64", "torch")
        assert reproduce(check, {"x": many}) is None

    def test_inputs_too_large_to_copy_cost_no_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What no compression makes short enough is not touched, and what grows too long is not read on."""
        assert literals.packed(np.broadcast_to(np.float64(0.5), (1 << 40,))) is None
        taken: list[bytes] = []

        class Stream:
            def compress(self, data: bytes) -> bytes:
                taken.append(data)
                return data

        monkeypatch.setattr(literals.zlib, "compressobj", Stream)
        assert literals.packed(np.random.default_rng(1).standard_normal(1_000_000)) is None
        assert len(taken) == 1

    def test_large_inputs_are_packed(self) -> None:
        """More elements than anyone reads are packed into a few lines, to the bit."""
        values = np.repeat(np.float64(np.float32(0.1)), 5_000).reshape(50, 100)
        check = Check("softmax", "functional", "value", "float32", "torch", worst_index=(49, 99))
        program = reproduce(check, {"x": values, "axis": 1})
        assert program is not None
        assert len(program) < 1_000
        assert ".reshape((50, 100))" in program


@pytest.mark.parametrize("framework", ["numpy", "torch", "tensorflow", "jax"])
def test_an_empty_tensor_keeps_the_axes_behind_its_empty_one(framework: str) -> None:
    check = Check("cross_entropy", "functional", "value", "float32", framework)
    if framework == "jax":
        check = replace(check, formulation="composed")
    empty = {"logits": np.zeros((0, 5)), "target": np.zeros((0,), np.int64), "reduction": "sum"}
    program = reproduce(check, empty)
    assert program is not None
    assert "(0, 5)" in program


def test_a_gradient_that_raised_is_asked_for_with_its_upstream() -> None:
    check = Check("cross_entropy", "module", "gradient:logits", "float32", "tensorflow")
    case = {"logits": np.zeros((0, 5)), "target": np.zeros((0, 5)), "reduction": "sum"}
    said = [reproduce(replace(check, message=text), case) or "" for text in ("", "it raised")]
    assert ["upstream = " in text for text in said] == [False, True]


def test_vmap_maps_the_call_over_rows() -> None:
    check = Check("softmax", "functional", "value", "float32", "torch", mode="vmap")
    program = reproduce(check, {"x": np.zeros((2, 3)), "axis": 1})
    assert program is not None
    assert "torch.func.vmap(lambda x: softmax(x, axis=0))(x)" in program, "the axis is that of a row"
