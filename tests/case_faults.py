"""Faults of a case file, as a reader is told of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from conformance.cases.loader import load_cases
from conformance.errors import CaseError

HEAD = "source: s\ncases:\n  - id: a\n"
SOFTMAX = HEAD + "    operation: softmax\n"


def faults(folder: Path, text: str | bytes, name: str = "f.yaml") -> list[str]:
    """The lines of the error that a file leads to, without the folder's name."""
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(CaseError) as caught:
        load_cases([path])
    return [line.replace(f"{folder.resolve()}{os.sep}", "") for line in str(caught.value).splitlines()]
