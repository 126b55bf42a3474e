"""Market-data messages on their way out: a pattern made from the layout table, its values, the frame.

Rules:
- Every pattern comes from ``recorder.wire.layouts``; a message with a value too many or too few fails to
  encode.
- Values are wire text or integers, ready made: the market formats a price once, not once a subscriber.
- No I/O, no clock, no state.
"""

import random
from collections.abc import Iterable
from typing import Final, TypeAlias

from recorder.wire import layouts
from recorder.wire.layouts import Layout

Message: TypeAlias = tuple[str, tuple[object, ...]]
"""A pattern of this module and the values of its open fields, the request id left out."""

UNSET_DOUBLE: Final = "1.7976931348623157E308"
UNSET_INT: Final = "2147483647"
NO_PRICE: Final = layouts.number(-1)
"""How IB writes that there is no quote."""


def pattern(layout: Layout) -> str:
    """The layout as a %-pattern: fixed fields written out, ``%s`` for the others, the request id first."""
    return "".join(f"{_constant(field.name, field.kind, layout.msg_id)}\0" for field in layout.fields)


def _constant(name: str, kind: str, msg_id: int) -> str:
    if kind != "fixed":
        return "%s"
    return str(msg_id) if name == "msg_id" else name


PRICE: Final = pattern(layouts.TICK_PRICE)
SIZE: Final = pattern(layouts.TICK_SIZE)
GENERIC: Final = pattern(layouts.TICK_GENERIC)
STRING: Final = pattern(layouts.TICK_STRING)
EFP: Final = pattern(layouts.TICK_EFP)
GREEKS: Final = pattern(layouts.GREEKS)
TRADE: Final = pattern(layouts.TRADE)
QUOTE: Final = pattern(layouts.QUOTE)
MIDPOINT: Final = pattern(layouts.MIDPOINT)
DEPTH: Final = pattern(layouts.DEPTH)
DEPTH_L2: Final = pattern(layouts.DEPTH_L2)
BAR: Final = pattern(layouts.BAR)
DATA_TYPE: Final = pattern(layouts.MARKET_DATA_TYPE)
PARAMS: Final = pattern(layouts.TICK_PARAMS)
REROUTE: Final = pattern(layouts.REROUTE_LEVEL1)
REROUTE_DEPTH: Final = pattern(layouts.REROUTE_DEPTH)
SNAPSHOT_END: Final = "57\x001\x00%s\0"

MARKET_IDS: Final = frozenset(str(layout.msg_id).encode() for layout in layouts.LAYOUTS) | {b"57"}
"""Ids of the messages that belong to a market-data subscription."""


def encode(req: int, messages: Iterable[Message]) -> list[bytes]:
    """Each message as a frame for one request.

    Raises:
        TypeError: a message whose values are not as many as its pattern's open fields.
    """
    bodies = [(text % (req, *values)).encode() for text, values in messages]
    return [len(body).to_bytes(4, "big") + body for body in bodies]


def is_market_data(frame: bytes) -> bool:
    """Whether a frame belongs to a market-data subscription, by its message id."""
    return frame[4 : frame.index(0, 4)] in MARKET_IDS


def java(value: float) -> str:
    """A double as Java writes it: ``0.01``, ``600.0``, ``1.0E-4``."""
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return repr(float(value))
    mantissa, exponent = f"{value:e}".split("e")
    return f"{float(mantissa)!r}E{int(exponent)}"


def dice(*seed: object) -> random.Random:
    """Random numbers that depend on nothing but ``seed``: the same run again on any machine."""
    return random.Random(":".join(map(str, seed)))  # noqa: S311 - a market, not a secret
