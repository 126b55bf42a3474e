"""The log of the night: which faults were on when, and for whom."""

import time
from dataclasses import dataclass, field

from night.market import Key

_SLACK = 1.0
"""Seconds before and behind a fault in which a gap is still its doing."""


@dataclass(slots=True)
class Fault:
    """One fault.

    Attributes:
        keys: whom it concerns; None: all.
        benign: nothing is lost by it, so it explains no gap.
        end: when the gateway had got over it, or the recorder had answered; None: not yet.
        lasting: the recorder has not answered in time; it ends when it does.
    """

    index: int
    kind: str
    benign: bool
    start: float = field(default_factory=time.time)
    end: float | None = None
    keys: frozenset[Key] | None = None
    note: str = ""
    lasting: bool = False

    def over(self) -> None:
        """It ends now, or has effects until now."""
        self.end = time.time()

    def touches(self, key: Key) -> bool:
        return self.keys is None or key in self.keys

    def explains(self, key: Key, start: float, end: float) -> bool:
        """Whether a gap of this stream at this time may be its doing."""
        return self.touches(key) and self._was_on(start, end)

    def excuses(self, start: float, end: float) -> bool:
        """Whether a stream it does not touch may be suspected: the word of a broken farm does not say whose it is."""
        return self.kind == "farm" and self._was_on(start, end)

    def _was_on(self, start: float, end: float) -> bool:
        last = float("inf") if self.end is None else self.end + _SLACK
        return not self.benign and self.start - _SLACK <= end and start <= last

    def told(self, begin: float) -> str:
        """The fault as a line of the report; times are seconds since ``begin``."""
        end = "on" if self.end is None else f"{self.end - begin:.2f}"
        whom = "all" if self.keys is None else " ".join(sorted({name for name, _ in self.keys}))
        return f"#{self.index} {self.kind} {self.start - begin:.2f}..{end} ({whom}) {self.note}".rstrip()
