"""When IB resets its servers. It changes how loud the recorder is, and nothing else.

Source: IB's "System Status" page: North America, 23:45 to 00:45 Eastern Sunday to Friday; Friday 23:00 to Saturday
03:00 for everyone. A gateway that logs in anew by itself does so on Sunday, from 01:00 Eastern on.
"""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

_EASTERN = ZoneInfo("America/New_York")
_FRIDAY, _SATURDAY, _SUNDAY = 4, 5, 6


def window(wall: int) -> str | None:
    """The window that the moment (microseconds since 1970) lies in, in words; None: IB should be there."""
    there = datetime.fromtimestamp(wall / 1e6, UTC).astimezone(_EASTERN)
    minute = there.hour * 60 + there.minute
    day = there.weekday()
    if (day == _FRIDAY and minute >= 23 * 60) or (day == _SATURDAY and minute < 3 * 60):
        return "IB's weekend reset"
    if day == _SUNDAY and 60 <= minute < 120:
        return "Sunday's log-in"
    if minute >= 23 * 60 + 45 or minute < 45:
        return "IB's nightly reset"
    return None
