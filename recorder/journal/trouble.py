"""What is wrong with the journal's disk and where records go meanwhile, in words; a line in the log at each change.

Rules:
- An alarm stays until everything is durable again, not until the first write succeeds.
- The line says whether what is recorded is safe: that is what somebody woken by it has to know first.
"""

import contextlib
import errno
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, TypeAlias

import structlog

from recorder.wire.activity import Mark

Kind: TypeAlias = Literal["overflow", "memory", "hanging", "failing", "spare", "ending"]
"""Nothing recorded; into memory; a sync does not end; a file is not to be trusted; into a spare; all well but not yet
durable."""

_EVENTS: dict[Kind, str] = {
    "overflow": "nothing is recorded: neither disk nor memory has room",
    "memory": "what is recorded now is in memory alone",
    "hanging": "what is recorded now is written to a disk that does not make it durable",
    "failing": "the journal is not safely on disk",
    "spare": "the journal is safely on disk, in the room that was kept for this",
    "ending": "the journal is on disk again, and not all of it durable yet",
}

_FULL = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the quota of the disk is used up"}

log = structlog.get_logger("recorder.journal")


@dataclass(slots=True)
class Overflow:
    """Reads are left out: neither disk nor memory has a place for them.

    Attributes:
        since: where the last read stands that was journalled.
        began: when the first was left out, microseconds.
        bytes: how many bytes were, up to now.
    """

    since: Mark
    began: int
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """Where records go now.

    Attributes:
        kind: what is wrong; None: nothing.
        held: bytes in memory.
        memory: how many there may be.
        spare: bytes that the spares still take.
        overflow: what is being left out.
    """

    kind: Kind | None
    held: int
    memory: int
    spare: int
    overflow: Overflow | None


class Alarm:
    """Since when something has been wrong, and what of it has been said.

    Attributes:
        since: when it began, microseconds; 0: all is well.
        said: what was logged last; None: nothing since all was well.
    """

    def __init__(self, clock: Callable[[], int]) -> None:
        self.since = 0
        self.said: Kind | None = None
        self._clock = clock

    def begin(self) -> None:
        """Something is wrong."""
        self.since = self.since or self._clock()

    def say(self, place: Place, error: OSError | None) -> None:
        """A line in the log if things have changed."""
        if place.kind is None:
            self._end(error)
            return
        self.begin()
        if place.kind != self.said:
            self.said = place.kind
            with contextlib.suppress(OSError):  # the log may lie on the same disk
                log.error(_EVENTS[place.kind], reason=words(place, self.since, error))

    def _end(self, error: OSError | None) -> None:
        if self.since:
            seconds = round((self._clock() - self.since) / 1e6, 1)
            with contextlib.suppress(OSError):
                log.warning("the journal is whole on disk again", seconds=seconds, cause=_cause(error))
        self.since, self.said = 0, None


def words(place: Place, since: int, error: OSError | None) -> str:
    """What is wrong, since when, and where records go."""
    cause = "the disk hangs" if place.kind == "hanging" else _cause(error)
    begun = f"{cause} since {_clock_time(since)}"
    match place.kind:
        case "overflow" if place.overflow is not None:
            lost = f"nothing is recorded since {_clock_time(place.overflow.began)}"
            return f"{begun}; {lost}: {place.overflow.bytes:,} bytes left out"
        case "memory":
            return f"{begun}; recording into memory, {place.held / 1e6:.1f} of {place.memory / 1e6:.0f} MB"
        case "spare":
            return f"{begun}; recording into the spare segments, {place.spare / 1e6:.0f} MB left"
        case "hanging":
            return (
                f"{begun}; what is recorded since a power cut would take: see the kernel's log for that disk"
            )
        case "failing":
            return f"{begun}; what it does not keep is held in memory and written anew"
    return f"{begun}; it takes bytes again, which are being made durable"


def _cause(error: OSError | None) -> str:
    if error is None:
        return "the disk is behind"
    return _FULL.get(error.errno or 0, f"the disk fails ({error.strerror or error})")


def _clock_time(ts: int) -> str:
    return f"{datetime.fromtimestamp(ts / 1e6, UTC):%H:%M} UTC"
