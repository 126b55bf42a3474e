"""Errors and notices of the gateway: code -> text, as a real one words them.

Rules:
- Texts are those seen on the wire or, where none was at hand, those of IB's list of message codes.
- Message 4 carries the reject JSON field from server version 166 on.
"""

from typing import Final, Literal, TypeAlias

from recorder.wire.layouts import frame

ADVANCED_REJECT = 166
"""Server version from which message 4 has a sixth field."""

TEXTS: Final[dict[int, str]] = {
    100: "Max rate of messages per second has been exceeded:max=50 rec={0} ({1})",
    101: "Max number of tickers has been reached",
    162: "Historical Market Data Service error message:{0}",
    200: "No security definition has been found for the request",
    300: "Can't find EId with tickerId:{0}",
    309: "Max number ({0}) of market depth requests has been reached",
    310: "Can't find the subscribed market depth with tickerId:{0}",
    316: "Market depth data has been HALTED. Please re-subscribe.",
    317: "Market depth data has been RESET. Please empty deep book contents before applying any new entries.",
    320: "Error reading request:{0}",
    321: "Error validating request.-'{0}' : cause - {1}",
    322: "Error processing request.-'{0}' : cause - Duplicate ticker id",
    326: "Unable to connect as the client id is already in use. Retry with a unique client id.",
    354: "Requested market data is not subscribed.Delayed market data is not available.{0}",
    420: "Invalid Real-time Query:{0}",
    1100: "Connectivity between IB and Trader Workstation has been lost.",
    1101: "Connectivity between IB and Trader Workstation has been restored - data lost.",
    1102: "Connectivity between IB and Trader Workstation has been restored - data maintained.",
    2103: "Market data farm connection is broken:{0}",
    2104: "Market data farm connection is OK:{0}",
    2105: "HMDS data farm connection is broken:{0}",
    2106: "HMDS data farm connection is OK:{0}",
    2107: "HMDS data farm connection is inactive but should be available upon demand.{0}",
    2108: "Market data farm connection is inactive but should be available upon demand.{0}",
    2110: "Connectivity between Trader Workstation and server is broken. It will be restored automatically.",
    2152: "Exchanges - Depth: {0}; Top: BYX; AMEX; PEARL; MEMX; EDGEA; CHX; NYSENAT; PSX; LTSE; ",
    2157: "Sec-def data farm connection is broken:{0}",
    2158: "Sec-def data farm connection is OK:{0}",
    2159: "Sec-def data farm connection is inactive but should be available upon demand.{0}",
    10089: "Requested market data requires additional subscription for API. See link in "
    "'Market Data Connections' dialog for more details.Delayed market data is available.{0}",
    10090: "Part of requested market data is not subscribed. Subscription-independent ticks are still active."
    "Delayed market data is available.{0}",
    10091: "Part of requested market data requires additional subscription for API. See link in "
    "'Market Data Connections' dialog for more details.Delayed market data is available.{0}",
    10092: "Deep market data is not supported for this combination of security type/exchange",
    10167: "Requested market data is not subscribed. Displaying delayed market data.",
    10168: "Requested market data is not subscribed. Delayed market data is not enabled.",
    10182: "Failed to request live updates (disconnected).",
    10186: "Requested market data is not subscribed. Delayed market data is not enabled.",
    10187: "Failed to request historical ticks:{0}",
    10189: "Failed to request tick-by-tick data.{0}",
    10190: "Max number of tick-by-tick requests has been reached.",
    10197: "No market data during competing live session",
}

FarmState: TypeAlias = Literal["down", "up", "idle"]
_FARMS: Final[dict[str, dict[FarmState, int]]] = {
    "market": {"down": 2103, "up": 2104, "idle": 2108},
    "history": {"down": 2105, "up": 2106, "idle": 2107},
    "definitions": {"down": 2157, "up": 2158, "idle": 2159},
}

AMBIGUOUS: Final = "The contract description specified for {0} is ambiguous."
READ_ONLY: Final = "The API interface is currently in Read-Only mode."


def text(code: int, *details: object) -> str:
    """The words of a code; one that is not in the table must bring its own."""
    return TEXTS.get(code, "{0}").format(*details)


def farm(name: str, state: FarmState) -> int:
    """The code of a farm's state; what a farm serves is in its name."""
    serves = "history" if name.endswith("hmds") else "definitions" if name.startswith("secdef") else "market"
    return _FARMS[serves][state]


def notice(version: int, req: int, code: int, words: str) -> bytes:
    """Message 4, for request ``req`` or -1 for all."""
    tail = ("",) if version >= ADVANCED_REJECT else ()
    return frame("4", "2", str(req), str(code), _ascii(words), *tail)


def _ascii(words: str) -> str:
    r"""Non-ASCII text as the gateway sends it, ``\uXXXX``."""
    return "".join(char if char.isascii() else f"\\u{ord(char):04x}" for char in words)
