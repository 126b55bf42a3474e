"""Reads the files of the tables: each is what was published, and holds the numbers that its name says."""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from recorder.journal.folder import FORMAT
from recorder.partition import File, day_column
from recorder.render.damage import Run
from recorder.render.numbers import Counts, Portion, batches, own_table
from recorder.render.told import Heard, Told, identity
from recorder.verify.verdict import Flaw, Verdict, doubled

Progress: TypeAlias = Callable[[int], None]

_VERSION = b"ib-recorder.format"


class VanishedError(Exception):
    """A file that was listed is gone: days were compacted meanwhile, or old ones deleted."""


class Apart:
    """Tells the rows of a table without numbers apart."""

    def __init__(self, table: str) -> None:
        self._table = table
        self._times: Counter[Told] = Counter()

    def noting(self, rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """The rows as they are, each noted."""
        for row in rows:
            self._times[identity(self._table, row)] += 1
            yield row

    def twice(self) -> Iterator[Flaw]:
        """The rows that were there more than once."""
        for row, count in self._times.items():
            if count > 1:
                yield doubled(self._table, row, count)


def read_portion(
    portion: Portion, counts: Counts, heard: Heard, verdict: Verdict, progress: Progress
) -> None:
    """Count every number of some files, and hear their events.

    Raises:
        VanishedError: a file is gone.
    """
    for file in portion.files:
        columns = None if file.table == "events" else ["seq"]
        for batch in read(file, columns, verdict, progress):
            _count(batch, file, counts, verdict)
            if file.table == "events":
                heard.add(batch)


def read(
    file: File, columns: list[str] | None, verdict: Verdict, progress: Progress
) -> Iterator[pa.RecordBatch]:
    """The rows of a file that is what was published. Where nothing says what that was, every page is read.

    Raises:
        VanishedError: the file is gone.
    """
    try:
        _refuse_other_bytes(file)
        verdict.flaws += _misplaced(file)
        for batch in batches(file.path, None if file.crc is None else columns):
            yield batch if columns is None else batch.select(columns)
        progress(file.path.stat().st_size)
    except FileNotFoundError as error:
        raise VanishedError(str(error)) from error
    except (OSError, ValueError, KeyError) as error:  # Arrow's own are of these
        verdict.flaws.append(Flaw("unreadable", f"{file.path}: {error}"))
    verdict.files += 1


def holders(files: Iterable[File], runs: list[Run]) -> list[Path]:
    """Those of the files in which any number of the runs stands; one that does not read is told elsewhere."""
    found: list[Path] = []
    for file in files:
        near = [(first, last) for first, last in runs if file.first_seq <= last and first <= file.last_seq]
        with contextlib.suppress(OSError, ValueError):
            if near and any(_any_within(batch.column("seq"), near) for batch in batches(file.path, ["seq"])):
                found.append(file.path)
    return found


def _any_within(column: pa.Array, runs: list[Run]) -> bool:
    seq = column.to_numpy()
    return any(bool(((seq >= first) & (seq <= last)).any()) for first, last in runs)


def _refuse_other_bytes(file: File) -> None:
    if not file.is_intact:
        raise pa.ArrowInvalid("damaged: its bytes are not those whose checksum is in its name")
    with pq.ParquetFile(file.path) as parquet:
        version = int((parquet.metadata.metadata or {}).get(_VERSION, 1))
    if version > FORMAT:
        raise pa.ArrowInvalid(f"of format {version}; this version reads up to {FORMAT}: update")


def _misplaced(file: File) -> Iterator[Flaw]:
    """Rows of another table or day than the folder's, by what a file that is intact says of itself."""
    with pq.ParquetFile(file.path) as parquet:
        groups = [parquet.metadata.row_group(group) for group in range(parquet.num_row_groups)]
        column = parquet.schema_arrow.get_field_index(day_column(file.table))
    if (own := own_table(file)) != file.table:
        yield Flaw("misplaced", f"{file.path}: holds rows of table {own}; they belong into that one's folder")
    bounds = [group.column(column).statistics for group in groups if column >= 0]
    days = {at.date() for one in bounds if one and one.has_min_max for at in (one.min, one.max)}
    for day in sorted(days - {file.day}):
        text = f"{file.path}: holds rows of {day}; they belong into date={day}"
        yield Flaw("misplaced", text)


def _count(batch: pa.RecordBatch, file: File, counts: Counts, verdict: Verdict) -> None:
    seq = batch.column("seq").to_numpy()
    verdict.rows += len(seq)
    inside = (seq >= file.first_seq) & (seq <= file.last_seq)
    if not inside.all():
        text = f"{file.path}: holds number {seq[~inside][0]}, which its name denies"
        verdict.flaws.append(Flaw("wrong", text))
    counts.add(seq[inside])
