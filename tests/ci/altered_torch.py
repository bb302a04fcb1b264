"""A worker that claims to be PyTorch, and whose softmax is 1/8 too large: what no program of PyTorch shows."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

ADAPTERS = Path(__file__).resolve().parents[2] / "conformance" / "adapters"


def main() -> int:
    """Serves until the requests end; the exit code."""
    sys.path.insert(0, str(ADAPTERS))
    serve = importlib.import_module("serve")
    requests, responses = serve.streams()
    loop = importlib.import_module(serve.package() + ".loop")
    make = loop.make_adapter

    def altered(*arguments: object) -> object:
        adapter = make(*arguments)
        find = adapter.find

        def find_altered(operation: str, formulation: str) -> Any:
            function = find(operation, formulation)
            return (lambda *inputs, **options: function(*inputs, **options) + 0.125) if function else function

        adapter.find = find_altered
        return adapter

    loop.make_adapter = altered
    return loop.run(sys.argv[1:], requests, responses)


if __name__ == "__main__":
    sys.exit(main())
