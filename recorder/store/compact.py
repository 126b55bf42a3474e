"""A day that is over as one file a table, sorted by symbol and number; a new one where a file is full.

Order of every compaction: hold the files against the checksums in their names -> write staged -> fsync -> read back and
hold against what went in, row by row -> fsync the staged folder -> exchange it with the day's, if nothing was added to
that meanwhile -> fsync both parents -> only then delete the old files.
So whoever reads finds the files of before or those of after: every row once.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal

from recorder import partition
from recorder.journal import folder
from recorder.journal.folder import sync_folder
from recorder.journal.lock import rendering
from recorder.store.build import Progress, build
from recorder.store.days import Day, Horizon, horizon, look, scattered
from recorder.store.files import DamagedFileError
from recorder.store.merge import Limits
from recorder.store.swap import CannotExchangeError, clear, compacting, exchange


@dataclass(frozen=True, slots=True)
class Compacted:
    """A day of a table that is compact now: rows, files and bytes before and after, and how long it took."""

    table: str
    day: date
    rows: int
    files_before: int
    files_after: int
    bytes_before: int
    bytes_after: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Left:
    """A day of a table in more than one file that stays as it is.

    Attributes:
        table: the table.
        day: the day.
        reason: why, in words.
        kind: ``waits``: it is not over. ``cannot``: nothing is wrong with it. ``failed``: something is wrong.
    """

    table: str
    day: date
    reason: str
    kind: Literal["waits", "cannot", "failed"]


def waiting(root: Path, today: date | None = None) -> list[Day | Left]:
    """What ``compact`` would do: each day to compact, and each that would be left.

    Raises:
        NotARecordingError: ``root`` is no recording.
    """
    over = horizon(root)
    return [_left(day, over, today or _today()) or day for day in scattered(root)]


def compact(
    root: Path,
    today: date | None = None,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    progress: Progress = lambda _bytes: None,
) -> Iterator[Compacted | Left]:
    """Compact every day that is over and in more than one file, oldest first; also while a recorder runs on the root.

    Raises:
        NotARecordingError: ``root`` is no recording.
        RootInUseError: another process compacts it.
        OSError: the disk would not say that names are durable; nothing that they took the place of was deleted.
    """
    folder.load(root)  # a folder that is no recording gets no lock file
    with compacting(root) as area:
        run = _Run(root, today or _today(), area, limits, progress)
        for day in waiting(root, run.today):
            yield day if isinstance(day, Left) else run.tried(day)


@dataclass(frozen=True, slots=True)
class _Run:
    """One compaction of a root: what is the same for all its days."""

    root: Path
    today: date
    area: Path
    limits: Limits
    progress: Progress

    def tried(self, day: Day) -> Compacted | Left:
        """Compact a day, or say why not."""
        try:
            done = self._twice(day)
        except CannotExchangeError as error:
            done = Left(day.table, day.date, str(error), "cannot")
        except DamagedFileError as error:
            done = Left(day.table, day.date, str(error), "failed")
        except OSError as error:
            where = error.filename or day.folder
            done = Left(day.table, day.date, f"{where}: {error.strerror or error}", "failed")
        clear(self.root, self.area)
        return done

    def _twice(self, day: Day) -> Compacted | Left:
        """Compact a day; once more if it changed meanwhile."""
        for _ in range(2):
            if done := self._compacted(day):
                return done
            clear(self.root, self.area)
            day = look(self.root, day.table, day.date)
            if left := _left(day, horizon(self.root), self.today):
                return left
        return Left(day.table, day.date, "files of it came or went meanwhile", "cannot")

    def _compacted(self, day: Day) -> Compacted | None:
        """Compact a day; None: its files changed meanwhile. The old ones are in the staging area then."""
        began, before = time.perf_counter(), day.bytes
        staged = partition.folder(self.area, day.table, day.date)
        staged.mkdir(parents=True)
        files, rows = build(day, staged, self.limits, self.progress)
        after = sum(file.path.stat().st_size for file in files)
        sync_folder(staged)
        with rendering(self.root):
            if look(self.root, day.table, day.date) != day:
                return None
            exchange(staged, day.folder)
        seconds = time.perf_counter() - began
        return Compacted(day.table, day.date, rows, len(day.files), len(files), before, after, seconds)


def _left(day: Day, over: Horizon, today: date) -> Left | None:
    """Why a day is to be left; None: it is not."""
    if reason := over.reason(day, today):
        return Left(day.table, day.date, reason, "waits")
    if day.foreign:
        return Left(
            day.table, day.date, f"{day.folder / day.foreign[0]} is none of the recording's", "cannot"
        )
    return None


def _today() -> date:
    return datetime.now(UTC).date()
