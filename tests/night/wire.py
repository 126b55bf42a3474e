"""What the gateway of the night says and hears, field by field."""

import asyncio
import socket
import struct

from night.market import frame

_TICK_BY_TICK = {"AllLast": "trades", "Last": "trades", "BidAsk": "quotes", "MidPoint": "midpoints"}
_STREAMS = {"1": "level1", "10": "depth", "50": "bars"}
_ASKED = {"1": 2, "10": 2, "50": 2, "97": 1}
"""Message to where the request id stands; the contract id is next."""

_CANCELLED = {"2": 2, "11": 2, "51": 2, "98": 1}


async def message(reader: asyncio.StreamReader) -> list[str]:
    """The client's next message, as its fields.

    Raises:
        asyncio.IncompleteReadError: the client is gone.
    """
    (length,) = struct.unpack(">I", await reader.readexactly(4))
    return (await reader.readexactly(length)).decode().split("\0")[:-1] or [""]


def error(req: int, code: int, text: str) -> bytes:
    """Message 4: an error, or a notice."""
    return frame("4", "2", str(req), str(code), text, "")


def asked_of(fields: list[str]) -> tuple[int, int] | None:
    """Request and contract id of a subscription; None for what is none."""
    place = _ASKED.get(fields[0])
    return None if place is None else (int(fields[place]), int(fields[place + 1] or 0))


def stream_of(fields: list[str]) -> str:
    """Which stream a subscription asks for."""
    return _STREAMS.get(fields[0]) or _TICK_BY_TICK[fields[-3]]


def cancelled(fields: list[str]) -> int | None:
    """Request id of a cancellation; None for what is none."""
    place = _CANCELLED.get(fields[0])
    return None if place is None else int(fields[place])


def hard_reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST instead of FIN."""
    own = writer.get_extra_info("socket")
    if own is not None:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def described(req: int) -> bytes:
    """What a new level 1 subscription is told of itself."""
    return frame("58", "1", str(req), "1") + frame("81", str(req), "0.01", "9c0001", "3")


def picture(req: int) -> bytes:
    """The opening picture of a new level 1 subscription, yesterday's close: a tick, but no news."""
    return frame("1", "6", str(req), "9", "0.5", "0", "0")


def pool_of(stream: str) -> str:
    """Which of the account's limits a stream counts against."""
    if stream in ("level1", "bars"):
        return "lines"
    return "depth" if stream == "depth" else "tick_by_tick"


def prefix(length: int) -> bytes:
    """What announces a frame."""
    return struct.pack(">I", length)
