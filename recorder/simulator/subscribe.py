"""Requests for market data: what is checked, in which order, and the stream that comes of it.

Rules:
- No I/O; frames go to ``session.out``.
- Checked as the gateway does: the request itself, the contract, the limits, permissions. The first that
  fails is answered and nothing is subscribed.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from recorder.simulator import generic_ticks, notices, permission
from recorder.simulator.bars import SHOWS, Bars
from recorder.simulator.book import MARKET_MAKERS, SMART_VENUES, Book
from recorder.simulator.contracts import Instrument
from recorder.simulator.frames import DATA_TYPE, PARAMS, REROUTE, REROUTE_DEPTH, SNAPSHOT_END, encode, java
from recorder.simulator.level1 import Level1
from recorder.simulator.pacing import TICK_PAUSE
from recorder.simulator.permission import DELAYED
from recorder.simulator.requests import Request
from recorder.simulator.tickbytick import SOURCES, TickByTick

if TYPE_CHECKING:
    from recorder.simulator.session import Session, Subscription

Handler: TypeAlias = Callable[["Session", Request], None]
_VALIDATOR: Final = "cd"
"""What the gateway's obfuscated Java calls the validating class."""
_NO_DEPTH: Final = frozenset({"IND", "BOND"})
_NO_TICKS: Final = frozenset({"OPT", "IND", "BOND"})
_NO_TRADES: Final = frozenset({"CASH", "CFD"})


def find(session: "Session", request: Request) -> Instrument | None:
    """The one instrument a request names, or None when it has been answered with an error."""
    query, world = request.query, session.world
    if not query.exchange:
        session.tell(request.req, 321, _VALIDATOR, "Please enter exchange")
        return None
    found = world.universe.lookup(query)
    if not found:
        session.tell(request.req, 200)
    elif len(found) > 1:
        words = notices.AMBIGUOUS.format(query.symbol or query.con_id)
        session.out.append(notices.notice(session.version, request.req, 200, words))
    return found[0].instrument if len(found) == 1 else None


def level1(session: "Session", request: Request) -> None:
    """Level 1, by reqMktData."""
    instrument = _level1_instrument(session, request)
    if not instrument:
        return
    generic = generic_ticks.parse(request.text("generic_ticks"))
    snapshot = bool(request.number("snapshot") or request.number("regulatory"))
    _begin_level1(session, request.req, instrument, generic, snapshot=snapshot)


def _begin_level1(
    session: "Session", req: int, instrument: Instrument, generic: frozenset[int], *, snapshot: bool = False
) -> None:
    """Say what is not permitted, and let come what is."""
    if code := permission.told(session, instrument):
        session.tell(req, code, permission.venue(instrument))
    data_type = permission.data_type(session, instrument)
    if not data_type:
        return
    world = session.world
    part = permission.of(world, instrument) == "part"
    dice = world.stream_dice("level1", instrument.con_id)
    stream = Level1(instrument, dice, generic, delayed=data_type >= DELAYED, part=part)
    picture = stream.start(world.now(), closed=not world.trades_now(instrument))
    opening = [(DATA_TYPE, (data_type,)), _params(instrument), *picture]
    one = session.subscribe("level1", req, instrument, stream, data_type)
    session.show(one, [*opening, (SNAPSHOT_END, ())] if snapshot else opening)
    if snapshot:
        session.end("level1", req)


def _level1_instrument(session: "Session", request: Request) -> Instrument | None:
    """The instrument, if the request is in order, there is a line left, and no other contract to ask for."""
    if _duplicate(session, "level1", request.req):
        return None
    text = request.text("generic_ticks")
    try:
        generic_ticks.parse(text)
    except ValueError:
        words = generic_ticks.complaint(text, request.query.sec_type)
        session.tell(request.req, 321, _VALIDATOR, words)
        return None
    instrument = find(session, request)
    if not instrument or _no_line(session, request.req) or _no_data(session, request.req):
        return None
    return None if _rerouted(session, request.req, instrument, REROUTE) else instrument


