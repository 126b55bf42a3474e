"""Which of a segment's rows are in their tables already: a renderer was killed before its checkpoint.

Rules:
- A row is there if a published one has its number and its time. Where another version put it into another table, it
  stays, like all that was published before: rendering again from the archive is what changes that.
- Only files that speak of numbers from the checkpoint's on are looked into: none, unless a renderer was killed.
- One of them that is damaged is set aside: its rows are in the segment still.
"""

import datetime as dt
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

import pyarrow as pa

from recorder import partition, schema
from recorder.partition import File
from recorder.render.aside import BAD_BYTES, keep_file
from recorder.render.numbers import batches
from recorder.render.publish import Partition, make_durable, partitions

Row: TypeAlias = tuple[int, int]
"""A row's number and its ``ts_recv``, microseconds."""


def not_placed(root: Path, parts: Iterable[Partition], next_seq: int) -> Iterator[Partition]:
    """The parts of a segment without the rows that are in their tables; ``next_seq``: the checkpoint's.

    Raises:
        OSError: a file cannot be looked into.
    """
    there: dict[dt.date, set[Row]] = {}
    for part in parts:
        if part.day not in there:
            there[part.day] = set().union(*(_rows(root, file) for file in _files(root, part.day, next_seq)))
        placed = there[part.day]
        if part.table not in schema.SEQUENCED or not placed:
            yield part
            continue
        flags = [row not in placed for row in _numbered(part.rows)]
        if any(flags):
            rest = part.rows.filter(pa.array(flags))
            yield from partitions({part.table: rest}, part.first_seq, part.last_seq)


def _files(root: Path, day: dt.date, next_seq: int) -> Iterator[File]:
    """The files of a day that may hold rows from ``next_seq`` on; their names are durable then."""
    for table in sorted(schema.SEQUENCED):
        folder = partition.folder(root, table, day)
        found = partition.in_folder(folder) if folder.is_dir() else []
        beyond = [file for file in found if file.last_seq >= next_seq and file.is_named_by_us]
        if beyond:
            make_durable(folder)  # whoever was killed after placing it may not have come this far
        yield from beyond


def _rows(root: Path, file: File) -> set[Row]:
    """A file's rows; of one that is damaged none, and it is set aside."""
    try:
        if file.is_intact:
            return {row for batch in batches(file.path, ["seq", "ts_recv"]) for row in _numbered(batch)}
    except pa.ArrowInvalid:
        pass
    except OSError as error:
        if error.errno not in BAD_BYTES:
            raise  # no permission, no descriptors: nothing is known of the file
    keep_file(root, file)
    return set()


def _numbered(rows: pa.Table | pa.RecordBatch) -> Iterator[Row]:
    return zip(rows["seq"].to_pylist(), rows["ts_recv"].cast(pa.int64()).to_pylist(), strict=True)
