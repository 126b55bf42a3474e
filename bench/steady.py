"""The recorder under a steady 20,000 messages a second: how late its event loop is, and how much memory it takes.

It flushes every few seconds, so that nothing measured is the calm between two flushes. An idle event loop beside it
shows what the machine itself adds.
"""

import signal
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench import recording
from bench.processes import FailedRunError, Memory, listener, sender

RATE = 20_000
FLUSH_SECONDS = 5
_MEGABYTE = 1e6


@dataclass(frozen=True, slots=True)
class Late:
    """Milliseconds."""

    p50: float
    p99: float
    worst: float


@dataclass(frozen=True, slots=True)
class Steady:
    """What a run showed.

    Attributes:
        loop: lateness of the recorder's event loop; ``idle`` that of a loop with nothing to do, at the same time.
        flushes: how many fell into the run.
        peak: megabytes of the recorder and its renderer together, at most.
        slope: megabytes a minute that the recorder's own process grows by, over the second half.
        on_disk: bytes a row of level 1 as published.
    """

    seconds: float
    loop: Late
    idle: Late
    flushes: int
    peak: float
    slope: float
    on_disk: float


def measure(pool: Path, seconds: float) -> Steady:
    messages = int(RATE * seconds)
    with tempfile.TemporaryDirectory() as name, sender(pool, messages, RATE) as source:
        folder = Path(name)
        config = recording.config(folder, source.port, FLUSH_SECONDS)
        with (
            listener("-m", "bench.lateness", folder / "idle.npy") as idle,
            listener("-m", "bench.lateness", folder / "loop.npy", config) as running,
        ):
            source.wait("subscribed")
            memory = Memory(running)
            memory.start()
            began = source.go()
            ended = source.wait("sent")["at"]
            source.wait("read")
            for process in (running, idle):
                process.send(signal.SIGTERM)
                process.end()
        written = recording.rows(folder / "data")
        if written != messages:
            raise FailedRunError(f"{messages} messages were sent, {written} are in Parquet")
        files = recording.files(folder / "data", "level1")
        return Steady(
            seconds=ended - began,
            loop=_late(folder / "loop.npy", began, ended),
            idle=_late(folder / "idle.npy", began, ended),
            flushes=int((ended - began) // FLUSH_SECONDS),
            peak=max(total for _, _, total in memory.samples) / _MEGABYTE,
            slope=_slope(memory.samples, (began + ended) / 2, ended),
            on_disk=sum(file.stat().st_size for file in files) / recording.rows_of(files),
        )


def _late(path: Path, began: float, ended: float) -> Late:
    due, late = np.load(path).T
    during = 1000 * late[(due >= began) & (due <= ended)]
    return Late(*np.percentile(during, (50, 99, 100)).tolist())


def _slope(samples: list[tuple[float, int, int]], began: float, ended: float) -> float:
    times, own, _ = np.array(samples).T
    during = (times >= began) & (times <= ended)
    return float(np.polyfit(times[during] / 60, own[during] / _MEGABYTE, 1)[0])
