"""The order book, replayed from its messages.

Rules:
- Position counts from the best row. Insert shifts the rows behind it down, delete shifts them up, reset
  clears all.
- A level no message told (after a gap without a new subscription) is null, never guessed.
- Nothing is sorted or cut: the book is what IB's messages make of it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TypeAlias

import pyarrow as pa

INSERT, UPDATE, DELETE, RESET = 0, 1, 2, 3
ASK, BID = 0, 1

MAX_LEVELS = 1000
"""Positions from here on are no book of IB's, and are passed over."""

Level: TypeAlias = tuple[float | None, float | None, str | None]
"""Price, size, market maker."""

_UNKNOWN: Level = (None, None, None)
_COLUMNS = ("position", "operation", "side", "price", "size", "market_maker")

SCHEMA = pa.schema(
    [
        ("level", pa.int64()),
        ("bid_mm", pa.string()),
        ("bid_size", pa.float64()),
        ("bid", pa.float64()),
        ("ask", pa.float64()),
        ("ask_size", pa.float64()),
        ("ask_mm", pa.string()),
    ]
)
"""A row a level, best first; the shorter side is null below its end; ``mm``: market maker, or exchange."""


@dataclass(slots=True)
class Book:
    """Both sides of an order book, best row first."""

    asks: list[Level] = field(default_factory=list)
    bids: list[Level] = field(default_factory=list)

    def apply(self, operation: int, side: int, position: int, level: Level) -> None:
        """Take one message."""
        if operation == RESET:
            self.asks, self.bids = [], []
        elif side in (ASK, BID) and 0 <= position < MAX_LEVELS:
            _apply(self.bids if side == BID else self.asks, operation, position, level)


def _apply(levels: list[Level], operation: int, position: int, level: Level) -> None:
    if operation == DELETE:
        del levels[position : position + 1]
        return
    levels.extend([_UNKNOWN] * (position - len(levels)))
    if operation == INSERT:
        levels.insert(position, level)
    elif operation == UPDATE:
        levels[position : position + 1] = [level]


def replay(rows: pa.Table) -> Book:
    """The book after these rows of table ``depth``, which begin with a subscription."""
    book = Book()
    for position, operation, side, price, size, maker in _messages(rows):
        book.apply(operation, side, -1 if position is None else position, (price, size, maker))
    return book


def _messages(rows: pa.Table) -> Iterable[tuple[int, int, int, float, float, str]]:
    return zip(*(rows[name].to_pylist() for name in _COLUMNS), strict=True)


def table(book: Book, rows: int | None = None) -> pa.Table:
    """The book side by side, at most its best ``rows`` levels."""
    levels = list(zip_longest(book.bids[:rows], book.asks[:rows], fillvalue=_UNKNOWN))
    sides = [
        (number, bid[2], bid[1], bid[0], ask[0], ask[1], ask[2]) for number, (bid, ask) in enumerate(levels)
    ]
    columns = zip(*sides, strict=True) if sides else [[] for _ in SCHEMA]
    return pa.table(
        [pa.array(column, kind.type) for column, kind in zip(columns, SCHEMA, strict=True)], SCHEMA
    )
