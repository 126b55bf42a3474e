"""A day that is over as one file a table, sorted by symbol and number; a new one where a file is full.

Order of every compaction: hold the files against the checksums in their names -> write staged -> fsync -> read back and
hold against what went in, row by row -> fsync the staged folder -> exchange it with the day's, if nothing was added to
that meanwhile -> fsync both parents -> only then, and a moment later, delete the old files.
So whoever reads finds the files of before or those of after: every row once.
"""

import shutil
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal

import pyarrow as pa

from recorder import partition
from recorder.journal import folder
from recorder.journal.durable import sync_folder
from recorder.journal.lock import rendering
from recorder.store.build import Progress, build
from recorder.store.days import Day, Horizon, horizon, look, scattered
from recorder.store.files import DamagedFileError
from recorder.store.merge import Limits
from recorder.store.pending import roll_forward
from recorder.store.swap import CannotExchangeError, clear, compacting, exchange

_COPIES = 5
"""How many times what a day takes is written for a while: its buckets, less dense than Parquet, and the new files."""


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
        CannotExchangeError: what ``pending`` has to finish cannot be finished here.
        OSError: the disk would not say that names are durable; nothing that they took the place of was deleted.
    """
    folder.load(root)  # a folder that is no recording gets no lock file
    with compacting(root) as area:
        roll_forward(root)
        run = _Run(root, today or _today(), area, limits, progress)
        found = waiting(root, run.today)
        if unable := _unable(area, found):
            found = [*(day for day in found if isinstance(day, Left)), unable]
        for day in found:
            yield day if isinstance(day, Left) else run.tried(day)
            run.let_go()
        run.let_go_of_all()


def _unable(area: Path, found: list[Day | Left]) -> Left | None:
    """Why no day can be compacted here, said once, of the first of them; None: they can.

    Two empty folders show it: it would be a pity to build all the days first.
    """
    days = [day for day in found if isinstance(day, Day)]
    if not days:
        return None
    one, other = area / "one", area / "other"
    one.mkdir()
    other.mkdir()
    try:
        exchange(one, other)
    except CannotExchangeError as error:
        return Left(days[0].table, days[0].date, f"{error}: no day can be compacted here", "cannot")
    finally:
        one.rmdir()
        other.rmdir()
    return None


@dataclass(frozen=True, slots=True)
class _Run:
    """One compaction of a root: what is the same for all its days, and the folders it has replaced, with the time."""

    root: Path
    today: date
    area: Path
    limits: Limits
    progress: Progress
    replaced: deque[tuple[float, Path]] = field(default_factory=deque)

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
        except (pa.ArrowException, MemoryError) as error:  # the days behind it must not wait for this one
            done = Left(day.table, day.date, f"{day.folder}: {error!r}", "failed")
        clear(self.root, self._new)
        return done

    def let_go(self) -> None:
        """Delete what was replaced long enough ago."""
        while self.replaced and self.replaced[0][0] + self.limits.linger <= time.monotonic():
            clear(self.root, self.replaced.popleft()[1])

    def let_go_of_all(self) -> None:
        """Delete what was replaced, when it is time to."""
        while self.replaced:
            time.sleep(max(0.0, self.replaced[0][0] + self.limits.linger - time.monotonic()))
            self.let_go()

    @property
    def _new(self) -> Path:
        """Where a day is built."""
        return self.area / "new"

    def _twice(self, day: Day) -> Compacted | Left:
        """Compact a day; once more if it changed meanwhile."""
        if left := self._without_room(day):
            return left
        for _ in range(2):
            if done := self._compacted(day):
                return done
            clear(self.root, self._new)
            day = look(self.root, day.table, day.date)
            if left := _left(day, horizon(self.root), self.today):
                return left
        return Left(day.table, day.date, "files of it came or went meanwhile", "cannot")

    def _without_room(self, day: Day) -> Left | None:
        """Why there is no room on the disk; None: there is."""
        needed = _COPIES * day.bytes + self.limits.reserve
        free = shutil.disk_usage(self.root).free
        if free >= needed:
            return None
        reason = f"it takes {needed / 1e6:,.0f} MB of free disk, and there are {free / 1e6:,.0f}"
        return Left(day.table, day.date, reason, "cannot")

    def _compacted(self, day: Day) -> Compacted | None:
        """Compact a day; None: its files changed meanwhile."""
        began, before = time.perf_counter(), day.bytes
        staged = partition.folder(self._new, day.table, day.date)
        staged.mkdir(parents=True)
        files, rows = build(day, staged, self.limits, self.progress)
        after = sum(file.path.stat().st_size for file in files)
        sync_folder(staged)
        with rendering(self.root):
            if look(self.root, day.table, day.date) != day:
                return None
            exchange(staged, day.folder)
        self._keep(staged)
        seconds = time.perf_counter() - began
        return Compacted(day.table, day.date, rows, len(day.files), len(files), before, after, seconds)

    def _keep(self, old: Path) -> None:
        """Put a folder that was replaced where it stays for a while."""
        place = self.area / f"old-{time.monotonic_ns()}"
        kept = place / old.parent.name / old.name
        kept.parent.mkdir(parents=True)
        old.rename(kept)
        self.replaced.append((time.monotonic(), place))


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
