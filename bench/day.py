"""Bytes a tick on disk: a market day, as the renderer publishes it and as it is once compacted.

The day is journalled with its own clock: each event is a read of its own at a random moment of six and a half
hours, because the times are a good part of the bytes, and a fast stream would give thousands of rows the same.
"""

import random
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from bench import recording
from bench.market import FIRST_REQ, SLOTS, SYMBOLS, Pool
from recorder.journal import folder
from recorder.journal.writer import SEGMENT_BYTES, Journal
from recorder.render import publish, recover

_OPEN = 1_795_012_200_000_000
_SECONDS = 6.5 * 3600
_FLUSH = 300_000_000


@dataclass(frozen=True, slots=True)
class Size:
    """Bytes a row of level 1: as published, and as one file sorted by symbol and number."""

    rows: int
    published: float
    compacted: float


def measure(root: Path, pool: Pool) -> Size:
    journal(root, pool)
    for _ in recover(root):
        pass
    return sizes(root, recording.files(root, "level1"))


def sizes(root: Path, files: list[Path]) -> Size:
    """What the files take, and what they would as one."""
    table = pa.concat_tables([pq.ParquetFile(file).read() for file in files])
    whole = root / "staging" / "level1.parquet"
    publish.write(whole, table.sort_by([("symbol", "ascending"), ("seq", "ascending")]), "level1")
    size = sum(file.stat().st_size for file in files)
    return Size(len(table), size / len(table), whole.stat().st_size / len(table))


def journal(root: Path, pool: Pool, flush: int = _FLUSH) -> None:
    """A market day, journalled; a segment is sealed every ``flush`` microseconds, or when it is full."""
    moment = _OPEN
    written = Journal(root, folder.create(root), fsync_seconds=3600, clock=lambda: moment)
    for slot, (stream, symbol) in enumerate(SLOTS):
        asked = {"kind": "subscribed", "symbol": symbol, "stream": stream, "req": FIRST_REQ + slot}
        written.control(asked | {"con_id": 1000 + SYMBOLS.index(symbol)})
    data = pool.addressed(list(range(FIRST_REQ, FIRST_REQ + len(SLOTS))))
    ends = [0, *pool.ends.tolist()]
    events = [*pool.events.tolist(), len(pool.ends)]
    rng, sealed = random.Random(1), moment
    for first, behind in pairwise(events):
        moment += int(rng.expovariate(len(events) / _SECONDS) * 1e6)
        written.read(data[ends[first] : ends[behind]], moment, 0)
        written.count(behind - first)
        if written.size > SEGMENT_BYTES or moment - sealed > flush:
            written.roll(b"")
            sealed = moment
    written.close()
