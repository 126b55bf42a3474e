"""The market of the night: lines whose numbers go on whether or not anybody hears them.

Rules:
- A feed (one stream of one line) counts 1, 2, 3, ... at its own rate, for the whole night, across all connections.
- The number is what the message says: a bid, a trade's price, a bar's volume. Nobody else sets it.
"""

import random
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise

LINES = 50
FARMS = ("usfarm", "usfuture", "eufarm", "cashfarm")
_STREAMS = {
    1: ("trades",), 2: ("trades", "quotes"), 3: ("quotes",), 4: ("midpoints",),
    5: ("depth",), 6: ("depth",), 44: ("depth",),
    8: ("bars",), 9: ("bars",), 10: ("bars",), 11: ("bars",),
}  # fmt: skip
"""What some lines record besides level 1: as much as IB allows with 100 lines."""

_RATES = (0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 20.0)
_CFDS = range(44, 47)
_CLOSED = range(47, 50)
_UNDERLYING = 8000
_TICK_BY_TICK_TIME = "1795000000"

Key = tuple[str, str]
"""A line's name and one of its streams."""


def frame(*texts: str) -> bytes:
    """Fields as they go over the wire."""
    body = "".join(f"{text}\0" for text in texts).encode()
    return struct.pack(">I", len(body)) + body


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the watchlist.

    ``underlying`` is the contract IB reroutes a CFD to. One that ``is_closed`` trades after hours: its liquid hours
    are over, so it may stand still for as long as it likes, and yet what it trades can be lost.
    """

    name: str
    con_id: int
    farm: str
    streams: tuple[str, ...]
    is_cfd: bool = False
    is_closed: bool = False

    @property
    def underlying(self) -> int:
        return self.con_id + _UNDERLYING

    @property
    def entry(self) -> str:
        """The line as the config says it."""
        kind = "cfd" if self.is_cfd else "stock"
        return f"{{type: {kind}, symbol: {self.name}, streams: [{', '.join(self.streams)}]}}"

    def details(self, req: str) -> bytes:
        """Message 10 of server versions 176 to 178."""
        liquid = _over() if self.is_closed else _all_day()
        kind = "CFD" if self.is_cfd else "STK"
        fields = ["10", req, self.name, kind, "", "0", "", "SMART", "USD", self.name, "NMS", "NMS"]
        fields += [str(self.con_id), "0.01", "", "LMT", "SMART", "1", "0", f"{self.name} INC", "NASDAQ"]
        fields += ["", "", "", "", "UTC", _all_day(), liquid, "", "", "0"]
        fields += ["1", "", "", "26", "", "COMMON", "0.0001", "0.0001", "100"]
        return frame(*fields)


@dataclass(slots=True)
class Feed:
    """One stream's numbers: ``times[n - 1]`` is when number n was made, ``fates`` what became of it then.

    Attributes:
        since: the first number made after the recorder had asked for the stream first; None: never asked for.
        pace: how fast it goes against its own rate.
        paused: until when nothing is traded.
    """

    line: Line
    stream: str
    rate: float
    random: random.Random
    times: list[float] = field(default_factory=list)
    fates: list[str] = field(default_factory=list)
    since: int | None = None
    pace: float = 1.0
    paused: float = 0.0
    _due: float = 0.0

    @property
    def key(self) -> Key:
        return self.line.name, self.stream

    def made(self, now: float) -> bool:
        """Whether the next number is made at this moment."""
        if now < max(self._due, self.paused):
            return False
        self._due = now + self.random.uniform(0.5, 1.5) / (self.rate * self.pace)
        self.times.append(time.time())
        return True

    def message(self, req: int, number: int) -> bytes:
        """The number as IB says it on this stream."""
        asked, said, now = str(req), f"{number}.0", _TICK_BY_TICK_TIME
        match self.stream:
            case "level1":
                return frame("1", "6", asked, "1", said, "100", "1")
            case "trades":
                return frame("99", asked, "2", now, said, "100", "0", "ISLAND", "")
            case "quotes":
                return frame("99", asked, "3", now, said, f"{number + 1}.0", "1", "1", "0")
            case "midpoints":
                return frame("99", asked, "4", now, said)
            case "depth":
                return frame("13", "1", asked, "0", "ISLAND", "1", "1", said, "100", "1")
            case _:
                return frame("50", "3", asked, now, "1.0", "1.0", "1.0", "1.0", str(number), "1.0", "1")

    def echo(self, req: int, number: int) -> bytes:
        """The same value in other fields, as IB does all the time: no duplicates."""
        asked, said = str(req), f"{number}.0"
        return frame("1", "6", asked, "2", said, "100", "1") + frame("2", "6", asked, "0", "100")


class Market:
    """All lines and feeds."""

    def __init__(self, seed: int) -> None:
        self.lines = {line.name: line for line in map(_line, range(LINES))}
        self.feeds = {feed.key: feed for feed in self._feeds(random.Random(seed))}
        contracts = ((con_id, line) for line in self.lines.values() for con_id in _con_ids(line))
        self.by_con_id = dict(contracts)

    def _feeds(self, chance: random.Random) -> Iterator[Feed]:
        for line in self.lines.values():
            for stream in line.streams:
                yield Feed(line, stream, chance.choice(_RATES), random.Random(chance.random()))

    def made(self, now: float) -> Iterator[tuple[Feed, int]]:
        """The feeds that make a number at this moment, and which."""
        for feed in self.feeds.values():
            if feed.made(now):
                yield feed, len(feed.times)


def _line(index: int) -> Line:
    name = f"{'C' if index in _CFDS else 'N'}{index:02d}"
    streams = ("level1", *_STREAMS.get(index, ()))
    farm = FARMS[index % len(FARMS)]
    return Line(name, 1000 + index, farm, streams, index in _CFDS, index in _CLOSED)


def _con_ids(line: Line) -> tuple[int, ...]:
    return (line.con_id, line.underlying) if line.is_cfd else (line.con_id,)


def _days() -> list[str]:
    now = datetime.now(UTC)
    return [f"{now + timedelta(days=day):%Y%m%d}" for day in range(-1, 3)]


def _all_day() -> str:
    days = _days()
    return ";".join(f"{day}:0000-{after}:0000" for day, after in pairwise(days))


def _over() -> str:
    """Hours that are over: open for a minute, an age ago."""
    yesterday, *coming = _days()
    return ";".join([f"{yesterday}:0000-{yesterday}:0001", *(f"{day}:CLOSED" for day in coming)])
