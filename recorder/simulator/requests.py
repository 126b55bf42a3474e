"""What a client sends, read by table: message id -> name and fields.

Rules:
- Pure: the fields of a frame in, a name and its values out.
- The table is IB's layout at server versions 157 to 178 (``reqXxx`` of the official client); a field that
  came later carries ``@version``. ``=n`` is the message's own version: read and not used.
- Whatever does not read is a RequestError in the words of the gateway's Java.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from recorder.simulator.contracts import Query

Values: TypeAlias = dict[str, int | float | str | Query]


class RequestError(ValueError):
    """A request that cannot be read, in a gateway's words; ``msg_id`` is -1 when even that is unreadable."""

    def __init__(self, msg_id: int, cause: str) -> None:
        super().__init__(f"Message id {msg_id}.  Unable to parse data. {cause}")
        self.msg_id = msg_id


@dataclass(frozen=True, slots=True)
class Request:
    """A request as read: its name in the table and its values."""

    msg_id: int
    name: str
    values: Values

    def number(self, name: str) -> int:
        """A whole number of the request."""
        return int(self.values[name])  # type: ignore[arg-type]

    def text(self, name: str) -> str:
        """A text of the request."""
        return str(self.values[name])

    @property
    def req(self) -> int:
        """The request id, -1 where the request has none."""
        return int(self.values.get("req", -1))  # type: ignore[arg-type]

    @property
    def query(self) -> Query:
        """The contract asked for."""
        query = self.values["contract"]
        assert isinstance(query, Query)
        return query


TABLE: Final[dict[int, tuple[str, str]]] = {
    1: (
        "level1",
        "=11 req:int contract legs delta_neutral generic_ticks snapshot:bool regulatory:bool options",
    ),
    2: ("cancel_level1", "=2 req:int"),
    3: ("place_order", "order:int"),
    4: ("cancel_order", "=1 order:int"),
    5: ("open_orders", "=1"),
    6: ("account_updates", "=2 subscribe:bool account"),
    7: ("executions", "=3 req:int"),
    8: ("ids", "=1 count:int"),
    9: ("contract_details", "=8 req:int contract include_expired:bool sec_id_type sec_id issuer@176"),
    10: ("depth", "=5 req:int contract rows:int smart:bool options"),
    11: ("cancel_depth", "=1 req:int smart:bool"),
    12: ("news_bulletins", "=1 all:bool"),
    13: ("cancel_news_bulletins", "=1"),
    14: ("log_level", "=1 level:int"),
    15: ("auto_open_orders", "=1 bind:bool"),
    16: ("all_open_orders", "=1"),
    17: ("managed_accounts", "=1"),
    20: ("historical_data", "req:int contract include_expired:bool"),
    25: ("cancel_historical_data", "=1 req:int"),
    49: ("current_time", "=1"),
    50: ("bars", "=3 req:int contract bar_size:int show rth:bool options"),
    51: ("cancel_bars", "=1 req:int"),
    58: ("global_cancel", "=1"),
    59: ("market_data_type", "=1 kind:int"),
    61: ("positions", "=1"),
    62: ("account_summary", "=1 req:int group tags"),
    63: ("cancel_account_summary", "=1 req:int"),
    64: ("cancel_positions", "=1"),
    71: ("start_api", "=2 client_id:int capabilities"),
    74: ("positions_multi", "=1 req:int account model"),
    75: ("cancel_positions_multi", "=1 req:int"),
    76: ("account_updates_multi", "=1 req:int account model ledger:bool"),
    77: ("cancel_account_updates_multi", "=1 req:int"),
    78: ("option_params", "req:int symbol exchange under_type under_con_id:int"),
    79: ("soft_dollar_tiers", "req:int"),
    80: ("family_codes", ""),
    81: ("matching_symbols", "req:int text"),
    82: ("depth_exchanges", ""),
    83: ("smart_components", "req:int bbo_exchange"),
    85: ("news_providers", ""),
    87: ("head_timestamp", "req:int contract include_expired:bool rth:bool show format:int"),
    90: ("cancel_head_timestamp", "req:int"),
    91: ("market_rule", "rule:int"),
    92: ("pnl", "req:int account model"),
    93: ("cancel_pnl", "req:int"),
    96: (
        "historical_ticks",
        "req:int contract include_expired:bool start end count:int show rth:bool ignore_size:bool options",
    ),
    97: ("ticks", "req:int contract kind count:int ignore_size:bool"),
    98: ("cancel_ticks", "req:int"),
    99: ("completed_orders", "api_only:bool"),
    104: ("user_info", "req:int"),
}
"""Requests that are understood. Any other id is answered with error 320."""

