"""Which of some frames do not read as their layout says: found for all of them at once.

Rule: what is called unreadable here is what Arrow's casts refuse; what cannot be told here counts as readable, and the
casts decide.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from recorder.wire.frames import Positions

Mask = npt.NDArray[np.bool_]

_FLOAT = r"^([+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|NaN|Infinity|-Infinity)$"
_WORDS = r"^(NaN|-?Infinity)$"
_SIGNED, _UNSIGNED = r"^-?0*[0-9]{1,19}$", r"^0*[0-9]{1,19}$"
"""Nineteen digits always fit 64 bits without a sign."""


def decodes(fields: npt.NDArray[np.uint8], ends: Positions) -> Mask:
    """Which frames are UTF-8; ``fields`` are their bytes, one behind the other, ``ends`` where each ends."""
    right = np.ones(len(ends), np.bool_)
    for index in np.unique(np.searchsorted(ends, np.flatnonzero(fields & 0x80), side="right")).tolist():
        frame = fields[ends[index - 1] if index else 0 : ends[index]].tobytes()
        right[index] = frame.decode(errors="replace").encode() == frame
    return right


def reads(texts: pa.StringArray, wanted: pa.DataType) -> Mask:
    """Which texts are values of a type; an empty one is null."""
    if pa.types.is_string(wanted):
        return np.ones(len(texts), np.bool_)
    found = _real(texts) if pa.types.is_floating(wanted) else _whole(texts, wanted)
    empty = pc.equal(pc.binary_length(texts), 0)
    return _mask(pc.or_(found, empty))


def _real(texts: pa.StringArray) -> pa.Array:
    written = pc.match_substring_regex(texts, _FLOAT)
    values = pc.cast(pc.if_else(written, texts, pa.scalar(None, pa.string())), pa.float64())
    finite = pc.fill_null(pc.is_finite(values), False)
    return pc.and_(written, pc.or_(finite, pc.match_substring_regex(texts, _WORDS)))


def _whole(texts: pa.StringArray, wanted: pa.DataType) -> pa.Array:
    least, most = _bounds(wanted)
    written = pc.match_substring_regex(texts, _SIGNED if least else _UNSIGNED)
    digits = pc.utf8_ltrim(pc.if_else(written, texts, pa.scalar(None, pa.string())), "-")
    size = pc.cast(digits, pa.uint64())
    negative = pc.starts_with(texts, "-")
    limit = pc.if_else(negative, pa.scalar(-least, pa.uint64()), pa.scalar(most, pa.uint64()))
    return pc.and_(written, pc.fill_null(pc.less_equal(size, limit), False))


def _bounds(wanted: pa.DataType) -> tuple[int, int]:
    if pa.types.is_boolean(wanted):
        return 0, 1
    limits = np.iinfo(wanted.to_pandas_dtype())
    return int(limits.min), int(limits.max)


def _mask(found: pa.Array) -> Mask:
    mask: Mask = found.to_numpy(zero_copy_only=False)
    return mask
