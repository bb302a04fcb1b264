"""Case files -> cases, and every fault of every file at once."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from conformance.cases.case import Case
from conformance.cases.consistency import Consistency, signature
from conformance.cases.covering import expanded
from conformance.cases.discovery import corpus, files, label, shown_path
from conformance.cases.known import read_bytes, with_deviations
from conformance.cases.models import CaseEntry, CaseFile
from conformance.cases.parts import parts_of
from conformance.cases.tensors.reading import Reader
from conformance.cases.tensors.values import Tensor
from conformance.errors import CaseError
from conformance.operations import OPERATIONS, Operation, Parameter
from conformance.yaml.cache import parse
from conformance.yaml.keys import KeyPath, read_keys
from conformance.yaml.limits import Limits
from conformance.yaml.problems import Faults, meant, shown
from conformance.yaml.tree import List, Mapping, Node, Scalar, find, kind, plain

_FIGURE = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?")


def load_cases(
    paths: Sequence[Path] | None = None,
    limits: Limits | None = None,
    known: Sequence[str | Path] = (),
    operations: Collection[str] = (),
) -> list[Case]:
    """The cases of files and folders, in the order of their labels and, in a file, of their lines.

    Args:
        paths: case files and folders of them; None: the suite's own.
        limits: bounds on each file; None: those of the environment.
        known: the user's own files of known deviations, beside the `known.yaml` of the cases' folders.
        operations: of the suite's own corpus these operations' cases alone are read; none: all.

    Raises:
        CaseError: with a line `file:line:column: what is wrong: what would be right` for each fault.
    """
    limits = limits or Limits.from_environment()
    cases: list[Case] = []
    faults: list[Faults] = []
    places: dict[str, str] = {}
    for path in files([corpus()] if paths is None else paths):
        file_faults = Faults(shown_path(path))
        faults.append(file_faults)
        reader = _FileReader(path, limits, file_faults, frozenset(operations if paths is None else ()))
        cases += reader.cases()
        for node in reader.ids():
            if node.text in places:
                what = f"the id {shown(node.text)} is taken by {places[node.text]}"
                file_faults.add(node.line, node.column, what, "an id of its own for each case")
            places.setdefault(node.text, f"{file_faults.file}:{node.line}:{node.column}")
    if not any(faults):
        speak_of = (tuple(operations) or tuple(OPERATIONS)) if paths is None else ()
        cases = with_deviations(cases, [Path(path) for path in known], speak_of, limits, faults)
    lines = [line for file_faults in faults for line in file_faults.lines()]
    if lines:
        raise CaseError("\n".join(lines))
    return cases


@dataclass
class _FileReader:
    """Reads one file."""

    path: Path
    limits: Limits
    faults: Faults
    operations: frozenset[str] = frozenset()
    entries: list[Node] = field(default_factory=list)

    @cached_property
    def label(self) -> str:
        """How reports name the file."""
        return label(self.path)

    def cases(self) -> list[Case]:
        """The file's sound cases; what is wrong goes to the faults."""
        data = read_bytes(self.path, self.limits, self.faults)
        root = None if data is None else parse(data, self.limits, self.faults)
        if root is None:
            return []
        top, wrong = read_keys(CaseFile, root, self.faults)
        listed = root.entries.get("cases")
        self.entries = listed.items if isinstance(listed, List) else []
        source = top.source if top is not None else self._text(root, "source")
        self._check_sources(source, ("source",) in wrong)
        tags = tuple(top.tags) if top is not None else ()
        self.title = top.title if top is not None else ""
        read: list[Case | None] = []
        varied = 0
        for node in self.entries:
            if not isinstance(node, Mapping):
                remedy = "a mapping with id, operation, inputs"
                self.faults.add(node.line, node.column, f"{kind(node)} as a case", remedy)
                continue
            if self.operations and self._text(node, "operation") not in self.operations:
                continue
            options = expanded(node, self.limits.cases - varied, self.faults) or []
            varied += len(options) if {"vary", "cover"} & node.entries.keys() else 0
            for suffix, varied_node in options:
                case = _CaseReader(self, varied_node, source, tags, suffix).case()
                read += [case] if case is None or case.parts is None else [case, *parts_of(case)]
        cases = [case for case in read if case is not None]
        if len(cases) == len(read) and not self.operations:  # a case may equal another operation's
            self._check_identities(cases)
        return cases

    def _check_identities(self, cases: list[Case]) -> None:
        """Note each identity with a case that the file has not."""
        ids = [case.id for case in cases]
        for case in cases:
            if case.equals is not None and case.equals.case not in ids:
                entry = next(node for node in self.entries if node.line == case.line)
                node, _ = find(entry, ("equals", "case"))
                what = f"equals: no case {shown(case.equals.case)} in this file"
                self.faults.add(node.line, node.column, what, meant(case.equals.case, ids))

    def ids(self) -> list[Scalar]:
        """Where each id stands, also those of cases that have faults."""
        nodes = [
            node.entries["id"] for node in self.entries if isinstance(node, Mapping) and "id" in node.entries
        ]
        return [node for node in nodes if isinstance(node, Scalar)]

    def _check_sources(self, source: str, wrong: bool) -> None:
        without = [
            node for node in self.entries if isinstance(node, Mapping) and "source" not in node.entries
        ]
        if without and not source and not wrong:
            remedy = "`source` at the top of the file or in the case: where the example comes from"
            self.faults.add(without[0].line, without[0].column, "a case without a source", remedy)

    def _text(self, root: Mapping, key: str) -> str:
        node = root.entries.get(key)
        return node.value if isinstance(node, Scalar) and isinstance(node.value, str) else ""


