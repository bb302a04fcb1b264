"""Imports are few, light and point one way, as the package's rooms are laid out."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "conformance"
ADAPTERS = sorted((PACKAGE / "adapters").rglob("*.py"))
HEAVY = {"flint", "jax", "jinja2", "ml_dtypes", "numpy", "pandas", "pyarrow", "pydantic", "rich", "ruamel"}
HEAVY |= {"tensorflow", "torch"}

#: What an adapter's folder may import beside NumPy and the standard library: its framework.
FRAMEWORKS = {
    "torch": {"torch"},
    "tensorflow": {"tensorflow"},
    "jax": {"jax", "jaxlib"},
}

#: The rooms from top to bottom: each may import from those below it.
ROOMS = (
    "searching", "sweeping", "checking", "comparison", "execution", "judging", "report", "results", "plan",
    "cases", "subjects", "operations", "yaml", "arithmetic", "adapters",
)  # fmt: skip
#: What every room may use.
SHARED = {"errors", "caches"}
#: Imports that still run up.
UPWARDS = {
    "judging -> execution",
    "results -> execution",
}
#: Rooms that nothing else imports: the ways in.
ENTRANCES = {
    "__main__", "api", "cli", "cli_options", "cli_output", "commands", "formula", "pytest_plugin", "testing",
}  # fmt: skip


def loaded_after(statement: str) -> set[str]:
    """The top-level modules in sys.modules of a fresh interpreter after the statement."""
    program = f"import json, sys\ntry:\n    {statement}\nexcept SystemExit:\n    pass\n"
    program += "print()\nprint(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(json.loads(ran.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "statement",
    [
        "import conformance",
        "sys.argv = ['conformance', '--help']; from conformance.cli import main; main()",
        "sys.argv = ['conformance', 'run', '--help']; from conformance.cli import main; main()",
        "import conformance.pytest_plugin",
    ],
    ids=["import", "help", "help of a command", "pytest plugin"],
)
def test_start_loads_nothing_heavy(statement: str) -> None:
    assert loaded_after(statement) & HEAVY == set()


def test_workers_wait_for_nothing_that_they_do_not_need() -> None:
    """What a run imports before it starts them: the frames of the wire, and no case, exact value or table."""
    until = (
        "from conformance import api; from conformance.subjects import selection; selection.select(['numpy'])"
    )
    assert loaded_after(until) & HEAVY == {"numpy", "pyarrow"}


def modules() -> dict[str, Path]:
    """The package's modules by their dotted names."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(name: str, path: Path) -> set[str]:
    """Every dotted name that a module imports anywhere, but for type checking alone."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found: set[str] = set()
    for node in running(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = ".".join(
                    [*package.split(".")[: len(package.split(".")) - node.level + 1], base]
                ).strip(".")
            found |= {f"{base}.{alias.name}" for alias in node.names}
    return found


def running(tree: ast.AST) -> list[ast.AST]:
    """The nodes of a tree, without those under `if TYPE_CHECKING:`."""
    nodes, waiting = [], [tree]
    while waiting:
        node = waiting.pop()
        nodes.append(node)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
        else:
            waiting += ast.iter_child_nodes(node)
    return nodes


def room(name: str) -> str:
    """The room of a dotted name: `report.heatmap` lies in `report`, the package itself in none."""
    return [*name.split("."), ""][1]


def rooms() -> dict[str, set[str]]:
    """For each room, the other rooms that it imports from."""
    known = {room(name) for name in modules()} - {""}
    uses: dict[str, set[str]] = {}
    for name, path in modules().items():
        ours = {room(other) for other in imported(name, path) if other.startswith("conformance.")}
        uses.setdefault(room(name), set()).update((ours & known) - {room(name)})
    return uses


def test_every_room_has_its_place() -> None:
    assert set(rooms()) - {""} == {*ROOMS, *SHARED, *ENTRANCES}


def test_rooms_use_only_the_rooms_below() -> None:
    wrong = {
        f"{name} -> {other}"
        for name, others in rooms().items()
        if name and name not in ENTRANCES
        for other in others - SHARED
        if name in SHARED or other in ENTRANCES or ROOMS.index(other) < ROOMS.index(name)
    }
    assert wrong <= UPWARDS


@pytest.mark.parametrize("path", ADAPTERS, ids=lambda path: path.stem)
def test_adapters_parse_as_python_3_8(path: Path) -> None:
    ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))


@pytest.mark.parametrize("path", ADAPTERS, ids=lambda path: path.stem)
def test_adapters_import_numpy_their_framework_and_one_another(path: Path) -> None:
    name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    frameworks = FRAMEWORKS.get(path.parent.name, set())
    allowed = {"numpy", "conformance.adapters", *frameworks, *sys.stdlib_module_names}
    strange = {
        other
        for other in imported(name, path)
        if other.split(".")[0] not in allowed and ".".join(other.split(".")[:2]) not in allowed
    }
    assert strange == set()


def test_adapters_import_one_another_relatively() -> None:
    for path in ADAPTERS:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and not node.level:
                assert not (node.module or "").startswith("conformance"), f"{path.name}:{node.lineno}"


def test_no_module_hides_a_public_function() -> None:
    import conformance

    assert set(conformance.__all__) & {path.stem for path in PACKAGE.iterdir()} == set()


def test_every_public_name_is_there() -> None:
    import conformance

    assert [name for name in conformance.__all__ if getattr(conformance, name, None) is None] == []


def test_dask_alone_schedules_retries_and_moves_data() -> None:
    """What a sweep, a search or a run does on a cluster is a function's call: none of it is a transport."""
    transports = {
        "asyncio", "concurrent", "http", "multiprocessing", "pickle", "queue", "selectors", "signal",
        "socket", "ssl", "subprocess", "threading", "tornado", "urllib", "zmq",
    }  # fmt: skip
    cluster = PACKAGE / "execution" / "cluster.py"
    rooms = (PACKAGE / "sweeping", PACKAGE / "searching")
    files = [file for room in rooms for file in room.glob("*.py")]
    for file in (*files, cluster, cluster.with_name("cluster_run.py")):
        names = {
            name.split(".")[0]
            for node in ast.walk(ast.parse(file.read_text("utf-8")))
            if isinstance(node, (ast.Import, ast.ImportFrom))
            for name in (
                [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
            )
        }
        assert not names & transports, file
        called = {
            node.attr for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Attribute)
        }
        assert not called & {"sleep", "retry", "retries"}, file
