"""Which numbers stand in the files of a recording, a stretch of files at a time.

Rule: memory is one byte a number of the largest stretch of files whose ranges overlap, a day at most.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from recorder import schema
from recorder.partition import File, listed
from recorder.render.damage import REASON

Run: TypeAlias = tuple[int, int]
"""The first and the last of some numbers in a row."""


@dataclass(slots=True)
class Stretch:
    """Files whose ranges of numbers overlap.

    Attributes:
        files: they, by their first number.
        counts: how often each number of their range stands in them.
    """

    files: list[File]
    counts: npt.NDArray[np.uint8] = field(init=False)

    def __post_init__(self) -> None:
        self.counts = np.zeros(self.last - self.first + 1, np.uint8)

    @property
    def first(self) -> int:
        """The least number that they may hold."""
        return self.files[0].first_seq

    @property
    def last(self) -> int:
        """The greatest."""
        return max(file.last_seq for file in self.files)

    def count(self, seq: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Take numbers in; returns those that are outside the range."""
        inside = (seq >= self.first) & (seq <= self.last)
        within = seq[inside] - self.first
        for start in range(0, len(within), _BLOCK):
            places, times = np.unique(within[start : start + _BLOCK], return_counts=True)
            self.counts[places] = np.minimum(self.counts[places].astype(np.int64) + times, 255)
        outside: npt.NDArray[np.int64] = seq[~inside]
        return outside

    def missing(self) -> list[Run]:
        """The numbers of the range that stand in none of them."""
        return [(self.first + start, self.first + end - 1) for start, end in runs(self.counts == 0)]

    def twice(self) -> list[Run]:
        """The numbers that stand in more than one row."""
        return [(self.first + start, self.first + end - 1) for start, end in runs(self.counts > 1)]


_BLOCK = 1_000_000


def stretches(found: Iterable[File]) -> Iterator[Stretch]:
    """Files, given by their first number, together with those whose ranges they overlap."""
    stretch: list[File] = []
    last = -1
    for file in found:
        if stretch and file.first_seq > last:
            yield Stretch(stretch)
            stretch = []
        stretch.append(file)
        last = max(last, file.last_seq)
    if stretch:
        yield Stretch(stretch)


def numbered_files(root: Path) -> list[File]:
    """The files of the numbered tables, by their first number.

    Raises:
        FileNotFoundError: a day's folder went away while it was read.
    """
    found = [file for table in schema.SEQUENCED for file in listed(root, table)]
    return sorted(found, key=lambda file: (file.first_seq, file.last_seq))


def batches(path: Path, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    """The rows of a file, with every page's checksum held against its bytes.

    Raises:
        OSError, pa.ArrowInvalid: it does not read.
    """
    with pq.ParquetFile(path, page_checksum_verification=True, pre_buffer=False) as file:
        yield from file.iter_batches(columns=None if columns is None else list(columns))


def runs(flags: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Start and end of every run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


class Lost:
    """The numbers that gaps of reason ``damaged`` stand for."""

    def __init__(self, spans: Iterable[Run]) -> None:
        """``spans``: of each gap the last number before it and the first behind."""
        joined: list[list[int]] = []
        for start, end in sorted(spans):
            if joined and start < joined[-1][1]:
                joined[-1][1] = max(joined[-1][1], end)
            else:
                joined.append([start, end])
        self._starts = np.array([start for start, _ in joined], np.int64)
        self._ends = np.array([end for _, end in joined], np.int64)

    @classmethod
    def of(cls, root: Path) -> "Lost":
        """What the gaps of a recording say; a file that does not read says nothing."""
        return cls(span for file in listed(root, "gaps") for span in _spans(file))

    def split(self, run: Run) -> tuple[list[Run], list[Run]]:
        """The parts of a run that are outside every such gap, and those that are inside one."""
        outside, inside, at = [], [], run[0]
        while at <= run[1]:
            place = int(np.searchsorted(self._ends, at, side="right"))
            start, end = (
                (int(self._starts[place]), int(self._ends[place])) if place < len(self._ends) else (run[1], 0)
            )
            if start < at < end:
                upto = min(run[1], end - 1)
                inside.append((at, upto))
            else:
                upto = min(run[1], start) if start >= at else run[1]
                outside.append((at, upto))
            at = upto + 1
        return outside, inside

    def touches(self, first: int, last: int) -> bool:
        """Whether any number from ``first`` to ``last`` may be lost."""
        place = int(np.searchsorted(self._ends, first, side="right"))
        return place < len(self._ends) and int(self._starts[place]) < last


def _spans(file: File) -> Iterator[Run]:
    try:
        for batch in batches(file.path, ["reason", "seq_start", "seq_end"]):
            for row in batch.to_pylist():
                if row["reason"] == REASON:
                    yield row["seq_start"], row["seq_end"]
    except (OSError, pa.ArrowInvalid):
        return  # who reads the table says so
