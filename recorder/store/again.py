"""Rendering again what the archive holds: how a bug in decoding is mended after the fact.

Order: render every segment of the archive -> hold the files of those days against the checksums in their names ->
stage, a folder a table and day, those rows and the rows of no archived segment -> hold the numbers of before against
those of after -> swap the folders as one act (``pending``).

Rules:
- Rows keep their numbers; one may move to another table. No number is lost, none stands twice.
- Of ticks of days that retention took, those come back that are still there: their numbers say which.
- ``gaps`` and ``instruments`` stay: they are what the recorder said itself, and nothing decodes them.
"""

import contextlib
import datetime as dt
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache, partial
from itertools import chain
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from pandas.util import hash_pandas_object

from recorder import partition, schema
from recorder.journal.folder import load
from recorder.journal.format import NotASegmentError
from recorder.partition import File
from recorder.render.archive import Archived, archived
from recorder.render.aside import is_damaged
from recorder.render.numbers import Stretch
from recorder.render.publish import Partition, encoding, metadata, partitions, publish
from recorder.render.tables import Rendered, render
from recorder.store import order
from recorder.store.files import DamagedFileError, pieces
from recorder.store.pending import Swap, begin, swap_all
from recorder.store.swap import compacting

Progress: TypeAlias = Callable[[int], None]
Kept: TypeAlias = Callable[[Partition], Iterable[Partition]]
Numbers: TypeAlias = npt.NDArray[np.int64]
Standing: TypeAlias = Callable[[dt.date], Numbers]
Place: TypeAlias = tuple[str, dt.date]
"""A table and a day."""

Files: TypeAlias = dict[Place, list[File]]


class NotTheSameError(RuntimeError):
    """What was rendered again does not hold the numbers that were there; nothing was changed."""


@dataclass(slots=True)
class Again:
    """What came of it.

    Attributes:
        segments: how many were rendered.
        unreadable: files of the archive that do not read; their rows stay as they are.
        days: the days that have other files now.
        changed: table to how many of its rows are other than before, gone to another table, or come from one.
    """

    segments: int = 0
    unreadable: list[Path] = field(default_factory=list)
    days: set[dt.date] = field(default_factory=set)
    changed: dict[str, int] = field(default_factory=dict)


def again(root: Path, day: dt.date | None = None, progress: Progress = lambda _bytes: None) -> Again:
    """Render the archive's segments again, or those that begin on a UTC day; ``progress`` is told the size of each.

    To be called by who holds the root.

    Raises:
        NotARecordingError, RootInUseError: it cannot be done now.
        NotTheSameError: the archive is not of this recording; nothing was changed.
        DamagedFileError: a file that is to be rendered again in part is damaged; nothing was changed.
        PublishError, CannotExchangeError, OSError: nothing was changed, or ``roll_forward`` goes on.
    """
    segments = [one for one in archived(root) if day in (None, one.day)]
    checkpoint = load(root)  # behind the archive: an orphaned renderer may be adding to both
    kept_from = dt.date.fromisoformat(checkpoint.kept_from or "0001-01-01")
    done = Again()
    with compacting(root):
        area = begin(root)
        kept = partial(_kept, kept_from, lru_cache(maxsize=2)(partial(_standing, root)))
        covered = list(_render(area, segments, kept, done, progress))
        if any(last >= checkpoint.next_seq for _, last in covered):
            said = f"holds numbers from {checkpoint.next_seq} on, which were never given"
            raise NotTheSameError(f"{root}/archive: {said}")
        # Listed once: what comes to a folder from here on is none of it, and comes along when folders are swapped.
        before = {place: _files(root, *place) for place in _folders(root, area)}
        _refuse_damaged(chain.from_iterable(before.values()))
        for place, files in before.items():
            _stage_rest(area, place, files, covered)
        after = {place: _files(area, *place) for place in before}
        for at in sorted({at for _, at in before}):
            _refuse_other_numbers(at, _of_day(before, at), _of_day(after, at))
        swap_all(root, list(_swaps(before, after, done)))
    return done


def _swaps(before: Files, after: Files, done: Again) -> Iterator[Swap]:
    """The folders some of whose rows are others now."""
    for (table, at), files in before.items():
        old, new = ([file.path.name for file in found] for found in (files, after[table, at]))
        if set(old) != set(new) and (rows := _changed(files, after[table, at])):
            done.changed[table] = done.changed.get(table, 0) + rows
            done.days.add(at)
            yield Swap(f"{table}/date={at.isoformat()}", old, new)


def _render(
    area: Path, segments: list[Archived], kept: Kept, done: Again, progress: Progress
) -> Iterator[tuple[int, int]]:
    """Publish the segments' rows in the staging area; the first and the last number of each."""
    for one in segments:
        rendered = _rendered(one)
        if rendered is None:
            done.unreadable.append(one.path)
            continue
        yield _published(area, rendered, kept)
        done.segments += 1
        progress(one.path.stat().st_size)


def _rendered(one: Archived) -> Rendered | None:
    """A segment's rows; None: it does not read, or not all of it."""
    with contextlib.suppress(OSError, NotASegmentError):
        rendered = render(one.content())
        return None if rendered.damage else rendered
    return None


