"""A worker that claims to be PyTorch, whose results are 1/8 too large: what no program of PyTorch shows.

Started by a `subjects.yaml` as a `command`: the adapters come first on its standard input, and are skipped.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Any

ADAPTERS = Path(__file__).resolve().parents[2] / "conformance" / "adapters"


def main() -> int:
    """Serves until the requests end; the exit code."""
    for _ in range(2):  # the loader, and the zip of the adapters
        skip(int(skip(8), 16))
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
    words = sys.argv[sys.argv.index("-c") + 2 :]
    return loop.run(words, requests, responses)


def skip(count: int) -> bytes:
    """The next bytes of the standard input, which are not read as frames."""
    read = b""
    while len(read) < count:
        read += os.read(0, count - len(read))
    return read


if __name__ == "__main__":
    sys.exit(main())
