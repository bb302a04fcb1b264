"""Case files -> cases, and every fault of every file at once."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conformance import subject
from conformance.case import Case
from conformance.case_file import CaseEntry, CaseFile, Known, read_keys
from conformance.errors import ArgumentError, CaseError
from conformance.faults import Faults, meant, shown
from conformance.limits import Limits
from conformance.operations import OPERATIONS, Operation
from conformance.tensor_nodes import Reader
from conformance.tensors import Tensor, size
from conformance.yaml_tree import Mapping, Node, Scalar, Sequence as List, find, kind, parse

#: Cases of at most this many elements are built when they are loaded, so that their faults show at once.
EAGER = 2**16
REDUCTIONS = ("none", "sum", "mean", "elementwise_mean")
_DEVICES = ("cpu", "cuda", "gpu", "cuda:0")


def corpus() -> Path:
    """The folder of the suite's own cases: the checkout's, or the wheel's copy."""
    package = Path(__file__).parent
    installed = package / "_cases"
    return installed if installed.is_dir() else package.parent / "cases"


def load(paths: Sequence[Path] | None, limits: Limits | None = None) -> list[Case]:
    """The cases of files and folders, in the order of their labels; CaseError with a line for each fault."""
    limits = limits or Limits.from_environment()
    cases: list[Case] = []
    faults: list[Faults] = []
    taken: dict[str, str] = {}
    for path in files([corpus()] if paths is None else paths):
        one = Faults(shown_path(path))
        faults.append(one)
        for case, node in _FileReader(path, limits, one).cases():
            place = f"{one.file}:{node.line}:{node.column}"
            if case.id in taken:
                what = f"the id {shown(case.id)} is taken by {taken[case.id]}"
                one.add(node.line, node.column, what, "an id of its own for each case")
            taken.setdefault(case.id, place)
            cases.append(case)
    lines = [line for one in faults for line in one.lines()]
    if lines:
        raise CaseError("\n".join(lines))
    return cases


def files(paths: Iterable[Path]) -> list[Path]:
    """The case files at and below the paths, each once, sorted by label; CaseError for a path without any."""
    found: dict[Path, Path] = {}
    for path in paths:
        path = Path(path)
        if path.is_dir():
            inside = [one for one in path.rglob("*") if one.suffix in (".yaml", ".yml") and one.is_file()]
            # A link out of the folder is not part of it.
            below = [one for one in inside if one.resolve().is_relative_to(path.resolve())]
            if not below:
                raise CaseError(f"{shown_path(path)}: no case files here: a folder with *.yaml files")
            found.update({one.resolve(): one for one in below})
        elif path.is_file():
            found[path.resolve()] = path
        else:
            raise CaseError(
                f"{shown_path(path)}: there is no such file or folder: a *.yaml file or a folder of them"
            )
    return sorted(found, key=label)


def label(path: Path) -> str:
    """How reports name a case file: `cases/...` in the corpus, else relative to the working directory."""
    home = corpus().resolve()
    if path.resolve().is_relative_to(home):
        return _printable(f"cases/{path.resolve().relative_to(home).as_posix()}")
    return shown_path(path)


def shown_path(path: Path) -> str:
    """A path as errors show it: relative to the working directory where it lies below that."""
    full = path.resolve()
    here = Path.cwd()
    return _printable(full.relative_to(here).as_posix() if full.is_relative_to(here) else full.as_posix())


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)


