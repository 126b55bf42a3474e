"""A market whose ticks are numbered, line by line and stream by stream, and the proof that none is missing unnoticed.

Rules:
- The market ticks on, whether the gateway sends the ticks or not: what it does not send is lost.
- What was sent must be exactly one row of its own line. Only what was still under way when a connection was cut may
  be missing, and nothing may come behind it.
- Whatever is no row must lie in a gap, by the numbers of the rows around it and by time.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from daemon import table
from scripted import Conversation

from recorder.journal import folder
from recorder.verify import verify
from recorder.wire.layouts import BAR, DEPTH, MIDPOINT, QUOTE, TICK_PRICE, TRADE, frame

Key = tuple[str, str]
Answer = Callable[[int], tuple[bytes, bool]]
"""Request id to what the gateway says to it, and whether ticks follow."""

_BEGINNING = 50_000
"""Microseconds that a refusal of the very first request may be under way."""

_SECOND = 1795000000
_AT = {"1": 2, "10": 2, "50": 2, "97": 1}
_STREAMS = {"1": "level1", "10": "depth", "50": "bars"}
_TICK_BY_TICK = {"AllLast": "trades", "Last": "trades", "BidAsk": "quotes", "MidPoint": "midpoints"}
_BAR = {"ts_event": _SECOND, "open": 1, "high": 1, "low": 1, "volume": 1, "wap": 1, "count": 1}
_QUOTE = {"variant": 3, "ts_event": _SECOND, "ask": 1, "bid_size": 1, "ask_size": 1, "attribs": 0}
_LAYOUTS = {
    "level1": (TICK_PRICE, "price", {"tick_type": 1, "size": 1, "attribs": 0}),
    "depth": (DEPTH, "price", {"position": 0, "operation": 1, "side": 0, "size": 1}),
    "bars": (BAR, "close", _BAR),
    "trades": (TRADE, "price", {"variant": 2, "ts_event": _SECOND, "size": 1, "attribs": 0}),
    "quotes": (QUOTE, "bid", _QUOTE),
    "midpoints": (MIDPOINT, "price", {"variant": 4, "ts_event": _SECOND}),
}
"""Stream to its message, the column that the number stands in, and the rest."""


def notice(code: int, req: int = -1) -> bytes:
    return frame("4", "2", str(req), str(code), f"message {code}", "")


def serves(_req: int) -> tuple[bytes, bool]:
    return b"", True


def keeps_silent(_req: int) -> tuple[bytes, bool]:
    """No answer and no tick, neither now nor later."""
    return b"", False


def refuses(code: int) -> Answer:
    return lambda req: (notice(code, req), False)


@dataclass
class Line:
    """One stream of one line as the market has it.

    Attributes:
        every: seconds between its ticks.
        at_once: ticks that come together.
        answers: to its requests, in turn; those behind them are served.
        late: ticks that are still under way when a subscription is cancelled.
        rests: the market is closed.
        muted: the gateway does not get it, and says nothing.
        ticks: number, microseconds since 1970, and the request under which it was sent; None: it was not.
    """

    every: float = 0.05
    at_once: int = 1
    answers: list[Answer] = field(default_factory=list)
    late: int = 0
    rests: bool = False
    muted: bool = False
    req: int | None = None
    served: bool = False
    conversation: Conversation | None = None
    asked: "Request | None" = None
    ticks: list[tuple[int, int, "Request | None"]] = field(default_factory=list)

    @property
    def sends(self) -> bool:
        """Whether a tick would be sent now."""
        it = self.conversation
        return self.served and not self.muted and not it.deaf and not it.writer.is_closing()


@dataclass(frozen=True, eq=False)
class Request:
    """A request (``asked``) or its end (``cancelled``), as the gateway saw it."""

    what: str
    key: Key
    req: int
    at: float
    con_id: int = 0
    conversation: Conversation | None = None


class Market:
    """The lines and what the gateway was asked for; ``con_ids``: contracts that are not called as their lines are."""

    def __init__(self, lines: dict[Key, Line], con_ids: dict[int, str] | None = None) -> None:
        self.lines = lines
        self.con_ids = con_ids or {}
        self.seen: list[Request] = []
        self._keys: dict[tuple[int, int], Key] = {}

    @classmethod
    def level1(cls, *symbols: str, every: float = 0.025) -> "Market":
        """Level 1 of these lines."""
        return cls({(symbol, "level1"): Line(every=every) for symbol in symbols})

    @property
    def hooks(self) -> dict[str, Any]:
        """What ``scripted`` is to be given."""
        return {"on_subscribed": self._subscribed, "on_cancelled": self._cancelled}

    def asked(self, key: Key) -> list[Request]:
        return [one for one in self.seen if one.key == key and one.what == "asked"]

    def of(self, key: Key) -> list[tuple[str, int]]:
        """Everything about a stream in order, its requests numbered from 0 on."""
        reqs = [one.req for one in self.asked(key)]
        return [(one.what, reqs.index(one.req)) for one in self.seen if one.key == key]

    def says(self, key: Key, code: int, *, ends: bool) -> None:
        """A notice about a stream; ``ends``: nothing comes for it any more."""
        line = self.lines[key]
        line.served = not ends
        line.conversation.send(notice(code, line.req))

    def dies(self, key: Key) -> None:
        """Nothing comes under this request any more, and nothing is said."""
        self.lines[key].served = False

    def die(self, *symbols: str) -> None:
        """The same of all streams of these lines."""
        for key in self.lines:
            if key[0] in symbols:
                self.dies(key)

    def mute(self, *symbols: str, muted: bool = True) -> None:
        """Nothing of these lines is sent, or it is again; of all, if none is named."""
        for key, line in self.lines.items():
            line.muted = muted if not symbols or key[0] in symbols else line.muted

    def tick(self, *symbols: str) -> None:
        """One more tick of these lines, or of all."""
        for key, line in self.lines.items():
            if not symbols or key[0] in symbols:
                self._tick(key, line, 1, sent=line.sends)

    def flows(self, *keys: Key, ticks: int = 5) -> Callable[[], bool]:
        """Whether each stream (all by default) has been sent so many ticks more, and is being sent them still."""
        wanted = {key: self._sent(key) + ticks for key in keys or self.lines}
        return lambda: all(self.lines[key].sends and self._sent(key) >= at for key, at in wanted.items())

    def _sent(self, key: Key) -> int:
        return sum(sent is not None for _, _, sent in self.lines[key].ticks)

    async def _subscribed(self, conversation: Conversation, req: int, fields: list[str]) -> None:
        place = _AT[fields[0]] + 1
        symbol = self.con_ids.get(int(fields[place])) or fields[place + 1]
        stream = _STREAMS.get(fields[0]) or next(_TICK_BY_TICK[one] for one in fields if one in _TICK_BY_TICK)
        key = self._keys[id(conversation), req] = (symbol, stream)
        line = self.lines[key]
        line.asked = Request("asked", key, req, time.monotonic(), int(fields[place]), conversation)
        self.seen.append(line.asked)
        said, served = line.answers.pop(0)(req) if line.answers else serves(req)
        conversation.send(said)
        line.conversation, line.req, line.served = conversation, req, served

    def _cancelled(self, conversation: Conversation, req: int) -> None:
        key = self._keys[id(conversation), req]
        self.seen.append(Request("cancelled", key, req, time.monotonic()))
        line = self.lines[key]
        if req == line.req and conversation is line.conversation:
            self._tick(key, line, line.late, sent=True)
            line.served = False

    def _tick(self, key: Key, line: Line, count: int, *, sent: bool) -> None:
        layout, column, rest = _LAYOUTS[key[1]]
        first = len(line.ticks) + 1
        numbers = range(first, first + count)
        line.ticks += [(n, time.time_ns() // 1000, line.asked if sent else None) for n in numbers]
        if sent:
            if key[1] == "level1":
                rest = rest | {"size": line.asked.con_id}  # no line passes for another
            line.conversation.send(b"".join(layout.encode(line.req, rest | {column: n}) for n in numbers))

    async def _run(self, key: Key, line: Line) -> None:
        while True:
            if line.req is not None and not line.rests:
                self._tick(key, line, line.at_once, sent=line.sends)
            await asyncio.sleep(line.every)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        tasks = [asyncio.ensure_future(self._run(key, line)) for key, line in self.lines.items()]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def gaps(root: Path, key: Key) -> pd.DataFrame:
    """The gaps of a stream in microseconds, those also that were open when the recorder ended: they have no end."""
    names = ["reason", "code", "ts_start", "ts_end", "seq_start", "seq_end"]
    found = table(root, "gaps")
    found = found[(found["symbol"] == key[0]) & (found["stream"] == key[1])]
    times = {name: _micros(found[name]) for name in ("ts_start", "ts_end")}
    listed = found.assign(**times)[names].to_numpy().tolist()
    still = folder.load(root).state.gaps.get(key)
    if still is not None:
        listed.append([still.reason, still.code, still.ts_start, float("inf"), still.seq_start, float("inf")])
    return pd.DataFrame(listed, columns=names).sort_values("ts_start", ignore_index=True)


def closed(root: Path, key: Key) -> pd.DataFrame:
    """The gaps of a stream that have an end."""
    found = gaps(root, key)
    return found[found["seq_end"] < float("inf")].reset_index(drop=True)


def reasons(root: Path, key: Key) -> list[tuple[str, int | None]]:
    """Reason and code of each gap of a stream but the one that the recorder's end began."""
    found = gaps(root, key)
    listed = zip(found["reason"], found["code"], strict=True)
    return [(reason, None if pd.isna(code) else int(code)) for reason, code in listed if reason != "restart"]


