"""Layouts and names are IB's own: the official decoder and ib_async's read back what the layouts write."""

import logging
from decimal import Decimal

import pytest
from ib_async.decoder import Decoder as AsyncDecoder
from ibapi.decoder import Decoder as OfficialDecoder
from ibapi.ticktype import TickTypeEnum

from recorder.wire import layouts
from recorder.wire.layouts import LAYOUTS, NOT_COMPUTED, frame, number, size
from recorder.wire.ticktypes import TICK_TYPES, tick_name

REQ = 7

# In the order of the wire, so that the order of a layout is not held against itself.
VALUES = {
    "tick_price": {"tick_type": 1, "price": 187.25, "size": 300, "attribs": 7},
    "tick_size": {"tick_type": 8, "size": 8.722e-05},
    "tick_generic": {"tick_type": 49, "value": -1},
    "tick_string": {"tick_type": 45, "text": "1795000000"},
    "tick_efp": {
        "tick_type": 38, "basis_points": "1.5", "formatted": "1.5%", "implied_future": "101.25", "hold_days": "30",
        "future_date": "20261218", "dividend_impact": "0.25", "dividends": "0.75",
    },
    "greeks": {
        "tick_type": 13, "attrib": 1, "implied_vol": 0.25, "delta": -0.5, "option_price": 3.25, "pv_dividend": 0.125,
        "gamma": 0.0625, "vega": 0.375, "theta": -0.75, "underlying_price": 600.5,
    },
    "trade": {
        "variant": 2, "ts_event": 1795000000, "price": 187.25, "size": 100, "attribs": 3, "exchange": "ARCA",
        "conditions": " TI",
    },
    "quote": {
        "variant": 3, "ts_event": 1795000000, "bid": 187.25, "ask": 187.5, "bid_size": 100, "ask_size": 0.5,
        "attribs": 1,
    },
    "midpoint": {"variant": 4, "ts_event": 1795000000, "price": 1.06125},
    "depth": {"position": 3, "operation": 1, "side": 0, "price": 187.5, "size": 700},
    "depth_l2": {
        "position": 2, "market_maker": "ARCA", "operation": 2, "side": 1, "price": 187.25, "size": 700, "smart": 1,
    },
    "bar": {
        "ts_event": 1795000000, "open": 1.5, "high": 1.75, "low": 1.25, "close": 1.625, "volume": 1234.5, "wap": 1.5625,
        "count": 17,
    },
    "market_data_type": {"text": "3"},
    "tick_params": {"min_tick": "0.01", "bbo_exchange": "9c0001", "snapshot_permissions": "3"},
    "reroute_level1": {"con_id": "5543", "exchange": "SMART"},
    "reroute_depth": {"con_id": "5543", "exchange": "SMART"},
}  # fmt: skip


def flat(value):
    """A decoder's argument as plain numbers and texts; attributes of a tick as their mask, lowest bit first."""
    if isinstance(value, Decimal):
        return [float(value)]
    if isinstance(value, (bool, int, float, str)) or value is None:
        return [value]
    named = vars(value) if hasattr(value, "__dict__") else value.__dataclass_fields__
    return [sum(bool(getattr(value, name)) << bit for bit, name in enumerate(named))]


class Heard:
    """Stands in for the user's end of both decoders: keeps what it is called with."""

    def __init__(self):
        self.calls = []

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *args: self.calls.append((name, [part for arg in args for part in flat(arg)]))


def official(fields):
    heard = Heard()
    OfficialDecoder(heard, layouts.SERVER_VERSION).interpret([f.encode() for f in fields[1:]], int(fields[0]))
    return heard.calls


def by_ib_async(fields):
    heard = Heard()
    AsyncDecoder(heard, layouts.SERVER_VERSION).interpret(fields)
    return heard.calls


def written(layout, values):
    data = layout.encode(REQ, values)
    assert int.from_bytes(data[:4], "big") == len(data) - 4
    return data[4:-1].decode().split("\0")


def expected(layout):
    """The values in the order of the wire, as both decoders should say them."""
    values = VALUES[layout.name]
    texts = {"market_data_type": int, "reroute_level1": int, "reroute_depth": int}
    found = list(values.values())
    if layout.name in texts:
        found[0] = texts[layout.name](found[0])
    if layout.name == "tick_params":
        found = [0.01, "9c0001", 3]
    if layout.name == "tick_efp":
        found = [38, 1.5, "1.5%", 101.25, 30, "20261218", 0.25, 0.75]
    if layout.table in ("quotes", "midpoints"):
        found = found[1:]
    return [REQ, *found]


COUNTED = {"tick_generic", "tick_string", "tick_efp"}
"""Those whose fields IB's own client counts."""


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_ibs_own_client_reads_what_a_layout_writes(layout):
    fields = written(layout, VALUES[layout.name])
    assert layout.width == len(fields)
    if layout.name == "tick_price":
        assert official(fields) == [("tickPrice", [REQ, 1, 187.25, 7]), ("tickSize", [REQ, 0, 300])]
    else:
        ((_, values),) = official(fields)
        assert expected(layout) == values


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_ib_async_reads_what_a_layout_writes(layout, caplog):
    caplog.set_level(logging.ERROR)
    ((_, values),) = by_ib_async(written(layout, VALUES[layout.name]))
    wanted = expected(layout)
    assert (wanted[:-1] if layout.name == "tick_price" else wanted) == values
    assert caplog.text == ""


@pytest.mark.parametrize(
    "layout", [layout for layout in LAYOUTS if layout.name in COUNTED], ids=lambda one: one.name
)
def test_a_field_too_many_is_a_message_that_ibs_own_client_drops(layout, caplog):
    caplog.set_level(logging.CRITICAL)
    assert official([*written(layout, VALUES[layout.name]), ""]) == []


def test_greeks_that_are_not_computed_are_none_to_ibs_own_client():
    fields = written(layouts.GREEKS, {"tick_type": 13, "attrib": 0})
    assert [REQ, 13, 0, *[None] * 8] == official(fields)[0][1]
    assert len(NOT_COMPUTED) == 8


def test_tick_types_are_named_as_ibs_own_client_names_them():
    names = {number: name.lower() for number, name in TickTypeEnum.idx2name.items() if name != "NOT_SET"}
    assert names == TICK_TYPES
    assert (tick_name(1), tick_name(210), tick_name(-1)) == ("bid", "tick_210", "tick_-1")


def test_numbers_are_written_as_ib_writes_them():
    assert [number(value) for value in (-1, 0, 1, 1.5, 1e-4)] == ["-1.00", "0.0", "1.0", "1.5", "0.0001"]
    assert [size(value) for value in (0, 300, 0.5, 8.722e-05)] == ["0", "300", "0.5", "8.722e-05"]


def test_what_is_not_said_is_an_empty_field():
    assert frame("2", "6", "7", "5", "") == layouts.TICK_SIZE.encode(7, {"tick_type": 5})
    assert frame("2", "6", "7", "", "") == layouts.TICK_SIZE.encode(7, {"size": None})
