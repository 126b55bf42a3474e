"""A gateway that says exactly what a test tells it to: the handshake is real, the rest is the test's."""

import asyncio
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from recorder.wire.layouts import frame

CONTRACT_FIELDS = 40


@dataclass
class Conversation:
    """One client's connection, as the gateway sees it."""

    writer: asyncio.StreamWriter
    asked: dict[int, list[str]] = field(default_factory=dict)
    """Request id to the fields of the subscription request."""
    cancelled: list[int] = field(default_factory=list)
    heard: list[tuple[float, list[str]]] = field(default_factory=list)
    """Every message after the hello: when it came, on the steady clock, and its fields."""
    deaf: bool = False
    """Hears and says nothing any more; the socket stays open."""

    def send(self, data: bytes) -> None:
        if not self.deaf:
            self.writer.write(data)

    def times(self, kind: str) -> list[float]:
        """When messages of this id came."""
        return [at for at, fields in self.heard if fields[0] == kind]


LoggedIn = Callable[[Conversation, int], Awaitable[None]]
"""A client logs in under this id."""
LookedUp = Callable[[Conversation, str, list[str]], Awaitable[None]]
Subscribed = Callable[[Conversation, int, list[str]], Awaitable[None]]
Cancelled = Callable[[Conversation, int], None]
_REQ = {"1": 2, "10": 2, "50": 2, "97": 1}
_CANCEL = {"2": 2, "11": 2, "51": 2, "98": 1}


def contract_details(
    req: str,
    con_id: int,
    symbol: str,
    sec_type: str = "STK",
    *,
    time_zone: str = "US/Eastern",
    liquid_hours: str = "",
) -> bytes:
    """A message 10 of server version 176, with the fields that matter filled in."""
    fields = [
        "10",
        req,
        symbol,
        sec_type,
        "",
        "0",
        "",
        "SMART",
        "USD",
        symbol,
        "NMS",
        "NMS",
        str(con_id),
        "0.01",
    ]
    fields += [
        "",
        "LMT",
        "SMART",
        "1",
        "0",
        f"{symbol} INC",
        "NASDAQ",
        "",
        "",
        "",
        "",
        time_zone,
        "",
        liquid_hours,
        "",
        "0",
    ]
    fields += ["0"]
    fields += [""] * (CONTRACT_FIELDS - len(fields))
    return frame(*fields)


class Scripted:
    """Counts connections and keeps what was asked; ``on_subscribed`` is the test's own answer."""

    def __init__(
        self,
        on_subscribed: Subscribed,
        *,
        server_version: int | str = 178,
        ready: bytes = frame("15", "1", "DU0") + frame("9", "1", "1"),
        looked_up: LookedUp | None = None,
        on_cancelled: Cancelled = lambda _conversation, _req: None,
        logged_in: LoggedIn | None = None,
    ) -> None:
        self.on_subscribed = on_subscribed
        self.server_version = server_version
        self.ready = ready
        self.looked_up = looked_up or self._details
        self.logged_in = logged_in or self._ready
        self.on_cancelled = on_cancelled
        self.conversations: list[Conversation] = []
        self.con_ids: dict[str, int] = {}
        self.port = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversation = Conversation(writer)
        self.conversations.append(conversation)
        try:
            await reader.readexactly(4)
            await self._message(reader)
            writer.write(frame(str(self.server_version), "20261122 12:00:00 UTC"))
            while True:
                fields = await self._message(reader)
                conversation.heard.append((time.monotonic(), fields))
                if not conversation.deaf:
                    await self._answer(conversation, fields)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _message(self, reader: asyncio.StreamReader) -> list[str]:
        (length,) = struct.unpack(">I", await reader.readexactly(4))
        return (await reader.readexactly(length)).decode().split("\0")[:-1]

    async def _answer(self, conversation: Conversation, fields: list[str]) -> None:
        if not fields:
            return
        kind = fields[0]
        if kind == "71":
            await self.logged_in(conversation, int(fields[2]))
        elif kind == "49":
            conversation.send(frame("49", "1", "1795000000"))
        elif kind == "9":
            await self.looked_up(conversation, fields[2], fields)
        elif kind in _REQ:
            req = int(fields[_REQ[kind]])
            conversation.asked[req] = fields
            await self.on_subscribed(conversation, req, fields)
        elif kind in _CANCEL:
            req = int(fields[_CANCEL[kind]])
            conversation.cancelled.append(req)
            self.on_cancelled(conversation, req)

    async def _ready(self, conversation: Conversation, _client_id: int) -> None:
        conversation.send(self.ready)

    async def _details(self, conversation: Conversation, req: str, fields: list[str]) -> None:
        con_id, symbol = int(fields[3] or 0), fields[4]
        con_id = con_id or self.con_ids.setdefault(symbol, 1000 + len(self.con_ids))
        conversation.send(contract_details(req, con_id, symbol or f"CON{con_id}") + frame("52", "1", req))


@asynccontextmanager
async def scripted(on_subscribed: Subscribed, **options: Any) -> AsyncIterator[Scripted]:
    """Serve on a free loopback port."""
    gateway = Scripted(on_subscribed, **options)
    server = await asyncio.start_server(gateway.talk, "127.0.0.1", 0)
    gateway.port = server.sockets[0].getsockname()[1]
    try:
        yield gateway
    finally:
        server.close()
        for conversation in gateway.conversations:
            conversation.writer.transport.abort()
