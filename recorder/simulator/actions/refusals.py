"""Actions that refuse: errors, permissions, limits, a competing session, another contract to ask for."""

import math

from recorder.simulator import notices
from recorder.simulator.actions.stage import Stage, end, subscriptions
from recorder.simulator.frames import REROUTE, REROUTE_DEPTH, encode
from recorder.simulator.permission import GRANTED, Code
from recorder.simulator.subscribe import judge_anew


def error(stage: Stage, code: int, text: str = "", symbol: str = "", ends: bool = False) -> None:
    """An error for a symbol's subscriptions (``all``: for all; none: for -1); ``ends``: they are over."""
    words = text or notices.text(code, "", "")
    for session in stage.world.started() if not symbol else ():
        session.out.append(notices.notice(session.version, -1, code, words))
    for session, one in subscriptions(stage, symbol) if symbol else ():
        session.out.append(notices.notice(session.version, one.req, code, words))
        if ends:
            session.end(one.kind, one.req)


def revoke(stage: Stage, symbol: str, code: Code, seconds: float = math.inf) -> None:
    """No permission for a symbol's (``all``) data: what runs is told so, and later requests are, until ``grant``."""
    permits = _rule(stage, symbol, code)
    for session, one in subscriptions(stage, symbol):
        judge_anew(session, one)
    stage.later(seconds, lambda: _forget(permits, symbol))


def grant(stage: Stage, symbol: str) -> None:
    """A symbol's data are permitted, to those who ask from now on; ``NOSUB`` and its like get them too."""
    _rule(stage, symbol, GRANTED)


def take_lines(
    stage: Stage, lines: int = 0, ticks: int = 0, depth: int = 0, seconds: float = math.inf
) -> None:
    """Another client holds so many of the account's lines, tick-by-tick streams, books: 101, 10190, 309 come early."""
    taken = stage.world.taken
    taken.update(level1=lines, ticks=ticks, depth=depth)
    stage.later(seconds, taken.clear)


def competing_session(stage: Stage, seconds: float = math.inf) -> None:
    """Another session takes the market data: 10197 ends every subscription and refuses new ones."""
    stage.world.competing = True
    end(stage, "all", 10197)
    stage.later(seconds, lambda: setattr(stage.world, "competing", False))


def reroute(stage: Stage, symbol: str, con_id: int) -> None:
    """A symbol's data must be asked of another contract: 91 and 92, now and for later requests."""
    world = stage.world
    for session, one in subscriptions(stage, symbol):
        pattern = {"level1": REROUTE, "depth": REROUTE_DEPTH}.get(one.kind)
        if pattern:
            session.out += encode(one.req, [(pattern, (con_id, world.universe.main_exchange(con_id)))])
            session.end(one.kind, one.req)
    for instrument in world.universe.instruments:
        if instrument.symbol == symbol and instrument.con_id != con_id:
            world.reroutes[instrument.con_id] = con_id


def _rule(stage: Stage, symbol: str, code: int) -> dict[str, int]:
    """From now on this code holds for a symbol; for ``all`` whatever was said of single ones before."""
    permits = stage.world.permits
    if symbol == "all":
        permits.clear()
    permits[symbol] = code
    return permits


def _forget(permits: dict[str, int], symbol: str) -> None:
    permits.pop(symbol, None)
