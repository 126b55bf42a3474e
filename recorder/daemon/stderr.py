"""Standard error that nobody waits for: a thread writes what is said there.

A terminal held with Ctrl-S, a pipe that nobody reads any more: who writes there stands still, and the loop that reads
the socket must not.

Rules:
- All is written in order, as soon as the other end takes it; tracebacks and what else a process says last too.
- ``MOST_LINES`` wait at most. More are dropped and counted, and the log says so when the other end takes some again.
- The end waits ``LEAVE_SECONDS`` for what is left to be written, and no longer.
"""

import atexit
import io
import os
import sys
import threading
from typing import TextIO, cast

import structlog

MOST_LINES = 5000

LEAVE_SECONDS = 2.0

log = structlog.get_logger("recorder")


class Aside(io.TextIOBase):
    """A text stream in front of another, which a thread of its own writes to."""

    def __init__(self, behind: TextIO) -> None:
        self._behind = behind
        self._lines: list[str] = []
        self._dropped = 0
        self._changed = threading.Condition()
        behind.flush()
        threading.Thread(target=self._pass_on, name="stderr", daemon=True).start()

    def write(self, text: str, /) -> int:
        """Say something; nobody is waited for."""
        with self._changed:
            if len(self._lines) < MOST_LINES:
                self._lines.append(text)
                self._changed.notify_all()
            else:
                self._dropped += 1
        return len(text)

    def isatty(self) -> bool:
        """Whether a person reads along."""
        return self._behind.isatty()

    def fileno(self) -> int:
        """The number of the file behind it."""
        return self._behind.fileno()

    def leave(self) -> None:
        """Wait until all is written, or nobody takes it."""
        with self._changed:
            self._changed.wait_for(lambda: not self._lines, LEAVE_SECONDS)

    def _pass_on(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._lines)
                lines = self._lines[:]
            taken = self._written("".join(lines))
            with self._changed:
                del self._lines[: len(lines)]
                dropped = self._dropped
                self._dropped = 0 if taken else dropped + len(lines)
                self._changed.notify_all()
            if taken and dropped:
                log.warning("log lines were dropped: standard error did not take them", lines=dropped)

    def _written(self, text: str) -> bool:
        """Past the stream's own buffer: at its end Python waits for that, and for whoever holds it."""
        left = memoryview(text.encode(errors="backslashreplace"))
        try:
            while left:
                left = left[os.write(self.fileno(), left) :]
        except OSError:  # a full disk, a reader that has gone
            return False
        return True


def hand_over() -> None:
    """From now on whatever this process says on standard error goes through an ``Aside``."""
    aside = Aside(sys.stderr)
    sys.stderr = cast("TextIO", aside)
    atexit.register(aside.leave)
