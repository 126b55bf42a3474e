"""Published files that are damaged or gone: set aside, made again from what is kept, and else put on record as a gap.

Rules:
- A damaged file is moved, never deleted.
- Exactly the rows that are missing are published again, under names like any other's.
- What nothing holds any more is in a gap of reason ``damaged``. A second time there is nothing to do.
- What retention took is not looked for: below ``kept_seq`` only events are, and what a file that is moved held.
- Runs behind the renderer, under its lock: every number below the checkpoint's is in a table, or missing.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recorder import schema
from recorder.journal import folder
from recorder.journal.folder import Checkpoint, NotARecordingError
from recorder.journal.lock import rendering
from recorder.partition import File, everywhere, listed
from recorder.render.aside import keep_file
from recorder.render.damage import Run
from recorder.render.missing import Missing, rows_of
from recorder.render.numbers import common, is_whole, own_table, size
from recorder.render.publish import Partition, partitions, publish
from recorder.render.record import Mended, moved, put_on_record
from recorder.render.sources import rendered, sources
from recorder.render.told import Row, Told, identity

__all__ = ["Mended", "mend"]

Progress: TypeAlias = Callable[[int], None]


def mend(root: Path, progress: Progress = lambda _bytes: None) -> Mended:
    """Check every published file, and make again what is missing; ``progress`` is told the size of each file checked.

    Raises:
        NotARecordingError: ``root`` is no recording, or holds a file of a newer format or in another table's folder.
        PublishError, OSError: a file could not be published.
    """
    with rendering(root):
        damaged = [keep_file(root, file) for file in list(_damaged(root, progress))]
        done = Mended(moved=[file.path for file in damaged])
        at_first = Missing(root)
        aside = [*damaged, *_kept(root, at_first)]
        wanted = _Wanted(at_first, aside)
        if wanted.is_anything:
            held = _restore(root, wanted, done)
            wanted = _Wanted(Missing(root), aside)  # which gaps there were is known when the events are back
            held += _restore(root, wanted, done)
            suspects = damaged if _explain(damaged, at_first) else None
            put_on_record(root, Missing(root), suspects, held, done)
        return done


def _explain(damaged: list[File], missing: Missing) -> bool:
    """Whether no more is missing of what is older than retention kept than these files held of it."""
    return sum(_older_rows(file, missing) for file in damaged) >= (missing.short or 0)


def _older_rows(file: File, missing: Missing) -> int:
    """How many rows it had of what is older: those that are not among the others that are missing."""
    others = size(common(missing.numbers, [(file.first_seq, file.last_seq)]))
    return max(0, min(_rows(file) - others, size(moved(missing, [file]))))


def _kept(root: Path, missing: Missing) -> list[File]:
    """Files set aside before: a run that did not come to its end has not made them again.

    They count only where rows of older days are known to be missing.
    """
    return list(everywhere(root / "set-aside")) if missing.short else []


def _rows(file: File) -> int:
    """How many numbered rows it had, as far as it can still tell."""
    if file.table not in schema.SEQUENCED:
        return 0
    try:
        with pq.ParquetFile(file.path) as parquet:
            return int(parquet.metadata.num_rows)
    except (OSError, ValueError):  # its name still says between which numbers they lay
        return file.last_seq - file.first_seq + 1


def _damaged(root: Path, progress: Progress) -> Iterator[File]:
    """Files that are not whole; one that is, in the folder of another table, is a person's to move."""
    for table in schema.TABLES:
        for file in listed(root, table):
            if not is_whole(file):
                yield file
            elif (own := own_table(file)) != table:
                raise NotARecordingError(
                    f"{file.path}: holds rows of table {own}; move it into that one's folder"
                )
            progress(file.path.stat().st_size)


class _Wanted:
    """What is to be made again of what is missing, ``aside`` being the files that were set aside."""

    def __init__(self, missing: Missing, aside: list[File]) -> None:
        self.untold = {table: found for table, found in missing.untold.items() if found}
        self._events = missing.events
        self._twice = missing.twice
        self._kept = missing.numbers
        own = {table: [file for file in aside if file.table == table] for table in schema.SEQUENCED}
        self._older = {table: moved(missing, files) for table, files in own.items()}
        if missing.short != 0:
            self._older["events"] = missing.older.runs

    @property
    def is_anything(self) -> bool:
        """Whether there is something to look for."""
        return bool(self._kept or self._events or any(self._older.values()))

    @property
    def places(self) -> list[Run]:
        """Where it lies, roughly."""
        older = [(runs[0][0], runs[-1][1]) for runs in self._older.values() if runs]
        return [*self._kept, *older, *((seq, seq) for seq in self._events)]

    def of(self, table: str) -> list[Run]:
        """The numbers that are wanted of one table."""
        return [*self._older[table], *self._kept]

    def new(self, table: str, rows: pa.Table, there: Mapping[Told, Row]) -> pa.Table:
        """The rows of a table without numbers that are not there, as what they were or as what was told again."""
        found = {identity(table, row): row for row in rows.to_pylist()}
        new = found.keys() - there.keys()
        if table == "gaps" and new:
            new -= self._twice([*there.values(), *(found[apart] for apart in new)])
        return rows.filter(pa.array([identity(table, row) in new for row in rows.to_pylist()], pa.bool_()))


def _restore(root: Path, wanted: _Wanted, done: Mended) -> list[Run]:
    """Publish what the archive and the segments that were set aside hold; returns what those that are whole held."""
    there = {table: {identity(table, row): row for row in rows_of(root, table)} for table in wanted.untold}
    held, checkpoint = [], folder.load(root)
    for _, segment in rendered(sources(root, checkpoint), wanted.places):
        tables = {
            name: _only(table, wanted.of(name))
            for name, table in segment.tables.items()
            if name in schema.SEQUENCED
        }
        tables |= {
            name: wanted.new(name, segment.tables[name], there[name])
            for name in there.keys() & segment.tables.keys()
        }
        last = segment.next_seq - 1
        for part in partitions({k: v for k, v in tables.items() if len(v)}, segment.first_seq, last):
            if not _is_let_go_of(root, part, checkpoint):
                done.files.append(publish(root, part))
                done.rows += len(part.rows)
        held += [] if segment.damage else [(segment.first_seq, last)]
    return held


def _is_let_go_of(root: Path, part: Partition, checkpoint: Checkpoint) -> bool:
    """Whether retention took these rows: ticks of a day before those it keeps, whose folder went with them."""
    is_older = part.last_seq < checkpoint.kept_seq and part.day.isoformat() < (checkpoint.kept_from or "")
    return is_older and part.table in schema.MARKET_TABLES and not part.folder(root).is_dir()


def _only(table: pa.Table, wanted: list[Run]) -> pa.Table:
    """The rows that have one of the numbers."""
    starts, ends = (np.array(sorted(run[at] for run in wanted), np.int64) for at in (0, 1))
    seq = table["seq"].to_numpy()
    place = np.searchsorted(starts, seq, side="right") - 1
    return table.filter(pa.array((place >= 0) & (seq <= ends[place])) if len(wanted) else pa.array(seq < 0))
