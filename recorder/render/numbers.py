"""Which numbers stand in the files of a recording, a portion of the files at a time.

Rule: memory is one byte a number of the largest stretch of files whose ranges overlap, a day at most. Where one file
spans all (a clock that begins in 1970 at every boot), it is that of what was read and not settled: ``MOST``.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from recorder import schema
from recorder.journal.folder import FORMAT, NotARecordingError
from recorder.partition import File, here
from recorder.render.aside import BAD_BYTES, is_damaged
from recorder.render.damage import REASON, Run

MOST = 2**26
"""So many numbers are counted before what is settled of them is let go, though the files go on overlapping."""

_BITS = 18
_CHUNK = 1_000_000


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

    def count(self, seq: npt.NDArray[np.int64]) -> None:
        """Take numbers in; those that are outside the range do not count."""
        within = seq[(seq >= self.first) & (seq <= self.last)] - self.first
        for start in range(0, len(within), _CHUNK):
            _add(self.counts, *np.unique(within[start : start + _CHUNK], return_counts=True))


def _add(counts: npt.NDArray[np.uint8], places: npt.NDArray[np.int64], times: npt.NDArray[np.int64]) -> None:
    counts[places] = np.minimum(counts[places].astype(np.int64) + times, 255)


class Counts:
    """How often each number stands in what was read, from 1 on, until it is settled."""

    def __init__(self) -> None:
        self._at = 1
        self._blocks: dict[int, npt.NDArray[np.uint8]] = {}

    def add(self, seq: npt.NDArray[np.int64]) -> None:
        """Take numbers in; those that are settled do not count."""
        seq = seq[seq >= self._at]
        for start in range(0, len(seq), _CHUNK):
            numbers, times = np.unique(seq[start : start + _CHUNK], return_counts=True)
            blocks, begins = np.unique(numbers >> _BITS, return_index=True)
            for block, begin, end in zip(blocks.tolist(), begins, [*begins[1:], len(numbers)], strict=True):
                counts = self._blocks.setdefault(block, np.zeros(1 << _BITS, np.uint8))
                _add(counts, numbers[begin:end] - (block << _BITS), times[begin:end])

    def settle(self, upto: int) -> tuple[list[Run], list[Run]]:
        """The numbers below ``upto`` that stand in no row, and those in more than one; they are done with."""
        missing: list[Run] = []
        twice: list[Run] = []
        for block in sorted(one for one in self._blocks if one << _BITS < upto):
            base = block << _BITS
            start, end = max(self._at, base), min(upto, base + (1 << _BITS))
            counts = self._blocks[block][start - base : end - base]
            extend(missing, [(self._at, start - 1), *_placed(start, runs(counts == 0))])
            extend(twice, _placed(start, runs(counts > 1)))
            self._at = end
            if end == base + (1 << _BITS):
                del self._blocks[block]
        extend(missing, [(self._at, upto - 1)])
        self._at = max(self._at, upto)
        return missing, twice


def _placed(start: int, found: list[tuple[int, int]]) -> list[Run]:
    return [(start + first, start + end - 1) for first, end in found]


def extend(found: list[Run], more: Iterable[Run]) -> None:
    """Put runs behind those there are, joined to the last where they go on from it."""
    for first, last in more:
        if first > last:
            continue
        begin = found.pop()[0] if found and found[-1][1] == first - 1 else first
        found.append((begin, last))


@dataclass(frozen=True, slots=True)
class Portion:
    """Files that are read together.

    Attributes:
        files: they, by their first number.
        upto: below it no later file holds any number.
    """

    files: list[File]
    upto: int


def portions(found: Iterable[File]) -> Iterator[Portion]:
    """Files, given by their first number, together with those whose ranges they overlap, as long as that is bounded."""
    files: list[File] = []
    last = -1
    for file in found:
        if files and (file.first_seq > last or file.first_seq - files[0].first_seq > MOST):
            yield Portion(files, min(last + 1, file.first_seq))
            files = []
        files.append(file)
        last = max(last, file.last_seq)
    if files:
        yield Portion(files, last + 1)


def numbered_files(root: Path) -> list[File]:
    """The files of the numbered tables that are there, by their first number.

    Raises:
        FileNotFoundError: a day's folder went away while it was read.
    """
    found = [file for table in schema.SEQUENCED for file in here(root, table)]
    return sorted(found, key=lambda file: (file.first_seq, file.last_seq))


def batches(path: Path, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    """The rows of a file, with every page's checksum held against its bytes.

    Raises:
        OSError, pa.ArrowInvalid: it does not read.
    """
    try:
        with pq.ParquetFile(path, page_checksum_verification=True, pre_buffer=False) as file:
            if lacking := set(columns or ()) - set(file.schema_arrow.names):
                raise pa.ArrowInvalid(f"it has no column {min(lacking)!r}")
            yield from file.iter_batches(columns=None if columns is None else list(columns))
    except UnicodeDecodeError as error:  # a flipped bit in its footer
        raise pa.ArrowInvalid(str(error)) from None


def is_whole(file: File) -> bool:
    """Whether a file is what was published; where its name does not say what that was, whether every page reads.

    Raises:
        NotARecordingError: it is of a newer format.
        OSError: no permission, no descriptors: nothing is known of it.
    """
    if is_damaged(file):
        return False
    try:
        with pq.ParquetFile(file.path) as parquet:
            version, _ = said(parquet)
        for _ in batches(file.path) if file.crc is None else ():
            pass
    except ValueError:  # Arrow's own too
        return False
    except OSError as error:
        if error.errno not in BAD_BYTES:
            raise
        return False
    if version > FORMAT:
        raise NotARecordingError(
            f"{file.path}: of format {version}; this version reads up to {FORMAT}: update"
        )
    return True


def own_table(file: File) -> str:
    """The table whose rows a file that is whole says it holds; the folder's, if it does not say."""
    with pq.ParquetFile(file.path) as parquet:
        _, own = said(parquet)
    return own or file.table


