"""What nothing holds any more, put on record: as holes, as gaps that the events tell of, or in words.

Rules:
- Made of what stands in the tables alone: finding it again gives the same rows.
- Of what is older than retention kept nobody knows which number is lost and which was let go of. There it is one hole
  for all; how many rows have to be there (``kept_rows``) says when more are lost.
"""

import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from recorder import schema
from recorder.journal import folder
from recorder.partition import DAMAGED, File, listed
from recorder.render.damage import Hole, Key, Run, as_partitions, joined
from recorder.render.missing import Missing, rows_of
from recorder.render.numbers import Lost, batches, common, numbered_files, size, times
from recorder.render.publish import Published, partitions, publish
from recorder.render.retold import Ended, ended, untold
from recorder.render.told import Heard
from recorder.wire.activity import Mark


@dataclass(slots=True)
class Mended:
    """What was done.

    Attributes:
        moved: where damaged files are now.
        files: what was published again, gaps included.
        rows: how many rows were.
        saved: how many rows of damaged files were published again from these themselves.
        lost: numbers that nothing holds any more; they are in a gap now.
        retold: gaps whose rows nothing holds any more; they are as their events tell them now.
        unmended: what is missing still, in words.
        away: links that lead nowhere; until what they stand for is back, nothing is put on record.
    """

    moved: list[Path] = field(default_factory=list)
    files: list[Published] = field(default_factory=list)
    rows: int = 0
    saved: int = 0
    lost: int = 0
    retold: int = 0
    unmended: list[str] = field(default_factory=list)
    away: list[Path] = field(default_factory=list)


def moved(missing: Missing, files: list[File]) -> list[Run]:
    """The missing numbers older than retention kept that may have stood in files that were moved."""
    numbered = (file for file in files if file.table in schema.SEQUENCED)
    return sorted(set(common(missing.older.runs, [(file.first_seq, file.last_seq) for file in numbered])))


def put_on_record(
    root: Path, missing: Missing, damaged: list[File] | None, held: list[Run], done: Mended
) -> None:
    """Everything that is missing still, and in no gap yet.

    Args:
        root: the recording.
        missing: what is missing, now that all is restored that can be.
        damaged: the files that what is older than retention kept was in; None: it may have been anywhere.
        held: the numbers that were looked for, and found as far as they had rows.
        done: is told what was done.

    Raises:
        PublishError, OSError: a file could not be published.
    """
    lost = Lost.of(root)
    losses = [
        (loss.lived, [part for run in loss.runs for part in lost.split(run)[0]]) for loss in missing.losses
    ]
    _publish_holes(root, missing, [(joined(runs), lived) for lived, runs in losses if runs], done)
    done.lost += sum(size(runs) for _, runs in losses)
    if missing.short != 0:
        suspects = missing.older.runs if damaged is None else _unheld(moved(missing, damaged), held)
        _older(root, missing, suspects, done)
    if missing.untold["gaps"]:
        _retell(root, done)
    details = sorted(missing.untold["instruments"])
    done.unmended += [f"contract details of {symbol}, fetched at {at}" for at, symbol in details]


def _unheld(runs: list[Run], held: list[Run]) -> list[Run]:
    """What was not looked for."""
    found = Lost((first - 1, last + 1) for first, last in held)
    return [part for run in runs for part in found.split(run)[0]]


def _older(root: Path, missing: Missing, suspects: list[Run], done: Mended) -> None:
    """What is older than retention kept; ``suspects``: the numbers among which it is, if there are enough of them."""
    lost = Lost.of(root)
    if size(suspects) < (missing.short or 0):
        suspects = missing.older.runs
    unsaid = [part for run in suspects for part in lost.split(run)[0]]
    if unsaid:
        _publish_holes(root, missing, [([(unsaid[0][0], unsaid[-1][1])], missing.older.lived)], done)
    done.lost += size(unsaid) if missing.short is None else missing.short
    if missing.short:  # what is left is what has to be there from now on
        folder.save(root, replace(folder.load(root), kept_rows=missing.rows))


def _publish_holes(
    root: Path, missing: Missing, found: list[tuple[list[Run], set[Key]]], done: Mended
) -> None:
    at = times(root, (seq for runs, _ in found for run in runs for seq in missing.beside(run)))
    last_ts = folder.load(root).last_ts
    for runs, lived in found:
        holes = [(_hole(run, [at.get(seq) for seq in missing.beside(run)], last_ts), lived) for run in runs]
        done.files += [publish(root, part) for part in as_partitions(holes)]


def _hole(lost: Run, at: list[int | None], last_ts: int) -> Hole:
    """The hole that a run leaves, ``at``: when the rows beside it came that are there.

    Where the recording begins or ends there, the other one's time has to do.
    """
    before, behind = at
    until = last_ts if behind is None else behind
    return Hole(Mark(until if before is None else before, lost[0] - 1), Mark(until, lost[1] + 1))


def _retell(root: Path, done: Mended) -> None:
    """Gaps whose rows nothing holds any more, as their events tell them."""
    heard = Heard()
    for file in listed(root, "events"):
        for batch in batches(file.path):
            heard.add(batch)
    lost = untold(ended(heard.below(sys.maxsize)), rows_of(root, "gaps"))
    rows = [one.row(_last_tick(root, one)) for one in lost]
    table = pa.Table.from_pylist(rows, schema=schema.schema("gaps"))
    table = table.set_column(0, "symbol", table["symbol"].dictionary_encode())
    first, last = min(one.begun["seq"] for one in lost), max(one.end["seq"] for one in lost)
    for part in partitions({"gaps": table}, first, last):
        done.files.append(publish(root, replace(part, kind=DAMAGED)))
    done.retold += len(lost)


def _last_tick(root: Path, gap: Ended) -> dict[str, Any] | None:
    """The last row of a stream before its gap began."""
    symbol, stream = gap.key
    found: list[dict[str, Any]] = []
    for file in numbered_files(root):
        if schema.STREAMS.get(file.table) == stream and _overlaps(file, gap.since["seq"], gap.begun["seq"]):
            found += _ticks(file, symbol, gap.since["seq"], gap.begun["seq"])
    return max(found, key=lambda row: int(row["seq"]), default=None)


def _overlaps(file: File, after: int, before: int) -> bool:
    return file.first_seq < before and file.last_seq > after


def _ticks(file: File, symbol: str, after: int, before: int) -> list[dict[str, Any]]:
    """The last tick of a line in a file between two numbers, if there is one."""
    wanted = [("symbol", "==", symbol), ("source", "==", "live"), ("seq", ">", after), ("seq", "<", before)]
    rows = pq.read_table(file.path, columns=["seq", "ts_recv"], filters=wanted, partitioning=None)
    last: list[dict[str, Any]] = rows.sort_by("seq").slice(max(0, len(rows) - 1)).to_pylist()
    return last
