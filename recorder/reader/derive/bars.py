"""Bars of any fixed length.

Rules:
- A bar holds what was received from its start up to the next; starts are multiples of the length since 1970.
  What filled a gap afterwards is in the bar of IB's second for it.
- Made of trades where there are any, else of the midpoint: then volume and vwap are null, and ``count``
  counts quotes.
- An ``initial`` trade happened before its subscription and is in no bar. An empty interval has no bar.
"""

from datetime import timedelta
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from recorder import schema
from recorder.reader.derive import filled
from recorder.reader.derive.life import Ints

Interval: TypeAlias = str | timedelta | pd.offsets.BaseOffset
"""``"5s"``, ``"1min"``, ``"1h"``, ``"1D"``, a timedelta or a pandas offset of fixed length."""

SCHEMA = pa.schema(
    [
        ("ts", schema.TIME),
        ("symbol", pa.string()),
        ("open", pa.float64()),
        ("high", pa.float64()),
        ("low", pa.float64()),
        ("close", pa.float64()),
        ("volume", pa.float64()),
        ("count", pa.int64()),
        ("vwap", pa.float64()),
        ("source", pa.string()),
    ]
)
"""``ts``: start of the bar; ``source``: that of all its trades or quotes, or midpoints; ``mixed``: of several."""


def length(interval: Interval) -> int:
    """The interval in microseconds.

    Raises:
        ValueError: no fixed, positive length.
    """
    try:
        given: Any = f"1{interval}" if isinstance(interval, str) and interval.isalpha() else interval
        micros = pd.Timedelta(given) // pd.Timedelta(1, "us")
    except (ValueError, TypeError):
        micros = 0
    if not micros > 0:  # NaT gives nan
        raise ValueError(f"{interval!r} is no bar length; write 5s, 1min, 1h or 1D")
    return int(micros)


def from_trades(trades: pa.Table, interval: Interval) -> pa.Table:
    """Bars, by start and symbol, of trades in the order of their view."""
    priced = trades.filter(pc.field("price").is_valid() & ~pc.field("initial"))
    columns = {name: priced[name] for name in ("ts_recv", "symbol", "price", "size", "source")}
    columns["paid"] = pc.multiply(priced["price"], priced["size"])
    columns["ts"] = _starts(filled.moments(priced), length(interval))
    return _grouped(pa.table(columns))


def from_quotes(quotes: pa.Table, interval: Interval) -> pa.Table:
    """Bars of the midpoint of quotes (``bid``, ``ask``, ``source``) in the order of their view."""
    middle = pc.divide(pc.add(quotes["bid"], quotes["ask"]), 2.0)
    return from_midpoints(quotes.append_column("price", middle), interval)


def from_midpoints(midpoints: pa.Table, interval: Interval) -> pa.Table:
    """Bars of midpoints (``price``, ``source``) in order of arrival."""
    missing = pa.nulls(len(midpoints), pa.float64())
    whole = midpoints.append_column("size", missing)
    return from_trades(whole.append_column("initial", pa.repeat(False, len(whole))), interval)


def _starts(moments: Ints, micros: int) -> pa.Array:
    return pa.array(np.floor_divide(moments, micros) * micros).cast(schema.TIME)


def _grouped(trades: pa.Table) -> pa.Table:
    # one thread: first and last go by the order of the rows
    groups = trades.group_by(["ts", "symbol"], use_threads=False)
    bars = groups.aggregate(
        [
            *(("price", how) for how in ("first", "max", "min", "last")),
            ("size", "sum"),
            ("price", "count"),
            ("paid", "sum"),
            ("source", "first"),
            ("source", "count_distinct"),
        ]
    ).sort_by([("ts", "ascending"), ("symbol", "ascending")])
    volume = bars["size_sum"]
    traded = pc.if_else(pc.greater(volume, 0.0), volume, pa.scalar(None, pa.float64()))
    source = pc.if_else(pc.equal(bars["source_count_distinct"], 1), bars["source_first"], "mixed")
    prices = [bars[f"price_{how}"] for how in ("first", "max", "min", "last")]
    vwap = pc.divide(bars["paid_sum"], traded)
    arrays = [bars["ts"], bars["symbol"], *prices, volume, bars["price_count"], vwap, source]
    return pa.table(arrays, schema=SCHEMA)