def rows(root: Path, key: Key) -> pd.DataFrame:
    """A stream's ticks: ``number``, ``ts`` in microseconds, and what the table has."""
    column = _LAYOUTS[key[1]][1]
    found = table(root, key[1])
    found = found[(found["symbol"] == key[0]) & found[column].notna()]
    return found.assign(number=found[column].astype(int), ts=_micros(found["ts_recv"])).reset_index(drop=True)


def events(root: Path, kind: str, symbol: str | None = None) -> pd.DataFrame:
    found = table(root, "events")
    found = found[found["kind"] == kind]
    return found if symbol is None else found[found["symbol"] == symbol]


def surrounds(root: Path, key: Key, gap: pd.Series, under_way: int = 0) -> bool:
    """Whether a gap reaches from a tick to the next, by number and by time.

    ``under_way``: so many may have come in between, sent before the gateway knew that they are not wanted.
    """
    marks = [tuple(mark) for mark in rows(root, key)[["seq", "ts"]].to_numpy().tolist()]
    begin, end = (gap["seq_start"], gap["ts_start"]), (gap["seq_end"], gap["ts_end"])
    return begin in marks and end in marks and marks.index(end) - marks.index(begin) - 1 <= under_way


def prove_whole(root: Path, market: Market) -> None:
    """Every tick is one row, or it lies in a gap, one at a time; the files say the same."""
    for key, line in market.lines.items():
        received, holes = rows(root, key), gaps(root, key)
        there = set(received["number"])
        assert _owed(line, there) == received["number"].tolist(), key
        if key[1] == "level1":
            assert (received["size"] == received["con_id"]).all(), key
        for unit in ("seq", "ts"):
            begins, ends = holes[f"{unit}_start"].to_numpy(), holes[f"{unit}_end"].to_numpy()
            assert (begins[1:] >= ends[:-1]).all(), f"{key}: gaps overlap"
        bare = [n for n, ts, _ in line.ticks if n not in there and not _is_covered(n, ts, received, holes)]
        assert bare == [], f"{key}: lost and in no gap\n{holes.to_string()}"
    assert verify(root).flaws == []


