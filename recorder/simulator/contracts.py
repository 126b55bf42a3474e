"""What an instrument is, what a client asks for, and which instruments that names.

Rules:
- Pure: a query and a universe in, listings out.
- Every field a query gives must match; a field left empty matches all. That is what makes a query ambiguous.
- A query without exchange names one listing for each venue the instrument trades on, as IB answers it; with a
  conId it names one, on the instrument's main exchange.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from recorder.simulator.hours import US_STOCKS, Hours

Permission: TypeAlias = Literal["live", "none", "delayed", "part", "extra"]
"""What the account may see: all; nothing (354); delayed only (10168, 10167); a part (10090); see 10089."""


@dataclass(frozen=True, slots=True)
class Bond:
    """What only a bond's details say. ``coupon`` in percent, dates ``YYYYMMDD``."""

    cusip: str
    coupon: float
    maturity: str
    issued: str
    ratings: str
    kind: str
    description: str


@dataclass(frozen=True, slots=True)
class Instrument:
    """One contract of the universe.

    Attributes:
        exchanges: where it trades, the main one first.
        price: where its synthetic price begins.
        decimals: how many a price is written with.
        lot: what its sizes are counted in; below 1 they are fractions.
        expiry: last trade date ``YYYYMMDD``, empty if it has none.
        expired: found with ``includeExpired`` only.
        under: conId, symbol and type of the underlying.
        sec_ids: other names of it, such as ``("ISIN", "US0378331005")``.
        reroute: conId its market data must be asked of instead, 0 if none (stock CFDs).
        farm: the market data farm its ticks come from.
    """

    con_id: int
    symbol: str
    sec_type: str
    currency: str
    exchanges: tuple[str, ...]
    price: float
    min_tick: float
    decimals: int
    local_symbol: str
    trading_class: str = ""
    market_name: str = ""
    primary: str = ""
    long_name: str = ""
    multiplier: str = ""
    expiry: str = ""
    strike: float = 0.0
    right: str = ""
    lot: float = 100
    expired: bool = False
    under: tuple[int, str, str] = (0, "", "")
    sec_ids: tuple[tuple[str, str], ...] = ()
    sector: tuple[str, str, str] = ("", "", "")
    stock_type: str = ""
    hours: Hours = US_STOCKS
    permission: Permission = "live"
    reroute: int = 0
    farm: str = "usfarm"
    bond: Bond | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """An instrument on one of its exchanges."""

    instrument: Instrument
    exchange: str


@dataclass(frozen=True, slots=True)
class Query:
    """A contract as a client describes it; empty or 0 is "not said"."""

    con_id: int = 0
    symbol: str = ""
    sec_type: str = ""
    expiry: str = ""
    strike: float = 0.0
    right: str = ""
    multiplier: str = ""
    exchange: str = ""
    primary: str = ""
    currency: str = ""
    local_symbol: str = ""
    trading_class: str = ""
    include_expired: bool = False
    sec_id_type: str = ""
    sec_id: str = ""


@dataclass(slots=True)
class Universe:
    """All instruments, and the names they are found by.

    Attributes:
        delisted: symbols that are not found.
    """

    instruments: tuple[Instrument, ...]
    delisted: set[str] = field(default_factory=set)
    _by_name: dict[str, list[Instrument]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._index()

    def _index(self) -> None:
        self._by_name = {}
        for instrument in self.instruments:
            for name in {
                str(instrument.con_id),
                instrument.symbol,
                instrument.local_symbol,
                *_ids(instrument),
            }:
                self._by_name.setdefault(name, []).append(instrument)

    def lookup(self, query: Query) -> list[Listing]:
        """Every listing the query names, in the universe's order; empty if there is none."""
        name = (
            str(query.con_id) if query.con_id else query.sec_id or query.local_symbol or query.symbol.upper()
        )
        named = (one for one in self._by_name.get(name, ()) if one.symbol not in self.delisted)
        found = (one for one in named if _matches(query, one))
        return [listing for one in found for listing in _listings(query, one)]

    def search(self, text: str) -> list[Instrument]:
        """Stocks and indices whose symbol begins with ``text`` or whose name has it, at most 16."""
        text = text.upper()
        kinds = (
            one
            for one in self.instruments
            if one.sec_type in {"STK", "IND"} and one.symbol not in self.delisted
        )
        return [one for one in kinds if one.symbol.startswith(text) or text in one.long_name.upper()][:16]

    def by_con_id(self, con_id: int) -> Instrument | None:
        """The instrument with that conId; of a future and its continuous twin the future."""
        found = self._by_name.get(str(con_id), ())
        return next((one for one in found if one.con_id == con_id and one.sec_type != "CONTFUT"), None)

    def main_exchange(self, con_id: int) -> str:
        """Where the instrument with that conId is asked for; SMART if there is none."""
        instrument = self.by_con_id(con_id)
        return instrument.exchanges[0] if instrument else "SMART"

    def never_closing(self) -> "Universe":
        """The same instruments on venues that are always open."""
        return Universe(tuple(replace(one, hours=one.hours.around_the_clock()) for one in self.instruments))

    def roll(self, symbol: str) -> None:
        """The symbol's continuous future stands for the next expiry; without one nothing happens."""
        of_symbol = [one for one in self.instruments if one.symbol == symbol]
        old = next((one for one in of_symbol if one.sec_type == "CONTFUT"), None)
        later = [one for one in of_symbol if old and one.sec_type == "FUT" and one.expiry > old.expiry]
        if later:
            new = replace(min(later, key=lambda one: one.expiry), sec_type="CONTFUT")
            self.instruments = tuple(new if one is old else one for one in self.instruments)
            self._index()


def _ids(instrument: Instrument) -> Iterable[str]:
    return (value for _, value in instrument.sec_ids)


def _matches(query: Query, one: Instrument) -> bool:
    return (
        query.con_id in {0, one.con_id}
        and _symbol_matches(query.symbol.upper(), one)
        and _type_matches(query, one)
        and one.expiry.startswith(query.expiry)
        and query.strike in {0.0, one.strike}
        and query.right[:1] in {"", "0", "?", one.right}
        and query.multiplier in {"", one.multiplier}
        and query.currency in {"", one.currency}
        and query.local_symbol in {"", one.local_symbol}
        and query.trading_class in {"", one.trading_class}
        and query.primary in {"", one.primary, *one.exchanges}
        and (not query.sec_id or (query.sec_id_type, query.sec_id) in one.sec_ids)
        and (query.include_expired or not one.expired)
    )


def _symbol_matches(symbol: str, one: Instrument) -> bool:
    """A bond answers to its CUSIP and ISIN as symbol too."""
    return symbol in {"", one.symbol} or (one.sec_type == "BOND" and symbol in _ids(one))


def _type_matches(query: Query, one: Instrument) -> bool:
    """A bare conId names the future, never its continuous twin."""
    return query.sec_type == one.sec_type or (not query.sec_type and one.sec_type != "CONTFUT")


def _listings(query: Query, one: Instrument) -> list[Listing]:
    asked = _ALIASES.get(query.exchange, query.exchange)
    if asked:
        return [Listing(one, asked)] if asked in one.exchanges else []
    venues = one.exchanges[:1] if query.con_id else one.exchanges
    return [Listing(one, venue) for venue in venues]


_ALIASES = {"ISLAND": "NASDAQ", "BEST": "SMART"}
"""Names IB still understands for venues it lists under another."""
