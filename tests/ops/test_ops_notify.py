"""What systemd hears of `ib-recorder run`, over a real datagram socket from a real process."""

import asyncio
import os
import signal
import socket
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

BEAT_SECONDS = 0.2


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Heard:
    """systemd's end of the socket."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)

    async def next(self, seconds: float = 20.0) -> list[str]:
        receiving = asyncio.get_running_loop().sock_recv(self._socket, 4096)
        return (await asyncio.wait_for(receiving, seconds)).decode().split("\n")

    async def until(self, word: str) -> list[str]:
        while word not in (lines := await self.next()):
            pass
        return lines

    async def silent(self, seconds: float) -> bool:
        try:
            await self.next(seconds)
        except TimeoutError:
            return True
        return False

    def drain(self) -> None:
        try:
            while self._socket.recv(4096):
                pass
        except BlockingIOError:
            return

    def close(self) -> None:
        self._socket.close()


@asynccontextmanager
async def recorder(folder: Path, address: str):
    """A recorder whose gateway is not there, and what systemd hears of it."""
    config = folder / "watchlist.yaml"
    config.write_text(
        f"gateway: {{port: {free_port()}}}\nstorage: {{root: data}}\nstatus: {{listen: null}}\n"
        "watchlist: [{type: stock, symbol: AAPL}]\n"
    )
    heard = Heard(address)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "recorder", "run", str(config)),
        env=os.environ | {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": str(int(BEAT_SECONDS * 3e6))},
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process, heard
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        heard.close()


@pytest.fixture(params=["path", "abstract"])
def address(request, tmp_path):
    return str(tmp_path / "notify") if request.param == "path" else f"@ib-recorder-test-{os.getpid()}"


def test_systemd_hears_of_readiness_life_and_the_end(tmp_path, address):
    async def story():
        async with recorder(tmp_path, address) as (process, heard):
            first = await heard.next()
            alive = await heard.until("WATCHDOG=1")
            process.send_signal(signal.SIGTERM)
            await heard.until("STOPPING=1")
            return first, alive, await asyncio.wait_for(process.wait(), 30)

    first, alive, code = asyncio.run(story())
    assert ["READY=1"] == first
    assert any(line.startswith("STATUS=") and line != "STATUS=" for line in alive)
    assert 0 == code


def test_a_process_that_hangs_is_silent_and_one_that_goes_on_is_heard_again(tmp_path):
    async def story():
        async with recorder(tmp_path, str(tmp_path / "notify")) as (process, heard):
            await heard.until("WATCHDOG=1")
            process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(BEAT_SECONDS)
            heard.drain()
            silent = await heard.silent(10 * BEAT_SECONDS)
            process.send_signal(signal.SIGCONT)
            return silent, await heard.until("WATCHDOG=1")

    silent, again = asyncio.run(story())
    assert silent
    assert "WATCHDOG=1" in again


def test_a_systemd_that_cannot_be_reached_costs_nothing(tmp_path):
    async def story():
        async with recorder(tmp_path, str(tmp_path / "notify")) as (process, heard):
            await heard.until("READY=1")
            heard.close()
            (tmp_path / "notify").unlink()
            await asyncio.sleep(3 * BEAT_SECONDS)
            process.send_signal(signal.SIGTERM)
            return await asyncio.wait_for(process.wait(), 30)

    assert 0 == asyncio.run(story())
    assert [] == list((tmp_path / "data" / "journal").glob("*.journal"))


def test_a_systemd_that_does_not_listen_holds_nothing_up(tmp_path):
    queued = int(Path("/proc/sys/net/unix/max_dgram_qlen").read_text())
    if queued > 20:
        pytest.skip(f"the kernel queues {queued} datagrams; filling that takes too long")

    async def story():
        async with recorder(tmp_path, str(tmp_path / "notify")) as (process, heard):
            await heard.until("READY=1")
            await asyncio.sleep((queued + 5) * BEAT_SECONDS)
            process.send_signal(signal.SIGTERM)
            return await asyncio.wait_for(process.wait(), 20)

    assert 0 == asyncio.run(story())
