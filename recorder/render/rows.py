"""Frames to the rows of their tables, bound to the lines they were asked for.

Rules:
- Every frame becomes exactly one row: of its layout's table, of ``events``, or of ``other``.
- What a message means beyond its fields (masks, names of tick types) is said here, once.
"""

from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from recorder import schema
from recorder.journal.state import Request
from recorder.render import events
from recorder.render.columns import block
from recorder.render.stretch import Frames
from recorder.wire import messages
from recorder.wire.frames import Positions
from recorder.wire.layouts import LAYOUTS, NOT_COMPUTED, Layout
from recorder.wire.ticktypes import tick_name

Rows: TypeAlias = tuple[str, pa.Table]
"""A table's name and some of its rows, in any order, with the schema of that table."""

_BY_KEY = {
    (layout.msg_id, variant): layout
    for layout in LAYOUTS
    if layout.table
    for variant in (layout.variants or (0,))
}
_TYPES = {
    table: {column.name: column.type for column in schema.TABLES[table]} | {"ts_event": pa.uint32()}
    for table in schema.MARKET_TABLES
}
_UNSET = 1.7976931348623157e308
_SECOND = 1_000_000


def rows(frames: Frames) -> Iterator[Rows]:
    """The rows of all frames."""
    strange = [np.flatnonzero(~np.isin(frames.msg_ids, list(messages.DECODED)))]
    for (msg_id, variant), indices in _by_layout(frames):
        layout = _BY_KEY.get((msg_id, variant))
        if layout is None:
            strange.append(indices)
            continue
        table, unfitting = _layout_rows(frames, indices, layout)
        strange.append(unfitting)
        if table is not None:
            yield layout.table, table
    spoken = np.flatnonzero(np.isin(frames.msg_ids, list(events.SPOKEN)))
    resets, told, unclear = events.from_frames(frames, spoken)
    yield "depth", resets
    yield "events", told
    yield "other", _other(frames, np.concatenate([*strange, unclear]))


def _by_layout(frames: Frames) -> Iterator[tuple[tuple[int, int], Positions]]:
    for msg_id in np.unique(frames.msg_ids).tolist():
        if msg_id not in messages.DECODED or msg_id in events.SPOKEN:
            continue
        indices = np.flatnonzero(frames.msg_ids == msg_id)
        if msg_id == messages.TICK_BY_TICK:
            variants = _variants(frames, indices)
            for variant in np.unique(variants).tolist():
                yield (msg_id, variant), indices[variants == variant]
        else:
            yield (msg_id, 0), indices


def _variants(frames: Frames, indices: Positions) -> Positions:
    """The one-digit third field of each frame; -1 where there is none."""
    raw = np.frombuffer(frames.data, np.uint8)
    nuls = np.flatnonzero(raw == 0)
    second = np.searchsorted(nuls, frames.bounds.starts[indices]) + 1
    at = nuls[np.minimum(second, len(nuls) - 1)] + 1
    inside = at + 1 < frames.bounds.ends[indices]
    at = np.where(inside, at, 0)
    digit = raw[at].astype(np.int64) - ord("0")
    return np.where(inside & (raw[at + 1] == 0), digit, -1)


def _layout_rows(frames: Frames, indices: Positions, layout: Layout) -> tuple[pa.Table | None, Positions]:
    found = block(frames.data, frames.bounds, indices, layout, _TYPES[layout.table])
    if not len(found.fitting):
        return None, found.unfitting
    known, of_request = _bind(found.columns["req"], frames.requests)
    columns = found.columns
    if not known.all():
        keep = pa.array(known)
        columns = {name: column.filter(keep) for name, column in columns.items()}
    fitting, unfitting = found.fitting[known], np.concatenate([found.unfitting, found.fitting[~known]])
    if not len(fitting):
        return None, unfitting
    requests = list(frames.requests.values())
    columns |= _own(frames, fitting) | _line(of_request[known], requests)
    columns |= _MEANINGS.get(layout.table, _nothing)(columns, of_request[known], requests)
    return _table(layout.table, columns, len(fitting)), unfitting


def _bind(req: pa.Array, requests: dict[int, Request]) -> tuple[npt.NDArray[np.bool_], Positions]:
    """Which request ids were asked, and the position of each in ``requests``."""
    ids = pc.fill_null(req, -1).to_numpy(zero_copy_only=False)
    if not requests:
        return np.zeros(len(ids), np.bool_), np.zeros(len(ids), np.int64)
    asked = np.array(list(requests))
    order = np.argsort(asked)
    place = order[np.searchsorted(asked, ids, sorter=order).clip(max=len(asked) - 1)]
    return asked[place] == ids, place


def _own(frames: Frames, indices: Positions) -> dict[str, pa.Array]:
    return {"ts_recv": pa.array(frames.ts[indices], schema.TIME), "seq": pa.array(frames.seq[indices])}


