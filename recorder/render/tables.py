"""A whole segment to tables: what the journal holds, as what the reader sees.

Rules:
- Pure: a segment's bytes in, tables out. The renderer and the reader's view of the live journal call the same.
- Damage loses its own stretch and nothing else.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from recorder import schema
from recorder.journal.format import Damage, Record, rows_of, scan
from recorder.journal.state import Request, State, live
from recorder.render import backfill, events
from recorder.render.lasts import Lasts, note, note_ticks
from recorder.render.rows import rows
from recorder.render.stretch import Frames, Stretch
from recorder.wire.activity import Mark


@dataclass(slots=True)
class Rendered:
    """What a segment holds.

    Attributes:
        tables: table name to its rows, in no order; texts that repeat are dictionaries.
        first_seq: number of its first row.
        next_seq: number behind its last row.
        last_ts: the latest time of a record since the clock was last set, microseconds.
        stepped: whether the clock was set in it.
        state: the state after its last record.
        damage: the stretches that could not be read.
        lasts: where the last tick of each stream stands, or where it was subscribed or received again.
        lost: bytes that damage kept from becoming rows: those stretches, and what else there is of frames cut by them.
        live: what was subscribed at its beginning and where damage begins, with the number of the next row there.
    """

    tables: dict[str, pa.Table] = field(default_factory=dict)
    first_seq: int = 0
    next_seq: int = 0
    last_ts: int = 0
    stepped: bool = False
    state: State = field(default_factory=State)
    damage: list[Damage] = field(default_factory=list)
    lost: int = 0
    lasts: Lasts = field(default_factory=dict)
    live: list[tuple[int, set[tuple[str, str]]]] = field(default_factory=list)


Behind: TypeAlias = Callable[[], State | None]


def render(segment: bytes, before: State | None = None, behind: Behind = lambda: None) -> Rendered:
    """All rows of a segment.

    Args:
        segment: its bytes.
        before: the state it began with, should its own record of it be damaged.
        behind: tells the state that the next one begins with, which knows what was asked for in records that are lost.

    Raises:
        NotASegmentError: the bytes are no segment.
    """
    return _read(segment, _Reading(before or State()), behind)


def follow(segment: bytes, before: State | None = None) -> Rendered:
    """What comes behind a segment: as ``render``, but nothing is decoded and there are no rows.

    Raises:
        NotASegmentError: the bytes are no segment.
    """
    return _read(segment, _Reading(before or State(), decodes=False))


def _read(segment: bytes, reading: "_Reading", behind: Behind = lambda: None) -> Rendered:
    found = list(scan(segment))
    unsure = _last_damage(found)
    for place, record in enumerate(found):
        reading.take(record)
        if place == unsure and (state := behind()):
            reading.learn(state.requests)
    return reading.end()


def _last_damage(found: list[Record | Damage]) -> int | None:
    """The damage behind which there is one connection, that of the segment's end."""
    for place in range(len(found) - 1, -1, -1):
        one = found[place]
        if isinstance(one, Damage):
            return place
        if one.kind == "C" and one.json()["kind"] == "opened":
            return None
    return None


def plain(table: pa.Table, name: str) -> pa.Table:
    """The table as readers see it: no dictionaries, in order of ``seq``."""
    if name in schema.SEQUENCED:
        table = table.take(pa.array(by_number(table["seq"].to_numpy())))
    return table.cast(schema.schema(name))


