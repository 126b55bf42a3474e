"""Lines that tick with numbers of their own, whoever listens; and the judge of what was recorded of them.

Rules:
- Number n of a line is its n-th tick: its price; the size is the contract id, so that no line passes for another.
- Every number is one row, or lies in a gap: by the order of rows and, of its own, by the clock.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
from daemon import numbers, table, write_config
from hurried import hurried
from scripted import Conversation, Scripted, scripted

from recorder.wire.layouts import TICK_PRICE

EVERY = 0.025
"""Seconds between two numbers."""

LATE = 0.25
"""Seconds that a tick may be under way on a busy machine."""

_NEVER = 2**62


@dataclass
class Market:
    """What a gateway passes on.

    Attributes:
        made: line to when its numbers were made, seconds since 1970.
        owed: line to the first number that somebody had asked for.
        listeners: line to the connection and the request id under which it was asked for last.
        mute: lines of which nothing is sent; ``dead``: the same until they are asked for anew.
    """

    made: dict[str, list[float]]
    owed: dict[str, int] = field(default_factory=dict)
    listeners: dict[str, tuple[Conversation, int]] = field(default_factory=dict)
    mute: set[str] = field(default_factory=set)
    dead: set[str] = field(default_factory=set)
    _con_ids: dict[str, int] = field(default_factory=dict)

    async def on_subscribed(self, conversation: Conversation, req: int, fields: list[str]) -> None:
        """For ``scripted``."""
        symbol = fields[4]
        self._con_ids[symbol] = int(fields[3])
        self.listeners[symbol] = conversation, req
        self.owed.setdefault(symbol, len(self.made[symbol]) + 1)
        self.dead.discard(symbol)

    @classmethod
    def of(cls, *symbols: str) -> "Market":
        """These lines, no number made yet."""
        return cls({symbol: [] for symbol in symbols})

    @asynccontextmanager
    async def ticking(self) -> AsyncIterator[None]:
        """All lines tick while the block runs, whatever becomes of the recorder."""
        running = asyncio.ensure_future(self._run())
        try:
            yield
        finally:
            running.cancel()
            await asyncio.sleep(LATE)  # what was sent arrives before the recorder is told to stop

    async def _run(self) -> None:
        while True:
            self.tick()
            await asyncio.sleep(EVERY)

    def tick(self, symbols: Iterable[str] | None = None) -> None:
        """The next number of these lines, or of all."""
        for symbol in symbols or self.made:
            self.made[symbol].append(time.time())
            if symbol not in self.listeners or symbol in self.mute | self.dead:
                continue
            conversation, req = self.listeners[symbol]
            if req not in conversation.cancelled and not conversation.writer.is_closing():
                values = {"price": len(self.made[symbol]), "size": self._con_ids[symbol], "attribs": 0}
                conversation.send(TICK_PRICE.encode(req, {"tick_type": 1, **values}))

    def asked(self, symbol: str, conversation: Conversation) -> int:
        """How often it was asked for on this connection."""
        return sum(fields[4] == symbol for fields in conversation.asked.values())


@asynccontextmanager
async def recorded(
    folder: Path,
    made: Market,
    *,
    heartbeat: float = 15,
    patience: float = 5,
    timing: Mapping[str, float] = {},
    **options: Any,
) -> AsyncIterator[Scripted]:
    """A recorder in a hurry and its gateway, with this heartbeat and connect timeout, while the lines tick."""
    async with scripted(made.on_subscribed, **options) as gateway:
        async with hurried(configured(folder, gateway.port, made, heartbeat, patience), **timing):
            async with made.ticking():
                yield gateway


def configured(folder: Path, port: int, made: Market, heartbeat: float = 15, patience: float = 5) -> Path:
    """A config of these lines."""
    lines = (f"{{type: stock, symbol: {symbol}}}" for symbol in made.made)
    path = write_config(folder, port, *lines, gateway=f"heartbeat_seconds: {heartbeat}")
    text = path.read_text().replace("connect_timeout_seconds: 5", f"connect_timeout_seconds: {patience}")
    path.write_text(text)
    return path


def gaps(root: Path, symbol: str | None = None) -> pd.DataFrame:
    """The closed gaps, of all lines or of one, in the order in which they began."""
    found = table(root, "gaps").sort_values(["seq_start", "symbol"], ignore_index=True)
    return found if symbol is None else found[found["symbol"] == symbol].reset_index(drop=True)


def level1(root: Path, symbol: str) -> pd.DataFrame:
    """The rows of a line, its numbers as ``number``."""
    rows = table(root, "level1")
    rows = rows[rows["symbol"] == symbol].reset_index(drop=True)
    return rows.assign(number=rows["price"].astype(int))


def events(root: Path, kind: str) -> pd.DataFrame:
    """The events of a kind."""
    rows = table(root, "events")
    return rows[rows["kind"] == kind].reset_index(drop=True)


def assert_whole(root: Path, made: Market) -> None:
    """Every number that was owed is exactly one row of its own line, or it is in a gap."""
    assert numbers(root) == list(range(1, len(numbers(root)) + 1))
    for symbol in made.made:
        rows = level1(root, symbol)
        assert rows["number"].is_monotonic_increasing
        assert rows["number"].is_unique
        assert (rows["size"] == rows["con_id"]).all()
        assert lost_by_rows(root, symbol, made) == []
        assert lost_by_clock(root, symbol, made) == []


def lost_by_rows(root: Path, symbol: str, made: Market) -> list[tuple[int, int]]:
    """Numbers (first, last) that are missing between two rows with no gap reaching between them."""
    rows = level1(root, symbol)
    there = [(made.owed[symbol] - 1, -1), *zip(rows["number"], rows["seq"], strict=True)]
    there += [(len(made.made[symbol]) + 1, _NEVER)]
    holes = _holes(root, symbol)
    return [
        (before + 1, after - 1)
        for (before, seq), (after, next_seq) in pairwise(there)
        if after > before + 1 and not any(hole[2] < next_seq and hole[3] > seq for hole in holes)
    ]


def lost_by_clock(root: Path, symbol: str, made: Market) -> list[int]:
    """Numbers that are in no row and were made at no time of a gap."""
    recorded, holes = set(level1(root, symbol)["number"]), _holes(root, symbol)
    return [
        number
        for number, at in enumerate(made.made[symbol], 1)
        if number >= made.owed[symbol] and number not in recorded
        if not any(start - LATE <= at <= end + LATE for start, end, *_ in holes)
    ]


def _holes(root: Path, symbol: str) -> list[tuple[float, float, int, int]]:
    """From when to when, and from which row to which; also those that are open still."""
    holes = [
        (gap.ts_start.timestamp(), gap.ts_end.timestamp(), gap.seq_start, gap.seq_end)
        for gap in gaps(root, symbol).itertuples()
    ]
    state = json.loads((root / "recording.json").read_text())["state"]
    still = (gap for gap in state["gaps"] if gap["symbol"] == symbol)
    return holes + [(gap["ts_start"] / 1e6, float("inf"), gap["seq_start"], _NEVER) for gap in still]
