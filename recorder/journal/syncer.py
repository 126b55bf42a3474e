"""Makes what was written durable, in a thread, so that a slow disk delays no tick; and mends what failed.

Rules:
- In the order of the segments: none gets its name before all of those before it are in their files.
- After a failed sync the descriptor is never tried again: what the kernel still holds of it is no longer known. The
  segment is written anew, from memory.
- So with a sync of the folder: every segment that it was to list is written anew, under its name.
- What failed is tried again after ``RETRY_SECONDS``, for as long as it takes; a copy goes when its bytes and its name
  are durable.
- The lock is not held while the thread syncs or keeps room: whoever appends waits for neither.
"""

import contextlib
import errno
import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import structlog

from recorder.journal.durable import sync_folder
from recorder.journal.lock import rendering
from recorder.journal.room import free
from recorder.journal.segment import Segment
from recorder.journal.spares import Spares

RETRY_SECONDS = 1.0

CLOSE_SECONDS = 3.0
"""So long the last bytes are tried again at the end: a disk that is ill for a moment must not cost them."""

_CLOSE_PAUSE = 0.05

HANG_SECONDS = 10.0
"""A turn that takes longer is told. A disk that is busy, or has to spin up, is done by then; one that is ill may take
minutes to fail, for the kernel waits 30 s for a command and tries again."""

log = structlog.get_logger("recorder.journal")


class JournalError(OSError):
    """The journal cannot be written any more, not even into memory; or there is no place to begin it."""


