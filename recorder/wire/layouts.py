"""How IB's market-data messages are laid out: written once, for decoder, schemas and simulator.

Rules:
- A layout is a line of field names in the order of the wire; the names are those of the table's columns.
- Nothing here does I/O, and nothing here knows what a message is for.

Source of the layouts: IB's gateways at server versions 151 to 178, where they do not differ for these messages.
The official client drops a message whose field count is off by one, so the count is part of the layout.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

FieldKind: TypeAlias = Literal["fixed", "req", "int", "float", "size", "text"]
Value: TypeAlias = int | float | str | None

SERVER_VERSION = 178
"""The newest protocol version spoken here: the last that ib_async 2.1 asks for (from 201 on ids are binary)."""

NOT_COMPUTED = {
    "implied_vol": "-1", "option_price": "-1", "pv_dividend": "-1", "underlying_price": "-1",
    "delta": "-2", "gamma": "-2", "vega": "-2", "theta": "-2",
}  # fmt: skip
"""What stands in message 21 where IB computed nothing: null in the table."""

MAX_FRAME = 16 * 1024 * 1024 - 1
"""Longest believable frame in bytes, that of IB's own client; a longer announcement means the stream is broken."""


@dataclass(frozen=True, slots=True)
class Field:
    """One NUL-terminated field of a message.

    ``fixed`` fields carry the message's version and no data; ``size`` is a decimal written without ``.0``.
    """

    name: str
    kind: FieldKind


@dataclass(frozen=True, slots=True)
class Layout:
    """The fields of one message, the message id first.

    Attributes:
        name: what the message is called here, unique.
        msg_id: IB's message id.
        table: the table its rows stand in; ``""`` for those that become events.
        fields: all fields in the order of the wire, the id included.
        variants: for message 99 the values of its third field that choose this layout, else empty.
    """

    name: str
    msg_id: int
    table: str
    fields: tuple[Field, ...]
    variants: tuple[int, ...] = ()

    @property
    def width(self) -> int:
        """Number of fields, the id included."""
        return len(self.fields)

    @property
    def req_position(self) -> int:
        """Which field is the request id."""
        return next(place for place, field in enumerate(self.fields) if field.kind == "req")

    def encode(self, req: int, values: Mapping[str, Value]) -> bytes:
        """The message as a frame; ``None`` or a missing name is an empty field."""
        texts = (_text(field, req, values, self.msg_id) for field in self.fields)
        return frame(*texts)


def _layout(name: str, msg_id: int, table: str, line: str, variants: tuple[int, ...] = ()) -> Layout:
    fields = [Field("msg_id", "fixed")]
    for word in line.split():
        if word.startswith("="):
            fields.append(Field(word[1:], "fixed"))
        elif word == "req":
            fields.append(Field("req", "req"))
        else:
            column, _, kind = word.partition(":")
            fields.append(Field(column, kind))  # type: ignore[arg-type]
    return Layout(name, msg_id, table, tuple(fields), variants)


TICK_PRICE = _layout("tick_price", 1, "level1", "=6 req tick_type:int price:float size:size attribs:int")
TICK_SIZE = _layout("tick_size", 2, "level1", "=6 req tick_type:int size:size")
TICK_GENERIC = _layout("tick_generic", 45, "level1", "=6 req tick_type:int value:float")
TICK_STRING = _layout("tick_string", 46, "level1", "=6 req tick_type:int text:text")
TICK_EFP = _layout(
    "tick_efp",
    47,
    "level1",
    "=6 req tick_type:int basis_points:text formatted:text implied_future:text hold_days:text"
    " future_date:text dividend_impact:text dividends:text",
)
GREEKS = _layout(
    "greeks",
    21,
    "greeks",
    "req tick_type:int attrib:int implied_vol:float delta:float option_price:float pv_dividend:float"
    " gamma:float vega:float theta:float underlying_price:float",
)
TRADE = _layout(
    "trade",
    99,
    "trades",
    "req variant:int ts_event:int price:float size:size attribs:int exchange:text conditions:text",
    variants=(1, 2),
)
QUOTE = _layout(
    "quote",
    99,
    "quotes",
    "req variant:int ts_event:int bid:float ask:float bid_size:size ask_size:size attribs:int",
    variants=(3,),
)
MIDPOINT = _layout("midpoint", 99, "midpoints", "req variant:int ts_event:int price:float", variants=(4,))
DEPTH = _layout("depth", 12, "depth", "=1 req position:int operation:int side:int price:float size:size")
DEPTH_L2 = _layout(
    "depth_l2",
    13,
    "depth",
    "=1 req position:int market_maker:text operation:int side:int price:float size:size smart:int",
)
BAR = _layout(
    "bar",
    50,
    "bars",
    "=3 req ts_event:int open:float high:float low:float close:float volume:size wap:float count:int",
)
MARKET_DATA_TYPE = _layout("market_data_type", 58, "", "=1 req text:text")
TICK_PARAMS = _layout("tick_params", 81, "", "req min_tick:text bbo_exchange:text snapshot_permissions:text")
REROUTE_LEVEL1 = _layout("reroute_level1", 91, "", "req con_id:text exchange:text")
REROUTE_DEPTH = _layout("reroute_depth", 92, "", "req con_id:text exchange:text")

LAYOUTS = (
    TICK_PRICE, TICK_SIZE, TICK_GENERIC, TICK_STRING, TICK_EFP, GREEKS, TRADE, QUOTE, MIDPOINT,
    DEPTH, DEPTH_L2, BAR, MARKET_DATA_TYPE, TICK_PARAMS, REROUTE_LEVEL1, REROUTE_DEPTH,
)  # fmt: skip

TICKS = {one.table: one.fields[one.req_position + 2 :] for one in (TRADE, QUOTE, MIDPOINT)}
"""Tick-by-tick table to what a tick is made of: the fields of message 99 behind its request id and variant."""


def frame(*texts: str) -> bytes:
    """Fields as one frame: four bytes of length, big-endian, then each field ended by NUL."""
    body = "".join(f"{text}\0" for text in texts).encode()
    return struct.pack(">I", len(body)) + body


def number(value: float) -> str:
    """A price as it goes over the wire: shortest exact decimal; IB writes "no price" as ``-1.00``."""
    return "-1.00" if value == -1 else repr(float(value))


def size(value: float) -> str:
    """A size as it goes over the wire: whole numbers without a point, crypto as ``8.722e-05``."""
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def _text(field: Field, req: int, values: Mapping[str, Value], msg_id: int) -> str:
    if field.kind == "fixed":
        return str(msg_id) if field.name == "msg_id" else field.name
    if field.kind == "req":
        return str(req)
    value = values.get(field.name)
    if value is None:
        return NOT_COMPUTED.get(field.name, "")
    if field.kind == "float":
        return number(float(value))
    if field.kind == "size":
        return size(float(value))
    return str(int(value)) if field.kind == "int" else str(value)
