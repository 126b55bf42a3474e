"""Appends to the journal: one write a record, before anything looks at the bytes.

Rules:
- ``append`` returns when the bytes are with the kernel: killing the process loses nothing that was appended. While the
  disk takes none they are in memory, and ``trouble`` says so.
- A thread makes them durable every ``fsync_seconds``; that is what a power cut can take.
- No fault of the disk comes out of here while there is memory.
"""

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from recorder.journal import format as segment_format
from recorder.journal.folder import Checkpoint, segment_path
from recorder.journal.format import Kind, Record
from recorder.journal.room import try_room
from recorder.journal.segment import NO_ROOM, Segment
from recorder.journal.spares import Spares
from recorder.journal.state import State
from recorder.journal.syncer import JournalError, Syncer
from recorder.journal.trouble import Alarm, Overflow, Place, words
from recorder.journal.trouble import Kind as Trouble

SEGMENT_BYTES = 8 * 1024 * 1024
"""A segment is sealed at this size: about 250,000 ticks, what the renderer holds in memory at once."""

MEMORY_BYTES = 64 * 1024 * 1024

_UNSPARABLE = errno.EFBIG
"""The one want of room that a spare does not help against: it is the file that may not grow."""


class Journal:
    """The journal of a running recorder, open at its newest segment.

    ``seq`` is the number of the next row; whoever appends a record says how many rows it holds.

    Attributes:
        tail: the beginning of a frame not yet whole, which the next segment must carry.
        overflow: since when reads are left out, and how many bytes; None: they are journalled.
    """

    def __init__(
        self,
        root: Path,
        checkpoint: Checkpoint,
        *,
        fsync_seconds: float,
        clock: Callable[[], int],
        spare_bytes: int = 0,
        memory_bytes: int = MEMORY_BYTES,
    ) -> None:
        """Begin a segment; ``spare_bytes`` of the disk are kept for when it is full.

        Raises:
            JournalError: there is no place to begin, not even a spare.
        """
        self.root = root
        self.index = checkpoint.next_segment
        self.seq = checkpoint.next_seq
        self.state = State.restore(checkpoint.state.snapshot())
        self.rows = 0
        self.clock = clock
        self.tail: Callable[[], bytes] = bytes
        self.overflow: Overflow | None = None
        self.memory_bytes = memory_bytes
        self._staged = root / "journal" / "next"
        self._begin = 0
        self._is_closed = False
        self._alarm = Alarm(clock)
        self._syncer = Syncer(root, fsync_seconds, Spares(root / "journal", spare_bytes), self._watch)
        self._segment = self._next(b"")
        if not self._segment.is_named:
            raise self._refused()
        self._syncer.start()

    @property
    def path(self) -> Path:
        """The segment being written."""
        return segment_path(self.root, self.index)

    @property
    def size(self) -> int:
        """Bytes of the segment being written."""
        return len(self._segment.copy)

    @property
    def is_full(self) -> bool:
        """Whether the segment holds enough; the state that it begins with does not count."""
        return len(self._segment.copy) - self._begin >= SEGMENT_BYTES

    @property
    def is_well(self) -> bool:
        """Whether what is appended is written to a file that is to be trusted."""
        return self._segment.direct and self._segment.spoilt is None

    @property
    def before(self) -> int:
        """The first segment that is not to be rendered yet: it is not safely on disk, or the last one begun."""
        with self._syncer.lock:
            return min([int(segment.path.stem) for segment in self._syncer.segments], default=self.index)

    @property
    def trouble(self) -> str | None:
        """What is wrong with where the journal goes, in plain words; None: it is on disk as it should be."""
        kind = self._kind()
        if kind:
            self._alarm.begin()
        if not self._alarm.since:
            return None
        place, error = self._where(kind or "ending"), self._syncer.error
        if kind == "hanging":  # the thread that tells the log of all else is what hangs
            self._alarm.say(place, error)
        return words(place, self._alarm.since, error)

    def takes(self, size: int) -> bool:
        """Whether there is a place for a read of ``size`` bytes, on disk or in memory."""
        return self.is_well or self._syncer.held + size <= self.memory_bytes

    def append(self, kind: Kind, payload: bytes, ts: int, skip: int = 0, skip_rows: int = 0) -> None:
        """Write one record.

        Raises:
            JournalError: neither disk nor memory has a place for it, or the journal is closed.
        """
        record = Record(kind, ts, self.seq, payload, skip, skip_rows)
        with self._syncer.lock:
            if self._is_closed:
                raise JournalError(errno.EBADF, f"{self.path}: closed; nothing can be written any more")
            try:
                self._segment.append(record)
            except OSError as error:
                self._elsewhere(record, error)
            if not self._segment.direct and self._syncer.held > 2 * self.memory_bytes:
                raise self._refused()
        self._syncer.wrote()

    def read(self, data: bytes, ts: int, skip: int = 0, skip_rows: int = 0) -> None:
        """Write the bytes of one socket read; the first ``skip`` belong to a frame that began in an earlier one."""
        self.append("R", data, ts, skip, skip_rows)

    def control(self, record: dict[str, Any], ts: int | None = None, *, row: bool = True) -> None:
        """Write one control record and fold it into the state.

        ``row``: it becomes a row of ``events``; the ticks of a ``backfill`` are rows of their table besides.
        """
        content = record if row else {**record, "row": False}
        self.append("C", segment_format.dump(content), self.clock() if ts is None else ts)
        self.state.apply(record)
        self.count(segment_format.rows_of(content))

    def count(self, rows: int) -> None:
        """Give numbers to the rows of the record just written."""
        self.seq += rows
        self.rows += rows

    def roll(self, tail: bytes) -> bool:
        """Seal this segment and begin the next; ``tail`` is the unfinished frame carried over.

        A segment without rows is not sealed: it goes on; so does one in a spare while it may hold more and the disk
        has no room for another. Returns whether one was sealed.
        """
        if self.rows == 0 or (self._segment.spare and not self.is_full and not self._has_room()):
            return False
        self._seal()
        with self._syncer.lock:
            self.index += 1
            self._segment = self._next(tail)
        return True

    def close(self) -> None:
        """Seal, sync and close; the segment stays for the renderer. Whatever is written behind it is refused.

        Raises:
            JournalError: the last bytes could not be written or made durable.
        """
        if self._is_closed:
            return
        try:
            if self.rows:
                self._seal()
        finally:
            self._is_closed = True
            self._syncer.close()
        if self._syncer.segments:
            raise self._refused("not durable")

    def _seal(self) -> None:
        """The last record, so that the next row's number is known even if the rows before it get damaged."""
        self.control({"kind": "sealed"}, row=False)

    def _next(self, tail: bytes) -> Segment:
        """Begin a segment: on disk, unless something before it is not; else in memory."""
        segment = Segment(self.path)
        self.state.forget()
        segment.append(Record("S", self.clock(), self.seq, segment_format.dump(self.state.snapshot())))
        self._begin, self.rows = len(segment.copy), 0
        if tail:
            segment.append(Record("T", self.clock(), self.seq, tail))
        if self._syncer.in_order:
            self._place(segment)
        self._syncer.segments.append(segment)
        return segment

    def _place(self, segment: Segment) -> None:
        """A file for it: an ordinary one, or a spare if there is no room."""
        try:
            if self._alarm.since:
                try_room(self._staged)
            self._staged.unlink(missing_ok=True)
            segment.create(self._staged)
        except FileExistsError as error:
            raise JournalError(error.errno, f"{segment.path}: {error.strerror}") from error
        except OSError as error:
            self._fails(error)
            if error.errno in NO_ROOM:
                self._place_in_spare(segment)

    def _place_in_spare(self, segment: Segment) -> None:
        for spare in self._syncer.spares.left:
            try:
                segment.create(spare)
            except OSError as error:
                self._fails(error)
            else:
                segment.spare = True
                return

    def _elsewhere(self, record: Record, error: OSError) -> None:
        """The file does not take the record: into the next segment if that finds a place, else it stays in memory."""
        self._fails(error)
        if error.errno not in NO_ROOM or self._segment.spoilt or not self._can_move(error):
            return
        self._segment.give_back()
        self.index += 1
        self._segment = self._next(self.tail())
        try:
            self._segment.append(record)
        except OSError as again:
            self._fails(again)

    def _can_move(self, error: OSError) -> bool:
        return error.errno == _UNSPARABLE or bool(self._syncer.spares.left)

    def _has_room(self) -> bool:
        try:
            try_room(self._staged)
        except OSError:
            return False
        return True

    def _fails(self, error: OSError) -> None:
        self._syncer.error = error
        self._alarm.begin()

    def _kind(self) -> Trouble | None:
        """What is wrong now."""
        if self.overflow is not None:
            return "overflow"
        if not self._segment.direct:
            return "memory"
        if self._syncer.hangs:
            return "hanging"
        if self._syncer.fails or self._syncer.waiting > self.memory_bytes:
            return "failing"
        return "spare" if self._segment.spare else None

    def _where(self, kind: Trouble | None) -> Place:
        spares = self._syncer.spares
        spare = len(spares.left) * spares.size + max(0, spares.size - self.size)
        return Place(kind, self._syncer.held, self.memory_bytes, spare, self.overflow)

    def _watch(self) -> None:
        """The thread's turn is over: is all well?"""
        with self._syncer.lock:
            kind = self._kind()
            if kind is None and self._alarm.since and not self._syncer.is_durable:
                kind = "ending"
            place = self._where(kind) if kind or self._alarm.since else None
            error = self._syncer.error
            if kind is None:
                self._syncer.error = None
        if place:
            self._alarm.say(place, error)

    def _refused(self, what: str | None = None) -> JournalError:
        error = self._syncer.error or OSError(errno.EIO, os.strerror(errno.EIO))
        reason = error.strerror or str(error)
        return JournalError(error.errno, f"{self.path}: {f'{what}: ' if what else ''}{reason}")


def now() -> int:
    """The wall clock in microseconds since 1970."""
    return time.time_ns() // 1000
