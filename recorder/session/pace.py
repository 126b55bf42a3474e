"""How fast a line usually ticks, and how long it may be quiet before something is wrong.

Rule: measured against itself alone. What counts is time in which its market was open.
"""

from dataclasses import dataclass

_LEAST, _ENOUGH = 3, 20
"""Ticks from which on a line's rate is guessed, with the more patience the fewer they are; and after which it counts
as known."""

_LONGEST_TIMES, _MEAN_TIMES = 4.0, 20.0
"""A pause this many times the longest of late, and as many times the mean, is no pause any more. At a steady mean
rate, 20 times the mean is exceeded by chance once in e^20 = 5e8 pauses."""

_MEAN_HALF, _LONGEST_HALF = 600.0, 1800.0
"""Seconds after which what was learned counts half."""


@dataclass(slots=True)
class Pace:
    """The learned rate of one stream.

    Attributes:
        ticks: how many it was learned from, all in all.
        longest: the longest pause, seconds; shrinks as time goes by.
    """

    ticks: int = 0
    longest: float = 0.0
    _weight: float = 0.0
    _seconds: float = 0.0

    def saw(self, count: int, pause: float, seconds: float) -> None:
        """``count`` ticks came within ``seconds``, the first of them after a ``pause`` (part of the seconds)."""
        fade = 0.5 ** (seconds / _MEAN_HALF)
        self._weight = self._weight * fade + count
        self._seconds = self._seconds * fade + seconds
        self.longest = max(pause, self.longest * 0.5 ** (seconds / _LONGEST_HALF))
        self.ticks += count

    @property
    def mean(self) -> float:
        """Seconds between two ticks, lately."""
        return self._seconds / self._weight if self._weight else 0.0

    def patience(self, least: float) -> float | None:
        """How many seconds without a tick are too many, ``least`` at least; None: not known yet."""
        if self.ticks < _LEAST:
            return None
        unsure = max(1.0, _ENOUGH / self.ticks)
        return max(least, _LONGEST_TIMES * self.longest * unsure, _MEAN_TIMES * self.mean * unsure)
