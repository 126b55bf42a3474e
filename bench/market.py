"""A synthetic market as encoded messages: 100 stocks on tick grids, level 1 and some tick-by-tick.

Rules:
- Pure: the seed is an argument, bytes come out; every message goes through the recorder's layouts.
- Request ids have three digits, so that the ids a client really asked under can be put in later.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np

from recorder.wire.layouts import QUOTE, TICK_PRICE, TICK_SIZE, TICK_STRING, TRADE, Layout, Value

SYMBOLS = tuple(f"S{number:03d}" for number in range(100))
TRADED, QUOTED = SYMBOLS[:3], SYMBOLS[3:5]
SLOTS = (
    *(("level1", symbol) for symbol in SYMBOLS),
    *(("trades", symbol) for symbol in TRADED),
    *(("quotes", symbol) for symbol in QUOTED),
)
"""The subscriptions; a message belongs to one of them. IB allows five tick-by-tick streams beside 100 lines."""

RT_VOLUME_LINES = SYMBOLS[:25]
"""The lines asked with generic tick 233, which says each trade once more as a string."""

FIRST_REQ = 101
"""Request ids from here on have three digits."""

_VOLUME_BEFORE = 1_000_000
_NOON = 1_795_000_000
_BID, _ASK, _LAST = 1, 2, 4
_SIZES = {_BID: 0, _ASK: 3, _LAST: 5}
_VOLUME, _LAST_TIME, _RT_VOLUME = 8, 45, 48


@dataclass(frozen=True, slots=True)
class Pool:
    """Encoded messages.

    Attributes:
        data: the frames, one behind the other.
        ends: offset behind each frame.
        ids: offset of each frame's three-digit request id.
        slots: index into ``SLOTS`` of each frame.
        events: index of the first frame of each market event; its messages arrive together.
    """

    data: np.ndarray
    ends: np.ndarray
    ids: np.ndarray
    slots: np.ndarray
    events: np.ndarray

    def addressed(self, req_of_slot: list[int]) -> bytes:
        """The frames with the request ids that a client asked under."""
        data = self.data.copy()
        digits = np.array([list(str(req).encode()) for req in req_of_slot], np.uint8)
        for place in range(3):
            data[self.ids + place] = digits[self.slots, place]
        return data.tobytes()

    def save(self, path: Path) -> None:
        np.savez(path, **{name: getattr(self, name) for name in self.__slots__})

    @classmethod
    def load(cls, path: Path) -> Self:
        with np.load(path) as arrays:
            return cls(**arrays)


@dataclass(slots=True)
class _Stock:
    """One stock's market; prices in cents."""

    slot: int
    price: int
    spread: int = 1
    volume: int = _VOLUME_BEFORE
    worth: float = 0.0
    second: int = 0
    tick_slots: dict[str, int] = field(default_factory=dict)


def pool(messages: int, seed: int = 1) -> Pool:
    """At least ``messages`` messages of a market in which some stocks are busier than others."""
    rng = random.Random(seed)
    frames: list[bytes] = []
    slots: list[int] = []
    events: list[int] = []
    for event in _market(rng):
        events.append(len(frames))
        for slot, layout, values in event:
            frames.append(layout.encode(FIRST_REQ + slot, values))
            slots.append(slot)
        if len(frames) >= messages:
            return _pooled(frames, slots, events)
    raise AssertionError("a market does not end")


def _pooled(frames: list[bytes], slots: list[int], events: list[int]) -> Pool:
    ends = np.cumsum([len(frame) for frame in frames])
    starts = np.append(0, ends[:-1])
    ids = [start + _id_at(frame) for start, frame in zip(starts.tolist(), frames, strict=True)]
    data = np.frombuffer(b"".join(frames), np.uint8)
    return Pool(data, ends, np.array(ids), np.array(slots), np.array(events))


def _id_at(frame: bytes) -> int:
    """The id is the second field of message 99, the third of the others."""
    first = frame.index(b"\0", 4) + 1
    return first if frame.startswith(b"99", 4) else frame.index(b"\0", first) + 1


_Message = tuple[int, Layout, dict[str, Value]]


