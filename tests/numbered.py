"""Lines that tick with numbers of their own, whoever listens; and the judge of what was recorded of them.

Rules:
- Number n of a line is its n-th tick: its price; the size is the contract id, so that no line passes for another.
- Every number is one row, or lies in a gap: by the order of rows and, of its own, by the clock.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pandas as pd
from daemon import numbers, table
from scripted import Conversation

from recorder.wire.layouts import TICK_PRICE

EVERY = 0.04
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
async def market(*symbols: str) -> AsyncIterator[Market]:
    """All lines tick while the block runs, whatever becomes of the recorder."""
    it = Market({symbol: [] for symbol in symbols})

    async def run() -> None:
        while True:
            it.tick()
            await asyncio.sleep(EVERY)

    running = asyncio.ensure_future(run())
    try:
        yield it
    finally:
        running.cancel()
        await asyncio.sleep(0.2)  # what was sent arrives before the recorder is told to stop


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
