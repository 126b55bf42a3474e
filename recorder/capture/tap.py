"""Where a tick enters: bytes to the journal first, then the few frames that concern the conversation.

Rules:
- Nothing looks at bytes that are not in the journal.
- No object per tick: a read is one record, and its rows are a number.
- While neither disk nor memory has a place, reads are left out and take no numbers; the conversation goes on. The first
  one journalled again begins with a frame.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from recorder.capture.ledger import Ledger
from recorder.journal.trouble import Overflow
from recorder.journal.writer import Journal
from recorder.wire.activity import Activity, Mark, Seen
from recorder.wire.sieve import Sieve

_STEP = 500_000
"""A wall clock that moves so much (microseconds) against the monotonic one has been set; so has one that goes back."""

_ALL = sys.maxsize


@dataclass(frozen=True, slots=True)
class Arrived:
    """What one read brought besides ticks.

    Attributes:
        frames: whole frames that concern the conversation, each with the number of the first row behind what stood
            before it.
        broken: the stream cannot be followed any further.
    """

    frames: list[tuple[bytes, int]]
    broken: bool


class Tap:
    """Journals what one socket after the other brings.

    Attributes:
        journal: where it goes.
        last_ts: when the last bytes came, microseconds; 0: never.
        messages: rows so far.
    """

    def __init__(self, journal: Journal, on_sealed: Callable[[], None], ledger: Ledger | None = None) -> None:
        """``ledger``: where gaps stand, the one that the session writes to; its own, if nobody else has one."""
        self.journal = journal
        journal.tail = lambda: self._sieve.tail
        self.last_ts = 0
        self.messages = 0
        self._on_sealed = on_sealed
        self._ledger = ledger or Ledger(journal)
        self._sieve = Sieve()
        self._activity = Activity()
        self._offset = _offset(journal.clock())

    def open(self) -> None:
        """A new connection begins."""
        self._sieve = Sieve()
        self._activity = Activity()
        if self.journal.overflow is not None and self.journal.is_well:
            self._resume(self.journal.overflow)
        self.journal.control({"kind": "opened"}, row=False)

    def take(self, data: bytes) -> Arrived:
        """One read.

        Raises:
            JournalError: the bytes could not be written.
        """
        journal, sieve = self.journal, self._sieve
        ts, missed = self._now(), 0
        if journal.overflow is None and journal.takes(len(data)):
            journal.read(data, ts, *sieve.skip(data))
        else:
            missed = self._leave_out(data, ts)
        sifted = sieve.feed(data)
        first = journal.seq - min(missed, sifted.rows)
        self._activity.read(data, ts, first)
        frames = [(frame, first + rows) for frame, rows in zip(sifted.handed_on, sifted.before, strict=True)]
        journal.count(first + sifted.rows - journal.seq)
        journal.state.hello = sieve.hello
        self.last_ts = ts
        self.messages += sifted.rows
        if journal.is_full:
            self.seal()
        return Arrived(frames, sifted.broken)

    def look(self, before: int | None = None) -> dict[int, Seen]:
        """What ticks have come on this connection since the last look, by request id.

        Only those of the rows ``before`` a number, if that is given: what stands behind is seen next time.
        """
        return self._activity.look(before)

    @property
    def last_bytes(self) -> Mark:
        """Where the last bytes stand."""
        return Mark(self.last_ts or self.journal.clock(), self.journal.seq - 1)

    def seal(self) -> None:
        """End the segment being written, so that it can be rendered."""
        if self.journal.roll(self._sieve.tail):
            self._on_sealed()

    def _leave_out(self, data: bytes, ts: int) -> int:
        """A read for which there was no place; if there is one again, from the next frame on.

        Returns how many of its rows, from the first on, are not recorded; ``_ALL``: none is.
        """
        journal, (begin, cut) = self.journal, self._sieve.skip(data)
        overflow = journal.overflow = journal.overflow or Overflow(self.last_bytes, ts)
        if not journal.is_well or begin > len(data):
            overflow.bytes += len(data)
            return _ALL
        overflow.bytes += begin
        self._resume(overflow)
        journal.read(data[begin:], ts)
        return cut

    def _resume(self, overflow: Overflow) -> None:
        seconds = (self.journal.clock() - overflow.began) / 1e6
        self._ledger.overflowed(f"no room for {seconds:.1f} s: {overflow.bytes} bytes were not recorded")

    def _now(self) -> int:
        """The time, behind a record of whatever step of the clock shows in the times of messages."""
        now = self.journal.clock()  # asked once: it may be set between one look and the next
        offset = _offset(now)
        moved, since_last = offset - self._offset, now - self.last_ts
        if abs(moved) > _STEP or since_last < 0:
            self._ledger.stepped(min(moved, since_last) if since_last < 0 else moved)
            self._offset = offset
        return now


def _offset(now: int) -> int:
    """How far the wall clock is from the monotonic one, in microseconds."""
    return now - time.monotonic_ns() // 1000
