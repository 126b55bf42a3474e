"""Letting go of what is older than is to be kept: whole UTC days of ticks, and days of the journal's archive.

Order: what will be gone is made durable in ``recording.json`` -> the days' folders are renamed into staging -> the
names are made durable -> they are deleted. So nobody ever takes for a loss what was let go of, wherever it is killed.

Rules:
- What the recording tells of itself stays: ``events``, ``gaps``, ``instruments``. A line may have been subscribed, and
  its contract looked up, long before the first tick that is kept; without them nobody could say what that tick is, nor
  whether anything is missing. They are small.
- Never today, nor a day of which anything still waits in the journal.
- Never a file that is none of the recording's: it stays, and its folder with it.
"""

import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from recorder import schema
from recorder.journal import folder
from recorder.journal.durable import sync_folder
from recorder.journal.lock import rendering
from recorder.store.days import Day, dates, horizon, look
from recorder.store.pending import roll_forward
from recorder.store.swap import clear, holding, staging

ARCHIVE = "archive"
"""What the journal's archive is called where tables are named."""

_ARCHIVED = re.compile(r"\d+\.journal\.zst")


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
        kept_from: the first day that is kept; None: of the tables nothing goes.
        kept_seq: numbers below it may be gone.
    """

    gone: list[Gone]
    waiting: list[date]
    kept_from: date | None
    kept_seq: int

    @property
    def bytes(self) -> int:
        """What it frees."""
        return sum(gone.bytes for gone in self.gone)


def plan(
    root: Path,
    days: int | None = None,
    archive_days: int | None = None,
    today: date | None = None,
    least: int = 0,
) -> Plan:
    """What would go.

    Args:
        root: the recording.
        days: how many UTC days before today are kept; None: all.
        archive_days: the same of the archive.
        today: the day it is; None: what the clock says.
        least: so many of the newest days that there are stay, however old the clock makes them: it may be wrong.

    Raises:
        NotARecordingError: ``root`` is no recording.
    """
    today = today or datetime.now(UTC).date()
    over = horizon(root)
    first = date.min if days is None else _first_kept(root, days, today, least)
    old = list(_old(root, first))
    waiting = sorted({day.date for day in old if over.reason(day, today)})
    since = _first_number(root, first, today)
    going = [day for day in old if day.date not in waiting and _last_number(day) < since]
    gone = [_gone(day) for day in going if day.files]
    numbers = [file.last_seq for day in going for file in day.files]
    archived = [] if archive_days is None else list(_archived(root, today - timedelta(archive_days)))
    return Plan([*gone, *archived], waiting, first if gone else None, max(numbers, default=0) + 1)


def retain(
    root: Path,
    days: int | None = None,
    archive_days: int | None = None,
    today: date | None = None,
    least: int = 0,
) -> Plan:
    """Let go of what ``plan`` says; returns it.

    Raises:
        NotARecordingError: ``root`` is no recording.
        RootInUseError: another process compacts it, or lets go of days.
        OSError: the disk refused.
    """
    folder.load(root)  # a folder that is no recording gets no lock file
    with holding(root):
        roll_forward(root)
        found = plan(root, days, archive_days, today, least)
        for gone in found.gone:
            if gone.table == ARCHIVE:
                _delete(gone)
        if found.kept_from is not None:
            found = _let_go(root, lambda: plan(root, days, archive_days, today, least), found)
    return found


def _let_go(root: Path, again: Callable[[], Plan], found: Plan) -> Plan:
    """Take the days of ticks away, as they are once nobody changes what is published."""
    archived = [gone for gone in found.gone if gone.table == ARCHIVE]
    with staging(root) as area:
        with rendering(root):
            found = again()
            _remember(root, found)
            for gone in found.gone:
                _take_away(gone, area / "old")
        clear(root, area / "old")
    return replace(found, gone=[*found.gone, *archived])


def _delete(gone: Gone) -> None:
    """A day of the archive, in its place: it may be all that a full disk can spare to go on."""
    for path in gone.files:
        path.unlink(missing_ok=True)
    if not gone.foreign:
        gone.folder.rmdir()
    sync_folder(gone.folder.parent)


def _remember(root: Path, found: Plan) -> None:
    """Say what is no longer there, before it is gone."""
    if found.kept_from is None:
        return
    checkpoint = folder.load(root)
    checkpoint.kept_from = max(checkpoint.kept_from or "", found.kept_from.isoformat())
    checkpoint.kept_seq = max(checkpoint.kept_seq, found.kept_seq)
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


def _first_kept(root: Path, days: int, today: date, least: int) -> date:
    """The first day that stays."""
    recorded = sorted({day for table in schema.MARKET_TABLES for day in dates(root, table)})
    newest = recorded[-least:] if least else []
    return min([today - timedelta(days), *newest])


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
        ours = tuple(where / name for name in names if _ARCHIVED.fullmatch(name))
        foreign = tuple(name for name in names if not _ARCHIVED.fullmatch(name))
        if ours:
            yield Gone(ARCHIVE, day, where, ours, sum(path.stat().st_size for path in ours), foreign)
