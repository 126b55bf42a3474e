"""Historical ticks: messages 96, 97 and 98 from what the tape remembers.

Rules:
- Pure. At most 1,000 ticks are asked for; the second that begins within them is told whole, so more can come.
- Masks of message 97 are those of 99 with the two bits exchanged.
"""

import re
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from recorder.simulator.tape import Event
from recorder.simulator.walk import middle
from recorder.wire.layouts import frame

MOST: Final = 1000
"""Ticks a request may ask for."""
SOURCES: Final = {"TRADES": "trades", "BID_ASK": "quotes", "MIDPOINT": "quotes"}
"""What a request may ask to see, and the tape it is read from."""
_IDS: Final = {"TRADES": "98", "BID_ASK": "97", "MIDPOINT": "96"}
_TIME = re.compile(r"(\d{8})[ -](\d\d:\d\d:\d\d)(?: (\S+))?")


def moment(text: str) -> int:
    """The epoch second of a request's time, ``20261122 14:30:00 UTC`` or ``20261122-14:30:00``.

    Raises:
        ValueError: none of the formats, or a time zone that is none.
    """
    match = _TIME.fullmatch(text)
    if not match:
        raise ValueError(text)
    try:
        zone = ZoneInfo(match[3]) if match[3] else UTC
    except ZoneInfoNotFoundError:
        raise ValueError(text) from None
    return int(
        datetime.strptime(f"{match[1]} {match[2]}", "%Y%m%d %H:%M:%S").replace(tzinfo=zone).timestamp()
    )


def changes(events: list[Event]) -> list[Event]:
    """The quotes whose prices are not those of the one before: all a midpoint knows, or ``ignoreSize`` leaves."""
    before = [(), *(values[:2] for _, values in events)]
    return [event for event, last in zip(events, before, strict=False) if event[1][:2] != last]


def select(events: list[Event], start: int | None, end: int | None, count: int) -> list[Event]:
    """``count`` events from ``start`` on, or up to ``end``; the last (the first) second whole."""
    if start is not None:
        later = [event for event in events if event[0] >= start]
        edge = later[count - 1][0] if len(later) >= count else None
        return later if edge is None else [event for event in later if event[0] <= edge]
    earlier = [event for event in events if end is None or event[0] <= end]
    edge = earlier[-count][0] if len(earlier) >= count else None
    return earlier if edge is None else [event for event in earlier if event[0] >= edge]


def answer(req: int, show: str, events: list[Event], decimals: int) -> bytes:
    """The frame with the chosen events; nothing more is to come."""
    ticks = [text for event in events for text in _tick(show, event, decimals)]
    return frame(_IDS[show], str(req), str(len(events)), *ticks, "1")


def _tick(show: str, event: Event, decimals: int) -> tuple[str, ...]:
    second, values = event
    if show == "TRADES":
        price, size, mask, venue, conditions = map(str, values)
        return str(second), mask, price, size, venue, conditions
    bid, ask, bid_size, ask_size, mask = map(str, values)
    if show == "MIDPOINT":
        return str(second), "0", middle(bid, ask, decimals), "0"
    return str(second), {"1": "2", "2": "1"}.get(mask, mask), bid, ask, bid_size, ask_size
