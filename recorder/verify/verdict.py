"""What a verification says."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from recorder.config.wording import counted
from recorder.render.damage import Run
from recorder.render.told import Told

_EACH = 20
"""So many holes of one stretch of files are named one by one."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something that is not whole: what kind (missing, twice, unreadable, wrong, uncovered, damaged), and where.

    ``kept``: it lies beside tables and journal, in the archive or set aside, where ``recover`` mends nothing.
    """

    kind: str
    text: str
    kept: bool = False


@dataclass(frozen=True, slots=True)
class Note:
    """Something worth knowing that is no flaw: what kind (lost, torn, foreign), and where."""

    kind: str
    text: str


@dataclass(slots=True)
class Verdict:
    """What was found.

    Attributes:
        rows: numbered rows read.
        files: files read.
        flaws: what is not whole; empty if everything is.
        notes: what else there is to say.
    """

    rows: int = 0
    files: int = 0
    flaws: list[Flaw] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)


def missing(found: list[Run]) -> list[Flaw]:
    """Numbers that are in no table, and in no gap."""
    return [Flaw("missing", f"{text}: in no table{rows}") for text, rows, _ in _told(found)]


def older(short: int, kept_seq: int) -> Flaw:
    """Rows that retention left and that are not there any more."""
    text = f"{counted(short, 'row')} of those that retention kept of older days (numbers below {kept_seq}): in no table"
    return Flaw("missing", text)


def lost(found: list[Run]) -> list[Note]:
    """Numbers that are in no table, but in a gap that says so."""
    return [Note("lost", f"{text}: in no table, but in a gap{rows}") for text, rows, _ in _told(found)]


def twice(found: list[Run], holders: Callable[[list[Run]], list[Path]]) -> list[Flaw]:
    """Numbers that several rows have; ``holders`` are the files in which any of some numbers stand."""
    return [
        Flaw("twice", f"{text}: in more than one row{_of(holders(runs))}") for text, _, runs in _told(found)
    ]


def doubled(table: str, row: Told, count: int) -> Flaw:
    """A row of a table without numbers that is there more than once."""
    own = ", ".join(str(value) for value in row if value is not None)
    return Flaw("twice", f"table {table}: {own}: in {count} rows")


def _of(paths: list[Path]) -> str:
    more = f" and {len(paths) - _EACH} more" if len(paths) > _EACH else ""
    return f" of {', '.join(map(str, paths[:_EACH]))}{more}" if paths else ""


def _told(found: list[Run]) -> list[tuple[str, str, list[Run]]]:
    """Numbers in words, how many rows that is, and the numbers."""
    count = sum(last - first + 1 for first, last in found)
    if len(found) > _EACH:
        return [(f"numbers {found[0][0]} to {found[-1][1]}, {count:,} of them", "", found)]
    return [
        (_named(first, last), f" ({counted(last - first + 1, 'row')})", [(first, last)])
        for first, last in found
    ]


def _named(first: int, last: int) -> str:
    return f"number {first}" if first == last else f"numbers {first} to {last}"
