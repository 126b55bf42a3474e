"""What IB streams for which type of contract.

Rules:
- Only what is certain to be refused is refused here: a wrong "no" loses data, a wrong "yes" costs one
  `refused` event.
- A line given by a bare ``con_id`` has no known type, so it is offered everything.

Sources, all but one IB's documentation of the TWS API:
- Tick-by-tick: no live options; indices only those on CME.
- Bars follow its table of available data per product: no TRADES for forex and CFDs, only TRADES for indices.
  Crypto has TRADES there, yet gateways of 2026 answered with error 10299: possible, but not the default.
- What has no TRADES at all has no tick-by-tick trades; an index is computed and has no order book.
"""

from collections.abc import Mapping
from typing import Literal

StreamKind = Literal["level1", "trades", "quotes", "midpoints", "depth", "bars"]
Show = Literal["TRADES", "MIDPOINT", "BID", "ASK"]

TICK_BY_TICK = ("trades", "quotes", "midpoints")

_NO_LIVE_TICKS = "IB has no live tick-by-tick data for options; record level1"
_CME_ONLY = "IB has tick-by-tick data only for indices on CME; record level1"

NOT_OFFERED: Mapping[str, Mapping[str, str]] = {
    "option": dict.fromkeys(TICK_BY_TICK, _NO_LIVE_TICKS),
    "index": {"depth": "an index has no order book; record level1"},
    "forex": {"trades": "spot forex has no published trades; record quotes or midpoints"},
    "cfd": {"trades": "a CFD has no trades of its own; record quotes or midpoints"},
}
"""Type to stream to why not, and what to record."""

_SHOWS: tuple[Show, ...] = ("TRADES", "MIDPOINT", "BID", "ASK")
_QUOTED: tuple[Show, ...] = ("MIDPOINT", "BID", "ASK")

SHOWS: Mapping[str, tuple[Show, ...]] = {
    "forex": _QUOTED,
    "cfd": _QUOTED,
    "index": ("TRADES",),
    "crypto": ("MIDPOINT", "TRADES", "BID", "ASK"),
}
"""Type to what its bars can show, the default first; all of them, TRADES first, for the types not named."""


def shows(line_type: str | None) -> tuple[Show, ...]:
    """What bars of this type can show, the default first."""
    return SHOWS.get(line_type or "", _SHOWS)


def smart_depth(exchange: str | None) -> bool:
    """Whether depth is aggregated over all exchanges unless said: for what IB smart-routes."""
    return exchange in (None, "SMART")


def refusal(kind: str, line_type: str | None, exchange: str | None) -> str | None:
    """Why IB does not offer this stream for this type, and what to record; None if it may."""
    if line_type == "index" and kind in TICK_BY_TICK and exchange not in (None, "CME"):
        return _CME_ONLY
    return NOT_OFFERED.get(line_type or "", {}).get(kind)


def show_refusal(show: str, line_type: str | None) -> str | None:
    """Why bars of this type cannot show this, and what they can; None if they can."""
    possible = shows(line_type)
    if show in possible:
        return None
    *others, last = possible
    choice = f"{', '.join(others)} or {last}" if others else last
    return f"IB has no {show} bars for {line_type}; show {choice}"
