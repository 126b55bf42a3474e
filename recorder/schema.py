"""Every table of a recording, column by column: type, unit, where the value comes from, and what it means.

Rules:
- Complete from the first day. A column added later is null in what was recorded before, and says so in ``since``.
- Said once: the page ``docs/tables.md`` is made of this (``python -m recorder.schema docs/tables.md``).
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import pyarrow as pa

TIME = pa.timestamp("us", tz="UTC")

_STRING, _F64, _BOOL = pa.string(), pa.float64(), pa.bool_()
_I64, _I32, _I16, _I8 = pa.int64(), pa.int32(), pa.int16(), pa.int8()

Unit: TypeAlias = Literal[
    "none", "microseconds UTC", "currency", "1/currency", "currency/day", "currency/vol", "size", "vol", "trades",
    "percent/year", "as the tick type",
]  # fmt: skip
"""``currency``: the contract's; ``size``: what IB counts the contract in (shares, contracts, coins); ``vol``: implied
volatility as a fraction, a year; ``as the tick type``: each has its own."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        name: what it is called.
        type: its Arrow type.
        unit: what its numbers count; ``none`` where they are names, marks, texts or ratios.
        source: the fields of IB's messages it is made of, as ``1.price 2.price`` (message id, name in the layout of
            ``recorder.wire.layouts``); ``any``: any message; ``recorder``: no message says it.
        doc: what stands in it.
        since: version of the recording's format in which it appeared.
    """

    name: str
    type: pa.DataType
    unit: Unit
    source: str
    doc: str
    since: int = 1


Row: TypeAlias = tuple[str, pa.DataType, Unit, str, str] | tuple[str, pa.DataType, Unit, str, str, int]
"""Name, type, unit, source, doc, and since which format if not the first; a source that is a number alone is that message's field of the column's name."""


def _columns(*rows: Row) -> tuple[Column, ...]:
    return tuple(Column(row[0], row[1], row[2], _source(row[0], row[3]), row[4], *row[5:]) for row in rows)


def _source(name: str, source: str) -> str:
    return " ".join(f"{word}.{name}" if word.isdigit() else word for word in source.split())


# fmt: off
# ruff: noqa: E501 - a table is read by its columns

_TS: Row = ("ts_recv", TIME, "microseconds UTC", "recorder", "when the bytes reached the recorder")
_SEQ: Row = ("seq", _I64, "none", "recorder", "arrival order, strictly increasing over the life of the root and over all tables")
_SYMBOL: Row = ("symbol", _STRING, "none", "recorder", "the watchlist line's name")
_CON_ID: Row = ("con_id", _I64, "none", "recorder", "IB's contract id the line stood for when it was subscribed")
_SOURCE: Row = ("source", _STRING, "none", "recorder", "live, or backfill")
_MARKET = (_TS, _SEQ, _SYMBOL, _CON_ID, _SOURCE)
_EVENT_TIME: Row = ("ts_event", TIME, "microseconds UTC", "99", "IB's time of the tick, whole seconds")
_MASK: Row = ("attribs", _I32, "none", "99", "the attribute mask as sent")

TABLES: dict[str, tuple[Column, ...]] = {
    "level1": _columns(
        *_MARKET,
        ("tick_type", _I16, "none", "1 2 45 46 47", "IB's tick type number"),
        ("field", _STRING, "none", "1.tick_type 2.tick_type 45.tick_type 46.tick_type 47.tick_type", "name of the tick type: bid, ask_size, delayed_last, tick_210"),
        ("price", _F64, "currency", "1", "price, of a yield tick percent; -1 with size 0 means: no quote"),
        ("size", _F64, "size", "1 2", "size, volume or open interest, as the tick type says"),
        ("value", _F64, "as the tick type", "45", "value of a generic tick"),
        ("text", _STRING, "none", "46 47.basis_points 47.formatted 47.implied_future 47.hold_days 47.future_date 47.dividend_impact 47.dividends", "text of a string tick; the fields of an EFP tick, tab-separated"),
        ("attribs", _I32, "none", "1", "mask: 1 can auto execute, 2 past limit, 4 pre-open"),
    ),
    "trades": _columns(
        *_MARKET,
        _EVENT_TIME,
        ("price", _F64, "currency", "99", "price"),
        ("size", _F64, "size", "99", "size"),
        ("exchange", _STRING, "none", "99", "where it traded"),
        ("conditions", _STRING, "none", "99", "sale conditions as sent"),
        ("past_limit", _BOOL, "none", "99.attribs", "bit 1 of the mask"),
        ("unreported", _BOOL, "none", "99.attribs", "bit 2 of the mask: not reported to the tape"),
        ("kind", _STRING, "none", "99.variant", "last, or all_last"),
        _MASK,
    ),
    "quotes": _columns(
        *_MARKET,
        _EVENT_TIME,
        ("bid", _F64, "currency", "99", "best bid"),
        ("ask", _F64, "currency", "99", "best ask"),
        ("bid_size", _F64, "size", "99", "size at the bid"),
        ("ask_size", _F64, "size", "99", "size at the ask"),
        ("bid_past_low", _BOOL, "none", "99.attribs", "bit 1 of the mask: bid below the day's low"),
        ("ask_past_high", _BOOL, "none", "99.attribs", "bit 2 of the mask: ask above the day's high"),
        _MASK,
    ),
    "midpoints": _columns(*_MARKET, _EVENT_TIME, ("price", _F64, "currency", "99", "midpoint")),
    "depth": _columns(
        *_MARKET,
        ("position", _I32, "none", "12 13", "row of the book, 0 is the best"),
        ("operation", _I8, "none", "12 13 4.code", "0 insert, 1 update, 2 delete, 3 reset by error 317"),
        ("side", _I8, "none", "12 13", "0 ask, 1 bid"),
        ("price", _F64, "currency", "12 13", "price of the row"),
        ("size", _F64, "size", "12 13", "size of the row"),
        ("market_maker", _STRING, "none", "13", "market maker or, in a smart book, exchange; null in message 12"),
        ("smart", _BOOL, "none", "13", "whether the row is of the aggregated book; null in message 12"),
    ),
    "greeks": _columns(
        *_MARKET,
        ("tick_type", _I16, "none", "21", "IB's tick type number"),
        ("field", _STRING, "none", "21.tick_type", "name of the tick type: model_option, bid_option_computation"),
        ("attrib", _I32, "none", "21", "0 return-based, 1 price-based computation"),
        ("implied_vol", _F64, "vol", "21", "implied volatility; null: not computed"),
        ("delta", _F64, "none", "21", "delta; null: not computed"),
        ("option_price", _F64, "currency", "21", "price the greeks belong to; null: not computed"),
        ("pv_dividend", _F64, "currency", "21", "present value of dividends; null: not computed"),
        ("gamma", _F64, "1/currency", "21", "gamma; null: not computed"),
        ("vega", _F64, "currency/vol", "21", "vega, scaled as IB sends it; null: not computed"),
        ("theta", _F64, "currency/day", "21", "theta; null: not computed"),
        ("underlying_price", _F64, "currency", "21", "price of the underlying; null: not computed"),
    ),
    "bars": _columns(
        *_MARKET,
        ("ts_event", TIME, "microseconds UTC", "50", "start of the 5-second bar, whole seconds"),
        ("open", _F64, "currency", "50", "first price"),
        ("high", _F64, "currency", "50", "highest price"),
        ("low", _F64, "currency", "50", "lowest price"),
        ("close", _F64, "currency", "50", "last price"),
        ("volume", _F64, "size", "50", "volume; -1 where IB has none (forex)"),
        ("wap", _F64, "currency", "50", "volume-weighted average price; -1 where IB has none"),
        ("count", _I64, "trades", "50", "number of trades; -1 where IB has none"),
        ("show", _STRING, "none", "recorder", "what the bars are made of: TRADES, MIDPOINT, BID, ASK"),
    ),
    "other": _columns(
        *_MARKET,
        ("msg_id", _I32, "none", "any", "IB's message id; null where it cannot be read"),
        ("text", _STRING, "none", "any", "the message's fields, tab-separated; bytes that are no UTF-8 as \\xNN"),
    ),
    "events": _columns(
        _TS,
        _SEQ,
        ("kind", _STRING, "none", "recorder", "session_start, connected, subscribed, refused, notice, gap_start, ..."),
        ("symbol", _STRING, "none", "recorder", "the line it is about; null: all"),
        ("stream", _STRING, "none", "recorder", "the stream it is about; null: all of the line"),
        ("code", _I32, "none", "4 58.text", "IB's code, where there is one; of market_data_type its number"),
        ("text", _STRING, "none", "4 4.advanced 58 81.min_tick 81.bbo_exchange 81.snapshot_permissions 91.con_id 91.exchange 92.con_id 92.exchange recorder", "what happened, in words"),
    ),
    "gaps": _columns(
        ("symbol", _STRING, "none", "recorder", "the line"),
        ("stream", _STRING, "none", "recorder", "the stream"),
        ("ts_start", TIME, "microseconds UTC", "recorder", "last moment the stream is known to have been received"),
        ("ts_end", TIME, "microseconds UTC", "recorder", "first moment it is known to be received again"),
        ("seq_start", _I64, "none", "recorder", "seq of the last row before the gap; 0: none"),
        ("seq_end", _I64, "none", "recorder", "seq of the row that ended it"),
        ("reason", _STRING, "none", "recorder", "disconnected, restart, refused, not_subscribed, ..."),
        ("code", _I32, "none", "4", "IB's code, where there is one"),
    ),
    "instruments": _columns(
        _TS,
        _SYMBOL,
        ("con_id", _I64, "none", "10 18", "IB's contract id"),
        ("sec_type", _STRING, "none", "10 18", "STK, CASH, CFD, FUT, OPT, IND, CRYPTO, BOND, ..."),
        ("exchange", _STRING, "none", "10 18", "exchange the contract was asked at"),
        ("primary_exchange", _STRING, "none", "10", "primary listing"),
        ("currency", _STRING, "none", "10 18", "currency of the price"),
        ("local_symbol", _STRING, "none", "10", "IB's local symbol"),
        ("trading_class", _STRING, "none", "10 18", "trading class"),
        ("multiplier", _F64, "none", "10", "contract multiplier"),
        ("expiry", _STRING, "none", "10.last_trade 18.last_trade", "YYYYMMDD: last trade date, of a bond the maturity"),
        ("strike", _F64, "currency", "10", "strike; 0 where there is none"),
        ("right", _STRING, "none", "10", "C or P"),
        ("min_tick", _F64, "currency", "10 18", "smallest price step"),
        ("time_zone", _STRING, "none", "10", "zone of the hours below, as IB names it"),
        ("trading_hours", _STRING, "none", "10", "sessions as IB sends them"),
        ("liquid_hours", _STRING, "none", "10", "regular sessions as IB sends them"),
        ("long_name", _STRING, "none", "10 18", "name in words"),
        ("contract_month", _STRING, "none", "10", "YYYYMM"),
        ("under_con_id", _I64, "none", "10", "contract id of the underlying"),
        ("under_symbol", _STRING, "none", "10", "symbol of the underlying"),
        ("stock_type", _STRING, "none", "10", "COMMON, ETF, ADR, ..."),
        ("isin", _STRING, "none", "10 18", "ISIN, where IB says it"),
        ("cusip", _STRING, "none", "10 18", "CUSIP (bonds)"),
        ("coupon", _F64, "percent/year", "18", "coupon (bonds)"),
        ("valid_exchanges", _STRING, "none", "10 18", "where it can be asked, comma-separated"),
        ("market_rule_ids", _STRING, "none", "10 18", "market rules, one an exchange"),
        ("min_size", _F64, "size", "10 18", "smallest order size"),
        ("size_increment", _F64, "size", "10 18", "size step"),
        ("price_magnifier", _F64, "none", "10", "IB's priceMagnifier: 100 where ticks are in hundredths of the currency, such as pence", 2),
        ("ib_symbol", _STRING, "none", "10.symbol 18.symbol", "IB's own symbol; the line may have another name", 2),
    ),
}
"""Table name to its columns."""
# fmt: on

MARKET_TABLES = tuple(name for name, columns in TABLES.items() if columns[3].name == "con_id")
"""The tables with one row a market-data message."""

STREAMS = {"level1": "level1", "greeks": "level1"} | {
    name: name for name in ("trades", "quotes", "midpoints", "depth", "bars")
}
"""Market table to the stream whose messages it holds; those in ``other`` belong to no known stream."""

SEQUENCED = (*MARKET_TABLES, "events")
"""The tables that share the numbers of ``seq``: together they have every number once."""


def schema(table: str) -> pa.Schema:
    """The Arrow schema of a table.

    Raises:
        KeyError: no such table.
    """
    return pa.schema([(column.name, column.type) for column in TABLES[table]])


MARKER = "<!-- What follows is made by `python -m recorder.schema docs/tables.md`. -->\n"
"""What stands before the generated part of the page."""


def page(text: str) -> str:
    """The text of ``docs/tables.md`` with what stands behind ``MARKER`` made anew.

    Raises:
        ValueError: it has no such part.
    """
    if MARKER not in text:
        raise ValueError(f"there is no line {MARKER.strip()!r} behind which the tables could stand")
    return text[: text.index(MARKER)] + MARKER + "".join(map(_section, TABLES))


def _section(table: str) -> str:
    head = f"\n## {table}\n| column | type | unit | source | since | is |\n|---|---|---|---|---|---|\n"
    return head + "".join(map(_line, TABLES[table]))


def _line(column: Column) -> str:
    cells = (f"`{column.name}`", str(column.type), column.unit, column.source, str(column.since), column.doc)
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m recorder.schema docs/tables.md")
    path = Path(sys.argv[1])
    path.write_text(page(path.read_text()))
