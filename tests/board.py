"""The recorder with its status page, as a process, and whoever asks it.

``python tests/board.py CONFIG`` runs it as ``ib-recorder run CONFIG`` does, but for a page whose patience is short.
"""

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from daemon import write_config

from recorder.daemon import health, http, logs, status
from recorder.daemon.run import run

PATIENCE_SECONDS = AGAIN_SECONDS = MOST_SECONDS = 1.0


BAD = {
    b"POST /status.json HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc": 405,
    b"GET /status.json\r\n\r\n": 400,
    b"GET http://elsewhere/ HTTP/1.1\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\n folded: 1\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n": 421,
    b"GET / HTTP/1.1\r\nX: " + b"x" * 10_000: 431,
    b"\x16\x03\x01\x02\x00\x01" + bytes(range(256)) + b"\r\n\r\n": 400,
}
"""What is no plain GET, and what is answered."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def write_shown(folder: Path, gateway: int, *lines: str, listen: str) -> Path:
    """A config whose status page is at ``listen``."""
    config = write_config(folder, gateway, *lines)
    config.write_text(config.read_text().replace("{listen: null}", f'{{listen: "{listen}"}}'))
    return config


@asynccontextmanager
async def impatient(config: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, list[str]]]:
    """The daemon while the block runs, with a page of little patience; what it logs, line by line."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, __file__, str(config), stderr=asyncio.subprocess.PIPE
    )
    said: list[str] = []

    async def listen() -> None:
        while line := await process.stderr.readline():
            said.append(line.decode())

    listening = asyncio.create_task(listen())
    try:
        yield process, said
        if process.returncode is None:
            process.terminate()
        assert await asyncio.wait_for(process.wait(), 30) == 0, said
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await listening


async def exchange(port: int, request: bytes, *, host: str = "127.0.0.1") -> bytes:
    """What comes back for these bytes until the connection ends."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(request)
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()


async def get(port: int, path: str) -> tuple[int, str]:
    """Status and body."""
    head, _, body = (
        await exchange(port, f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    ).partition(b"\r\n\r\n")
    return int(head.split()[1]), body.decode()


async def told(port: int, wanted, seconds: float = 20.0) -> dict:
    """``status.json``, as soon as it is as ``wanted``."""
    found = None
    for _ in range(int(seconds / 0.1)):
        try:
            found = json.loads((await get(port, "/status.json"))[1])
            if wanted(found):
                return found
        except (OSError, IndexError):
            pass
        await asyncio.sleep(0.1)
    raise AssertionError(f"it did not come to that: {found}")


if __name__ == "__main__":
    health.PATIENCE_SECONDS = PATIENCE_SECONDS
    status.AGAIN_SECONDS = AGAIN_SECONDS
    http.MOST_SECONDS = MOST_SECONDS
    logs.configure()
    run(Path(sys.argv[1]))
