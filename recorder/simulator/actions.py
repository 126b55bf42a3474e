"""What a script can do to the gateway: one small function for each action.

Rules:
- An action's parameters are its function's, with their types; a parameter without default must be given.
- Actions act on all connections there are. What is to happen to later ones is left in the world.
- ``seconds`` is how long a state lasts (``for`` in a script); left out it lasts until another action ends it.
"""

import math
from collections.abc import Callable, Iterable
from typing import Final, Literal, Protocol

from recorder.simulator import junk as junk_frames
from recorder.simulator import notices
from recorder.simulator.book import Book
from recorder.simulator.frames import REROUTE, REROUTE_DEPTH, encode
from recorder.simulator.link import Link
from recorder.simulator.session import Session, Subscription
from recorder.simulator.subscribe import refresh_data_type
from recorder.simulator.world import Welcome, World


class Stage(Protocol):
    """What an action can get hold of."""

    world: World
    links: dict[int, Link]

    def clock(self) -> float:
        """The steady clock."""

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something when the time has come; never, if it is infinitely far."""

    def refuse(self, seconds: float) -> None:
        """Stop listening for a while."""


def drop(stage: Stage) -> None:
    """Close every connection; frames held back are torn."""
    for link in list(stage.links.values()):
        link.close()


def reset(stage: Stage) -> None:
    """End every connection by RST."""
    for link in list(stage.links.values()):
        link.reset()


def freeze(stage: Stage, seconds: float = math.inf) -> None:
    """Half-open TCP: sockets stay, nothing is sent or read. Ticks of that time are lost."""
    for link in stage.links.values():
        link.freeze(stage.clock() + seconds)


def slow(stage: Stage, seconds: float = math.inf) -> None:
    """A few bytes a pulse, as over a dying line; what piles up ends in the connection being dropped."""
    for link in stage.links.values():
        link.line.slow = stage.clock() + seconds


def mute(stage: Stage, symbol: str, seconds: float = math.inf, lasting: bool = False) -> None:
    """A symbol's subscriptions tick no more; a new request does, unless ``lasting``."""
    muted = [one for _, one in _subscriptions(stage, symbol)]
    _set_muted(muted, muted=True)
    stage.later(seconds, lambda: _set_muted(muted, muted=False))
    if lasting:
        stage.world.muted.add(symbol)
        stage.later(seconds, lambda: stage.world.muted.discard(symbol))


def unmute(stage: Stage, symbol: str) -> None:
    """The symbol ticks again."""
    stage.world.muted.discard(symbol)
    _set_muted((one for _, one in _subscriptions(stage, symbol)), muted=False)


def error(stage: Stage, code: int, text: str = "", symbol: str = "", ends: bool = False) -> None:
    """An error for a symbol's subscriptions (``all``: for all; none: for -1); ``ends``: they are over."""
    words = text or notices.text(code, "", "")
    if not symbol:
        for session in _sessions(stage):
            session.out.append(notices.notice(session.version, -1, code, words))
    for session, one in _subscriptions(stage, symbol) if symbol else ():
        session.out.append(notices.notice(session.version, one.req, code, words))
        if ends:
            session.end(one.kind, one.req)


def farm(stage: Stage, name: str, state: Literal["down", "up"]) -> None:
    """A data farm breaks (``state: down``) or is back (``up``): 2103 or 2104 and their like."""
    broken = 2105 if name.endswith("hmds") else 2157 if name.startswith("secdef") else 2103
    change = stage.world.farms_down.add if state == "down" else stage.world.farms_down.discard
    change(name)
    _tell_all(stage, broken + (state == "up"), name)


def lost(stage: Stage) -> None:
    """The gateway has lost IB's servers: 1100, and silence."""
    stage.world.connected = False
    _tell_all(stage, 1100)


def restored(stage: Stage, data: Literal["kept", "lost"] = "kept") -> None:
    """IB's servers are back: 1102, or with ``data: lost`` 1101 and every subscription forgotten."""
    stage.world.connected = True
    for session in _sessions(stage) if data == "lost" else ():
        session.subscriptions.clear()
    _tell_all(stage, 1101 if data == "lost" else 1102)


def refuse_id(stage: Stage, times: int = 1) -> None:
    """The next connections find their client id in use: 326."""
    _welcome(stage, "id_in_use", times)


def accept_but_silent(stage: Stage, times: int = 1) -> None:
    """The next connections are accepted and get no hello."""
    _welcome(stage, "silent", times)


def hello_then_nothing(stage: Stage, times: int = 1) -> None:
    """The next connections get a hello and nothing after it."""
    _welcome(stage, "hello_only", times)


