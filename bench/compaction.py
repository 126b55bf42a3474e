"""A day compacted: how fast, in what memory, what a query takes before and after, and against the naive layout.

Rules:
- The day's files are made as the renderer makes them; only their rows are a market's that is repeated.
- A figure is taken in a process of its own; its memory is the most it ever held.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench.market import FIRST_REQ, SLOTS, SYMBOLS, Pool
from bench.processes import FailedRunError
from bench.recording import files
from bench.report import Row
from recorder import schema
from recorder.journal import folder
from recorder.journal.format import SEGMENT_MAGIC, Record, dump, header, preamble
from recorder.journal.state import State
from recorder.render.publish import Partition, publish
from recorder.render.tables import render
from recorder.wire.layouts import frame

FILES = 288
"""Files of a day: one every five minutes."""

_DAY = date(2025, 3, 3)
_MIDNIGHT = 1_740_960_000_000_000
_OPEN, _SECONDS = 14.5 * 3600, 6.5 * 3600
_A_READ = 1000
_RUNS = 5
SYMBOL, HOUR = "S007", ("2025-03-03 16:00", "2025-03-03 17:00")
"""What is asked for: a symbol among the busier ones, an hour in the midst of the session."""


@dataclass(frozen=True, slots=True)
class Compaction:
    """What compacting a day took: rows, seconds, the processor's seconds, MB at most; bytes a row of what came out."""

    rows: int
    seconds: float
    processor: float
    peak: float
    row: float


def measure(pool: Pool, sizes: tuple[int, int], asked: int) -> Iterator[Row]:
    """Days of two sizes compacted; then queries of one of ``asked`` rows, by layout and reader."""
    market = ticks(pool)
    with tempfile.TemporaryDirectory(prefix="compaction-") as name:
        for size in sizes:
            root = Path(name) / str(size)
            write_day(root, market, size)
            yield from _compacted(compact(root), size == max(sizes))
            shutil.rmtree(root)
        yield from _asked_of(Path(name), market, asked)


def _compacted(done: Compaction, is_largest: bool) -> Iterator[Row]:
    name = f"compacting a day of {done.rows / 1e6:g} M rows in {FILES} files"
    rate, goal = done.rows / done.processor, 1_500_000 if is_largest else None
    yield Row(name, rate, "rows/s of one core", f"{done.seconds:.1f} s by the clock", goal, at_least=True)
    yield Row("  memory, peak", done.peak, "MB", goal=400)
    if is_largest:
        yield Row("  bytes a row of the one file", done.row, "B")


def _asked_of(folder: Path, market: pa.Table, size: int) -> Iterator[Row]:
    root, naive = folder / "data", folder / SYMBOL
    write_day(root, market, size)
    write_naive(root, naive)
    beside, before = ask(naive), ask(root / "level1")
    compact(root)
    after = ask(root / "level1")
    if not {rows for rows, _ in beside.values()} == {
        rows for one in (before, after) for rows, _ in one.values()
    }:
        raise FailedRunError(f"one symbol's hour has different rows: {beside}, {before}, {after}")
    for reader in READERS:
        name = f"a symbol's hour of {size / 1e6:g} M rows in {reader}, compacted"
        others = f"in {FILES} files: {before[reader][1]:.1f} ms; a file a minute and symbol: {beside[reader][1]:.1f} ms"
        yield Row(name, after[reader][1], "ms", others)


def ticks(pool: Pool) -> pa.Table:
    """The level-1 rows of a market, rendered as the recorder does."""
    start = preamble()
    salt = start[len(SEGMENT_MAGIC) :]
    records = [*_asked(), *_reads(pool)]
    segment = start + b"".join(header(salt, record) + record.payload for record in records)
    return render(segment).tables["level1"]


def _asked() -> Iterator[Record]:
    yield Record("S", _MIDNIGHT, 1, dump(State().snapshot()))
    yield Record("C", _MIDNIGHT, 1, dump({"kind": "opened", "row": False}))
    yield Record("R", _MIDNIGHT, 1, frame("178", "20250303 00:00:00 UTC"))
    for slot, (stream, symbol) in enumerate(SLOTS):
        asked = {"kind": "subscribed", "symbol": symbol, "stream": stream, "req": FIRST_REQ + slot}
        yield Record("C", _MIDNIGHT, 1 + slot, dump(asked | {"con_id": 1000 + SYMBOLS.index(symbol)}))


def _reads(pool: Pool) -> Iterator[Record]:
    data = pool.addressed(list(range(FIRST_REQ, FIRST_REQ + len(SLOTS))))
    edges = [*range(0, len(pool.ends), _A_READ), len(pool.ends)]
    ends = [0, *pool.ends.tolist()]
    for first, behind in pairwise(edges):
        yield Record("R", _MIDNIGHT, len(SLOTS) + 1 + first, data[ends[first] : ends[behind]])


