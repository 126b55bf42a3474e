"""What the recorder must look at while recording: how many rows a read holds, and the few frames to hand on.

Rules:
- No object per tick: market-data frames are counted, never touched.
- Bytes in, numbers out; the journal has the bytes before they come here.
"""

import struct
from dataclasses import dataclass

from recorder.wire import messages
from recorder.wire.frames import Bounds, split
from recorder.wire.layouts import MAX_FRAME

_FEW_BYTES = 3000
"""Below this a read is looked at without arrays: half the time, from one message to a hundred."""

_TICKS = frozenset({b"1\x006", b"2\x006", b"45\0", b"46\0", b"99\0", b"12\0", b"13\0", b"21\0", b"50\0"})
"""How most frames begin; they only count."""

UNKNOWN = 0x7FFFFF
"""More bytes than any read has."""

_length_at = struct.Struct(">I").unpack_from

_CONVERSATION = frozenset(str(msg_id).encode() for msg_id in messages.CONVERSATION)
_HANDED_ON = frozenset(str(msg_id).encode() for msg_id in messages.HANDED_ON)


@dataclass(frozen=True, slots=True)
class Sifted:
    """What one read completed.

    Attributes:
        rows: number of messages that become rows; the unreadable rest of a broken stream counts as one.
        handed_on: whole frames, prefix included, that concern the conversation with the gateway.
        before: how many rows of this read stand before each of them.
        broken: the stream cannot be followed any further.
    """

    rows: int
    handed_on: list[bytes]
    broken: bool
    before: list[int]


class Sieve:
    """Sifts the reads of one connection; ``tail`` is the beginning of a frame not yet whole.

    Once the stream is broken nothing that still comes is looked at.
    """

    def __init__(self) -> None:
        self.hello = False
        self.tail = b""
        self._broken = False

    def skip(self, read: bytes) -> tuple[int, int]:
        """Where the first frame begins in a read that comes next, and how many rows (0, 1) end there.

        Behind the end of the read if none begins in it; ``UNKNOWN`` also before the hello and in a broken stream.
        """
        if not self.hello or self._broken:
            return UNKNOWN, 0
        if not self.tail:
            return 0, 0
        head = self.tail if len(self.tail) >= 8 else self.tail + read[:8]
        if len(head) < 4:
            return UNKNOWN, 0
        end = 4 + _length_at(head)[0]
        begins = end - len(self.tail)
        if begins > len(read):
            return begins, 0
        return begins, int(head[4:7] in _TICKS or _message_id(head, 4, end) not in _CONVERSATION)

    def feed(self, read: bytes) -> Sifted:
        """Take one read."""
        if self._broken:
            return Sifted(0, [], True, [])
        data = self.tail + read if self.tail else read
        if self.hello and len(data) < _FEW_BYTES:
            return self._few(data)
        bounds = split(data)
        self._broken = bounds.broken
        self.tail = b"" if bounds.broken else data[bounds.consumed :]
        rows, handed_on, before = self._greet(data, bounds) if not self.hello else _sift(data, bounds)
        return Sifted(rows + bounds.broken, handed_on, bounds.broken, before)

    def _few(self, data: bytes) -> Sifted:
        """The usual read, some ticks: one loop over the prefixes, no arrays."""
        at, rows, handed_on, before, broken = 0, 0, [], [], False
        while at + 4 <= len(data):
            end = at + 4 + _length_at(data, at)[0]
            if end > len(data):
                broken = end - at - 4 > MAX_FRAME
                break
            if data[at + 4 : at + 7] in _TICKS:
                rows += 1
            else:
                msg_id = _message_id(data, at + 4, end)
                if msg_id in _HANDED_ON:
                    handed_on.append(data[at:end])
                    before.append(rows)
                rows += msg_id not in _CONVERSATION
            at = end
        self._broken = broken
        self.tail = b"" if broken else data[at:]
        return Sifted(rows + broken, handed_on, broken, before)

    def _greet(self, data: bytes, bounds: Bounds) -> tuple[int, list[bytes], list[int]]:
        count, self.hello = messages.hello_frames(data, bounds)
        greeting = [_frame(data, bounds, index) for index in range(count)]
        rest = Bounds(bounds.starts[count:], bounds.ends[count:], bounds.consumed, bounds.broken)
        rows, handed_on, before = _sift(data, rest)
        return rows, greeting + handed_on, [0] * count + before


def _sift(data: bytes, bounds: Bounds) -> tuple[int, list[bytes], list[int]]:
    msg_ids = messages.ids(data, bounds)
    rows = messages.is_row(msg_ids)
    found = messages.is_handed_on(msg_ids).nonzero()[0]
    before = (rows.cumsum() - rows)[found].tolist() if len(found) else []
    return int(rows.sum()), [_frame(data, bounds, index) for index in found.tolist()], before


def _message_id(data: bytes, start: int, end: int) -> bytes:
    return data[start : max(start, data.find(b"\0", start, min(start + 4, end)))]


def _frame(data: bytes, bounds: Bounds, index: int) -> bytes:
    return data[bounds.starts[index] - 4 : bounds.ends[index]]
