"""The price of one instrument: seeded steps on its tick grid, leaning back to where it began.

Rules:
- Pure but for its own random numbers, which are an argument.
- Prices are handed out as wire text, written with the instrument's decimals as a gateway writes them.
"""

import random
from dataclasses import dataclass, field
from functools import lru_cache

from recorder.simulator.contracts import Instrument

REACH = 100
"""How many ticks a price strays from where it began, either way."""
_MARGIN = 25
"""Room beyond the reach for spreads and the rows of a book."""


@lru_cache(maxsize=4096)
def price_texts(price: float, min_tick: float, decimals: int) -> tuple[str, ...]:
    """Every price a walk can reach, lowest first, as wire text."""
    first = max(round(price / min_tick) - REACH - _MARGIN, 1)
    return tuple(f"{(first + n) * min_tick:.{decimals}f}" for n in range(2 * (REACH + _MARGIN) + 1))


@dataclass(slots=True)
class Walk:
    """Where the market stands.

    Attributes:
        at: index of the bid in ``texts``.
        texts: all prices as wire text; ``texts[at + 1]`` is the ask.
    """

    instrument: Instrument
    rng: random.Random
    at: int = REACH + _MARGIN
    texts: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        one = self.instrument
        self.texts = price_texts(one.price, one.min_tick, one.decimals)

    def step(self) -> None:
        """One seeded step: up, down or none, rarer outwards the further out it is."""
        draw, lean = self.rng.random(), 0.3 * (self.at - REACH - _MARGIN) / REACH
        if draw < 0.3 - lean:
            self.at += 1
        elif draw > 0.7 - lean:
            self.at -= 1

    @property
    def bid(self) -> str:
        """The best bid as wire text."""
        return self.texts[self.at]

    @property
    def ask(self) -> str:
        """The best ask as wire text."""
        return self.texts[self.at + 1]

    def size(self) -> str:
        """A plausible size: whole lots of a stock seen in shares, fractions of a coin."""
        lot = self.instrument.lot
        whole = int(self.rng.random() ** 2 * 40) + 1
        if lot < 1:
            return repr(round(whole * self.rng.random() * 0.0007 + lot, 9))
        return str(int(whole * min(lot, 100)) if lot < 500_000 else int(whole * lot))


def middle(bid: str, ask: str, decimals: int) -> str:
    """Halfway between two prices, trailing zeros dropped as the gateway drops them."""
    return f"{(float(bid) + float(ask)) / 2:.{decimals + 1}f}".rstrip("0").rstrip(".")
