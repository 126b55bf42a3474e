"""Processor time a message: from the socket to durable Parquet, against ib_async's decoding of the same bytes.

The recorder's time is that of all its processes from the first byte of the stream to the end of the last one; a run
counts only if every message became a row. ib_async's is that of a process that subscribes to the same streams of
the same sender, reads to the end and keeps nothing.
"""

import signal
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench import recording
from bench.processes import FailedRunError, Sender, listener, sender

FLUSH_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one run: nanoseconds of processor time a message, and seconds.

    Attributes:
        total: from the first byte to the end of the process.
        reading: until the last byte was read.
        seconds: by the clock, from the first byte to the end of the process.
        startup: processor seconds before the first byte.
    """

    total: float
    reading: float
    seconds: float
    startup: float


def of_recorder(pool: Path, messages: int, rate: float = 0) -> Cost:
    with tempfile.TemporaryDirectory() as folder, sender(pool, messages, rate) as source:
        config = recording.config(Path(folder), source.port, FLUSH_SECONDS)
        cost = _cost(source, messages, "-m", "recorder", "run", config)
        written = recording.rows(Path(folder) / "data")
        if written != messages:
            raise FailedRunError(f"{messages} messages were sent, {written} are in Parquet")
        return cost


def of_ib_async(pool: Path, messages: int, rate: float = 0) -> Cost:
    with sender(pool, messages, rate) as source:
        return _cost(source, messages, "-m", "bench.plain", "decode", source.port)


def of_obvious(pool: Path, messages: int, folder: Path, seconds: float) -> Cost:
    with sender(pool, messages) as source:
        return _cost(source, messages, "-m", "bench.plain", "record", source.port, folder, seconds)


def _cost(source: Sender, messages: int, *command: object) -> Cost:
    with listener(*command) as running:
        source.wait("subscribed")
        startup = running.cpu_seconds()
        began = source.go()
        source.wait("sent")
        source.wait("read")
        reading = running.cpu_seconds() - startup
        running.send(signal.SIGTERM)
        total = running.end() - startup
        return Cost(total / messages * 1e9, reading / messages * 1e9, running.ended - began, startup)
