"""How long to wait before connecting again: doubling, capped, with jitter."""

import random
from collections.abc import Iterator


def backoff(shortest: float, longest: float, rng: random.Random) -> Iterator[float]:
    """Seconds to wait, for ever: ``shortest`` first, doubling up to ``longest``, each drawn from its upper half.

    The jitter keeps several recorders from knocking at the same moment.
    """
    pause = shortest
    while True:
        yield pause * rng.uniform(0.5, 1)
        pause = min(pause * 2, longest)
