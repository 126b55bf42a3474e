"""The files of one day, read and written in pieces of some megabytes, however many or wide the rows are."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recorder import partition, schema
from recorder.partition import COMPACTED, File
from recorder.render.publish import ROW_GROUP, encoding, metadata
from recorder.store import order

PIECE = 16 * 1024 * 1024
"""Bytes that are about the most of what is read at a time, and of a row group that is written."""


class DamagedFileError(RuntimeError):
    """A file does not hold what it should; its day stays as it is."""


def check(file: File) -> None:
    """Hold a file's bytes against the checksum in its name.

    Raises:
        DamagedFileError: they are others.
        OSError: it cannot be read.
    """
    if not file.is_intact:
        raise DamagedFileError(f"{file.path}: damaged: its bytes are not those its name speaks of")


def pieces(path: Path, table: str, columns: list[str] | None = None) -> Iterator[pa.Table]:
    """A file's rows, in the shape of the table (``order.shape``): a row group at a time, or a part of a large one.

    Each column is one stretch of memory.

    Raises:
        DamagedFileError: it does not read, or holds what this table has no column for.
        OSError: it cannot be read.
    """
    shape = order.shape(table)
    texts = [field.name for field in shape if pa.types.is_dictionary(field.type)]
    wanted = shape if columns is None else pa.schema([shape.field(name) for name in columns])
    try:
        with pq.ParquetFile(
            path, read_dictionary=texts, pre_buffer=False, page_checksum_verification=True
        ) as file:
            _refuse_unknown(file.schema_arrow.names, shape.names)
            for group in range(file.num_row_groups):
                for rows in _parts(file, group, columns):
                    yield shaped(rows, wanted)
    except (pa.ArrowException, ValueError) as error:  # a footer's texts may be no UTF-8
        raise DamagedFileError(f"{path}: damaged: {error}") from error
    except OSError as error:
        raise _damage(error, path) from error


def _parts(file: pq.ParquetFile, group: int, columns: list[str] | None) -> Iterator[pa.Table]:
    """A row group: as a whole, or so many rows at a time as make a piece."""
    said = file.metadata.row_group(group)
    if said.total_byte_size <= PIECE:
        yield file.read_row_group(group, columns, use_threads=False)
        return
    at_once = max(1, said.num_rows * PIECE // said.total_byte_size)
    for batch in file.iter_batches(at_once, [group], columns, use_threads=False):
        yield pa.Table.from_batches([batch])


def _damage(error: OSError, path: Path) -> Exception:
    """What Arrow says of bad bytes is an OSError without a number."""
    return error if error.errno is not None else DamagedFileError(f"{path}: damaged: {error}")


def _refuse_unknown(found: list[str], known: list[str]) -> None:
    unknown = [name for name in found if name not in known]
    if unknown:
        raise pa.ArrowInvalid(f"it has a column {unknown[0]!r}, which no version up to this one writes")


def shaped(rows: pa.Table, shape: pa.Schema) -> pa.Table:
    """The rows with the columns of ``shape``; one that they lack is null."""
    columns = [
        rows[field.name].cast(field.type)
        if field.name in rows.column_names
        else pa.nulls(len(rows), field.type)
        for field in shape
    ]
    return pa.table(columns, schema=shape).unify_dictionaries().combine_chunks()


class Writer:
    """Writes rows that come in order: row groups of so many rows or ``PIECE`` bytes, a new file where one is full.

    Attributes:
        files: those that are complete: durable, but for their names.
    """

    def __init__(
        self, folder: Path, table: str, numbers: tuple[int, int], file_bytes: int, row_group: int = ROW_GROUP
    ) -> None:
        """``numbers``: what the files of a table without numbers of its own are named by."""
        self.files: list[File] = []
        self._folder, self._table, self._numbers, self._limit = folder, table, numbers, file_bytes
        self._group = row_group
        self._rest: pa.Table | None = None
        self._open: _Open | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._end()
        finally:
            if self._open:
                self._open.abandon()

    def add(self, rows: pa.Table) -> None:
        """Write them, all but what does not fill a row group yet."""
        whole = rows if self._rest is None else order.joined([self._rest, rows])
        group = min(self._group, max(1, len(whole) * PIECE // max(1, whole.nbytes)))
        full = len(whole) - len(whole) % group
        for start in range(0, full, group):
            self._write(whole.slice(start, group))
        # a copy: a slice would keep all of it in memory
        self._rest = whole.take(pa.array(range(full, len(whole)))) if full < len(whole) else None

    def _write(self, group: pa.Table) -> None:
        self._open = self._open or _Open(self._folder / "open.parquet", self._table)
        self._open.write(group)
        if self._open.size >= self._limit:
            self._close()

    def _end(self) -> None:
        if self._rest is not None:
            self._write(self._rest)
        if self._open:
            self._close()

    def _close(self) -> None:
        assert self._open
        self._open.close()
        first, last = self._open.numbers or self._numbers
        name = partition.name(first, last, partition.checksum(self._open.path), COMPACTED)
        path = self._open.path.rename(self._folder / name)
        self.files.append(_parsed(path))
        self._open = None


class _Open:
    """A file being written."""

    def __init__(self, path: Path, table: str) -> None:
        self.path = path
        self.numbers: tuple[int, int] | None = None
        self._sequenced = table in schema.SEQUENCED
        self._file = path.open("xb")
        shape = order.shape(table)
        self._writer: Any = pq.ParquetWriter(self._file, shape, **encoding(shape.names))
        self._writer.add_key_value_metadata(metadata(table))

    @property
    def size(self) -> int:
        return self._file.tell()

    def write(self, group: pa.Table) -> None:
        self._writer.write_table(group, row_group_size=len(group))
        if self._sequenced:
            found = pc.min_max(group["seq"]).as_py()
            first, last = self.numbers or (found["min"], found["max"])
            self.numbers = min(first, found["min"]), max(last, found["max"])

    def close(self) -> None:
        """Make it durable, and let the kernel forget it: what is read back comes from the disk."""
        with self._file as file:
            self._writer.close()
            file.flush()
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def abandon(self) -> None:
        """Close it as it is; what failed is not tried again."""
        self._writer.is_open = False
        with suppress(OSError):
            self._file.close()


def _parsed(path: Path) -> File:
    file = partition.parse(path)
    assert file is not None
    return file
