"""One socket of the gateway: a session's frames cut into writes no client should rely on, and back-pressure.

Rules:
- Frames leave coalesced, and now and then torn: the tail of a write waits for the next pulse. The hello
  alone goes out whole, as the real one's does (IB's own client reads it in one piece).
- A client that does not read is dropped once ``max_backlog`` bytes wait for it, as the real gateway drops
  it.
- ``sent`` tells a frame once its last byte was handed to the socket. What a reset then destroys on the
  way was sent.
"""

import asyncio
import random
import socket
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from recorder.simulator.inbound import ProtocolError
from recorder.simulator.session import Session

DRIBBLE: Final = 7
"""Bytes a write of a slow line."""
_LOW_WATER: Final = 1 << 18
"""Bytes in the socket's buffer below which an unlimited rate sends more."""
_TORN: Final = 60
"""Longest tail held back, in bytes: about two messages."""


@dataclass(slots=True)
class Line:
    """What hinders one connection just now, seconds of the steady clock until when."""

    frozen: float = 0.0
    slow: float = 0.0


@dataclass(slots=True, eq=False, weakref_slot=True)
class Link(asyncio.Protocol):
    """A connection: the protocol's transport side.

    Attributes:
        sent: told each frame that is wholly written; None: nobody listens.
        gone: told when the connection has ended.
    """

    session: Session
    rng: random.Random
    clock: Callable[[], float]
    gone: "Callable[[Link], None]"
    sent: Callable[[int, bytes], None] | None = None
    max_backlog: int = 1 << 24
    line: Line = field(default_factory=Line)
    _transport: asyncio.Transport | None = None
    _pending: bytearray = field(default_factory=bytearray)
    _written: int = 0
    _queued: int = 0
    _unsent: deque[tuple[int, bytes]] = field(default_factory=deque)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if self.session.welcome == "close":
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """The connection has ended, from either side."""
        self._transport = None
        self.gone(self)

    def data_received(self, data: bytes) -> None:
        """Bytes from the client."""
        hello = self.session.version == 0
        try:
            self.session.receive(data, self.clock())
        except ProtocolError:
            self.close()
        self.queue(self.session.out)
        self.session.out = []
        self._flush(0 if hello else self._tail())

    def pulse(self, seconds: float) -> bool:
        """Time passes; true if anything was sent or may be at once."""
        now = self.clock()
        if self._transport is None or self._count_down(seconds) or self._thawing(now):
            return False
        unlimited = self.session.world.unlimited
        if unlimited and self._transport.get_write_buffer_size() > _LOW_WATER:
            return False
        fresh = self.session.pulse(seconds, now)
        self.queue(self.session.out)
        self.session.out = []
        self.queue(fresh)
        self._flush(self._tail() if fresh else 0)
        self._drop_slow_client()
        return unlimited and bool(fresh)

    def queue(self, frames: list[bytes]) -> None:
        """Frames to be written, in order."""
        for frame in frames if self.sent else ():
            self._queued += len(frame)
            self._unsent.append((self._queued, frame))
        self._pending += b"".join(frames)

    def queue_junk(self, data: bytes) -> None:
        """Bytes that are nobody's message."""
        self._queued += len(data)
        self._pending += data

    def freeze(self, until: float) -> None:
        """Send nothing and read nothing until then; the socket stays open."""
        self.line.frozen = until
        if self._transport:
            self._transport.pause_reading()

    def close(self) -> None:
        """End the connection; what waits in the socket still goes out, what was held back does not."""
        if self._transport:
            self._transport.close()

    def abort(self) -> None:
        """End the connection at once, whatever waits."""
        if self._transport:
            self._transport.abort()

    def reset(self) -> None:
        """End the connection by RST: what is under way is lost too."""
        if self._transport:
            connection: socket.socket = self._transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()

    def _tail(self) -> int:
        return int(self.rng.random() * _TORN)

    def _flush(self, tail: int) -> None:
        """Write what waits but for the last ``tail`` bytes; a slow line takes only drops of it."""
        count = max(len(self._pending) - tail, 0)
        if self.clock() < self.line.slow:
            count = min(count, DRIBBLE)
        if not count or self.line.frozen or self._transport is None or self._transport.is_closing():
            return
        data = bytes(self._pending[:count])
        del self._pending[:count]
        self._transport.write(data)
        self._written += len(data)
        while self._unsent and self._unsent[0][0] <= self._written:
            frame = self._unsent.popleft()[1]
            if self.sent:
                self.sent(self.session.number, frame)

    def _count_down(self, seconds: float) -> bool:
        """The last word has been said; the connection ends a moment later."""
        if self.session.closing is None:
            return False
        self._flush(0)
        self.session.closing -= seconds
        if self.session.closing <= 0:
            self.close()
        return True

    def _thawing(self, now: float) -> bool:
        """Whether the line is still frozen; reading begins again when it is not."""
        if self.line.frozen == 0:
            return False
        if now < self.line.frozen:
            return True
        self.line.frozen = 0.0
        self.session.skip()
        if self._transport:
            self._transport.resume_reading()
        return False

    def _drop_slow_client(self) -> None:
        if (
            self._transport
            and len(self._pending) + self._transport.get_write_buffer_size() > self.max_backlog
        ):
            self._transport.abort()
