"""The rows of the table, one function a question."""

import statistics
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench import compaction, costs, day, kills, recording, recovery, rival, simulated, steady
from bench.market import Pool
from bench.report import Row
from bench.scale import Scale


def processor(market: Path, scale: Scale) -> Iterator[Row]:
    """What a message costs, as fast as the socket goes, and twenty at a time."""
    pairs = [
        (costs.of_recorder(market, scale.ours), costs.of_ib_async(market, scale.theirs))
        for _ in range(scale.rounds)
    ]
    ours, theirs = (statistics.median(cost.total for cost in side) for side in zip(*pairs, strict=True))
    ratio = statistics.median(b.total / a.total for a, b in pairs)
    yield Row("processor a message, socket to Parquet", ours, "ns", f"ib_async decoding: {theirs:,.0f} ns")
    yield Row("  times less than ib_async's decoding", ratio, "x", goal=4, at_least=True)
    reading = statistics.median(cost.reading for cost, _ in pairs)
    yield Row("  of it: reading, counting and journalling", reading, "ns")
    startup = statistics.median(cost.startup for cost, _ in pairs)
    beside = statistics.median(cost.startup for _, cost in pairs)
    yield Row("  before it: starting and subscribing", startup, "s", f"ib_async: {beside:.2f} s")
    rate = statistics.median(scale.ours / cost.seconds for cost, _ in pairs)
    yield Row("messages a second by the clock, until all is Parquet", rate, "/s")
    yield from _paced(market, scale)


def _paced(market: Path, scale: Scale) -> Iterator[Row]:
    """Both at once: the same pace, the same noise."""
    messages = int(steady.RATE * scale.paced_seconds)
    runs = (costs.of_recorder, costs.of_ib_async)
    with ThreadPoolExecutor() as pool:
        rounds = [
            [run.result() for run in [pool.submit(of, market, messages, steady.RATE) for of in runs]]
            for _ in range(scale.rounds)
        ]
    ours, theirs = (statistics.median(cost.reading for cost in side) for side in zip(*rounds, strict=True))
    ratio = statistics.median(b.reading / a.reading for a, b in rounds)
    yield Row(
        "processor a message, 20 a read: until read", ours, "ns", f"ib_async decoding: {theirs:,.0f} ns"
    )
    yield Row("  times less than ib_async's decoding", ratio, "x")


def loop_and_memory(market: Path, seconds: float) -> Iterator[Row]:
    """How late the loop is and what memory it takes at 20,000 messages a second."""
    run = steady.measure(market, seconds)
    late, idle = run.loop, run.idle
    name = f"event loop late at {steady.RATE:,}/s, {run.flushes} flushes in {run.seconds:.0f} s"
    yield Row(f"{name}: p50", late.p50, "ms", f"idle loop: {idle.p50:.2f} ms")
    yield Row("  p99", late.p99, "ms", f"idle loop: {idle.p99:.2f} ms", goal=5)
    yield Row("  worst", late.worst, "ms", f"idle loop: {idle.worst:.1f} ms", goal=50)
    yield Row("memory of recorder and renderer, peak", run.peak, "MB", goal=250)
    yield Row("  growth of the recorder's", run.slope, "MB/min")
    yield Row("bytes a row of that, as published", run.on_disk, "B")


def disk(market: Path, scale: Scale) -> Iterator[Row]:
    """Bytes a row: of the simulated gateway's market, and of a day whose every event has a time of its own."""
    found = simulated.measure(scale.simulated_seconds)
    pace = simulated.LINES * simulated.RATE
    yield Row(f"bytes a row, simulated market at {pace:,}/s: as published", found.published, "B")
    yield Row("  sorted into one file", found.compacted, "B", goal=5)
    with tempfile.TemporaryDirectory() as root:
        found = day.measure(Path(root) / "data", Pool.load(market))
    yield Row(f"bytes a row, a day of {found.rows:,}: files of 5 min", found.published, "B")
    yield Row("  sorted into one file: its times alone take 2 B", found.compacted, "B")


def recovered(market: Path, scale: Scale) -> Iterator[Row]:
    """What a crash costs at the next start."""
    found = [recovery.measure(Pool.load(market)) for _ in range(scale.rounds)]
    speed, rows = (statistics.median(side) for side in zip(*found, strict=True))
    yield Row("recovery of a journal left behind", speed, "MB/s", f"{rows:,.0f} rows/s")


def compacted(market: Path, scale: Scale) -> Iterator[Row]:
    """What a day takes to become one file, and what a query gains by it."""
    yield from compaction.measure(Pool.load(market), scale.days, scale.asked)


def obvious(market: Path, scale: Scale) -> Iterator[Row]:
    """The recorder that everyone writes first."""
    with tempfile.TemporaryDirectory() as name:
        cost = costs.of_obvious(market, scale.theirs, Path(name), scale.flush_seconds)
        kept = recording.rows_of(list(Path(name).glob("*.parquet")))
    yield Row("ib_async, dicts, pandas: messages a second", scale.theirs / cost.seconds, "/s")
    yield Row("  processor a message", cost.total, "ns")
    yield Row("  rows kept of the messages sent", 100 * kept / scale.theirs, "%")


def killed(market: Path, scale: Scale, nautilus: str | None) -> Iterator[Row]:
    """What kill -9 costs each, and what a row takes on disk; all at once, as each has its own stream."""
    seconds, flush = scale.kill_seconds, scale.flush_seconds
    with ThreadPoolExecutor() as pool:
        ours = pool.submit(kills.recorder, market, seconds, flush)
        others = {"dicts and pandas": pool.submit(kills.obvious, market, seconds, flush)}
        if nautilus:
            others["nautilus_trader"] = pool.submit(rival.kill, nautilus, kills.RATE, seconds)
    left, beside = ours.result(), {name: run.result() for name, run in others.items()}
    lost = "; ".join(f"{name}: {one.lost:,} of {one.sent:,}" for name, one in beside.items())
    name = f"unreadable after kill -9 at {kills.RATE:,}/s, those in the socket included"
    yield Row(name, left.lost, f"of {left.sent:,}", lost)
    sizes = "; ".join(f"{name}: {one.row:.1f} B" for name, one in beside.items())
    yield Row(f"  bytes a row of what was left, written every {flush:g} s", left.row, "B", sizes)


def nautilus(python: str | None, scale: Scale) -> Iterator[Row]:
    """nautilus_trader's writer, where there is one."""
    if python is None:
        yield Row("nautilus_trader: not installed", None, "", "--nautilus PYTHON: one that has it")
        return
    run = rival.fill(python, scale.nautilus)
    yield Row("nautilus_trader's writer alone: objects a second", scale.nautilus / run.seconds, "/s")
    yield Row("  processor an object", run.processor / scale.nautilus * 1e9, "ns")


def _left(left: kills.Left) -> str:
    return f"{left.lost:,} of {left.sent:,}"
