"""What ``reqMktDepth`` streams: a book built by inserts, then changes that shift its rows.

Rules:
- Pure: the random numbers are an argument.
- A client that keeps the rows as told always holds an ordered book, never deeper than it asked for.
"""

import random
from dataclasses import dataclass, field
from typing import Final

from recorder.simulator.contracts import Instrument
from recorder.simulator.frames import DEPTH, DEPTH_L2, Message
from recorder.simulator.walk import Walk

INSERT, UPDATE, DELETE = 0, 1, 2
ASK, BID = 0, 1
SMART_VENUES: Final = ("NASDAQ", "ARCA", "BATS", "IEX", "NYSE", "MEMX")
_STRAY = 8
"""Ticks a best price moves away from the middle before new orders bring it back."""
MARKET_MAKERS: Final = ("NSDQ", "GSCO", "MSCO", "CDRG", "VIRT")


@dataclass(slots=True)
class Book:
    """One depth subscription.

    Attributes:
        rows: how deep, a side.
        makers: names the rows stand under (message 13); empty for an exchange that names none (message 12).
        smart: the names are exchanges, not market makers.
    """

    instrument: Instrument
    rng: random.Random
    rows: int
    makers: tuple[str, ...] = ()
    smart: bool = False
    _walk: Walk = field(init=False)
    _sides: tuple[list[int], list[int]] = field(init=False)
    _waiting: list[Message] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._walk = Walk(self.instrument, self.rng)
        self._sides = ([], [])

    def start(self, now: float) -> list[Message]:  # noqa: ARG002 - every stream starts with the moment
        """The book from nothing: an insert for each row of each side."""
        self._sides = ([], [])
        self._waiting = []
        best, depth = self._walk.at, min(self.rows, 10)
        return [
            self._insert(side, row, best + row + 1 if side == ASK else best - row)
            for row in range(depth)
            for side in (ASK, BID)
        ]

    def more(self, count: int, now: float) -> list[Message]:  # noqa: ARG002
        """The next ``count`` changes."""
        while len(self._waiting) < count:
            self._waiting += self._change()
        messages, self._waiting = self._waiting[:count], self._waiting[count:]
        return messages

    def _change(self) -> list[Message]:
        side, luck = int(self.rng.random() < 0.5), self.rng.random()
        prices = self._sides[side]
        row = int(self.rng.random() * len(prices))
        if luck < 0.7:
            return [self._message(side, row, UPDATE, prices[row])]
        if luck < 0.85 and len(prices) > 1:
            return self._take_away(side, row)
        return self._put_between(side, row)

    def _take_away(self, side: int, row: int) -> list[Message]:
        """A row goes, those below move up, and a new last one comes from out of sight."""
        gone = self._message(side, row, DELETE, self._sides[side].pop(row))
        last = self._sides[side][-1] + (1 if side == ASK else -1)
        if not 0 <= last < len(self._walk.texts):
            return [gone]
        return [gone, self._insert(side, len(self._sides[side]), last)]

    def _put_between(self, side: int, row: int) -> list[Message]:
        """Another order at a row's price, or a better best; in a full book the last row makes room."""
        prices, outwards = self._sides[side], 1 if side == ASK else -1
        strayed = (prices[0] - self._walk.at) * outwards
        row = 0 if strayed > _STRAY else row
        price = prices[row] - outwards if row == 0 and strayed > 1 else prices[row]
        room = [] if len(prices) < min(self.rows, 10) else [self._drop_last(side)]
        return [*room, self._insert(side, min(row, len(prices)), price)]

    def _drop_last(self, side: int) -> Message:
        prices = self._sides[side]
        return self._message(side, len(prices) - 1, DELETE, prices.pop())

    def _insert(self, side: int, row: int, price: int) -> Message:
        self._sides[side].insert(row, price)
        return self._message(side, row, INSERT, price)

    def _message(self, side: int, row: int, operation: int, price: int) -> Message:
        """A deleted row is told with price and size 0."""
        text, size = (self._walk.texts[price], self._walk.size()) if operation != DELETE else ("0.0", "0")
        if not self.makers:
            return DEPTH, (row, operation, side, text, size)
        maker = self.makers[int(self.rng.random() * len(self.makers))]
        return DEPTH_L2, (row, maker, operation, side, text, size, int(self.smart))
