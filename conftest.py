"""Lets `pytest cases/` collect case files in a checkout as it does where the package is installed."""

from __future__ import annotations

pytest_plugins = ["conformance.pytest_plugin"]
