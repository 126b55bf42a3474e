"""Makes what was written durable, in a thread, so that a slow disk delays no tick.

Rules:
- Sealed segments are synced and closed here; the newest stays open.
- After a failed sync the descriptor is never tried again: what the kernel still holds is no longer known.
"""

import os
import threading
from pathlib import Path

from recorder.journal.folder import sync_folder


class JournalError(OSError):
    """The journal cannot be written or made durable; recording cannot go on."""


class Syncer:
    """Syncs the journal every ``seconds``; with 0 at every write, in the caller's thread."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self._folder = folder
        self._seconds = seconds
        self._lock = threading.Lock()
        self._retired: list[int] = []
        self._written: int | None = None
        self._new_name = False
        self._failure: OSError | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="journal-sync", daemon=True)
        if seconds > 0:
            self._thread.start()

    def check(self) -> None:
        """Raise ``JournalError`` if a sync has failed."""
        if self._failure is not None:
            raise JournalError(self._failure.errno, f"{self._folder}: not durable: {self._failure.strerror}")

    def began(self) -> None:
        """A segment was created: its name must become durable too."""
        self._new_name = True

    def wrote(self, descriptor: int) -> None:
        """Bytes were written to the newest segment."""
        self._written = descriptor
        if self._seconds == 0:
            self.sync()
            self.check()

    def retire(self, descriptor: int) -> None:
        """A segment was sealed: sync and close it."""
        with self._lock:
            self._retired.append(descriptor)
            self._written = None

    def close(self) -> None:
        """Sync everything and end the thread."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self.sync()

    def sync(self) -> None:
        """Make everything written so far durable; a failure is kept for ``check``."""
        with self._lock:
            retired, self._retired = self._retired, []
            written, self._written = self._written, None
            new_name, self._new_name = self._new_name, False
        try:
            for descriptor in [*retired, *([] if written is None else [written])]:
                os.fdatasync(descriptor)
            if new_name:
                sync_folder(self._folder)
        except OSError as error:
            self._failure = error
        for descriptor in retired:
            os.close(descriptor)

    def _run(self) -> None:
        while not self._stop.wait(self._seconds):
            self.sync()
