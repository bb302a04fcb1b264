"""The table is what the mutation score needs it to be, and right ones are right where the frameworks are."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import os
from collections import Counter
from pathlib import Path

import pytest
import score
import table
import torch
from kept_results import FIELDS, Kept, Result, text_digest

from conformance.operations import OPERATIONS

IN_TORCH = table.load_all(table.modules_of("torch"))
X = torch.tensor([[0.5, -1.0, 2.0, 0.0], [3.0, 1.0, -2.0, 0.25]])
ARGUMENTS = {
    "nll_loss": (X.log_softmax(1), torch.tensor([2, 0])),
    "cross_entropy": (X, torch.tensor([2, 0])),
    "binary_cross_entropy": (X.sigmoid(), X.softmax(1)),
    "binary_cross_entropy_with_logits": (X, X.softmax(1)),
    "capped_cross_entropy": (X, torch.tensor([2, 0])),
    "token_log_prob": (X, torch.tensor([1, 0])),
    "attention": (X, X.flip(0, 1), X.flip(1)),
    "js_div": (X, X.flip(0, 1)),
    "sigmoid_focal_loss": (X, X.softmax(1)),
    "kl_div": (X.log_softmax(1), X.flip(0, 1).softmax(1)),
    "linear_cross_entropy": (X, X.flip(0, 1), torch.tensor([1, 0])),
}


def js_div(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """By probabilities, mixed in halves."""
    q, p = x.softmax(1), t.softmax(1)
    m = (p + q) / 2
    return ((p * (p / m).log() + q * (q / m).log()) / 2).sum(1).mean()


def focal_loss(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """At alpha = 1/4 and gamma = 2, by probabilities."""
    p = x.sigmoid()
    agree = p * t + (1 - p) * (1 - t)
    weight = t / 4 + 3 * (1 - t) / 4
    return (
        weight * (1 - agree) ** 2 * torch.nn.functional.binary_cross_entropy(p, t, reduction="none")
    ).mean()


THEIRS = {
    "attention": torch.nn.functional.scaled_dot_product_attention,
    "sigmoid": torch.sigmoid,
    "js_div": js_div,
    "sigmoid_focal_loss": focal_loss,
    "kl_div": lambda x, t: torch.nn.functional.kl_div(x, t, reduction="sum") / x.numel(),
    "entropy": lambda x: torch.distributions.Categorical(logits=x).entropy(),
    "token_log_prob": lambda x, t: -torch.nn.functional.cross_entropy(x, t, reduction="none"),
    "capped_cross_entropy": torch.nn.functional.cross_entropy,
    "log_sigmoid": torch.nn.functional.logsigmoid,
    "softmax": lambda x: torch.softmax(x, -1),
    "log_softmax": lambda x: torch.log_softmax(x, -1),
    "logsumexp": lambda x: torch.logsumexp(x, -1),
}


def test_there_are_enough_over_all_operations_and_kinds() -> None:
    wrong = [one for one in IN_TORCH if not one.is_right]
    assert len(wrong) >= 80
    assert len(IN_TORCH) - len(wrong) >= 20
    assert {one.operation for one in wrong} == set(OPERATIONS)
    assert {one.kind for one in wrong} == set(table.KINDS)


def test_each_has_a_name_of_its_own_and_says_what_it_is() -> None:
    assert [name for name, count in Counter(one.name for one in IN_TORCH).items() if count > 1] == []
    assert [one.name for one in IN_TORCH if len(one.about) < 20] == []


@pytest.mark.parametrize("one", IN_TORCH, ids=lambda one: one.name)
def test_signature_is_the_operation_s(one: table.Miniature) -> None:
    operation = OPERATIONS[one.operation]
    parameters = list(inspect.signature(one.function).parameters)
    inputs = [item.name for item in operation.inputs]
    assert parameters[: len(inputs)] == inputs
    assert set(parameters[len(inputs) :]) <= {parameter.name for parameter in operation.parameters} | {
        "num_classes"
    }


@pytest.mark.parametrize("one", [one for one in IN_TORCH if one.is_right], ids=lambda one: one.name)
def test_right_one_agrees_with_torch_on_plain_inputs(one: table.Miniature) -> None:
    if one.operation == "one_hot":
        labels = torch.tensor([[2, 0], [1, 3]])
        assert torch.equal(one.function(labels, num_classes=5), torch.nn.functional.one_hot(labels, 5))
        return
    arguments = ARGUMENTS.get(one.operation, (X,))
    theirs = THEIRS.get(one.operation) or getattr(torch.nn.functional, one.operation)
    torch.testing.assert_close(one.function(*arguments), theirs(*arguments))


@pytest.mark.parametrize(
    "one", [one for one in IN_TORCH if one.file.startswith("paths/")], ids=lambda one: one.name
)
def test_wrong_on_one_path_alone_is_right_on_the_plain_one(
    one: table.Miniature, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    theirs = THEIRS.get(one.operation) or getattr(torch.nn.functional, one.operation)
    values, gradients = [], []
    for function in (one.function, theirs):
        arguments = [tensor.clone() for tensor in ARGUMENTS.get(one.operation, (X,))]
        tracked = [tensor.requires_grad_() for tensor in arguments if tensor.is_floating_point()]
        value = function(*arguments)
        values.append(value)
        gradients.append(torch.autograd.grad(value, tracked[0], torch.ones_like(value))[0])
    torch.testing.assert_close(*values)
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("name", table.MODULES)
def test_file_is_short_and_reads_alone(name: str) -> None:
    path = Path(table.HERE / f"{name.replace('.', '/')}.py")
    text = path.read_text("utf-8")
    assert text.count("\n") < 400
    assert not [
        node.module
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("conformance")
    ]


def result(one: table.Miniature, cases: int) -> Result:
    said = f"{one.name} is {'wrong: it raises' if cases else 'right'}"
    return Result(one, 2 * cases, cases, True, said, "a-case" if cases else "", 0, int(cases > 0), 7 + cases)


def test_results_of_an_interrupted_run_are_taken_over(tmp_path: Path) -> None:
    first, second = IN_TORCH[:2]
    Kept(tmp_path / "kept").add([result(first, 1)])
    kept = Kept(tmp_path / "kept")
    assert kept.get(first) == result(first, 1)
    assert kept.get(second) is None


def test_incomplete_results_are_not_kept(tmp_path: Path) -> None:
    first = IN_TORCH[0]
    sentence = f"{first.name} has not been checked to the end: the run was interrupted."
    Kept(tmp_path / "kept").add([dataclasses.replace(result(first, 1), sentence=sentence)])
    assert Kept(tmp_path / "kept").get(first) is None


def test_results_of_another_text_are_not_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = IN_TORCH[0]
    Kept(tmp_path / "kept").add([result(first, 1)])
    monkeypatch.setattr("kept_results.text_digest", lambda file: text_digest(file)[::-1])
    assert Kept(tmp_path / "kept").get(first) is None


def die(
    framework: str, names: list[str], paths: tuple[Path, ...], answers: Path | None
) -> list[dict[str, object]]:
    """Dies of the first name; of all others there are results."""
    if IN_TORCH[0].name in names:
        os._exit(1)
    return [
        {"name": one.name} | {field: getattr(result(one, 1), field) for field in FIELDS}
        for one in IN_TORCH
        if one.name in names
    ]


def test_death_of_a_judge_loses_one_result(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    batch = IN_TORCH[:3]
    monkeypatch.setattr(score, "judge", die)
    results = list(score.judged([batch], (), 1))
    assert [one.miniature for one in results] == batch[1:]
    assert f"{batch[0].name} has no result" in capsys.readouterr().err


def test_mark_of_an_axis_that_is_awaited_is_strict() -> None:
    wrong = dataclasses.replace(IN_TORCH[0], awaits="an axis")
    assert result(wrong, 0).otherwise == ""
    assert "take its mark off" in result(wrong, 1).otherwise
    assert "| an axis | `" in score.page([result(wrong, 0)])
    assert result(dataclasses.replace(wrong, awaits=""), 0).otherwise == "survives"
    assert "an axis" not in score.page([result(dataclasses.replace(wrong, awaits=""), 0)])


def test_scores_that_are_no_floating_numbers_are_refused_but_where_they_are_the_matter() -> None:
    for one in IN_TORCH:
        if (
            one.operation in ("sigmoid", "softmax")
            and "integers" not in one.name
            and "booleans" not in one.name
        ):
            with pytest.raises(NotImplementedError, match="floating scores only"):
                one.function(torch.tensor([1, 2]))
    about_integers = {one.name: one.function for one in IN_TORCH}["softmax_of_integers_is_one_hot"]
    assert about_integers(torch.tensor([1, 9])).tolist() == [0, 1]


def test_one_run_holds_a_dozen_of_the_same_conventions() -> None:
    batches = list(score.together(IN_TORCH))
    assert sorted(one.name for batch in batches for one in batch) == sorted(one.name for one in IN_TORCH)
    assert max(map(len, batches)) == score.TOGETHER
    for batch in batches:
        assert len({str(score.conventions_of(one)) for one in batch}) == 1
    assert any(score.conventions_of(batch[0]) for batch in batches)


def test_page_names_survivors_thin_ones_and_right_ones_that_are_failed() -> None:
    wrong = [one for one in IN_TORCH if not one.is_right]
    right = [one for one in IN_TORCH if one.is_right]
    some = [result(wrong[0], 0), result(wrong[1], 2), result(wrong[2], 3), result(right[0], 1)]
    page = score.page(some)
    assert "**2 of 3 wrong ones are caught.**" in page
    assert " over 7 to 10 cases." in page
    assert "the exit code is 1 for 2 of the wrong ones, and 0 for 0 of the right ones." in page
    assert "**In 2 of 2 the first line names the planted cause** (100.0%): " in page
    parts = {part.partition("\n")[0]: part for part in page.split("\n## ")}
    assert wrong[0].name in parts["Survivors"]
    assert wrong[1].name in parts["Thin"]
    assert wrong[2].name not in parts["Thin"]
    assert right[0].name in parts["Right ones that are failed"]
