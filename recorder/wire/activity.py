"""Which requests market data came for, and when: what silence is judged by.

Rules:
- No object per tick: reads are kept and looked at together, many messages at once.
- Only ticks count. A notice, parameters or the kind of data are no sign that a line is alive.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from recorder.wire import messages
from recorder.wire.frames import Bounds, Positions, split
from recorder.wire.layouts import LAYOUTS

_MOST_BYTES = 512 * 1024
"""So many bytes are looked at before anybody asks: what is kept stays small."""

_LONGEST_REQ = 10
_SMALL = 1 << 16
_IDS = 1024


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the recording: when (microseconds since 1970), and the number of the row there (0: none yet)."""

    ts: int
    seq: int


@dataclass(frozen=True, slots=True)
class Seen:
    """What came for one request since the last look: how many ticks, and where the first and the last stand."""

    count: int
    first: Mark
    last: Mark


def _places() -> tuple[npt.NDArray[np.bool_], Positions]:
    """By message id: is it a tick, and how many bytes behind the frame's begin does its request id stand?"""
    ticks, offsets = np.zeros(_IDS, np.bool_), np.zeros(_IDS, np.int64)
    for layout in LAYOUTS:
        if layout.table:
            ticks[layout.msg_id] = True
            # Before the request id stand the message's id and at most a version of one digit.
            offsets[layout.msg_id] = len(str(layout.msg_id)) + 1 + 2 * (layout.req_position - 1)
    return ticks, offsets


_TICK, _OFFSET = _places()


class Activity:
    """The ticks of one connection."""

    def __init__(self) -> None:
        self._tail = b""
        self._reads: list[bytes] = []
        self._marks: list[Mark] = []
        self._bytes = 0
        self._seen: dict[int, Seen] = {}

    def read(self, data: bytes, ts: int, seq: int) -> None:
        """Bytes of one read, when it came and the number of its first row."""
        self._reads.append(data)
        self._marks.append(Mark(ts, seq))
        self._bytes += len(data)
        if self._bytes >= _MOST_BYTES:
            self._digest()

    def look(self, before: int | None = None) -> dict[int, Seen]:
        """What has come since the last look, by request id; ``before``: only rows of lower numbers, if given.

        What stands behind them is seen at the next look.
        """
        if self._reads:
            self._digest(before)
        seen, self._seen = self._seen, {}
        return seen

    def _digest(self, before: int | None = None) -> None:
        reads, marks = self._reads, self._marks
        self._reads, self._marks, self._bytes = [], [], 0
        data = b"".join((self._tail, *reads))
        bounds = split(data)
        self._tail = b"" if bounds.broken else data[bounds.consumed :]
        msg_ids = messages.ids(data, bounds)
        read_ends = np.cumsum([len(read) for read in reads]) + (len(data) - sum(map(len, reads)))
        marked = _Marked(bounds, msg_ids, read_ends, marks)
        end = len(msg_ids) if before is None else marked.first_from(before)
        if end < len(msg_ids):
            self._put_back(data, int(bounds.starts[end]) - 4, read_ends, marked, end)
        ticks = np.flatnonzero(_TICK[msg_ids[:end]])
        if not len(ticks):
            return
        reqs = _requests(data, bounds.starts[ticks] + _OFFSET[msg_ids[ticks]])
        for req, count, first, last in _by_request(reqs):
            self._add(req, Seen(count, marked.at(ticks[first]), marked.at(ticks[last])))

    def _put_back(self, data: bytes, begin: int, read_ends: Positions, marked: "_Marked", frame: int) -> None:
        """Keep what stands from ``begin`` on, where ``frame`` begins, for the next look."""
        first = int(np.searchsorted(read_ends, begin, side="right"))
        edges = [begin, *read_ends[first:].tolist()]
        self._tail, self._bytes = b"", len(data) - begin
        self._reads = [data[start:end] for start, end in pairwise(edges)]
        self._marks = marked.marks[first:]
        self._marks[marked.read_of(frame) - first] = marked.at(frame)

    def _add(self, req: int, seen: Seen) -> None:
        before = self._seen.get(req)
        self._seen[req] = seen if before is None else Seen(before.count + seen.count, before.first, seen.last)


class _Marked:
    """Frames and the reads that completed them, so that a few of them can be numbered."""

    def __init__(self, bounds: Bounds, msg_ids: Positions, read_ends: Positions, marks: list[Mark]) -> None:
        self._ends = bounds.ends
        self._rows = np.concatenate(([0], np.cumsum(messages.is_row(msg_ids))))
        self._read_ends = read_ends
        self.marks = marks

    def read_of(self, frame: int) -> int:
        """Which read completed a frame."""
        return int(np.searchsorted(self._read_ends, self._ends[frame], side="left"))

    def at(self, frame: int) -> Mark:
        """Where a frame's row stands, or would stand."""
        read = self.read_of(frame)
        begin = self._read_ends[read - 1] if read else 0
        first = int(np.searchsorted(self._ends, begin, side="right"))
        mark = self.marks[read]
        return Mark(mark.ts, mark.seq + int(self._rows[frame] - self._rows[first]))

    def first_from(self, number: int) -> int:
        """The first frame whose row has this number or a higher one."""
        low, high = 0, len(self._ends)
        while low < high:
            middle = (low + high) // 2
            if self.at(middle).seq < number:
                low = middle + 1
            else:
                high = middle
        return low


def _requests(data: bytes, at: Positions) -> Positions:
    """The numbers that begin at these places; -1 for what is none."""
    raw = np.frombuffer(data, np.uint8)
    last = len(raw) - 1
    reqs = np.zeros(len(at), np.int64)
    reading = np.ones(len(at), np.bool_)
    for place in range(_LONGEST_REQ):
        digit = raw[np.minimum(at + place, last)] - np.uint8(ord("0"))
        reading &= digit <= 9
        if not reading.any():
            break
        reqs = np.where(reading, reqs * 10 + digit, reqs)
    return reqs


def _by_request(reqs: Positions) -> list[tuple[int, int, int, int]]:
    """Each request id with its count, and the places of its first and its last tick."""
    if int(reqs.max()) >= _SMALL:
        ids, firsts, counts = np.unique(reqs, return_index=True, return_counts=True)
        lasts = len(reqs) - 1 - np.unique(reqs[::-1], return_index=True)[1]
    else:
        counts = np.bincount(reqs)
        ids = np.flatnonzero(counts)
        place = np.zeros(len(counts), np.int64)
        place[reqs[::-1]] = np.arange(len(reqs))[::-1]
        firsts = place[ids]
        place[reqs] = np.arange(len(reqs))
        lasts, counts = place[ids], counts[ids]
    return list(zip(ids.tolist(), counts.tolist(), firsts.tolist(), lasts.tolist(), strict=True))
