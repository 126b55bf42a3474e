"""Requests with one answer: contracts, time, history, exchanges, the little of accounts clients need.

Rules:
- No I/O; frames go to ``session.out``.
- Orders are none of this gateway's business: it refuses them as a read-only session does. With the API
  setting "read-only" it also refuses to list them, and as the real one never says where the list would
  end.
"""

from typing import TYPE_CHECKING, Final

from recorder.simulator import history, notices, permission
from recorder.simulator.details import details, option_chains, symbol_samples
from recorder.simulator.frames import UNSET_INT
from recorder.simulator.requests import Request
from recorder.simulator.subscribe import Handler, find
from recorder.simulator.world import HMDS_FARM, SECDEF_FARM

if TYPE_CHECKING:
    from recorder.simulator.session import Session

DEPTH_EXCHANGES: Final = (
    ("ISLAND", "STK", "", "Deep2", UNSET_INT), ("NASDAQ", "STK", "", "Deep2", UNSET_INT),
    ("ARCA", "STK", "", "Deep", UNSET_INT), ("BATS", "STK", "", "Deep", UNSET_INT),
    ("NYSE", "STK", "", "Deep", UNSET_INT), ("IEX", "STK", "", "Deep", UNSET_INT),
    ("IDEALPRO", "CASH", "", "Deep", "4"), ("CME", "FUT", "", "Deep", UNSET_INT),
)  # fmt: skip
"""Exchange, security type, listing exchange, service and aggregation group."""

SMART_COMPONENTS: Final = (
    (0, "AMEX", "A"), (1, "BEX", "B"), (2, "NYSENAT", "C"), (3, "NYSE", "N"), (4, "ISE", "I"), (5, "EDGEA",
    "J"),
    (6, "DRCTEDGE", "K"), (7, "LTSE", "L"), (8, "CHX", "M"), (9, "ARCA", "P"), (10, "ISLAND", "T"), (11,
    "IEX", "V"),
    (13, "PSX", "X"), (14, "BYX", "Y"), (15, "BATS", "Z"), (17, "FINRA", "D"),
)  # fmt: skip
"""Bit, exchange and letter of the map ``9c0001``."""

_ACCOUNT: Final = (
    ("AccountType", "INDIVIDUAL", ""), ("AccountReady", "true", ""), ("NetLiquidation", "1000000.00", "USD"),
    ("TotalCashBalance", "1000000.00", "BASE"), ("BuyingPower", "4000000.00", "USD"),
)  # fmt: skip


def contract_details(session: "Session", request: Request) -> None:
    """A message for each listing, then 52. While the definitions' farm is down nothing comes."""
    world, query, req = session.world, request.query, request.req
    if world.broken(SECDEF_FARM) or not world.connected:
        return
    world.wake(SECDEF_FARM)
    if not (query.con_id or query.symbol or query.local_symbol or query.sec_id):
        session.tell(req, 321, "cd", "Please enter a local symbol or a symbol")
        return
    if not (query.con_id or query.sec_type or query.sec_id):
        session.tell(req, 321, "cd", "Please enter a valid security type")
        return
    found = world.universe.lookup(query)
    if not found:
        session.tell(req, 200)
        return
    session.out += [details(req, listing, session.version, world.now()) for listing in found]
    session.send(52, 1, req)


def historical_ticks(session: "Session", request: Request) -> None:
    """Historical ticks, from the tape."""
    req, show, world = request.req, request.text("show"), session.world
    span = _span(session, request)
    instrument = find(session, request) if span else None
    if not instrument or not span or not world.connected:
        return
    if world.broken(HMDS_FARM):
        session.tell(req, 162, "HMDS server disconnect occurred.  Attempting reconnection...")
        return
    world.wake(HMDS_FARM)
    if refusal := permission.denied(world, "history", instrument):
        session.tell(req, *refusal)
        return
    alike = (instrument.con_id, request.query.exchange, show)
    identical = (*alike, span, request.number("count"))
    if session.history.exceeded(session.clock, alike, identical, 2 if show == "BID_ASK" else 1):
        session.tell(req, 162, "Historical data request pacing violation")
        return
    remembered = world.tape(instrument, history.SOURCES[show]).events
    if show == "MIDPOINT" or (show == "BID_ASK" and request.number("ignore_size")):
        remembered = history.changes(remembered)
    events = history.select(remembered, *span, request.number("count"))
    session.out.append(history.answer(req, show, events, instrument.decimals))


def _span(session: "Session", request: Request) -> tuple[int | None, int | None] | None:
    """Start or end of the ticks asked for, one of them None; None when the request has been refused."""
    start, end, count = request.text("start"), request.text("end"), request.number("count")
    cause = ""
    if request.text("show") not in history.SOURCES:
        cause = f"Incorrect what to show: {request.text('show')}"
    elif bool(start) == bool(end):
        cause = "Exactly one of start and end time must be set"
    elif not 1 <= count <= history.MOST:
        cause = f"Number of ticks must be between 1 and {history.MOST}: {count}"
    if cause:
        session.tell(request.req, 321, "cd", cause)
        return None
    try:
        return (history.moment(start), None) if start else (None, history.moment(end))
    except ValueError:
        words = (
            "The date, time, or time-zone entered is invalid. The correct format is yyyymmdd hh:mm:ss xx/xxxx"
        )
        session.tell(request.req, 10314, words)
        return None


