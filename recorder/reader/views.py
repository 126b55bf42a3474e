"""What the derived views need from the tables, read no further back than it takes.

Rule: a view of a range is that part of the view of everything. So each reads back from the start of the range
to where the state at the start is known, and cuts what it read for that.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from recorder import schema
from recorder.reader import sql
from recorder.reader.derive import bars as bar
from recorder.reader.derive import book as order_book
from recorder.reader.derive import coverage as covering
from recorder.reader.derive import filled, life, quotes, timeline, told, trades
from recorder.reader.filling import Fillings, gaps_of, ticks_of
from recorder.reader.lifetime import Lifetime, kept_from, lifetime
from recorder.reader.moments import BEGINNING, Span
from recorder.reader.scan import lookback, scan
from recorder.reader.snapshot import Snapshot

_LEVEL1 = ("ts_recv", "seq", "symbol", "con_id", "tick_type", "price", "size", "text", "attribs")


class Lives:
    """Beginnings and ends of all streams, as far back as the last that was everything's.

    Attributes:
        fillings: what was filled of their gaps.
    """

    def __init__(self, snapshot: Snapshot, span: Span) -> None:
        read = partial(_events, snapshot)
        self._events = read(span)
        if span.start is not None:
            earlier = lookback(read, span.start, _resets_all, step=timedelta(days=1))
            self._events = pa.concat_tables([earlier, self._events])
        self.fillings = Fillings(snapshot, span)

    def of(self, symbol: str, stream: str) -> life.Life:
        """The life of one stream."""
        return life.of_stream(self._events, self.fillings.gaps, symbol, stream)


def quotes_of(snapshot: Snapshot, lives: Lives, symbol: str, span: Span) -> pa.Table:
    """Best bid and ask of a line."""
    own = lives.of(symbol, "level1")
    level1 = _with_state(_level1(snapshot, symbol, quotes.TICK_TYPES), own, span, _both_sides)
    fillings = lives.fillings.of(symbol, "quotes")
    ticks = ticks_of(snapshot, "quotes", symbol, span, fillings)
    return _within(quotes.quotes(ticks, lives.of(symbol, "quotes"), level1, own, fillings), span)


def trades_of(snapshot: Snapshot, lives: Lives, symbol: str, span: Span) -> pa.Table:
    """Trades of a line."""
    own = lives.of(symbol, "level1")
    level1 = _with_state(_level1(snapshot, symbol, trades.TICK_TYPES), own, span, _rt_volume)
    fillings = lives.fillings.of(symbol, "trades")
    ticks = ticks_of(snapshot, "trades", symbol, span, fillings)
    return _within(trades.trades(ticks, lives.of(symbol, "trades"), level1, own, fillings), span)


def bars_of(snapshot: Snapshot, lives: Lives, symbol: str, span: Span, interval: bar.Interval) -> pa.Table:
    """Bars of a line: of trades; without any, of recorded midpoints; else of the quotes' middle."""
    found = bar.from_trades(trades_of(snapshot, lives, symbol, span), interval)
    if len(found):
        return found
    midpoints = ticks_of(snapshot, "midpoints", symbol, span, lives.fillings.of(symbol, "midpoints"))
    if len(midpoints):
        source = filled.named(midpoints, "midpoints")
        named = midpoints.drop_columns("source").append_column("source", source)
        return bar.from_midpoints(filled.placed(named), interval)
    return bar.from_quotes(quotes_of(snapshot, lives, symbol, span), interval)


def book_of(snapshot: Snapshot, symbol: str, at: datetime | None, rows: int | None) -> pa.Table:
    """The order book of a line after everything received up to and including a moment."""
    span = Span(None, None if at is None else at + timedelta(microseconds=1))
    life_of = Lives(snapshot, Span(at, span.end)).of(symbol, "depth")
    seq, since = _begin(life_of, span.end)
    depth = scan(snapshot, "depth", [symbol], Span(since, span.end), where=pc.field("seq") >= seq)
    return order_book.table(order_book.replay(depth), rows)


def coverage_of(snapshot: Snapshot, span: Span) -> pa.Table:
    """Who was recorded when, by line and stream."""
    return covered(snapshot, span)[0]


def timeline_of(snapshot: Snapshot, symbols: Sequence[str] | None, span: Span) -> pa.Table:
    """What each stream's time was, stretch by stretch."""
    return timeline.table(_accounts(snapshot, symbols, span, lifetime(snapshot)))


