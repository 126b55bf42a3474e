"""Letting go of what is older than is to be kept: whole UTC days of ticks, and days of the journal's archive.

Order: what will be gone is made durable in ``recording.json`` -> the days' folders are renamed into staging -> the
names are made durable -> they are deleted. So nobody ever takes for a loss what was let go of, wherever it is killed.

Rules:
- What the recording tells of itself stays: ``events``, ``gaps``, ``instruments``. A line may have been subscribed, and
  its contract looked up, long before the first tick that is kept; without them nobody could say what that tick is, nor
  whether anything is missing. They are small.
- Never today, nor a day of which anything still waits in the journal.
- Never one of the newest days that are recorded, as many as are to be kept, however old the clock makes them: a clock
  that is years ahead for a night must not cost what there is. So a day goes when it is older than so many days, and so
  many later ones hold anything. Who records on one day a month keeps more than was asked for, and never less; on the
  disk there are no more days than where every day is recorded.
- Never a file that is none of the recording's: it stays, and its folder with it.
- How many rows remain below the numbers that may be gone is counted before anything goes (``remaining``). Where a file
  does not read nobody can count, and no day of the tables goes: what was known to be lost would be forgotten with it.
"""

import errno
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

from recorder import partition, schema
from recorder.journal import folder
from recorder.journal.durable import sync_folder
from recorder.journal.lock import rendering
from recorder.render.archive import is_ours
from recorder.store.days import Day, dates, horizon, look
from recorder.store.pending import roll_forward
from recorder.store.remaining import GOING, NotCountedError, rows_to_remain, say_what_goes
from recorder.store.room import with_room
from recorder.store.swap import clear, holding, staging

ARCHIVE = "archive"
"""What the journal's archive is called where tables are named."""


@dataclass(frozen=True, slots=True)
class Gone:
    """A day that goes: its table (or ``ARCHIVE``), its files, what they take, and what stays because it is foreign."""

    table: str
    day: date
    folder: Path
    files: tuple[Path, ...]
    bytes: int
    foreign: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What retention does.

    Attributes:
        gone: the days that go, tables in order of their names, oldest day first.
        waiting: days that are old enough, and stay because the journal still holds rows of them.
        spared: days that are old enough by the clock, and stay because they are among the newest that are recorded.
        kept_from: the first day that is kept; None: of the tables nothing goes.
        kept_seq: numbers below it may be gone.
        uncounted: why no day of the tables went, although some were to.
    """

    gone: list[Gone]
    waiting: list[date]
    spared: list[date]
    kept_from: date | None
    kept_seq: int
    uncounted: str | None = None

    @property
    def bytes(self) -> int:
        """What it frees."""
        return sum(gone.bytes for gone in self.gone)


def plan(
    root: Path, days: int | None = None, archive_days: int | None = None, today: date | None = None
) -> Plan:
    """What would go.

    Args:
        root: the recording.
        days: how many UTC days before today are kept, and how many of those that are recorded; None: all.
        archive_days: the same of the archive.
        today: the day it is; None: what the clock says.

    Raises:
        NotARecordingError: ``root`` is no recording.
    """
    today = today or datetime.now(UTC).date()
    over = horizon(root)
    recorded = _recorded(root, today)
    first, first_archived = (_first_kept(recorded, today, number) for number in (days, archive_days))
    old = list(_old(root, first))
    waiting = sorted({day.date for day in old if over.reason(day, today)})
    since = _first_number(root, first, today)
    going = [day for day in old if day.date not in waiting and _last_number(day) < since]
    gone = [_gone(day) for day in going if day.files]
    numbers = [file.last_seq for day in going for file in day.files]
    spared = {
        *_among(recorded, root, schema.MARKET_TABLES, first, _back(today, days)),
        *_among(recorded, root, (ARCHIVE,), first_archived, _back(today, archive_days)),
    }
    return Plan(
        [*gone, *_archived(root, first_archived)],
        waiting,
        sorted(spared),
        first if gone else None,
        max(numbers, default=0) + 1,
    )


def retain(
    root: Path, days: int | None = None, archive_days: int | None = None, today: date | None = None
) -> Plan:
    """Let go of what ``plan`` says; returns it.

    Raises:
        NotARecordingError: ``root`` is no recording.
        RootInUseError: another process compacts it, or lets go of days.
        CannotExchangeError: what ``pending`` has to finish cannot be finished here.
        OSError: the disk refused.
    """
    known = folder.load(root)  # a folder that is no recording gets no lock file
    with holding(root):
        roll_forward(root)
        again = partial(plan, root, days, archive_days, today)
        found = again()
        for gone in found.gone:
            if gone.table == ARCHIVE:
                _delete(gone)
        is_uncounted = (known.kept_seq > 1 and known.kept_rows is None) or (root / GOING).exists()
        if found.kept_from is not None or is_uncounted:
            found = with_room(root, partial(_let_go, root, again, found))
    return found


def _let_go(root: Path, again: Callable[[], Plan], found: Plan) -> Plan:
    """Take the days of ticks away, as they are once nobody changes what is published."""
    archived = [gone for gone in found.gone if gone.table == ARCHIVE]
    with staging(root) as area:
        with rendering(root):
            found = again()
            found = replace(found, gone=[gone for gone in found.gone if gone.table != ARCHIVE])
            try:
                _remember(root, found)
            except NotCountedError as error:
                why = str(error) if found.gone else None
                return replace(found, gone=archived, kept_from=None, kept_seq=1, uncounted=why)
            for gone in found.gone:
                _take_away(gone, area / "old")
        clear(root, area / "old")
        (root / GOING).unlink(missing_ok=True)
    return replace(found, gone=[*found.gone, *archived])


def _delete(gone: Gone) -> None:
    """A day of the archive, in its place: it may be all that a full disk can spare to go on."""
    for path in gone.files:
        path.unlink(missing_ok=True)
    if not gone.foreign:
        _remove_empty(gone.folder)
    sync_folder(gone.folder.parent)


def _remove_empty(where: Path) -> None:
    """Remove a folder, unless something came to it meanwhile: the renderer archives segments of any day."""
    try:
        where.rmdir()
    except OSError as error:
        if error.errno != errno.ENOTEMPTY:
            raise


def _remember(root: Path, found: Plan) -> None:
    """Say what is no longer there, and how much remains, before it is gone.

    Raises:
        NotCountedError: nobody can count what remains; nothing was said.
    """
    checkpoint = folder.load(root)
    kept_seq = max(checkpoint.kept_seq, found.kept_seq)
    going = {path for gone in found.gone for path in gone.files}
    rows = rows_to_remain(root, checkpoint, kept_seq, going)
    say_what_goes(root, checkpoint, (kept_seq, rows), going)
    checkpoint.kept_seq, checkpoint.kept_rows = kept_seq, rows
    if found.kept_from is not None:
        checkpoint.kept_from = max(checkpoint.kept_from or "", found.kept_from.isoformat())
    folder.save(root, checkpoint)


def _take_away(gone: Gone, place: Path) -> None:
    """Move a day's files to where they are deleted."""
    target = place / gone.table / gone.folder.name
    target.parent.mkdir(parents=True, exist_ok=True)
    if not gone.foreign:
        gone.folder.rename(target)
        return
    target.mkdir()
    for path in gone.files:
        path.rename(target / path.name)