def _read_only(session: "Session", request: Request) -> None:
    """Orders: refused, whatever they are."""
    order = request.values.get("order", -1)
    session.tell(int(order), 321, "cm", notices.READ_ONLY)  # type: ignore[arg-type]


def _unless_read_only(*fields: object) -> Handler:
    """The end of an empty list of orders, or the refusal to list them."""

    def handler(session: "Session", request: Request) -> None:
        if session.world.read_only:
            _read_only(session, request)
        else:
            session.send(*fields)

    return handler


def _account_updates(session: "Session", request: Request) -> None:
    if not request.number("subscribe"):
        return
    account = request.text("account") or session.world.accounts[0]
    for key, value, currency in _ACCOUNT:
        session.send(6, 2, key, value, currency, account)
    session.send(8, 1, "16:00")
    session.send(54, 1, account)


def _account_summary(session: "Session", request: Request) -> None:
    for account in session.world.accounts:
        session.send(63, 1, request.req, account, "NetLiquidation", "1000000.00", "USD")
    session.send(64, 1, request.req)


def _no_history(session: "Session", request: Request) -> None:
    if find(session, request):
        session.tell(request.req, 162, "HMDS query returned no data")


def _option_params(session: "Session", request: Request) -> None:
    instruments = session.world.universe.instruments
    options = [
        one for one in instruments if one.sec_type == "OPT" and one.under[0] == request.number("under_con_id")
    ]
    session.out += option_chains(request.req, options)


def _smart_components(session: "Session", request: Request) -> None:
    parts = [part for component in SMART_COMPONENTS for part in component]
    session.send(82, request.req, len(SMART_COMPONENTS), *parts)


def _depth_exchanges(session: "Session", _: Request) -> None:
    session.send(80, len(DEPTH_EXCHANGES), *(part for row in DEPTH_EXCHANGES for part in row))


def _matching_symbols(session: "Session", request: Request) -> None:
    found = session.world.universe.search(request.text("text"))
    session.out.append(symbol_samples(request.req, found, session.version))


def _managed_accounts(session: "Session", _: Request) -> None:
    accounts = session.world.accounts
    session.send(15, 1, ",".join(accounts) + "," * (len(accounts) > 1))


def _family_codes(session: "Session", _: Request) -> None:
    accounts = session.world.accounts
    session.send(78, len(accounts), *(part for account in accounts for part in (account, "")))


def _nothing(session: "Session", request: Request) -> None:
    """Heard, and nothing to say."""


HANDLERS: Final[dict[str, Handler]] = {
    "contract_details": contract_details,
    "historical_ticks": historical_ticks,
    "historical_data": _no_history,
    "current_time": lambda session, _: session.send(49, 1, int(session.world.now())),
    "ids": lambda session, _: session.send(9, 1, 1),
    "managed_accounts": _managed_accounts,
    "family_codes": _family_codes,
    "positions": lambda session, _: session.send(62, 1),
    "positions_multi": lambda session, request: session.send(72, 1, request.req),
    "account_updates": _account_updates,
    "account_updates_multi": lambda session, request: session.send(74, 1, request.req),
    "account_summary": _account_summary,
    "executions": lambda session, request: session.send(55, 1, request.req),
    "all_open_orders": _unless_read_only(53, 1),
    "open_orders": _unless_read_only(53, 1),
    "completed_orders": _unless_read_only(102),
    "place_order": _read_only,
    "cancel_order": _read_only,
    "global_cancel": _read_only,
    "matching_symbols": _matching_symbols,
    "depth_exchanges": _depth_exchanges,
    "smart_components": _smart_components,
    "option_params": _option_params,
    "market_rule": lambda session, request: session.send(93, request.number("rule"), 1, "0", "0.01"),
    "news_providers": lambda session, _: session.send(85, 0),
    "soft_dollar_tiers": lambda session, request: session.send(77, request.req, 0),
    "head_timestamp": lambda session, request: session.send(88, request.req, "20040123-14:30:00"),
    "user_info": lambda session, request: session.send(107, request.req, ""),
    **dict.fromkeys(
        (
            "auto_open_orders", "cancel_account_summary", "cancel_account_updates_multi",
            "cancel_head_timestamp",
            "cancel_historical_data", "cancel_news_bulletins", "cancel_pnl", "cancel_positions",
            "cancel_positions_multi", "log_level", "news_bulletins", "pnl",
        ),
        _nothing,
    ),
}  # fmt: skip
"""Each request with the function that answers it."""
