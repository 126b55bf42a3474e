"""What ``reqMktData`` streams of one instrument: the opening picture, then tick after tick.

Rules:
- Pure: the random numbers and the moment are arguments, messages come out.
- Each kind of instrument sends what IB sends of it: a stock trades and says so twice (LAST, then
  LAST_SIZE and VOLUME), FX quotes only, an index has a LAST without size, options send greeks, coins
  fractional sizes.
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
from recorder.wire.layouts import NOT_COMPUTED

DELAYED: Final = {
    0: 69, 1: 66, 2: 67, 3: 70, 4: 68, 5: 71, 6: 72, 7: 73, 8: 74, 9: 75, 10: 80, 11: 81, 12: 82, 13: 83,
    14: 76,
    45: 88, 49: 90,
}  # fmt: skip
"""Live tick type -> its delayed twin; the others have none and keep their number."""

_TRADED: Final = frozenset({"STK", "FUT", "CONTFUT", "OPT", "CRYPTO", "BOND"})
"""Security types that have trades."""


@dataclass(slots=True)
class Level1:
    """One instrument's level 1.

    Attributes:
        generic: the generic ticks asked for.
        delayed: send the delayed twins of the tick types.
        part: send only what needs no permission (error 10090).
    """

    instrument: Instrument
    rng: random.Random
    generic: frozenset[int] = frozenset()
    delayed: bool = False
    part: bool = False
    walk: Walk = field(init=False)
    types: dict[int, int] = field(init=False)
    mix: "tuple[tuple[float, Event], ...]" = field(init=False)
    now: float = 0.0
    volume: float = field(init=False)
    worth: float = field(init=False)
    extremes: list[int] = field(init=False)
    second: int = 0
    waiting: list[Message] = field(default_factory=list)

    def __post_init__(self) -> None:
        one = self.instrument
        self.walk = Walk(one, self.rng)
        self.types = {n: DELAYED.get(n, n) if self.delayed else n for n in range(128)}
        self.mix = (
            MIXES["PART"] if self.part else MIXES.get(f"{one.sec_type} {one.symbol}", MIXES[one.sec_type])
        )
        self.volume = 1_000_000.0 * min(one.lot, 1)
        self.worth = self.volume * one.price
        self.extremes = [self.walk.at + 5, self.walk.at - 5]

    def start(self, now: float, *, closed: bool = False) -> list[Message]:
        """The opening picture; of a closed market quotes that are none, and yesterday's close."""
        self.now = now
        messages = self._opening() if self.instrument.sec_type in _TRADED and not self.part else []
        high, low = self.extremes
        messages += [self.price(6, high, "0", 0), self.price(7, low, "0", 0), self.price(9, low + 2, "0", 0)]
        messages += [message for tick in sorted(self.generic) for message in EXTRAS.get(tick, ())]
        return messages + (self.no_quotes() if closed else self._quotes())

    def more(self, count: int, now: float) -> list[Message]:
        """The next ``count`` ticks."""
        self.now = now
        ticks, mix, draw = self.waiting, self.mix, self.rng.random
        while len(ticks) < count:
            luck = draw()
            for bound, event in mix:
                if luck < bound:
                    ticks += event(self)
                    break
        self.waiting = ticks[count:]
        return ticks[:count]

    def no_quotes(self) -> list[Message]:
        """Bid and ask of a market that has none."""
        if self.instrument.sec_type == "IND" or self.part:
            return []
        return [(PRICE, (self.types[side], NO_PRICE, "0", 1)) for side in (1, 2)]

    def price(self, tick: int, at: int, size: str, mask: int) -> Message:
        """Message 1 of one tick type, at a price of the walk."""
        return PRICE, (self.types[tick], self.walk.texts[at], size, mask)

    def _opening(self) -> list[Message]:
        """A traded instrument's first words: time of the last trade, the trade, halted, volume."""
        return [
            (STRING, (self.types[45], str(int(self.now) - 1))),
            self.price(4, self.walk.at, self.walk.size(), 0),
            (GENERIC, (self.types[49], "0.0")),
            (SIZE, (self.types[8], _plain(self.volume))),
        ]

    def _quotes(self) -> list[Message]:
        if self.instrument.sec_type == "IND":
            return index_last(self)
        if self.part:
            return []
        sides = [self.price(side, self.walk.at + side - 1, self.walk.size(), 1) for side in (1, 2)]
        return sides + (greeks(self) if self.instrument.sec_type == "OPT" else [])


Event = Callable[[Level1], list[Message]]


def quote(state: Level1) -> list[Message]:
    """The market moves a little: a new bid or ask, or only its size."""
    walk, luck = state.walk, state.rng.random()
    walk.step()
    side = 1 if luck < 0.5 else 2
    if 0.35 < luck < 0.65:
        return [(SIZE, (state.types[0 if side == 1 else 3], walk.size()))]
    return [state.price(side, walk.at + side - 1, walk.size(), 1)]


