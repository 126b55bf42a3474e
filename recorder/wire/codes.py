"""What IB's error codes mean for a line that is to be recorded.

Rule: a code stands in one table, with where its meaning comes from. (IB: "Message Codes" of the TWS API guide;
what gateways really send: recorded error messages.)
"""

REFUSED: dict[int, str] = {
    101: "the account's market data lines are used up",
    200: "no such contract, or more than one",
    309: "the account's depth subscriptions are used up",
    320: "the gateway could not read the request",
    321: "the gateway rejected the request",
    322: "the gateway already has this request id",
    354: "no market data subscription",
    420: "no real-time permission, or too many requests",
    10168: "no market data subscription and delayed data is off",
    10186: "no market data subscription and delayed data is off",
    10189: "tick-by-tick is not available for this contract",
    10197: "another session of this login takes the live data",
    10190: "the account's tick-by-tick subscriptions are used up",
}
"""Nothing will come for this request: the line's stream is parked and asked for again later."""

COMPETING_SESSION = 10197
PASSING = frozenset({COMPETING_SESSION})
"""Refusals that end by themselves: asked for again soon."""

FINE = frozenset({2104, 2106, 2107, 2108, 2119, 2158})
"""Notices that all is well, or will be when it is needed."""

NO_SUCH_CONTRACT = 200
CLIENT_ID_IN_USE = 326
DEPTH_RESET = 317
CONNECTION_LOST, DATA_LOST, DATA_KEPT = 1100, 1101, 1102
"""Between gateway and IB: lost; restored with subscriptions lost; restored with subscriptions kept."""
