"""What is readable after kill -9 in mid-stream: of the recorder and of the obvious one."""

import signal
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from bench import recording
from bench.processes import Listener, Sender, listener, sender

RATE = 5_000


@dataclass(frozen=True, slots=True)
class Left:
    """Messages sent until the kill, rows that could be read afterwards, and the bytes of their files."""

    sent: int
    readable: int
    bytes: int

    @property
    def lost(self) -> int:
        return self.sent - self.readable

    @property
    def row(self) -> float:
        """Bytes a row."""
        return self.bytes / max(1, self.readable)


def recorder(pool: Path, seconds: float, flush: float) -> Left:
    with tempfile.TemporaryDirectory() as name, sender(pool, int(RATE * seconds * 2), RATE) as source:
        folder = Path(name)
        config = recording.config(folder, source.port, flush)
        with listener("-m", "recorder", "run", config) as running:
            sent = _kill(source, running, seconds)
        readable = recording.recovered(folder / "data")
        return Left(sent, readable, recording.size(folder / "data"))


def obvious(pool: Path, seconds: float, flush: float) -> Left:
    with tempfile.TemporaryDirectory() as name, sender(pool, int(RATE * seconds * 2), RATE) as source:
        with listener("-m", "bench.plain", "record", source.port, name, flush) as running:
            sent = _kill(source, running, seconds)
        files = list(Path(name).glob("*.parquet"))
        return Left(sent, sum(map(_readable, files)), sum(file.stat().st_size for file in files))


def _kill(source: Sender, running: Listener, seconds: float) -> int:
    source.wait("subscribed")
    source.go()
    time.sleep(seconds)
    running.send(signal.SIGKILL)
    running.end()
    return int(source.wait("sent")["messages"])


def _readable(file: Path) -> int:
    try:
        return int(pq.read_table(file).num_rows)
    except pa.ArrowInvalid:
        return 0
