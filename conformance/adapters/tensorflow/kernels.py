"""Which kernels TensorFlow dispatches, by its own report and oneDNN's.

oneDNN tells its instruction set in one way alone: it prints a header when its first primitive is made, where
ONEDNN_VERBOSE asks for it. The filter lets it print nothing else.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import re
import tempfile
from typing import Any, Dict, Optional

VERBOSE = "ONEDNN_VERBOSE"
#: The header, and then only the primitives of this kind, which no loss has.
HEADER_ALONE = "profile_create,filter=lrn"
#: Where TensorFlow has said whether oneDNN's kernels are on, newest first.
PORTS = ("tensorflow.python.util._pywrap_util_port", "tensorflow.python._pywrap_util_port")


def kernels(tensorflow: Any) -> Dict[str, Any]:
    """``onednn``, whether its kernels are on; where they are, ``isa``, the instruction set that it runs.

    Of a TensorFlow or oneDNN that does not tell, the key is missing. To be called before the first operation
    of the process: oneDNN prints its header once.
    """
    onednn = is_onednn_on()
    if not onednn:
        return {} if onednn is None else {"onednn": False}
    isa = printed_isa(tensorflow)
    return {"onednn": True} if isa is None else {"onednn": True, "isa": isa}


def is_onednn_on() -> Optional[bool]:
    """Whether oneDNN's kernels are on; None where TensorFlow does not tell."""
    for name in PORTS:
        try:
            return bool(importlib.import_module(name).IsMklEnabled())
        except (ImportError, AttributeError):
            continue
    return None


def printed_isa(tensorflow: Any) -> Optional[str]:
    """The instruction set in oneDNN's header, as ``Intel AVX2``; None where none is printed."""
    chosen_by_user = VERBOSE in os.environ
    os.environ.setdefault(VERBOSE, HEADER_ALONE)
    standard_output = os.dup(1)
    with tempfile.TemporaryFile() as printed:
        os.dup2(printed.fileno(), 1)
        try:
            with tensorflow.device("CPU:0"):
                tensorflow.nn.softmax(tensorflow.ones((1, 4)))
            ctypes.CDLL(None).fflush(None)  # C's own buffer
        finally:
            os.dup2(standard_output, 1)
            os.close(standard_output)
        printed.seek(0)
        text = printed.read().decode("utf-8", "replace")
    if not chosen_by_user:
        del os.environ[VERBOSE]
    match = re.search(r"\bcpu,isa:(.*)", text)
    return match.group(1).strip() if match else None
