"""Gaps that were filled afterwards, and where the rows that filled them belong.

Rules:
- A filled row happened at ``ts_event``, in whole seconds, and was received much later: views place it where it
  happened, among the rows received then, and never take ``ts_recv`` for the moment.
- How far a gap is filled is in the ``filled`` events, whose text begins in a fixed form; the last one counts.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from recorder import schema
from recorder.reader.derive.life import Flags, Ints
from recorder.render.backfill import SOURCE, TEXT

COLUMNS = ("ts_recv", "seq", "symbol", "stream", "text")
"""Columns of ``events`` that are needed."""

GAPS = pa.schema(
    [*list(schema.schema("gaps")), pa.field("filled_until", schema.TIME), pa.field("filled", pa.bool_())]
)
"""The gaps with what came of them. ``filled_until``: ticks before it are there, as far as IB has them; null: none
were fetched. ``filled``: whether that is all of the gap."""


@dataclass(frozen=True, slots=True)
class Filling:
    """One gap's filling, microseconds.

    Attributes:
        begin: where the gap begins.
        until: where what is filled of it ends.
        fetched: when its rows were received.
    """

    begin: int
    until: int
    fetched: tuple[int, ...]


def with_filled(gaps: pa.Table, events: pa.Table) -> pa.Table:
    """The gaps with the columns ``filled_until`` and ``filled``; ``events``: those of kind ``filled``, by ``seq``."""
    told = _told(events)
    until, whole = [], []
    for row in gaps.select(["symbol", "stream", "seq_start", "ts_start", "ts_end"]).to_pylist():
        said = told.get((row["symbol"], row["stream"], row["seq_start"]), [])
        is_whole = bool(said) and said[-1]["verdict"].startswith("filled whole")
        reached = min((said[-1]["until"], row["ts_end"])) if said else None
        until.append(reached if reached and reached > row["ts_start"] else None)
        whole.append(is_whole)
    columns = [gaps[name] for name in schema.schema("gaps").names]
    return pa.table([*columns, pa.array(until, schema.TIME), pa.array(whole, pa.bool_())], GAPS)


def fillings(gaps: pa.Table, events: pa.Table, symbol: str, stream: str) -> list[Filling]:
    """What was filled of a stream; ``gaps`` with the columns of ``with_filled``."""
    told = _told(events)
    own = (pc.field("symbol") == symbol) & (pc.field("stream") == stream)
    return [
        Filling(
            _micros(row["ts_start"]),
            _micros(row["filled_until"]),
            tuple(_micros(one["ts_recv"]) for one in told[symbol, stream, row["seq_start"]]),
        )
        for row in gaps.filter(own & pc.field("filled_until").is_valid()).to_pylist()
    ]


def within(ts: Ints, filled: Iterable[Filling]) -> Flags:
    """Which moments lie in a filled part of a gap."""
    found = np.zeros(len(ts), np.bool_)
    for one in filled:
        found |= (ts >= one.begin) & (ts < one.until)
    return found


def is_filled(rows: pa.Table) -> Flags:
    """Which rows were not received live."""
    flags: Flags = pc.fill_null(pc.equal(rows["source"], SOURCE), False).to_numpy()
    return flags


def named(ticks: pa.Table, name: str) -> pa.Array:
    """The ``source`` of a view's rows: ``name``, or that they filled a gap."""
    return pa.array(np.where(is_filled(ticks), SOURCE, name), pa.string())


def moments(rows: pa.Table) -> Ints:
    """When each row happened, as far as is known: when it was received, or IB's second if it filled a gap."""
    received: Ints = rows["ts_recv"].cast(pa.int64()).to_numpy()
    late = is_filled(rows)
    return np.where(late, _seconds(rows), received) if late.any() else received


def placed(rows: pa.Table) -> pa.Table:
    """Rows in order of arrival, those that filled a gap where they happened."""
    rows = rows.sort_by("seq")
    late = is_filled(rows)
    if not late.any():
        return rows
    # what is live stays in order of arrival, also where the clock was set back
    reached = np.maximum.accumulate(np.where(late, 0, moments(rows)))
    places = np.where(late, _seconds(rows), reached)
    return rows.take(pa.array(np.argsort(places, kind="stable")))


def _seconds(rows: pa.Table) -> npt.NDArray[np.int64]:
    found: Ints = pc.fill_null(rows["ts_event"].cast(pa.int64()), 0).to_numpy()
    return found


def _told(events: pa.Table) -> dict[tuple[str, str, int], list[dict[str, Any]]]:
    """What the events say of each gap, oldest first."""
    found: dict[tuple[str, str, int], list[dict[str, Any]]] = {}
    for row in events.to_pylist():
        said = TEXT.match(row["text"] or "")
        if said:
            until = datetime.fromisoformat(said["cursor"])
            told = {"verdict": said["verdict"], "until": until, "ts_recv": row["ts_recv"]}
            found.setdefault((row["symbol"], row["stream"], int(said["seq_start"])), []).append(told)
    return found


def _micros(moment: datetime) -> int:
    return int(np.datetime64(moment.replace(tzinfo=None), "us").astype(np.int64))