class Syncer:
    """Secures the segments every ``seconds``; with 0 each write is synced by whoever writes.

    Attributes:
        lock: held to append, to begin a segment and to change a segment's file.
        segments: those that are not yet safe, in order; the last one is being written.
        spares: room for a full disk.
        error: what the disk said last; None: it has not failed, or is well again.
    """

    def __init__(self, root: Path, seconds: float, spares: Spares, watch: Callable[[], None]) -> None:
        """``watch`` is called at the end of every turn."""
        self.lock = threading.RLock()
        self.segments: list[Segment] = []
        self.spares = spares
        self.error: OSError | None = None
        self._root = root
        self._folder = root / "journal"
        self._seconds = seconds
        self._watch = watch
        self._filled = 0.0
        self._began = math.inf
        self._stop = threading.Event()
        self._turning = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="journal-sync", daemon=True)

    @property
    def held(self) -> int:
        """Bytes in memory."""
        return sum([len(segment.copy) for segment in self.segments])

    @property
    def waiting(self) -> int:
        """Bytes of sealed segments that are not durable yet: many where the disk hangs rather than fails."""
        return sum([len(segment.copy) for segment in self.segments[:-1]])

    @property
    def in_order(self) -> bool:
        """Whether all that was written so far is in files."""
        return all(segment.is_whole for segment in self.segments)

    @property
    def fails(self) -> bool:
        """Whether a file or a name could not be made durable, and has not been since."""
        return any(segment.spoilt for segment in self.segments)

    @property
    def hangs(self) -> bool:
        """Whether the turn that goes on takes longer than a disk should need."""
        return time.monotonic() - self._began > HANG_SECONDS

    @property
    def is_durable(self) -> bool:
        """Whether a power cut would take nothing of what was there when the last turn began."""
        tried = all(one.is_whole and one.synced and one.listed for one in self.segments)
        return tried and not self.fails

    def start(self) -> None:
        """Begin to turn, at once: spares are made before they are needed."""
        self._thread.start()

    def wrote(self) -> None:
        """Bytes were written: with 0 seconds they become durable here."""
        if self._seconds == 0:
            with self.lock, self._noted(self.segments[-1]):
                if not self.segments[-1].spoilt:
                    self.segments[-1].sync()
                self._sync_names()

    def close(self) -> None:
        """End the thread and secure what can be; the segments left in ``segments`` are not."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        until = time.monotonic() + CLOSE_SECONDS
        while not self._finished() and time.monotonic() < until:
            time.sleep(_CLOSE_PAUSE)
        for segment in self.segments:
            segment.close()

    def _finished(self) -> bool:
        """One more turn, without the pauses between tries; whether nothing is left to be made durable."""
        for segment in self.segments:
            segment.again = 0.0
        self._guarded_turn()
        self._release(self.segments)
        return not self.segments

    def turn(self) -> None:
        """Secure what can be secured now."""
        with self._turning:
            self._began = time.monotonic()
            try:
                self._secure_all()
            finally:
                self._began = math.inf
            self._watch()

    def _secure_all(self) -> None:
        for segment in list(self.segments):
            if segment.again <= time.monotonic():
                with self._noted(segment):
                    self._secure(segment)
            if not segment.is_whole:
                break
        with self._noted():
            self._sync_names()
        self._release(self.segments[:-1])
        if time.monotonic() - self._filled >= RETRY_SECONDS:
            self._fill()

    def _run(self) -> None:
        self._guarded_turn()
        while not self._stop.wait(self._seconds or RETRY_SECONDS):
            self._guarded_turn()

    def _guarded_turn(self) -> None:
        try:
            self.turn()
        except Exception as error:  # the thread must not end: nobody else makes anything durable
            self.error = OSError(errno.EIO, repr(error))
            log.exception("the journal could not be made durable", problem=str(error))

    @contextlib.contextmanager
    def _noted(self, segment: Segment | None = None) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.error = error
            if segment is not None:
                segment.again = time.monotonic() + RETRY_SECONDS

    def _secure(self, segment: Segment) -> None:
        with self.lock:  # whoever writes may be about to take back what the file has just refused
            renew, direct = bool(segment.spoilt) or not segment.is_named, segment.direct
        if renew:
            self._renew(segment)
        elif not direct:
            segment.flush()
            with self.lock:
                segment.flush()
                segment.direct = True
        with self._noted(segment):
            segment.sync()
        if segment.spoilt:
            segment.again = 0.0  # its first try is due with the next turn, not behind a pause

    def _renew(self, segment: Segment) -> None:
        """All of it into a fresh file, which takes its name."""
        if free(self._folder) < len(segment.copy):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        staged = self._folder / "rescue"
        staged.unlink(missing_ok=True)
        descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            written = segment.copy_to(descriptor, 0)
            os.fdatasync(descriptor)
            with rendering(self._root):
                if segment.is_named and not segment.path.exists():
                    segment.rendered()
                    return
                segment.keep_aside()
                with self.lock:  # what was appended meanwhile is written, and synced when nobody waits for it
                    segment.copy_to(descriptor, written)
                    segment.replace(staged, descriptor, written)
        finally:
            os.close(descriptor)
            with contextlib.suppress(OSError):
                staged.unlink()

    def _sync_names(self) -> None:
        unlisted = [segment for segment in self.segments if segment.is_named and not segment.listed]
        if not unlisted:
            return
        try:
            sync_folder(self._folder)
        except OSError:
            for segment in unlisted:
                segment.spoilt = segment.spoilt or "name-failed"
                segment.again = time.monotonic() + RETRY_SECONDS  # in vain as long as this fails
            raise
        for segment in unlisted:
            segment.listed = True

    def _release(self, segments: list[Segment]) -> None:
        """Let go of what is durable."""
        for segment in [one for one in segments if one.is_durable]:
            with self.lock:
                self.segments.remove(segment)
                segment.close()

    def _fill(self) -> None:
        """Spares are made while all goes well; behind a full disk the segments come first."""
        self._filled = time.monotonic()
        last = self.segments[-1] if self.segments else None
        if last is None or not last.direct or last.spare:
            return
        with contextlib.suppress(OSError):  # how much room is left is for the disk's alarm to say
            self.spares.fill(self.lock)
