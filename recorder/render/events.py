"""Messages that speak about a subscription, as rows of ``events``; and what cannot be understood, as text.

These are few, so each is a Python object of its own.
"""

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from recorder import schema
from recorder.journal.state import Request
from recorder.render.stretch import Frames
from recorder.wire import codes, messages
from recorder.wire.frames import Positions
from recorder.wire.layouts import LAYOUTS

SPOKEN = frozenset({messages.ERROR, 58, 81}) | messages.REROUTES
"""Ids of the messages that become events."""

DATA_TYPES = {1: "live", 2: "frozen", 3: "delayed", 4: "delayed_frozen"}
"""Message 58's value, and the config's name for it."""

_REQ_POSITION = {layout.msg_id: layout.req_position for layout in LAYOUTS} | {messages.ERROR: 2}
_LAST_WITH_VERSION = 75
"""Up to this message id a version stands before the request id, with the exceptions that have a layout."""

_INTEGER = re.compile(r"-?[0-9]{1,10}")
_RESET = 3
_NO_LINE = Request("", "", 0)


@dataclass(frozen=True, slots=True)
class Event:
    """One row of ``events`` but for its time and number."""

    kind: str
    symbol: str | None
    stream: str | None
    code: int | None
    text: str


def from_frames(frames: Frames, indices: Positions) -> tuple[pa.Table, pa.Table, Positions]:
    """Depth resets, events, and the indices of the frames that are neither."""
    resets: list[dict[str, object]] = []
    told: list[dict[str, object]] = []
    strange = []
    for index in indices.tolist():
        content = frames.data[frames.bounds.starts[index] : frames.bounds.ends[index]]
        own = {"ts_recv": int(frames.ts[index]), "seq": int(frames.seq[index])}
        try:
            fields = _fields(content)
            request = _request(fields, frames.requests)
            event = _event(fields, request)
        except (ValueError, IndexError, KeyError):
            strange.append(index)
            continue
        if event.code == codes.DEPTH_RESET and request.stream == "depth":
            resets.append(own | _reset(request))
        else:
            told.append(own | {name: getattr(event, name) for name in Event.__slots__})
    return table("depth", resets), table("events", told), np.array(strange, np.int64)


def unclear(content: bytes, msg_id: int, requests: dict[int, Request]) -> dict[str, object]:
    """A message that fits no layout: its text, and the line it seems to belong to."""
    texts = content.removesuffix(b"\0").decode(errors="backslashreplace").split("\0")
    place = _REQ_POSITION.get(msg_id, 2 if msg_id <= _LAST_WITH_VERSION else 1)
    req = texts[place] if msg_id != messages.NO_ID and place < len(texts) else ""
    request = requests.get(int(req)) if _INTEGER.fullmatch(req) else None
    return {
        "msg_id": None if msg_id == messages.NO_ID else msg_id,
        "text": "\t".join(texts),
        "symbol": request.symbol if request else None,
        "con_id": request.con_id if request else None,
    }


def table(name: str, rows: list[dict[str, object]]) -> pa.Table:
    """Rows as a table with its schema; what a row does not name is null."""
    return pa.Table.from_pylist(rows, schema=schema.schema(name))


def _fields(content: bytes) -> list[str]:
    if not content.endswith(b"\0"):
        raise ValueError("the last field is not ended")
    return content[:-1].decode().split("\0")


def _request(fields: list[str], requests: dict[int, Request]) -> Request:
    """What the message speaks about; only an error may be about nothing that was asked.

    Raises:
        KeyError: a request id that nobody knows.
    """
    msg_id = int(fields[0])
    req = _integer(fields[_REQ_POSITION[msg_id]])
    return requests.get(req, _NO_LINE) if msg_id == messages.ERROR else requests[req]


def _event(fields: list[str], request: Request) -> Event:
    line = (request.symbol or None, request.stream or None)
    match fields:
        case ["4", _, _, code, text, *advanced] if len(advanced) <= 1:
            refused = _integer(code) in codes.REFUSED and request is not _NO_LINE
            whole = "\t".join([text, *filter(None, advanced)])
            return Event("refused" if refused else "notice", *line, _integer(code), whole)
        case ["58", _, _, kind]:
            return Event("market_data_type", *line, _integer(kind), DATA_TYPES[_integer(kind)])
        case ["81", _, min_tick, exchange, permissions]:
            text = f"min_tick={min_tick} bbo_exchange={exchange} snapshot_permissions={permissions}"
            return Event("tick_params", *line, None, text)
        case ["91" | "92", _, con_id, exchange]:
            return Event("rerouted", *line, None, f"con_id={con_id} exchange={exchange}")
    raise ValueError("no layout of this message")


def _integer(text: str) -> int:
    """A 32-bit number; Python alone would also take blanks, underscores and the digits of other scripts."""
    if not _INTEGER.fullmatch(text) or not -(2**31) <= int(text) < 2**31:
        raise ValueError(f"{text!r} is no number of 32 bits")
    return int(text)


def _reset(request: Request) -> dict[str, object]:
    return {"symbol": request.symbol, "con_id": request.con_id, "source": "live", "operation": _RESET}
