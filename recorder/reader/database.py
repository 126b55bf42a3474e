"""A recording, as users hold it: every table and every derived view, as a frame."""

from collections.abc import Callable, Sequence
from functools import partial
from os import PathLike
from pathlib import Path
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from recorder import schema
from recorder.journal import stated
from recorder.journal.folder import FORMAT
from recorder.reader import frames, sql, views
from recorder.reader.derive.bars import SCHEMA as BARS
from recorder.reader.derive.bars import Interval, length
from recorder.reader.derive.quotes import SCHEMA as QUOTES
from recorder.reader.derive.trades import SCHEMA as TRADES
from recorder.reader.errors import NotARecording, UnknownSymbol
from recorder.reader.filling import gaps_of
from recorder.reader.frames import Engine, Frame
from recorder.reader.moments import Moment, Span, moment
from recorder.reader.scan import exists, scan
from recorder.reader.snapshot import Snapshot, reading

Symbols: TypeAlias = str | Sequence[str] | None
"""A line, several, or None for all."""

When: TypeAlias = Moment | None
"""A moment, or None for no bound."""

_NAMING = ("events", "instruments", "gaps")
"""The small tables that name every line."""


class Database:
    """A recording, read up to the last journalled tick, also while the daemon writes it.

    Each call sees the recording as it is at that moment. Common to the methods:

    - ``symbol``: a line's name, several, or None for all. A line that was never recorded is an
      ``UnknownSymbol``; a known one without rows gives an empty frame.
    - ``start`` (included), ``end`` (excluded): when received; ISO text, date, datetime, pandas Timestamp.
      Without a zone they are UTC. A date alone is its midnight: ``start="2026-11-22", end="2026-11-23"`` is
      one day.
    - ``engine``: ``pandas`` (RangeIndex, rows in order of arrival), ``arrow`` or ``polars``.
    """

    def __init__(self, root: str | PathLike[str]) -> None:
        self.root = Path(root)
        _check(self.root)

    def __repr__(self) -> str:
        return f"recorder.open({str(self.root)!r})"

    def tables(self) -> list[str]:
        """Names of the tables, for ``table`` and ``sql``."""
        return list(schema.TABLES)

    def symbols(self) -> list[str]:
        """Names of the lines that the recording's events, instruments and gaps speak of, sorted."""
        return reading(self.root, _lines)

    def table(
        self,
        name: str,
        symbol: Symbols = None,
        start: When = None,
        end: When = None,
        *,
        engine: Engine = "pandas",
    ) -> Frame:
        """Rows of any table as recorded, also of ``quotes`` and ``trades``, whose methods are views.

        Raises:
            ValueError: no such table, line or engine, or times that are none.
        """
        if name not in schema.TABLES:
            raise ValueError(f"no table {name!r}; there are {', '.join(schema.TABLES)}")
        wanted, span = _listed(symbol), Span.of(start, end)

        def read(snapshot: Snapshot) -> pa.Table:
            found = scan(snapshot, name, wanted, span)
            _check_lines(snapshot, wanted, found)
            return found

        return self._frame(read, engine)

    def level1(
        self, symbol: Symbols = None, start: When = None, end: When = None, *, engine: Engine = "pandas"
    ) -> Frame:
        """Level-1 ticks as recorded."""
        return self.table("level1", symbol, start, end, engine=engine)

    def midpoints(
        self, symbol: Symbols = None, start: When = None, end: When = None, *, engine: Engine = "pandas"
    ) -> Frame:
        """Tick-by-tick midpoints as recorded."""
        return self.table("midpoints", symbol, start, end, engine=engine)

    def depth(
        self, symbol: Symbols = None, start: When = None, end: When = None, *, engine: Engine = "pandas"
    ) -> Frame:
        """Messages of the order book as recorded; ``book`` puts them together."""
        return self.table("depth", symbol, start, end, engine=engine)

    def greeks(
        self, symbol: Symbols = None, start: When = None, end: When = None, *, engine: Engine = "pandas"
    ) -> Frame:
        """Option computations as recorded; null where IB says it did not compute."""
        return self.table("greeks", symbol, start, end, engine=engine)

    def other(
        self, symbol: Symbols = None, start: When = None, end: When = None, *, engine: Engine = "pandas"
    ) -> Frame:
        """Messages that fit no other table, as recorded."""
        return self.table("other", symbol, start, end, engine=engine)

    def events(
        self, symbol: Symbols = None, start: When = None, end: When = None, *, engine: Engine = "pandas"
    ) -> Frame:
        """What happened to the recording; with ``symbol``, to that line or to all."""
        return self.table("events", symbol, start, end, engine=engine)

    def gaps(
        self, symbol: Symbols = None, start: When = None, end: When = None, *, engine: Engine = "pandas"
    ) -> Frame:
        """Closed gaps that overlap the range, by begin. A gap that is still open is in ``coverage``.

        Besides the table's columns ``filled_until``, the ticks before which were fetched afterwards (null: none
        were), and ``filled``, whether that is the whole gap.
        """
        wanted, span = _listed(symbol), Span.of(start, end)

        def read(snapshot: Snapshot) -> pa.Table:
            found = gaps_of(snapshot, wanted, span)
            _check_lines(snapshot, wanted, found)
            return found

        return self._frame(read, engine)

    def instruments(
        self, symbol: Symbols = None, start: When = None, end: When = None, *, engine: Engine = "pandas"
    ) -> Frame:
        """Contract details, a row each time they were fetched."""
        return self.table("instruments", symbol, start, end, engine=engine)

    def quotes(
        self, symbol: Symbols = None, start: When = None, end: When = None, *, engine: Engine = "pandas"
    ) -> Frame:
        """Best bid and ask: tick by tick while that was subscribed, else rebuilt from level 1.

        ``source`` tells: ``tick_by_tick``, ``backfill``, ``level1`` or ``level1_delayed``. Rebuilt quotes are one
        row a change, carried forward within a subscription and never across a gap. Null: no quote. What filled a
        gap afterwards (``backfill``) stands where it happened by ``ts_event``, as for the range; its ``ts_recv``
        is when it was fetched.
        """
        return self._view(views.quotes_of, QUOTES, symbol, Span.of(start, end), engine)

    def trades(
        self, symbol: Symbols = None, start: When = None, end: When = None, *, engine: Engine = "pandas"
    ) -> Frame:
        """Trades: tick by tick while that was subscribed, else from level 1.

        ``source`` tells: ``tick_by_tick``; ``backfill`` (see ``quotes``); ``rt_volume`` where the subscription
        brought RTVolume; else ``last`` (or ``last_delayed``), a row a LAST price, of which the first of a
        subscription is ``initial``: the trade before it.
        """
        return self._view(views.trades_of, TRADES, symbol, Span.of(start, end), engine)

    def bars(
        self,
        symbol: Symbols = None,
        interval: Interval | None = None,
        start: When = None,
        end: When = None,
        *,
        engine: Engine = "pandas",
    ) -> Frame:
        """Bars of ``interval`` ("5s", "1min", "1h", "1D"), made of ``trades`` without the ``initial``.

        A line without trades in the range gets bars of its midpoint; then volume and vwap are null. ``ts`` is
        the bar's start; what was received in [ts, ts + interval) is in it, or happened in it and filled a gap
        afterwards. ``source`` is that of its trades or quotes, ``mixed`` where they have several. Without
        ``interval``: the recorded 5-second bars.

        Raises:
            ValueError: the interval has no fixed length; see also ``table``.
        """
        if interval is None:
            return self.table("bars", symbol, start, end, engine=engine)
        length(interval)
        view = partial(views.bars_of, interval=interval)
        return self._view(view, BARS, symbol, Span.of(start, end), engine)

    def book(
        self, symbol: str, at: When = None, rows: int | None = None, *, engine: Engine = "pandas"
    ) -> Frame:
        """The order book after everything received up to and including ``at`` (None: up to now).

        One row a level, best first: ``level, bid_mm, bid_size, bid, ask, ask_size, ask_mm``; at most ``rows``
        levels. Empty while depth was not subscribed.
        """
        until = None if at is None else moment(at)

        def read(snapshot: Snapshot) -> pa.Table:
            _check_lines(snapshot, [symbol])
            return views.book_of(snapshot, symbol, until, rows)

        return self._frame(read, engine)

    def coverage(self, date: When = None, *, engine: Engine = "pandas") -> Frame:
        """Who was recorded when: a row a line and stream, of one UTC day or of all time.

        ``first``, ``last``, ``rows``; ``recorded_seconds``, ``gap_seconds``; ``closed_seconds`` (of both, while the
        market is known to have been closed), ``filled_seconds`` (of the gaps, fetched later), ``missing_seconds``
        (of the gaps, neither closed nor filled); ``gaps`` (how many), ``reasons`` (seconds of gaps by reason, as
        text), ``open_gap`` (since when, null: none now), ``removed`` (since when it is not in the watchlist any more,
        null: it is; from then on nothing is missing). While a recorder runs all of it is up to now.
        """
        return self._frame(partial(views.coverage_of, span=Span.day(date)), engine)

    def timeline(self, symbol: Symbols = None, date: When = None, *, engine: Engine = "pandas") -> Frame:
        """What the time of each line and stream was, stretch by stretch, on one UTC day or all the time.

        ``symbol``, ``stream``, ``begin``, ``end``; ``what``: ``recorded``, ``closed`` (the market, by its trading
        hours), ``gap``, or ``filled`` (a gap whose ticks were fetched later); of a gap ``reason``, ``code`` and whether
        it is still ``open``. No two stretches of a stream overlap. While a recorder runs they reach up to now.
        """
        wanted, span = _listed(symbol), Span.day(date)

        def read(snapshot: Snapshot) -> pa.Table:
            found = views.timeline_of(snapshot, wanted, span)
            _check_lines(snapshot, wanted, found)
            return found

        return self._frame(read, engine)

    def sql(self, query: str, *, engine: Engine = "pandas") -> Frame:
        """The result of one SELECT, by DuckDB: every table is a view, with the rows' UTC day as ``date``.

        Raises:
            ValueError: not one reading statement.
            duckdb.Error: the query is wrong.
        """
        return self._frame(partial(sql.select, query=query), engine)

    def _view(
        self,
        view: Callable[[Snapshot, views.Lives, str, Span], pa.Table],
        shape: pa.Schema,
        symbol: Symbols,
        span: Span,
        engine: Engine,
    ) -> Frame:
        wanted = _listed(symbol)

        def read(snapshot: Snapshot) -> pa.Table:
            lives = views.Lives(snapshot, span)
            lines = _lines(snapshot) if wanted is None else wanted
            found = views.merged([view(snapshot, lives, line, span) for line in lines], shape)
            _check_lines(snapshot, wanted, found)
            return found

        return self._frame(read, engine)

    def _frame(self, read: Callable[[Snapshot], pa.Table], engine: Engine) -> Frame:
        frames.check(engine)
        return frames.frame(reading(self.root, read), engine)


