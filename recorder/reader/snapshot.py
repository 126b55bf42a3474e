"""What a recording holds at one moment: complete Parquet files, and the journal's rows that are in none.

Rules:
- Journal first, files second. So a segment published in between is found in both, never in neither.
- A journal's row counts unless a file holds it. Only files whose numbers overlap the segment's can; in the
  steady state there are none.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from recorder import schema
from recorder.partition import File
from recorder.reader.files import Vanished, listed, read_files
from recorder.render.unrendered import unrendered

ATTEMPTS = 10
"""How often a reading is tried; each further one takes another compaction that got in its way."""

_KEY = {"gaps": "seq_end", "instruments": "ts_recv"}
"""What tells the rows of a table apart where it is not ``seq``."""

T = TypeVar("T")


class Tail(Protocol):
    """A journal segment that is not known to be in Parquet."""

    @property
    def first_seq(self) -> int:
        """Number of its first row."""

    @property
    def last_seq(self) -> int | None:
        """Number of its last row; None: it still grows."""

    def table(self, name: str) -> pa.Table:
        """Its rows of a table, by ``seq``."""


def reading(root: Path, read: Callable[["Snapshot"], T]) -> T:
    """What ``read`` makes of the recording, from a snapshot none of whose files vanished meanwhile.

    Raises:
        Vanished: it happened time and again.
    """
    for _ in range(ATTEMPTS - 1):
        try:
            return read(_taken(root))
        except Vanished:
            continue
    return read(_taken(root))


def _taken(root: Path) -> "Snapshot":
    at = datetime.now(UTC)
    return Snapshot(root, unrendered(root), at)


class Snapshot:
    """Files and tails of a recording; tails are taken before, files are listed when first asked for.

    Attributes:
        root: the recording.
        at: when it was taken: whatever came before is in it.
    """

    def __init__(self, root: Path, tails: Sequence[Tail], at: datetime | None = None) -> None:
        self.root = root
        self.at = at or datetime.now(UTC)
        self._tails = tails
        self._files: dict[str, list[File]] = {}
        self._rows: dict[str, pa.Table] = {}

    def files(self, table: str) -> list[File]:
        """The table's Parquet files, oldest rows first.

        Raises:
            Vanished: a day's folder went away while it was read.
        """
        if table not in self._files:
            self._files[table] = listed(self.root, table)
        return self._files[table]

    def tail(self, table: str) -> pa.Table:
        """The table's rows that are in no Parquet file, oldest first.

        Raises:
            Vanished: a file that may hold some of them is gone.
        """
        if table not in self._rows:
            files = self.files(table)
            parts = [_unpublished(tail, table, files) for tail in self._tails]
            self._rows[table] = pa.concat_tables([schema.schema(table).empty_table(), *parts])
        return self._rows[table]


def _unpublished(tail: Tail, table: str, files: list[File]) -> pa.Table:
    rows = tail.table(table)
    near = [file for file in files if _overlap(file, tail)] if len(rows) else []
    if not near:
        return rows
    key = _KEY.get(table, "seq")
    bounds = pc.min_max(rows[key])
    among = (pc.field(key) >= bounds["min"]) & (pc.field(key) <= bounds["max"])
    published = read_files(near, table, lambda data: data.to_table([key], filter=among))
    return rows.filter(pc.invert(pc.is_in(rows[key], value_set=published[key])))


def _overlap(file: File, tail: Tail) -> bool:
    return file.last_seq >= tail.first_seq and (tail.last_seq is None or file.first_seq <= tail.last_seq)