@dataclass
class _FileReader:
    """Reads one file."""

    path: Path
    limits: Limits
    faults: Faults

    def cases(self) -> list[tuple[Case, Node]]:
        """The file's sound cases, each with its id's node; what is wrong goes to the faults."""
        data = self._bytes()
        root = None if data is None else parse(data, self.limits, self.faults)
        if root is None:
            return []
        top, wrong = read_keys(CaseFile, root, self.faults)
        entries = root.entries.get("cases")
        if not isinstance(entries, List):
            return []
        source = self._text(root, "source")
        tags = tuple(top.tags) if top is not None else ()
        found = []
        for node in entries.items:
            if not isinstance(node, Mapping):
                self.faults.add(
                    node.line, node.column, f"{kind(node)} as a case", "a mapping with id, operation, inputs"
                )
                continue
            case = _CaseReader(self, node, source, tags, "source" in wrong).case()
            if case is not None:
                found.append((case, find(node, ("id",))[0]))
        return found

    def _bytes(self) -> bytes | None:
        try:
            with self.path.open("rb") as file:
                data = file.read(self.limits.file_bytes + 1)
        except OSError as error:
            self.faults.add(1, 1, f"cannot be read: {error.strerror}", "a readable file")
            return None
        if len(data) > self.limits.file_bytes:
            what = f"larger than {self.limits.file_bytes} bytes"
            self.faults.add(1, 1, what, "more files, .npy files for tensors, or CONFORMANCE_MAX_FILE_BYTES")
            return None
        return data

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
    source_is_wrong: bool
    wrong: frozenset[str] = field(default=frozenset())

    def case(self) -> Case | None:
        """The case, or None after faults."""
        before = len(self.file.faults.found)
        entry, self.wrong = read_keys(CaseEntry, self.node, self.file.faults)
        # Where one key is wrong, the others are still read, with that key's default.
        entry = entry or self._partial()
        if not (entry.source or self.source or self.source_is_wrong):
            self.fault(
                "id",
                "no source",
                "`source` at the top of the file or in the case: where the example comes from",
            )
        operation = self._operation(entry)
        if operation is None:
            return None
        formulations = self._formulations(entry, operation)
        inputs, parameters = self._tensors(entry, operation)
        printed = self._printed(entry)
        if len(self.file.faults.found) > before:
            return None
        case = Case(
            id=entry.id,
            source=entry.source or self.source,
            file=label(self.file.path),
            line=self.node.line,
            operation=entry.operation,
            inputs=inputs,
            parameters=parameters,
            dtypes=tuple(entry.dtypes),
            formulations=formulations,
            quantities=tuple(entry.quantities) if entry.expect != "error" else ("value",),
            tags=tuple(dict.fromkeys((*self.tags, *entry.tags))),
            expect=entry.expect,
            printed=printed,
            known=tuple(entry.known),
            why=entry.why,
            title=entry.title,
            decimals=entry.decimals if "decimals" in self.node.entries else None,
            warns=entry.warns if "warns" in self.node.entries else None,
        )
        self._check(case, operation)
        return case if len(self.file.faults.found) == before else None

    def fault(self, key: str, what: str, right: str, *more: int | str) -> None:
        """Note a fault at a key's value, or at the case where the key is missing."""
        place, _ = find(self.node, (key, *more))
        self.file.faults.add(place.line, place.column, what, right)

    def _partial(self) -> CaseEntry:
        """The entry with the defaults of what is wrong or missing."""
        sound = {key: node for key, node in self.node.entries.items() if key not in self.wrong}
        nothing = Scalar(0, 0, "", "")
        required = {"id": Scalar(0, 0, "x", "x"), "operation": nothing, "inputs": Mapping(0, 0)}
        return CaseEntry.model_validate(_plain_entries({**required, **sound}))

    def _operation(self, entry: CaseEntry) -> Operation | None:
        if entry.operation in OPERATIONS:
            return OPERATIONS[entry.operation]
        if "operation" in self.node.entries and "operation" not in self.wrong:
            self.fault(
                "operation", f"no operation {shown(entry.operation)}", meant(entry.operation, OPERATIONS)
            )
        return None

    def _formulations(self, entry: CaseEntry, operation: Operation) -> tuple[str, ...]:
        for place, name in enumerate(entry.formulations):
            if name not in operation.formulations:
                what = f"{operation.name} has no formulation {shown(name)}"
                self.fault("formulations", what, meant(name, operation.formulations), place)
        # In the operation's own order, whatever that of the file.
        chosen = entry.formulations or operation.formulations
        return tuple(name for name in operation.formulations if name in chosen)

    def _tensors(self, entry: CaseEntry, operation: Operation) -> tuple[dict[str, Tensor], dict[str, Any]]:
        reader = Reader(self.file.path.parent, self.file.limits, self.file.faults, tuple(entry.dtypes))
        inputs: dict[str, Tensor] = {}
        given = self._entries("inputs", [one.name for one in operation.inputs], operation)
        for one in operation.inputs:
            if one.name not in given:
                if isinstance(self.node.entries.get("inputs"), Mapping):
                    self.fault("inputs", f"the input `{one.name}` is missing", signature(operation))
                continue
            found = reader.tensor(one.name, given[one.name], one.kind != "floating", one.kind != "labels")
            if found is not None:
                inputs[one.name] = found
        parameters: dict[str, Any] = {}
        given = self._entries("parameters", [one.name for one in operation.parameters], operation)
        for parameter in operation.parameters:
            if parameter.name in given:
                node = given[parameter.name]
                parameters[parameter.name] = self._parameter(
                    reader, parameter.name, parameter.kind, node, entry
                )
        return inputs, parameters

    def _entries(self, key: str, names: list[str], operation: Operation) -> dict[str, Node]:
        """The known entries of `inputs` or `parameters`; a fault for each other."""
        node = self.node.entries.get(key)
        if not isinstance(node, Mapping):
            return {}
        for name, place in node.keys.items():
            if name not in names:
                what = f"{operation.name} has no {key[:-1]} {shown(name)}"
                self.file.faults.add(place.line, place.column, what, meant(name, names))
        return {name: value for name, value in node.entries.items() if name in names}

    def _parameter(self, reader: Reader, name: str, kind_of: str, node: Node, entry: CaseEntry) -> Any:
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
        if value not in REDUCTIONS and (entry.expect != "error" or not isinstance(value, str)):
            written = node.text if isinstance(node, Scalar) else kind(node)
            reader.fault(node, f"{name}: {shown(written)} is no reduction", meant(written, REDUCTIONS))
        return value

    def _printed(self, entry: CaseEntry) -> Any:
        node = self.node.entries.get("printed")
        if node is None:
            return None
        if "float32" not in entry.dtypes and "dtypes" not in self.wrong:
            self.fault(
                "dtypes",
                "printed figures without float32",
                "float32 too: printed figures are confirmed in it",
            )
        return self._figures(node)

    def _figures(self, node: Node) -> Any:
        if isinstance(node, List):
            return [self._figures(item) for item in node.items]
        text = node.text.strip() if isinstance(node, Scalar) else ""
        special = {".inf": "inf", "+.inf": "inf", "-.inf": "-inf", ".nan": "nan"}.get(text.lower(), text)
        if special in ("inf", "-inf", "nan") or re.fullmatch(
            r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?", text[:60]
        ):
            return special
        written = kind(node) if not text else shown(text)
        self.file.faults.add(
            node.line, node.column, f"printed: {written} is no figure", "a number as the source shows it"
        )
        return ""

    def _check(self, case: Case, operation: Operation) -> None:
        """What only shows once the case is whole: shapes, ranges, and globs that match nothing."""
        if case.expect != "error" and sum(size(one.shape) for one in case.tensors()) <= EAGER:
            self._check_arguments(case, operation)
        inputs = [f"gradient:{one.name}" for one in operation.inputs if one.kind != "labels"]
        if case.quantities == ("gradient",) and not inputs:
            self.fault("quantities", f"{operation.name} has no gradient", "[value]")
        for place, known in enumerate(case.known):
            self._check_known(place, known, case, ("value", *inputs))

    def _check_arguments(self, case: Case, operation: Operation) -> None:
        try:
            for dtype in case.dtypes:
                arguments = case.build(dtype)
            operation.check_arguments(arguments)
            shape = operation.result_shape(arguments)
        except ArgumentError as error:
            text = str(error)
            named = [name for name in (*case.inputs, *case.parameters) if re.search(rf"\b{name}\b", text)]
            key = "parameters" if named and named[0] in case.parameters else "inputs"
            self.fault(key, text, signature(operation), *named[:1])
            return
        except ValueError as error:
            self.fault("inputs", str(error), "numbers that the case's dtypes have")
            return
        if case.printed is not None and _shape(case.printed) != shape:
            what = f"printed figures of shape {_shown_shape(_shape(case.printed))}"
            self.fault("printed", what, f"{_shown_shape(shape)}, the shape of the result")

    def _check_known(self, place: int, known: Known, case: Case, quantities: tuple[str, ...]) -> None:
        def fault(key: str, what: str, right: str) -> None:
            self.fault("known", f"known: {what}", right, place, key)

        if not any(fnmatch.fnmatchcase(name, known.subject) for name in _subjects(known.subject)):
            fault(
                "subject",
                f"no subject is like {shown(known.subject)}",
                meant(known.subject, subject.frameworks()),
            )
        for key, glob, names in (
            ("dtype", known.dtype, case.dtypes),
            ("formulation", known.formulation, case.formulations),
            ("quantity", known.quantity, quantities),
        ):
            if not any(fnmatch.fnmatchcase(name, glob) for name in names):
                fault(key, f"no {key} of this case is like {shown(glob)}", meant(glob, names))


