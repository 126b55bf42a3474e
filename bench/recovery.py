"""How fast a journal that was left behind becomes Parquet: `python -m recorder.render`, its start included."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench import day, recording
from bench.market import Pool
from bench.processes import FailedRunError
from recorder.daemon.workers import WORKER
from recorder.journal import folder

_NEVER = 10**15
"""Segments are as large as they become."""


def measure(pool: Pool) -> tuple[float, float]:
    """Megabytes of journal and rows a second."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "data"
        day.journal(root, pool, flush=_NEVER)
        size = sum(path.stat().st_size for path in folder.segments(root))
        began = time.perf_counter()
        run = subprocess.run(
            [sys.executable, "-m", "recorder.render", root],
            env=os.environ | WORKER,
            stdout=subprocess.DEVNULL,
            check=False,
        )
        seconds = time.perf_counter() - began
        if run.returncode:
            raise FailedRunError("the renderer failed")
        return size / 1e6 / seconds, recording.rows(root) / seconds
