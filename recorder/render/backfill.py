"""Historical ticks that filled a gap, as rows; and how far it is filled, as text that reads back.

Rule: a tick becomes the message 99 it would have been, and from there on what a live one becomes.
"""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from recorder.journal.format import Record
from recorder.journal.state import Request
from recorder.render.rows import Rows, named, rows
from recorder.render.stretch import Frames
from recorder.wire import messages
from recorder.wire.frames import split
from recorder.wire.layouts import frame

SOURCE = "backfill"
"""What stands in ``source`` of a row that was not received live."""

EVENT = "filled"
"""The kind of event that tells of a gap being filled."""

TEXT = re.compile(
    r"gap behind (?P<seq_start>\d+)"
    r" (?P<verdict>filled up to|filled whole, up to|not filled from)"
    r" (?P<cursor>[0-9T:-]+Z)"
)
"""How its text begins: which gap, what of it, and the first second that is not filled."""

_REQ = 0
_VARIANTS = {"last": 1, "all_last": 2, "quotes": 3, "midpoints": 4}


def ticks(record: Record, content: dict[str, Any]) -> Iterator[Rows]:
    """The rows of a ``backfill`` record's ticks; their numbers are the record's first ones."""
    if not content["ticks"]:
        return  # of a gap that cannot be filled it may not be on record which kind of trades was asked for
    variant = _VARIANTS[content["trade_kind"] or content["stream"]]
    told = [("99", str(_REQ), str(variant), *texts) for texts in content["ticks"]]
    data = b"".join(frame(*fields) for fields in told)
    count, request = len(told), Request(content["symbol"], content["stream"], content["con_id"])
    ids, ts = np.full(count, messages.TICK_BY_TICK), np.full(count, record.ts)
    frames = Frames(data, split(data), ids, ts, record.seq + np.arange(count), {_REQ: request})
    for name, table in rows(frames):
        if len(table):
            yield name, _marked(table)


def event(record: Record, content: dict[str, Any]) -> dict[str, Any]:
    """The record's own row of ``events``; its number is the last."""
    return {
        "ts_recv": record.ts,
        "seq": record.seq + len(content["ticks"]),
        "kind": EVENT,
        "symbol": content["symbol"],
        "stream": content["stream"],
        "code": content.get("code"),
        "text": _text(content),
    }


def _marked(table: pa.Table) -> pa.Table:
    source = named(np.zeros(len(table), np.int64), [SOURCE])
    return table.set_column(table.column_names.index("source"), "source", source)


def _text(content: dict[str, Any]) -> str:
    begin, cursor = f"gap behind {content['seq_start']}", _stamp(content["cursor"])
    if "refused" in content:
        return f"{begin} not filled from {cursor} on: {content['refused']}"
    verdict = "filled whole, up to" if content["done"] else "filled up to"
    seconds = [_stamp(int(texts[0])) for texts in content["ticks"]]
    found = f"{len(seconds)} ticks of {seconds[0]} to {seconds[-1]}" if seconds else "no ticks"
    return f"{begin} {verdict} {cursor}: {found}"


def _stamp(second: int) -> str:
    return f"{np.datetime64(second, 's')}Z"
