"""Where subscriptions begin and end: from there on nothing known before counts.

Rules:
- A stream's state starts afresh at each of ``RESETS`` that is about it, its line or everything.
- A gap begins behind the last row before it; rows behind that are not continued from rows before.
- The end of a gap resets nothing: it is written once data has come again.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

RESETS = (
    "session_start",
    "session_end",
    "disconnected",
    "subscribed",
    "unsubscribed",
    "refused",
    "gap_start",
)
"""Kinds of events at which a stream's state starts afresh."""

_ON = ("subscribed", "gap_end")
KINDS = (*RESETS, "gap_end")
"""Kinds of events that tell of a stream's life."""

COLUMNS = ("ts_recv", "seq", "kind", "symbol", "stream")
"""Columns of ``events`` that a life is made of."""


@dataclass(frozen=True, slots=True)
class Life:
    """One stream's beginnings and ends, by ``seq``.

    Attributes:
        seq: rows from this number on belong to what began or ended here.
        ts: when, microseconds since 1970.
        on: whether data comes from there on.
        resets: whether state starts afresh there.
    """

    seq: Ints
    ts: Ints
    on: Flags
    resets: Flags

    def epochs(self, seq: Ints) -> Ints:
        """Which stretch of the stream's life each row belongs to."""
        return np.searchsorted(self.seq[self.resets], seq, side="right")

    def begin(self, until: int | None = None) -> tuple[int, int]:
        """Number and time of the last fresh start before a moment (None: of all); zeros: there was none."""
        known = self.resets if until is None else self.resets & (self.ts < until)
        places = np.flatnonzero(known)
        return (int(self.seq[places[-1]]), int(self.ts[places[-1]])) if len(places) else (0, 0)


def of_stream(events: pa.Table, gaps: pa.Table, symbol: str, stream: str) -> Life:
    """The life of a stream, from the events and gaps about it or about everything."""
    events, gaps = _about(events, symbol, stream), _about(gaps, symbol, stream)
    events = events.filter(pc.field("kind").isin(KINDS))
    seq = np.concatenate([_ints(events["seq"]), _ints(gaps["seq_start"]) + 1])
    ts = np.concatenate([_ints(events["ts_recv"]), _ints(gaps["ts_start"])])
    kinds = np.array(events["kind"].to_pylist() + ["gap_start"] * len(gaps), object)
    order = np.argsort(seq, kind="stable")
    kinds = kinds[order]
    return Life(seq[order], ts[order], np.isin(kinds, _ON), np.isin(kinds, RESETS))


def _about(rows: pa.Table, symbol: str, stream: str) -> pa.Table:
    line, kind = pc.field("symbol"), pc.field("stream")
    return rows.filter((line.is_null() | (line == symbol)) & (kind.is_null() | (kind == stream)))


def _ints(column: pa.ChunkedArray) -> Ints:
    found: Ints = column.cast(pa.int64()).to_numpy()
    return found


def first_of(epochs: Ints) -> Ints:
    """The position at which each row's stretch begins."""
    at = np.arange(len(epochs))
    begins = np.ones(len(epochs), np.bool_)
    begins[1:] = epochs[1:] != epochs[:-1]
    return np.maximum.accumulate(np.where(begins, at, 0))


def latest(flags: Flags, first: Ints) -> Ints:
    """The position of the last flagged row up to each row, within its stretch; -1: none."""
    found = np.maximum.accumulate(np.where(flags, np.arange(len(flags)), -1))
    return np.where(found >= first, found, -1)


def covered(seq: Ints, life: Life, rows: Ints) -> Flags:
    """Which numbers fall where another stream was subscribed, given its life and the numbers of its rows.

    A row proves a subscription as well as its event does.
    """
    marks = np.concatenate([life.seq, rows])
    on = np.concatenate([life.on, np.ones(len(rows), np.bool_)])
    order = np.argsort(marks, kind="stable")
    last = np.searchsorted(marks[order], seq, side="right")
    found: Flags = np.append(False, on[order])[last]
    return found
