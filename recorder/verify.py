"""Proves a recording whole, from its files alone.

Whole means: every number from 1 on is one row of one table (or still in the journal), every file reads and its
checksums hold, and whatever was subscribed and ended is in a gap until it is subscribed again.

Rules:
- Time is linear in the recording's size; memory is that of the largest stretch of files whose numbers overlap, one
  byte a row (a day at most).
- Nothing is written, and nothing is taken on trust: names, checkpoint and journal are held against the rows.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from recorder import schema
from recorder.journal import folder
from recorder.partition import File, listed
from recorder.render import Tail, unrendered

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something that is not whole: what kind (missing, twice, unreadable, wrong, uncovered, damaged), and where."""

    kind: str
    text: str


@dataclass(slots=True)
class Verdict:
    """What was found.

    Attributes:
        rows: numbered rows read.
        files: files read.
        flaws: what is not whole; empty if everything is.
    """

    rows: int
    files: int
    flaws: list[Flaw]


def verify(root: Path, progress: Callable[[int], None] = lambda _bytes: None) -> Verdict:
    """Read everything; ``progress`` is told the size of each file that has been read.

    Raises:
        NotARecordingError: ``root`` is no recording.
    """
    checkpoint = folder.load(root)
    tails = unrendered(root)
    verdict = Verdict(0, 0, [])
    coverage = _Coverage()
    expected = 1
    # What the journal holds is read there: the renderer may be publishing it this moment.
    published = [file for file in files(root) if not tails or file.first_seq < tails[0].first_seq]
    for stretch in stretches(published):
        expected = _read_stretch(stretch, expected, verdict, coverage, progress)
    for tail in tails:
        expected = _read_tail(tail, expected, verdict, coverage)
    if expected < checkpoint.next_seq:
        verdict.flaws.append(_missing(expected, checkpoint.next_seq - 1))
    verdict.flaws += coverage.flaws
    verdict.flaws += _others(root, verdict, progress) + _set_aside(root)
    return verdict


def files(root: Path) -> list[File]:
    """The files of the numbered tables, by their first number."""
    found = [file for table in schema.SEQUENCED for file in listed(root, table)]
    return sorted(found, key=lambda file: (file.first_seq, file.last_seq))


def stretches(found: Iterable[File]) -> Iterator[list[File]]:
    """Files whose ranges of numbers overlap, together."""
    stretch: list[File] = []
    last = -1
    for file in found:
        if stretch and file.first_seq > last:
            yield stretch
            stretch = []
        stretch.append(file)
        last = max(last, file.last_seq)
    if stretch:
        yield stretch


def _read_stretch(
    stretch: list[File],
    expected: int,
    verdict: Verdict,
    coverage: "_Coverage",
    progress: Callable[[int], None],
) -> int:
    """Count every number of the stretch; returns the number expected next."""
    first, last = stretch[0].first_seq, max(file.last_seq for file in stretch)
    counts = np.zeros(last - first + 1, np.uint8)
    told: list[dict[str, Any]] = []
    for file in stretch:
        try:
            for batch in _batches(file.path):
                _count(batch, file, first, counts, verdict)
                if file.table == "events":
                    told += batch.to_pylist()
        except (OSError, pa.ArrowInvalid) as error:
            verdict.flaws.append(Flaw("unreadable", f"{file.path}: {error}"))
        verdict.files += 1
        progress(file.path.stat().st_size if file.path.exists() else 0)
    coverage.take(told)
    if first > expected:
        verdict.flaws.append(_missing(expected, first - 1))
    verdict.flaws += _holes(counts, first)
    return max(expected, last + 1)


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    """Every row and column, so that every page's checksum is held against its bytes."""
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        yield from file.iter_batches()


