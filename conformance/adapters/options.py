"""Options of a worker's command line; imports no NumPy, which a variant's variables must precede."""

from __future__ import annotations

import argparse
import os
from typing import NoReturn, Sequence

from . import hardware, variants
from .base import Unavailable

#: The exit code of a worker whose framework, mode, device, variant or function is not to be had.
EXIT_UNAVAILABLE = 3


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Unavailable(message)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """A worker's options; Unavailable, in one line, where they make no sense."""
    parser = _Parser(prog="serve.py", description="Serve the formulations of one framework.")
    parser.add_argument("framework")
    parser.add_argument("--mode")
    parser.add_argument("--variant", help="the kernels to run, by a name of the framework's description")
    parser.add_argument("--device")
    parser.add_argument("--function", metavar="FILE_OR_MODULE:NAME", help="takes the place of `functional`")
    parser.add_argument("--operation", help="the operation that the function carries out")
    parser.add_argument("--returns", help="which of several results of the function is the loss")
    options = parser.parse_args(arguments)
    if bool(options.function) != bool(options.operation):
        parser.error("--function and --operation go together")
    return options


def prepare(arguments: Sequence[str]) -> None:
    """Set the variables of the variant that a worker is to run, before what reads them is imported.

    Args:
        arguments: The worker's command line.

    Raises:
        Unavailable: There is no such variant, or this processor cannot run it.
    """
    chosen = parse(arguments)
    if chosen.variant:
        variant = variants.find(chosen.framework, chosen.variant, chosen.mode, chosen.device)
        variants.require_processor(chosen.framework, variant, hardware.flags())
        variants.choose(variant, os.environ)
