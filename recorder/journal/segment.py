"""One segment: every byte of it in memory until it is durable, and as much of it in its file as the disk takes.

Rules:
- The name appears when preamble and state are in the file: nobody meets a segment that does not begin as one.
- The file ends with a whole record: what went in halfway is cut back.
- A descriptor whose write or sync has failed for anything but want of room is not written or synced again: the segment
  is renewed, that is, written whole into a fresh file that takes its name. The old file is kept in ``set-aside``.
- So is one whose name could not be made durable: another sync of the folder says nothing of a name that the kernel may
  have given up; a fresh file under that name is a change to the folder that it has not yet failed to keep.
"""

import contextlib
import errno
import os
import struct
from pathlib import Path

from recorder.journal import format as segment_format
from recorder.journal.durable import sync_folder
from recorder.journal.format import HEADER_SIZE, Record
from recorder.journal.room import UNABLE, reserve

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Errors after which the file is what it was: it only cannot grow."""

_CLOSED = -1
"""No descriptor: the number of the last one may be another file's by now."""

_PIECE = 256 * 1024
"""Bytes copied at once: the interpreter stands still meanwhile."""

_length_at = struct.Struct("<I").unpack_from


class Segment:
    """A segment being written, or waiting until it is durable.

    Attributes:
        path: where it lies, or will.
        copy: every byte of it.
        stored: so many of them are in the file, whole records all.
        synced: so many of them are durable.
        listed: whether the name is durable.
        direct: whether appends go to the file at once; else into the copy alone.
        spoilt: why the file is not to be trusted any more; None: it is.
        spare: whether it was begun in a spare.
        again: when to try next what failed, on the monotonic clock.
    """

    def __init__(self, path: Path) -> None:
        """One that is in memory only, up to now."""
        self.path = path
        self.copy = bytearray(segment_format.preamble())
        self.stored = self.synced = 0
        self.listed = self.direct = False
        self.spoilt: str | None = None
        self.spare = False
        self.again = 0.0
        self._salt = bytes(self.copy[-8:])
        self._descriptor = _CLOSED

    @property
    def is_named(self) -> bool:
        """Whether it has a file."""
        return self._descriptor != _CLOSED

    @property
    def is_whole(self) -> bool:
        """Whether all of it is in its file."""
        return self.is_named and self.stored == len(self.copy)

    @property
    def is_durable(self) -> bool:
        """Whether all of it is safe from a power cut."""
        return self.synced == len(self.copy) and self.listed and not self.spoilt

    def append(self, record: Record) -> None:
        """One record, behind the others.

        Raises:
            OSError: it is in the copy and not in the file, which ends with the record before.
        """
        head = segment_format.header(self._salt, record)
        self.copy += head + record.payload  # at once: the thread that syncs may look
        if not self.direct:
            return
        try:
            written = os.writev(self._descriptor, (head, record.payload))
            if self.stored + written < len(self.copy):
                _write(self._descriptor, self.copy[self.stored + written :])
        except OSError as error:
            self._stop(error)
            raise
        self.stored = len(self.copy)

    def give_back(self) -> None:
        """Let go of the records that did not get into the file: they go elsewhere."""
        del self.copy[self.stored :]

    def create(self, staged: Path) -> None:
        """Write it into the empty file ``staged``, or one that is not there yet, which then takes its name.

        Raises:
            FileExistsError: the name is taken.
            OSError: it is in no file.
        """
        descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            written = self.copy_to(descriptor, 0)
            os.link(staged, self.path)
        except OSError:
            os.close(descriptor)
            with contextlib.suppress(OSError):
                staged.unlink()
            raise
        with contextlib.suppress(
            OSError
        ):  # a second name harms nobody: it is taken away before it is used again
            staged.unlink()
        self._descriptor, self.stored, self.direct = descriptor, written, True

    def flush(self) -> None:
        """Write what the file lacks; not a byte before there is room for whole records.

        Raises:
            OSError: it still lacks some; it ends with a whole record.
        """
        try:
            while self.stored < len(self.copy):
                end = self._records_end(self.stored)
                _make_room(self._descriptor, self.stored, end - self.stored)
                _write(self._descriptor, self.copy[self.stored : end])
                self.stored = end
        except OSError as error:
            self._stop(error)
            raise

    def sync(self) -> None:
        """Make durable what is in the file.

        Raises:
            OSError: it is not, and is spoilt.
        """
        end = self.stored
        if self.synced == end or not self.is_named:
            return
        try:
            os.fdatasync(self._descriptor)
        except OSError:
            self.spoilt = "sync-failed"
            raise
        self.synced = end

    def copy_to(self, descriptor: int, start: int) -> int:
        """Write the bytes from ``start`` on into another file; returns where they end."""
        end = len(self.copy)
        for at in range(start, end, _PIECE):
            _write(descriptor, self.copy[at : min(at + _PIECE, end)])
        return end

    def keep_aside(self) -> None:
        """A second name for its file, if it has one, in ``set-aside``."""
        if not self.is_named:
            return
        aside = self.path.parent / "set-aside"
        aside.mkdir(exist_ok=True)
        with contextlib.suppress(FileExistsError):  # it was kept by a try that failed behind it
            os.link(self.path, aside / f"{self.path.stem}-{self.spoilt}.journal")
        sync_folder(aside)

    def replace(self, staged: Path, descriptor: int, synced: int) -> None:
        """Go on in ``staged``, open as ``descriptor``: a file of all its bytes, the first ``synced`` of them durable.

        Raises:
            OSError: nothing has changed.
        """
        own = os.dup(descriptor)
        try:
            self._give_name(staged)
        except OSError:
            os.close(own)
            raise
        self.close()
        self._descriptor, self.spoilt = own, None
        self.stored, self.synced = len(self.copy), synced
        self.listed, self.direct = False, True

    def rendered(self) -> None:
        """Its rows are in Parquet and its file is gone: nothing of it is needed any more."""
        self.spoilt, self.listed = None, True
        self.stored = self.synced = len(self.copy)

    def close(self) -> None:
        """Let go of the file."""
        descriptor, self._descriptor, self.direct = self._descriptor, _CLOSED, False
        if descriptor != _CLOSED:
            with contextlib.suppress(OSError):  # whatever it says, it says of bytes that are safe elsewhere
                os.close(descriptor)

    def _give_name(self, staged: Path) -> None:
        if self.is_named:
            staged.rename(self.path)
            return
        os.link(staged, self.path)
        with contextlib.suppress(OSError):  # a second name harms nobody
            staged.unlink()

    def _stop(self, error: OSError) -> None:
        """Leave the file with its last whole record."""
        self.direct = False
        if error.errno not in NO_ROOM:
            self.spoilt = "write-failed"
        try:
            os.ftruncate(self._descriptor, self.stored)
        except OSError:
            self.spoilt = "cut-failed"

    def _records_end(self, start: int) -> int:
        """Where a record ends, some ``_PIECE`` bytes behind ``start``, where one begins; at least one."""
        at = start
        while at < len(self.copy) and at - start < _PIECE:
            at += HEADER_SIZE + _length_at(self.copy, at + 8)[0]
        return at


def _make_room(descriptor: int, start: int, size: int) -> None:
    """So that a write is not cut short, and a process killed just then leaves no torn record."""
    try:
        reserve(descriptor, start, size)
    except OSError as error:
        if error.errno not in UNABLE:
            raise


def _write(descriptor: int, content: bytearray) -> None:
    written = os.write(descriptor, content)
    while written < len(content):
        written += os.write(descriptor, content[written:])