def _recorded(root: Path, today: date) -> list[date]:
    """The days before today of which anything is there, newest first."""
    days = {(day, table) for table in (*schema.TABLES, ARCHIVE) for day in dates(root, table) if day < today}
    held = {day for day, table in days if _holds_anything(partition.folder(root, table, day))}
    return sorted(held, reverse=True)


def _holds_anything(where: Path) -> bool:
    """Whether a day's folder holds any file of the recording's."""
    return any(partition.parse(path) or is_ours(path) for path in where.iterdir())


def _first_kept(recorded: list[date], today: date, days: int | None) -> date:
    """The first day that stays; ``recorded``: newest first."""
    return min([_back(today, days), *recorded[:days][-1:]])


def _back(today: date, days: int | None) -> date:
    """The day so many before today; all: the first there is, and so it is with more than there ever were."""
    return date.min if days is None else date.fromordinal(max(1, today.toordinal() - days))


def _among(recorded: list[date], root: Path, tables: Iterable[str], first: date, end: date) -> set[date]:
    """Which of the days that are recorded some tables have from ``first`` on and before ``end``."""
    return {day for table in tables for day in dates(root, table) if first <= day < end} & {*recorded}


def _first_number(root: Path, first: date, today: date) -> int:
    """The least number in the days that stay: who is behind it came later than they, whatever the clock said then."""
    days = ((table, day) for table in schema.MARKET_TABLES for day in dates(root, table))
    kept = (look(root, table, day) for table, day in days if first <= day <= today)
    return min((file.first_seq for day in kept for file in day.files), default=sys.maxsize)


def _last_number(day: Day) -> int:
    return max((file.last_seq for file in day.files), default=0)


def _old(root: Path, kept_from: date) -> Iterator[Day]:
    for table in sorted(schema.MARKET_TABLES):
        for day in dates(root, table):
            if day < kept_from:
                yield look(root, table, day)


def _gone(day: Day) -> Gone:
    return Gone(day.table, day.date, day.folder, tuple(day.paths), day.bytes, day.foreign)


def _archived(root: Path, kept_from: date) -> Iterator[Gone]:
    for day in dates(root, ARCHIVE):
        where = root / ARCHIVE / f"date={day}"
        names = sorted(path.name for path in where.iterdir()) if day < kept_from else []
        ours = tuple(where / name for name in names if is_ours(where / name))
        foreign = tuple(name for name in names if not is_ours(where / name))
        if ours:
            yield Gone(ARCHIVE, day, where, ours, sum(path.stat().st_size for path in ours), foreign)
