"""A journal in memory, written by a test as the recorder writes one; and what each frame of it should become."""

from pathlib import Path

from recorder import schema
from recorder.journal.format import SEGMENT_MAGIC, Record, dump, header, preamble
from recorder.journal.state import State
from recorder.render.tables import plain, render
from recorder.wire.layouts import frame
from recorder.wire.sieve import Sieve

NOON = 1_795_348_800_000_000
"""2026-11-22 12:00 UTC in microseconds."""

HELLO = frame("178", "20261122 12:00:00 UTC")


def segment(*records, start=None):
    """The bytes of a segment."""
    start = preamble() if start is None else start
    salt = start[len(SEGMENT_MAGIC) :]
    return start + b"".join(header(salt, record) + record.payload for record in records)


class Tape:
    """Records a connection as the recorder does; a millisecond passes with every record."""

    def __init__(self, seq=1, ts=NOON):
        self.seq, self.ts = seq, ts
        self.state = State()
        self.segments = []
        self._sieve = Sieve()
        self._begin()

    def control(self, kind, *, row=True, **more):
        """Something the recorder did; ``row``: it is a row of ``events``."""
        content = {"kind": kind, **more}
        self.add("C", dump(content if row else {**content, "row": False}))
        self.state.apply(content)
        self.seq += row

    def open(self, **lines):
        """A connection with its hello; ``lines`` as in ``subscribe``."""
        self._sieve = Sieve()
        self.control("opened", row=False)
        self.read(HELLO)
        self.subscribe(**lines)

    def subscribe(self, **lines):
        """Each line's name to ``(req, stream)`` or ``(req, stream, show)``; a contract id is 1000 and the req."""
        for symbol, (req, stream, *show) in lines.items():
            more = {"req": req, "con_id": 1000 + req, "show": "".join(show)}
            self.control("subscribed", symbol=symbol, stream=stream, **more)

    def read(self, data):
        """The bytes of one read."""
        self.add("R", data, *self._sieve.skip(data))
        self.seq += self._sieve.feed(data).rows
        self.state.hello = self._sieve.hello

    def roll(self):
        """End the segment and begin the next."""
        self.seal()
        self._begin()
        if self._sieve.tail:
            self.add("T", self._sieve.tail)

    def seal(self):
        """The segment's last record; without it the recorder was killed."""
        self.control("sealed", row=False)

    def add(self, kind, payload, skip=0, skip_rows=0):
        """One record."""
        self.ts += 1000
        self.segments[-1].append(Record(kind, self.ts, self.seq, payload, skip, skip_rows))

    def contents(self):
        """The bytes of each segment."""
        return [segment(*records) for records in self.segments]

    def tables(self):
        """Every table of the tape, in order of ``seq``, as readers see them."""
        return joined(render(content) for content in self.contents())

    def _begin(self):
        self.segments.append([])
        self.add("S", dump(self.state.snapshot()))


def joined(rendered):
    """Rows of all tables of some rendered segments: table name to a list of dicts."""
    rows = {name: [] for name in schema.TABLES}
    for one in rendered:
        for name, table in one.tables.items():
            assert set(table.column_names) == set(schema.schema(name).names)
            rows[name] += plain(table, name).to_pylist()
    return rows


def numbered(tables):
    """All rows that share the numbers of ``seq``, by number: (seq, table, row)."""
    found = [(row["seq"], name, row) for name in schema.SEQUENCED for row in tables[name]]
    return sorted(found, key=lambda row: row[0])


def names(folder):
    """The names in a folder, in order."""
    return sorted(path.name for path in Path(folder).iterdir())


def content(row):
    """A row without what differs between two recordings of one message."""
    return {name: value for name, value in row.items() if name not in ("seq", "ts_recv")}
