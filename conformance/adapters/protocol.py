"""The worker's wire format: frames of a JSON header and NumPy arrays over a byte stream.

A frame is the magic ``CFM1``, the header's length (uint32, little endian), the body's length (uint64), the
header (UTF-8 JSON) and the body: the arrays named in ``header["arrays"]``, each in NumPy's own format
(``numpy.lib.format``, never pickle), in that order. ``bfloat16`` travels as its bits (``uint16``) and is
named in the header, since NumPy has no such type.

Request header::

    {"kind": "request", "id": 7, "operation": "cross_entropy", "formulation": "functional",
     "dtype": "bfloat16", "quantities": ["value", "gradient:logits"],
     "parameters": {"reduction": "mean", "ignore_index": -100},          # scalars; absent: the default
     "arrays": [{"name": "logits", "dtype": "bfloat16"}, {"name": "target", "dtype": "int64"},
                {"name": "weight", "dtype": "bfloat16"}, {"name": "upstream", "dtype": "bfloat16"}],
     "layouts": {"logits": "transposed"}}                                # absent: all contiguous

Response header, with an outcome for each quantity that was asked for::

    {"kind": "response", "id": 7, "warnings": ["..."], "seconds": 0.0021,
     "outcomes": {"value": {"status": "returned"},    # its array follows; "overwritten": inputs written into
                  "gradient:logits": {"status": "raised", "error": "RuntimeError", "message": "..."},
                  "gradient:target": {"status": "unsupported", "message": "no formulation composed"}},
     "arrays": [{"name": "value", "dtype": "bfloat16"}]}

Hello header, the first frame that a worker sends::

    {"kind": "hello", "framework": "torch", "version": "2.13.0", "python": "3.11.7", "numpy": "2.4.6",
     "versions": {...}, "device": "cpu", "mode": "eager", "hardware": {...},
     "formulations": {"softmax": ["functional", "module", "manual"], ...}}
"""

from __future__ import annotations

import io
import json
import struct
from typing import Any, BinaryIO, Dict, List, Optional, Tuple

import numpy as np

MAGIC = b"CFM1"
_PREFIX = struct.Struct("<4sIQ")
MAX_HEADER = 1 << 24  # 16 MiB: a header longer than this is garbage, not a header

Header = Dict[str, Any]
Arrays = Dict[str, np.ndarray]


class ProtocolError(Exception):
    """Bytes on the stream that are no frame of ours."""


def encode(header: Header, arrays: Optional[Arrays] = None) -> bytes:
    """One frame as bytes. `arrays` maps each name of ``header["arrays"]`` to its storage array, in order."""
    body = io.BytesIO()
    for entry in header.get("arrays", []):
        # Not ascontiguousarray: it would turn a 0-d result into a 1-d one.
        np.lib.format.write_array(body, np.asarray((arrays or {})[entry["name"]]), allow_pickle=False)
    text = json.dumps(header, separators=(",", ":"), sort_keys=True).encode("utf-8")
    return _PREFIX.pack(MAGIC, len(text), body.getbuffer().nbytes) + text + body.getvalue()


def decode(header: bytes, body: bytes) -> Tuple[Header, Arrays]:
    """The header and arrays of a frame's two parts; ProtocolError when they do not fit each other."""
    try:
        parsed = json.loads(header.decode("utf-8"))
        stream = io.BytesIO(body)
        names: List[str] = [entry["name"] for entry in parsed.get("arrays", [])]
        arrays = {name: np.lib.format.read_array(stream, allow_pickle=False) for name in names}
    except (ValueError, KeyError, TypeError, EOFError, AttributeError) as error:
        raise ProtocolError("a frame that does not parse: {}".format(error)) from None
    return parsed, arrays


def read_frame(stream: BinaryIO, limit: Optional[int] = None) -> Optional[Tuple[Header, Arrays]]:
    """The next frame of a blocking stream, or None at its clean end.

    Raises ProtocolError for bytes that are no frame, a frame cut short, or a body above `limit` bytes.
    """
    prefix = _read_exactly(stream, _PREFIX.size)
    if not prefix:
        return None
    if len(prefix) < _PREFIX.size:
        raise ProtocolError("the stream ends inside a frame")
    magic, header_size, body_size = _PREFIX.unpack(prefix)
    if magic != MAGIC or header_size > MAX_HEADER:
        raise ProtocolError("bytes that are no frame: {!r}".format(prefix))
    if limit is not None and body_size > limit:
        raise ProtocolError("a frame of {} bytes, above the limit of {}".format(body_size, limit))
    header, body = _read_exactly(stream, header_size), _read_exactly(stream, body_size)
    if len(header) < header_size or len(body) < body_size:
        raise ProtocolError("the stream ends inside a frame")
    return decode(header, body)


def _read_exactly(stream: BinaryIO, count: int) -> bytes:
    """Up to `count` bytes: fewer only where the stream ends."""
    parts = []
    while count > 0:
        part = stream.read(min(count, 1 << 24))
        if not part:
            break
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
