"""Omissions: what a profile leaves out is data, with a reason, and adds up with what it asks."""

from __future__ import annotations

import pytest
import torch

from conformance.adapters.registry import FRAMEWORKS, description
from conformance.adapters.torch.formulations import FUNCTIONS
from conformance.cases.loader import load_cases
from conformance.plan import profiles
from conformance.plan.omissions import left_out
from conformance.plan.requests import make

ROWS = torch.tensor([[0.5, 0.25, 0.125]])
INPUTS = {
    "nll_loss": (ROWS, torch.tensor([1])),
    "cross_entropy": (ROWS, torch.tensor([1])),
    "binary_cross_entropy": (ROWS, ROWS),
    "binary_cross_entropy_with_logits": (ROWS, ROWS),
    "kl_div": (ROWS, ROWS),
}
WITH_MODULE = [operation for operation, table in FUNCTIONS.items() if "module" in table]


def test_what_is_asked_and_what_is_left_out_are_the_whole_corpus() -> None:
    cases = load_cases()
    partial = ["torch:compile", "torch:export", "torch:loss_parallel"]
    modes = [*partial, "torch:decomp"]
    whole = make(cases, modes).requests
    asked = make(cases, modes, wanted=profiles.wanted_by("full")).requests
    checks = {
        name: [sum(len(request.quantities) for request in of[name]) for of in (whole, asked)]
        for name in whole
    }
    rows = list(left_out("full", cases))
    for mode in partial:
        left = sum(row.checks for row in rows if row.omission.subject == mode)
        assert checks[mode][0] == checks[mode][1] + left
        assert 0 < left < checks[mode][0]
    assert checks["torch:decomp"][0] == checks["torch:decomp"][1], "every other mode is asked all"
    assert {row.omission.subject for row in rows} == set(partial)


def test_the_default_profile_says_that_it_leaves_out_every_other_mode_and_what_is_large() -> None:
    cases = load_cases()
    rows = {row.what: row.checks for row in left_out("default", cases)}
    modes = [f"`{name}:{mode}`" for name in FRAMEWORKS for mode in description(name).mode_names[1:]]
    assert list(rows) == ["cases: large", *modes]
    large = sum(
        len(case.dtypes) * len(case.formulations) * len(case.quantity_names())
        for case in cases
        if "large" in case.tags
    )
    assert rows["cases: large"] == large


@pytest.mark.parametrize("profile", ["default", "full"])
def test_no_row_leaves_out_nothing_and_each_has_a_reason(profile: str) -> None:
    for row in left_out(profile, load_cases()):
        assert row.checks
        assert len(row.reason) > 20


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")  # what kl_div says of its own mean
@pytest.mark.parametrize("operation", WITH_MODULE)
def test_a_module_is_the_same_graph_as_its_function(operation: str) -> None:
    """The reason for which no module is compiled."""
    graphs = set()
    for formulation in ("functional", "module"):
        function = FUNCTIONS[operation][formulation]

        class Called(torch.nn.Module):
            def forward(self, *tensors: torch.Tensor) -> torch.Tensor:
                return function(*tensors)  # noqa: B023 - it is traced at once

        program = torch.export.export(Called(), INPUTS.get(operation, (ROWS,)), strict=False)
        graphs.add(str(program.graph))
    assert len(graphs) == 1
