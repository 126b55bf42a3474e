"""Trades.

Rules:
- Where tick-by-tick trades were subscribed, they are the trades; elsewhere level 1 tells what it can.
- A level-1 subscription that brought RTVolume (tick type 48, generic tick 233) is read from it alone.
- Else each LAST price message (4) is a trade. LAST_SIZE (5) repeats it and is never added. What IB aggregates
  away between two messages, and a trade at an unchanged price told by size alone, is not in this view.
- The first LAST of a subscription is the trade before it: shown, and marked ``initial``.
- Delayed LAST (68) counts in subscriptions that brought no live one.
- What filled a gap afterwards stands where it happened, and takes the place of what level 1 told there.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recorder import schema
from recorder.reader.derive import filled
from recorder.reader.derive.filled import Filling
from recorder.reader.derive.life import Flags, Ints, Life, covered, first_of

LAST, RT_VOLUME, DELAYED_LAST = 4, 48, 68
TICK_TYPES = (LAST, RT_VOLUME, DELAYED_LAST)

_NUMBER = r"-?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?"
_TRADE = rf"^(?P<price>{_NUMBER});(?P<size>{_NUMBER});(?P<ms>[0-9]+);[^;]*;[^;]*;[^;]*$"
"""``price;size;ms;volume;vwap;single``; without a trade the price is empty."""

SCHEMA = pa.schema(
    [
        ("ts_recv", schema.TIME),
        ("seq", pa.int64()),
        ("symbol", pa.string()),
        ("con_id", pa.int64()),
        ("ts_event", schema.TIME),
        ("price", pa.float64()),
        ("size", pa.float64()),
        ("exchange", pa.string()),
        ("conditions", pa.string()),
        ("past_limit", pa.bool_()),
        ("unreported", pa.bool_()),
        ("initial", pa.bool_()),
        ("source", pa.string()),
    ]
)
"""Null where the source does not tell; ``source``: tick_by_tick, backfill, rt_volume, last,
last_delayed."""


def trades(
    ticks: pa.Table, ticks_life: Life, level1: pa.Table, level1_life: Life, fillings: Sequence[Filling] = ()
) -> pa.Table:
    """The trades of a line.

    Args:
        ticks: rows of table ``trades``.
        ticks_life: the life of stream ``trades``.
        level1: rows of table ``level1``, from the begin of the subscription at the first wanted row.
        level1_life: the life of stream ``level1``.
        fillings: what was filled of the gaps of stream ``trades``.
    """
    told = from_level1(level1, level1_life)
    live = ticks["seq"].to_numpy()[~filled.is_filled(ticks)]
    taken = covered(told["seq"].to_numpy(), ticks_life, live) | filled.within(filled.moments(told), fillings)
    return filled.placed(pa.concat_tables([told.filter(pa.array(~taken)), from_ticks(ticks)]))


def from_ticks(ticks: pa.Table) -> pa.Table:
    """Tick-by-tick trades as the view shows them."""
    return _shaped(ticks, filled.named(ticks, "tick_by_tick"))


def from_level1(level1: pa.Table, life: Life) -> pa.Table:
    """Trades as level 1 tells them."""
    kinds = level1["tick_type"].to_numpy()
    epochs = life.epochs(level1["seq"].to_numpy())
    with_volume = np.isin(epochs, epochs[kinds == RT_VOLUME])
    with_live = np.isin(epochs, epochs[(kinds == LAST) | (kinds == RT_VOLUME)])
    last = (kinds == LAST) & ~with_volume
    delayed = (kinds == DELAYED_LAST) & ~with_live
    parts = [_last(level1, last, epochs, "last"), _last(level1, delayed, epochs, "last_delayed")]
    return pa.concat_tables([*parts, _rt_volume(level1.filter(pa.array(kinds == RT_VOLUME)))]).sort_by("seq")


def _last(level1: pa.Table, chosen: Flags, epochs: Ints, source: str) -> pa.Table:
    rows, epochs = level1.filter(pa.array(chosen)), epochs[chosen]
    past_limit = pc.not_equal(pc.bit_wise_and(rows["attribs"], pa.scalar(2, pa.int32())), 0)
    initial = pa.array(first_of(epochs) == np.arange(len(epochs)))
    rows = rows.append_column("initial", initial).append_column("past_limit", past_limit)
    price, size = rows["price"].to_numpy(), rows["size"].to_numpy()
    nothing = np.isnan(price) | ((price == -1) & (size == 0))
    rows = rows.filter(pa.array(~nothing))
    return _shaped(rows, pa.repeat(source, len(rows)))


def _rt_volume(rows: pa.Table) -> pa.Table:
    parts = pc.extract_regex(rows["text"], _TRADE)
    rows = rows.drop_columns(["price", "size"]).append_column("parts", parts)
    rows = rows.filter(pc.field("parts").is_valid())
    price, size, ms = (pc.struct_field(rows["parts"], name) for name in ("price", "size", "ms"))
    micros = pc.multiply(ms.cast(pa.int64()), 1000).cast(schema.TIME)
    columns = {"price": price.cast(pa.float64()), "size": size.cast(pa.float64()), "ts_event": micros}
    for name, column in columns.items():
        rows = rows.append_column(name, column)
    return _shaped(rows, pa.repeat("rt_volume", len(rows)))


def _shaped(rows: pa.Table, source: pa.Array) -> pa.Table:
    given = {name: rows[name] for name in rows.column_names} | {"source": source}
    if "initial" not in given:
        given["initial"] = pa.repeat(False, len(rows))
    columns = [given.get(field.name, pa.nulls(len(rows), field.type)) for field in SCHEMA]
    return pa.table(columns, schema=SCHEMA)
