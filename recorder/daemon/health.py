"""Does somebody have to get up? Pure.

Rules:
- Healthy is what records, or can be expected to come back by itself: trouble counts after ``PATIENCE_SECONDS``.
- While IB resets its servers no connection is missed; the patience begins when that is over.
- What is ``urgent`` counts at once, whatever the hour: a gateway comes back by itself, a disk does not, and what the
  recorder can hold without one is bounded. It is for a person, not for a restart, which would throw that away.
"""

from dataclasses import dataclass

from recorder.session.status import Status
from recorder.session.windows import window

PATIENCE_SECONDS = 300.0
"""Trouble that lasts so long does not end by itself. A gateway that starts anew is back before."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether it is well, or not for long enough to matter; and why, in words."""

    ok: bool
    words: str


@dataclass(slots=True)
class Health:
    """What is remembered of it.

    Attributes:
        well_at: when nothing was wrong last, or began, on the steady clock.
        trouble: what is wrong now; None: nothing.
    """

    well_at: float
    trouble: str | None = None

    def see(self, trouble: str | None, steady: float) -> None:
        """Take what ``trouble`` says at a moment."""
        self.trouble = trouble
        if trouble is None:
            self.well_at = steady

    def verdict(self, words: str, steady: float, urgent: str | None = None) -> Verdict:
        """What it comes to; ``words`` say how things are when they are well, ``urgent`` what cannot wait."""
        if urgent is not None:
            return Verdict(False, urgent if self.trouble is None else f"{urgent}; {self.trouble}")
        if self.trouble is None:
            return Verdict(True, words)
        seconds = steady - self.well_at
        if seconds < PATIENCE_SECONDS:
            return Verdict(True, f"{self.trouble}; for {span(seconds)}, which may pass")
        return Verdict(False, f"{self.trouble}; for {span(seconds)}")


def trouble(now: Status, failed: str | None, wall: int) -> str | None:
    """What is wrong, in words; ``failed``: why Parquet could not be written. None: nothing that matters."""
    if now.phase not in ("leaving", "over") and (now.phase != "online" or now.ib_lost):
        return None if window(wall) else now.words
    if now.phase == "online" and not now.recording:
        return f"nothing is recorded: {now.words}"
    if failed is not None:
        return f"Parquet is not written, the journal keeps everything: {failed}"
    return None


def span(seconds: float) -> str:
    """A length of time as people say it: ``40 s``, ``7 min``, ``3 h 05 min``, ``2 d 4 h``."""
    minutes = int(seconds) // 60
    if minutes < 2:
        return f"{max(0, int(seconds))} s"
    if minutes < 120:
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h {minutes % 60:02d} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"
