"""Actions on the market: silence, closing, books, contracts that change."""

import math
from collections.abc import Iterable

from recorder.simulator.actions.stage import Stage, end, subscriptions
from recorder.simulator.book import Book
from recorder.simulator.frames import encode
from recorder.simulator.session import Subscription


def mute(stage: Stage, symbol: str, seconds: float = math.inf, lasting: bool = False) -> None:
    """A symbol's subscriptions (``all``: everyone's) tick no more; a new request does, unless ``lasting``."""
    muted = [one for _, one in subscriptions(stage, symbol)]
    _set_muted(muted, muted=True)
    stage.later(seconds, lambda: _set_muted(muted, muted=False))
    if lasting:
        stage.world.muted.add(symbol)
        stage.later(seconds, lambda: stage.world.muted.discard(symbol))


def unmute(stage: Stage, symbol: str) -> None:
    """The symbol ticks again."""
    stage.world.muted.discard(symbol)
    _set_muted((one for _, one in subscriptions(stage, symbol)), muted=False)


def close_market(stage: Stage) -> None:
    """Quotes go to -1.00 and all but coins fall silent."""
    stage.world.market_open = False


def open_market(stage: Stage) -> None:
    """Trading begins again."""
    stage.world.market_open = True


def late_ticks(stage: Stage, lag: float = 1.0, seconds: float = math.inf) -> None:
    """From now on what is cancelled goes on ticking for ``lag`` seconds; a second cancel is told 300 or 310."""
    stage.world.lag = lag
    stage.later(seconds, lambda: setattr(stage.world, "lag", 0.0))


def updates_dropped(stage: Stage, symbol: str) -> None:
    """10182 for a symbol's subscriptions: nothing more comes until it is asked for anew."""
    end(stage, symbol, 10182)


def depth_reset(stage: Stage) -> None:
    """317 for every book, then the book from nothing."""
    for session, one in subscriptions(stage, "all"):
        if isinstance(one.stream, Book):
            session.tell(one.req, 317)
            session.out += encode(one.req, one.stream.start(stage.world.now()))


def depth_halt(stage: Stage) -> None:
    """316 for every book: nothing more comes until it is asked for anew."""
    end(stage, "all", 316, "depth")


def roll(stage: Stage, symbol: str) -> None:
    """A symbol's continuous future stands for the next expiry when looked up anew; the old one goes on ticking."""
    stage.world.universe.roll(symbol)


def delist(stage: Stage, symbol: str, seconds: float = math.inf) -> None:
    """A symbol is unknown: 200 ends its subscriptions and refuses new requests."""
    end(stage, symbol, 200)
    delisted = stage.world.universe.delisted
    delisted.add(symbol)
    stage.later(seconds, lambda: delisted.discard(symbol))


def _set_muted(muted_or_not: Iterable[Subscription], *, muted: bool) -> None:
    for one in muted_or_not:
        one.muted = muted
