"""What IB's error codes mean for a line that is to be recorded.

Rule: a code stands in one table, with what is done about it and where its meaning comes from.

Sources: "guide" is IB's TWS API guide, "Message Codes"; "gateways" are error messages that real gateways sent;
"both" where they agree.
"""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Verdict: TypeAlias = Literal["daily", "slow", "soon", "anew", "watch", "delayed", "go on"]
"""``daily``, ``slow``, ``soon``: nothing will come; the stream is parked and asked for again later (``daily``: its
contract is looked up, at once and then daily).
``anew``: what was subscribed is over; asked for again at once. ``watch``: ticks decide. ``delayed``: delayed data
follows; go on only if the config allows it. ``go on``: nothing is to be done."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a code means for the request it is about.

    Attributes:
        verdict: what is done about it.
        words: what it means.
        source: where that is known from.
        reason: what gaps give as their reason.
    """

    verdict: Verdict
    words: str
    source: str
    reason: str = "refused"


MEANINGS: Final[dict[int, Meaning]] = {
    101: Meaning("slow", "the account's market data lines are used up", "guide"),
    200: Meaning("daily", "no such contract, or more than one", "both"),
    300: Meaning("go on", "a cancel of what is gone already", "both"),
    309: Meaning("slow", "the account's depth subscriptions are used up", "both"),
    310: Meaning("go on", "a cancel of a depth stream that is gone already", "guide"),
    316: Meaning("anew", "the depth stream was halted", "guide", "depth_halted"),
    317: Meaning("go on", "the depth book starts afresh: a row of operation 3", "guide"),
    320: Meaning("slow", "the gateway could not read the request", "guide"),
    321: Meaning("slow", "the gateway rejected the request", "both"),
    322: Meaning("slow", "the gateway already has this request id", "both"),
    354: Meaning("slow", "no market data subscription", "both"),
    420: Meaning("slow", "no real-time permission, or too many requests", "both"),
    2152: Meaning("go on", "which venues the book is made of", "gateways"),
    10092: Meaning("slow", "no depth for this kind of contract on this exchange", "gateways"),
    10089: Meaning("watch", "some data needs another subscription", "both"),
    10090: Meaning("go on", "a part is not subscribed, the rest comes", "both"),
    10091: Meaning("go on", "a part needs another subscription, the rest comes", "both"),
    10167: Meaning("delayed", "not subscribed; delayed data follows", "both"),
    10168: Meaning("slow", "no market data subscription and delayed data is off", "both"),
    10182: Meaning("anew", "live updates were dropped", "gateways", "updates_dropped"),
    10186: Meaning("slow", "no market data subscription and delayed data is off", "gateways"),
    10189: Meaning("slow", "tick-by-tick is not available for this contract", "both"),
    10190: Meaning("slow", "the account's tick-by-tick subscriptions are used up", "both"),
    10225: Meaning("anew", "the bars were ended because a trade was busted", "guide", "updates_dropped"),
    10197: Meaning("soon", "another session of this login takes the live data", "both", "competing_session"),
}
"""Codes about a request. One that is not here is logged, and what it did to the line shows in its ticks: if none comes
for a while the line is in a gap."""

WARNINGS: Final = range(2100, 2200)
"""Codes by which IB says something of a request, and refuses nothing (guide: "Warning Message Codes")."""

REFUSED: Final = frozenset(
    code for code, meaning in MEANINGS.items() if meaning.verdict in ("daily", "slow", "soon")
)
"""Nothing will come for this request."""

NO_SUCH_CONTRACT = 200
DEPTH_RESET = 317
CLIENT_ID_IN_USE = 326

CONNECTION_LOST, DATA_LOST, DATA_KEPT, NEVER_CONNECTED = 1100, 1101, 1102, 2110
"""Between gateway and IB: lost; restored with subscriptions lost; restored with subscriptions kept; lost before this
connection was made (guide: 2110 comes back by itself, as 1100 does)."""

FARM_BROKEN, FARM_OK = 2103, 2104
FARMS_BROKEN: Final = frozenset({FARM_BROKEN, 2105, 2157})
FARMS_OK: Final = frozenset({FARM_OK, 2106, 2158, 2107, 2108, 2159})
"""Market data, historical data and security definitions: broken; OK, or connected to when needed."""

FINE: Final = FARMS_OK | {2119}
"""Notices that all is well, or will be when it is needed."""
