"""The frozen config, made without a file."""

import pytest
from pydantic import ValidationError

from recorder.config import Config, Gateway, Line, Status, Storage, Stream

ES = {"type": "future", "symbol": "ES", "expiry": "202612", "exchange": "CME"}
SPY = {"type": "option", "symbol": "SPY", "expiry": "20261218", "strike": 600, "right": "C"}


def test_the_defaults_are_those_promised():
    config = Config(watchlist=(Line(type="stock", symbol="AAPL"),))
    assert {
        "host": "127.0.0.1", "port": 4002, "client_id": 17, "spare_client_ids": (18, 19),
        "market_data_type": "live", "connect_timeout_seconds": 10, "heartbeat_seconds": 15,
        "reconnect_min_seconds": 1, "reconnect_max_seconds": 60, "max_lines": 100,
        "backfill_hours": 24,
    } == config.gateway.model_dump()  # fmt: skip
    assert {
        "flush_seconds": 300, "fsync_seconds": 0.2, "spare_megabytes": 128, "memory_megabytes": 64,
        "compact_at": "01:00", "retain_days": None, "archive_days": 7,
    } == config.storage.model_dump(exclude={"root"})  # fmt: skip
    assert "data" == str(config.storage.root)
    assert "127.0.0.1:9478" == config.status.listen
    assert (Stream(kind="level1"),) == config.streams == config.watchlist[0].streams


@pytest.mark.parametrize("thing", [Gateway(), Storage(), Status(), Stream(kind="bars"), Line(con_id=1)])
def test_nothing_of_it_can_be_changed(thing):
    with pytest.raises(ValidationError, match="frozen"):
        setattr(thing, next(iter(type(thing).model_fields)), 1)


def test_a_client_id_that_is_a_default_spare_leaves_the_other():
    assert (19,) == Gateway(client_id=18).spare_client_ids


WHERE = [
    ({"type": "stock", "symbol": "AAPL"}, "SMART", "USD"),
    ({"type": "stock", "symbol": "SAP", "exchange": "IBIS", "currency": "EUR"}, "IBIS", "EUR"),
    ({"type": "forex", "symbol": "EURJPY"}, "IDEALPRO", "JPY"),
    ({"type": "cfd", "symbol": "IBUS30"}, "SMART", "USD"),
    (ES, "CME", "USD"),
    (SPY, "SMART", "USD"),
    ({"type": "crypto", "symbol": "BTC"}, "PAXOS", "USD"),
    ({"type": "bond", "isin": "US03076KAA60"}, "SMART", "USD"),
    ({"con_id": 1}, None, None),
    ({"con_id": 1, "type": "index"}, None, None),
    ({"con_id": 1, "exchange": "CME"}, "CME", None),
]


@pytest.mark.parametrize(("given", "exchange", "currency"), WHERE)
def test_exchange_and_currency_follow_from_the_type_unless_said(given, exchange, currency):
    line = Line(**given)
    assert (exchange, currency) == (line.exchange, line.currency)


CALLED = [
    ({"type": "stock", "symbol": "AAPL"}, "AAPL", "stock AAPL"),
    ({"type": "stock", "symbol": "AAPL", "name": "apple"}, "apple", "stock AAPL"),
    ({"type": "stock", "symbol": "BMW", "exchange": "IBIS"}, "BMW", "stock BMW IBIS"),
    ({"type": "forex", "symbol": "EURUSD"}, "EURUSD", "forex EURUSD"),
    ({"type": "cfd", "symbol": "IBUS30"}, "IBUS30", "cfd IBUS30"),
    (ES, None, "future ES 202612 CME"),
    ({"type": "future", "local_symbol": "ESZ6", "exchange": "CME"}, None, "future ESZ6 CME"),
    ({"type": "continuous_future", "symbol": "ES", "exchange": "CME"}, None, "continuous future ES CME"),
    (SPY, None, "option SPY 20261218 600 C"),
    (SPY | {"strike": 602.5, "right": "P"}, None, "option SPY 20261218 602.5 P"),
    ({"type": "index", "symbol": "SPX", "exchange": "CBOE"}, "SPX", "index SPX CBOE"),
    ({"type": "crypto", "symbol": "BTC"}, "BTC", "crypto BTC"),
    ({"type": "bond", "isin": "US03076KAA60"}, "US03076KAA60", "bond US03076KAA60"),
    ({"con_id": 270639}, None, "con_id 270639"),
    ({"con_id": 270639, "name": "INTC2"}, "INTC2", "con_id 270639"),
    ({"con_id": 270639, "type": "stock"}, None, "stock con_id 270639"),
]


@pytest.mark.parametrize(("given", "label", "title"), CALLED)
def test_a_line_is_called_by_its_name_and_shown_by_its_contract(given, label, title):
    line = Line(**given)
    assert (label, title) == (line.label, line.title)


def test_a_currency_pair_has_a_base_and_a_quote():
    line = Line(type="forex", symbol="EURUSD")
    assert ("EUR", "USD") == (line.base, line.quote)
    assert (None, None) == (Line(con_id=1).base, Line(con_id=1).quote)


@pytest.mark.parametrize(
    ("given", "text"), [(50, "50"), (0.1, "0.1"), ("100", "100"), (1000000.0, "1000000")]
)
def test_a_multiplier_is_the_text_that_ib_has(given, text):
    assert text == Line(**ES, multiplier=given).multiplier


@pytest.mark.parametrize(
    "given", [{}, {"type": "stock"}, SPY | {"isin": "US03076KAA60"}, {"con_id": 1, "x": 1}]
)
def test_a_line_that_is_not_whole_cannot_be_made(given):
    with pytest.raises(ValidationError):
        Line(**given)