CONTRACT: Final = (
    "con_id", "symbol", "sec_type", "expiry", "strike", "right", "multiplier", "exchange", "primary",
    "currency",
    "local_symbol", "trading_class",
)  # fmt: skip
"""The fields of a contract within a request, in the order of the wire."""


def decode(fields: list[str], version: int) -> Request:
    """A frame's fields as a request.

    Raises:
        RequestError: an id that is not in the table, a field missing or not of its type.
    """
    msg_id = _whole(-1, fields[0] if fields else "")
    if msg_id not in TABLE:
        raise RequestError(msg_id, "Unknown message id")
    name, line = TABLE[msg_id]
    reader = _Reader(msg_id, iter(fields[1:]))
    values: Values = {}
    for word in line.split():
        _read(word, reader, values, version)
    return Request(msg_id, name, _complete(values))


@dataclass(slots=True)
class _Reader:
    msg_id: int
    fields: Iterator[str]

    def text(self) -> str:
        try:
            return next(self.fields)
        except StopIteration:
            raise RequestError(self.msg_id, "java.io.EOFException") from None

    def whole(self) -> int:
        return _whole(self.msg_id, self.text() or "0")

    def flag(self) -> int:
        return int(self.whole() != 0)

    def decimal(self) -> float:
        text = self.text() or "0"
        try:
            return float(text)
        except ValueError:
            raise RequestError(self.msg_id, _java_complaint(text)) from None


def _read(word: str, reader: _Reader, values: Values, version: int) -> None:
    name, _, since = word.partition("@")
    if since and version < int(since):
        return
    if name.startswith("="):
        reader.whole()
    elif name in _GROUPS:
        _GROUPS[name](reader, values)
    else:
        name, _, kind = name.partition(":")
        values[name] = {"int": reader.whole, "bool": reader.flag}.get(kind, reader.text)()


def _contract(reader: _Reader, values: Values) -> None:
    said: dict[str, int | float | str] = {
        name: {"con_id": reader.whole, "strike": reader.decimal}.get(name, reader.text)() for name in CONTRACT
    }
    values["contract"] = Query(**said)  # type: ignore[arg-type]


def _legs(reader: _Reader, values: Values) -> None:
    """A combination's legs: conId, ratio, action, exchange. Read past; combinations are not traded here."""
    query = values["contract"]
    assert isinstance(query, Query)
    for _ in range(reader.whole() * 4 if query.sec_type == "BAG" else 0):
        reader.text()


def _delta_neutral(reader: _Reader, _: Values) -> None:
    for _field in range(3 if reader.flag() else 0):
        reader.text()


_GROUPS: Final[dict[str, Callable[[_Reader, Values], None]]] = {
    "contract": _contract,
    "legs": _legs,
    "delta_neutral": _delta_neutral,
}


def _complete(values: Values) -> Values:
    """What stands behind the contract on the wire but belongs to it, put into it."""
    query = values.get("contract")
    if isinstance(query, Query):
        values["contract"] = replace(
            query,
            include_expired=bool(values.get("include_expired", 0)),
            sec_id_type=str(values.get("sec_id_type", "")),
            sec_id=str(values.get("sec_id", "")),
        )
    return values


def _whole(msg_id: int, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise RequestError(msg_id, _java_complaint(text)) from None


def _java_complaint(text: str) -> str:
    return f'java.lang.NumberFormatException: For input string: "{text}"'
