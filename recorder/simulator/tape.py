"""The tape: what one instrument trades and quotes, tick by tick, whether or not anyone listens.

Rules:
- Pure: random numbers and the moment are arguments.
- Once begun, a tape goes on by itself; who was away finds in it what was missed, as from IB's historical
  ticks.
- It remembers the last ``MEMORY`` events and forgets the rest.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from recorder.simulator.contracts import Instrument
from recorder.simulator.walk import Walk

MEMORY: Final = 50_000
"""Events a tape keeps."""

Event: TypeAlias = tuple[int, tuple[object, ...]]
"""A second since the epoch, and a trade (price, size, mask, exchange, conditions) or a quote (bid, ask,
bid size, ask size, mask). Masks are those of message 99."""


@dataclass(slots=True)
class Tape:
    """The events of one instrument, of one sort.

    Attributes:
        made: how many events there have been, the forgotten included.
    """

    instrument: Instrument
    rng: random.Random
    make: Callable[[Walk, random.Random], tuple[object, ...]]
    made: int = 0
    _walk: Walk = field(init=False)
    _events: list[Event] = field(default_factory=list)
    _due: float = 0.0

    def __post_init__(self) -> None:
        self._walk = Walk(self.instrument, self.rng)

    def advance(self, seconds: float, rate: float, now: float) -> None:
        """Time passes: as many events as ``rate`` a second makes."""
        self._due += min(seconds * rate, MEMORY)
        whole = int(self._due)
        self._due -= whole
        self.extend(whole, now)

    def extend(self, count: int, now: float) -> None:
        """``count`` more events, at ``now``."""
        second, make, walk, rng = int(now), self.make, self._walk, self.rng
        self._events += [(second, make(walk, rng)) for _ in range(count)]
        self.made += count
        if len(self._events) > 2 * MEMORY:
            del self._events[:-MEMORY]

    def since(self, cursor: int) -> list[Event]:
        """The events from number ``cursor`` on, of those still remembered."""
        missing = self.made - cursor
        return self._events[-missing:] if missing > 0 else []

    @property
    def events(self) -> list[Event]:
        """All that is remembered, oldest first."""
        return self._events


_US_VENUES: Final = ("NASDAQ", "ARCA", "BATS", "NYSE", "IEX", "DRCTEDGE", "FINRA", "FINRA", "MEMX")


def trade(walk: Walk, rng: random.Random) -> tuple[object, ...]:
    """One trade; odd lots and averages off the tape's record are marked unreported, as FINRA's are."""
    walk.step()
    one, luck = walk.instrument, rng.random()
    price = walk.texts[walk.at + (luck < 0.5)]
    if one.sec_type != "STK":
        return price, walk.size(), 0, one.exchanges[-1], ""
    venue = _US_VENUES[int(luck * 1000) % len(_US_VENUES)]
    if luck > 0.9:
        return price, str(int(luck * 100) % 99 + 1), 2, venue, "   I"
    return price, "100" if luck < 0.6 else walk.size(), 0, venue, " F  " if luck < 0.2 else ""


def quote(walk: Walk, rng: random.Random) -> tuple[object, ...]:
    """One best bid and ask."""
    walk.step()
    mask = 1 if rng.random() < 0.01 else 0
    return walk.bid, walk.ask, walk.size(), walk.size(), mask
