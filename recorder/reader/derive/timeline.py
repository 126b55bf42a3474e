"""What each stream's time was: recorded, missing and why, or the market closed.

Rules:
- A stream is recorded from ``subscribed`` to whatever ends it, less its gaps (``told``).
- What is not wanted is neither recorded nor missing: it is in no account.
- A market is closed where the hours of the line's latest contract details before that moment say so; what they do
  not say is open. While it is closed nothing is missing.
- Every moment is one thing: of gaps that overlap, the one that began first has it.
- A clock that was set back makes stretches that end before they begin; they hold no time.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from recorder import schema
from recorder.reader.derive.told import Gap, Key, Stretch, Told
from recorder.wire.hours import Hours
from recorder.wire.stretches import common, merged, within, without

INSTRUMENTS = ("ts_recv", "symbol", "time_zone", "trading_hours")
"""Columns of ``instruments`` that are needed."""

SCHEMA = pa.schema(
    [
        ("symbol", pa.string()),
        ("stream", pa.string()),
        ("begin", schema.TIME),
        ("end", schema.TIME),
        ("what", pa.string()),
        ("reason", pa.string()),
        ("code", pa.int32()),
        ("open", pa.bool_()),
    ]
)
"""``what``: ``recorded``, ``closed`` (the market), ``gap``, or ``filled`` (a gap whose ticks were fetched later).
``reason``, ``code``: of the gap. ``open``: it has not ended."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of time that was one thing; ``gap`` for those that lie in one."""

    begin: int
    end: int
    what: str
    gap: Gap | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """One stream's time in a window.

    Attributes:
        live: when it was subscribed and in no gap.
        gaps: its gaps, by begin.
        closed: when its market is known to have been closed.
        open_gap: since when it has a gap that has not ended, be that outside of the window; None: it has none.
        removed: since when it is not in the watchlist any more; None: it is.
    """

    live: Sequence[Stretch] = ()
    gaps: Sequence[Gap] = ()
    closed: Sequence[Stretch] = ()
    open_gap: int | None = None
    removed: int | None = None

    def pieces(self) -> list[Piece]:
        """Its time in order, each moment once."""
        found = [Piece(*part, "recorded") for part in without(self.live, self.closed)]
        lost = [(gap.begin, gap.end) for gap in self.gaps]
        found += [Piece(*part, "closed") for part in common(merged([*self.live, *lost]), self.closed)]
        return sorted([*found, *self._missing()], key=lambda piece: piece.begin)

    def _missing(self) -> Iterator[Piece]:
        reached = 0
        for gap in self.gaps:
            begin, end = max(gap.begin, reached), max(gap.end, reached)
            filled = min(max(gap.filled, begin), end)
            for what, part in (("filled", (begin, filled)), ("gap", (filled, end))):
                yield from (Piece(*rest, what, gap) for rest in without(merged([part]), self.closed))
            reached = end


def accounts(events: pa.Table, gaps: pa.Table, instruments: pa.Table, window: Stretch) -> dict[Key, Account]:
    """The time of every line and stream that the events and gaps name, by name.

    Args:
        events: all events of the recording, by ``seq``: ``EVENTS``.
        gaps: all closed gaps that overlap the window, with ``filled`` and ``filled_until`` if that is known.
        instruments: all contract details before the end of the window, by ``ts_recv``: ``INSTRUMENTS``.
        window: the range asked for, no longer than the recording lives.
    """
    told = Told.of(events, window[1])
    lost = _closed_gaps(gaps)
    closed = _closed_hours(instruments, window)
    found = {}
    known = {key for key in (*told.recorded, *told.opened, *lost) if None not in key}
    for key in sorted(known):  # a damaged gap of nobody knows whom is in none
        missing = (gap.clipped(window) for gap in told.wanted(key, lost[key]))
        cut = sorted((gap for gap in missing if gap), key=lambda gap: gap.begin)
        live = without(within(told.received(key), *window), merged((gap.begin, gap.end) for gap in cut))
        opened, removed = told.opened.get(key), told.removed(key)
        open_gap = opened.begin if opened and removed is None else None
        found[key] = Account(live, cut, closed.get(key[0], ()), open_gap, removed)
    return found