def _listed(symbol: Symbols) -> list[str] | None:
    if symbol is None:
        return None
    return [symbol] if isinstance(symbol, str) else list(dict.fromkeys(symbol))


def _lines(snapshot: Snapshot) -> list[str]:
    """All lines that the small tables name."""
    found = (pc.unique(scan(snapshot, table, columns=["symbol"])["symbol"]) for table in _NAMING)
    return sorted({name for names in found for name in names.to_pylist() if name is not None})


def _check_lines(snapshot: Snapshot, wanted: list[str] | None, found: pa.Table | None = None) -> None:
    seen = set() if found is None else set(pc.unique(found["symbol"]).to_pylist())
    missing = [symbol for symbol in wanted or [] if symbol not in seen]
    known = _lines(snapshot) if missing else []
    for symbol in missing:
        if symbol not in known and not any(exists(snapshot, table, symbol) for table in schema.MARKET_TABLES):
            raise UnknownSymbol(symbol, known)


def _check(root: Path) -> None:
    """Refuse what is no recording.

    Raises:
        NotARecording: with what is there and what was expected.
    """
    try:
        _check_format(root)
    except stated.NothingStatedError as error:
        if not any((root / name).is_dir() for name in ("journal", *schema.TABLES)):
            raise NotARecording(str(error)) from None


def _check_format(root: Path) -> None:
    try:
        written = stated.read(root)["format"]
        newer = written > FORMAT
    except stated.NothingStatedError:
        raise
    except (ValueError, KeyError, TypeError) as error:
        raise NotARecording(
            f'{root / stated.FIRST}: says no format ({error!r}); expected {{"format": 1, ...}}'
        ) from error
    if newer:
        raise NotARecording(
            f"{root}: format {written}; this version reads up to {FORMAT}: update ib-recorder"
        )
