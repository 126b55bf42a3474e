"""The rows of many files in one order, in memory that does not grow with them.

How: a sample of all rows says where to cut the order into buckets that fit in memory; each file is read once, and its
rows, which are in order, go piece by piece to a file a bucket; then bucket after bucket is sorted. A day that fits in
memory never sees the disk on its way. (A merge of all files at once holds pages of each, and a day has hundreds.)
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from recorder.render.publish import ROW_GROUP
from recorder.store import order
from recorder.store.files import pieces
from recorder.store.order import Place

_LOOKS = 8
"""So many rows of a bucket are looked at, at least."""

_PARTS = 256
"""So many tables are joined to one: each takes some ten kilobytes, however few rows it has."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds memory, and the files that come out.

    Attributes:
        bucket: bytes of rows that are sorted at a time.
        waiting: bytes of rows that wait to be written to their buckets.
        sample: of so many rows one is looked at to say where the buckets are cut; of fewer where rows are wide.
        row_group: rows of a row group.
        file: a file of a compacted day ends when it has so many bytes.
        linger: seconds that what was replaced stays: who has just opened the folder lists it whole, and then finds that
            the files are gone; an empty folder would be a day without rows.
        reserve: bytes of the disk that stay free for the recorder.
    """

    bucket: int = 24 * 1024 * 1024
    waiting: int = 64 * 1024 * 1024
    sample: int = 256
    row_group: int = ROW_GROUP
    file: int = 256 * 1024 * 1024
    linger: float = 2.0
    reserve: int = 64 * 1024 * 1024


def cuts(paths: list[Path], table: str, limits: Limits) -> list[Place]:
    """Where to cut the order of all rows of some files, so that what is between takes about ``limits.bucket`` bytes.

    Raises:
        DamagedFileError, OSError: as ``files.pieces``.
    """
    by, rows = order.key(table), 0
    taken: list[pa.Table] = []
    a_bucket = limits.bucket / _width(paths, table)
    every = max(1, min(limits.sample, int(a_bucket / _LOOKS)))
    for path in paths:
        for piece in pieces(path, table, ["symbol", by]):
            _put(taken, piece.take(pa.array(np.arange(-rows % every, len(piece), every))))
            rows += len(piece)
    if not rows:
        return []
    sample = order.ordered(order.joined(taken), by)
    step = max(1, int(a_bucket / every))
    chosen = sample.take(pa.array(np.arange(step, len(sample), step)))
    return list(dict.fromkeys(order.places(chosen, by)))


def _put(parts: list[pa.Table], part: pa.Table) -> None:
    """Add a part; where there are many, they become one."""
    parts.append(part)
    if len(parts) >= _PARTS:
        parts[:] = [order.joined(parts)]


def _width(paths: list[Path], table: str) -> float:
    """Bytes of a row in memory, by the first rows of the largest file."""
    largest = max(paths, key=lambda path: path.stat().st_size)
    for piece in pieces(largest, table):
        if len(piece):
            return float(piece.nbytes / len(piece))
    return 1.0


class Buckets:
    """Takes rows that are in order among themselves; gives all of them back, bucket after bucket, in one order."""

    def __init__(self, folder: Path, table: str, cuts: list[Place], limits: Limits) -> None:
        self._folder, self._by, self._cuts, self._limit = folder, order.key(table), cuts, limits.waiting
        self._waiting: list[list[pa.Table]] = [[] for _ in range(len(cuts) + 1)]
        self._bytes = 0

    def add(self, rows: pa.Table) -> None:
        """Take rows.

        Raises:
            OSError: the disk refused.
        """
        for waiting, part in zip(self._waiting, order.split(rows, self._cuts, self._by), strict=True):
            if len(part):
                _put(waiting, part)
        self._bytes += rows.nbytes
        if self._cuts and self._bytes > self._limit:
            self._flush()

    def __iter__(self) -> Iterator[pa.Table]:
        """The buckets in order, each with its rows in order; to be called once, when all rows are in."""
        if self._cuts:
            self._flush()
        for number in range(len(self._waiting)):
            yield from self._bucket(number)

    def _bucket(self, number: int) -> list[pa.Table]:
        """All rows of a bucket as one, if there are any; who takes them needs the room that its parts took."""
        parts = self._written(number) if self._cuts else self._waiting.pop()
        return [order.ordered(order.joined(parts), self._by)] if parts else []

    def _flush(self) -> None:
        for number, parts in enumerate(self._waiting):
            if parts:
                self._write(number, order.joined(parts))
                parts.clear()
        self._bytes = 0

    def _path(self, number: int) -> Path:
        return self._folder / f"bucket-{number}.arrow"

    def _write(self, number: int, rows: pa.Table) -> None:
        """Append rows to a bucket's file, as an Arrow stream that stands alone."""
        options = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
        with (
            self._path(number).open("ab") as file,
            pa.ipc.new_stream(file, rows.schema, options=options) as stream,
        ):
            stream.write_table(rows)

    def _written(self, number: int) -> list[pa.Table]:
        """All rows of a bucket, read back; its file is gone then."""
        path = self._path(number)
        parts: list[pa.Table] = []
        if not path.exists():
            return parts
        options = pa.ipc.IpcReadOptions(use_threads=False)
        with pa.OSFile(str(path), "rb") as file:
            while file.tell() < file.size():
                with pa.ipc.open_stream(file, options=options) as stream:
                    parts.append(stream.read_all())
        path.unlink()
        return parts
