"""What an action can get hold of, and the few ways to get at the clients from there."""

from collections.abc import Callable
from typing import Protocol

from recorder.simulator.link import Link
from recorder.simulator.session import Session, Subscription
from recorder.simulator.world import World


class Stage(Protocol):
    """The simulator, as actions see it."""

    world: World
    links: dict[int, Link]

    def clock(self) -> float:
        """The steady clock."""

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something when the time has come; never, if it is infinitely far."""

    def refuse(self, seconds: float) -> None:
        """Stop listening for a while."""


def subscriptions(stage: Stage, symbol: str) -> list[tuple[Session, Subscription]]:
    """What runs for a symbol just now, with its session; ``all``: for every symbol."""
    return [
        (session, one)
        for session in stage.world.started()
        for one in session.subscriptions.values()
        if symbol in {"all", one.instrument.symbol}
    ]


def end(stage: Stage, symbol: str, code: int, *kinds: str) -> None:
    """An error for a symbol's subscriptions, which are over; all kinds of them unless some are named."""
    for session, one in subscriptions(stage, symbol):
        if one.kind in kinds or not kinds:
            session.tell(one.req, code)
            session.end(one.kind, one.req)
