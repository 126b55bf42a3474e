"""Where a tick enters: bytes to the journal first, then the few frames that concern the conversation.

Rules:
- Nothing looks at bytes that are not in the journal.
- No object per tick: a read is one record, and its rows are a number.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from recorder.journal.writer import Journal
from recorder.wire.activity import Activity, Mark, Seen
from recorder.wire.sieve import Sieve

_STEP = 500_000
"""A wall clock that moves this much (microseconds) against the monotonic one has been set."""


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

    def __init__(self, journal: Journal, on_sealed: Callable[[], None]) -> None:
        self.journal = journal
        self.last_ts = 0
        self.messages = 0
        self._on_sealed = on_sealed
        self._sieve = Sieve()
        self._activity = Activity()
        self._offset = self._clock_offset()

    def open(self) -> None:
        """A new connection begins."""
        self._sieve = Sieve()
        self._activity = Activity()
        self.journal.control({"kind": "opened"}, row=False)

    def take(self, data: bytes) -> Arrived:
        """One read.

        Raises:
            JournalError: the bytes could not be written.
        """
        journal, sieve = self.journal, self._sieve
        ts = self._now()
        journal.read(data, ts, *sieve.skip(data))
        self._activity.read(data, ts, journal.seq)
        sifted = sieve.feed(data)
        frames = [
            (frame, journal.seq + rows) for frame, rows in zip(sifted.handed_on, sifted.before, strict=True)
        ]
        journal.count(sifted.rows)
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

    def _now(self) -> int:
        offset = self._clock_offset()
        moved = offset - self._offset
        if abs(moved) > _STEP:
            self.journal.control({"kind": "clock_step", "text": f"the clock was set by {moved / 1e6:+.3f} s"})
            self._offset = offset
        return self.journal.clock()

    def _clock_offset(self) -> int:
        return self.journal.clock() - time.monotonic_ns() // 1000
