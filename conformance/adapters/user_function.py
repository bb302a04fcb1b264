"""Function of a user's own, named as FILE_OR_MODULE:NAME."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Optional

from .base import Function, Unavailable
from .user_call import fitted


def load_function(name: str, returns: Optional[str] = None) -> Function:
    """The function of a name; a file is imported with its folder on ``sys.path``, a module with the current.

    Args:
        name: ``FILE_OR_MODULE:NAME``, where NAME may be dotted.
        returns: Which of several results is the loss, an index or a key; None: there is one result.

    Raises:
        Unavailable: There is none; in one line.
    """
    source, _, path = name.rpartition(":")
    if not source or not path:
        raise Unavailable("{!r} names no function: write FILE_OR_MODULE:NAME".format(name))
    try:
        value: Any = _load_file(Path(source)) if _is_file(source) else _load_module(source)
    except Exception as error:  # the user's code may do anything
        raise Unavailable("{} does not import: {}: {}".format(source, type(error).__name__, error)) from error
    for part in path.split("."):
        value = getattr(value, part, None)
    if not callable(value):
        raise Unavailable("{} has no function {}".format(source, path))
    try:
        return fitted(value, path, returns)
    except Exception as error:  # as above: a class is built
        raise Unavailable("{} cannot be made: {}: {}".format(path, type(error).__name__, error)) from error


def _is_file(source: str) -> bool:
    return source.endswith(".py") or os.sep in source or os.path.isfile(source)


def _load_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise FileNotFoundError("no such file")
    sys.path.insert(0, str(path.resolve().parent))
    name = "conformance_user_" + path.stem  # a file may be called as a framework is
    spec = importlib.util.spec_from_file_location(name, str(path))
    if spec is None or spec.loader is None:
        raise ImportError("not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _load_module(name: str) -> ModuleType:
    sys.path.insert(0, os.getcwd())
    return importlib.import_module(name)