def empty_accounts(stage: Stage, times: int = 1) -> None:
    """The next connections are told no account."""
    _welcome(stage, "no_accounts", times)


def close_at_once(stage: Stage, times: int = 1) -> None:
    """The next connections are closed as soon as they are made."""
    _welcome(stage, "close", times)


def refuse_connections(stage: Stage, seconds: float = math.inf) -> None:
    """Nobody listens at the port; the connections there are stay."""
    stage.refuse(seconds)


def close_market(stage: Stage) -> None:
    """Quotes go to -1.00 and all but coins fall silent."""
    stage.world.market_open = False
    for session, one in _subscriptions(stage, "all"):
        if one.kind == "level1" and not stage.world.trades_now(one.instrument):
            refresh_data_type(session, one.req)
            session.out += encode(one.req, one.stream.no_quotes())  # type: ignore[attr-defined]


def open_market(stage: Stage) -> None:
    """Trading begins again."""
    stage.world.market_open = True
    for session, one in _subscriptions(stage, "all"):
        if one.kind == "level1":
            refresh_data_type(session, one.req)


def junk(stage: Stage, kind: junk_frames.Kind = "all") -> None:
    """Malformed frames, one kind or each; bound to the first subscription where they are bound to any."""
    kinds = junk_frames.KINDS if kind == "all" else (kind,)
    for link in stage.links.values():
        req = next((one.req for one in link.session.subscriptions.values()), -1)
        for name in kinds:
            link.queue_junk(junk_frames.KINDS[name](req))


def huge_length(stage: Stage) -> None:
    """A length no frame can have; nothing after it can be read."""
    for link in stage.links.values():
        link.queue_junk(junk_frames.HUGE_LENGTH)


def competing_session(stage: Stage, seconds: float = math.inf) -> None:
    """Another session takes the market data: 10197 ends every subscription and refuses new ones."""
    stage.world.competing = True
    for session, one in list(_subscriptions(stage, "all")):
        session.tell(one.req, 10197)
        session.end(one.kind, one.req)
    stage.later(seconds, lambda: setattr(stage.world, "competing", False))


def depth_reset(stage: Stage) -> None:
    """317 for every book, then the book from nothing."""
    for session, one in _subscriptions(stage, "all"):
        if isinstance(one.stream, Book):
            session.tell(one.req, 317)
            session.out += encode(one.req, one.stream.start(stage.world.now()))


def depth_halt(stage: Stage) -> None:
    """316 for every book: nothing more comes until it is asked for anew."""
    for session, one in list(_subscriptions(stage, "all")):
        if one.kind == "depth":
            session.tell(one.req, 316)
            session.end("depth", one.req)


def reroute(stage: Stage, symbol: str, con_id: int) -> None:
    """A symbol's data must be asked of another contract: 91 and 92, now and for later requests."""
    for session, one in list(_subscriptions(stage, symbol)):
        pattern = {"level1": REROUTE, "depth": REROUTE_DEPTH}.get(one.kind)
        if pattern:
            session.out += encode(one.req, [(pattern, (con_id, "SMART"))])
            session.end(one.kind, one.req)
    for instrument in stage.world.universe.instruments:
        if instrument.symbol == symbol and instrument.con_id != con_id:
            stage.world.reroutes[instrument.con_id] = con_id


def _welcome(stage: Stage, how: Welcome, times: int) -> None:
    stage.world.welcomes.extend([how] * times)


def _sessions(stage: Stage) -> list[Session]:
    """The sessions that have started."""
    return [link.session for link in stage.links.values() if link.session.client_id is not None]


def _subscriptions(stage: Stage, symbol: str) -> list[tuple[Session, Subscription]]:
    return [
        (session, one)
        for session in _sessions(stage)
        for one in session.subscriptions.values()
        if symbol in {"all", one.instrument.symbol}
    ]


def _tell_all(stage: Stage, code: int, *details: object) -> None:
    for session in _sessions(stage):
        session.tell(-1, code, *details)


def _set_muted(subscriptions: Iterable[Subscription], *, muted: bool) -> None:
    for one in subscriptions:
        one.muted = muted


ACTIONS: Final[dict[str, Callable[..., None]]] = {
    action.__name__: action
    for action in (
        drop, reset, freeze, slow, mute, unmute, error, farm, lost, restored, refuse_id, accept_but_silent,
        hello_then_nothing, empty_accounts, close_at_once, refuse_connections, close_market, open_market,
        junk,
        huge_length, competing_session, depth_reset, depth_halt, reroute,
    )
}  # fmt: skip
"""Every action by its name."""
