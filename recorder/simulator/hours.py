"""Trading and liquid hours in IB's format, made for the coming days from the clock.

Rules:
- Pure: the moment is an argument.
- Hours say when the real venue trades; the simulated market may be open all the same.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

DAYS = 6
"""How many days ahead IB lists."""


@dataclass(frozen=True, slots=True)
class Hours:
    """When a venue trades.

    Attributes:
        zone: IB's name of the time zone.
        trading: opening and closing, ``HHMM``; an opening later than the closing is the day before.
        liquid: the same for the main session.
        every_day: trades on Saturdays, Sundays and holidays too.
    """

    zone: str
    trading: tuple[str, str]
    liquid: tuple[str, str]
    every_day: bool = False


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
    opening, closing = session
    start = day - timedelta(days=1) if opening > closing else day
    if not hours.every_day and _holiday(day):
        return f"{day:%Y%m%d}:CLOSED"
    return f"{start:%Y%m%d}:{opening}-{day:%Y%m%d}:{closing}"
