"""How long to wait before connecting again, and how often to speak of it."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

_AGAIN_SECONDS = 60.0
"""An outage that goes on is spoken of this often."""


def backoff(shortest: float, longest: float, rng: random.Random) -> Iterator[float]:
    """Seconds to wait, for ever: ``shortest`` first, doubling up to ``longest``, each drawn from its upper half.

    The jitter keeps several recorders from knocking at the same moment.
    """
    pause = shortest
    while True:
        yield pause * rng.uniform(0.5, 1)
        pause = min(pause * 2, longest)


@dataclass(slots=True)
class Outage:
    """A time without connection; times are seconds of a steady clock.

    Attributes:
        attempts: how often connecting has failed.
    """

    attempts: int = 0
    _since: float | None = None
    _reason: str = ""
    _spoken: float = 0.0

    def failed(self, reason: str, now: float) -> tuple[bool, bool]:
        """Connecting failed: is the reason a new one, and is it time to speak of it?"""
        self._since = now if self._since is None else self._since
        self.attempts += 1
        is_new = reason != self._reason
        is_due = is_new or now - self._spoken >= _AGAIN_SECONDS
        self._reason = reason
        self._spoken = now if is_due else self._spoken
        return is_new, is_due

    def seconds(self, now: float) -> float:
        """How long it has lasted; 0 before the first failure."""
        return 0.0 if self._since is None else now - self._since
