"""What ``reqTickByTickData`` streams: the tape, as message 99.

Rules:
- Pure. One tape serves every subscriber, so two clients see the same trades.
- The first ``numberOfTicks`` historical ones IB can send ahead are not sent.
"""

from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from recorder.simulator.frames import MIDPOINT, QUOTE, TRADE, Message
from recorder.simulator.tape import Event, Tape
from recorder.simulator.walk import middle

Kind: TypeAlias = Literal["Last", "AllLast", "BidAsk", "MidPoint"]
VARIANTS: Final[dict[str, int]] = {"Last": 1, "AllLast": 2, "BidAsk": 3, "MidPoint": 4}
"""What a client may ask for, and the number message 99 says it with."""
SOURCES: Final[dict[str, str]] = {
    "Last": "trades",
    "AllLast": "trades",
    "BidAsk": "quotes",
    "MidPoint": "quotes",
}
"""The tape each kind is read from."""
UNREPORTED: Final = 2


@dataclass(slots=True)
class TickByTick:
    """A reader of a tape.

    Attributes:
        unlimited: when the tape has nothing new, it goes on at once (a load generator's rate).
        ignore_size: leave out quotes whose prices are those of the one before.
    """

    tape: Tape
    kind: str
    unlimited: bool = False
    ignore_size: bool = False
    _cursor: int = field(init=False)
    _last: tuple[object, ...] = ()

    def __post_init__(self) -> None:
        self._cursor = self.tape.made

    def start(self, now: float) -> list[Message]:  # noqa: ARG002 - every stream starts with the moment
        """Nothing comes ahead of the first tick."""
        return []

    def more(self, count: int, now: float) -> list[Message]:
        """What the tape has since the last call."""
        if self.unlimited and self._cursor == self.tape.made:
            self.tape.extend(count, now)
        events = self.tape.since(self._cursor)
        self._cursor = self.tape.made
        return [message for event in events for message in self._messages(event)]

    def skip(self) -> None:
        """What happened unheard is gone."""
        self._cursor = self.tape.made

    def _messages(self, event: Event) -> list[Message]:
        second, values = event
        variant = VARIANTS[self.kind]
        if self.kind in {"Last", "AllLast"}:
            heard = self.kind == "AllLast" or values[2] != UNREPORTED
            return [(TRADE, (variant, second, *values))] if heard else []
        if (self.ignore_size or self.kind == "MidPoint") and values[:2] == self._last:
            return []
        self._last = values[:2]
        if self.kind == "BidAsk":
            return [(QUOTE, (variant, second, *values))]
        mid = middle(str(values[0]), str(values[1]), self.tape.instrument.decimals)
        return [(MIDPOINT, (variant, second, mid))]
