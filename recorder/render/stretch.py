"""Records of a segment back to frames: which bytes are one message, when it came, which number it has.

Rule: numbers and times are those of the record that completed the frame; nothing is counted anew across records,
so that a lost record leaves a hole of its own size and shifts nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from recorder.journal.format import Record
from recorder.journal.state import Request
from recorder.wire import messages
from recorder.wire.frames import Bounds, Positions, split

CHUNK = 2 * 1024 * 1024
"""Bytes decoded at once: much less and the calls cost more than the work, much more and memory does."""


@dataclass(frozen=True, slots=True)
class Frames:
    """Whole frames of one connection that are rows.

    Attributes:
        data: the bytes they lie in.
        bounds: where they lie.
        msg_ids: message id of each.
        ts: when each was complete, microseconds.
        seq: number of each.
        requests: what was asked under which request id on that connection.
    """

    data: bytes
    bounds: Bounds
    msg_ids: Positions
    ts: Positions
    seq: Positions
    requests: dict[int, Request]


class Stretch:
    """One connection's bytes within a segment.

    Attributes:
        lost: bytes left out because what belongs before or behind them was lost.
    """

    def __init__(self, requests: dict[int, Request], *, hello: bool) -> None:
        self.requests = requests
        self.lost = 0
        self._hello = hello
        self._aligned = True
        self._broken = False
        self._tail = b""
        self._records: list[Record] = []
        self._bytes = 0

    def add(self, record: Record) -> Iterator[Frames]:
        """Take an R or T record; frames come out when there are enough of them."""
        if not self._aligned:
            record = self._align(record)
        self._records.append(record)
        self._bytes += len(record.payload)
        if self._bytes >= CHUNK:
            yield from self.flush()

    def lose(self) -> Iterator[Frames]:
        """Records were lost here: go on where the next frame begins.

        No read before the gateway's hello or behind a broken prefix says where one does.
        """
        yield from self.flush()
        self.lost += len(self._tail)
        self._tail, self._aligned, self._hello, self._broken = b"", False, True, False

    def cut(self) -> Iterator[Frames]:
        """The recorder left reads out here, and goes on where a frame begins: the one cut short is no row."""
        yield from self.flush()
        self._tail, self._hello, self._broken = b"", True, False

    def flush(self) -> Iterator[Frames]:
        """The frames completed so far that have not come out yet."""
        records, self._records, self._bytes = self._records, [], 0
        if self._broken or not records:
            return
        data = self._tail + b"".join(record.payload for record in records)
        bounds = split(data)
        if bounds.broken:
            bounds = _with_rest(data, bounds)
            self._broken = True
        self._tail = data[bounds.consumed :]
        record_ends = np.cumsum([len(record.payload) for record in records]) + (len(data) - _total(records))
        yield self._number(data, bounds, records, record_ends)

    def _align(self, record: Record) -> Record:
        """What there is to read of a record when those before it were lost."""
        self._aligned = record.skip <= len(record.payload)
        rest = record.payload[record.skip :]
        self.lost += len(record.payload) - len(rest)
        return Record(record.kind, record.ts, record.seq + record.skip_rows, rest)

    def _number(self, data: bytes, bounds: Bounds, records: list[Record], record_ends: Positions) -> Frames:
        msg_ids = messages.ids(data, bounds)
        rows = messages.is_row(msg_ids)
        if not self._hello:
            greeting, self._hello = messages.hello_frames(data, bounds)
            rows[:greeting] = False
        complete = bounds.ends.copy()
        if bounds.broken:
            msg_ids[-1], rows[-1], complete[-1] = messages.NO_ID, True, bounds.starts[-1]
        of_record = np.searchsorted(record_ends, complete, side="left")
        before: Positions = np.cumsum(rows) - rows
        first = np.searchsorted(of_record, np.arange(len(records)))
        base = np.append(before, 0)[first]
        seq = np.array([record.seq for record in records])[of_record] + before - base[of_record]
        ts = np.array([record.ts for record in records])[of_record]
        kept = Bounds(bounds.starts[rows], bounds.ends[rows], bounds.consumed, bounds.broken)
        return Frames(data, kept, msg_ids[rows], ts[rows], seq[rows], self.requests)


def _with_rest(data: bytes, bounds: Bounds) -> Bounds:
    """Behind a prefix that cannot be, everything is one unreadable frame."""
    starts = np.append(bounds.starts, bounds.consumed + 4)
    ends = np.append(bounds.ends, max(len(data), bounds.consumed + 4))
    return Bounds(starts, ends, len(data), broken=True)


def _total(records: list[Record]) -> int:
    return sum(len(record.payload) for record in records)
