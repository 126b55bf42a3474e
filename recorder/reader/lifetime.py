"""From when to when a recording lived; while a recorder holds it, up to now.

Rules:
- A sign of life is a row, of whatever table. A recorder that is cut off from its gateway writes none, and lives.
- It begins where retention has kept it.
- Who took the root behind the last sign of life (it starts, or only recovers) has not recorded yet.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from recorder import schema
from recorder.journal import stated
from recorder.journal.lock import holder
from recorder.reader.moments import BEGINNING, Span
from recorder.reader.scan import scan
from recorder.reader.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Lifetime:
    """A recording's life.

    Attributes:
        first: its first sign of life that was kept.
        last: its last one; ``first`` where there is none.
        until: up to when it is known what was recorded: now while a recorder runs, else ``last``.
        running: whether one does.
    """

    first: datetime
    last: datetime
    until: datetime
    running: bool


def lifetime(snapshot: Snapshot) -> Lifetime:
    """The life of a recording as of a snapshot."""
    bounds = [pc.min_max(rows["ts_recv"]).as_py() for rows in _edges(snapshot)]
    begun = min((bound["min"] for bound in bounds if bound["min"]), default=BEGINNING)
    first = max(begun, kept_from(snapshot.root))
    last = max((bound["max"] for bound in bounds if bound["max"]), default=first)
    running = _is_recorded(snapshot, last)
    return Lifetime(first, last, max(last, snapshot.at) if running else last, running)


def kept_from(root: Path) -> datetime:
    """From when on retention has kept what was recorded; ``BEGINNING``: all of it."""
    try:
        day = stated.read(root).get("kept_from")
    except stated.NothingStatedError:  # tables alone are a recording too
        day = None
    return datetime.fromisoformat(day).replace(tzinfo=UTC) if day else BEGINNING


def _is_recorded(snapshot: Snapshot, last: datetime) -> bool:
    if holder(snapshot.root) is None:
        return False
    taken = (snapshot.root / "journal" / "lock").stat().st_mtime
    return datetime.fromtimestamp(taken, UTC) <= last


def _edges(snapshot: Snapshot) -> Iterator[pa.Table]:
    """The times of the first and of the last day of each table, and of what is in no file yet."""
    for table in schema.SEQUENCED:
        days = [file.day for file in snapshot.files(table)]
        for day in {min(days), max(days)} if days else ():
            yield scan(snapshot, table, None, Span.day(day), columns=["ts_recv"])
        yield snapshot.tail(table).select(["ts_recv"])
