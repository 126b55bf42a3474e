"""Actions on what stands behind the gateway: IB's servers, the farms, the nightly reset, unanswered requests."""

import math
from typing import Literal, TypeAlias

from recorder.simulator.actions.connection import drop, refuse_id
from recorder.simulator.actions.stage import Stage
from recorder.simulator.world import FARMS

Asked: TypeAlias = Literal[
    "contract_details", "historical_ticks", "current_time", "matching_symbols", "level1", "ticks", "depth", "bars",
]  # fmt: skip
"""Requests that can be left unanswered."""


def farm(stage: Stage, name: str, state: Literal["down", "up", "idle"]) -> None:
    """A data farm breaks (``down``: 2103 and like), is back (``up``: 2104), or sleeps till asked (``idle``: 2108)."""
    stage.world.turn_farm(name, state)


def lost(stage: Stage) -> None:
    """The gateway has lost IB's servers: 1100, and silence."""
    stage.world.connected = False
    stage.world.tell_all(1100)


def restored(stage: Stage, data: Literal["kept", "lost"] = "kept") -> None:
    """IB's servers are back: 1102, or with ``data: lost`` 1101 and every subscription forgotten."""
    stage.world.connected = True
    for session in stage.world.started() if data == "lost" else ():
        session.subscriptions.clear()
    stage.world.tell_all(1101 if data == "lost" else 1102)


def nightly_reset(stage: Stage, seconds: float = 30.0) -> None:
    """1100, all dropped and refused ``for`` a while, then 326 once and farms broken, OK half as long again later."""
    lost(stage)
    stage.later(seconds / 10, lambda: _restart(stage, seconds * 0.9))
    stage.later(seconds * 1.5, lambda: _turn_farms(stage, "up"))


def _restart(stage: Stage, seconds: float) -> None:
    """The gateway goes away and comes back logged in, its farms not yet there."""
    drop(stage)
    stage.refuse(seconds)
    refuse_id(stage)
    _turn_farms(stage, "down")
    stage.world.connected = True


def _turn_farms(stage: Stage, state: Literal["down", "up"]) -> None:
    for name in FARMS:
        stage.world.turn_farm(name, state)


def unanswered(stage: Stage, requests: Asked, times: int = 1) -> None:
    """The next requests of a kind get no answer, ever."""
    stage.world.ignored[requests] += times


def invalid(stage: Stage, requests: Asked, times: int = 1) -> None:
    """The next requests of a kind get 321 and no other end."""
    stage.world.rejected[requests] += times


def read_only(stage: Stage, seconds: float = math.inf) -> None:
    """The API is set to read-only: to list orders is refused too, 321, and the list never ends."""
    stage.world.read_only = True
    stage.later(seconds, lambda: setattr(stage.world, "read_only", False))
