"""What the simulator's tests share: a raw client, IB's own and ib_async's protocol client, on real sockets."""

import asyncio
import contextlib
import datetime as dt
import struct
import threading
import time
from types import SimpleNamespace

import pytest
from ib_async.client import Client
from ibapi.client import EClient

from recorder.simulator import Simulator


def framed(*fields):
    body = "".join(f"{field}\0" for field in fields).encode()
    return struct.pack(">I", len(body)) + body


class Raw:
    """Speaks the protocol by hand; keeps each frame's fields."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.frames, self.buffer = [], b""

    @classmethod
    async def connect(cls, sim, hello=b"v157..178"):
        raw = cls(*await asyncio.open_connection("127.0.0.1", sim.port))
        if hello is not None:
            raw.write(b"API\0" + struct.pack(">I", len(hello)) + hello)
        return raw

    @classmethod
    async def started(cls, sim, client_id=1, hello=b"v157..178"):
        raw = await cls.connect(sim, hello)
        await raw.next()
        raw.send(71, 2, client_id, "")
        await raw.until(lambda f: f[0] == "4" and f[3] in {"2158", "2157"})
        return raw

    def write(self, data):
        self.writer.write(data)

    def send(self, *fields):
        self.write(framed(*fields))

    async def next(self, seconds=3):
        async with asyncio.timeout(seconds):
            length = struct.unpack(">I", await self.peek(4))[0]
            body = (await self.peek(4 + length))[4:]
        self.buffer = self.buffer[4 + length :]
        fields = body.decode(errors="backslashreplace").split("\0")[:-1]
        self.frames.append(fields)
        return fields

    async def peek(self, count):
        """The next bytes; a wait that is cancelled loses none."""
        while len(self.buffer) < count:
            data = await self.reader.read(65536)
            if not data:
                raise asyncio.IncompleteReadError(self.buffer, count)
            self.buffer += data
        return self.buffer[:count]

    async def until(self, wanted, seconds=3):
        async with asyncio.timeout(seconds):
            while not wanted(fields := await self.next(seconds)):
                pass
        return fields

    async def error(self, code, seconds=3):
        return await self.until(lambda f: f[0] == "4" and f[3] == str(code), seconds)

    async def drain(self, seconds):
        """Everything that comes within a while."""
        first = len(self.frames)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while True:
                    await self.next(60)
        return self.frames[first:]

    async def ticking(self, seconds=0.08):
        """Ids of the requests that tick by level 1 or depth."""
        frames = await self.drain(seconds)
        return {f[2] for f in frames if f[0] in {"1", "2", "12", "13"}}

    async def closed(self, seconds=3):
        """Whether the peer hangs up, whatever it says before."""
        try:
            async with asyncio.timeout(seconds):
                while await self.reader.read(65536):
                    pass
        except ConnectionResetError:
            return "reset"
        return "closed"

    def contract(self, **said):
        names = "conId symbol secType expiry strike right multiplier exchange primary currency local class"
        return [said.get(name, {"conId": 0, "strike": "0.0"}.get(name, "")) for name in names.split()]

    def level1(self, req, generic="", snapshot=0, **said):
        self.send(1, 11, req, *self.contract(**said), 0, generic, snapshot, 0, "")

    def ticks(self, req, kind="AllLast", ignore_size=0, **said):
        self.send(97, req, *self.contract(**said), kind, 0, ignore_size)

    def depth(self, req, rows=5, smart=0, **said):
        self.send(10, 5, req, *self.contract(**said), rows, smart, "")

    def bars(self, req, show="TRADES", **said):
        self.send(50, 3, req, *self.contract(**said), 5, show, 0, "")

    def details(self, req, *, sec_id_type="", sec_id="", expired=0, version=178, **said):
        issuer = [""] if version >= 176 else []
        self.send(9, 8, req, *self.contract(**said), expired, sec_id_type, sec_id, *issuer)

    def history(self, req, *, start="", end="", count=1000, show="TRADES", ignore_size=0, **said):
        self.send(96, req, *self.contract(**said), 0, start, end, count, show, 0, ignore_size, "")

    async def close(self):
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


class Calls:
    """A wrapper that takes every callback there is and keeps it."""

    tcpDataArrived = tcpDataProcessed = None  # noqa: N815 - ib_async asks for these three
    defaultTimezone = dt.UTC  # noqa: N815

    def __init__(self):
        self.calls = []

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *args, **more: self.calls.append((name, *args, *more.values()))

    def named(self, *names):
        return [call for call in list(self.calls) if call[0] in names]


class Official:
    """IB's own client in its threads."""

    def __init__(self, port, client_id=7):
        self.wrapper = Calls()
        self.client = EClient(self.wrapper)
        self.client.connect("127.0.0.1", port, client_id)
        self.thread = threading.Thread(target=self.client.run, daemon=True)
        self.thread.start()

    def wait(self, *names, count=1, seconds=5):
        end = time.monotonic() + seconds
        while len(self.wrapper.named(*names)) < count:
            assert time.monotonic() < end, (names, count, self.wrapper.calls[-5:])
            time.sleep(0.005)
        return self.wrapper.named(*names)

    def close(self):
        self.client.disconnect()
        self.thread.join(5)
        if self.client.reader:
            self.client.reader.join(5)


@contextlib.asynccontextmanager
async def official(sim, client_id=7):
    one = await asyncio.to_thread(Official, sim.port, client_id)
    try:
        yield one
    finally:
        await asyncio.to_thread(one.close)


@contextlib.asynccontextmanager
async def protocol(sim, client_id=8):
    """The protocol client of ib_async with a wrapper that keeps every decoded call."""
    client = Client(Calls())
    await client.connectAsync("127.0.0.1", sim.port, client_id, 5)
    try:
        yield client
    finally:
        client.disconnect()
        await asyncio.sleep(0)


def play(test, rate=200, **settings):
    """Run a test against a simulator and a started client."""

    async def scenario():
        async with Simulator(rate=rate, record=True, **settings) as sim:
            raw = await Raw.started(sim)
            try:
                return await test(sim, raw)
            finally:
                await raw.close()

    return asyncio.run(scenario())


@pytest.fixture
def tools():
    return SimpleNamespace(
        Raw=Raw, Calls=Calls, official=official, protocol=protocol, framed=framed, play=play
    )
