"""Which days there are of each table, which are over, and which are worth compacting: by names alone.

Over is a UTC day before today of which nothing waits in the journal: no segment begins on it or before, and each of its
files is accounted for by the checkpoint.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from recorder import partition, schema
from recorder.journal import folder
from recorder.journal.format import NotASegmentError, Record, scan
from recorder.partition import COMPACTED, File

_PREFIX = "date="


@dataclass(frozen=True, slots=True)
class Day:
    """One UTC day of one table.

    Attributes:
        table: the table.
        date: the day.
        folder: where its files lie.
        files: they, oldest rows first.
        foreign: names of what else lies there.
    """

    table: str
    date: date
    folder: Path
    files: tuple[File, ...]
    foreign: tuple[str, ...]

    @property
    def bytes(self) -> int:
        """What its files take.

        Raises:
            FileNotFoundError: one is gone.
        """
        return sum(file.path.stat().st_size for file in self.files)

    @property
    def paths(self) -> list[Path]:
        """Its files."""
        return [file.path for file in self.files]


@dataclass(frozen=True, slots=True)
class Horizon:
    """What is over: days before ``first``, as far as their files hold numbers below ``seq`` only."""

    first: date
    seq: int

    def reason(self, day: Day, today: date) -> str | None:
        """Why a day is not over; None: it is."""
        if day.date >= today:
            return "today is not over" if day.date == today else "lies in the future"
        if day.date >= self.first or any(file.last_seq >= self.seq for file in day.files):
            return "rows of it still wait in the journal"
        return None


def horizon(root: Path) -> Horizon:
    """Up to where the recording's files are complete.

    Raises:
        NotARecordingError: ``root`` is none.
    """
    begun = (_begins(path) for path in folder.waiting(root))
    return Horizon(min((day for day in begun if day), default=date.max), folder.load(root).next_seq)


def look(root: Path, table: str, day: date) -> Day:
    """What lies in a day's folder now.

    Raises:
        FileNotFoundError: it is not there.
    """
    where = partition.folder(root, table, day)
    names = sorted(path.name for path in where.iterdir())
    files = partition.in_folder(where)
    ours = {file.path.name for file in files}
    foreign = [name for name in names if name not in ours]
    return Day(table, day, where, tuple(files), tuple(foreign))


def dates(root: Path, table: str) -> list[date]:
    """The days of a table that have a folder, oldest first."""
    folders = (root / table).iterdir() if (root / table).is_dir() else ()
    return sorted(found for path in folders if (found := _dated(path.name)) and path.is_dir())


def _dated(name: str) -> date | None:
    """The day of a folder ``date=2026-11-22``; None: it is no such folder, nor is one of another ISO form."""
    try:
        found = date.fromisoformat(name.removeprefix(_PREFIX))
    except ValueError:
        return None
    return found if name == f"{_PREFIX}{found.isoformat()}" else None


def scattered(root: Path, tables: Iterable[str] = schema.TABLES) -> Iterator[Day]:
    """The days in more than one file, unless all of them come from compaction; oldest first."""
    for table in tables:
        for at in dates(root, table):
            if sum(1 for _ in partition.folder(root, table, at).iterdir()) > 1:
                day = look(root, table, at)
                if len(day.files) > 1 and any(file.kind != COMPACTED for file in day.files):
                    yield day


def _begins(segment: Path) -> date | None:
    """The day of a segment's first record; None: it has none, or went meanwhile."""
    try:
        first = next((record for record in scan(segment.read_bytes()) if isinstance(record, Record)), None)
    except (NotASegmentError, FileNotFoundError):
        return None
    return datetime.fromtimestamp(first.ts / 1e6, UTC).date() if first else None
