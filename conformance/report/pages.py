"""Templates (Jinja), with everything escaped that comes from a run."""

from __future__ import annotations

import pickle
import re
from contextlib import suppress
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemBytecodeCache, PackageLoader, StrictUndefined
from jinja2.bccache import Bucket
from markupsafe import Markup

from conformance.report import figures
from conformance.report.table_data import pack
from conformance.report.verdicts import look


def asset(name: str) -> str:
    """The text of one of our own assets (a style sheet or a script)."""
    return resources.files("conformance.report").joinpath("assets", name).read_text(encoding="utf-8")


def permalink(**filters: str) -> str:
    """The hash of a view: `#operation=softmax&dtype=float32`; empty filters are left out."""
    return "#" + urlencode({key: value for key, value in filters.items() if value})


def slug(text: str) -> str:
    """A name as an identifier of the page."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def breakable(text: str) -> Markup:
    """A name that may wrap behind its underscores."""
    return Markup("_<wbr>").join(text.split("_"))


def cell(text: object, limit: int = 300) -> str:
    """Text for a cell of a Markdown table: one line, markup and pipes escaped."""
    line = figures.shorten(str(text), limit)
    for mark, entity in (
        ("&", "&amp;"),
        ("<", "&lt;"),
        (">", "&gt;"),
        ("|", "&#124;"),
        ("`", "&#96;"),
        ("[", "&#91;"),
        ("]", "&#93;"),
        ("*", "&#42;"),
        ("_", "&#95;"),
        ("\\", "&#92;"),
        ("@", "&#64;"),
    ):
        line = line.replace(mark, entity)
    return line


class _Compiled(FileSystemBytecodeCache):
    """Templates as they were compiled in an earlier run; a directory that cannot be used is done without."""

    def load_bytecode(self, bucket: Bucket) -> None:
        """Fills the bucket with what is kept, if that is of this template and this Python."""
        with suppress(OSError, EOFError, pickle.UnpicklingError):
            super().load_bytecode(bucket)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keeps what is in the bucket."""
        with suppress(OSError):
            super().dump_bytecode(bucket)


@cache
def _environment(html: bool) -> Environment:
    environment = Environment(
        loader=PackageLoader("conformance.report", "templates"),
        autoescape=html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        breakable=breakable,
        ulps=figures.ulps,
        shorten=figures.shorten,
        slug=slug,
        cell=cell,
        number=lambda value: f"{value:,}",
        link=figures.link,
        look=look,
        source_name=figures.source_name,
        packed=lambda html: pack(str(html).encode("utf-8", "backslashreplace")),
    )
    environment.globals.update(permalink=permalink, plural=figures.count)
    return environment


def compile_templates(kept: Path) -> None:
    """Compiles every template, which takes as long as drawing with it, unless the directory `kept` has it."""
    with suppress(OSError):
        kept.mkdir(parents=True, exist_ok=True)
    for html in (True, False):
        _environment(html).bytecode_cache = _Compiled(str(kept))
    for name in _environment(True).list_templates():
        _environment(name.endswith(".html")).get_template(name)


def render(template: str, **values: Any) -> str:
    """A template of `templates/` with these values; those named `*.html` escape every value."""
    return _environment(template.endswith(".html")).get_template(template).render(**values)
