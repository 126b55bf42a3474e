"""The status page of the running recorder, over real sockets: what it tells, and that nobody can hurt with it."""

import asyncio
import json
import re
import sys
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from daemon import recording, table, write_config
from scripted import scripted

from recorder.daemon import http
from recorder.daemon.health import Health, span, trouble
from recorder.daemon.http import RefusedError, Response, Server, path
from recorder.daemon.status import NotLoopbackError, addresses
from recorder.session.status import Status
from recorder.session.windows import window
from recorder.wire.layouts import TICK_PRICE, frame

AAPL, NOSUB = "{type: stock, symbol: AAPL}", "{type: stock, symbol: NOSUB}"
SAID = "not <b>subscribed</b> & \x1b[31mred"
IMPATIENT = Path(__file__).with_name("impatient.py")


async def free_port() -> int:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    server.close()
    return server.sockets[0].getsockname()[1] if server.sockets else _port_of(server)


def _port_of(_):
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def shown_at(port: int, folder: Path, gateway: int, *lines: str) -> Path:
    config = write_config(folder, gateway, *lines)
    config.write_text(config.read_text().replace("{listen: null}", f'{{listen: "127.0.0.1:{port}"}}'))
    return config