def ticks(session: "Session", request: Request) -> None:
    """Tick by tick, by reqTickByTickData."""
    kind, req = request.text("kind"), request.req
    if kind not in SOURCES:
        session.tell(req, 321, _VALIDATOR, f"Incorrect tick-by-tick type: {kind}")
        return
    if _duplicate(session, "ticks", req):
        return
    instrument = find(session, request)
    if not instrument or _no_data(session, req) or _no_ticks(session, req, instrument, kind):
        return
    world = session.world
    tape = world.tape(instrument, SOURCES[kind])
    stream = TickByTick(tape, kind, world.unlimited, ignore_size=bool(request.number("ignore_size")))
    session.subscribe("ticks", req, instrument, stream)


def _no_ticks(session: "Session", req: int, instrument: Instrument, kind: str) -> bool:
    """Refuses what has no tick-by-tick data, what is not permitted and what is too much or too soon."""
    kinds = instrument.sec_type
    if kinds in _NO_TICKS or (kinds in _NO_TRADES and SOURCES[kind] == "trades"):
        session.tell(
            req, 10189, f"{kind} tick-by-tick requests are not supported for {instrument.local_symbol}"
        )
        return True
    if _denied(session, "ticks", req, instrument):
        return True
    key = (instrument.con_id, kind)
    soon = session.clock - session.tick_requests.get(key, -TICK_PAUSE) < TICK_PAUSE
    if soon or session.world.count("ticks") >= session.world.max_ticks:
        session.tell(req, 10190)
        return True
    session.tick_requests[key] = session.clock
    return False


def depth(session: "Session", request: Request) -> None:
    """A book, by reqMktDepth."""
    req, smart, rows = request.req, bool(request.number("smart")), request.number("rows")
    if _duplicate(session, "depth", req):
        return
    if rows < 1:
        session.tell(req, 321, _VALIDATOR, f"Number of rows must be positive: {rows}")
        return
    instrument = find(session, request)
    if not instrument or _no_depth(session, request, instrument):
        return
    makers = _makers(instrument, request.query.exchange, smart)
    stream = Book(instrument, session.world.stream_dice("depth", instrument.con_id), rows, makers, smart)
    opening = stream.start(session.world.now())
    one = session.subscribe("depth", req, instrument, stream)
    session.show(one, opening[:2])
    if smart:
        session.tell(req, 2152, "; ".join(SMART_VENUES))
    session.show(one, opening[2:])


def _no_depth(session: "Session", request: Request, instrument: Instrument) -> bool:
    req, world = request.req, session.world
    if instrument.sec_type in _NO_DEPTH or (
        request.query.exchange == "SMART" and not request.number("smart")
    ):
        session.tell(req, 10092)
    elif _denied(session, "depth", req, instrument):
        return True
    elif world.count("depth") >= world.max_depth:
        session.tell(req, 309, world.max_depth)
    else:
        return _no_data(session, req) or _rerouted(session, req, instrument, REROUTE_DEPTH)
    return True


def _makers(instrument: Instrument, exchange: str, smart: bool) -> tuple[str, ...]:
    """Who stands behind the rows: exchanges in a SMART book, market makers on NASDAQ, nobody elsewhere."""
    if smart:
        return SMART_VENUES
    return MARKET_MAKERS if exchange in {"NASDAQ", "ISLAND"} and instrument.sec_type == "STK" else ()


def bars(session: "Session", request: Request) -> None:
    """reqRealTimeBars; all bars are of five seconds, whatever size is asked for."""
    req, show = request.req, request.text("show")
    if _duplicate(session, "bars", req):
        return
    if show not in SHOWS:
        session.tell(req, 321, _VALIDATOR, f"Incorrect what to show: {show}")
        return
    instrument = find(session, request)
    if not instrument or _no_line(session, req) or _no_data(session, req):
        return
    if _denied(session, "bars", req, instrument):
        return
    if show == "TRADES" and instrument.sec_type in _NO_TRADES:
        session.tell(req, 420, f"No trades for {instrument.exchanges[0]} {instrument.sec_type}")
        return
    stream = Bars(instrument, session.world.stream_dice("bars", instrument.con_id), show)
    stream.start(session.world.now())
    session.subscribe("bars", req, instrument, stream)


