"""The Parquet files of a table: which there are, by their names, and what stands in them.

Rule: a file is complete from the moment it is there, and only ever vanishes whole (compaction, retention).
Whoever meets one that vanished starts over.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds

from recorder import schema
from recorder.reader.errors import Damaged

_DAY = re.compile(r"date=(\d{4}-\d\d-\d\d)")
_FILE = re.compile(r"(\d+)-(\d+)\.parquet")

_PARQUET = ds.ParquetFileFormat(
    default_fragment_scan_options=ds.ParquetFragmentScanOptions(page_checksum_verification=True)
)
"""Every page's checksum is verified: measured, it costs nothing that shows."""


class Vanished(Exception):  # noqa: N818 - reads as a sentence where it is caught
    """A file that was listed is no longer there."""


@dataclass(frozen=True, slots=True)
class PartFile:
    """One Parquet file, as its name describes it."""

    path: Path
    day: date
    first_seq: int
    last_seq: int


def listed(root: Path, table: str) -> list[PartFile]:
    """The table's files, oldest rows first.

    Raises:
        Vanished: a day's folder went away while it was read.
    """
    folder = root / table
    found = _files(folder) if folder.is_dir() else ()
    return sorted(found, key=lambda file: (file.first_seq, file.day))


def read_files(files: list[PartFile], table: str, read: Callable[[Any], pa.Table]) -> pa.Table:
    """What ``read`` takes from the files, given as a pyarrow dataset with the table's schema.

    Raises:
        Vanished: one of them is gone.
        Damaged: one of them does not read.
    """
    shape = schema.schema(table)
    paths = [str(file.path) for file in files]
    if not paths:
        return read(ds.dataset(shape.empty_table()))
    try:
        return read(ds.dataset(paths, schema=shape, format=_PARQUET))
    except FileNotFoundError as error:
        raise Vanished(str(error)) from error
    except (OSError, pa.ArrowInvalid) as error:
        raise Damaged(f"table {table}: {error}; ib-recorder verify names what is damaged") from error


def _files(folder: Path) -> Iterator[PartFile]:
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
