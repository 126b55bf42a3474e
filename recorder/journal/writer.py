"""Appends to the journal: one write a record, before anything looks at the bytes.

Rules:
- ``append`` returns when the bytes are with the kernel: killing the process loses nothing that was appended.
- A thread makes them durable every ``fsync_seconds``; that is what a power cut can take.
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
from recorder.journal.state import State
from recorder.journal.syncer import JournalError, Syncer

SEGMENT_BYTES = 8 * 1024 * 1024
"""A segment is sealed at this size: about 250,000 ticks, what the renderer holds in memory at once."""

_CLOSED = -1
"""No descriptor: the number of the last one may be another file's by now."""


class Journal:
    """The journal of a running recorder, open at its newest segment.

    ``seq`` is the number of the next row; whoever appends a record says how many rows it holds.
    """

    def __init__(
        self, root: Path, checkpoint: Checkpoint, *, fsync_seconds: float, clock: Callable[[], int]
    ) -> None:
        self.root = root
        self.index = checkpoint.next_segment
        self.seq = checkpoint.next_seq
        self.state = State.restore(checkpoint.state.snapshot())
        self.size = self._begin = 0
        self.rows = 0
        self.clock = clock
        self._salt = b""
        self._descriptor = _CLOSED
        self._syncer = Syncer(root / "journal", fsync_seconds)
        self._open()

    @property
    def path(self) -> Path:
        """The segment being written."""
        return segment_path(self.root, self.index)

    @property
    def is_full(self) -> bool:
        """Whether the segment holds enough; the state that it begins with does not count."""
        return self.size - self._begin >= SEGMENT_BYTES

    def append(self, kind: Kind, payload: bytes, ts: int, skip: int = 0, skip_rows: int = 0) -> None:
        """Write one record.

        Raises:
            JournalError: the disk is full or broken. The segment ends with its last whole record.
        """
        self._syncer.check()
        head = segment_format.header(self._salt, Record(kind, ts, self.seq, payload, skip, skip_rows))
        self._write((head, payload))
        self._syncer.wrote(self._descriptor)

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

        A segment without rows is not sealed: it goes on. Returns whether one was sealed.
        """
        if self.rows == 0:
            return False
        self._seal()
        sealed = self._descriptor
        self.index += 1
        self._open()
        self._syncer.retire(sealed)
        if tail:
            self.append("T", tail, self.clock())
        return True

    def close(self) -> None:
        """Seal, sync and close; the segment stays for the renderer. Whatever is written behind it is refused.

        Raises:
            JournalError: the last bytes could not be written or made durable.
        """
        if self._descriptor == _CLOSED:
            return
        try:
            if self.rows:
                self._seal()
        finally:
            self._syncer.retire(self._descriptor)
            self._descriptor = _CLOSED
            self._syncer.close()
        self._syncer.check()

    def _seal(self) -> None:
        """The last record, so that the next row's number is known even if the rows before it get damaged."""
        self.control({"kind": "sealed"}, row=False)

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        try:
            self._descriptor = os.open(self.path, flags, 0o644)
        except OSError as error:
            raise JournalError(error.errno, f"{self.path}: {error.strerror}") from error
        self.size = self.rows = 0
        start = segment_format.preamble()
        self._salt = start[-8:]
        self._write((start,))
        self._syncer.began()
        self.state.forget()
        self.append("S", segment_format.dump(self.state.snapshot()), self.clock())
        self._begin = self.size

    def _write(self, parts: tuple[bytes, ...]) -> None:
        """All of ``parts`` or nothing: a write that came to an end halfway is cut back."""
        if self._descriptor == _CLOSED:
            raise JournalError(errno.EBADF, f"{self.path}: closed; nothing can be written any more")
        wanted = sum(len(part) for part in parts)
        try:
            written = os.writev(self._descriptor, parts)
            while written < wanted:
                written += os.write(self._descriptor, b"".join(parts)[written:])
        except OSError as error:
            os.ftruncate(self._descriptor, self.size)
            raise JournalError(error.errno, f"{self.path}: {error.strerror}") from error
        self.size += wanted


def now() -> int:
    """The wall clock in microseconds since 1970."""
    return time.time_ns() // 1000
