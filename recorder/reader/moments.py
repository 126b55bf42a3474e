"""What users say about time, as exact UTC moments.

Rules:
- A range includes its start and excludes its end; a missing one is open.
- A moment without a zone is UTC; a date is its midnight, as a start and as an end.
"""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import TypeAlias

import numpy as np

Moment: TypeAlias = str | date | datetime | np.datetime64
"""ISO text (``2026-11-22``, ``2026-11-22T14:30:00+01:00``), date, datetime, pandas Timestamp."""

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
"""Before every recording."""


def moment(value: Moment) -> datetime:
    """The UTC datetime, in whole microseconds, that ``value`` means.

    Raises:
        ValueError: a text that is no ISO date or time, or no time at all (NaT).
        TypeError: something else.
    """
    if isinstance(value, np.datetime64):
        value = value.astype("datetime64[us]").item()
    if isinstance(value, str):
        return _utc(_parsed(value))
    if isinstance(value, datetime):
        return _utc(value)
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC)
    raise TypeError(f"{value!r} is no time; give ISO text, a date or a datetime")


def _parsed(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"{text!r} is no time; write 2026-11-22 or 2026-11-22 14:30:00") from None


def _utc(value: datetime) -> datetime:
    if value != value:  # noqa: PLR0124 - pandas' NaT is a datetime unequal to itself
        raise ValueError("NaT is no time")
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    aware = aware.astimezone(UTC)
    # a pandas Timestamp carries nanoseconds that a plain datetime does not
    return datetime.combine(aware.date(), aware.time(), UTC)


@dataclass(frozen=True, slots=True)
class Span:
    """A range of time, start included, end excluded; None: open."""

    start: datetime | None = None
    end: datetime | None = None

    @classmethod
    def of(cls, start: Moment | None, end: Moment | None) -> "Span":
        """The range a user means.

        Raises:
            ValueError: the start lies behind the end.
        """
        span = cls(None if start is None else moment(start), None if end is None else moment(end))
        if span.start and span.end and span.start > span.end:
            raise ValueError(f"start {span.start} lies behind end {span.end}")
        return span

    @classmethod
    def day(cls, day: Moment | None) -> "Span":
        """The UTC day of a moment; None: all time."""
        if day is None:
            return cls()
        midnight = datetime.combine(moment(day).date(), time(), UTC)
        return cls(midnight, midnight + timedelta(days=1))

    def touches(self, day: date) -> bool:
        """Whether any moment of the UTC day lies in the range."""
        midnight = datetime.combine(day, time(), UTC)
        ended = self.end is not None and self.end <= midnight
        return not ended and (self.start is None or self.start < midnight + timedelta(days=1))

    def until(self, end: datetime) -> "Span":
        """The range with another end."""
        return replace(self, end=end)
