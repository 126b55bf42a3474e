"""Watchlist lines to IB contracts, and IB's contract details back to what the recording keeps.

Rules:
- Pure. The layouts of messages 10 and 18 differ with the server version only below 164.
- Details are read here and not by ib_async, which drops bonds with a fractional coupon and overwrites a
  future's time zone.
"""

import math
import re
from collections.abc import Iterator
from typing import Any

from recorder.config import Line
from recorder.wire.messages import BOND_CONTRACT

Details = dict[str, str]
"""Contract details as IB sent them: field name to text."""

_SEC_TYPES = {
    "stock": "STK",
    "forex": "CASH",
    "cfd": "CFD",
    "future": "FUT",
    "continuous_future": "CONTFUT",
    "option": "OPT",
    "index": "IND",
    "crypto": "CRYPTO",
    "bond": "BOND",
}

_CONTRACT = (
    "symbol sec_type last_trade strike right exchange currency local_symbol market_name trading_class con_id min_tick"
    " multiplier order_types valid_exchanges price_magnifier under_con_id long_name primary_exchange contract_month"
    " industry category subcategory time_zone trading_hours liquid_hours ev_rule ev_multiplier *"
    " agg_group under_symbol under_sec_type market_rule_ids real_expiration stock_type"
    " min_size size_increment suggested_size_increment"
).split()
_BOND = (
    "symbol sec_type cusip coupon last_trade issue_date ratings bond_type coupon_type convertible callable putable"
    " desc_append exchange currency market_name trading_class con_id min_tick order_types valid_exchanges"
    " next_option_date next_option_type next_option_partial notes long_name ev_rule ev_multiplier *"
    " agg_group market_rule_ids min_size size_increment suggested_size_increment"
).split()
_SIZES_SINCE = 164
"""Server version from which the three size fields are there, and neither message version nor size multiplier."""

_TEXTS = (
    "sec_type exchange primary_exchange currency local_symbol trading_class right time_zone trading_hours liquid_hours"
    " long_name contract_month under_symbol stock_type isin cusip valid_exchanges market_rule_ids"
).split()
_NUMBERS = "multiplier strike min_tick coupon min_size size_increment price_magnifier".split()

_INTEGER = re.compile(r"-?[0-9]{1,10}")
_DECIMAL = re.compile(r"[-+0-9.eE]{1,40}")
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")


class DetailsError(ValueError):
    """A contract details message that does not have IB's layout.

    Attributes:
        req: whose it is; None where that cannot be read either.
    """

    def __init__(self, message: str, req: int | None) -> None:
        super().__init__(message)
        self.req = req


def question(line: Line) -> dict[str, Any]:
    """The contract to ask details of, as ib_async's ``Contract`` takes it."""
    if line.con_id is not None:
        return {"conId": line.con_id, "exchange": line.exchange or ""}
    forex = line.type == "forex"
    asked = {
        "secType": _SEC_TYPES[line.type or "stock"],
        "symbol": line.base if forex else line.symbol,
        "currency": line.quote if forex else line.currency,
        "exchange": line.exchange,
        "primaryExchange": line.primary_exchange,
        "lastTradeDateOrContractMonth": line.expiry,
        "strike": line.strike,
        "right": line.right,
        "multiplier": line.multiplier,
        "tradingClass": line.trading_class,
        "localSymbol": line.local_symbol,
        "secIdType": "ISIN" if line.isin else None,
        "secId": line.isin,
    }
    return {name: value for name, value in asked.items() if value is not None}


def details(frame: bytes, server_version: int) -> tuple[int, Details]:
    """Request id and fields of a message 10 or 18.

    Raises:
        DetailsError: the message has another number of fields, or a contract id or a count that is none.
    """
    msg_id, *fields = frame[4:].decode(errors="backslashreplace").split("\0")[:-1] or [""]
    names = _BOND if msg_id == str(BOND_CONTRACT) else _CONTRACT
    req = None
    try:
        if server_version < _SIZES_SINCE:
            del fields[0]
        req = integer(fields[0])
        if server_version < _SIZES_SINCE:
            del fields[1 + names.index("min_tick") + 1]
            names = [name for name in names if not name.endswith("size") and "size_inc" not in name]
        found = dict(_paired(names, fields[1:]))
        integer(found["con_id"])
    except (ValueError, IndexError) as error:
        raise DetailsError(f"contract details that do not read: {error}", req) from None
    return req, found


