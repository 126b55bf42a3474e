"""Published files that are damaged or gone: set aside, made again from what is kept, and else put on record as a gap.

Rules:
- A damaged file is moved, never deleted.
- Exactly the rows that are missing are published again, under names like any other's.
- What nothing holds any more is in a gap of reason ``damaged``. A second time there is nothing to do.
- Runs behind the renderer, under its lock: every number below the checkpoint's is in a table, or missing.
"""

import errno
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recorder import schema
from recorder.journal import folder
from recorder.journal.durable import move
from recorder.journal.folder import FORMAT, Checkpoint, NotARecordingError
from recorder.journal.lock import rendering
from recorder.partition import File, listed
from recorder.render.damage import Hole, Key, as_partitions
from recorder.render.numbers import Lost, Run, Stretch, batches, numbered_files, stretches
from recorder.render.publish import Published, partitions, publish
from recorder.render.sources import rendered, sources
from recorder.render.told import Untold
from recorder.wire.activity import Mark

Progress: TypeAlias = Callable[[int], None]


@dataclass(slots=True)
class Mended:
    """What was done.

    Attributes:
        moved: where damaged files are now.
        files: what was published again, gaps included.
        rows: how many rows were.
        lost: numbers that nothing holds any more; they are in a gap now.
    """

    moved: list[Path] = field(default_factory=list)
    files: list[Published] = field(default_factory=list)
    rows: int = 0
    lost: int = 0


def mend(root: Path, progress: Progress = lambda _bytes: None) -> Mended:
    """Check every published file, and make again what is missing; ``progress`` is told the size of each file checked.

    Raises:
        NotARecordingError: ``root`` is no recording, or holds a file of a newer format.
        PublishError, OSError: a file could not be published.
    """
    with rendering(root):
        done = Mended(moved=[_move(root, file) for file in list(_damaged(root, progress))])
        missing = _Missing(root)
        if missing.numbers or missing.untold:
            _restore(root, missing, done)
            _restore(root, _Missing(root), done)  # which gaps there were is known when the events are back
            _put_on_record(root, done)
        return done


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
    except pa.ArrowInvalid:
        return False
    except OSError as error:
        if error.errno not in _BAD_BYTES:
            raise  # no permission, no descriptors: nothing is known of the file
        return False
    if version > FORMAT:
        raise NotARecordingError(
            f"{file.path}: of format {version}; this version reads up to {FORMAT}: update"
        )
    return True


def _move(root: Path, file: File) -> Path:
    return move(file.path, root / "set-aside" / file.table / file.path.parent.name)


_BAD_BYTES = {None, errno.EIO, errno.EBADMSG, errno.EUCLEAN}


class _Missing:
    """What is not in the tables, as they are now.

    Attributes:
        clusters: stretches of numbers some of which are missing: those runs, and what was subscribed then.
        untold: gaps and contract details that the events tell of and that are missing: those events' numbers.
    """

    def __init__(self, root: Path) -> None:
        self.checkpoint: Checkpoint = folder.load(root)
        self.clusters: list[tuple[list[Run], set[Key]]] = []
        self._expected = max(1, self.checkpoint.kept_seq)
        self._live: set[Key] = set()
        events = Untold()
        for stretch in stretches(numbered_files(root)):
            self._stretch(stretch, events)
        self._note(self._runs(self.checkpoint.next_seq, []), self._live)
        self.untold = {
            table: {seq for _, seqs in events.missing(table, rows_of(root, table)).values() for seq in seqs}
            for table in ("gaps", "instruments")
        }
        self.untold = {table: seqs for table, seqs in self.untold.items() if seqs}

    @property
    def numbers(self) -> list[Run]:
        """All that are missing."""
        return [run for runs, _ in self.clusters for run in runs]

    def _stretch(self, stretch: Stretch, events: Untold) -> None:
        heard: list[dict[str, Any]] = []
        for file in stretch.files:
            for batch in batches(file.path, None if file.table == "events" else ["seq"]):
                stretch.count(batch.column("seq").to_numpy())
                heard += batch.to_pylist() if file.table == "events" else []
        lived = set(self._live)
        for event in sorted(heard, key=lambda event: int(event["seq"])):
            events.take(event)
            self._follow(event)
            lived |= self._live
        self._note(self._runs(stretch.first, stretch.missing()), lived)
        self._expected = max(self._expected, stretch.last + 1)

    def _follow(self, event: dict[str, Any]) -> None:
        key = event["symbol"], event["stream"]
        match event["kind"]:
            case "subscribed":
                self._live.add(key)
            case "unsubscribed":
                self._live.discard(key)
            case "disconnected" | "session_end" | "session_start":
                self._live.clear()

    def _runs(self, first: int, within: list[Run]) -> list[Run]:
        """What is missing before a stretch and in it, of what retention keeps."""
        found = [(self._expected, first - 1)] if first > self._expected else []
        kept = self.checkpoint.kept_seq
        return [(max(start, kept), end) for start, end in [*found, *within] if end >= kept]

    def _note(self, runs: list[Run], lived: set[Key]) -> None:
        if runs:
            self.clusters.append((runs, lived))


