"""Worker process: one framework, frames of requests in, frames of responses out.

    python .../adapters/serve.py FRAMEWORK [--mode M] [--variant V] [--device D]
                                 [--function FILE_OR_MODULE:NAME --operation OP [--returns INDEX_OR_KEY]]

Requests come on the standard input, responses go to the standard output (see protocol.py), a hello frame
first. The framework may print what it likes: its standard output is the worker's standard error. Exit code
3, with one line on the standard error: the framework, mode, variant, device or function is not to be had.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import os
import signal
import sys
from pathlib import Path
from typing import BinaryIO, NoReturn, Tuple

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def streams() -> Tuple[BinaryIO, BinaryIO]:
    """The real standard streams, kept for frames: 0 becomes the null device, 1 the standard error."""
    requests = os.fdopen(os.dup(0), "rb")
    responses = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return requests, responses


def package() -> str:
    """The name of the package that the sibling modules are imported from.

    Run by its path, this file has no package, and its folder on ``sys.path`` would let our modules hide a
    user's of the same name: the folder is taken off again and imported under a name of its own.
    """
    if __package__:
        return __package__
    name, here = "conformance_adapters", Path(__file__).resolve().parent
    sys.path[:] = [entry for entry in sys.path if not entry or Path(entry).resolve() != here]
    spec = importlib.util.spec_from_file_location(
        name, str(here / "__init__.py"), submodule_search_locations=[str(here)]
    )
    if spec is None or spec.loader is None:
        raise ImportError("no package in {}".format(here))
    sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[name])
    return name


def end_with_parent() -> None:
    """Linux: be killed once the run's process has died, even inside a call that never comes back."""
    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    except (OSError, AttributeError):
        pass  # Elsewhere the end of the input has to do.


def main() -> int:
    """Serve until the input ends; the exit code."""
    end_with_parent()
    requests, responses = streams()  # first of all: what is imported next may print
    name, arguments = package(), sys.argv[1:]
    options = importlib.import_module(name + ".options")
    try:
        options.prepare(arguments)  # before NumPy is imported, which reads one of the variables
    except options.Unavailable as error:
        print("conformance: {}".format(error), file=sys.stderr)
        return int(options.EXIT_UNAVAILABLE)
    code: int = importlib.import_module(name + ".loop").run(arguments, requests, responses)
    return code


def end(code: int) -> NoReturn:
    """End at once: all is answered, and a framework takes half a second to put itself away."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    end(main())
