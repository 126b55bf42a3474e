"""Bytes a tick on disk: the simulated gateway's market at 20,000 messages a second, as `ib-recorder simulate` sends it.

Its times are those of a busy stream, many messages to a read; `bench.day` is the harder case.
"""

import signal
import tempfile
import time
from pathlib import Path

from bench import recording
from bench.day import Size, sizes
from bench.processes import FailedRunError, listener

LINES = 100
RATE = 200
_LINES = "\n".join(f"  - {{type: stock, symbol: SIM{number:03d}}}" for number in range(1, LINES + 1))


def measure(seconds: float) -> Size:
    """Record for so long; bytes a row of level 1 as published, and sorted into one file."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with listener("-m", "recorder", "simulate", "--port", "0", "--rate", str(RATE)) as gateway:
            port = gateway.line().split(":")[1].split(";")[0]
            config = folder / "watchlist.yaml"
            config.write_text(
                f"gateway: {{port: {port}}}\nstorage: {{root: data, flush_seconds: 15}}\n"
                f"status: {{listen: null}}\nwatchlist:\n{_LINES}\n"
            )
            with listener("-m", "recorder", "run", config) as running:
                time.sleep(seconds)
                running.send(signal.SIGTERM)
                running.end()
            gateway.send(signal.SIGKILL)
            gateway.end()
        files = recording.files(folder / "data", "level1")
        if recording.rows_of(files) < seconds * LINES * RATE / 4:
            raise FailedRunError(f"only {recording.rows_of(files)} rows in {seconds} s")
        return sizes(folder / "data", files)