def said(parquet: pq.ParquetFile) -> tuple[int, str | None]:
    """What a file says of itself: the version of its format, and its table; None: it does not say."""
    own = parquet.metadata.metadata or {}
    table: bytes | None = own.get(b"ib-recorder.table")
    return int(own.get(b"ib-recorder.format", 1)), None if table is None else table.decode()


def times(root: Path, wanted: Iterable[int]) -> dict[int, int]:
    """When numbers were received, in microseconds; one that stands in no file is not in it."""
    sought = np.unique(np.fromiter(wanted, np.int64))
    found: dict[int, int] = {}
    for file in numbered_files(root):
        if np.searchsorted(sought, file.first_seq) == np.searchsorted(sought, file.last_seq, side="right"):
            continue
        for batch in batches(file.path, ["seq", "ts_recv"]):
            here = batch.filter(pa.array(np.isin(batch.column("seq").to_numpy(), sought)))
            numbers, ts = here.column("seq").to_pylist(), here.column("ts_recv").cast(pa.int64()).to_pylist()
            found |= dict(zip(numbers, ts, strict=True))
    return found


def runs(flags: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Start and end of every run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def size(found: Iterable[Run]) -> int:
    """How many numbers there are in runs."""
    return sum(last - first + 1 for first, last in found)


def common(some: Iterable[Run], others: Sequence[Run]) -> list[Run]:
    """What lies in runs of both kinds."""
    both = ((max(one[0], other[0]), min(one[1], other[1])) for one in some for other in others)
    return [run for run in both if run[0] <= run[1]]


class Lost:
    """The numbers that gaps of reason ``damaged`` stand for."""

    def __init__(self, spans: Iterable[Run]) -> None:
        """``spans``: of each gap the last number before it and the first one behind."""
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
        return cls(span for file in here(root, "gaps") for span in _spans(file))

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
