"""Source text of a formulation with all that it needs, taken from the adapters: what ran is what is shown.

The adapters' modules are read, not imported: the parent may lack the framework.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

ADAPTERS = Path(__file__).resolve().parents[2] / "adapters"
QualifiedName = tuple[str, str]  # a module of the adapters, and a name that it defines


@dataclass(frozen=True)
class Source:
    """Formulation as source text.

    Attributes:
        imports: The imports that it needs, a statement each.
        definitions: The definitions that it needs, a statement each, in an order in which they can run.
        expression: The function, or the class where `of_class`.
        of_class: Whether the expression is built from the parameters and then called on the inputs.
    """

    imports: tuple[str, ...]
    definitions: tuple[str, ...]
    expression: ast.expr
    of_class: bool = False


@dataclass
class _Module:
    """Module of the adapters.

    Attributes:
        name: Its dotted name below the adapters.
        defines: The statement that defines each name.
        imports: The statement that imports each name from elsewhere.
        relative: The module and name of the adapters behind each relative import; None: the module itself.
    """

    name: str
    defines: dict[str, ast.stmt] = field(default_factory=dict)
    imports: dict[str, str] = field(default_factory=dict)
    relative: dict[str, tuple[str, str | None]] = field(default_factory=dict)


@cache
def _read(name: str) -> _Module:
    module = _Module(name)
    for node in ast.parse((ADAPTERS / f"{name.replace('.', '/')}.py").read_text(encoding="utf-8")).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            module.defines[node.name] = node
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            module.defines[node.targets[0].id] = node
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            module.defines[node.target.id] = node
        elif isinstance(node, ast.Import):
            for alias in node.names:
                module.imports[alias.asname or alias.name.split(".")[0]] = ast.unparse(ast.Import([alias]))
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                shown = alias.asname or alias.name
                if node.level == 0:
                    module.imports[shown] = ast.unparse(ast.ImportFrom(node.module, [alias], 0))
                elif node.module:
                    module.relative[shown] = (_absolute(name, node.level, node.module), alias.name)
                else:
                    module.relative[shown] = (_absolute(name, node.level, alias.name), None)
    return module


def _absolute(module: str, level: int, name: str) -> str:
    """The dotted name, below the adapters, of what a module imports relatively."""
    return ".".join([*module.split(".")[:-level], name])


@cache
def formulation(framework: str, operation: str, name: str, gradient: bool = False) -> Source | None:
    """The source of a formulation, or None where the adapters of this package have none.

    `gradient` keeps gradients by hand (NumPy's); without it their decorators are left out.
    """
    if not (ADAPTERS / framework / "formulations.py").is_file():
        return None
    module = _read(f"{framework}.formulations")
    entry = _entry(_table(module), operation, name)
    if entry is None:
        return None
    of_class = isinstance(entry, ast.Call) and ast.unparse(entry.func) == "of_class"
    if isinstance(entry, ast.Call) and of_class:
        entry = entry.args[0]
    collector = _Collector(gradient)
    expression = collector.take(module, entry)
    collector.settle()
    return Source(tuple(collector.imports), tuple(collector.definitions()), expression, of_class)


@cache
def second_by_hand(operation: str, name: str) -> Source | None:
    """The source of NumPy's second derivative of a formulation; None where there is none."""
    module = _read("numpy.second_derivatives")
    entry = _entry(_table(module, "SECOND"), operation, name)
    if entry is None:
        return None
    collector = _Collector(gradient=False)
    expression = collector.take(module, entry)
    collector.settle()
    return Source(tuple(collector.imports), tuple(collector.definitions()), expression)


def _table(module: _Module, name: str = "FUNCTIONS") -> ast.expr | None:
    node = module.defines.get(name)
    return node.value if isinstance(node, (ast.Assign, ast.AnnAssign)) else None


def _entry(table: ast.expr | None, *keys: str) -> ast.expr | None:
    """What a dictionary's source holds under nested keys."""
    for key in keys:
        if not isinstance(table, ast.Dict):
            return None
        matches = [
            v
            for k, v in zip(table.keys, table.values, strict=True)
            if isinstance(k, ast.Constant) and k.value == key
        ]
        table = matches[0] if matches else None
    return table


class _Collector:
    """Gathers, from an expression outwards, every definition and import that it needs."""

    def __init__(self, gradient: bool) -> None:
        self.gradient = gradient
        self.imports: dict[str, None] = {}
        self.modules: list[str] = []
        self._wanted: list[QualifiedName] = []
        self._done: dict[QualifiedName, str] = {}

    def take(self, module: _Module, node: ast.expr) -> ast.expr:
        """The expression without annotations and the package's own names; what it needs is noted."""
        cleaned = _Clean(module, self.gradient).visit(ast.parse(ast.unparse(node), mode="eval").body)
        self._note(module, _free(cleaned))
        assert isinstance(cleaned, ast.expr)
        return cleaned

    def settle(self) -> None:
        """Follows what was noted until nothing is left."""
        while self._wanted:
            name, wanted = self._wanted.pop()
            if (name, wanted) in self._done:
                continue
            definition = _definition(name, wanted, self.gradient)
            self._done[name, wanted] = definition.text
            self._note(_read(name), definition.free)

    def definitions(self) -> Iterator[str]:
        """The definitions' texts, in an order in which they can run."""
        order = list(dict.fromkeys(self._ranked("base", "bfloat16", *self.modules)))
        definitions = sorted(
            self._done,
            key=lambda name: (order.index(name[0]), list(_read(name[0]).defines).index(name[1])),
        )
        return (self._done[definition] for definition in definitions)

    def _ranked(self, *names: str) -> Iterator[str]:
        """Modules, those that others import first."""
        for name in names:
            yield from self._ranked(*dict.fromkeys(other for other, _ in _read(name).relative.values()))
            yield name

    def _note(self, module: _Module, names: Iterable[str]) -> None:
        if module.name not in self.modules:
            self.modules.append(module.name)
        for name in names:
            if name in module.defines:
                self._wanted.append((module.name, name))
            elif name in module.imports:
                self.imports[module.imports[name]] = None
            elif name in module.relative:
                other, original = module.relative[name]
                self._wanted.append(_defined(other, original or name))
            elif not hasattr(builtins, name):
                owner = next(
                    (
                        other
                        for other, original in module.relative.values()
                        if original is None and name in _read(other).defines
                    ),
                    None,
                )
                if owner:
                    self._wanted.append((owner, name))


def _defined(module: str, name: str) -> QualifiedName:
    """Where a name that a module offers is defined."""
    owner = _read(module)
    if name not in owner.defines and name in owner.relative:
        other, original = owner.relative[name]
        return _defined(other, original or name)
    return module, name


@dataclass(frozen=True)
class _Definition:
    """A cleaned definition: its text, and the names that it needs from elsewhere."""

    text: str
    free: tuple[str, ...]


@cache
def _definition(module: str, name: str, gradient: bool) -> _Definition:
    """What a module defines by a name, for all formulations that need it."""
    source = _read(module)
    cleaned = _Clean(source, gradient).visit(ast.parse(ast.unparse(source.defines[name])).body[0])
    return _Definition(ast.unparse(ast.fix_missing_locations(cleaned)), _free(cleaned))


def _free(node: ast.AST) -> tuple[str, ...]:
    """Names that are read and neither parameters nor assigned inside, nor the node's own."""
    bound, seen = set(), dict[str, None]()
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Load):
            seen[inner.id] = None
        elif isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
            bound.add(inner.id)
        elif isinstance(inner, ast.arg):
            bound.add(inner.arg)
        elif isinstance(inner, (ast.FunctionDef, ast.ClassDef)):
            bound.add(inner.name)
    return tuple(name for name in seen if name not in bound)


class _Clean(ast.NodeTransformer):
    """Drops docstrings, annotations and gradients by hand; `module.name` of the package becomes `name`."""

    def __init__(self, module: _Module, gradient: bool) -> None:
        self.module = module
        self.gradient = gradient

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        node.body = _without_docstring(node.body)
        if not self.gradient:
            kept = [call for call in node.decorator_list if "gradient" not in ast.unparse(call)]
            node.decorator_list = kept
        return self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        node.body = _without_docstring(node.body)
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        """An annotated name becomes a plain one; a field of a class keeps that it is one."""
        if node.value is None:
            return ast.AnnAssign(node.target, ast.Name("object", ast.Load()), None, node.simple)
        return self.generic_visit(ast.Assign([node.target], node.value, lineno=node.lineno))

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if isinstance(node.value, ast.Name) and self.module.relative.get(node.value.id, ("", ""))[1] is None:
            return ast.Name(node.attr, ast.Load())
        return self.generic_visit(node)


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    first = body[0]
    text = (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    )
    rest = body[1:] if text else body
    return rest or [ast.Pass()]
