"""IB's data farms: which are down, and what is known of who hangs on which.

IB never says which line comes from which farm. What is known: a line that ticks while a farm is down does not hang
on it.
"""

from collections import defaultdict
from dataclasses import dataclass, field

from recorder.session.inputs import Now
from recorder.wire import codes

_MARKET_DATA = {codes.FARM_BROKEN, codes.FARM_OK}


@dataclass(slots=True)
class Farms:
    """The farms as far as the gateway told.

    Attributes:
        down: name to when it broke, microseconds since 1970; also the farms that carry no live data.
        broke: name to when it broke last, on the steady clock.
        back_at: when one of live data, or IB, came back last, on the steady clock.
    """

    down: dict[str, int] = field(default_factory=dict)
    broke: dict[str, float] = field(default_factory=dict)
    back_at: float = float("-inf")
    _elsewhere: defaultdict[str, set[object]] = field(default_factory=lambda: defaultdict(set))
    _carrying: set[str] = field(default_factory=set)

    def said(self, code: int, text: str, now: Now) -> str | None:
        """Take a notice; returns the farm's name if it carries live data and has just broken or come back."""
        # "... is broken:usfarm", and "... should be available upon demand.usfarm" (2107, 2108).
        name = text.rpartition("demand.")[2].rpartition(":")[2].strip() or "a farm"
        if code in codes.FARMS_BROKEN:
            if name in self.down:
                return None
            self.broke[name], self.down[name] = now.steady, now.wall
            if code in _MARKET_DATA:
                self._carrying.add(name)
        elif self.down.pop(name, None) is None:
            return None
        elif name in self._carrying:
            self.back_at = now.steady
        return name if name in self._carrying else None

    def carrying(self) -> list[str]:
        """The farms of live data that are down."""
        return [name for name in self.down if name in self._carrying]

    def may_carry(self, farm: str, line: object) -> bool:
        """Whether the line may hang on the farm."""
        return line not in self._elsewhere[farm]

    def broke_at(self, line: object) -> float:
        """When a farm that is down and may carry the line broke last, on the steady clock."""
        moments = (self.broke[farm] for farm in self.carrying() if self.may_carry(farm, line))
        return max(moments, default=float("-inf"))

    def not_on(self, farm: str, line: object) -> None:
        """The line has ticked while the farm was down."""
        self._elsewhere[farm].add(line)

    def forget_outages(self) -> None:
        """A new connection tells anew, and IB may serve a line from elsewhere then."""
        self.down.clear()
        self._elsewhere.clear()
