"""What damage took, as rows of ``gaps``: numbers that are in no row, and the streams they may have belonged to.

Rules:
- Pure, and the same whenever it is done again: what is found depends on the rows, not on when they are looked at.
- A hole has an end on either side: the last number before it and the first one behind.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from recorder import schema
from recorder.partition import DAMAGED
from recorder.render.publish import Partition, partitions
from recorder.wire.activity import Mark

REASON = "damaged"
"""What stands in ``reason`` of a gap that no event tells of."""

Key: TypeAlias = tuple[str, str]
"""A line and its stream."""

Live: TypeAlias = list[tuple[int, set[Key]]]
"""What was subscribed where some numbers stand, in their order."""

Numbers: TypeAlias = npt.NDArray[np.int64]

Run: TypeAlias = tuple[int, int]
"""The first and the last of some numbers in a row."""

MOST_HOLES = 100
"""So many holes of overlapping files are told one by one; each is a gap for every stream."""

_NOBODY: list[tuple[str | None, str | None]] = [(None, None)]


@dataclass(frozen=True, slots=True)
class Hole:
    """Numbers that are in no row: those between two places."""

    since: Mark
    until: Mark

    @property
    def first(self) -> int:
        """The least number that is missing."""
        return self.since.seq + 1

    @property
    def last(self) -> int:
        """The greatest."""
        return self.until.seq - 1

    @property
    def size(self) -> int:
        """How many there are."""
        return self.last - self.first + 1


def joined(runs: Sequence[Run]) -> list[Run]:
    """Runs of lost numbers as at most ``MOST_HOLES``: where there are more, those that the fewest rows part are one."""
    between = np.array([behind[0] - before[1] for before, behind in pairwise(runs)], np.int64)
    cuts = sorted(np.argsort(-between, kind="stable")[: MOST_HOLES - 1].tolist())
    begins, ends = [0, *(cut + 1 for cut in cuts)], [*cuts, len(runs) - 1]
    return [(runs[begin][0], runs[end][1]) for begin, end in zip(begins, ends, strict=True)]


def holes(tables: Mapping[str, pa.Table], since: Mark, until: Mark) -> list[Hole]:
    """What is missing between two places of a recording whose rows between them are ``tables``."""
    numbered = [tables[name] for name in schema.SEQUENCED if name in tables]
    if sum(map(len, numbered)) == until.seq - since.seq - 1:
        return []
    seq = np.concatenate([[since.seq], *(table["seq"].to_numpy() for table in numbered), [until.seq]])
    ts = np.concatenate([[since.ts], *map(_micros, numbered), [until.ts]])
    order = np.argsort(seq, kind="stable")
    places = [Mark(int(ts[at]), int(seq[at])) for at in _beside_a_hole(seq[order], order)]
    return [Hole(*pair) for pair in zip(places[::2], places[1::2], strict=True)]


def streams(hole: Hole, known: Live) -> set[Key]:
    """What was live right before a hole and behind it, of what is known of some numbers, in their order."""
    before = [keys for seq, keys in known if seq <= hole.first][-1:]
    behind = [keys for seq, keys in known if hole.first < seq <= hole.until.seq]
    return set().union(*before, *behind)


def gaps(found: Sequence[tuple[Hole, Iterable[Key]]]) -> pa.Table:
    """Rows of ``gaps``: one for each stream of each hole; null and null, where no stream is known."""
    rows = [
        {
            "symbol": symbol, "stream": stream, "reason": REASON,
            "ts_start": hole.since.ts, "seq_start": hole.since.seq, "ts_end": hole.until.ts, "seq_end": hole.until.seq,
        }
        for hole, keys in found
        for symbol, stream in sorted(keys) or _NOBODY
    ]  # fmt: skip
    table = pa.Table.from_pylist(rows, schema=schema.schema("gaps"))
    return table.set_column(0, "symbol", table["symbol"].dictionary_encode())


def as_partitions(found: Sequence[tuple[Hole, Iterable[Key]]]) -> list[Partition]:
    """The holes' gaps as they are published: a file a day, named by what is missing."""
    if not found:
        return []
    first, last = min(hole.first for hole, _ in found), max(hole.last for hole, _ in found)
    return [replace(part, kind=DAMAGED) for part in partitions({"gaps": gaps(found)}, first, last)]


def _micros(table: pa.Table) -> Numbers:
    micros: Numbers = table["ts_recv"].cast(pa.int64()).to_numpy()
    return micros


def _beside_a_hole(seq: Numbers, order: Numbers) -> list[int]:
    """Of every hole the row before it and the row behind."""
    before = np.flatnonzero(np.diff(seq) > 1)
    beside: list[int] = order[np.column_stack([before, before + 1]).ravel()].tolist()
    return beside
