"""What ``reqMktData`` streams of one instrument: the opening picture, then tick after tick.

Rules:
- Pure: the random numbers and the moment are arguments, messages come out.
- Each kind of instrument sends what IB sends of it: a stock trades and says so twice (LAST, then LAST_SIZE and
  VOLUME), FX quotes only, an index has a LAST without size, options send greeks, coins fractional sizes.
- Delayed data are the same ticks under their delayed types.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from recorder.simulator.contracts import Instrument
from recorder.simulator.frames import EFP, GENERIC, GREEKS, NO_PRICE, PRICE, SIZE, STRING, Message
from recorder.simulator.generic_ticks import EXTRAS, RT_TRADE_VOLUME, RT_VOLUME
from recorder.simulator.walk import Walk

DELAYED: Final = {
    0: 69, 1: 66, 2: 67, 3: 70, 4: 68, 5: 71, 6: 72, 7: 73, 8: 74, 9: 75, 10: 80, 11: 81, 12: 82, 13: 83, 14: 76,
    45: 88, 49: 90,
}  # fmt: skip
"""Live tick type -> its delayed twin; the others have none and keep their number."""

_TRADED: Final = frozenset({"STK", "FUT", "CONTFUT", "OPT", "CRYPTO", "BOND"})
"""Security types that have trades."""


@dataclass(slots=True)
class Level1:
    """One instrument's level 1.

    Attributes:
        delayed: send the delayed twins of the tick types.
        part: send what needs no permission only (error 10090).
        generic: the generic ticks asked for.
    """

    instrument: Instrument
    rng: random.Random
    generic: frozenset[int] = frozenset()
    delayed: bool = False
    part: bool = False
    _walk: Walk = field(init=False)
    _left: list[Message] = field(default_factory=list)
    _volume: float = 0.0
    _worth: float = 0.0
    _high: int = 0
    _low: int = 1 << 30
    _second: int = 0
    _now: float = 0.0
    _types: dict[int, int] = field(init=False)
    _mix: tuple[tuple[float, "Event"], ...] = field(init=False)

    def __post_init__(self) -> None:
        self._walk = Walk(self.instrument, self.rng)
        self._types = {n: DELAYED.get(n, n) if self.delayed else n for n in range(128)}
        self._mix = _MIX["PART"] if self.part else _MIX.get(self.instrument.sec_type, _MIX["STK"])
        if self.instrument.symbol == "IBM" and self.instrument.sec_type == "STK":
            self._mix = ((0.05, _efp), *self._mix)
        self._volume = 1_000_000 * min(self.instrument.lot, 1)
        self._worth = self._volume * self.instrument.price

    def start(self, now: float, closed: bool = False) -> list[Message]:
        """The opening picture; of a closed market quotes that are none and yesterday's close."""
        self._now = now
        messages = _opening(self) if self.instrument.sec_type in _TRADED and not self.part else []
        messages += [self._price(6, self._walk.at + 15, "0", 0), self._price(7, self._walk.at - 15, "0", 0)]
        messages += [self._price(9, self._walk.at - 3, "0", 0)]
        messages += [message for tick in sorted(self.generic) for message in EXTRAS.get(tick, ())]
        return messages + (self.no_quotes() if closed else self._quotes())

    def more(self, count: int, now: float) -> list[Message]:
        """The next ``count`` ticks."""
        self._now = now
        ticks, mix, draw = self._left, self._mix, self.rng.random
        while len(ticks) < count:
            luck = draw()
            for bound, event in mix:
                if luck < bound:
                    ticks += event(self)
                    break
        self._left = ticks[count:]
        return ticks[:count]

    def no_quotes(self) -> list[Message]:
        """Bid and ask of a market that has none."""
        if self.instrument.sec_type == "IND" or self.part:
            return []
        return [(PRICE, (self._types[side], NO_PRICE, 0, 1)) for side in (1, 2)]

    def _quotes(self) -> list[Message]:
        if self.instrument.sec_type == "IND":
            return _index_last(self)
        sides = [] if self.part else [self._price(1, self._walk.at, self._walk.size(), 1)]
        sides += [] if self.part else [self._price(2, self._walk.at + 1, self._walk.size(), 1)]
        return sides + (_greeks(self) if self.instrument.sec_type == "OPT" else [])

    def _price(self, tick: int, at: int, size: str, mask: int) -> Message:
        return PRICE, (self._types[tick], self._walk.texts[at], size, mask)


Event = Callable[[Level1], list[Message]]


def _opening(state: Level1) -> list[Message]:
    """A traded instrument's first words: last trade, its time, halted, volume."""
    types = state._types  # noqa: SLF001 - the events are the class's own, apart for the table of mixes
    return [
        (STRING, (types[45], int(state._now) - 1)),  # noqa: SLF001
        state._price(4, state._walk.at, state._walk.size(), 0),  # noqa: SLF001
        (GENERIC, (types[49], "0.0")),
        (SIZE, (types[8], _size(state._volume))),  # noqa: SLF001
    ]
