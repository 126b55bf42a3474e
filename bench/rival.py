"""nautilus_trader's recorder under the same questions; see ``nautilus.py`` for what it is given."""

import importlib.util
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from bench.kills import Left
from bench.processes import program

_WRITER = Path(__file__).with_name("nautilus.py")


@dataclass(frozen=True, slots=True)
class Filled:
    """What writing took: seconds by the clock, seconds of processor."""

    seconds: float
    processor: float


def here() -> str | None:
    """This Python, if it has nautilus_trader."""
    return sys.executable if importlib.util.find_spec("nautilus_trader") else None


def fill(python: str, count: int) -> Filled:
    """Write ``count`` objects as fast as it goes."""
    with tempfile.TemporaryDirectory() as name:
        with program(python, _WRITER, name, count, 0) as running:
            running.end()
        seconds, processor = running.said.split()[-2:]
        return Filled(float(seconds), float(processor))


def kill(python: str, rate: int, seconds: float) -> Left:
    """Kill it ``seconds`` into a stream of ``rate`` objects a second."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with program(python, _WRITER, folder, int(rate * seconds * 2), rate) as running:
            while not _given(folder):
                time.sleep(0.1)
            time.sleep(seconds)
            running.send(signal.SIGKILL)
            running.end()
        files = list(folder.rglob("*.feather"))
        return Left(_given(folder), sum(map(_readable, files)), sum(file.stat().st_size for file in files))


def _given(folder: Path) -> int:
    path = folder / "given"
    return int(np.fromfile(path, np.int64)[0]) if path.exists() and path.stat().st_size else 0


def _readable(file: Path) -> int:
    """Rows of an Arrow stream up to where it is torn."""
    rows = 0
    try:
        with pa.ipc.open_stream(pa.memory_map(str(file))) as stream:
            for batch in stream:
                rows += batch.num_rows
    except (pa.ArrowInvalid, OSError):
        return rows
    return rows
