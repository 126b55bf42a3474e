"""Which of a segment's rows are in their tables already: a renderer was killed before its checkpoint.

Rules:
- A row is there if a published one has its number and its time; of a table without numbers, what tells it apart. Where
  another version put it into another table, it stays, like all that was published before: rendering again from the
  archive is what changes that.
- Only files that speak of numbers from the checkpoint's on are looked into: none, unless a renderer was killed.
- One of them that is damaged is set aside: its rows are in the segment still.
"""

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import pyarrow as pa

from recorder import partition, schema
from recorder.partition import File
from recorder.render.aside import BAD_BYTES, keep_file
from recorder.render.numbers import batches
from recorder.render.publish import Partition, make_durable, partitions
from recorder.render.told import IDENTITY, identity

Row: TypeAlias = tuple[object, ...]
"""A row's number and its ``ts_recv``, microseconds; of a table without numbers its identity."""

Tables: TypeAlias = tuple[str, ...]

_NUMBERED = tuple(sorted(schema.SEQUENCED))


def not_placed(root: Path, parts: Iterable[Partition], next_seq: int) -> Iterator[Partition]:
    """The parts of a segment without the rows that are in their tables; ``next_seq``: the checkpoint's.

    Raises:
        OSError: a file cannot be looked into.
    """
    there: dict[tuple[Tables, dt.date], set[Row]] = {}
    for part in parts:
        tables = _NUMBERED if part.table in schema.SEQUENCED else (part.table,)
        if (tables, part.day) not in there:
            found = _files(root, tables, part.day, next_seq)
            there[tables, part.day] = set().union(*(_rows(root, file) for file in found))
        placed = there[tables, part.day]
        if not placed:
            yield part
            continue
        flags = [row not in placed for row in _apart(part.table, part.rows)]
        if any(flags):
            rest = partitions({part.table: part.rows.filter(pa.array(flags))}, part.first_seq, part.last_seq)
            yield from (replace(one, kind=part.kind) for one in rest)


def _files(root: Path, tables: Tables, day: dt.date, next_seq: int) -> Iterator[File]:
    """The files of a day that may hold rows from ``next_seq`` on; their names are durable then."""
    for table in tables:
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
            columns = IDENTITY.get(file.table, ("seq", "ts_recv"))
            return {row for batch in batches(file.path, columns) for row in _apart(file.table, batch)}
    except pa.ArrowInvalid:
        pass
    except OSError as error:
        if error.errno not in BAD_BYTES:
            raise  # no permission, no descriptors: nothing is known of the file
    keep_file(root, file)
    return set()


def _apart(table: str, rows: pa.Table | pa.RecordBatch) -> Iterator[Row]:
    if table in IDENTITY:
        return (identity(table, row) for row in rows.select(IDENTITY[table]).to_pylist())
    return zip(rows["seq"].to_pylist(), rows["ts_recv"].cast(pa.int64()).to_pylist(), strict=True)
