"""The recorder of the night, as a process: ``python -m night.driver CONFIG LATENESS``.

Everything is as in ``run``, but faster.

``LATENESS`` grows by one JSON line a second: pid, time, median and worst lateness of the event loop in seconds.
"""

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from statistics import median

from ib_async import Client
from night.fast import FAST

from recorder.config import load
from recorder.daemon import logs
from recorder.daemon.run import record
from recorder.session.timing import Timing

_SLEEP = 0.05


async def _lateness(path: Path) -> None:
    late: list[float] = []
    with path.open("a", buffering=1) as file:
        while True:
            due = time.monotonic() + _SLEEP
            await asyncio.sleep(_SLEEP)
            late.append(time.monotonic() - due)
            if len(late) * _SLEEP >= 1:
                line = {"pid": os.getpid(), "at": time.time(), "median": median(late), "worst": max(late)}
                file.write(json.dumps(line) + "\n")
                late.clear()


async def _night(config: Path, lateness: Path) -> None:
    measuring = asyncio.create_task(_lateness(lateness))
    try:
        await record(load(config), source=config, timing=Timing(**FAST))
    finally:
        measuring.cancel()


if __name__ == "__main__":
    Client.MaxRequests = 0  # ib_async has a pace of its own, that of a real night
    logs.configure()
    asyncio.run(_night(Path(sys.argv[1]), Path(sys.argv[2])))
