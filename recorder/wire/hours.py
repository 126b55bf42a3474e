"""Trading hours, as contract details tell them: when a market is open, and when it is known to be closed.

Rules:
- Nothing is concluded from what is not there: a day that the text does not list, or that does not read, is
  neither open nor closed. So is everything in a time zone that is not known.
- A day means a trading day. ``1700-1515`` of a day opens on the evening before (IB: "20090507:0700-1830,..."); since
  TWS 970 both ends carry their date. So a text whose sessions open in the evening tells nothing of its last
  evening, and nothing of its first day before the session that opens there.
- Where clocks are turned, an hour that is said twice or not at all counts as open.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from math import inf
from typing import TypeAlias
from zoneinfo import ZoneInfo

from recorder.wire.stretches import merged, within, without

Stretch: TypeAlias = tuple[float, float]
"""From (included), to (excluded), in seconds since 1970."""

_ZONES = {
    "EST": "US/Eastern",  # zoneinfo's own EST knows no summer time
    "CST": "US/Central",
    "MST": "US/Mountain",
    "PST": "US/Pacific",
    "GMT": "GB",  # IB said so of London, in summer too
    "BST": "GB",
    "JST": "Japan",
    "AET": "Australia/NSW",
    "AEST": "Australia/NSW",
    "IST": "Asia/Calcutta",  # Tel Aviv is Israel
    "HKT": "Hongkong",
    "KST": "ROK",
}
"""What IB's short names mean where zoneinfo has none, or another meaning. Newer gateways send names of zoneinfo's."""

_ENTRY = re.compile(r"((?:19|20|21)\d{6}):(.+)")
_SESSION = re.compile(r"(\d{4})-(?:((?:19|20|21)\d{6}):)?(\d{4})")
_LONGEST = timedelta(days=8)
"""No session is longer; one that seems to be does not read."""

_DAY = timedelta(days=1)
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Hours:
    """When a market is open and when it is closed, as far as that is known.

    Attributes:
        sessions: when it is open, in order; sessions that touch are one.
        closed: when it is known to be closed, in order.
    """

    sessions: tuple[Stretch, ...] = ()
    closed: tuple[Stretch, ...] = ()

    @classmethod
    def parse(cls, text: str | None, time_zone: str | None) -> "Hours":
        """Read ``trading_hours`` or ``liquid_hours`` with their ``time_zone``; what does not read is not known."""
        return _parsed(text or "", time_zone or "")

    def open_at(self, ts: float) -> bool | None:
        """Whether the market is open at a moment; None: that is not known."""
        if _around(self.sessions, ts):
            return True
        return False if _around(self.closed, ts) else None

    def next_change(self, ts: float) -> float | None:
        """When the market opens or closes next; None: not known, or nothing is known of ``ts`` itself."""
        for own, other in ((self.sessions, self.closed), (self.closed, self.sessions)):
            if found := _around(own, ts):
                return found[1] if _around(other, found[1]) else None
        return None

    def closed_between(self, begin: float, end: float) -> list[Stretch]:
        """The stretches between two moments in which the market is known to be closed."""
        return within(self.closed, begin, end)


@dataclass(frozen=True, slots=True)
class _Session:
    """One session in local time."""

    begin: datetime
    end: datetime

    @property
    def first(self) -> date:
        return self.begin.date()

    @property
    def day(self) -> date:
        """The trading day: the day on which it ends, of which midnight is no part."""
        return (self.end - _INSTANT).date()


@lru_cache(maxsize=4096)
def _parsed(text: str, time_zone: str) -> Hours:
    """Many lines share one text, and hours are asked for time and again."""
    zone = _zone(time_zone)
    if zone is None:
        return Hours()
    sessions, days = _read(text)
    is_open = merged((_earliest(one.begin, zone), _latest(one.end, zone)) for one in sessions)
    known = merged((_latest(begin, zone), _earliest(end, zone)) for begin, end in _known(sessions, days))
    return Hours(tuple(is_open), tuple(without(known, is_open)))


def _zone(name: str) -> ZoneInfo | None:
    """The zone of ``US/Eastern``, ``JST`` or ``EST (Eastern Standard Time)``."""
    short = name.partition("(")[0].strip()
    try:
        return ZoneInfo(_ZONES.get(short, short))
    except (KeyError, ValueError, OSError):  # zoneinfo looks for a file of that name
        return None


def _read(text: str) -> tuple[list[_Session], set[date]]:
    """The sessions, and the days of which everything is told."""
    sessions: list[_Session] = []
    told: set[date] = set()
    spoiled: set[date] = set()
    for entry in text.split(";"):
        try:
            day, found = _entry(entry.strip())
        except ValueError:
            spoiled |= _days_in(entry)
            continue
        sessions += found
        told |= {one.day for one in found} or {day}
    return sessions, told - spoiled


def _entry(entry: str) -> tuple[date, list[_Session]]:
    """Day and sessions of ``20090507:0700-1830,1830-2330``, ``20181121:0400-20181121:2000`` or ``20181122:CLOSED``.

    Raises:
        ValueError: it is none of these.
    """
    matched = _ENTRY.fullmatch(entry)
    if matched is None:
        raise ValueError(entry)
    day, what = _date(matched[1]), matched[2].strip()
    if what == "CLOSED":
        return day, []
    return day, [_session(day, part.strip()) for part in what.split(",")]


def _session(day: date, text: str) -> _Session:
    matched = _SESSION.fullmatch(text)
    if matched is None:
        raise ValueError(text)
    begin = _moment(day, matched[1])
    if matched[2]:
        end = _moment(_date(matched[2]), matched[3])
    else:
        end = _moment(day, "2400" if matched[3] == "0000" else matched[3])
        begin -= _DAY * (begin >= end)
    if not timedelta(0) < end - begin <= _LONGEST:
        raise ValueError(text)
    return _Session(begin, end)


def _date(text: str) -> date:
    return date(int(text[:4]), int(text[4:6]), int(text[6:]))


def _moment(day: date, clock: str) -> datetime:
    """``2400`` is the next midnight."""
    midnight = datetime.combine(day, time())
    return (
        midnight + _DAY if clock == "2400" else midnight.replace(hour=int(clock[:2]), minute=int(clock[2:]))
    )


def _days_in(entry: str) -> set[date]:
    """The dates in an entry that does not read: nothing is known of them."""
    found = set()
    for text in re.findall(r"(?:19|20|21)\d{6}", entry):
        try:
            found.add(_date(text))
        except ValueError:
            continue
    return found


def _known(sessions: Sequence[_Session], told: set[date]) -> Iterator[tuple[datetime, datetime]]:
    """The local times of which the text tells everything: runs of days."""
    evenings = [one for one in sessions if one.first < one.day]
    eves = {one.first: one.begin for one in sorted(evenings, key=lambda one: one.begin, reverse=True)}
    evening = min((one.begin.time() for one in evenings), default=time())
    for first, last in _runs(sorted(told | {day for day in eves if day + _DAY in told})):
        begin = datetime.combine(first, time()) if first in told else eves[first]
        yield (
            begin,
            datetime.combine(last, evening) if evening > time() else datetime.combine(last + _DAY, time()),
        )


def _runs(days: Sequence[date]) -> Iterator[tuple[date, date]]:
    """First and last of each run of consecutive days."""
    breaks = [n for n, (one, other) in enumerate(pairwise(days), 1) if other - one != _DAY]
    for begin, end in pairwise([0, *breaks, len(days)]):
        if begin < end:
            yield days[begin], days[end - 1]


def _earliest(local: datetime, zone: ZoneInfo) -> float:
    return min(local.replace(tzinfo=zone, fold=fold).timestamp() for fold in (0, 1))


def _latest(local: datetime, zone: ZoneInfo) -> float:
    return max(local.replace(tzinfo=zone, fold=fold).timestamp() for fold in (0, 1))


def _around(stretches: Sequence[Stretch], ts: float) -> Stretch | None:
    place = bisect_right(stretches, (ts, inf)) - 1
    return stretches[place] if place >= 0 and ts < stretches[place][1] else None
