"""Trading and liquid hours in IB's format, made for the coming days from the clock.

Rules:
- Pure: the moment is an argument.
- Hours are the real venues'; ``around_the_clock`` makes those of a market that never closes.
"""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

DAYS = 6
"""How many days ahead IB lists."""


@dataclass(frozen=True, slots=True)
class Hours:
    """When a venue trades.

    Attributes:
        zone: IB's name of the time zone.
        trading: opening and closing, ``HHMM``; an opening later than the closing is the day before, a
            closing that is the opening the day after.
        liquid: the same for the main session.
        every_day: trades on Saturdays, Sundays and holidays too.
    """

    zone: str
    trading: tuple[str, str]
    liquid: tuple[str, str]
    every_day: bool = False

    def around_the_clock(self) -> "Hours":
        """The same place, never closed."""
        return replace(self, trading=("0000", "0000"), liquid=("0000", "0000"), every_day=True)


US_STOCKS = Hours("US/Eastern", ("0400", "2000"), ("0930", "1600"))
EUROPE = Hours("MET", ("0900", "1730"), ("0900", "1730"))
SWISS = Hours("MET", ("0900", "1720"), ("0900", "1720"))
MEXICO = Hours("America/Mexico_City", ("0830", "1500"), ("0830", "1500"))
HONG_KONG = Hours("Hongkong", ("0930", "1600"), ("0930", "1600"))
CME = Hours("US/Central", ("1700", "1600"), ("0830", "1600"))
OPTIONS = Hours("US/Eastern", ("0930", "1615"), ("0930", "1615"))
FOREX = Hours("US/Eastern", ("1715", "1700"), ("1715", "1700"))
INDEX = Hours("US/Central", ("0830", "1500"), ("0830", "1500"))
INDEX_CFD = Hours("US/Eastern", ("1800", "1700"), ("0930", "1600"))
CRYPTO = Hours("US/Eastern", ("0000", "2359"), ("0000", "2359"), every_day=True)
BONDS = Hours("US/Eastern", ("0800", "1700"), ("0800", "1700"))

_HOLIDAYS = {(1, 1), (7, 4), (12, 25)}


def trading_hours(hours: Hours, now: float) -> tuple[str, str]:
    """Trading and liquid hours from the day of ``now`` on, as in ``20221231:CLOSED;20230103:0930-...``."""
    first = datetime.fromtimestamp(now, UTC).astimezone(ZoneInfo(hours.zone)).date()
    days = [first + timedelta(days=n) for n in range(DAYS)]
    return _line(days, hours, hours.trading), _line(days, hours, hours.liquid)


def _line(days: list[date], hours: Hours, session: tuple[str, str]) -> str:
    """A day on whose evening the next day's session opens is not called closed."""
    eve = session[0] > session[1]
    shown = (day for day in days if not (eve and _holiday(day) and not _holiday(day + timedelta(days=1))))
    return ";".join(_day(day, hours, session) for day in shown)


def _holiday(day: date) -> bool:
    return day.weekday() >= 5 or (day.month, day.day) in _HOLIDAYS


def _day(day: date, hours: Hours, session: tuple[str, str]) -> str:
    if not hours.every_day and _holiday(day):
        return f"{day:%Y%m%d}:CLOSED"
    start, end = _session(day, session)
    return f"{start:%Y%m%d:%H%M}-{end:%Y%m%d:%H%M}"


def _session(day: date, session: tuple[str, str]) -> tuple[datetime, datetime]:
    """Opening and closing of the session that belongs to a day, by the venue's clock."""
    opening, closing = (time(int(text[:2]), int(text[2:])) for text in session)
    start = datetime.combine(day, opening) - timedelta(days=opening > closing)
    return start, datetime.combine(day, closing) + timedelta(days=opening == closing)


def is_open(hours: Hours, now: float) -> bool:
    """Whether the venue trades at that moment."""
    return _is_open(hours, int(now // 60))


@lru_cache(maxsize=256)
def _is_open(hours: Hours, minute: int) -> bool:
    """By the minute, which is as fine as hours are: asked a thousand times, worked out once."""
    there = datetime.fromtimestamp(minute * 60, ZoneInfo(hours.zone)).replace(tzinfo=None)
    days = (there.date(), there.date() + timedelta(days=1))
    sessions = (_session(day, hours.trading) for day in days if hours.every_day or not _holiday(day))
    return any(start <= there < end for start, end in sessions)