def table(accounts_of: dict[Key, Account]) -> pa.Table:
    """The pieces of all accounts, by line, stream and begin."""
    rows = [
        (*key, piece.begin, piece.end, piece.what, *_cause(piece.gap))
        for key, account in accounts_of.items()
        for piece in account.pieces()
    ]
    columns = zip(*rows, strict=True) if rows else [()] * len(SCHEMA)
    arrays = [pa.array(column, kind) for column, kind in zip(columns, SCHEMA.types, strict=True)]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def _cause(gap: Gap | None) -> tuple[str | None, int | None, bool]:
    return (gap.reason, gap.code, gap.open) if gap else (None, None, False)


def _closed_gaps(gaps: pa.Table) -> defaultdict[Key, list[Gap]]:
    found: defaultdict[Key, list[Gap]] = defaultdict(list)
    for symbol, stream, begin, end, reason, code, filled in zip(
        *(gaps[name].to_pylist() for name in ("symbol", "stream")),
        *(gaps[name].cast(pa.int64()).to_pylist() for name in ("ts_start", "ts_end")),
        *(gaps[name].to_pylist() for name in ("reason", "code")),
        _filled(gaps),
        strict=True,
    ):
        found[symbol, stream].append(Gap(begin, end, reason, code, filled))
    return found


def _filled(gaps: pa.Table) -> Iterable[int]:
    """Up to when each gap was filled: to its end where ``filled``, else to ``filled_until``."""
    begin, end = (gaps[name].cast(pa.int64()) for name in ("ts_start", "ts_end"))
    if "filled_until" in gaps.column_names:
        begin = pc.coalesce(gaps["filled_until"].cast(pa.int64()), begin)
    if "filled" in gaps.column_names:
        begin = pc.if_else(pc.fill_null(gaps["filled"], False), end, begin)
    filled: list[int] = begin.to_pylist()
    return filled


def _closed_hours(instruments: pa.Table, window: Stretch) -> dict[str, list[Stretch]]:
    """When the market of each line was closed; details hold until the next ones."""
    found: dict[str, list[Stretch]] = {}
    for symbol, reigns in _reigns(instruments, window[1]).items():
        parts: list[Stretch] = []
        for (begin, hours), (end, _) in pairwise(reigns):
            parts += within(_micros(hours), max(begin, window[0]), min(end, window[1]))
        found[symbol] = merged(parts)
    return found


def _reigns(instruments: pa.Table, end: int) -> dict[str, list[tuple[int, Hours]]]:
    """Since when which hours hold, for each line; the last item is the end."""
    names, zones, texts = (
        instruments[name].combine_chunks().dictionary_encode()
        for name in ("symbol", "time_zone", "trading_hours")
    )
    said: Any = [instruments["ts_recv"].cast(pa.int64()), names, zones.indices, texts.indices]
    zone_of, text_of = zones.dictionary.to_pylist(), texts.dictionary.to_pylist()
    found: dict[str, list[tuple[int, Hours]]] = {}
    last: dict[str, tuple[int | None, int | None]] = {}
    for ts, symbol, zone, text in zip(*(column.to_pylist() for column in said), strict=True):
        if last.get(symbol) != (zone, text):
            last[symbol] = zone, text
            hours = Hours.parse(
                *(None if at is None else of[at] for of, at in ((text_of, text), (zone_of, zone)))
            )
            found.setdefault(symbol, []).append((ts, hours))
    return {symbol: [*reigns, (end, Hours())] for symbol, reigns in found.items()}


def _micros(hours: Hours) -> list[Stretch]:
    return [(round(begin * 1e6), round(end * 1e6)) for begin, end in hours.closed]
