"""Appends to the journal: one write a record, before anything looks at the bytes.

Rules:
- ``append`` returns when the bytes are with the kernel: killing the process loses nothing that was appended.
- A thread makes them durable every ``fsync_seconds``; that is what a power cut can take.
- After an error nothing more is written to that segment: what the kernel holds of it is no longer known.
"""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from recorder.journal import format as segment_format
from recorder.journal.folder import segment_path, sync_folder
from recorder.journal.format import Kind, Record
from recorder.journal.state import State

SEGMENT_BYTES = 16 * 1024 * 1024
"""A segment is sealed at this size: about 500,000 ticks, what the renderer holds in memory at once."""


class JournalError(OSError):
    """The journal cannot be written; recording cannot go on."""


class Journal:
    """The journal of a running recorder, open at its newest segment.

    ``seq`` is the number of the next row; whoever appends a record says how many rows it holds.
    """

    def __init__(
        self, root: Path, index: int, seq: int, state: State, *, fsync_seconds: float, clock: Callable[[], int]
    ) -> None:
        self.root = root
        self.index = index
        self.seq = seq
        self.state = state
        self.size = 0
        self.rows = 0
        self._clock = clock
        self._fsync_seconds = fsync_seconds
        self._descriptor = -1
        self._salt = b""
        self._dirty = False
        self._failure: OSError | None = None
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._open()
        self._syncer = threading.Thread(target=self._sync_forever, name="journal-sync", daemon=True)
        if fsync_seconds > 0:
            self._syncer.start()

    def append(self, kind: Kind, payload: bytes, ts: int, carry: int = 0) -> None:
        """Write one record.

        Raises:
            JournalError: the disk is full or broken. The segment ends with its last whole record.
        """
        if self._failure is not None:
            raise JournalError(self._failure.errno, f"journal not durable: {self._failure.strerror}")
        head = segment_format.header(self._salt, Record(kind, ts, self.seq, payload, carry))
        self._write(head + payload if len(payload) < 4096 else (head, payload))
        self._dirty = True
        if self._fsync_seconds == 0:
            self.sync()

    def read(self, data: bytes, ts: int, carry: int) -> None:
        """Write the bytes of one socket read; ``carry`` bytes of an unfinished frame came before them."""
        self.append("R", data, ts, carry)

    def control(self, record: dict[str, Any], ts: int | None = None, *, row: bool = True) -> None:
        """Write one control record and fold it into the state; ``row``: it becomes a row of ``events``."""
        content = segment_format.dump(record if row else {**record, "row": False})
        self.append("C", content, self._clock() if ts is None else ts)
        self.state.apply(record)
        self.count(int(row))

    def count(self, rows: int) -> None:
        """Give numbers to the rows of the record just written."""
        self.seq += rows
        self.rows += rows

    def roll(self, tail: bytes) -> None:
        """Seal this segment, durably, and begin the next; ``tail`` is the unfinished frame carried over.

        A segment without rows is not sealed: it goes on.
        """
        if self.rows == 0:
            return
        self.sync()
        os.close(self._descriptor)
        self.index += 1
        self._open()
        if tail:
            self.append("T", tail, self._clock())

    def sync(self) -> None:
        """Make everything appended so far durable.

        Raises:
            JournalError: the disk refused; this segment is never synced again.
        """
        with self._lock:
            if not self._dirty:
                return
            self._dirty = False
            try:
                os.fdatasync(self._descriptor)
            except OSError as error:
                self._failure = error
                raise JournalError(error.errno, f"{self.path}: {error.strerror}") from error

    def close(self) -> None:
        """Sync and close; the segment stays for the renderer."""
        self._stop.set()
        if self._syncer.is_alive():
            self._syncer.join()
        self.sync()
        os.close(self._descriptor)

    @property
    def path(self) -> Path:
        """The segment being written."""
        return segment_path(self.root, self.index)

    def _open(self) -> None:
        with self._lock:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
            try:
                self._descriptor = os.open(self.path, flags, 0o644)
            except OSError as error:
                raise JournalError(error.errno, f"{self.path}: {error.strerror}") from error
            self.size = self.rows = 0
            start = segment_format.preamble()
            self._salt = start[-8:]
            self._write(start)
            sync_folder(self.path.parent)
        self.append("S", segment_format.dump(self.state.snapshot()), self._clock())

    def _write(self, data: bytes | tuple[bytes, bytes]) -> None:
        """All of ``data`` or nothing: a write that came to an end halfway is cut back."""
        parts = [data] if isinstance(data, bytes) else list(data)
        wanted = sum(len(part) for part in parts)
        try:
            written = os.writev(self._descriptor, parts)
            while written < wanted:
                rest = b"".join(parts)[written:]
                written += os.write(self._descriptor, rest)
        except OSError as error:
            self._failure = error
            os.ftruncate(self._descriptor, self.size)
            raise JournalError(error.errno, f"{self.path}: {error.strerror}") from error
        self.size += wanted

    def _sync_forever(self) -> None:
        while not self._stop.wait(self._fsync_seconds):
            try:
                self.sync()
            except JournalError:
                return  # kept in _failure: the next append raises it where it is heard


def now() -> int:
    """The wall clock in microseconds since 1970."""
    return time.time_ns() // 1000