def rows_of(root: Path, table: str) -> Iterator[dict[str, Any]]:
    """The rows of a table, one by one."""
    for file in listed(root, table):
        for batch in batches(file.path):
            yield from batch.to_pylist()


def _restore(root: Path, missing: _Missing, done: Mended) -> None:
    """Publish what the archive and the segments that were set aside still hold."""
    gone = missing.numbers
    wanted = [*gone, *((seq, seq) for seqs in missing.untold.values() for seq in seqs)]
    there = {table: {tuple(row.values()) for row in rows_of(root, table)} for table in missing.untold}
    for _, segment in rendered(sources(root, missing.checkpoint.next_seq), wanted):
        tables = {
            name: _only(segment.tables[name], gone) for name in schema.SEQUENCED if name in segment.tables
        }
        tables |= {name: _new(segment.tables[name], there[name]) for name in there if name in segment.tables}
        for part in partitions(
            {k: v for k, v in tables.items() if len(v)}, segment.first_seq, segment.next_seq - 1
        ):
            done.files.append(publish(root, part))
            done.rows += len(part.rows)


def _only(table: pa.Table, wanted: list[Run]) -> pa.Table:
    """The rows that have one of the numbers."""
    starts = np.array([first for first, _ in wanted], np.int64)
    ends = np.array([last for _, last in wanted], np.int64)
    seq = table["seq"].to_numpy()
    place = np.searchsorted(starts, seq, side="right") - 1
    return table.filter(pa.array((place >= 0) & (seq <= ends[place])) if len(wanted) else pa.array(seq < 0))


def _new(table: pa.Table, there: set[tuple[Any, ...]]) -> pa.Table:
    """The rows that are not there yet."""
    return table.filter(pa.array([tuple(row.values()) not in there for row in table.to_pylist()], pa.bool_()))


def _put_on_record(root: Path, done: Mended) -> None:
    """A gap for what is missing still, and in none yet."""
    missing, lost = _Missing(root), Lost.of(root)
    for runs, lived in missing.clusters:
        uncovered = [run for run in runs if lost.split(run)[0]]
        if uncovered:
            hole = _hole(root, uncovered[0][0] - 1, uncovered[-1][1] + 1, missing.checkpoint)
            for part in as_partitions([(hole, lived)]):
                done.files.append(publish(root, part))
            done.lost += sum(last - first + 1 for first, last in uncovered)


def _hole(root: Path, before: int, behind: int, checkpoint: Checkpoint) -> Hole:
    """The hole between two numbers; where the recording begins or ends there, the other number's time has to do."""
    until = _ts(root, behind) or checkpoint.last_ts
    return Hole(Mark(_ts(root, before) or until, before), Mark(until, behind))


def _ts(root: Path, seq: int) -> int | None:
    """When a number was received."""
    for file in numbered_files(root):
        if file.first_seq <= seq <= file.last_seq:
            for batch in batches(file.path, ["seq", "ts_recv"]):
                found = np.flatnonzero(batch.column("seq").to_numpy() == seq)
                if len(found):
                    ts: int = batch.column("ts_recv").cast(pa.int64())[int(found[0])].as_py()
                    return ts
    return None
