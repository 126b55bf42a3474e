"""What one message should become, said a second time and as plainly as can be: a frame to a table and a row.

Knows the protocol from IB's documentation and the tables from their description, and shares no code with the
decoder it is held against.
"""

import math
import re
from datetime import UTC, datetime

FLOAT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
INTEGER = re.compile(r"-?[0-9]+")
UNSET = 1.7976931348623157e308
REFUSED = {101, 200, 309, 320, 321, 322, 354, 420, 10168, 10186, 10189, 10190, 10197}

LIMITS = {"h": 2**15, "i": 2**31, "b": 2**7, "q": 2**63}
"""Of the whole numbers that a column can hold."""

MESSAGES = {
    "1": ("level1", "- req tick_type/h price/f size/f attribs/i"),
    "2": ("level1", "- req tick_type/h size/f"),
    "45": ("level1", "- req tick_type/h value/f"),
    "46": ("level1", "- req tick_type/h text/t"),
    "47": ("level1", "- req tick_type/h a/t b/t c/t d/t e/t f/t g/t"),
    "21": (
        "greeks",
        (
            "req tick_type/h attrib/i implied_vol/f delta/f option_price/f pv_dividend/f gamma/f vega/f theta/f"
            " underlying_price/f"
        ),
    ),
    "991": ("trades", "req kind/q ts_event/s price/f size/f attribs/i exchange/t conditions/t"),
    "992": ("trades", "req kind/q ts_event/s price/f size/f attribs/i exchange/t conditions/t"),
    "993": ("quotes", "req kind/q ts_event/s bid/f ask/f bid_size/f ask_size/f attribs/i"),
    "994": ("midpoints", "req kind/q ts_event/s price/f"),
    "12": ("depth", "- req position/i operation/b side/b price/f size/f"),
    "13": ("depth", "- req position/i market_maker/t operation/b side/b price/f size/f smart/o"),
    "50": ("bars", "- req ts_event/s open/f high/f low/f close/f volume/f wap/f count/q"),
}
ABSENT = {"implied_vol": -1, "option_price": -1, "pv_dividend": -1, "underlying_price": -1} | dict.fromkeys(
    ("delta", "gamma", "vega", "theta"), -2
)


class NotUnderstoodError(Exception):
    """The message belongs into ``other``."""


def expected(body, lines, names):
    """The table and row (without time, number and what is null) of a frame's content.

    ``lines``: request id to (symbol, con_id, stream, show); ``names``: tick type to name.
    """
    try:
        return understood(body, lines, names)
    except (NotUnderstoodError, UnicodeDecodeError):
        return "other", {
            "text": "\t".join(body.removesuffix(b"\0").decode(errors="backslashreplace").split("\0"))
        }


def understood(body, lines, names):
    fields = body.decode().split("\0")
    if not body or fields.pop() != "" or not re.fullmatch("[1-9][0-9]{0,2}", fields[0]):
        raise NotUnderstoodError
    if fields[0] in ("4", "58", "81", "91", "92"):
        return spoken(fields, lines)
    return tick(fields, lines, names)


def tick(fields, lines, names):
    key = fields[0] + (fields[2] if fields[0] == "99" and len(fields) > 2 else "")
    if key not in MESSAGES:
        raise NotUnderstoodError
    table, line = MESSAGES[key]
    words = line.split()
    if len(fields) != len(words) + 1:
        raise NotUnderstoodError
    row, req = {}, None
    for word, text in zip(words, fields[1:], strict=True):
        name, _, kind = word.partition("/")
        if name == "req":
            req = integer(text, 2**63)
        elif name != "-":
            row[name] = value(text, kind)
    if req not in lines:
        raise NotUnderstoodError
    symbol, con_id, _, show = lines[req]
    own = {"symbol": symbol, "con_id": con_id, "source": "live"}
    return table, {k: v for k, v in (own | meaning(table, key, row, names, show)).items() if v is not None}


def meaning(table, key, row, names, show):
    mask = row.get("attribs")
    bits = (None, None) if mask is None else (bool(mask & 1), bool(mask & 2))
    if "tick_type" in row:
        number = row["tick_type"]
        row["field"] = None if number is None else names.get(number, f"tick_{number}")
    if key == "47":
        row["text"] = "\t".join(row.pop(letter) or "" for letter in "abcdefg")
    if table == "greeks":
        row |= {name: None for name, absent in ABSENT.items() if row[name] in (absent, UNSET)}
    if table == "trades":
        row |= {"kind": ["last", "all_last"][row["kind"] - 1], "past_limit": bits[0], "unreported": bits[1]}
    elif table == "quotes":
        row |= {"bid_past_low": bits[0], "ask_past_high": bits[1]}
    if table in ("quotes", "midpoints"):
        row.pop("kind")
    if table == "bars":
        row["show"] = show
    return row


def spoken(fields, lines):
    place = 2 if fields[0] in ("4", "58") else 1
    req = integer(fields[place] if len(fields) > place else "", 2**31)
    if req is None or (fields[0] != "4" and req not in lines):
        raise NotUnderstoodError
    symbol, con_id, stream, _ = lines.get(req, (None, None, None, None))
    line = {"symbol": symbol, "stream": stream}
    match fields:
        case ["4", _, _, code, text, *more] if len(more) < 2:
            number = needed(code)
            if number == 317 and stream == "depth":
                row = {"symbol": symbol, "con_id": con_id, "source": "live", "operation": 3}
                return "depth", row
            kind = "refused" if number in REFUSED and symbol else "notice"
            row = {"kind": kind, "code": number, "text": "\t".join([text, *filter(None, more)])}
        case ["58", _, _, number]:
            words = {1: "live", 2: "frozen", 3: "delayed", 4: "delayed_frozen"}
            if needed(number) not in words:
                raise NotUnderstoodError
            row = {"kind": "market_data_type", "code": needed(number), "text": words[needed(number)]}
        case ["81", _, step, exchange, allowed]:
            text = f"min_tick={step} bbo_exchange={exchange} snapshot_permissions={allowed}"
            row = {"kind": "tick_params", "text": text}
        case ["91" | "92", _, other, exchange]:
            row = {"kind": "rerouted", "text": f"con_id={other} exchange={exchange}"}
        case _:
            raise NotUnderstoodError
    return "events", {name: found for name, found in (line | row).items() if found is not None}


def needed(text):
    number = integer(text, 2**31)
    if number is None:
        raise NotUnderstoodError
    return number


def value(text, kind):
    if kind == "t":
        return text or None
    if text == "":
        return None
    if kind == "f":
        return real(text)
    if kind == "s":
        return datetime.fromtimestamp(natural(text, 2**32), UTC)
    if kind == "o":
        return bool(natural(text, 2))
    return integer(text, LIMITS[kind])


def natural(text, limit):
    if text.startswith("-"):
        raise NotUnderstoodError
    return integer(text, limit)


def integer(text, limit):
    if text == "":
        return None
    if not INTEGER.fullmatch(text) or len(text) > 25 or not -limit <= int(text) < limit:
        raise NotUnderstoodError
    return int(text)


def real(text):
    if text in ("NaN", "Infinity", "-Infinity"):
        return float(text)
    if not FLOAT.fullmatch(text) or math.isinf(float(text)):
        raise NotUnderstoodError
    return float(text)