def _market(rng: random.Random) -> Iterator[list[_Message]]:
    stocks = [_Stock(slot, rng.randrange(800, 90_000)) for slot in range(len(SYMBOLS))]
    for slot, (stream, symbol) in enumerate(SLOTS[len(SYMBOLS) :], len(SYMBOLS)):
        stocks[SYMBOLS.index(symbol)].tick_slots[stream] = slot
    busy = [1 / (rank + 10) for rank in range(len(stocks))]
    seconds = 0.0
    while True:
        for stock in rng.choices(stocks, busy, k=1000):
            seconds += rng.expovariate(4000)
            yield _event(stock, _NOON + seconds, rng)


def _event(stock: _Stock, now: float, rng: random.Random) -> list[_Message]:
    """What changed of one stock within IB's quarter of a second: quotes, only their sizes, or a trade."""
    luck = rng.random()
    if luck < 0.15:
        return _trade(stock, now, rng)
    if luck < 0.4:
        sides = rng.choice(((_BID,), (_ASK,), (_BID, _ASK)))
        return [(stock.slot, TICK_SIZE, {"tick_type": _SIZES[side], "size": _quoted(rng)}) for side in sides]
    stock.price += rng.choice((-2, -1, -1, 0, 1, 1, 2))
    stock.spread = rng.choice((1, 1, 1, 2, 3))
    return _quote(stock, now, rng)


def _quote(stock: _Stock, now: float, rng: random.Random) -> list[_Message]:
    price = {_BID: stock.price / 100, _ASK: (stock.price + stock.spread) / 100}
    size = {_BID: _quoted(rng), _ASK: _quoted(rng)}
    said: list[_Message] = [
        (stock.slot, TICK_PRICE, {"tick_type": side, "price": price[side], "size": size[side], "attribs": 1})
        for side in rng.choice(((_BID,), (_ASK,), (_BID, _ASK), (_BID, _ASK)))
    ]
    if "quotes" in stock.tick_slots:
        told = {"bid": price[_BID], "ask": price[_ASK], "bid_size": size[_BID], "ask_size": size[_ASK]}
        times = {"variant": 3, "ts_event": int(now), "attribs": 0}
        said.append((stock.tick_slots["quotes"], QUOTE, told | times))
    return said


def _trade(stock: _Stock, now: float, rng: random.Random) -> list[_Message]:
    """A trade as IB tells it: the time when the second is new, LAST, its size again, the volume, RTVolume."""
    price, size = (stock.price + rng.choice((0, stock.spread))) / 100, _traded(rng)
    stock.volume += size
    stock.worth += price * size
    slot = stock.slot
    said: list[_Message] = [
        (slot, TICK_PRICE, {"tick_type": _LAST, "price": price, "size": size, "attribs": 0}),
        (slot, TICK_SIZE, {"tick_type": _SIZES[_LAST], "size": size}),
        (slot, TICK_SIZE, {"tick_type": _VOLUME, "size": stock.volume}),
    ]
    if int(now) != stock.second:
        stock.second = int(now)
        said.insert(0, (slot, TICK_STRING, {"tick_type": _LAST_TIME, "text": str(int(now))}))
    said += _trade_told_again(stock, now, price, size, rng)
    return said


def _trade_told_again(
    stock: _Stock, now: float, price: float, size: int, rng: random.Random
) -> Iterator[_Message]:
    if SYMBOLS[stock.slot] in RT_VOLUME_LINES:
        vwap = stock.worth / (stock.volume - _VOLUME_BEFORE)
        text = f"{price};{size};{int(now * 1000)};{stock.volume};{vwap:.8f};true"
        yield stock.slot, TICK_STRING, {"tick_type": _RT_VOLUME, "text": text}
    if "trades" in stock.tick_slots:
        where = {"exchange": rng.choice(("NASDAQ", "ARCA", "FINRA")), "conditions": rng.choice(("", " T I"))}
        told = {"variant": 2, "ts_event": int(now), "price": price, "size": size, "attribs": 0}
        yield stock.tick_slots["trades"], TRADE, told | where


def _quoted(rng: random.Random) -> int:
    """Size of a quote: round lots, small ones mostly."""
    return 100 * min(1 + int(rng.expovariate(0.4)), 40)


def _traded(rng: random.Random) -> int:
    """Size of a trade: half are round lots, half odd ones."""
    return rng.choice((100, 100, 100, 200, 300)) if rng.random() < 0.5 else rng.randrange(1, 100)