def market_data_type(session: "Session", request: Request) -> None:
    """reqMarketDataType: message 58 for each subscription that changes by it."""
    session.data_type = request.number("kind")
    for one in session.subscriptions.values():
        if one.kind == "level1":
            refresh_data_type(session, one.req)


def refresh_data_type(session: "Session", req: int) -> None:
    """Tell a level 1 subscription its data type if it is not the one told before."""
    one = session.subscriptions["level1", req]
    data_type = permission.data_type(session, one.instrument)
    if data_type and data_type != one.data_type and (data_type < DELAYED) == (one.data_type < DELAYED):
        one.data_type = data_type
        session.out += encode(req, [(DATA_TYPE, (data_type,))])


def turn_market(session: "Session", one: "Subscription") -> None:
    """A subscription's market has opened or closed: level 1 says so, and its quotes go to -1.00 when closed."""
    one.open = not one.open
    if isinstance(one.stream, Level1):
        refresh_data_type(session, one.req)
        session.out += [] if one.open else encode(one.req, one.stream.no_quotes())


def judge_anew(session: "Session", one: "Subscription") -> None:
    """Permissions have changed: a running subscription is told, and ends or goes on with what is left."""
    if isinstance(one.stream, Level1):
        if permission.told(session, one.instrument):
            session.end("level1", one.req)
            _begin_level1(session, one.req, one.instrument, one.stream.generic)
    elif _denied(session, one.kind, one.req, one.instrument):
        session.end(one.kind, one.req)


def cancel(kind: str, complaint: int) -> Handler:
    """A handler that ends a subscription, or complains of a late cancel."""

    def handler(session: "Session", request: Request) -> None:
        if not session.cancel(kind, request.req):
            session.tell(request.req, complaint, request.req)

    return handler


def _denied(session: "Session", kind: str, req: int, instrument: Instrument) -> bool:
    """Refuses what the account may not see."""
    refusal = permission.denied(session.world, kind, instrument)
    if refusal:
        session.tell(req, *refusal)
    return bool(refusal)


def _duplicate(session: "Session", kind: str, req: int) -> bool:
    if (kind, req) not in session.subscriptions:
        return False
    session.tell(req, 322, _VALIDATOR)
    return True


def _no_line(session: "Session", req: int) -> bool:
    """Level 1 and real-time bars take a line each, whoever asked for it."""
    if session.world.count("level1", "bars") < session.world.max_lines:
        return False
    session.tell(req, 101)
    return True


def _no_data(session: "Session", req: int) -> bool:
    """Without IB's servers a request waits for ever; beside a competing session it is refused."""
    if session.world.competing:
        session.tell(req, 10197)
    return session.world.competing or not session.world.connected


def _rerouted(session: "Session", req: int, instrument: Instrument, pattern: str) -> bool:
    target = session.world.reroutes.get(instrument.con_id, instrument.reroute)
    if target:
        exchange = session.world.universe.main_exchange(target)
        session.out += encode(req, [(pattern, (target, exchange))])
    return bool(target)


def _params(instrument: Instrument) -> tuple[str, tuple[object, ...]]:
    """Message 81: the smallest step, a name for the map of exchanges (stocks only), snapshot permissions."""
    us_stock = instrument.sec_type == "STK" and instrument.currency == "USD"
    bbo = ("9c0001" if instrument.primary == "NASDAQ" else "a60001") if us_stock else ""
    return PARAMS, (java(instrument.min_tick), bbo, 3 if us_stock else 0)


HANDLERS: Final[dict[str, Handler]] = {
    "level1": level1,
    "ticks": ticks,
    "depth": depth,
    "bars": bars,
    "market_data_type": market_data_type,
    "cancel_level1": cancel("level1", 300),
    "cancel_ticks": cancel("ticks", 300),
    "cancel_depth": cancel("depth", 310),
    "cancel_bars": cancel("bars", 300),
}
