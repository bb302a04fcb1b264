"""Writes constraints.txt: the exact version and the hashes of everything that tox's environments hold.

    python .ci/pin.py        # after a change of the pins in tox.ini, or of TOOLS; needs uv

What tox.ini pins, and whatever that needs, is resolved for Python 3.11; every file of a version that the
package index knows is listed. A wheel of PyTorch may be the CPU's build or the index's: it has the hashes of
both, where a directory of wheels is named in UV_FIND_LINKS or PIP_FIND_LINKS. Of tox itself .ci/tools.txt has
the same, for pip.
"""

from __future__ import annotations

import configparser
import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
#: What installs the environments, before there is any.
TOOLS = ["tox==4.67.15", "tox-uv==1.37.1"]
HEAD = "# Written by .ci/pin.py from the pins of tox.ini: versions, and the hashes of their files.\n"
TOOLS_HEAD = "# Written by .ci/pin.py: what .ci/run installs, and the hashes of the files.\n"
OPTIONS = ["--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"]
Hashes = dict[str, set[str]]


def pins() -> list[str]:
    """What tox.ini pins."""
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini", encoding="utf-8")
    lines = [line.strip() for name in tox.sections() for line in tox[name].get("deps", "").splitlines()]
    return sorted({line for line in lines if re.fullmatch(r"[\w.-]+==[\w.]+", line)})


def resolved(requirements: list[str], wheels: str, *options: str) -> Hashes:
    """Each package as `name==version`, with its hashes."""
    environment = {**os.environ, "UV_FIND_LINKS": wheels, "UV_PYTHON": "3.11"}
    argv = ["uv", "pip", "compile", "-", *OPTIONS, *options]
    text = "\n".join(requirements)
    done = subprocess.run(argv, input=text, env=environment, capture_output=True, text=True, check=True)
    found: Hashes = {}
    for entry in done.stdout.replace("\\\n", " ").splitlines():
        name, *hashes = entry.split()
        found.setdefault(name.partition("+")[0], set()).update(hashes)
    return found


def main() -> None:
    """Resolves with the directory of wheels, and PyTorch once more without."""
    wheels = os.environ.get("UV_FIND_LINKS") or os.environ.get("PIP_FIND_LINKS") or ""
    found = resolved(pins(), wheels)
    torch = [pin for pin in pins() if pin.startswith("torch==")]
    for name, hashes in resolved(torch, "", "--no-deps").items():
        found[name] |= hashes
    write(ROOT / "constraints.txt", HEAD, found)
    write(ROOT / ".ci" / "tools.txt", TOOLS_HEAD, resolved(TOOLS, wheels))


def write(path: Path, head: str, found: Hashes) -> None:
    """Writes a file of requirements, each with its hashes."""
    lines = [" \\\n    ".join([name, *sorted(found[name])]) for name in sorted(found)]
    path.write_text(head + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
