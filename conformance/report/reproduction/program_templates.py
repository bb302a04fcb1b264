"""Templates of a run's programs: what each is but for its numbers, so that a page can write any of them.

A page holds tens of thousands of checks, whose programs differ in the numbers of tensors and in little else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from conformance.errors import ConformanceError
from conformance.report.interfaces import InputsOf
from conformance.report.reproduction import literals
from conformance.report.reproduction.framework_syntax import Tensor
from conformance.report.reproduction.listed_tensors import ListedTensors
from conformance.report.reproduction.program import Check, check_of, reproduce, tensors_of

#: What stands in a template for a tensor's numbers, for the subscript of the element, and for the dtype.
HOLE = "⟦{}⟧"
ELEMENT = (987_654_321,)  # no tensor that a page lists is so long
Row = Mapping[Any, Any]
Program = Callable[[Row], str | None]


@dataclass
class ProgramTemplates:
    """Programs of a run's checks as templates and tensors.

    Attributes:
        parts: The paragraphs of all templates; `HOLE` stands for a tensor's numbers, the element, the dtype.
        texts: The templates, programs without heading: the numbers of their paragraphs.
        template_of: For each row of the run's frame the number of its template; -1: the page writes none.
        arrays: The distinct tensors, as `ListedTensors` has them.
        inputs: For each case and dtype, the number of each tensor by name.
    """

    parts: list[str] = field(default_factory=list)
    texts: list[list[int]] = field(default_factory=list)
    template_of: list[int] = field(default_factory=list)
    arrays: list[dict[str, Any]] = field(default_factory=list)
    inputs: dict[str, dict[str, int]] = field(default_factory=dict)


def program_templates(
    rows: Iterable[Row], environment: Mapping[str, Any], inputs_of: InputsOf | None
) -> ProgramTemplates:
    """The templates of a run's checks.

    Args:
        rows: The run's checks, in the order of its frame.
        environment: What run.json says of the run.
        inputs_of: The arguments of a case in a dtype; None: they are not at hand, and no program is written.
    """
    if inputs_of is None:
        return ProgramTemplates()
    writer = _Writer(environment, inputs_of)
    for row in rows:
        writer.add(row)
    return writer.whole()


class _Writer:
    """Writer of a run's templates: each distinct program is written once."""

    def __init__(self, environment: Mapping[str, Any], inputs_of: InputsOf) -> None:
        self.result = ProgramTemplates()
        self._environment, self._inputs_of = environment, inputs_of
        self._by_key: dict[tuple[object, ...], int] = {}
        self._by_text: dict[str, int] = {}
        self._by_part: dict[str, int] = {}
        self._noted: set[tuple[str, str, str]] = set()
        self._tensors = ListedTensors()
        self._signatures: dict[tuple[str, str], tuple[object, ...] | None] = {}

    def add(self, row: Row) -> None:
        """Notes the template of one more row."""
        self.result.template_of.append(self._template(row))

    def whole(self) -> ProgramTemplates:
        """The templates of all rows."""
        self._tensors.share()
        self.result.arrays = self._tensors.arrays
        return self.result

    def _template(self, row: Row) -> int:
        if row["verdict"] in ("unsupported", "not run"):
            return -1
        case, dtype = str(row["case"]), str(row["dtype"])
        if (case, dtype) not in self._signatures:
            self._signatures[case, dtype] = self._signature(case, dtype)
        signature = self._signatures[case, dtype]
        if signature is None:
            return -1
        raised = bool(row["message"]) and not row["observed"]
        asked = str(row["subject"]), str(row["formulation"]), str(row["quantity"])
        key = (*asked, bool(row["worst_index"]), raised, row["operation"], dtype, signature)
        if key not in self._by_key:
            self._by_key[key] = self._write(row)
        number = self._by_key[key]
        if number >= 0:
            self._note_tensors(row)
        return number

    def _signature(self, case: str, dtype: str) -> tuple[object, ...] | None:
        """What a program of the case depends on but for numbers; None where a tensor is too large to list."""
        try:
            arguments = self._inputs_of(case, dtype)
        except (ConformanceError, KeyError):
            return None
        parts: list[object] = []
        layouts = arguments.get("layout") or {}  # statements that lay a tensor out name its shape
        assert isinstance(layouts, dict)
        for name, value in arguments.items():
            if not isinstance(value, np.ndarray):
                parts.append((name, repr(value)))
                continue
            if value.size > literals.MAX_LISTED_ELEMENTS:
                return None
            free = (value.size > 0 or value.ndim < 2) and name not in layouts
            parts.append((name, value.dtype.char, value.ndim, None if free else value.shape))
        labels, ignored = arguments.get("target"), arguments.get("ignore_index")
        if isinstance(labels, np.ndarray) and labels.dtype.kind != "f":
            parts.append(bool((labels == ignored).any()))
        return tuple(parts)

    def _write(self, row: Row) -> int:
        check = check_of({**row, "worst_index": ""}, self._environment)
        check = Check(**{**vars(check), "worst_index": ELEMENT if row["worst_index"] else ()})
        try:
            arguments = self._inputs_of(check.case, check.dtype)
            text = reproduce(check, arguments, heading=False, write=_hole)
        except (ConformanceError, KeyError):
            return -1
        if text is None:
            return -1
        text = text.replace(f"[{ELEMENT[0]}]", HOLE.format("element"))
        text = text.replace(check.dtype, HOLE.format("dtype"))  # most programs differ by it alone
        if text not in self._by_text:
            self._by_text[text] = len(self.result.texts)
            self.result.texts.append([self._part(part) for part in text.split("\n\n")])
        return self._by_text[text]

    def _part(self, text: str) -> int:
        if text not in self._by_part:
            self._by_part[text] = len(self.result.parts)
            self.result.parts.append(text)
        return self._by_part[text]

    def _note_tensors(self, row: Row) -> None:
        """Notes the tensors of a row's case, once for each kind of quantity."""
        asked = row["case"], row["dtype"], row["quantity"].partition(":")[0]
        if asked in self._noted:
            return
        self._noted.add(asked)
        check = check_of(row, self._environment)
        noted = self.result.inputs.setdefault(f"{check.case}/{check.dtype}", {})
        for name, value in tensors_of(check, self._inputs_of(check.case, check.dtype)).items():
            if value.size <= literals.MAX_LISTED_ELEMENTS:
                noted[name] = self._tensors.add(check.case, name, check.dtype, value)


def _hole(name: str, value: literals.Array, dtype: str) -> Tensor:
    """A tensor of a template: a hole for its numbers."""
    integers = "" if value.dtype.kind == "f" else value.dtype.name
    if not value.size and value.ndim > 1:
        return Tensor(name, "[]", value.shape, integers, "")
    return Tensor(name, HOLE.format(name), None, integers, "")
