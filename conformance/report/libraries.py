"""The libraries that the page carries, read from installed packages: no copy of theirs in this repository.

DataTables (MIT) comes inside `itables`, Vega and Vega-Lite (BSD-3-Clause) inside `vl-convert-python`.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import platformdirs

from conformance.errors import RunError
from conformance.report.files import write_whole

# Vega Embed alone is asked for: the bundler leaves the other two names empty.
VEGA = "window.vegaEmbed = vegaEmbed;"


@cache
def datatables() -> tuple[str, str]:
    """DataTables as the text of a JavaScript module, and its style sheet."""
    spec = find_spec("itables")  # found, not imported: only its files are wanted
    if spec is None or not spec.submodule_search_locations:
        raise RunError("the report needs the package itables: pip install itables")
    folder = Path(spec.submodule_search_locations[0]) / "html"
    script = (folder / "dt_bundle.js").read_text(encoding="utf-8")
    return script, (folder / "dt_bundle.css").read_text(encoding="utf-8")


@cache
def vega() -> str:
    """Vega, Vega-Lite and Vega-Embed as the text of a JavaScript module, which sets `window.vegaEmbed`.

    Bundling takes seconds, so the bundle is kept in the user's cache directory for the package's version.
    """
    try:
        version = metadata.version("vl-convert-python")
    except metadata.PackageNotFoundError:
        raise RunError(
            "the report needs the package vl-convert-python: pip install vl-convert-python"
        ) from None
    kept = platformdirs.user_cache_path("loss-conformance") / f"vega-embed-{version}.js"
    try:
        return kept.read_text(encoding="utf-8")
    except OSError:
        import vl_convert  # 90 MB of library: only where the bundle is not there yet

        script = str(vl_convert.javascript_bundle(VEGA))
    with suppress(OSError):  # a cache that cannot be written costs time, nothing else
        write_whole(kept, script)
    return script
