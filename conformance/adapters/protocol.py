"""Wire format between the suite and a worker: frames of a JSON header and NumPy arrays over a byte stream.

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
     "layouts": {"logits": "transposed"},                                # absent: all contiguous
     "graph": "retained",                        # what gradients go back through; absent: the call alone
     "tracked": "none",                                 # inference; absent: what gradients are asked of
     "call": "twice",                      # how the call is made, by a name of `call_ways.WAYS`; absent: once
     "mixed": true,                              # tensors have dtypes of their own; absent: none has
     "formulations": ["functional", "composed"]}    # what is asked of such arrays; absent: any

Response header, with an outcome for each quantity that was asked for::

    {"kind": "response", "id": 7, "warnings": ["..."], "seconds": 0.0021,    # the processor's, in the call
     "outcomes": {"value": {"status": "returned"},    # its array follows; "overwritten": inputs written into,
                                                     # "dtypes" that the value may have where dtypes are mixed
                  "gradient:logits": {"status": "raised", "error": "RuntimeError", "message": "..."},
                  "gradient:target": {"status": "unsupported", "message": "no formulation composed"}},
     "arrays": [{"name": "value", "dtype": "bfloat16"}]}

Hello header, the first frame that a worker sends::

    {"kind": "hello", "framework": "torch", "version": "2.13.0", "python": "3.11.7", "numpy": "2.4.6",
     "versions": {...}, "device": "cpu", "mode": "eager", "hardware": {...},
     "kernels": {"cpu_capability": "AVX2"},          # as the framework reports them
     "variant": "avx2",                              # where one was asked for
     "formulations": {"softmax": ["functional", "module", "manual"], ...}}
"""

from __future__ import annotations

import io
import json
import struct
from functools import lru_cache
from typing import Any, BinaryIO, Dict, Iterable, Optional, Tuple

import numpy as np

MAGIC = b"CFM1"
_PREFIX = struct.Struct("<4sIQ")
_ENCODER = json.JSONEncoder(separators=(",", ":"), sort_keys=True)
#: A header longer than this is garbage, not a header.
MAX_HEADER_BYTES = 1 << 24
#: Bytes that are read of a stream at a time.
READ_BYTES = 1 << 24

Header = Dict[str, Any]
Arrays = Dict[str, np.ndarray]


class ProtocolError(Exception):
    """Bytes on the stream that are no frame of ours."""


def encode(header: Header, arrays: Optional[Arrays] = None) -> bytes:
    """One frame as bytes. `arrays` maps each name of ``header["arrays"]`` to its storage array, in order."""
    by_name = arrays or {}
    return pack(header, body_of([by_name[entry["name"]] for entry in header.get("arrays", [])]))


def pack(header: Header, body: bytes) -> bytes:
    """One frame of a header and the bytes of the arrays that it names."""
    return joined(text_of(header), body)


def text_of(header: Header) -> bytes:
    """A header as it stands in a frame."""
    return _ENCODER.encode(header).encode("utf-8")


def joined(text: bytes, body: bytes) -> bytes:
    """One frame of a header's text and the bytes of the arrays that it names."""
    return b"".join((_PREFIX.pack(MAGIC, len(text), len(body)), text, body))


def body_of(arrays: Iterable[Any]) -> bytes:
    """Arrays in NumPy's own format, one behind the other."""
    parts = []
    for given in arrays:
        array = np.asarray(given)  # not ascontiguousarray: it would turn a 0-d result into a 1-d one
        parts += [_array_header(array.dtype, array.shape), array.tobytes()]
    return b"".join(parts)


@lru_cache(maxsize=1024)
def _array_header(dtype: Any, shape: Tuple[int, ...]) -> bytes:
    """What stands before the elements, as numpy.lib.format writes it."""
    if dtype.hasobject:
        raise ValueError("arrays of objects do not travel")
    stream = io.BytesIO()
    described = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, described)
    return stream.getvalue()


def decode(header: bytes, body: bytes, copies: bool = True) -> Tuple[Header, Arrays]:
    """The header and arrays of a frame's two parts; ProtocolError when they do not fit each other.

    Without `copies` the arrays are views of the body, which cannot be written into.
    """
    try:
        parsed = json.loads(header.decode("utf-8"))
        arrays: Arrays = {}
        offset = 0
        for name in [entry["name"] for entry in parsed.get("arrays", [])]:
            array, offset = _array_at(body, offset)
            arrays[name] = array.copy() if copies else array
    except (ValueError, KeyError, TypeError, EOFError, AttributeError, OverflowError) as error:
        raise ProtocolError("a frame that does not parse: {}".format(error)) from None
    return parsed, arrays


def _array_at(body: bytes, offset: int) -> Tuple[np.ndarray, int]:
    """The array that starts at an offset, as a view, and where it ends."""
    if body[offset : offset + 8] != np.lib.format.magic(1, 0):
        raise ValueError("no array of format 1.0 at byte {}".format(offset))
    start = offset + 10 + int.from_bytes(body[offset + 8 : offset + 10], "little")
    dtype, shape, fortran, count = _parsed(body[offset + 8 : start])
    end = start + count * dtype.itemsize
    if count < 0 or end > len(body):
        raise ValueError("an array that is cut short")
    array = np.frombuffer(body, dtype, count, start) if count else np.empty(0, dtype)
    return array.reshape(shape, order="F" if fortran else "C"), end


@lru_cache(maxsize=1024)
def _parsed(header: bytes) -> Tuple[Any, Tuple[int, ...], bool, int]:
    """(dtype, shape, Fortran order, elements) of an array's header behind its magic."""
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(io.BytesIO(header))
    if dtype.hasobject:
        raise ValueError("arrays of objects do not travel")
    count = 1
    for size in shape:
        count *= size
    return dtype, shape, fortran, count if min(shape, default=0) >= 0 else -1


def read_frame(stream: BinaryIO, limit: Optional[int] = None) -> Optional[Tuple[Header, Arrays]]:
    """The next frame of a blocking stream, or None at its clean end; raises as `read_parts` and `decode`."""
    parts = read_parts(stream, limit)
    return None if parts is None else decode(*parts)


def read_parts(stream: BinaryIO, limit: Optional[int] = None) -> Optional[Tuple[bytes, bytes]]:
    """The header and the body of the next frame, or None at the stream's clean end.

    Raises ProtocolError for bytes that are no frame, a frame cut short, or a body above `limit` bytes.
    """
    prefix = _read_exactly(stream, _PREFIX.size)
    if not prefix:
        return None
    if len(prefix) < _PREFIX.size:
        raise ProtocolError("the stream ends inside a frame")
    magic, header_size, body_size = _PREFIX.unpack(prefix)
    if magic != MAGIC or header_size > MAX_HEADER_BYTES:
        raise ProtocolError("bytes that are no frame: {!r}".format(prefix))
    if limit is not None and body_size > limit:
        raise ProtocolError("a frame of {} bytes, above the limit of {}".format(body_size, limit))
    header, body = _read_exactly(stream, header_size), _read_exactly(stream, body_size)
    if len(header) < header_size or len(body) < body_size:
        raise ProtocolError("the stream ends inside a frame")
    return header, body


def _read_exactly(stream: BinaryIO, count: int) -> bytes:
    """Up to `count` bytes: fewer only where the stream ends."""
    parts = []
    while count > 0:
        part = stream.read(min(count, READ_BYTES))
        if not part:
            break
        parts.append(part)
        count -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)
