"""Registry of the frameworks that have a folder here.

A framework is added by a folder of its name beside this file (`adapter.py`, `formulations.py` and
`description.py`: `base.py` opens with what they hold) and by its name in `FRAMEWORKS`. Adapters of other
distributions come by the entry-point group instead.
"""

from __future__ import annotations

import importlib
from functools import lru_cache
from typing import Any

from .description import Description

#: The frameworks that have a folder here, in the order in which they are named and run.
FRAMEWORKS = ("numpy", "torch", "tensorflow", "jax")
#: The entry-point group of other distributions' adapters.
ENTRY_POINTS = "conformance.adapters"


@lru_cache(maxsize=None)
def description(framework: str) -> Description:
    """The description of a framework, which is not imported; an empty one where it has no folder here."""
    if framework not in FRAMEWORKS:
        return Description(modes=(), devices=())
    module = importlib.import_module(".{}.description".format(framework), __package__)
    described: Description = module.DESCRIPTION
    return described


def adapter_class(framework: str) -> Any:
    """What makes a framework's adapter, ours or a third party's; None where there is none. Imports it."""
    if framework in FRAMEWORKS:
        return importlib.import_module(".{}.adapter".format(framework), __package__).ADAPTER
    from importlib import metadata  # takes 20 ms, and only strangers need it

    points: Any = metadata.entry_points()
    group = points.select(group=ENTRY_POINTS) if hasattr(points, "select") else points.get(ENTRY_POINTS, ())
    return next((point.load() for point in group if point.name == framework), None)
