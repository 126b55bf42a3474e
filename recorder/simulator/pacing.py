"""How fast a client may ask: messages a second, and historical tick requests.

Rules:
- Pure: moments are arguments, seconds of any steady clock.
- The limits are IB's published ones; what exceeds them is answered, and repeated excess ends the connection.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

MESSAGES_A_SECOND: Final = 50
VIOLATIONS: Final = 3
"""How often a client may send too fast before the gateway hangs up."""
TICK_PAUSE: Final = 15.0
"""Seconds between two tick-by-tick requests for one instrument and kind."""


@dataclass(slots=True)
class MessageRate:
    """Counts a client's messages.

    Attributes:
        violations: how often the limit was broken.
    """

    violations: int = 0
    _times: deque[float] = field(default_factory=deque)

    def exceeded(self, moment: float) -> bool:
        """Another message has come; true if that breaks the limit. Counting then begins anew."""
        self._times.append(moment)
        while moment - self._times[0] > 1:
            self._times.popleft()
        if len(self._times) <= MESSAGES_A_SECOND:
            return False
        self._times.clear()
        self.violations += 1
        return True


@dataclass(slots=True)
class HistoryPacing:
    """Historical tick requests: none identical within 15 s, under 6 alike in 2 s, 60 in 10 minutes."""

    _asked: deque[tuple[float, tuple[object, ...], tuple[object, ...]]] = field(default_factory=deque)

    def exceeded(
        self, moment: float, alike: tuple[object, ...], identical: tuple[object, ...], weight: int
    ) -> bool:
        """A request has come; true if it is one too many and is not counted.

        Args:
            moment: when.
            alike: what makes two requests count together: contract, exchange and kind.
            identical: all the request says.
            weight: 2 for BID_ASK, which counts twice.
        """
        while self._asked and moment - self._asked[0][0] > 600:
            self._asked.popleft()
        recent = [(moment - when, sort, whole) for when, sort, whole in self._asked]
        same = any(age < 15 and whole == identical for age, _, whole in recent)
        burst = sum(age < 2 and sort == alike for age, sort, _ in recent)
        if same or burst + weight > 5 * weight or len(recent) + weight > 60:
            return True
        self._asked.extend([(moment, alike, identical)] * weight)
        return False