@dataclass
class _CaseReader:
    """Reads one case; every part that is right by itself is checked even where another is at fault."""

    file: _FileReader
    node: Mapping
    source: str
    tags: tuple[str, ...]
    suffix: str = ""  # what `vary` adds to the id
    wrong: frozenset[KeyPath] = frozenset()

    def case(self) -> Case | None:
        """The case, or None after faults."""
        faults = self.file.faults
        before = len(faults.noted)
        entry, self.wrong = read_keys(CaseEntry, self.node, faults)
        # Where one key is wrong, the others are still read, with that key's default.
        entry = entry or self._partial()
        operation = self._operation(entry)
        if operation is None:
            return None
        formulations = self._formulations(entry, operation)
        printed = self._printed(entry)
        count = len(faults.noted)
        inputs, parameters = self._tensors(entry, operation)
        case = replace(
            self._made(entry, formulations, inputs, parameters, printed),
            upstream=self._upstream(entry, operation),
        )
        complete = len(faults.noted) == count and len(inputs) == len(operation.inputs)
        consistency = Consistency(case, operation, self.node, faults, self.file.limits)
        consistency.check(complete, self._known_places())
        return case if len(faults.noted) == before else None

    def _made(
        self,
        entry: CaseEntry,
        formulations: tuple[str, ...],
        inputs: dict[str, Tensor],
        parameters: dict[str, Any],
        printed: Any,
    ) -> Case:
        return Case(
            id=entry.id + self.suffix,
            source=entry.source or self.source,
            file=self.file.label,
            line=self.node.line,
            operation=entry.operation,
            inputs=inputs,
            parameters=parameters,
            dtypes=tuple(entry.dtypes),
            formulations=formulations,
            quantities=self._quantities(entry),
            tracked=entry.tracked,
            graph=entry.graph,
            tags=tuple(dict.fromkeys((*self.tags, *entry.tags))),
            expect=entry.expect,
            printed=printed,
            known=tuple(entry.known),
            why=entry.why,
            title=entry.title,
            source_title="" if entry.source else self.file.title,
            decimals=entry.decimals if "decimals" in self.node.entries else None,
            warns=entry.warns if "warns" in self.node.entries else None,
            layout=dict(entry.layout),
            call=entry.call,
            equals=entry.equals,
            parts=entry.parts,
            label_dtype=entry.label_dtype,
            convention=entry.convention,
            dtype_of=dict(entry.dtype_of),
        )

    def _quantities(self, entry: CaseEntry) -> tuple[str, ...]:
        """What is compared: the value alone, where there is none, or nothing is tracked."""
        derivatives = [name for name in entry.quantities if name != "value"]
        if entry.tracked == "none" and "quantities" in self.node.entries and derivatives:
            what = f"tracked: none, and {derivatives[0]} among the quantities"
            self.fault("quantities", what, "[value], or `tracked: first`")
        alone = entry.expect == "error" or entry.tracked == "none"
        return ("value",) if alone else tuple(entry.quantities)

    def fault(self, key: str, what: str, remedy: str, *more: int | str) -> None:
        """Note a fault at a key's value, or at the case where the key is missing."""
        node, _ = find(self.node, (key, *more))
        self.file.faults.add(node.line, node.column, what, remedy)

    def _partial(self) -> CaseEntry:
        """The entry with defaults for what is wrong or missing; its lists without what is wrong in them."""
        entries: dict[str, Any] = {"id": "x", "operation": "", "inputs": {}}
        for key, node in self.node.entries.items():
            if (key,) in self.wrong:
                continue
            value = plain(node)
            indices = {path[1] for path in self.wrong if path[0] == key and len(path) > 1}
            if indices and isinstance(value, list):
                value = [item for index, item in enumerate(value) if index not in indices]
                # A name twice is a fault that pydantic tells only once its list has no other.
                value = value if key == "known" else list(dict.fromkeys(value))
            if indices and isinstance(value, dict):
                value = {name: item for name, item in value.items() if name not in indices}
            if value or not indices:
                entries[key] = value
        # Numbers are checked in the case's dtypes: in the widest, where those are wrong.
        if self._is_wrong("dtypes"):
            entries.setdefault("dtypes", ["float64"])
        try:
            return CaseEntry.model_validate(entries)
        except ValidationError as error:  # A mapping that lacks a key now: it goes as a whole.
            left_out = {item["loc"][0] for item in error.errors()}
            return CaseEntry.model_validate(
                {key: item for key, item in entries.items() if key not in left_out}
            )

    def _is_wrong(self, key: str) -> bool:
        return any(path[:1] == (key,) for path in self.wrong)

    def _known_places(self) -> list[int]:
        """Where in the file's list the sound entries of `known` stand."""
        node = self.node.entries.get("known")
        if not isinstance(node, List):
            return []
        wrong = {path[1] for path in self.wrong if path[0] == "known" and len(path) > 1}
        return [index for index in range(len(node.items)) if index not in wrong]

    def _operation(self, entry: CaseEntry) -> Operation | None:
        if entry.operation in OPERATIONS:
            return OPERATIONS[entry.operation]
        if "operation" in self.node.entries and ("operation",) not in self.wrong:
            what = f"no operation {shown(entry.operation)}"
            self.fault("operation", what, meant(entry.operation, OPERATIONS))
        return None

    def _formulations(self, entry: CaseEntry, operation: Operation) -> tuple[str, ...]:
        for index, name in enumerate(entry.formulations):
            if name not in operation.formulations:
                what = f"{operation.name} has no formulation {shown(name)}"
                self.fault("formulations", what, meant(name, operation.formulations), index)
        # In the operation's own order, whatever that of the file.
        chosen = entry.formulations or operation.formulations
        return tuple(name for name in operation.formulations if name in chosen)

    def _tensors(self, entry: CaseEntry, operation: Operation) -> tuple[dict[str, Tensor], dict[str, Any]]:
        reader = Reader(self.file.path.parent, self.file.limits, self.file.faults, tuple(entry.dtypes))
        inputs: dict[str, Tensor] = {}
        given = self._entries("inputs", [item.name for item in operation.inputs], operation)
        for item in operation.inputs:
            if item.name not in given:
                if isinstance(self.node.entries.get("inputs"), Mapping):
                    self.fault("inputs", f"the input `{item.name}` is missing", signature(operation))
                continue
            tensor = reader.tensor(
                item.name, given[item.name], item.kind != "floating", item.kind != "labels"
            )
            if tensor is not None:
                inputs[item.name] = tensor
        parameters: dict[str, Any] = {}
        given = self._entries("parameters", [item.name for item in operation.parameters], operation)
        for parameter in operation.parameters:
            if parameter.name in given:
                node = given[parameter.name]
                parameters[parameter.name] = self._parameter(reader, parameter, node, entry)
        return inputs, parameters

    def _upstream(self, entry: CaseEntry, operation: Operation) -> Tensor | None:
        """The upstream gradient that the case states; a fault where none of its quantities has one."""
        node = self.node.entries.get("upstream")
        if node is None:
            return None
        derivatives = {"gradient", "second"}.intersection(entry.quantities)
        floating = any(item.kind != "labels" for item in operation.inputs)
        if entry.expect == "error" or not derivatives or not floating or entry.tracked == "none":
            remedy = "a case with a gradient, or no `upstream`"
            self.fault("upstream", "upstream: this case has no gradient", remedy)
            return None
        reader = Reader(self.file.path.parent, self.file.limits, self.file.faults, tuple(entry.dtypes))
        return reader.tensor("upstream", node, labels=False, floating=True)

    def _entries(self, key: str, names: list[str], operation: Operation) -> dict[str, Node]:
        """The known entries of `inputs` or `parameters`; a fault for each other."""
        node = self.node.entries.get(key)
        if not isinstance(node, Mapping):
            return {}
        for name, key_node in node.keys.items():
            if name not in names:
                what = f"{operation.name} has no {key[:-1]} {shown(name)}"
                self.file.faults.add(key_node.line, key_node.column, what, meant(name, names))
        return {name: value for name, value in node.entries.items() if name in names}

    def _parameter(self, reader: Reader, parameter: Parameter, node: Node, entry: CaseEntry) -> Any:
        name, kind_of = parameter.name, parameter.kind
        value = node.value if isinstance(node, Scalar) else node
        if value is None and kind_of in ("axis", "flag", "tensor"):
            return None
        if kind_of == "tensor":
            return reader.tensor(name, node, labels=False, floating=True)
        if kind_of in ("axis", "integer"):
            return reader.number(name, node, integer=True)
        if kind_of == "real":
            return reader.number(name, node, integer=False)
        if kind_of == "flag":
            if not isinstance(value, bool):
                reader.fault(node, f"{name}: {kind(node)}", "true, false or null")
            return value
        if value not in parameter.choices and (entry.expect != "error" or not isinstance(value, str)):
            written = node.text if isinstance(node, Scalar) else kind(node)
            reader.fault(node, f"{name}: {shown(written)} is no reduction", meant(written, parameter.choices))
        return value

    def _printed(self, entry: CaseEntry) -> Any:
        node = self.node.entries.get("printed")
        if node is None:
            return None
        if "float32" not in entry.dtypes and not self._is_wrong("dtypes"):
            remedy = "float32 too: printed figures are confirmed in it"
            self.fault("dtypes", "printed figures without float32", remedy)
        before = len(self.file.faults.noted)
        figures = self._figures(node)
        return figures if len(self.file.faults.noted) == before else None

    def _figures(self, node: Node) -> Any:
        if isinstance(node, List):
            return [self._figures(item) for item in node.items]
        text = node.text.strip() if isinstance(node, Scalar) else ""
        special = {".inf": "inf", "+.inf": "inf", "-.inf": "-inf", ".nan": "nan"}.get(text.lower(), text)
        if special in ("inf", "-inf", "nan") or (len(text) <= 60 and _FIGURE.fullmatch(text)):
            return special
        what = f"printed: {shown(text) if text else kind(node)} is no figure"
        self.file.faults.add(node.line, node.column, what, "a number as the source shows it")
        return ""
