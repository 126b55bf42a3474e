"""The Parquet files of a recording, by name: ``ROOT/<table>/date=YYYY-MM-DD/<first>-<last>[-<kind>]-<crc>.parquet``.

Rules:
- The name says which numbers stand in a file and what its bytes add up to: copied to wherever, it can be proved whole.
- A file of format 1 has neither kind nor checksum in its name; it is read like any other.
- What is not named like this is none of ours and stays where it is.
"""

import contextlib
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

COMPACTED = "day"
"""Kind of the files that hold a whole day."""

DAMAGED = "damaged"
"""Kind of the files of gaps that stand for what damage took."""

TABLES = (
    "level1", "trades", "quotes", "midpoints", "depth", "greeks", "bars", "other", "events", "gaps", "instruments",
)  # fmt: skip
"""The folders of a recording that are tables. ``schema`` has them column by column, and needs Arrow, which the
recording process does without."""

_DAY = re.compile(r"date=(\d{4}-\d\d-\d\d)")
_NAME = re.compile(r"(\d{1,19})-(\d{1,19})(?:-(?![0-9a-f]{8}\.)([a-z]+))?(?:-([0-9a-f]{8}))?\.parquet")
_BLOCK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class File:
    """One Parquet file, as its name describes it.

    Attributes:
        table: its table.
        path: where it is.
        day: the UTC day whose rows it holds.
        first_seq: the least number in it; of a table without numbers, or of kind ``DAMAGED``: of what it belongs to.
        last_seq: the greatest.
        kind: ``COMPACTED``, ``DAMAGED``, or None: one flush.
        crc: CRC-32 of all its bytes; None: the name does not say.
    """

    table: str
    path: Path
    day: date
    first_seq: int
    last_seq: int
    kind: str | None = None
    crc: int | None = None

    @property
    def is_named_by_us(self) -> bool:
        """Whether its name has every digit that ours have, and can not only be read as one of them."""
        return self.path.name.startswith(stem(self.first_seq, self.last_seq))

    @property
    def is_intact(self) -> bool:
        """Whether its bytes are those that were published; of a file of format 1 nobody can say, so yes.

        Raises:
            OSError: it cannot be read.
        """
        return self.crc is None or self.crc == checksum(self.path)


def name(first_seq: int, last_seq: int, crc: int, kind: str | None = None) -> str:
    """What a file is called."""
    return f"{stem(first_seq, last_seq, kind)}-{crc:08x}.parquet"


def stem(first_seq: int, last_seq: int, kind: str | None = None) -> str:
    """The part of a name that says which rows stand in it, and not how they were written."""
    numbers = f"{first_seq:019d}-{last_seq:019d}"
    return f"{numbers}-{kind}" if kind else numbers


def folder(root: Path, table: str, day: date) -> Path:
    """Where the files of a table and a day lie."""
    return root / table / f"date={day.isoformat()}"


def parse(path: Path) -> File | None:
    """What the path of a file says; None: it is none of ours."""
    day, found = _DAY.fullmatch(path.parent.name), _NAME.fullmatch(path.name)
    if not day or not found:
        return None
    first, last, kind, crc = found.groups()
    table = path.parent.parent.name
    try:
        at = date.fromisoformat(day[1])
    except ValueError:  # the 45th of the 13th month
        return None
    return File(table, path, at, int(first), int(last), kind, None if crc is None else int(crc, 16))


def listed(root: Path, table: str) -> list[File]:
    """The table's files, oldest rows first.

    Raises:
        FileNotFoundError: a day's folder went away while it was read (compaction, retention): look again.
    """
    return _by_first(_files(root / table, lambda _path: True))


def here(root: Path, table: str) -> list[File]:
    """As ``listed``, but for what a link that leads nowhere stands for (``away``).

    Raises:
        FileNotFoundError: a day's folder went away while it was read (compaction, retention): look again.
    """
    return _by_first(_files(root / table, lambda path: not _is_away(path)))


def away(root: Path) -> list[Path]:
    """Links that lead nowhere and stand for a table, a day or a file: with its disk, what they stand for comes back."""
    tables = [root / table for table in TABLES]
    days = [path for table in tables for path in table.glob("date=*") if _DAY.fullmatch(path.name)]
    files = [path for day in days for path in day.glob("*.parquet") if parse(path) is not None]
    return [path for path in (*tables, *days, *files) if _is_away(path)]


def in_folder(partition: Path) -> list[File]:
    """The files of one table and day, oldest rows first.

    Raises:
        FileNotFoundError: the folder is not there.
    """
    found = (parse(path) for path in partition.iterdir())
    return sorted((file for file in found if file is not None), key=lambda file: file.first_seq)


def reached(files: Iterable[File]) -> int:
    """The greatest number that files of rows speak of; only those count that are named by us."""
    ours = (file for file in files if file.is_named_by_us and file.kind != DAMAGED)
    return max((file.last_seq for file in ours), default=0)


def everywhere(root: Path) -> Iterator[File]:
    """The files of all tables; other folders beside them are none of ours."""
    found = (parse(path) for table in TABLES for path in root.glob(f"{table}/date=*/*.parquet"))
    return (file for file in found if file is not None)


def checksum(path: Path) -> int:
    """CRC-32 of a file's bytes.

    Raises:
        OSError: it cannot be read.
    """
    crc = 0
    with path.open("rb", buffering=0) as file:
        while block := file.read(_BLOCK):
            crc = zlib.crc32(block, crc)
    return crc


def day_column(table: str) -> str:
    """The column whose UTC day names the folder: a gap is written when it closes."""
    return "ts_end" if table == "gaps" else "ts_recv"


def _by_first(found: Iterable[File]) -> list[File]:
    return sorted(found, key=lambda file: (file.first_seq, file.day))


def _files(table: Path, is_wanted: Callable[[Path], bool]) -> Iterator[File]:
    for partition in table.iterdir() if table.is_dir() else ():
        if _DAY.fullmatch(partition.name) and is_wanted(partition):
            with contextlib.suppress(NotADirectoryError):  # a file of that name is none of ours
                yield from (file for file in in_folder(partition) if is_wanted(file.path))


def _is_away(path: Path) -> bool:
    return path.is_symlink() and not path.exists()
