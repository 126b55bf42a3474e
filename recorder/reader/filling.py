"""Gaps and tick-by-tick rows as read for the views: with what filled them afterwards.

Rule: what filled a gap is received later than what a range asks for, so ``filled`` events are read from the range's
start to the end of the recording, and rows only from when those events say that some were fetched.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from recorder import schema
from recorder.reader.derive import filled
from recorder.reader.derive.filled import Filling
from recorder.reader.moments import BEGINNING, Span
from recorder.reader.scan import scan
from recorder.reader.snapshot import Snapshot
from recorder.render.backfill import EVENT, SOURCE


class Fillings:
    """What was filled, of the gaps that were being filled in a range or behind it.

    Attributes:
        gaps: all closed gaps, with the columns of ``filled.GAPS``.
    """

    def __init__(self, snapshot: Snapshot, span: Span) -> None:
        self._events = _events(snapshot, None, span)
        self.gaps = filled.with_filled(scan(snapshot, "gaps"), self._events)

    def of(self, symbol: str, stream: str) -> list[Filling]:
        """What was filled of one stream."""
        return filled.fillings(self.gaps, self._events, symbol, stream)


def gaps_of(snapshot: Snapshot, symbols: Sequence[str] | None, span: Span) -> pa.Table:
    """The closed gaps that overlap a range, and what was filled of each."""
    return filled.with_filled(scan(snapshot, "gaps", symbols, span), _events(snapshot, symbols, span))


def ticks_of(
    snapshot: Snapshot, table: str, symbol: str, span: Span, fillings: Sequence[Filling]
) -> pa.Table:
    """Tick-by-tick rows that were received in a range; of those that filled a gap, what happened in it."""
    late = pc.field("source") == SOURCE
    live = scan(snapshot, table, [symbol], span, where=~late)
    fetched = [moment for one in fillings for moment in one.fetched]
    if not fetched:
        return live
    happened = pc.field("ts_event")
    if span.start is not None:
        late &= happened >= pa.scalar(span.start, schema.TIME)
    if span.end is not None:
        late &= happened < pa.scalar(span.end, schema.TIME)
    when = Span(_moment(min(fetched)), _moment(max(fetched) + 1))
    return pa.concat_tables([live, scan(snapshot, table, [symbol], when, where=late)])


def _events(snapshot: Snapshot, symbols: Sequence[str] | None, span: Span) -> pa.Table:
    told = pc.field("kind") == EVENT
    return scan(snapshot, "events", symbols, Span(span.start), where=told, columns=filled.COLUMNS)


def _moment(micros: int) -> datetime:
    return BEGINNING + timedelta(microseconds=micros)
