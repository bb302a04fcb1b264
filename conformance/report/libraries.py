"""The two libraries that the page carries, read from installed packages: no copy of theirs in this repository.

DataTables (MIT) comes inside `itables`, Vega and Vega-Lite (BSD-3-Clause) inside `vl-convert-python`.
"""

from __future__ import annotations

from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import platformdirs

from conformance.errors import RunError
from conformance.report.files import write_whole

VEGA = "window.vega = vega; window.vegaLite = vegaLite;"


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
    """Vega and Vega-Lite as the text of a JavaScript module, which sets `window.vega` and `window.vegaLite`.

    Bundling takes seconds, so the bundle is kept in the user's cache directory for the package's version.
    """
    try:
        version = metadata.version("vl-convert-python")
    except metadata.PackageNotFoundError:
        raise RunError(
            "the report needs the package vl-convert-python: pip install vl-convert-python"
        ) from None
    kept = platformdirs.user_cache_path("loss-conformance") / f"vega-{version}.js"
    try:
        return kept.read_text(encoding="utf-8")
    except OSError:
        import vl_convert  # 90 MB of library: only where the bundle is not there yet

        script = str(vl_convert.javascript_bundle(VEGA))
    try:
        write_whole(kept, script)
    except OSError:
        pass  # a cache that cannot be written costs time, nothing else
    return script
