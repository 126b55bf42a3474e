"""What of a watchlist fits the account's limits, counted before anything is asked of IB.

Rules:
- In the order of the watchlist; what does not fit is refused by name, and what follows goes on.
- Level 1 and real-time bars take a market data line each. Tick-by-tick streams and market depth do not, but
  have limits of their own that follow from the lines.

Source: IB's table "Specialized Market Data Lines": 100 lines allow 5 tick-by-tick streams and 3 books, every
100 more 5 streams more, and from 401 on a book more, to at most 60 books. Its page on real-time bars: they
count as lines. Two independent counts of 2026 met error 10190 at the sixth stream of 100 lines.
"""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from recorder.config.model import Config, Stream
from recorder.config.offers import TICK_BY_TICK


@dataclass(frozen=True, slots=True)
class Limits:
    """How much IB streams at a time.

    Attributes:
        lines: market data lines: level 1 subscriptions and real-time bars.
        tick_by_tick: tick-by-tick streams.
        depth: order books.
    """

    lines: int
    tick_by_tick: int
    depth: int

    @classmethod
    def of(cls, max_lines: int) -> "Limits":
        """The limits of an account with ``max_lines`` market data lines, counted in hundreds begun."""
        hundreds = math.ceil(max_lines / 100)
        return cls(max_lines, tick_by_tick=5 * hundreds, depth=min(60, max(3, hundreds - 1)))


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether one stream fits.

    Attributes:
        line: the index of the line in the watchlist.
        stream: the stream.
        reason: why it does not fit, and what would help; None if it fits.
    """

    line: int
    stream: Stream
    reason: str | None

    @property
    def accepted(self) -> bool:
        """Whether it fits."""
        return self.reason is None


def budget(config: Config, limits: Limits | None = None) -> tuple[Verdict, ...]:
    """A verdict on each stream of the watchlist, in its order.

    Args:
        config: whose watchlist to count.
        limits: what IB allows; by default what follows from ``gateway.max_lines``.
    """
    allowed = _by_pool(limits or Limits.of(config.gateway.max_lines))
    used: Counter[str] = Counter()
    verdicts = []
    for index, line in enumerate(config.watchlist):
        for stream in line.streams:
            pool = _pool(stream)
            used[pool] += 1
            fits = used[pool] <= allowed[pool]
            verdicts.append(Verdict(index, stream, None if fits else _reason(pool, allowed[pool])))
    return tuple(verdicts)


def lines_used(config: Config) -> int:
    """How many market data lines the watchlist asks for, whether they fit or not."""
    return sum(_pool(stream) == "lines" for line in config.watchlist for stream in line.streams)


def _by_pool(limits: Limits) -> Mapping[str, int]:
    return {"lines": limits.lines, "tick_by_tick": limits.tick_by_tick, "depth": limits.depth}


def _pool(stream: Stream) -> str:
    if stream.kind in TICK_BY_TICK:
        return "tick_by_tick"
    return "depth" if stream.kind == "depth" else "lines"


def _reason(pool: str, allowed: int) -> str:
    if pool == "lines":
        taken = "the one market data line is" if allowed == 1 else f"all {allowed} market data lines are"
        return f"{taken} taken; raise gateway.max_lines if the account has more"
    what = "tick-by-tick streams" if pool == "tick_by_tick" else "order books"
    return f"all {allowed} {what} are taken that IB allows with gateway.max_lines; move it up to prefer it"
