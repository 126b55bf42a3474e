"""Rows of one table: pruned by day, pushed down by symbol and time, in order of arrival.

Rule: what is read and held is in proportion to what comes out.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recorder import schema
from recorder.partition import File, day_column
from recorder.reader.files import read_files
from recorder.reader.moments import BEGINNING, Span
from recorder.reader.snapshot import Snapshot

_FOR_ALL = ("events", "gaps")
"""Tables in which a row without a symbol is about every line."""

_ORDER = {"gaps": "ts_start", "instruments": "ts_recv"}
"""What sorts the tables that have no ``seq`` of their own."""


def scan(
    snapshot: Snapshot,
    table: str,
    symbols: Sequence[str] | None = None,
    span: Span | None = None,
    *,
    where: Any = None,
    columns: Sequence[str] | None = None,
) -> pa.Table:
    """The rows of a table in order of ``seq`` (``gaps``: ``ts_start``, ``instruments``: ``ts_recv``).

    Args:
        snapshot: where from.
        table: its name.
        symbols: only these lines; None: all.
        span: only rows received in this range (``gaps``: those that overlap it).
        where: a further pyarrow expression.
        columns: only these; None: all.

    Raises:
        Vanished: a file of the snapshot is gone.
        Damaged: a file does not read.
    """
    span = span or Span()
    condition = _condition(table, symbols, span, where)
    order = _ORDER.get(table, "seq")
    wanted = list(columns or schema.schema(table).names)
    read = wanted if order in wanted else [*wanted, order]
    files = [file for file in snapshot.files(table) if _may_hold(table, file, span)]
    rows = read_files(files, table, lambda data: data.to_table(read, filter=condition))
    tail = snapshot.tail(table).filter(condition).select(read)
    return _sorted(pa.concat_tables([rows, tail]), order).select(wanted)


def exists(snapshot: Snapshot, table: str, symbol: str) -> bool:
    """Whether the table has any row of the line."""
    condition = _condition(table, [symbol], Span(), None)
    if len(snapshot.tail(table).filter(condition)):
        return True
    files = snapshot.files(table)
    return len(read_files(files, table, lambda data: data.head(1, columns=["symbol"], filter=condition))) > 0


def lookback(
    read: Callable[[Span], pa.Table],
    start: datetime,
    enough: Callable[[pa.Table], bool],
    *,
    step: timedelta,
    floor: datetime = BEGINNING,
) -> pa.Table:
    """What came before ``start``, read back in growing steps until one is enough, or down to ``floor``."""
    parts: list[pa.Table] = []
    end = start
    while True:
        begin = max(floor, start - step) if start - floor > step else floor
        parts.insert(0, read(Span(begin, end)))
        if begin == floor or enough(parts[0]):
            return pa.concat_tables(parts)
        end, step = begin, step * 8


def _condition(table: str, symbols: Sequence[str] | None, span: Span, where: Any) -> Any:
    begin, end = ("ts_end", "ts_start") if table == "gaps" else ("ts_recv", "ts_recv")
    parts = [] if where is None else [where]
    if symbols is not None:
        parts.append(_of_lines(symbols, with_all=table in _FOR_ALL))
    if span.start is not None:
        start = pa.scalar(span.start, schema.TIME)
        parts.append(pc.field(begin) > start if table == "gaps" else pc.field(begin) >= start)
    if span.end is not None:
        parts.append(pc.field(end) < pa.scalar(span.end, schema.TIME))
    condition = pc.scalar(True)
    for part in parts:
        condition = condition & part
    return condition


def _of_lines(symbols: Sequence[str], *, with_all: bool) -> Any:
    if not symbols:
        return pc.scalar(False)
    symbol = pc.field("symbol")
    # the bounds let row groups be left out by their statistics
    found = symbol.isin(list(symbols)) & (symbol >= min(symbols)) & (symbol <= max(symbols))
    return symbol.is_null() | found if with_all else found


def _may_hold(table: str, file: File, span: Span) -> bool:
    # a gap is filed under the day it closed, which may lie behind the end of a range it overlaps
    return Span(span.start).touches(file.day) if day_column(table) == "ts_end" else span.touches(file.day)


def _sorted(rows: pa.Table, order: str) -> pa.Table:
    keys = rows[order].to_numpy()
    if len(keys) < 2 or bool(np.all(keys[1:] >= keys[:-1])):
        return rows
    return rows.take(pa.array(np.argsort(keys, kind="stable")))
