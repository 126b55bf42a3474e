"""What ``reqRealTimeBars`` streams: a bar each five seconds of the clock.

Rules:
- Pure: a bar comes when the clock has passed its end; how many ticks are asked for does not matter.
- Bars of FX midpoints have no volume: -1, -1.0, -1.
"""

import random
from dataclasses import dataclass, field

from recorder.simulator.contracts import Instrument
from recorder.simulator.frames import BAR, Message
from recorder.simulator.walk import Walk, middle

PERIOD = 5
"""Seconds of a bar; all starts are multiples of it."""
SHOWS = ("TRADES", "MIDPOINT", "BID", "ASK")
STEPS = 20


@dataclass(slots=True)
class Bars:
    """One subscription to real-time bars."""

    instrument: Instrument
    rng: random.Random
    show: str
    _walk: Walk = field(init=False)
    _next: int = 0

    def __post_init__(self) -> None:
        self._walk = Walk(self.instrument, self.rng)

    def start(self, now: float) -> list[Message]:
        """The first bar is the one now running; nothing comes before it ends."""
        self._next = int(now // PERIOD) * PERIOD
        return []

    def more(self, count: int, now: float) -> list[Message]:  # noqa: ARG002 - bars keep the clock's time
        """The bar that ended, if one did; of several at once the last, as IB never sends old ones."""
        start = int(now // PERIOD) * PERIOD - PERIOD
        if start < self._next:
            return []
        self._next = start + PERIOD
        return [(BAR, (start, *self._prices(), *self._trading()))]

    def _prices(self) -> tuple[str, str, str, str]:
        path = []
        for _ in range(STEPS):
            self._walk.step()
            path.append(self._walk.at)
        first, last = path[0], path[-1]
        return self._text(first), self._text(max(path)), self._text(min(path)), self._text(last)

    def _text(self, at: int) -> str:
        bid, ask = self._walk.texts[at], self._walk.texts[at + 1]
        if self.show == "MIDPOINT":
            return middle(bid, ask, self.instrument.decimals)
        return ask if self.show == "ASK" else bid

    def _trading(self) -> tuple[object, ...]:
        """Volume, weighted average price and number of trades."""
        if self.show != "TRADES":
            return "-1", "-1.0", -1
        volume = "0.0084213" if self.instrument.lot < 1 else str(100 + int(self.rng.random() * 900))
        return volume, self._walk.bid, 1 + int(self.rng.random() * 50)