def _published(area: Path, rendered: Rendered, kept: Kept) -> tuple[int, int]:
    """Stage a segment's rows, but for ticks that retention took."""
    numbered = {name: rows for name, rows in rendered.tables.items() if name in schema.SEQUENCED}
    for part in partitions(numbered, rendered.first_seq, rendered.next_seq - 1):
        for one in kept(part):
            publish(area, one)
    return rendered.first_seq, rendered.next_seq - 1


def _kept(kept_from: dt.date, standing: Standing, part: Partition) -> Iterable[Partition]:
    """What is to be of it: ticks of a day that retention took only where their numbers stand in that day still."""
    if part.table == "events" or part.day >= kept_from:
        return [part]
    still = np.isin(part.rows["seq"].to_numpy(), standing(part.day))
    return partitions({part.table: part.rows.filter(pa.array(still))}, part.first_seq, part.last_seq)


def _standing(root: Path, at: dt.date) -> Numbers:
    """The numbers that stand in a day's tables."""
    files = [file for table in schema.SEQUENCED for file in _files(root, table, at)]
    return np.concatenate([np.empty(0, np.int64), *(seq for file in files for seq in _numbers(file))])


def _folders(root: Path, area: Path) -> list[Place]:
    """The tables and days that hold rows of the archived segments, before or after."""
    days = {partition.parse(path).day for path in area.glob("*/date=*/*.parquet")}  # type: ignore[union-attr]
    return [
        (table, at)
        for at in sorted(days)
        for table in schema.SEQUENCED
        if partition.folder(root, table, at).is_dir() or partition.folder(area, table, at).is_dir()
    ]


def _refuse_damaged(files: Iterable[File]) -> None:
    for file in files:
        if is_damaged(file):
            raise DamagedFileError(f"{file.path}: damaged")


def _stage_rest(area: Path, place: Place, files: list[File], covered: list[tuple[int, int]]) -> None:
    """The rows of a table and day that are of no archived segment: a file as it is, or what is left of it."""
    target = partition.folder(area, *place)
    target.mkdir(parents=True, exist_ok=True)
    for file in files:
        if any(first <= file.last_seq and last >= file.first_seq for first, last in covered):
            _write_rest(area, file, target, covered)
        elif not (target / file.path.name).exists():
            os.link(file.path, target / file.path.name)


def _write_rest(area: Path, file: File, target: Path, covered: list[tuple[int, int]]) -> None:
    """What a file holds besides the rows that were rendered again; a row group at a time."""
    staged, shape = area / "staging" / "rest.parquet", order.shape(file.table)
    least, most = 0, -1
    with pq.ParquetWriter(staged, shape, **encoding(shape.names)) as writer:
        for rows in pieces(file.path, file.table):
            rest = rows.filter(pa.array(~_covered(rows["seq"].to_numpy(), covered)))
            if len(rest):
                writer.write_table(rest)
                seq = rest["seq"].to_numpy()
                least = int(seq.min()) if most < 0 else min(least, int(seq.min()))
                most = max(most, int(seq.max()))
        writer.add_key_value_metadata(metadata(file.table))
    if most >= 0:
        with staged.open("rb") as written:
            os.fsync(written.fileno())
        staged.rename(target / partition.name(least, most, partition.checksum(staged)))
    else:
        staged.unlink()


def _covered(seq: Numbers, covered: list[tuple[int, int]]) -> npt.NDArray[np.bool_]:
    firsts = np.array([first for first, _ in covered], np.int64)
    lasts = np.array([last for _, last in covered], np.int64)
    place = np.searchsorted(firsts, seq, side="right") - 1
    inside: npt.NDArray[np.bool_] = (place >= 0) & (seq <= lasts[place])
    return inside


def _of_day(found: Files, at: dt.date) -> list[File]:
    return [file for (_, day), files in found.items() if day == at for file in files]


def _refuse_other_numbers(at: dt.date, before: list[File], after: list[File]) -> None:
    """Every number of before is there after, and none twice."""
    files = sorted(before + after, key=lambda file: file.first_seq)
    counts = [Stretch([files[0], *files[1:]]) for _ in range(2)]
    for found, stretch in zip((before, after), counts, strict=True):
        for file in found:
            for seq in _numbers(file):
                stretch.count(seq)
    old, new = counts
    if ((new.counts == 0) & (old.counts > 0)).any() or (new.counts > 1).any():
        raise NotTheSameError(
            f"{at}: the archive does not hold the numbers that the tables do; nothing was changed"
        )


def _changed(before: list[File], after: list[File]) -> int:
    """How many rows are other than before, come or gone."""
    old, new = _fingerprints(before), _fingerprints(after)
    same = np.intersect1d(old, new, assume_unique=True)
    return max(len(old), len(new)) - len(same)


def _fingerprints(files: list[File]) -> npt.NDArray[np.uint64]:
    """A number for each row, of all its values."""
    parts = [np.empty(0, np.uint64)]
    for file in files:
        found = (rows.to_pandas() for rows in pieces(file.path, file.table))
        parts += [hash_pandas_object(rows, index=False).to_numpy().astype(np.uint64) for rows in found]
    return np.unique(np.concatenate(parts))


def _numbers(file: File) -> Iterator[Numbers]:
    for rows in pieces(file.path, file.table, ["seq"]):
        yield rows["seq"].to_numpy()


def _files(root: Path, table: str, at: dt.date) -> list[File]:
    folder = partition.folder(root, table, at)
    return partition.in_folder(folder) if folder.is_dir() else []
