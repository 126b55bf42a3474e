"""How long will the disk last? Pure: bytes free, seen every ``SAMPLE_SECONDS``, become days left and a verdict.

Rules:
- Only whole days are compared. Most of a day's ticks come in a few hours, and the night's compaction and retention
  give room back: an hour's speed, taken for a day's, is a false alarm at the opening and false comfort at night. So
  a median of six hours is set against that of the same six hours a day before; what comes and goes in less than
  three hours (a compaction's copy, another program's burst) moves neither.
- A weekend is no cure: the week's middle day counts too, so that a quiet Saturday promises nothing. Of the two the
  faster rules: what begins to eat the disk today is heard of today, not when it is half of a week.
- What went in less than a day counts as a day's, and is not drawn out to one. In the first thirty hours the days
  left come out too many, never too few: nobody is woken because the recorder was started at the opening.
- The room there is now is divided, not its median: what others have taken this minute is gone.
"""

from collections import deque
from dataclasses import dataclass, replace
from enum import IntEnum
from statistics import median, median_high

WARN_DAYS = 7.0
"""Fewer days left are a warning: over a weekend and a holiday there is still time to buy a disk."""

ALARM_DAYS = 1.0
"""Fewer are an alarm: whoever sleeps over it may wake to a full disk."""

LEAST_BYTES = 1_000_000_000
"""Less room is an alarm whatever the rate: a compaction's copy, or another program, takes that in minutes."""

FULL_BYTES = 8 * 1024 * 1024
"""Less room is none: no segment of the journal fits any more."""

SAMPLE_SECONDS = 300.0

AGAIN_SECONDS = 86_400.0
"""A warning that goes on is said again so often."""

_DAY = 288
"""Samples of a day."""

_KEPT = 360
"""Samples kept: thirty hours, so that the first and the last fifth are a day apart."""

_LEAST = 72
"""Samples of six hours: of fewer nothing is said."""

_FAR_DAYS = 3650.0
"""A disk that lasts longer is one that does not fill."""

_SLACK = 1.25
"""It is over when so many times the room is there: at a limit it would come and go with every file."""


class Grade(IntEnum):
    """How bad it is: nothing to do, something within days, something now."""

    FINE = 0
    SOON = 1
    NOW = 2


@dataclass(frozen=True, slots=True)
class Outlook:
    """The disk at one moment.

    Attributes:
        free: bytes left.
        a_day: bytes that go in a day; None: not known yet, or it does not shrink.
    """

    free: int
    a_day: int | None = None

    @property
    def days(self) -> float | None:
        """How many days it lasts; None: not known, or it does not fill."""
        days = self.free / self.a_day if self.a_day else _FAR_DAYS
        return days if days < _FAR_DAYS else None

    @property
    def grade(self) -> Grade:
        """The verdict."""
        days = self.days
        if self.free < LEAST_BYTES or (days is not None and days < ALARM_DAYS):
            return Grade.NOW
        return Grade.SOON if days is not None and days < WARN_DAYS else Grade.FINE

    @property
    def words(self) -> str:
        """How it is, for people: ``the disk is full in about 3 days (12.4 GB left, 4.1 GB a day)``."""
        left = f"{size(self.free)} left"
        if self.free < FULL_BYTES:
            return f"the disk is full ({left})"
        near = "the disk is nearly full" if self.free < LEAST_BYTES else ""
        if self.days is None or self.a_day is None:
            return f"{near} ({left})" if near else f"the disk has {left}"
        until = f"full in about {_length(self.days)} ({left}, {size(self.a_day)} a day)"
        return f"{near}, {until}" if near else f"the disk is {until}"

    @property
    def alarm(self) -> str | None:
        """Why somebody has to get up; None: nobody has."""
        return self.words if self.grade is Grade.NOW else None


class Room:
    """What room there was: thirty hours of samples, and what each of the last seven days took."""

    def __init__(self) -> None:
        self._samples: deque[int] = deque(maxlen=_KEPT)
        self._days: deque[int] = deque(maxlen=7)
        self._next_day = _KEPT

    def take(self, free: int) -> None:
        """One more sample, ``SAMPLE_SECONDS`` after the last."""
        self._samples.append(free)
        self._next_day -= 1
        if self._next_day == 0:
            self._days.append(self._taken())
            self._next_day = _DAY

    def outlook(self, free: int) -> Outlook:
        """What it comes to with these bytes free now."""
        if len(self._samples) < _LEAST:
            return Outlook(free)
        a_day = max(self._taken(), median_high(self._days) if self._days else 0)
        return Outlook(free, a_day if a_day > 0 else None)

    def _taken(self) -> int:
        """By how much the last fifth of the samples lies below the first: with all of them, a day's."""
        samples = list(self._samples)
        fifth = len(samples) // 5
        return int(median(samples[:fifth]) - median(samples[-fifth:]))


@dataclass(slots=True)
class Said:
    """What the log was told last, and when on the steady clock."""

    grade: Grade = Grade.FINE
    at: float = 0.0

    def due(self, outlook: Outlook, steady: float) -> Grade | None:
        """What it is to be told now: a change, or that it goes on; None: nothing."""
        grade = outlook.grade
        if grade < self.grade:
            leaner = replace(outlook, free=int(outlook.free / _SLACK))
            grade = min(self.grade, leaner.grade)
        goes_on = grade is not Grade.FINE and steady - self.at >= AGAIN_SECONDS
        if grade is self.grade and not goes_on:
            return None
        self.grade, self.at = grade, steady
        return grade


def size(count: float) -> str:
    """A number of bytes as people say it: ``12.4 GB``, ``850 MB``, ``3.1 MB``."""
    if count >= 999.5e6:
        return f"{count / 1e9:,.1f} GB"
    return f"{count / 1e6:.0f} MB" if count >= 9.95e6 else f"{count / 1e6:.1f} MB"


def _length(days: float) -> str:
    if days >= 2:
        return f"{days:,.0f} days"
    hours = max(1, round(days * 24))
    return f"{hours} hour{'s' if hours > 1 else ''}"
