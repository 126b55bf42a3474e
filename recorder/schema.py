"""Every table of a recording, column by column: type, unit and where the value comes from.

Rule: complete from the first day. A column added later would be dropped silently by some readers, so a column
is here as soon as the protocol can fill it.
"""

from dataclasses import dataclass

import pyarrow as pa

TIME = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, Arrow type, and what stands in it."""

    name: str
    type: pa.DataType
    doc: str


def _columns(*rows: tuple[str, pa.DataType, str]) -> tuple[Column, ...]:
    return tuple(Column(*row) for row in rows)


_TS = ("ts_recv", TIME, "when the bytes reached the recorder (UTC, microseconds)")
_SEQ = ("seq", pa.int64(), "arrival order, strictly increasing over the life of the root and over all tables")
_SYMBOL = ("symbol", pa.string(), "the watchlist line's name")
_CON_ID = ("con_id", pa.int64(), "IB's contract id the line stood for when it was subscribed")
_SOURCE = ("source", pa.string(), "live, or backfill")
_MARKET = (_TS, _SEQ, _SYMBOL, _CON_ID, _SOURCE)
_EVENT_TIME = ("ts_event", TIME, "IB's time of the tick, whole seconds (UTC)")
_TICK_TYPE = ("tick_type", pa.int16(), "IB's tick type number")
_FIELD = ("field", pa.string(), "name of the tick type: bid, ask_size, delayed_last, tick_210")
_PRICE = ("price", pa.float64(), "price in the instrument's currency; -1 with size 0 means: no quote")
_SIZE = ("size", pa.float64(), "size in IB's units (shares, contracts, coins)")
_MASK = ("attribs", pa.int32(), "the attribute mask as sent")

TABLES: dict[str, tuple[Column, ...]] = {
    "level1": _columns(
        *_MARKET,
        _TICK_TYPE,
        _FIELD,
        _PRICE,
        _SIZE,
        ("value", pa.float64(), "value of a generic tick (message 45)"),
        ("text", pa.string(), "text of a string tick (46); the fields of an EFP tick (47), tab-separated"),
        ("attribs", pa.int32(), "mask of message 1: 1 can auto execute, 2 past limit, 4 pre-open"),
    ),
    "trades": _columns(
        *_MARKET,
        _EVENT_TIME,
        _PRICE,
        _SIZE,
        ("exchange", pa.string(), "where it traded"),
        ("conditions", pa.string(), "sale conditions as sent"),
        ("past_limit", pa.bool_(), "bit 1 of the mask"),
        ("unreported", pa.bool_(), "bit 2 of the mask: not reported to the tape"),
        ("kind", pa.string(), "last, or all_last"),
        _MASK,
    ),
    "quotes": _columns(
        *_MARKET,
        _EVENT_TIME,
        ("bid", pa.float64(), "best bid"),
        ("ask", pa.float64(), "best ask"),
        ("bid_size", pa.float64(), "size at the bid"),
        ("ask_size", pa.float64(), "size at the ask"),
        ("bid_past_low", pa.bool_(), "bit 1 of the mask: bid below the day's low"),
        ("ask_past_high", pa.bool_(), "bit 2 of the mask: ask above the day's high"),
        _MASK,
    ),
    "midpoints": _columns(*_MARKET, _EVENT_TIME, ("price", pa.float64(), "midpoint")),
    "depth": _columns(
        *_MARKET,
        ("position", pa.int32(), "row of the book, 0 is the best"),
        ("operation", pa.int8(), "0 insert, 1 update, 2 delete, 3 reset by error 317"),
        ("side", pa.int8(), "0 ask, 1 bid"),
        _PRICE,
        _SIZE,
        ("market_maker", pa.string(), "market maker or, in a smart book, exchange; null in message 12"),
        ("smart", pa.bool_(), "whether the row is of the aggregated book; null in message 12"),
    ),
    "greeks": _columns(
        *_MARKET,
        _TICK_TYPE,
        _FIELD,
        ("attrib", pa.int32(), "0 return-based, 1 price-based computation"),
        ("implied_vol", pa.float64(), "implied volatility, a year; null: not computed"),
        ("delta", pa.float64(), "delta; null: not computed"),
        ("option_price", pa.float64(), "price the greeks belong to; null: not computed"),
        ("pv_dividend", pa.float64(), "present value of dividends; null: not computed"),
        ("gamma", pa.float64(), "gamma; null: not computed"),
        ("vega", pa.float64(), "vega; null: not computed"),
        ("theta", pa.float64(), "theta, a day; null: not computed"),
        ("underlying_price", pa.float64(), "price of the underlying; null: not computed"),
    ),
    "bars": _columns(
        *_MARKET,
        ("ts_event", TIME, "start of the 5-second bar (UTC)"),
        ("open", pa.float64(), "first price"),
        ("high", pa.float64(), "highest price"),
        ("low", pa.float64(), "lowest price"),
        ("close", pa.float64(), "last price"),
        ("volume", pa.float64(), "volume; -1 where IB has none (forex)"),
        ("wap", pa.float64(), "volume-weighted average price; -1 where IB has none"),
        ("count", pa.int64(), "number of trades; -1 where IB has none"),
        ("show", pa.string(), "what the bars are made of: TRADES, MIDPOINT, BID, ASK"),
    ),
    "other": _columns(
        *_MARKET,
        ("msg_id", pa.int32(), "IB's message id; null where it cannot be read"),
        ("text", pa.string(), "the message's fields, tab-separated; bytes that are no UTF-8 as \\xNN"),
    ),
    "events": _columns(
        _TS,
        _SEQ,
        ("kind", pa.string(), "session_start, connected, subscribed, refused, notice, gap_start, ..."),
        ("symbol", pa.string(), "the line it is about; null: all"),
        ("stream", pa.string(), "the stream it is about; null: all of the line"),
        ("code", pa.int32(), "IB's code, where there is one"),
        ("text", pa.string(), "what happened, in words"),
    ),
    "gaps": _columns(
        ("symbol", pa.string(), "the line"),
        ("stream", pa.string(), "the stream"),
        ("ts_start", TIME, "last moment the stream is known to have been received"),
        ("ts_end", TIME, "first moment it is known to be received again"),
        ("seq_start", pa.int64(), "seq of the last row before the gap; 0: none"),
        ("seq_end", pa.int64(), "seq of the row that ended it"),
        ("reason", pa.string(), "disconnected, restart, refused, not_subscribed, ..."),
        ("code", pa.int32(), "IB's code, where there is one"),
    ),
    "instruments": _columns(
        _TS,
        _SYMBOL,
        _CON_ID,
        ("sec_type", pa.string(), "STK, CASH, CFD, FUT, OPT, IND, CRYPTO, BOND, ..."),
        ("exchange", pa.string(), "exchange the contract was asked at"),
        ("primary_exchange", pa.string(), "primary listing"),
        ("currency", pa.string(), "currency of the price"),
        ("local_symbol", pa.string(), "IB's local symbol"),
        ("trading_class", pa.string(), "trading class"),
        ("multiplier", pa.float64(), "contract multiplier"),
        ("expiry", pa.string(), "YYYYMMDD: last trade date, of a bond the maturity"),
        ("strike", pa.float64(), "strike; 0 where there is none"),
        ("right", pa.string(), "C or P"),
        ("min_tick", pa.float64(), "smallest price step"),
        ("time_zone", pa.string(), "zone of the hours below, as IB names it"),
        ("trading_hours", pa.string(), "sessions as IB sends them"),
        ("liquid_hours", pa.string(), "regular sessions as IB sends them"),
        ("long_name", pa.string(), "name in words"),
        ("contract_month", pa.string(), "YYYYMM"),
        ("under_con_id", pa.int64(), "contract id of the underlying"),
        ("under_symbol", pa.string(), "symbol of the underlying"),
        ("stock_type", pa.string(), "COMMON, ETF, ADR, ..."),
        ("isin", pa.string(), "ISIN, where IB says it"),
        ("cusip", pa.string(), "CUSIP (bonds)"),
        ("coupon", pa.float64(), "coupon in percent (bonds)"),
        ("valid_exchanges", pa.string(), "where it can be asked, comma-separated"),
        ("market_rule_ids", pa.string(), "market rules, one an exchange"),
        ("min_size", pa.float64(), "smallest order size"),
        ("size_increment", pa.float64(), "size step"),
    ),
}
"""Table name to its columns."""

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
