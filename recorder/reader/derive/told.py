"""What the events say of each stream: when it was subscribed, the gap it is in, and when nobody wanted it.

Rules:
- A stream is subscribed from ``subscribed`` to whatever ends it.
- A gap that is open has begun and not ended; it lasts until the end of what is looked at.
- From ``removed`` (it was taken out of the watchlist) to its next ``subscribed`` a stream is not wanted: nothing is
  missing then, whatever gap is open. The gap that its removal itself opened begins there, not at the last tick.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from recorder.wire.stretches import common, merged, within, without

Key: TypeAlias = tuple[str, str]
"""Line and stream."""

Stretch: TypeAlias = tuple[int, int]
"""From, to: microseconds since 1970."""

ENDS = ("unsubscribed", "refused", "disconnected", "session_start", "session_end", "removed")
KINDS = ("subscribed", *ENDS, "gap_start", "gap_end")
"""Kinds of events that tell what a stream's time was."""

EVENTS = ("ts_recv", "seq", "kind", "symbol", "stream", "code", "text")
"""Columns of ``events`` that are needed."""

_BY_REMOVAL = "not_subscribed"
"""Reason of the gap that a removal opens."""


@dataclass(frozen=True, slots=True)
class Gap:
    """One gap of one stream, or what of it lies in the asked range.

    Attributes:
        begin: microseconds since 1970.
        end: likewise.
        reason: why.
        code: IB's, where there is one.
        filled: up to when its ticks were fetched later; ``begin`` if they were not.
        open: whether it has not ended.
    """

    begin: int
    end: int
    reason: str
    code: int | None
    filled: int
    open: bool = False

    def clipped(self, window: Stretch) -> "Gap | None":
        """What of it lies in a window, if it touches that."""
        begin, end = max(self.begin, window[0]), min(max(self.begin, self.end), window[1])
        filled = min(max(self.filled, begin), end)
        return Gap(begin, end, self.reason, self.code, filled, self.open) if begin <= end else None

    def wanted(self, unwanted: Sequence[Stretch], subscribed: Sequence[Stretch]) -> "list[Gap]":
        """What of it lies in no unwanted stretch; nothing of what was received until its removal opened it."""
        cut = common([(self.begin, self.end)], unwanted)
        if not cut:
            return [self]
        received = within(subscribed, self.begin, cut[0][0]) if self.reason == _BY_REMOVAL else []
        parts = without(without([(self.begin, self.end)], unwanted), received)
        return [
            replace(self, begin=begin, end=end, open=self.open and end == self.end) for begin, end in parts
        ]


@dataclass(slots=True)
class Told:
    """What the events of a recording tell, up to a moment.

    Attributes:
        end: that moment.
        recorded: when each stream was subscribed.
        opened: the gap that it is in.
        unwanted: when it was not in the watchlist any more.
    """

    end: int
    recorded: dict[Key, list[Stretch]] = field(default_factory=dict)
    opened: dict[Key, Gap] = field(default_factory=dict)
    unwanted: defaultdict[Key, list[Stretch]] = field(default_factory=lambda: defaultdict(list))
    _since: dict[Key, int] = field(default_factory=dict)
    _removed: dict[Key, int] = field(default_factory=dict)

    @classmethod
    def of(cls, events: pa.Table, end: int) -> "Told":
        """What ``events`` tell, by ``seq``, with the columns ``EVENTS``."""
        told = cls(end)
        kept = events.filter(pc.field("kind").isin(KINDS))
        for event in kept.set_column(0, "ts_recv", kept["ts_recv"].cast(pa.int64())).to_pylist():
            told._hear(event)
        for key in list(told._since):
            told._ended(key, end)
        for key, since in told._removed.items():
            told.unwanted[key].append((since, max(since, end)))
        return told

    def removed(self, key: Key) -> int | None:
        """Since when a stream is not wanted, if it is not at the end."""
        return next((since for since, until in self.unwanted[key] if since <= self.end <= until), None)

    def received(self, key: Key) -> list[Stretch]:
        """When a stream was subscribed and wanted."""
        return without(merged(self.recorded.get(key, [])), merged(self.unwanted[key]))

    def wanted(self, key: Key, gaps: Sequence[Gap]) -> list[Gap]:
        """What is missing of a stream: its closed gaps, and the open one, while it was wanted."""
        unwanted, recorded = merged(self.unwanted[key]), merged(self.recorded.get(key, []))
        opened = [self.opened[key]] if key in self.opened else []
        return [part for gap in (*gaps, *opened) for part in gap.wanted(unwanted, recorded)]

    def _hear(self, event: dict[str, Any]) -> None:
        symbol, stream = event["symbol"], event["stream"]
        if symbol and stream:
            self._hear_of((symbol, stream), event)
        elif event["kind"] in ENDS:
            meant = [key for key in self._since if symbol in (None, key[0]) and stream in (None, key[1])]
            for key in meant:
                self._ended(key, event["ts_recv"])

    def _hear_of(self, key: Key, event: dict[str, Any]) -> None:
        ts = event["ts_recv"]
        match event["kind"]:
            case "gap_start":
                reason = event["text"] or "open"
                self.opened.setdefault(key, Gap(ts, self.end, reason, event["code"], ts, open=True))
            case "gap_end":
                self.opened.pop(key, None)
            case "subscribed":
                self._since.setdefault(key, ts)
                if key in self._removed:
                    self.unwanted[key].append((self._removed.pop(key), ts))
            case kind:
                self._ended(key, ts)
                if kind == "removed":
                    self._removed.setdefault(key, self._left(key, ts))

    def _ended(self, key: Key, ts: int) -> None:
        """A stream that was refused at once is known all the same."""
        found = self.recorded.setdefault(key, [])
        if key in self._since:
            found.append((self._since.pop(key), ts))

    def _left(self, key: Key, ts: int) -> int:
        """Where a removal began: with the gap that it opened, if the stream was subscribed until then."""
        gap, recorded = self.opened.get(key), self.recorded[key]
        was_live = gap is not None and bool(recorded) and recorded[-1][1] >= gap.begin
        return gap.begin if gap and was_live and gap.reason == _BY_REMOVAL else ts
