"""Published files that are damaged or gone: set aside, made again from what is kept, and else put on record as a gap.

Rules:
- A damaged file is moved, never deleted.
- Exactly the rows that are missing are published again, under names like any other's: made from segments, and where
  there are none, taken from what is whole of the damaged files themselves.
- What nothing holds any more is in a gap of reason ``damaged``. A second time there is nothing to do.
- What retention took is not looked for: below ``kept_seq`` only events are, and what a file that is moved held.
- What a link that leads nowhere stands for is neither made again nor put on record: it may come back with its disk.
- Runs behind the renderer, under its lock: every number below the checkpoint's is in a table, or missing.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from recorder import schema
from recorder.journal import folder
from recorder.journal.folder import NotARecordingError
from recorder.journal.lock import rendering
from recorder.partition import File, away, everywhere, here
from recorder.render.aside import keep_file
from recorder.render.damage import Run
from recorder.render.missing import Missing, rows_of
from recorder.render.numbers import common, is_whole, own_table, size
from recorder.render.publish import Partition, partitions, publish
from recorder.render.record import Mended, moved, put_on_record
from recorder.render.salvage import Sought, groups, taken
from recorder.render.sources import rendered, sources
from recorder.render.told import Row, Told, identity

__all__ = ["Mended", "mend"]

Progress: TypeAlias = Callable[[int], None]

_NUMBERED = frozenset(schema.SEQUENCED)


def mend(root: Path, progress: Progress = lambda _bytes: None) -> Mended:
    """Check every published file, and make again what is missing; ``progress`` is told the size of each file checked.

    Raises:
        NotARecordingError: ``root`` is no recording, or holds a file of a newer format or in another table's folder.
        PublishError, OSError: a file could not be published.
    """
    with rendering(root):
        damaged = [keep_file(root, file) for file in list(_damaged(root, progress))]
        done = Mended(moved=[file.path for file in damaged], away=away(root))
        at_first = Missing(root)
        mending = _Mending(root, [*damaged, *_kept(root, at_first)], at_first, done)
        if mending.wanted.is_anything:
            for _ in range(2):  # which gaps there were is known when the events are back
                mending.restore()
                mending.save(list(dict.fromkeys([*damaged, *everywhere(root / "set-aside")])))
            suspects = damaged if _explain(damaged, at_first) else None
            if not done.away:
                put_on_record(root, mending.missing, suspects, mending.held, done)
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
        for file in here(root, table):
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
        found = _apart(table, rows.to_pylist())
        new = found.keys() - there.keys()
        if table == "gaps" and new:
            new -= self._twice([*there.values(), *(found[apart] for apart in new)])
        return rows.filter(pa.array([identity(table, row) in new for row in rows.to_pylist()], pa.bool_()))


class _Mending:
    """What is done of a recording's mending, ``aside`` being the files that were set aside.

    Attributes:
        missing: what is missing still.
        wanted: what of it is to be made again.
        held: the numbers that were looked for in what is whole, and found as far as they had rows.
    """

    def __init__(self, root: Path, aside: list[File], missing: Missing, done: Mended) -> None:
        self._root, self._aside, self._done = root, aside, done
        self._checkpoint = folder.load(root)
        self.held: list[Run] = []
        self.missing, self.wanted = missing, _Wanted(missing, aside)

    def restore(self) -> None:
        """Publish what the archive and the segments that were set aside hold."""
        wanted, there = self.wanted, self._there()
        for _, segment in rendered(sources(self._root, self._checkpoint), wanted.places):
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
            self._done.rows += self._publish(tables, segment.first_seq, last)
            self.held += [] if segment.damage else [(segment.first_seq, last)]
        self._look_again()

    def save(self, files: list[File]) -> None:
        """Publish what the damaged files themselves still hold."""
        there, saved = self._there(), 0
        sought = {
            table: Sought(self.wanted.of(table)) for table in {file.table for file in files} & _NUMBERED
        }
        for file in files:
            for rows in self._groups(file, sought):
                if file.table in sought:
                    new = taken(sought, file, rows)
                else:
                    new = self.wanted.new(file.table, rows, there[file.table])
                    there[file.table] |= _apart(file.table, new.to_pylist())
                saved += self._publish({file.table: new}, file.first_seq, file.last_seq)
        self._done.saved += saved
        if saved:
            self._look_again()

    def _groups(self, file: File, sought: Mapping[str, Sought]) -> Iterator[pa.Table]:
        """What is whole of a file in which something that is wanted may stand."""
        numbers = sought.get(file.table)
        may_help = (
            numbers.touches(file.first_seq, file.last_seq) if numbers else file.table in self.wanted.untold
        )
        if may_help and file.path.exists():  # a link that was set aside may lead nowhere from there
            yield from groups(file)

    def _look_again(self) -> None:
        self.missing = Missing(self._root)
        self.wanted = _Wanted(self.missing, self._aside)

    def _there(self) -> dict[str, dict[Told, Row]]:
        """The rows there are of the tables without numbers of which some are wanted."""
        return {table: _apart(table, rows_of(self._root, table)) for table in self.wanted.untold}

    def _publish(self, tables: dict[str, pa.Table], first_seq: int, last_seq: int) -> int:
        """Put rows in their place; returns how many."""
        parts = partitions({name: rows for name, rows in tables.items() if len(rows)}, first_seq, last_seq)
        chosen = [part for part in parts if not self._is_away(part) and not self._is_let_go_of(part)]
        self._done.files += [publish(self._root, part) for part in chosen]
        return sum(len(part.rows) for part in chosen)

    def _is_away(self, part: Partition) -> bool:
        """Whether these rows may come back by themselves: a link stands for their day, or for a file of it."""
        day = part.folder(self._root)
        return any(path in (day, day.parent) or path.parent == day for path in self._done.away)

    def _is_let_go_of(self, part: Partition) -> bool:
        """Whether retention took these rows: ticks of a day before those it keeps, whose folder went with them."""
        kept_seq, kept_from = self._checkpoint.kept_seq, self._checkpoint.kept_from or ""
        is_older = part.last_seq < kept_seq and part.day.isoformat() < kept_from
        return is_older and part.table in schema.MARKET_TABLES and not part.folder(self._root).is_dir()


def _apart(table: str, rows: Iterable[Row]) -> dict[Told, Row]:
    """Rows by what tells them apart."""
    return {identity(table, row): row for row in rows}


def _only(table: pa.Table, wanted: list[Run]) -> pa.Table:
    """The rows that have one of the numbers."""
    return table.filter(pa.array(Sought(wanted).has(table["seq"].to_numpy())))
