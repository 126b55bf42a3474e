"""Segments that lie in the journal behind the checkpoint: whether all their rows are where they belong.

A renderer was killed before it let one go, or a person put one back.

Rules:
- Only what stands in a file that is whole is there: until it does, the segment is what the row is made again from.
- However many segments there are, each file is read once, and only those that may hold their rows.
"""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from recorder import partition, schema
from recorder.journal.format import NotASegmentError, Record, scan
from recorder.partition import File
from recorder.render.damage import Run
from recorder.render.numbers import Counts, Lost, batches, is_whole, numbered_files, portions
from recorder.render.publish import Partition, partitions
from recorder.render.tables import Rendered
from recorder.render.told import IDENTITY, Told, identity


class Leftover:
    """What the tables hold of such segments."""

    def __init__(self, root: Path, paths: Iterable[Path], kept_seq: int) -> None:
        """Read the files of the numbered tables; rows with numbers below ``kept_seq`` may be gone by retention.

        Raises:
            NotARecordingError: one is of a newer format.
            OSError: nothing can be known of one.
        """
        self._root = root
        self._kept_seq = kept_seq
        self._lacking = Lost(_outside(_lacking(root, [span for path in paths for span in _span(path)])))
        self._told: dict[Path, set[Told]] = {}

    def is_placed(self, segment: Rendered) -> bool:
        """Whether every row of one of the segments is in its table, but for those that retention has gone past."""
        first, last = segment.first_seq, segment.next_seq - 1
        least = max(first, self._kept_seq)
        apart = {name: rows for name, rows in segment.tables.items() if name not in schema.SEQUENCED}
        return not (least <= last and self._lacking.touches(least, last)) and all(
            self._are_told(part) for part in partitions(apart, first, last)
        )

    def _are_told(self, part: Partition) -> bool:
        """Whether rows without numbers are there."""
        folder = part.folder(self._root)
        if folder not in self._told:
            files = partition.in_folder(folder) if folder.is_dir() else []
            found = (batch for file in files for batch in _batches(file, IDENTITY[part.table]))
            self._told[folder] = {identity(part.table, row) for batch in found for row in batch.to_pylist()}
        return self._told[folder].issuperset(identity(part.table, row) for row in part.rows.to_pylist())


def _span(path: Path) -> list[Run]:
    """Between which numbers a segment's rows lie, roughly: a record has no more of them than bytes."""
    try:
        records = [record for record in scan(path.read_bytes()) if isinstance(record, Record)]
    except NotASegmentError:
        return []
    ends = [record.seq + len(record.payload) for record in records]
    return [(min(record.seq for record in records), max(ends))] if records else []


def _lacking(root: Path, spans: list[Run]) -> list[Run]:
    """The numbers of these that stand in no file that is whole, and some beside."""
    if not spans:
        return []
    wanted = Lost(_outside(spans))
    files = (file for file in numbered_files(root) if wanted.touches(file.first_seq, file.last_seq))
    counts, lacking = Counts(), []
    for portion in portions(file for file in files if file.is_named_by_us):
        for file in portion.files:
            for batch in _batches(file, ["seq"]):
                counts.add(batch.column("seq").to_numpy())
        lacking += counts.settle(portion.upto)[0]
    return lacking + counts.settle(max(last for _, last in spans) + 1)[0]


def _batches(file: File, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The rows of a file, if it is whole and they are of its table."""
    if is_whole(file):
        with contextlib.suppress(pa.ArrowInvalid):  # it has no such column
            yield from batches(file.path, columns)


def _outside(found: list[Run]) -> Iterator[Run]:
    """Of each run the last number before it and the first one behind."""
    return ((first - 1, last + 1) for first, last in found)
