"""Entry from a zip: runs the adapters where nothing of ours is installed, from the standard input alone.

The bootstrap (`conformance/subjects/remote_bootstrap.py`) reads this text from the standard input and runs it
with `read`, a function that returns an exact number of the bytes that follow.
"""

import importlib
import importlib.abc
import importlib.util
import io
import sys
import zipfile
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Callable, Dict, Optional

PACKAGE = "conformance_adapters"


class FromZip(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Finds and loads the modules of the package in a zip that is held in memory."""

    def __init__(self, archive: bytes) -> None:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            self.sources: Dict[str, str] = {
                name[:-3]: opened.read(name).decode("utf-8") for name in opened.namelist()
            }

    def _key(self, fullname: str) -> str:
        if fullname != PACKAGE and not fullname.startswith(PACKAGE + "."):
            return ""
        path = fullname[len(PACKAGE) + 1 :].replace(".", "/")
        inside = "{}/__init__".format(path) if path else "__init__"
        return inside if inside in self.sources else path

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Optional[ModuleSpec]:
        """The spec of one of the package's modules, else None."""
        if self._key(fullname) not in self.sources:
            return None
        origin = "<handed over>/{}.py".format(self._key(fullname))
        return importlib.util.spec_from_loader(
            fullname, self, origin=origin, is_package=self.is_package(fullname)
        )

    def get_source(self, fullname: str) -> str:
        """A module's text: tracebacks, and frameworks that read a function's source, ask for it."""
        return self.sources[self._key(fullname)]

    def is_package(self, fullname: str) -> bool:
        """Whether the name is a package's."""
        return self._key(fullname).endswith("__init__")

    def exec_module(self, module: ModuleType) -> None:
        """Runs a module's text; its file has a name of its own, for tracebacks."""
        file = "<handed over>/{}.py".format(self._key(module.__name__))
        module.__file__ = file
        exec(compile(self.get_source(module.__name__), file, "exec"), module.__dict__)


def main(read: Callable[[int], bytes]) -> int:
    """Takes the zip and serves; the exit code."""
    sys.meta_path.insert(0, FromZip(read(int(read(8), 16))))
    code: int = importlib.import_module(PACKAGE + ".serve").main()
    return code