def end_of_details(frame: bytes) -> int:
    """Request id of a message 52.

    Raises:
        DetailsError: there is none in it.
    """
    try:
        return integer(frame[4:].split(b"\0")[2].decode())
    except (ValueError, IndexError):
        raise DetailsError("an end of contract details of no request", None) from None


def _paired(names: list[str], fields: list[str]) -> Iterator[tuple[str, str]]:
    """Names with their fields; ``*`` stands for a count and that many (tag, value) pairs."""
    at = names.index("*")
    yield from zip(names[:at], fields[:at], strict=True)
    pairs = integer(fields[at])
    if pairs < 0:
        raise ValueError(f"{pairs} pairs of identifiers")
    rest = at + 1 + 2 * pairs
    for tag in range(at + 1, rest, 2):
        yield fields[tag].lower(), fields[tag + 1]
    yield from zip(names[at + 1 :], fields[rest:], strict=False)


def instrument(found: Details, symbol: str) -> dict[str, Any]:
    """The row of ``instruments`` but for its time."""
    row: dict[str, Any] = {name: found.get(name) or None for name in _TEXTS}
    row |= {name: _number(found.get(name)) for name in _NUMBERS}
    row["ib_symbol"] = found.get("symbol") or None
    row["long_name"] = _unescaped(found.get("long_name", "")) or None
    row["expiry"] = _date(found.get("last_trade", "")) or None
    under = found.get("under_con_id", "")
    row["under_con_id"] = (int(under) if _INTEGER.fullmatch(under) else 0) or None
    return row | {"symbol": symbol, "con_id": int(found["con_id"])}


def contract(found: Details, line: Line) -> dict[str, Any]:
    """The contract to subscribe to: what IB returned, at the exchange that was asked for.

    A continuous future is subscribed to as the future it stands for: IB streams nothing for the former.
    """
    exchange = line.exchange or found.get("exchange") or "SMART"
    sec_type = "FUT" if found["sec_type"] == "CONTFUT" else found["sec_type"]
    known = {
        "conId": int(found["con_id"]),
        "secType": sec_type,
        "symbol": found.get("symbol", ""),
        "lastTradeDateOrContractMonth": "" if sec_type == "BOND" else _date(found.get("last_trade", "")),
        "strike": _number(found.get("strike")) or 0.0,
        "right": found.get("right", ""),
        "multiplier": found.get("multiplier", ""),
        "exchange": exchange,
        "primaryExchange": found.get("primary_exchange", ""),
        "currency": found.get("currency", ""),
        "localSymbol": found.get("local_symbol", ""),
        "tradingClass": found.get("trading_class", ""),
    }
    return {name: value for name, value in known.items() if name == "conId" or value not in ("", 0.0)}


def name(line: Line, found: Details) -> str:
    """The line's name in the data: the given one, or IB's local symbol with runs of spaces made one."""
    return line.label or " ".join(found.get("local_symbol", "").split()) or line.title


def candidate(found: Details) -> str:
    """One of several contracts, for a person to choose from."""
    words = (
        "sec_type",
        "symbol",
        "last_trade",
        "strike",
        "right",
        "exchange",
        "primary_exchange",
        "currency",
    )
    said = [found[word] for word in words if found.get(word) not in (None, "", "0", "0.0", "?")]
    return (
        f"con_id {found['con_id']}: {' '.join(said)} ({_unescaped(found.get('long_name', '')) or 'no name'})"
    )


def _date(last_trade: str) -> str:
    """``20261218`` of ``20261218 15:30 US/Eastern`` and of ``20261218-15:30-US/Eastern``."""
    words = last_trade.replace("-", " ").split()
    return words[0] if words else ""


def integer(text: str) -> int:
    """A number of at most ten ASCII digits."""
    if not _INTEGER.fullmatch(text):
        raise ValueError(f"{text[:20]!r} is no whole number")
    return int(text)


def _number(text: str | None) -> float | None:
    """A finite number; None where there is none."""
    try:
        found = float(text) if text and _DECIMAL.fullmatch(text) else math.nan
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def _unescaped(text: str) -> str:
    r"""IB writes what is not ASCII as \uXXXX, what is beyond 16 bits as two of them."""
    units = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
    return units.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
