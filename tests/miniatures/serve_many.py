"""A worker that has every miniature of its framework, each under its name in the place of a formulation.

One process then answers for all of them, where `conformance check` starts one for each function.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import table

ADAPTERS = Path(__file__).resolve().parents[2] / "conformance" / "adapters"


def main() -> int:
    """Serves until the requests end; the exit code."""
    sys.path.insert(0, str(ADAPTERS))
    serve = importlib.import_module("serve")
    requests, responses = serve.streams()
    loop = importlib.import_module(serve.package() + ".loop")
    framework = sys.argv[1]
    modules = table.modules_of(framework)
    functions = {(one.operation, one.name): one.function for one in table.load_all(modules)}
    make = loop.make_adapter

    def with_miniatures(*arguments: object) -> object:
        adapter = make(*arguments)
        find = adapter.find

        def found(operation: str, formulation: str) -> object:
            if (operation, formulation) not in functions:
                return find(operation, formulation)
            adapter.users_function = functions[operation, formulation]
            return adapter.users_function

        adapter.find = found
        return adapter

    loop.make_adapter = with_miniatures
    return loop.run(sys.argv[1:], requests, responses)


if __name__ == "__main__":
    sys.exit(main())
