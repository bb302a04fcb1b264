"""Templates of programs: filled with a check's numbers they are the program that `reproduce` writes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np
import pytest

from conformance.arithmetic.formats import FORMATS, round_to
from conformance.cases.loader import load_cases
from conformance.report.reproduction import literals
from conformance.report.reproduction.program import check_of, reproduce
from conformance.report.reproduction.program_templates import ProgramTemplates, program_templates

CASES = {
    case.id: case
    for case in load_cases()
    if case.file.endswith(("others.yaml", "class_options.yaml", "layouts.yaml"))
}


def _rows() -> list[dict[str, Any]]:
    """Checks of every framework and formulation: values with an element, gradients, errors."""
    rows = []
    for case in [*list(CASES.values())[:60], *list(CASES.values())[-20:]]:
        for subject in ("numpy", "torch", "torch:compile", "tensorflow", "jax", "jax:vmap"):
            for quantity in case.quantity_names():
                for formulation, dtype in product(case.formulations[:3], (case.dtypes[0], case.dtypes[-1])):
                    rows.append(
                        {
                            "case": case.id,
                            "operation": case.operation,
                            "formulation": formulation,
                            "quantity": quantity,
                            "dtype": dtype,
                            "subject": subject,
                            "verdict": "wrong",
                            "worst_index": "[0]" if quantity == "value" else "",
                            "observed": "1",
                            "exact": "2",
                            "message": "",
                        }
                    )
    return rows


def _inputs(case: str, dtype: str) -> Mapping[str, object]:
    return CASES[case].with_upstream(dtype)


def _filled(templates: ProgramTemplates, number: int, row: dict[str, Any]) -> str | None:
    """The program as the page writes it: in full digits."""
    if templates.template_of[number] < 0:
        return None
    text = "\n\n".join(templates.parts[part] for part in templates.texts[templates.template_of[number]])
    tensors = templates.inputs[f"{row['case']}/{row['dtype']}"]

    def hole(match: re.Match[str]) -> str:
        if match[1] == "element":
            return str(row["worst_index"])
        if match[1] == "dtype":
            return str(row["dtype"])
        array = templates.arrays[tensors[match[1]]]
        listed = templates.arrays[array["of"]] if "of" in array else array
        values = np.array([float(value) for value in listed["values"]])
        if "of" in array:
            values = round_to(FORMATS[array["dtype"]], values)
        values = values.reshape(array["shape"])
        return literals.nested(values if array["float"] else values.astype(np.int64), row["dtype"])

    return re.sub("⟦(\\w+)⟧", hole, text)


def test_every_program_is_that_of_its_check() -> None:
    """Letter for letter, in every framework, mode and formulation; few templates serve many checks."""
    rows = _rows()
    templates = program_templates(rows, {}, _inputs)
    programs = letters = 0
    for number, row in enumerate(rows):
        inputs = _inputs(row["case"], row["dtype"])
        written = reproduce(check_of(row), inputs, heading=False)
        if any(np.size(value) > literals.MAX_LISTED_ELEMENTS for value in inputs.values()):
            assert templates.template_of[number] == -1
            continue
        assert _filled(templates, number, row) == written, row
        programs += written is not None
        letters += len(written or "")
    assert programs > 500
    assert sum(map(len, templates.parts)) < letters / 3
    assert any("of" in array for array in templates.arrays)


@pytest.mark.parametrize("verdict", ["unsupported", "not run"])
def test_what_was_not_asked_has_no_program(verdict: str) -> None:
    """There is nothing to see again."""
    rows = [{**_rows()[0], "verdict": verdict}]
    assert program_templates(rows, {}, _inputs).template_of == [-1]


def test_without_inputs_there_are_no_programs() -> None:
    """A stored run whose case files are gone."""
    assert program_templates(_rows(), {}, None).template_of == []
