"""What coverage needs in a process that a test starts with an environment of its own."""

from __future__ import annotations

import os


def measured(environment: dict[str, str]) -> dict[str, str]:
    """The environment, and how coverage measures, where it does."""
    return {**environment, **{name: value for name, value in os.environ.items() if name[:9] == "COVERAGE_"}}