def write_day(root: Path, market: pa.Table, rows: int, count: int = FILES) -> None:
    """A recording with one day of ``rows`` rows of level 1 in ``count`` files."""
    checkpoint = folder.create(root)
    rng, each = np.random.default_rng(1), rows // count
    for number in range(count):
        part = _stretch(market, number * each, each, count * each, rng)
        first = number * each + 1
        publish(root, Partition("level1", _DAY, first, first + each - 1, part))
    checkpoint.next_seq = count * each + 1
    folder.save(root, checkpoint)


def _stretch(market: pa.Table, done: int, rows: int, of: int, rng: np.random.Generator) -> pa.Table:
    """The market's next rows, begun again where it ends, with numbers and times of their own."""
    places = (done + np.arange(rows)) % len(market)
    share = _SECONDS * 1e6 / of
    times = _MIDNIGHT + _OPEN * 1e6 + share * (done + np.sort(rng.uniform(0, rows, rows)))
    own = {
        "seq": pa.array(done + 1 + np.arange(rows)),
        "ts_recv": pa.array(times.astype(np.int64)).cast(schema.TIME),
    }
    part = market.take(pa.array(places)).combine_chunks()
    for name, column in own.items():
        part = part.set_column(part.column_names.index(name), name, column)
    return part


_COMPACT = """
import re, resource, sys
from pathlib import Path
from recorder.store.__main__ import main
failed = main()
used = resource.getrusage(resource.RUSAGE_SELF)
print(used.ru_utime + used.ru_stime)
print(re.search("VmHWM:[^0-9]*([0-9]+) kB", Path("/proc/self/status").read_text())[1])
sys.exit(failed)
"""
"""The nightly process, and what it took; ``ru_maxrss`` of a child may be its parent's."""


def compact(root: Path) -> Compaction:
    """Compact a recording of one day as it is done every night.

    Raises:
        FailedRunError: it was not compacted.
    """
    words = [sys.executable, "-c", _COMPACT, str(root)]
    run = subprocess.run(words, capture_output=True, text=True, check=False)
    if run.returncode or len(run.stdout.splitlines()) != 3:
        raise FailedRunError(
            f"the compaction of {root} ended with {run.returncode}: {run.stdout}{run.stderr}"
        )
    line, processor, peak = run.stdout.splitlines()
    done = json.loads(line)
    row = done["bytes"] / done["rows"]
    return Compaction(done["rows"], done["seconds"], float(processor), int(peak) * 1024 / 1e6, row)


def write_naive(root: Path, naive: Path) -> None:
    """A recording's rows of the symbol that is asked for as a file a minute, with pandas' defaults."""
    own = pq.read_table(
        files(root, "level1"), columns=_COLUMNS, filters=[("symbol", "==", SYMBOL)]
    ).to_pandas()
    naive.mkdir()
    for minute, rows in own.groupby(own["ts_recv"].dt.floor("min")):
        rows.to_parquet(naive / f"{minute:%H%M}.parquet")


_COLUMNS = [column.name for column in schema.TABLES["level1"]]

_ASK = f"""
import statistics, sys, time
from datetime import datetime, timezone
path, name = sys.argv[1:]
start, end = (datetime.fromisoformat(text).replace(tzinfo=timezone.utc) for text in {HOUR!r})
def pandas():
    import pandas as pd
    among = [("symbol", "==", {SYMBOL!r}), ("ts_recv", ">=", start), ("ts_recv", "<", end)]
    return len(pd.read_parquet(path, filters=among))
def polars():
    import polars as pl
    among = (pl.col("symbol") == {SYMBOL!r}) & (pl.col("ts_recv") >= start) & (pl.col("ts_recv") < end)
    return len(pl.scan_parquet(path + "/**/*.parquet").filter(among).collect())
def duckdb():
    import duckdb
    among = f"symbol = '{SYMBOL}' and ts_recv >= '{{start}}' and ts_recv < '{{end}}'"
    return len(duckdb.sql(f"select * from '{{path}}/**/*.parquet' where {{among}}").fetchnumpy()["seq"])
ask = globals()[name]
rows, took = ask(), []
for _ in range({_RUNS}):
    began = time.perf_counter()
    assert ask() == rows
    took.append(time.perf_counter() - began)
print(rows, statistics.median(took))
"""

READERS = ("pandas", "polars", "duckdb")


def ask(path: Path) -> dict[str, tuple[int, float]]:
    """One symbol's hour by each reader: rows, and milliseconds of the median run when all is warm."""
    found = {}
    for reader in READERS:
        words = [sys.executable, "-c", _ASK, str(path), reader]
        rows, seconds = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
        found[reader] = int(rows), float(seconds) * 1000
    return found