def forex_quote(state: Level1) -> list[Message]:
    """FX says its sizes with its prices only."""
    state.walk.step()
    side = 1 if state.rng.random() < 0.5 else 2
    return [state.price(side, state.walk.at + side - 1, state.walk.size(), 1)]


def trade(state: Level1) -> list[Message]:
    """A trade, told as IB tells it: LAST, the same size again, the volume, and RTVolume if asked for."""
    walk, types = state.walk, state.types
    at, size = walk.at + (state.rng.random() < 0.5), walk.size()
    state.volume += float(size)
    state.worth += float(size) * float(walk.texts[at])
    messages = [
        state.price(4, at, size, 0),
        (SIZE, (types[5], size)),
        (SIZE, (types[8], _plain(state.volume))),
    ]
    if int(state.now) != state.second:
        state.second = int(state.now)
        messages.insert(0, (STRING, (types[45], str(state.second))))
    return messages + _extreme(state, at) + _rt_volume(state, walk.texts[at], size)


def index_last(state: Level1) -> list[Message]:
    """An index is computed: a LAST without size."""
    state.walk.step()
    return [state.price(4, state.walk.at, "", 0), *_extreme(state, state.walk.at)]


def greeks(state: Level1) -> list[Message]:
    """Bid, ask, last and model computations; now and then one that was not computed."""
    return [
        (GREEKS, (state.types[kind], int(kind == 13), *_computed(state, kind))) for kind in (10, 11, 12, 13)
    ]


def high_low(state: Level1) -> list[Message]:
    """What is left of level 1 without permission."""
    state.walk.step()
    return [state.price(9, state.walk.at, "0", 0)]


def bond_yield(state: Level1) -> list[Message]:
    """Yields of bid and ask."""
    return [(PRICE, (tick, f"{4.2 + state.rng.random():.4f}", "0", 0)) for tick in (50, 51)]


def exchange_for_physical(state: Level1) -> list[Message]:
    """Message 47, the basis of swapping the stock for its future."""
    points = f"{state.rng.random() * 9:.2f}"
    tick = 38 + int(state.rng.random() * 7)
    return [(EFP, (tick, points, f"{points}%", "224.105", 26, "20261218", "0.0", "1.67"))]


def _extreme(state: Level1, at: int) -> list[Message]:
    high, low = state.extremes
    if low <= at <= high:
        return []
    state.extremes = [max(high, at), min(low, at)]
    return [state.price(6 if at > high else 7, at, "0", 0)]


def _rt_volume(state: Level1, price: str, size: str) -> list[Message]:
    """RTVolume: price, size, ms, cumulative volume, vwap, single market maker; or all but the trade."""
    tail = f"{int(state.now * 1000)};{_plain(state.volume)};{state.worth / state.volume:.8f}"
    kinds = ((RT_VOLUME, 48), (RT_TRADE_VOLUME, 77))
    messages: list[Message] = [
        (STRING, (tick, f"{price};{size};{tail};true")) for asked, tick in kinds if asked in state.generic
    ]
    if RT_VOLUME in state.generic and state.rng.random() < 0.1:
        messages.append((STRING, (48, f";0;{tail};false")))
    return messages


def _computed(state: Level1, kind: int) -> tuple[object, ...]:
    """Volatility, delta, price, dividend, gamma, vega, theta and underlying, or "not computed"."""
    draw, call = state.rng.random(), 1 if state.instrument.right == "C" else -1
    if kind != 13 and draw < 0.2:
        return tuple(NOT_COMPUTED[name] for name in _GREEK_FIELDS)
    numbers = (
        0.15 + draw / 100,
        call * (0.5 + draw / 20),
        float(state.walk.bid),
        1.7,
        0.011,
        0.84,
        -0.12,
        600 + draw,
    )
    return tuple(f"{number:.12g}" for number in numbers)


_GREEK_FIELDS = (
    "implied_vol", "delta", "option_price", "pv_dividend", "gamma", "vega", "theta", "underlying_price",
)  # fmt: skip


def _plain(size: float) -> str:
    """A cumulated size without the noise of adding up fractions."""
    return str(int(size)) if size.is_integer() else f"{size:.9f}".rstrip("0")


MIXES: Final[dict[str, tuple[tuple[float, Event], ...]]] = {
    "STK": ((0.8, quote), (1.0, trade)),
    "STK IBM": ((0.75, quote), (0.95, trade), (1.0, exchange_for_physical)),
    "FUT": ((0.7, quote), (1.0, trade)),
    "CONTFUT": ((0.7, quote), (1.0, trade)),
    "CRYPTO": ((0.8, quote), (1.0, trade)),
    "OPT": ((0.7, quote), (0.8, trade), (1.0, greeks)),
    "CASH": ((1.0, forex_quote),),
    "CFD": ((1.0, quote),),
    "IND": ((1.0, index_last),),
    "BOND": ((0.85, quote), (0.95, trade), (1.0, bond_yield)),
    "PART": ((1.0, high_low),),
}
"""How often each event comes, cumulated, by security type, or by type and symbol."""