def _plain_entries(entries: dict[str, Node]) -> dict[str, Any]:
    from conformance.yaml_tree import plain

    return {key: plain(node) for key, node in entries.items()}


def _subjects(glob: str) -> list[str]:
    """Names of subjects that a glob may mean: every framework, in every mode, on the usual devices."""
    names = []
    for framework in subject.frameworks():
        modes = ["", *(f":{mode}" for mode in subject.MODES.get(framework, ()))]
        names += [
            f"{framework}{mode}{device}"
            for mode in modes
            for device in ("", *(f"@{one}" for one in _DEVICES))
        ]
    # A version belongs into `versions`, but a subject's name may hold one.
    pinned = re.match(r"(\w+)==[\w.+!-]+", glob)
    return names + ([glob] if pinned and pinned[1] in subject.frameworks() else [])


def _shape(printed: Any) -> tuple[int, ...]:
    """The shape of nested lists, by their first elements."""
    if not isinstance(printed, list):
        return ()
    inner = {_shape(item) for item in printed}
    return (len(printed), *(inner.pop() if len(inner) == 1 else ((-1,) if inner else ())))


def _shown_shape(shape: tuple[int, ...]) -> str:
    return "[" + ", ".join("ragged" if size < 0 else str(size) for size in shape) + "]"


def signature(operation: Operation) -> str:
    """An operation's signature as the documentation writes it."""
    inputs = ", ".join(one.name for one in operation.inputs)
    legacy = ("size_average", "reduce")
    parameters = ", ".join(
        f"{one.name}={one.default!r}" for one in operation.parameters if one.name not in legacy
    )
    return f"{operation.name}({inputs}{', *, ' + parameters if parameters else ''})"