def _owed(line: Line, there: set[int]) -> list[int]:
    """The ticks that must be rows: all that was sent, but for the last of a connection that was cut."""
    ended = {id(sent): sent.req in sent.conversation.cancelled for _, _, sent in line.ticks if sent}
    last = {id(sent): number for number, _, sent in line.ticks if sent and number in there}
    return [n for n, _, sent in line.ticks if sent and (ended[id(sent)] or n <= last.get(id(sent), 0))]


def _is_covered(number: int, ts: int, received: pd.DataFrame, holes: pd.DataFrame) -> bool:
    """Whether a gap reaches from the row before it, or earlier, to the row behind it, or later."""
    place = received["number"].searchsorted(number)
    before, after = received.iloc[max(0, place - 1) : place], received.iloc[place : place + 1]
    seq_before = before["seq"].iloc[0] if len(before) else float("inf")
    ts_before = before["ts"].iloc[0] if len(before) else ts + _BEGINNING
    seq_after = after["seq"].iloc[0] if len(after) else 0
    by_seq = (holes["seq_start"] <= seq_before) & (holes["seq_end"] >= seq_after)
    by_time = (holes["ts_start"] <= max(ts, ts_before)) & (holes["ts_end"] >= ts)
    return bool((by_seq & by_time).any())


def _micros(times: pd.Series) -> pd.Series:
    return times.astype("datetime64[us, UTC]").astype("int64")