class _Reading:
    """One pass over a segment's records."""

    def __init__(self, before: State, *, decodes: bool = True) -> None:
        self._decodes = decodes
        self._rendered = Rendered(first_seq=-1, state=before)
        self._stretch = Stretch(before.requests, hello=before.hello)
        self._parts: dict[str, list[pa.Table]] = defaultdict(list)
        self._told: dict[str, list[dict[str, Any]]] = defaultdict(list)

    def take(self, record: Record | Damage) -> None:
        if isinstance(record, Damage):
            self._rendered.damage.append(record)
            self._rendered.lost += record.size
            self._keep(self._stretch.lose())
            self._note_live()
            return
        self._count(record)
        if record.kind in "RT":
            self._keep(self._stretch.add(record))
        elif record.kind == "S":
            self._rendered.state = State.restore(record.json())
            self._note_live()
            self._begin_stretch()
        else:
            self._control(record)

    def learn(self, requests: dict[int, Request]) -> None:
        """What was asked for on this connection; under other names than it seemed, if its beginning is lost."""
        state = self._rendered.state
        if any(state.requests.get(req, request) != request for req, request in requests.items()):
            state.requests.clear()
            state.live.clear()
        state.requests.update(requests)

    def end(self) -> Rendered:
        self._end_stretch()
        if not self._decodes:
            return self._rendered
        for name, found in self._told.items():
            self._parts[name].append(events.table(name, found))
        self._rendered.tables = {name: _joined(tables) for name, tables in self._parts.items()}
        return self._rendered

    def _count(self, record: Record) -> None:
        rendered = self._rendered
        rendered.first_seq = record.seq if rendered.first_seq < 0 else rendered.first_seq
        rendered.next_seq = max(rendered.next_seq, record.seq + record.skip_rows)
        rendered.last_ts = max(rendered.last_ts, record.ts)

    def _note_live(self) -> None:
        self._rendered.live.append((self._rendered.next_seq, live(self._rendered.state)))

    def _keep(self, flushed: Iterable[Frames]) -> None:
        for frames in flushed:
            self._rendered.next_seq = max(self._rendered.next_seq, int(frames.seq.max(initial=-1)) + 1)
            for name, table in rows(frames) if self._decodes else ():
                if len(table):
                    self._parts[name].append(table)
                    note_ticks(self._rendered.lasts, name, table)

    def _end_stretch(self) -> None:
        self._keep(self._stretch.flush())
        self._rendered.lost += self._stretch.lost

    def _begin_stretch(self) -> None:
        self._end_stretch()
        state = self._rendered.state
        self._stretch = Stretch(state.requests, hello=state.hello)

    def _control(self, record: Record) -> None:
        content = record.json()
        self._rendered.state.apply(content)
        if content["kind"] == "opened":
            self._begin_stretch()
        if content["kind"] == "clock_step":
            self._rendered.last_ts, self._rendered.stepped = record.ts, True
        elif content["kind"] == "overflow":
            self._keep(self._stretch.cut())
        if content["kind"] in ("subscribed", "gap_end"):
            here = Mark(content.get("ts_end", record.ts), content.get("seq_end", record.seq))
            note(self._rendered.lasts, (content["symbol"], content["stream"]), here)
        count = rows_of(content)
        if count == 0:
            return
        self._rendered.next_seq = max(self._rendered.next_seq, record.seq + count)
        if not self._decodes:
            return
        if content["kind"] == "backfill":
            self._backfill(record, content)
            return
        self._told["events"].append(content | {"ts_recv": record.ts, "seq": record.seq})
        if content["kind"] == "gap_end":
            self._told["gaps"].append(content)
        elif content["kind"] == "qualified":
            self._told["instruments"].append(content["instrument"] | {"ts_recv": record.ts})

    def _backfill(self, record: Record, content: dict[str, Any]) -> None:
        for name, table in backfill.ticks(record, content):
            self._parts[name].append(table)
        self._told["events"].append(backfill.event(record, content))


def _joined(tables: list[pa.Table]) -> pa.Table:
    """The pieces as one, each column in one stretch of memory."""
    return pa.concat_tables([_encoded(table) for table in tables]).unify_dictionaries().combine_chunks()


def by_number(seq: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The order that sorts numbers; where they are distinct and nearly dense, each has its place."""
    if len(seq) == 0 or seq.max() - seq.min() > 8 * len(seq) + 1024:
        return np.argsort(seq)
    places = np.full(seq.max() - seq.min() + 1, -1, np.int64)
    places[seq - seq.min()] = np.arange(len(seq))
    order = places[places >= 0]
    return order if len(order) == len(seq) else np.argsort(seq, kind="stable")


_REPEATING = ("symbol", "source", "field", "kind", "show")


def _encoded(table: pa.Table) -> pa.Table:
    """Texts that repeat as dictionaries, however few rows they came with."""
    for name in _REPEATING:
        if name in table.column_names and not pa.types.is_dictionary(table.schema.field(name).type):
            column = table[name].dictionary_encode()
            table = table.set_column(table.column_names.index(name), name, column)
    return table
