"""What the recorder wrote, read from its files alone: numbers, gaps, and the order of it all."""

import json
from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from night.market import Key

from recorder import schema

_NUMBERS = {
    "level1": "price", "trades": "price", "quotes": "bid", "midpoints": "price", "depth": "price", "bars": "volume",
}  # fmt: skip
"""Table (and stream) to the column that has the number."""

_ASK = 2
_KINDS = {"level1": {1}, "depth": {0, 1, 2}}
"""Which of a stream's rows have a number: bids; operations on the book, and not that it was reset."""

NEVER = float("inf")


class Row(NamedTuple):
    """One recorded number; ``ts`` in seconds since 1970."""

    seq: int
    ts: float
    number: int
    con_id: int


class Gap(NamedTuple):
    """One gap; ``NEVER`` where it is open."""

    ts_start: float
    ts_end: float
    seq_start: int
    seq_end: float
    reason: str


@dataclass(slots=True)
class Recording:
    """A recording of the night.

    Attributes:
        rows: each stream's numbers, by ``seq``; those in other fields are in ``echoes``.
        gaps: each stream's gaps, by begin.
        seqs: every ``seq`` there is, sorted; ``stamps``: (seq, time) of every market row, sorted.
        others: what stands in ``other``.
    """

    rows: dict[Key, list[Row]] = field(default_factory=lambda: defaultdict(list))
    echoes: dict[Key, list[Row]] = field(default_factory=lambda: defaultdict(list))
    gaps: dict[Key, list[Gap]] = field(default_factory=lambda: defaultdict(list))
    seqs: list[int] = field(default_factory=list)
    stamps: list[tuple[int, float]] = field(default_factory=list)
    others: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, root: Path) -> "Recording":
        found = cls()
        for name in _NUMBERS:
            found._take(name, _table(root, name))
        found.seqs = sorted(seq for name in schema.SEQUENCED for seq in _table(root, name)["seq"].to_pylist())
        found.stamps.sort()
        found.others = [str(text) for text in _table(root, "other")["text"].to_pylist()]
        found._take_gaps(_table(root, "gaps").to_pylist(), root)
        return found

    def _take(self, stream: str, table: pa.Table) -> None:
        table = table.sort_by("seq")
        kinds = table[
            "tick_type" if stream == "level1" else "operation" if stream == "depth" else "seq"
        ].to_pylist()
        values = (table[name].to_pylist() for name in ("symbol", "seq", "con_id", _NUMBERS[stream]))
        for kind, ts, symbol, seq, con_id, value in zip(
            kinds, _seconds(table["ts_recv"]), *values, strict=True
        ):
            self.stamps.append((seq, ts))
            if stream == "level1" and kind == _ASK:
                self.echoes[symbol, stream].append(Row(seq, ts, int(value), con_id))
            elif stream not in _KINDS or kind in _KINDS[stream]:
                self.rows[symbol, stream].append(Row(seq, ts, int(value), con_id))

    def _take_gaps(self, closed: list[dict[str, Any]], root: Path) -> None:
        for gap in closed:
            times = gap["ts_start"].timestamp(), gap["ts_end"].timestamp()
            known = Gap(*times, gap["seq_start"], float(gap["seq_end"]), gap["reason"])
            self.gaps[gap["symbol"], gap["stream"]].append(known)
        for gap in json.loads((root / "recording.json").read_text())["state"]["gaps"]:
            known = Gap(gap["ts_start"] / 1e6, NEVER, gap["seq_start"], NEVER, gap["reason"])
            self.gaps[gap["symbol"], gap["stream"]].append(known)
        for gaps in self.gaps.values():
            gaps.sort()

    def stamp(self, seq: float) -> float:
        """When the last market row up to ``seq`` came; 0 if there is none."""
        place = bisect_right(self.stamps, (seq, NEVER))
        return self.stamps[place - 1][1] if place else 0.0

    def stamp_after(self, seq: float) -> float:
        """When the first market row from ``seq`` on came; ``NEVER`` if there is none."""
        place = bisect_right(self.stamps, (seq, 0.0))
        return self.stamps[place][1] if place < len(self.stamps) else NEVER


def _table(root: Path, name: str) -> pa.Table:
    folder = root / name
    if not folder.exists():
        return schema.schema(name).empty_table()
    return ds.dataset(folder, schema=schema.schema(name), format="parquet", partitioning=None).to_table()


def _seconds(times: pa.ChunkedArray) -> list[float]:
    return [ts / 1e6 for ts in pc.cast(times, pa.int64()).to_pylist()]