def _line(of_request: Positions, requests: list[Request]) -> dict[str, pa.Array]:
    con_ids = np.array([request.con_id for request in requests])
    return {
        "symbol": named(of_request, [request.symbol for request in requests]),
        "con_id": pa.array(con_ids[of_request]),
        "source": named(np.zeros_like(of_request), ["live"]),
    }


def named(codes: Positions, names: list[str]) -> pa.DictionaryArray:
    """``names[code]`` for each code, as texts that repeat: sorted and written without touching a string."""
    once = sorted(set(names))
    places = np.array([once.index(name) for name in names], np.int32)
    return pa.DictionaryArray.from_arrays(pa.array(places[codes]), pa.array(once, pa.string()))


def _nothing(_columns: dict[str, pa.Array], _of: Positions, _requests: list[Request]) -> dict[str, pa.Array]:
    return {}


def _level1(columns: dict[str, pa.Array], _of: Positions, _requests: list[Request]) -> dict[str, pa.Array]:
    efp = [columns[name] for name in ("basis_points", "formatted", "implied_future", "hold_days", "future_date",
                                      "dividend_impact", "dividends") if name in columns]  # fmt: skip
    added = {"field": _fields(columns["tick_type"])}
    if efp:
        added["text"] = pc.binary_join_element_wise(*(pc.fill_null(part, "") for part in efp), "\t")
    return added


def _greeks(columns: dict[str, pa.Array], _of: Positions, _requests: list[Request]) -> dict[str, pa.Array]:
    added = {"field": _fields(columns["tick_type"])}
    for name, absent in NOT_COMPUTED.items():
        values = columns[name]
        unknown = pc.or_(pc.equal(values, float(absent)), pc.equal(values, _UNSET))
        added[name] = pc.if_else(unknown, pa.scalar(None, pa.float64()), values)
    return added


def _fields(tick_types: pa.Array) -> pa.DictionaryArray:
    encoded = tick_types.dictionary_encode()
    names = [None if number is None else tick_name(number) for number in encoded.dictionary.to_pylist()]
    return pa.DictionaryArray.from_arrays(encoded.indices, pa.array(names, pa.string()))


def _trades(columns: dict[str, pa.Array], _of: Positions, _requests: list[Request]) -> dict[str, pa.Array]:
    kinds = columns["variant"].to_numpy() - 1
    mask = columns["attribs"]
    flags = {"past_limit": _bit(mask, 1), "unreported": _bit(mask, 2)}
    return _event_time(columns) | flags | {"kind": named(kinds, ["last", "all_last"])}


def _quotes(columns: dict[str, pa.Array], _of: Positions, _requests: list[Request]) -> dict[str, pa.Array]:
    mask = columns["attribs"]
    return _event_time(columns) | {"bid_past_low": _bit(mask, 1), "ask_past_high": _bit(mask, 2)}


def _midpoints(columns: dict[str, pa.Array], _of: Positions, _requests: list[Request]) -> dict[str, pa.Array]:
    return _event_time(columns)


def _bars(columns: dict[str, pa.Array], of: Positions, requests: list[Request]) -> dict[str, pa.Array]:
    return _event_time(columns) | {"show": named(of, [request.show for request in requests])}


def _event_time(columns: dict[str, pa.Array]) -> dict[str, pa.Array]:
    micros = pc.multiply(pc.cast(columns["ts_event"], pa.int64()), _SECOND)
    return {"ts_event": pc.cast(micros, schema.TIME)}


def _bit(mask: pa.Array, bit: int) -> pa.Array:
    return pc.not_equal(pc.bit_wise_and(mask, pa.scalar(bit, mask.type)), 0)


_Meaning: TypeAlias = Callable[[dict[str, pa.Array], Positions, list[Request]], dict[str, pa.Array]]
_MEANINGS: dict[str, _Meaning] = {
    "level1": _level1,
    "greeks": _greeks,
    "trades": _trades,
    "quotes": _quotes,
    "midpoints": _midpoints,
    "bars": _bars,
}


def _table(name: str, columns: dict[str, pa.Array], length: int) -> pa.Table:
    wanted = schema.TABLES[name]
    return pa.table(
        {c.name: columns[c.name] if c.name in columns else pa.nulls(length, c.type) for c in wanted}
    )


def _other(frames: Frames, indices: Positions) -> pa.Table:
    found = []
    for index in indices.tolist():
        content = frames.data[frames.bounds.starts[index] : frames.bounds.ends[index]]
        found.append(events.unclear(content, int(frames.msg_ids[index]), frames.requests))
    columns = (
        {name: pa.array([row[name] for row in found], _TYPES["other"][name]) for name in found[0]}
        if found
        else {}
    )
    source = {"source": named(np.zeros(len(indices), np.int64), ["live"])}
    return _table("other", columns | _own(frames, indices) | source, len(indices))
