"""One client's connection, as the gateway of the night sees it."""

import asyncio
import random
from collections import deque
from dataclasses import dataclass, field

from night.log import Fault
from night.market import Key
from night.wire import hard_reset

REQUESTS_A_SECOND = 500
"""IB's 50, ten times as fast, as the night is."""

_TORN = 0.05
"""The share of messages that do not come with one read."""


@dataclass(slots=True)
class Subscription:
    """What was asked under one request id.

    Attributes:
        dead: the fault that makes IB forget it until it is asked anew.
        until: when a cancelled one sends its last ticks; None: not cancelled.
    """

    key: Key
    req: int
    dead: Fault | None = None
    until: float | None = None


@dataclass(slots=True, eq=False)
class Conversation:
    """One client's connection; ``frozen``: nothing gets through any more and nobody says so."""

    writer: asyncio.StreamWriter
    client: str = ""
    ready: bool = False
    frozen: bool = False
    closed: bool = False
    held: bytes = b""
    subscriptions: dict[int, Subscription] = field(default_factory=dict)
    requests: deque[float] = field(default_factory=lambda: deque(maxlen=REQUESTS_A_SECOND + 1))
    asked: dict[int, float] = field(default_factory=dict)
    """Contract to when tick-by-tick was asked of it last."""

    def send(self, data: bytes) -> None:
        """Say something, sometimes torn in two: the rest follows with what is said next, or a little later."""
        if self.frozen:
            return
        said = self.held + data
        kept = random.randrange(len(data)) if random.random() < _TORN else 0
        self.held = said[len(said) - kept :]
        self._write(said[: len(said) - kept])

    def flush(self) -> None:
        """Say the rest."""
        if self.held and not self.frozen:
            said, self.held = self.held, b""
            self._write(said)

    def _write(self, data: bytes) -> None:
        if not self.writer.transport.is_closing():
            self.writer.write(data)

    def live(self) -> list[Subscription]:
        """What is subscribed and has not been cancelled."""
        return [one for one in self.subscriptions.values() if one.until is None]

    def hang_up(self) -> None:
        """FIN: what was sent before still arrives."""
        self.flush()
        self.closed = True
        self.writer.close()

    def reset(self) -> None:
        """RST: what the client has not read yet is gone."""
        self.closed = True
        hard_reset(self.writer)
