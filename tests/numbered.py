"""A gateway that numbers its ticks and knows, to the byte, what the other end has read of them."""

import asyncio
import itertools
import os
import signal
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeAlias

from scripted import Conversation, Scripted, scripted

from recorder.wire.layouts import TICK_SIZE

_BYTES_SENT, _NOT_SENT = 200, 144
"""Where struct tcp_info (linux/tcp.h) has tcpi_bytes_sent (64 bits) and tcpi_notsent_bytes (32)."""

BURST = 20

Tick: TypeAlias = Callable[[int, int], bytes]
"""The message of a request id and a number."""


def sized(req: int, number: int) -> bytes:
    """The number as a size."""
    return TICK_SIZE.encode(req, {"tick_type": 8, "size": number})


class Numbered:
    """Sends ticks of size 1, 2, 3, ... as long as somebody is subscribed, on and on over all connections.

    Attributes:
        next: the next tick's number.
        ends: of the present connection, the number of each tick and where it ends in the bytes sent.
    """

    def __init__(self, pause: float, tick: Tick) -> None:
        self.next = 1
        self.ends: list[tuple[int, int]] = []
        self._pause = pause
        self._made = tick

    async def subscribed(self, conversation: Conversation, req: int, _fields: list[str]) -> None:
        conversation.ticking = asyncio.ensure_future(self._tick(conversation, req))

    async def _tick(self, conversation: Conversation, req: int) -> None:
        link = conversation.writer.get_extra_info("socket")
        self.ends, sent = [], 0
        await asyncio.sleep(0)
        sent = _queued(conversation, link)
        while not conversation.writer.is_closing():
            burst = b""
            for number in range(self.next, self.next + BURST):
                burst += self._made(req, number)
                self.ends.append((number, sent + len(burst)))
            conversation.send(
                burst
            )  # one read: the fewer there are, the fewer are met between reading and writing
            sent += len(burst)
            self.next += BURST
            await asyncio.sleep(self._pause)


def _queued(conversation: Conversation, link: socket.socket) -> int:
    """All bytes that were ever given to a connection."""
    return _info(link)[0] + _info(link)[1] + conversation.writer.transport.get_write_buffer_size()


def _info(link: socket.socket) -> tuple[int, int]:
    """Bytes that left the sender's queue, and bytes that are still in it."""
    info = link.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 232)
    return struct.unpack_from("Q", info, _BYTES_SENT)[0], struct.unpack_from("I", info, _NOT_SENT)[0]


def _unread(link: socket.socket) -> int:
    """Bytes that lie at the other end of a loopback connection, and that nobody has read there."""
    here, there = link.getsockname()[1], link.getpeername()[1]
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        ports = [int(word.rpartition(":")[2], 16) for word in words[1:3]]
        if ports == [there, here]:
            return int(words[4].rpartition(":")[2], 16)
    raise AssertionError("the other end is gone")


async def kill(process: asyncio.subprocess.Process, gateway: Scripted, market: Numbered) -> int:
    """kill -9; returns the number of the last tick that the process had read whole.

    It is stopped first, so that what it has read does not change while that is looked up.
    """
    conversation = gateway.conversations[-1]
    link = conversation.writer.get_extra_info("socket")
    os.kill(process.pid, signal.SIGSTOP)
    conversation.ticking.cancel()
    for _ in range(200):  # what is under way arrives
        before = _info(link), _unread(link)
        await asyncio.sleep(0.005)
        if before == (_info(link), _unread(link)):
            break
    read = _info(link)[0] - _unread(link)
    process.kill()
    await process.wait()
    whole = itertools.takewhile(lambda tick: tick[1] <= read, market.ends)
    return max((number for number, _ in whole), default=0)


@asynccontextmanager
async def numbered(pause: float, tick: Tick = sized) -> AsyncIterator[tuple[Scripted, Numbered]]:
    """Serve it, with so many seconds between two bursts."""
    market = Numbered(pause, tick)
    async with scripted(market.subscribed) as gateway:
        yield gateway, market
