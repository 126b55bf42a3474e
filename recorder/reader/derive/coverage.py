"""Who was recorded when.

Rules:
- A stream is recorded from ``subscribed`` to whatever ends it, less its gaps.
- A gap that is open has begun and not ended; it lasts until the recording's last sign of life.
- Seconds count once, however many gaps lie over them; by reason each gap counts whole.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from recorder import schema

Key: TypeAlias = tuple[str, str]
"""Line and stream."""

Stretch: TypeAlias = tuple[int, int]
"""From, to: microseconds since 1970."""

TABLES = {"level1": "level1", "greeks": "level1"} | {
    name: name for name in ("trades", "quotes", "midpoints", "depth", "bars")
}
"""Market table to the stream whose messages it holds; those in ``other`` belong to no known stream."""

KINDS = ("subscribed", "unsubscribed", "refused", "disconnected", "session_start", "session_end")
GAP_KINDS = ("gap_start", "gap_end")

SCHEMA = pa.schema(
    [
        ("symbol", pa.string()),
        ("stream", pa.string()),
        ("first", schema.TIME),
        ("last", schema.TIME),
        ("rows", pa.int64()),
        ("recorded_seconds", pa.float64()),
        ("gap_seconds", pa.float64()),
        ("gaps", pa.int64()),
        ("reasons", pa.string()),
        ("open_gap", schema.TIME),
    ]
)
"""``first``, ``last``: of its rows. ``gaps``: how many. ``reasons``: seconds by reason, the longest first.
``open_gap``: begin of a gap that has not ended, null where there is none."""


@dataclass(frozen=True, slots=True)
class Gap:
    """One gap of one stream, or what of it lies in the asked range."""

    begin: int
    end: int
    reason: str


def coverage(counts: pa.Table, events: pa.Table, gaps: pa.Table, window: Stretch) -> pa.Table:
    """One row a line and stream, by name.

    Args:
        counts: ``symbol``, ``stream``, ``rows``, ``first``, ``last`` of what was received in the window.
        events: all events of the recording, by ``seq``.
        gaps: all closed gaps that overlap the window.
        window: the range asked for, no longer than the recording lives.
    """
    counted = {(row["symbol"], row["stream"]): row for row in counts.to_pylist()}
    told = _plain(events)
    opened, closed = _open_gaps(told), _closed(gaps)
    recorded = _recorded(told, window[1])
    rows = []
    for key in sorted({*counted, *opened, *closed, *recorded, *_asked(told)}):
        gaps_of = [*closed[key], *([Gap(opened[key], window[1], "open")] if key in opened else [])]
        row = _row(_clipped(recorded[key], window), _clipped_gaps(gaps_of, window))
        named = {"symbol": key[0], "stream": key[1], "rows": 0, "open_gap": opened.get(key)}
        rows.append(named | counted.get(key, {}) | row)
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _plain(events: pa.Table) -> list[dict[str, Any]]:
    kept = events.filter(pc.field("kind").isin([*KINDS, *GAP_KINDS]))
    columns = {name: kept[name] for name in ("kind", "symbol", "stream")}
    told: list[dict[str, Any]] = pa.table({"ts": kept["ts_recv"].cast(pa.int64()), **columns}).to_pylist()
    return told


def _asked(told: list[dict[str, Any]]) -> Iterator[Key]:
    """Streams that were ever asked for."""
    for event in told:
        if event["symbol"] and event["stream"] and event["kind"] in ("subscribed", "refused"):
            yield event["symbol"], event["stream"]


def _open_gaps(told: list[dict[str, Any]]) -> dict[Key, int]:
    found: dict[Key, int] = {}
    for event in told:
        key = (event["symbol"], event["stream"])
        if event["kind"] == "gap_start":
            found.setdefault(key, event["ts"])
        elif event["kind"] == "gap_end":
            found.pop(key, None)
    return found


def _closed(gaps: pa.Table) -> defaultdict[Key, list[Gap]]:
    found: defaultdict[Key, list[Gap]] = defaultdict(list)
    begin, end = (gaps[name].cast(pa.int64()).to_pylist() for name in ("ts_start", "ts_end"))
    names = (gaps[name].to_pylist() for name in ("symbol", "stream", "reason"))
    for symbol, stream, reason, start, stop in zip(*names, begin, end, strict=True):
        found[symbol, stream].append(Gap(start, stop, reason))
    return found


def _recorded(told: list[dict[str, Any]], end: int) -> defaultdict[Key, list[Stretch]]:
    """When each stream was subscribed."""
    found: defaultdict[Key, list[Stretch]] = defaultdict(list)
    since: dict[Key, int] = {}
    for event in told:
        key = (event["symbol"], event["stream"])
        if event["kind"] == "subscribed":
            since.setdefault(key, event["ts"])
        elif event["kind"] in KINDS:
            for ended in _meant(key, since):
                found[ended].append((since.pop(ended), event["ts"]))
    for key, begin in since.items():
        found[key].append((begin, end))
    return found


def _meant(key: tuple[str | None, str | None], keys: Iterable[Key]) -> list[Key]:
    """The streams an event is about: no symbol or no stream means all."""
    symbol, stream = key
    return [own for own in keys if symbol in (None, own[0]) and stream in (None, own[1])]


def _clipped(stretches: Iterable[Stretch], window: Stretch) -> list[Stretch]:
    return [(max(begin, window[0]), min(end, window[1])) for begin, end in stretches]


def _clipped_gaps(gaps: list[Gap], window: Stretch) -> list[Gap]:
    cut = [Gap(max(gap.begin, window[0]), min(gap.end, window[1]), gap.reason) for gap in gaps]
    return [gap for gap in cut if gap.begin <= gap.end]


def _row(stretches: list[Stretch], gaps: list[Gap]) -> dict[str, Any]:
    lost = [(gap.begin, gap.end) for gap in gaps]
    return {
        "recorded_seconds": (_total([*stretches, *lost]) - _total(lost)) / 1e6,
        "gap_seconds": _total(lost) / 1e6,
        "gaps": len(gaps),
        "reasons": _reasons(gaps),
    }


def _total(stretches: list[Stretch]) -> int:
    """Microseconds that lie in any of the stretches; one that ends before it begins holds none."""
    total, reached = 0, 0
    for begin, end in sorted(stretches):
        total += max(0, end - max(begin, reached))
        reached = max(reached, end)
    return total


def _reasons(gaps: list[Gap]) -> str:
    seconds: defaultdict[str, float] = defaultdict(float)
    for gap in gaps:
        seconds[gap.reason] += (gap.end - gap.begin) / 1e6
    longest = sorted(seconds.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{reason} {length:.1f} s" for reason, length in longest)
