"""The clock is set back an hour under a running recorder: it goes on flushing, and systemd goes on hearing of it.

``python tests/ops/test_ops_clock.py CONFIG`` runs a recorder of whose time an hour is taken after a second.
"""

import asyncio
import datetime as dt
import os
import signal
import socket
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from apscheduler.schedulers import base
from daemon import ended, segments, write_config
from scripted import scripted

from recorder.daemon import run as daemon
from recorder.journal import writer
from recorder.wire.layouts import TICK_PRICE

HOUR = 3600
REAL = dt.datetime


class Believed(REAL):
    """The time of day, an hour less from some moment on."""

    back = 0.0

    @classmethod
    def now(cls, tz=None):
        return REAL.now(tz) - dt.timedelta(seconds=cls.back)


def set_back(_signal, _frame):
    Believed.back = HOUR


async def one_price(conversation, req, _fields):
    conversation.send(TICK_PRICE.encode(req, {"tick_type": 1, "price": 1.5, "size": 1, "attribs": 0}))


def test_a_clock_that_is_set_back_stops_neither_the_flush_nor_the_signs_of_life(tmp_path):
    heard, address = [], str(tmp_path / "notify")

    async def story():
        link = links.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        link.bind(address)
        link.setblocking(False)
        asyncio.get_running_loop().add_reader(link, lambda: heard.append((time.monotonic(), link.recv(4096))))
        systemd = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1500000"}
        imports = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)} | systemd
        async with scripted(one_price) as gateway:
            config = write_config(tmp_path, gateway.port, "{type: stock, symbol: AAPL}", flush=1)
            command = [sys.executable, __file__, str(config)]
            async with ended(await asyncio.create_subprocess_exec(*command, env=imports)):
                await asyncio.sleep(6)
                return time.monotonic(), len(segments(tmp_path / "data"))

    with ExitStack() as links:
        until, waiting = asyncio.run(story())
    beats = [at for at, said in heard if b"WATCHDOG=1" in said and at < until]
    assert max(b - a for a, b in zip(beats, [*beats[1:], until], strict=True)) < 1.5
    assert waiting <= 1
    assert list((tmp_path / "data" / "level1").glob("date=*/*.parquet"))


if __name__ == "__main__":
    real = writer.now
    base.datetime = daemon.datetime = Believed
    daemon.now = lambda: real() - round(Believed.back * 1_000_000)
    signal.signal(signal.SIGALRM, set_back)
    signal.setitimer(signal.ITIMER_REAL, 2)
    daemon.run(Path(sys.argv[1]))