def _count(
    batch: pa.RecordBatch, file: File, first: int, counts: npt.NDArray[np.uint8], verdict: Verdict
) -> None:
    seq = batch.column("seq").to_numpy()
    inside = (seq >= file.first_seq) & (seq <= file.last_seq)
    if not inside.all():
        verdict.flaws.append(
            Flaw("wrong", f"{file.path}: holds number {seq[~inside][0]}, which its name denies")
        )
    places, times = np.unique(seq[inside] - first, return_counts=True)
    counts[places] = np.minimum(counts[places].astype(np.int64) + times, 255)
    verdict.rows += len(seq)


def _holes(counts: npt.NDArray[np.uint8], first: int) -> list[Flaw]:
    missing = [_missing(first + start, first + end - 1) for start, end in _runs(counts == 0)]
    twice = [
        Flaw("twice", f"numbers {first + start} to {first + end - 1} stand in more than one row")
        for start, end in _runs(counts > 1)
    ]
    return missing + twice


def _runs(flags: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Start and end of every run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _missing(first: int, last: int) -> Flaw:
    return Flaw("missing", f"numbers {first} to {last} are in no table ({last - first + 1} rows)")


def _read_tail(tail: Tail, expected: int, verdict: Verdict, coverage: "_Coverage") -> int:
    """What is still in the journal."""
    tables = {name: tail.table(name) for name in schema.SEQUENCED}
    seq = np.sort(np.concatenate([table["seq"].to_numpy() for table in tables.values()]))
    coverage.take(tables["events"].to_pylist())
    verdict.rows += len(seq)
    if not len(seq):
        return expected
    first, last = int(seq[0]), int(seq[-1])
    if first > expected:
        verdict.flaws.append(_missing(expected, first - 1))
    counts = np.bincount(seq - first).clip(max=255).astype(np.uint8)
    verdict.flaws += _holes(counts, first)
    return max(expected, last + 1)


class _Coverage:
    """Follows the events: what has ended must be in an open gap when it is subscribed again."""

    def __init__(self) -> None:
        self.flaws: list[Flaw] = []
        self._live: set[Key] = set()
        self._ended: dict[Key, Any] = {}
        self._gaps: set[Key] = set()

    def take(self, told: Iterable[dict[str, Any]]) -> None:
        for event in sorted(told, key=lambda event: int(event["seq"])):
            self._step(event, (event["symbol"], event["stream"]))

    def _step(self, event: dict[str, Any], key: Key) -> None:
        match event["kind"]:
            case "subscribed":
                if key in self._ended and key not in self._gaps:
                    since, until = self._ended[key], event["ts_recv"]
                    text = f"{key[0]} {key[1]}: not subscribed from {since} to {until}, and in no gap"
                    self.flaws.append(Flaw("uncovered", text))
                self._ended.pop(key, None)
                self._live.add(key)
            case "unsubscribed":
                self._end([key], event)
            case "disconnected" | "session_end" | "session_start":
                self._end(list(self._live), event)
            case "gap_start":
                self._gaps.add(key)
            case "gap_end":
                self._gaps.discard(key)

    def _end(self, keys: list[Key], event: dict[str, Any]) -> None:
        for key in keys:
            self._live.discard(key)
            self._ended[key] = event["ts_recv"]


def _others(root: Path, verdict: Verdict, progress: Callable[[int], None]) -> list[Flaw]:
    """The tables without numbers: they must read."""
    flaws = []
    for table in sorted(set(schema.TABLES) - set(schema.SEQUENCED)):
        for path in sorted((root / table).glob("date=*/*.parquet")):
            try:
                for _ in _batches(path):
                    pass
            except (OSError, pa.ArrowInvalid) as error:
                flaws.append(Flaw("unreadable", f"{path}: {error}"))
            verdict.files += 1
            progress(path.stat().st_size if path.exists() else 0)
    return flaws


def _set_aside(root: Path) -> list[Flaw]:
    aside = sorted((root / "journal" / "set-aside").glob("*"))
    return [Flaw("damaged", f"{path}: holds bytes that could not be read") for path in aside]
