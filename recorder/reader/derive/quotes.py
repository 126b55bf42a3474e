"""Best bid and ask.

Rules:
- Where tick-by-tick quotes were subscribed, they are the quotes; elsewhere level 1 is rebuilt.
- Rebuilt: one row a message that changes bid, ask or a size; the rest carries on within a subscription.
- A price message carries its size. Price -1 with size 0 means no quote; no quote has no size.
- Delayed ticks count until the subscription has brought a live one.
- What filled a gap afterwards stands where it happened, and takes the place of what was rebuilt there.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from recorder import schema
from recorder.reader.derive import filled
from recorder.reader.derive.filled import Filling
from recorder.reader.derive.life import Flags, Ints, Life, covered, first_of, latest

BID_SIZE, BID, ASK, ASK_SIZE = 0, 1, 2, 3
DELAYED = {66: BID, 67: ASK, 69: BID_SIZE, 70: ASK_SIZE}
TICK_TYPES = (BID_SIZE, BID, ASK, ASK_SIZE, *DELAYED)

Floats = npt.NDArray[np.float64]

_SIDES = ("bid", "ask", "bid_size", "ask_size")
SCHEMA = pa.schema(
    [
        ("ts_recv", schema.TIME),
        ("seq", pa.int64()),
        ("symbol", pa.string()),
        ("con_id", pa.int64()),
        ("ts_event", schema.TIME),
        *((name, pa.float64()) for name in _SIDES),
        ("bid_past_low", pa.bool_()),
        ("ask_past_high", pa.bool_()),
        ("source", pa.string()),
    ]
)
"""``ts_event`` and the flags are null where rebuilt; ``source``: tick_by_tick, backfill, level1, level1_delayed."""


def quotes(
    ticks: pa.Table, ticks_life: Life, level1: pa.Table, level1_life: Life, fillings: Sequence[Filling] = ()
) -> pa.Table:
    """The quotes of a line.

    Args:
        ticks: rows of table ``quotes``.
        ticks_life: the life of stream ``quotes``.
        level1: rows of table ``level1``, from where the state at the first wanted row is known.
        level1_life: the life of stream ``level1``.
        fillings: what was filled of the gaps of stream ``quotes``.
    """
    rebuilt = from_level1(level1, level1_life)
    live = ticks["seq"].to_numpy()[~filled.is_filled(ticks)]
    taken = covered(rebuilt["seq"].to_numpy(), ticks_life, live)
    taken |= filled.within(filled.moments(rebuilt), fillings)
    return filled.placed(pa.concat_tables([rebuilt.filter(pa.array(~taken)), from_ticks(ticks)]))


def from_ticks(ticks: pa.Table) -> pa.Table:
    """Tick-by-tick quotes as the view shows them."""
    columns = {name: ticks[name] for name in SCHEMA.names if name != "source"}
    for side in ("bid", "ask"):
        price, size = ticks[side], ticks[f"{side}_size"]
        none = pc.fill_null(pc.and_(pc.equal(price, -1.0), pc.equal(size, 0.0)), False)
        columns[side], columns[f"{side}_size"] = _unless(none, price), _unless(none, size)
    return pa.table([*columns.values(), filled.named(ticks, "tick_by_tick")], schema=SCHEMA)


def _unless(none: pa.ChunkedArray, values: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.if_else(none, pa.scalar(None, pa.float64()), values)


def from_level1(level1: pa.Table, life: Life) -> pa.Table:
    """Quotes rebuilt from level 1, as if nothing had been received before its first row."""
    rows = level1.filter(pc.field("tick_type").isin(TICK_TYPES))
    kinds = rows["tick_type"].to_numpy().astype(np.int64)
    delayed = np.isin(kinds, list(DELAYED))
    epochs = life.epochs(rows["seq"].to_numpy())
    used = ~delayed | (latest(~delayed, first_of(epochs)) < 0)
    rows, kinds, delayed = rows.filter(pa.array(used)), kinds[used], delayed[used]
    first = first_of(2 * epochs[used] + delayed)
    state = _state(rows, np.array([DELAYED.get(kind, kind) for kind in kinds.tolist()], np.int64), first)
    return _table(rows, state, delayed).filter(pa.array(_changes(state, first)))


def _state(rows: pa.Table, kinds: Ints, first: Ints) -> list[Floats]:
    """Bid, ask, bid size and ask size after each row; NaN: none."""
    price, size = rows["price"].to_numpy(), rows["size"].to_numpy()
    none = (price == -1) & (size == 0)
    price = np.where(none, np.nan, price)
    bid, ask = (_at(price, latest(kinds == side, first)) for side in (BID, ASK))
    bid_size = _at(size, latest((kinds == BID) | (kinds == BID_SIZE), first))
    ask_size = _at(size, latest((kinds == ASK) | (kinds == ASK_SIZE), first))
    return [bid, ask, np.where(np.isnan(bid), np.nan, bid_size), np.where(np.isnan(ask), np.nan, ask_size)]


def _at(values: Floats, places: Ints) -> Floats:
    return np.where(places >= 0, np.append(values, np.nan)[places], np.nan)


def _changes(state: list[Floats], first: Ints) -> Flags:
    """Which rows differ from the row before, or from nothing at the begin of a subscription."""
    begins = first == np.arange(len(first))
    changed = np.zeros(len(first), np.bool_)
    for values in state:
        before = np.where(begins, np.nan, np.concatenate([[np.nan], values[:-1]]) if len(values) else values)
        changed |= (values != before) & ~(np.isnan(values) & np.isnan(before))
    return changed


def _table(rows: pa.Table, state: list[Floats], delayed: Flags) -> pa.Table:
    columns = {name: rows[name] for name in ("ts_recv", "seq", "symbol", "con_id")}
    columns |= dict(zip(_SIDES, (pa.array(values, from_pandas=True) for values in state), strict=True))
    columns["source"] = pa.array(np.where(delayed, "level1_delayed", "level1"), pa.string())
    missing = {field.name: pa.nulls(len(rows), field.type) for field in SCHEMA}
    return pa.table([columns.get(name, missing[name]) for name in SCHEMA.names], schema=SCHEMA)
