"""Contract details as messages 10 and 18, exact for the negotiated server version.

Rules:
- Pure: a listing, a version and the moment in, fields out.
- The official client drops a message whose count is off by one: 8 as message version and the size
  multiplier stand below server version 164, the size increment alone at 163, three size rules from 164
  on.
"""

from datetime import UTC, datetime

from recorder.simulator.contracts import Bond, Instrument, Listing
from recorder.simulator.frames import UNSET_INT, java
from recorder.simulator.hours import trading_hours
from recorder.wire.layouts import frame, number, size

SIZE_RULES = 164
"""Server version from which message version and size multiplier are gone and size rules are sent."""
TIME_ZONES = 174
"""Server version from which the last trade date carries seconds and a zone, joined by ``-``."""

_ORDER_TYPES = (
    "ACTIVETIM,AD,ADJUST,ALERT,ALLOC,AVGCOST,BASKET,COND,CONDORDER,DAY,DEACT,DEACTDIS,DEACTEOD,GAT,GTC,GTD,GTT,"
    "HID,IOC,LIT,LMT,MIT,MKT,MTL,NONALGO,OCA,SCALE,SNAPMID,SNAPMKT,SNAPREL,STP,STPLMT,TRAIL,TRAILLMT,WHATIF"
)


def details(req: int, listing: Listing, version: int, now: float) -> bytes:
    """The frame that describes one listing: message 18 for a bond, 10 for all others."""
    bond = listing.instrument.bond
    fields = _bond(req, listing, bond, version) if bond else _contract(req, listing, version, now)
    return frame(*fields)


def _contract(req: int, listing: Listing, version: int, now: float) -> list[str]:
    one = listing.instrument
    trading, liquid = trading_hours(one.hours, now)
    return [
        "10", *_below(version, "8"), str(req),
        one.symbol, one.sec_type, _last_trade(one, version), f"{one.strike:g}", one.right, listing.exchange,
        one.currency, one.local_symbol, one.market_name, one.trading_class, str(one.con_id),
        java(one.min_tick),
        *_below(version, "1"),
        one.multiplier, _ORDER_TYPES, ",".join(one.exchanges), "1", str(one.under[0]), one.long_name,
        one.primary,
        one.expiry[:6], *one.sector, one.hours.zone, trading, liquid, "", "",
        *_sec_ids(one), _group(one), one.under[1], one.under[2], ",".join("26" for _ in one.exchanges),
        one.expiry, one.stock_type, *_size_rules(one, version),
    ]  # fmt: skip


def _bond(req: int, listing: Listing, bond: Bond, version: int) -> list[str]:
    one = listing.instrument
    return [
        "18", *_below(version, "6"), str(req),
        one.symbol, one.sec_type, bond.cusip, repr(bond.coupon).removesuffix(".0"), bond.maturity,
        bond.issued,
        bond.ratings, bond.kind, "FIXED", "0", "0", "0", bond.description, listing.exchange, one.currency,
        one.market_name, one.trading_class, str(one.con_id), java(one.min_tick),
        *_below(version, "1"),
        _ORDER_TYPES, ",".join(one.exchanges), "", "", "0", "", one.long_name, "", "",
        *_sec_ids(one), _group(one), "26", *(_size_rules(one, version) if version >= SIZE_RULES else ()),
    ]  # fmt: skip


def _below(version: int, value: str) -> list[str]:
    """A field that went away with the size rules."""
    return [value] if version < SIZE_RULES else []


def _size_rules(one: Instrument, version: int) -> list[str]:
    least = size(min(one.lot, 1))
    if version == SIZE_RULES - 1:
        return [least]
    return [least, least, size(one.lot)] if version >= SIZE_RULES else []


def _sec_ids(one: Instrument) -> list[str]:
    return [str(len(one.sec_ids)), *(text for pair in one.sec_ids for text in pair)]


def _group(one: Instrument) -> str:
    return "1" if one.sec_type == "STK" else UNSET_INT if one.sec_type == "IND" else "2"


def _last_trade(one: Instrument, version: int) -> str:
    """Futures say the time of day and its zone with the date."""
    if one.sec_type not in {"FUT", "CONTFUT"}:
        return one.expiry
    joined = f"{one.expiry}-08:30:00-{one.hours.zone}"
    return joined if version >= TIME_ZONES else f"{one.expiry} 08:30 {one.hours.zone}"


def symbol_samples(req: int, found: list[Instrument], version: int) -> bytes:
    """Message 79: what ``reqMatchingSymbols`` finds; description and issuer from server version 176 on."""
    fields = ["79", str(req), str(len(found))]
    for one in found:
        fields += [str(one.con_id), one.symbol, one.sec_type, one.primary, one.currency]
        fields += ["2", "CFD", "OPT"] if one.currency == "USD" else ["0"]
        fields += [one.long_name, ""] if version >= 176 else []
    return frame(*fields)


def option_chains(req: int, options: list[Instrument]) -> list[bytes]:
    """Message 75 for each exchange, then 76: expiries and strikes of an underlying."""
    frames = [_chain(req, venue, options) for venue in (options[0].exchanges if options else ())]
    return [*frames, frame("76", str(req))]


def _chain(req: int, venue: str, options: list[Instrument]) -> bytes:
    one = options[0]
    ends = sorted({option.expiry for option in options})
    strikes = [number(strike) for strike in sorted({option.strike for option in options})]
    head = ("75", str(req), venue, str(one.under[0]), one.trading_class, one.multiplier)
    return frame(*head, str(len(ends)), *ends, str(len(strikes)), *strikes)


def gateway_time(now: float) -> str:
    """The moment as the hello says it: ``20261122 16:50:00 UTC``."""
    return f"{datetime.fromtimestamp(now, UTC):%Y%m%d %H:%M:%S} UTC"
