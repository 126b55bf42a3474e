"""Published files that are damaged or gone: set aside, made again from what is kept, and else put on record as a gap.

Rules:
- A damaged file is moved, never deleted.
- Exactly the rows that are missing are published again, under names like any other's.
- What nothing holds any more is in a gap of reason ``damaged``. A second time there is nothing to do.
- What retention took is not looked for: below ``kept_seq`` only events are, and what a file that is moved held.
- Runs behind the renderer, under its lock: every number below the checkpoint's is in a table, or missing.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recorder import schema
from recorder.journal import folder
from recorder.journal.folder import FORMAT, NotARecordingError
from recorder.journal.lock import rendering
from recorder.partition import File, listed
from recorder.render.aside import BAD_BYTES, keep_file
from recorder.render.damage import Run
from recorder.render.missing import Missing, rows_of
from recorder.render.numbers import batches
from recorder.render.publish import partitions, publish
from recorder.render.record import Mended, moved, put_on_record
from recorder.render.sources import rendered, sources
from recorder.render.told import Told, identity

__all__ = ["Mended", "mend"]

Progress: TypeAlias = Callable[[int], None]


def mend(root: Path, progress: Progress = lambda _bytes: None) -> Mended:
    """Check every published file, and make again what is missing; ``progress`` is told the size of each file checked.

    Raises:
        NotARecordingError: ``root`` is no recording, or holds a file of a newer format.
        PublishError, OSError: a file could not be published.
    """
    with rendering(root):
        damaged = [keep_file(root, file) for file in list(_damaged(root, progress))]
        done = Mended(moved=[file.path for file in damaged])
        at_first = Missing(root)
        wanted = _Wanted(at_first, damaged)
        if wanted.is_anything:
            held = _restore(root, wanted, done)
            wanted = _Wanted(
                Missing(root), damaged
            )  # which gaps there were is known when the events are back
            held += _restore(root, wanted, done)
            suspects = damaged if _explain(damaged, at_first) else None
            put_on_record(root, Missing(root), suspects, held, done)
        return done


def _explain(damaged: list[File], missing: Missing) -> bool:
    """Whether no more is missing of what is older than retention kept than these files held."""
    return sum(map(_rows, damaged)) >= (missing.short or 0)


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
    for table in schema.TABLES:
        for file in listed(root, table):
            if not _is_whole(file):
                yield file
            progress(file.path.stat().st_size)


def _is_whole(file: File) -> bool:
    """Whether a file is what was published; where its name does not say what that was, whether every page reads."""
    try:
        if not file.is_intact:
            return False
        with pq.ParquetFile(file.path) as parquet:
            version = int((parquet.metadata.metadata or {}).get(b"ib-recorder.format", 1))
        for _ in batches(file.path) if file.crc is None else ():
            pass
    except ValueError:  # Arrow's own too
        return False
    except OSError as error:
        if error.errno not in BAD_BYTES:
            raise  # no permission, no descriptors: nothing is known of the file
        return False
    if version > FORMAT:
        raise NotARecordingError(
            f"{file.path}: of format {version}; this version reads up to {FORMAT}: update"
        )
    return True


class _Wanted:
    """What is to be made again of what is missing, ``damaged`` being the files that were just set aside."""

    def __init__(self, missing: Missing, damaged: list[File]) -> None:
        self.untold = {table: found for table, found in missing.untold.items() if found}
        self._events = missing.events
        self._kept = missing.numbers
        own = {table: [file for file in damaged if file.table == table] for table in schema.SEQUENCED}
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


def _restore(root: Path, wanted: _Wanted, done: Mended) -> list[Run]:
    """Publish what the archive and the segments that were set aside hold; returns what those that are whole held."""
    there = {table: {identity(table, row) for row in rows_of(root, table)} for table in wanted.untold}
    held = []
    for _, segment in rendered(sources(root, folder.load(root)), wanted.places):
        tables = {
            name: _only(table, wanted.of(name))
            for name, table in segment.tables.items()
            if name in schema.SEQUENCED
        }
        tables |= {
            name: _new(name, segment.tables[name], there[name]) for name in there & segment.tables.keys()
        }
        last = segment.next_seq - 1
        for part in partitions({k: v for k, v in tables.items() if len(v)}, segment.first_seq, last):
            done.files.append(publish(root, part))
            done.rows += len(part.rows)
        held += [] if segment.damage else [(segment.first_seq, last)]
    return held


def _only(table: pa.Table, wanted: list[Run]) -> pa.Table:
    """The rows that have one of the numbers."""
    starts, ends = (np.array(sorted(run[at] for run in wanted), np.int64) for at in (0, 1))
    seq = table["seq"].to_numpy()
    place = np.searchsorted(starts, seq, side="right") - 1
    return table.filter(pa.array((place >= 0) & (seq <= ends[place])) if len(wanted) else pa.array(seq < 0))


def _new(name: str, table: pa.Table, there: set[Told]) -> pa.Table:
    """The rows that are not there yet."""
    return table.filter(pa.array([identity(name, row) not in there for row in table.to_pylist()], pa.bool_()))
