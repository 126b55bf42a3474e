"""The night's work is done, however late its hour is noticed.

``python tests/ops/test_ops_nightly.py CONFIG MINUTES`` runs a recorder whose scheduler believes that it is three
seconds to one, and then, while the loop stands still, that it is three; so long after its start it catches up.
"""

import asyncio
import datetime as dt
import os
import signal
import sys
import time
from pathlib import Path

import pytest
from apscheduler.schedulers import base
from daemon import ended, until, write_config
from faults.scenes import published, scattered

from recorder.daemon import run as daemon

REAL = dt.datetime
BEGUN = REAL.now(dt.UTC)
NEARLY = BEGUN.replace(hour=0, minute=59, second=57)


class Believed(REAL):
    """The time of day as the scheduler is told it."""

    shift = NEARLY - BEGUN

    @classmethod
    def now(cls, tz=None):
        return REAL.now(tz) + cls.shift


def stand_still(_signal, _frame):
    time.sleep(0.5)
    Believed.shift += dt.timedelta(hours=2)


def files(root):
    return len(list((root / "level1").glob("date=*/*.parquet")))


async def recorder(folder, at, catch_up):
    config = write_config(folder, 1, "{type: stock, symbol: AAPL}", flush=1)
    config.write_text(config.read_text().replace("storage: {", f'storage: {{compact_at: "{at}", '))
    return await asyncio.create_subprocess_exec(
        *(sys.executable, __file__, str(config), str(catch_up)),
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stderr=asyncio.subprocess.PIPE,
    )


@pytest.mark.parametrize(
    ("at", "catch_up", "is_done"), [("01:00", 1000, True), ("13:00", 1000, False), ("13:00", 10, True)]
)
def test_the_hour_may_pass_while_the_recorder_is_busy_and_no_other_hour_counts(
    tmp_path, at, catch_up, is_done
):
    root = published(tmp_path / "data", scattered())
    pieces = files(root)

    async def story():
        async with ended(await recorder(tmp_path, at, catch_up)):
            await (until(lambda: files(root) == 1) if is_done else asyncio.sleep(6))

    asyncio.run(story())
    assert pieces > 1
    assert files(root) == (1 if is_done else pieces)


def workers(process):
    """What the children of a process are doing."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [Path(f"/proc/{child}/cmdline").read_bytes() for child in children]


def test_a_stop_during_the_nights_work_is_no_fault(tmp_path):
    published(tmp_path / "data", scattered())

    async def story():
        process = await recorder(tmp_path, "01:00", 1000)
        await until(lambda: any(b"recorder.store" in words for words in workers(process)))
        process.terminate()
        _, errors = await process.communicate()
        return process.returncode, errors.decode()

    code, errors = asyncio.run(story())
    assert (code, "Traceback" in errors) == (0, False), errors


if __name__ == "__main__":
    base.datetime = daemon.datetime = Believed
    daemon._BEAT_SECONDS = 0.5
    signal.signal(signal.SIGALRM, stand_still)
    signal.setitimer(signal.ITIMER_REAL, 2)
    daemon._CATCH_UP = dt.timedelta(minutes=int(sys.argv[2]))
    daemon.run(Path(sys.argv[1]))