def covered(snapshot: Snapshot, span: Span) -> tuple[pa.Table, pa.Table, Lifetime]:
    """``coverage_of`` and ``timeline_of`` of one moment, and how long the recording has lived."""
    life_of = lifetime(snapshot)
    accounts = _accounts(snapshot, None, span, life_of)
    rows = covering.coverage(sql.select(snapshot, _counting(span)), accounts)
    return rows, timeline.table(accounts), life_of


def merged(found: list[pa.Table], shape: pa.Schema) -> pa.Table:
    """A view of several lines as one table."""
    whole = pa.concat_tables([shape.empty_table(), *found])
    if len(found) < 2:
        return whole
    by_number = "seq" in shape.names
    return (
        filled.placed(whole) if by_number else whole.sort_by([("ts", "ascending"), ("symbol", "ascending")])
    )


def _events(snapshot: Snapshot, span: Span) -> pa.Table:
    kinds = pc.field("kind").isin(life.KINDS)
    return scan(snapshot, "events", None, span, where=kinds, columns=life.COLUMNS)


def _resets_all(events: pa.Table) -> bool:
    """Whether one of them begins or ends everything: what lies before it is of no more use."""
    return len(events.filter(pc.field("symbol").is_null() & pc.field("stream").is_null())) > 0


def _level1(snapshot: Snapshot, symbol: str, tick_types: Sequence[int]) -> Callable[[Span], pa.Table]:
    wanted = pc.field("tick_type").isin(pa.array(tick_types, pa.int16()))
    return lambda span: scan(snapshot, "level1", [symbol], span, where=wanted, columns=_LEVEL1)


def _with_state(
    read: Callable[[Span], pa.Table], own: life.Life, span: Span, enough: Callable[[pa.Table], bool]
) -> pa.Table:
    """The rows of the range behind those that tell the state at its start."""
    rows = read(span)
    if span.start is None:
        return rows
    _, floor = _begin(own, span.start)
    earlier = lookback(read, span.start, enough, step=timedelta(hours=1), floor=floor)
    return pa.concat_tables([earlier, rows])


def _begin(own: life.Life, until: datetime | None) -> tuple[int, datetime]:
    """Number and time from which on rows belong to what is subscribed just before a moment."""
    seq, ts = own.begin(None if until is None else _micros(until))
    return seq, BEGINNING + timedelta(microseconds=ts)


def _both_sides(rows: pa.Table) -> bool:
    return {quotes.BID, quotes.ASK} <= set(pc.unique(rows["tick_type"]).to_pylist())


def _rt_volume(rows: pa.Table) -> bool:
    return trades.RT_VOLUME in pc.unique(rows["tick_type"]).to_pylist()


def _within(rows: pa.Table, span: Span) -> pa.Table:
    if span.start is None:
        return rows
    return rows.filter(pc.field("ts_recv") >= pa.scalar(span.start, schema.TIME))


def _counting(span: Span) -> str:
    bounds = [f"ts_recv >= {_stamp(span.start)} AND date >= '{span.start:%F}'"] if span.start else []
    bounds += [f"ts_recv < {_stamp(span.end)} AND date <= '{span.end:%F}'"] if span.end else []
    where = " AND ".join(["symbol IS NOT NULL", *bounds])
    parts = [
        f"SELECT symbol, '{stream}' AS stream, ts_recv FROM {table} WHERE {where}"  # noqa: S608 - our own words
        for table, stream in schema.STREAMS.items()
    ]
    counted = "symbol, stream, count(*) AS rows, min(ts_recv) AS first, max(ts_recv) AS last"
    return f"SELECT {counted} FROM ({' UNION ALL '.join(parts)}) GROUP BY ALL ORDER BY ALL"  # noqa: S608 - as above


def _accounts(
    snapshot: Snapshot, symbols: Sequence[str] | None, span: Span, life_of: Lifetime
) -> dict[told.Key, timeline.Account]:
    first, until = life_of.first, life_of.until
    kept = kept_from(snapshot.root)
    if span.end and span.end <= kept:
        return {}
    window = Span(max(span.start or first, kept), min(span.end or until, until))
    return timeline.accounts(
        scan(snapshot, "events", symbols, columns=told.EVENTS),
        gaps_of(snapshot, symbols, span),
        scan(snapshot, "instruments", symbols, Span(None, window.end), columns=timeline.INSTRUMENTS),
        (_micros(window.start or first), _micros(window.end or until)),
    )


def _stamp(moment: datetime) -> str:
    return f"TIMESTAMPTZ '{moment.isoformat()}'"


def _micros(moment: datetime) -> int:
    return (moment - BEGINNING) // timedelta(microseconds=1)
