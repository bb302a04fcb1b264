"""The suite's own tests: case files that they use as data are not collected as cases."""

from __future__ import annotations

collect_ignore_glob = ["*.yaml"]
