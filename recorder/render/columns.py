"""Frames of one layout to columns, many at a time.

Rules:
- The layout alone says what a field is; a frame that does not fit it exactly is named and left alone.
- No object per tick: bytes are cut into one array of strings, and each column is a stride of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from recorder.render import unreadable
from recorder.wire.frames import Bounds, Positions
from recorder.wire.layouts import Layout

Bytes: TypeAlias = npt.NDArray[np.uint8]
Types: TypeAlias = Mapping[str, pa.DataType]

_NONE = np.empty(0, np.int64)
_NOT_FINITE = {None, "NaN", "Infinity", "-Infinity"}
"""Numbers that Java writes as words."""

_TYPES = {
    "int": pa.int64(),
    "req": pa.int64(),
    "float": pa.float64(),
    "size": pa.float64(),
    "text": pa.string(),
}


@dataclass(frozen=True, slots=True)
class Block:
    """What came of some frames of one layout.

    Attributes:
        fitting: indices of the frames that became columns.
        columns: field name to values, one a fitting frame; ``fixed`` fields are left out.
        unfitting: indices of the frames that do not fit the layout.
    """

    fitting: Positions
    columns: dict[str, pa.Array]
    unfitting: Positions


def block(data: bytes, bounds: Bounds, indices: Positions, layout: Layout, types: Types) -> Block:
    """Columns of the frames at ``indices``; ``types`` says which fields must fit a narrower type."""
    starts, ends = bounds.starts[indices], bounds.ends[indices]
    fields = _gather(np.frombuffer(data, np.uint8), starts, ends)
    nuls = np.flatnonzero(fields == 0)
    right = _fit(fields, nuls, ends - starts, layout.width)
    if not right.all():
        fitting = block(data, bounds, indices[right], layout, types)
        return _join(fitting, Block(_NONE, {}, indices[~right]))
    try:
        return Block(indices, _columns(_strings(fields, nuls), layout, types), _NONE)
    except pa.ArrowInvalid:
        if len(indices) == 1:
            return Block(_NONE, {}, indices)
        right = _readable(fields, nuls, layout, types)
        if right.all():  # it cannot be told at once which it is
            return _join(*(block(data, bounds, half, layout, types) for half in np.array_split(indices, 2)))
        return _join(block(data, bounds, indices[right], layout, types), Block(_NONE, {}, indices[~right]))


def _readable(fields: Bytes, nuls: Positions, layout: Layout, types: Types) -> npt.NDArray[np.bool_]:
    """Which frames read as the layout says, as far as can be told for all of them at once."""
    right = unreadable.decodes(fields, nuls[layout.width - 1 :: layout.width] + 1)
    if not right.all():
        return right
    strings = _strings(fields, nuls)
    for position, field in enumerate(layout.fields):
        if field.kind != "fixed":
            texts = strings.take(pa.array(np.arange(position, len(strings), layout.width)))
            right &= unreadable.reads(texts, types.get(field.name, _TYPES[field.kind]))
    return right


def _gather(raw: Bytes, starts: Positions, ends: Positions) -> Bytes:
    """The frames' bytes, one behind the other."""
    lengths = ends - starts
    offsets = np.cumsum(lengths) - lengths
    # 32 bits are enough for positions in a chunk, and half the memory to go through.
    shifts = np.repeat((starts - offsets).astype(np.int32), lengths)
    gathered: Bytes = raw[np.arange(lengths.sum(), dtype=np.int32) + shifts]
    return gathered


def _fit(fields: Bytes, nuls: Positions, lengths: Positions, width: int) -> npt.NDArray[np.bool_]:
    """Which frames have ``width`` fields, the last one ended."""
    ends = np.cumsum(lengths)
    if len(nuls) == width * len(ends) and (nuls[width - 1 :: width] == ends - 1).all():
        return np.ones(len(ends), np.bool_)
    counts = np.diff(np.searchsorted(nuls, ends), prepend=0)
    right: npt.NDArray[np.bool_] = (counts == width) & (fields[np.maximum(ends, 1) - 1] == 0)
    return right


def _columns(strings: pa.StringArray, layout: Layout, types: Types) -> dict[str, pa.Array]:
    columns = {}
    for position, field in enumerate(layout.fields):
        if field.kind == "fixed":
            continue
        texts = strings.take(pa.array(np.arange(position, len(strings), layout.width)))
        lengths = pc.binary_length(texts)
        if pc.min(lengths).as_py() == 0:
            texts = pc.if_else(pc.equal(lengths, 0), pa.scalar(None, pa.string()), texts)
        columns[field.name] = _values(texts, types.get(field.name, _TYPES[field.kind]))
    return columns


def _values(texts: pa.StringArray, wanted: pa.DataType) -> pa.Array:
    """Texts as their column's type; Arrow alone would also take ``0x10``, ``true``, and 1e999 as infinity.

    Raises:
        pa.ArrowInvalid: a text is not how IB writes such a value.
    """
    if pa.types.is_string(wanted):
        return texts
    if pa.types.is_floating(wanted):
        values = pc.cast(texts, wanted)
        finite = pc.is_finite(values)
        right = pc.all(finite).as_py() is not False or _are_words(texts.filter(pc.invert(finite)))
    else:
        values = pc.cast(texts, pa.uint8() if pa.types.is_boolean(wanted) else wanted)
        letters = np.frombuffer(texts.buffers()[2], np.uint8) > ord("9")
        right = not letters.any() and (wanted != pa.bool_() or (pc.max(values).as_py() or 0) <= 1)
    if not right:
        raise pa.ArrowInvalid("not as IB writes it")
    return pc.cast(values, wanted)


def _are_words(texts: pa.StringArray) -> bool:
    return set(texts.to_pylist()) <= _NOT_FINITE


def _strings(fields: Bytes, nuls: Positions) -> pa.StringArray:
    """NUL-terminated fields as one array.

    Raises:
        pa.ArrowInvalid: a field is not UTF-8.
    """
    offsets = np.concatenate(([0], nuls + 1 - np.arange(1, len(nuls) + 1))).astype(np.int32)
    texts = fields[fields != 0]
    strings = pa.StringArray.from_buffers(len(nuls), pa.py_buffer(offsets), pa.py_buffer(texts))
    if (texts & 0x80).any():
        strings.validate(full=True)
    return strings


def _join(first: Block, second: Block) -> Block:
    parts = [columns for columns in (first.columns, second.columns) if columns]
    columns = {name: pa.concat_arrays([part[name] for part in parts]) for name in (parts[0] if parts else ())}
    fitting = np.concatenate([first.fitting, second.fitting])
    return Block(fitting, columns, np.concatenate([first.unfitting, second.unfitting]))
