"""The rows of a day's files into new files, in order, and the proof that they are the same rows.

Rule: nothing is taken on trust. The files that go in are held against the checksums in their names, those that come out
are read back from the disk, and every value of every row is counted on both sides.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pyarrow as pa

from recorder import schema
from recorder.partition import File
from recorder.store import order
from recorder.store.days import Day
from recorder.store.files import DamagedFileError, Writer, check, pieces
from recorder.store.fingerprint import Fingerprint
from recorder.store.merge import Buckets, Limits, cuts

Progress: TypeAlias = Callable[[int], None]
"""Is told the bytes of each file whose rows have been taken in."""


def be_modest() -> None:
    """Set this process up to take one core and to give memory back: the rest is the recorder's."""
    pa.set_cpu_count(1)
    pa.set_memory_pool(pa.system_memory_pool())


def build(day: Day, staged: Path, limits: Limits, progress: Progress) -> tuple[list[File], int]:
    """The files of a compacted day, durable and proved, in ``staged``; and how many rows they hold."""
    for file in day.files:
        check(file)
    spilled, given = staged.parent / "buckets", Fingerprint()
    spilled.mkdir()
    buckets = Buckets(spilled, day.table, cuts(day.paths, day.table, limits), limits)
    for path in day.paths:
        for rows in pieces(path, day.table):
            given.add(rows)
            buckets.add(order.ordered(rows, order.key(day.table)))
        progress(path.stat().st_size)
    numbers = min(file.first_seq for file in day.files), max(file.last_seq for file in day.files)
    with Writer(staged, day.table, numbers, limits.file, limits.row_group) as writer:
        for rows in buckets:
            writer.add(rows)
    prove(day, writer.files, given)
    return writer.files, given.rows


def prove(day: Day, files: list[File], given: Fingerprint) -> None:
    """Read the files of a compacted day back and hold them against the rows that went in.

    Raises:
        DamagedFileError: a row is missing, twice, changed, or not in its place.
    """
    found, last = Fingerprint(), None
    for file in files:
        check(file)
        for rows in pieces(file.path, day.table):
            found.add(rows)
            places = rows.select(
                ["symbol", order.key(day.table)]
            )  # alone, lest ``last`` keep all of the rows
            _prove_order(day, last, places)
            last = places.slice(len(places) - 1)
    if found != given:
        raise DamagedFileError(
            f"{day.folder}: {given.rows} rows went in, {found.rows} came out, and they are not the same"
        )


def _prove_order(day: Day, last: pa.Table | None, places: pa.Table) -> None:
    follow = places if last is None else order.joined([last, places])
    if not order.is_ordered(follow, order.key(day.table), distinct=day.table in schema.SEQUENCED):
        raise DamagedFileError(f"{day.folder}: a number stands in it twice")
