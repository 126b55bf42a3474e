"""What a recording holds at one moment: complete Parquet files, and the journal's rows that are in none.

Rules:
- Journal first, files second. Then a segment published in between is found in both, never in neither.
- One segment becomes at most one file a table and UTC day. So a tail's rows of a day count unless a file of
  that day lies within the tail's numbers; then the file counts.
- Files only ever vanish whole (compaction, retention). Whoever meets one that vanished starts over.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Protocol, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from recorder import schema
from recorder.render import unrendered

ATTEMPTS = 10
"""How often a reading is tried; each further one takes another compaction that got in its way."""

_DAY = re.compile(r"date=(\d{4}-\d\d-\d\d)")
_FILE = re.compile(r"(\d+)-(\d+)\.parquet")

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


@dataclass(frozen=True, slots=True)
class PartFile:
    """One Parquet file, as its name describes it."""

    path: Path
    day: date
    first_seq: int
    last_seq: int

    def within(self, tail: Tail) -> bool:
        """Whether it is what the tail became."""
        return tail.first_seq <= self.first_seq and (tail.last_seq is None or self.last_seq <= tail.last_seq)


class Vanished(Exception):  # noqa: N818 - reads as a sentence where it is caught
    """A file that was listed is no longer there."""


def reading(root: Path, read: Callable[["Snapshot"], T]) -> T:
    """What ``read`` makes of the recording, from a snapshot none of whose files vanished meanwhile.

    Raises:
        Vanished: it happened time and again.
    """
    for _ in range(ATTEMPTS - 1):
        try:
            return read(Snapshot(root, unrendered(root)))
        except Vanished:
            continue
    return read(Snapshot(root, unrendered(root)))


class Snapshot:
    """Files and tails of a recording; tails are taken before, files are listed when first asked for."""

    def __init__(self, root: Path, tails: Sequence[Tail]) -> None:
        self.root = root
        self._tails = tails
        self._files: dict[str, list[PartFile]] = {}
        self._rows: dict[str, pa.Table] = {}

    def files(self, table: str) -> list[PartFile]:
        """The table's Parquet files, oldest rows first.

        Raises:
            Vanished: a day's folder went away while it was read.
        """
        if table not in self._files:
            found = _files(self.root / table)
            self._files[table] = sorted(found, key=lambda file: (file.first_seq, file.day))
        return self._files[table]

    def tail(self, table: str) -> pa.Table:
        """The table's rows that are in no Parquet file, oldest first."""
        if table not in self._rows:
            files = self.files(table)
            parts = [_unpublished(tail, table, files) for tail in self._tails]
            self._rows[table] = pa.concat_tables([schema.schema(table).empty_table(), *parts])
        return self._rows[table]


def day_column(table: str) -> str:
    """The column whose UTC day names the folder: a gap is written when it closes."""
    return "ts_end" if table == "gaps" else "ts_recv"


def _files(folder: Path) -> Iterator[PartFile]:
    if not folder.is_dir():
        return
    for partition in folder.iterdir():
        if day := _DAY.fullmatch(partition.name):
            yield from _day_files(partition, date.fromisoformat(day[1]))


def _day_files(partition: Path, day: date) -> Iterator[PartFile]:
    try:
        names = list(partition.iterdir())
    except FileNotFoundError as error:
        raise Vanished(f"{partition} vanished while it was read") from error
    for path in names:
        if numbers := _FILE.fullmatch(path.name):
            yield PartFile(path, day, int(numbers[1]), int(numbers[2]))


def _unpublished(tail: Tail, table: str, files: list[PartFile]) -> pa.Table:
    rows = tail.table(table)
    published = {file.day for file in files if file.within(tail)}
    if not published or not len(rows):
        return rows
    days = pc.cast(rows[day_column(table)], pa.date32(), safe=False)
    return rows.filter(pc.invert(pc.is_in(days, value_set=pa.array(published, pa.date32()))))
