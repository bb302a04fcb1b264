"""Tables that the modules of a folder share: a new operation adds a file with entries of its own."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any


def modules_of(package: ModuleType, without: Sequence[str] = ()) -> Iterator[ModuleType]:
    """The modules of a package by name, without some of them."""
    for module in pkgutil.iter_modules(package.__path__):
        if module.name not in without:
            yield importlib.import_module(f"{package.__name__}.{module.name}")


def merged(modules: Sequence[ModuleType], name: str) -> dict[Any, Any]:
    """The entries of the dictionaries of that name; an error where two modules have the same key."""
    table: dict[Any, Any] = {}
    for module in modules:
        for key, value in getattr(module, name, {}).items():
            assert key not in table, f"{module.__name__}: {name} has {key} again"
            table[key] = value
    return table
