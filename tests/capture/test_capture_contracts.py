"""Lines to contracts, and contract details back, at every server version that can be met."""

import asyncio
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutated import mutated

from recorder.capture.survey import survey
from recorder.config import Config, Line
from recorder.journal.state import State
from recorder.session import contracts
from recorder.session.contracts import DetailsError
from recorder.session.watchlist import UnfitError, Watchlist
from recorder.simulator import Simulator
from recorder.wire.layouts import frame

STOCK = (
    "10 9 AAPL STK _ 0 _ SMART USD AAPL NMS NMS 265598 0.01 _ LMT,MKT SMART,NYSE 1 0 APPLE_INC NASDAQ _ Technology"
    " Computers Computers US/Eastern 20261123:0400-20261123:2000 20261123:0930-20261123:1600 _ 0 1 ISIN US0378331005"
    " 1 _ _ 26,26 _ COMMON 0.0001 0.0001 100"
).split()
BOND = (
    "18 9 AMGN BOND _ 4.5 20331002-23:59-US/Eastern 20031002 _ CORP FIXED 0 0 0 _ SMART USD AMGN AMGN 15960357 0.001"
    " LMT SMART _ _ 0 _ AMGEN _ 0 1 CUSIP 03076KAA6 7 32 1 1 1"
).split()


def fields(words):
    return ["" if word == "_" else word.replace("_", " ") for word in words]


def test_a_stock_keeps_everything_that_the_recording_wants_to_know():
    req, found = contracts.details(frame(*fields(STOCK)), 178)
    assert req == 9
    row = contracts.instrument(found, "AAPL")
    assert (row["con_id"], row["symbol"], row["sec_type"], row["primary_exchange"]) == (
        265598,
        "AAPL",
        "STK",
        "NASDAQ",
    )
    assert (row["min_tick"], row["time_zone"], row["isin"], row["stock_type"], row["long_name"]) == (
        0.01, "US/Eastern", "US0378331005", "COMMON", "APPLE INC",
    )  # fmt: skip


def test_a_bond_with_a_fractional_coupon_is_read():
    _, found = contracts.details(frame(*fields(BOND)), 178)
    row = contracts.instrument(found, "US03076KAA60")
    assert (row["coupon"], row["expiry"], row["cusip"], row["con_id"]) == (
        4.5,
        "20331002",
        "03076KAA6",
        15960357,
    )


def test_before_version_164_there_is_a_message_version_and_a_size_multiplier_and_no_sizes():
    old = fields(STOCK)[:-3]
    old.insert(14, "100")
    old.insert(1, "8")
    assert contracts.details(frame(*old), 163)[1]["order_types"] == "LMT,MKT"
    assert contracts.details(frame(*old), 163)[1]["con_id"] == "265598"


@pytest.mark.parametrize("words", [STOCK[:20], ["10"], [*STOCK[:30], "many", *STOCK[31:]]])
def test_details_that_break_off_are_an_error_and_no_surprise(words):
    with pytest.raises(DetailsError):
        contracts.details(frame(*fields(words)), 178)


@pytest.mark.parametrize("version", [157, 163, 164, 178])
@pytest.mark.parametrize(
    "message", [frame(), b"\0\0\0\0", frame("10"), frame("10", "8"), frame("18", "9" * 5000)]
)
def test_details_of_no_request_are_an_error_at_every_version(version, message):
    with pytest.raises(DetailsError) as failed:
        contracts.details(message, version)
    assert failed.value.req in (None, 8)


@pytest.mark.parametrize("number", ["Infinity", "NaN", "1e999", "-inf", "9" * 5000, "1_0", "many"])
def test_what_is_no_finite_number_is_none(number):
    for name in ("under_con_id", "min_tick", "strike", "min_size"):
        _, found = contracts.details(frame(*fields(STOCK)), 178)
        assert contracts.instrument(found | {name: number}, "AAPL")[name] is None
    assert "strike" not in contracts.contract(found | {"strike": number}, Line(type="stock", symbol="AAPL"))


@pytest.mark.parametrize(
    ("place", "text"), [(1, "1_0"), (12, "9" * 19), (12, "1_0"), (30, "-1"), (30, "\u0661")]
)
def test_ids_and_counts_are_plain_numbers_of_a_likely_size(place, text):
    words = fields(STOCK)
    words[place] = text
    with pytest.raises(DetailsError, match=r"is no whole number|pairs of identifiers"):
        contracts.details(frame(*words), 178)


def test_an_underlying_whose_id_is_none_is_none():
    _, found = contracts.details(frame(*fields(STOCK)), 178)
    row = contracts.instrument(found | {"under_con_id": "1e30"}, "AAPL")
    assert row["under_con_id"] is None
    assert contracts.instrument(found | {"under_con_id": "8314"}, "AAPL")["under_con_id"] == 8314


def test_a_name_is_read_as_ib_escapes_it_and_other_backslashes_stay():
    _, found = contracts.details(frame(*fields(STOCK)), 178)
    row = contracts.instrument(found | {"long_name": r"K\u00c4FER \ud83d\ude00 \d \x"}, "AAPL")
    assert "KÄFER 😀 \\d \\x" == row["long_name"]


@given(st.one_of(mutated(frame(*fields(STOCK))), mutated(frame(*fields(BOND)))), st.integers(157, 178))
def test_whatever_details_a_gateway_sends_they_read_or_are_an_error(message, version):
    line = Line(type="stock", symbol="AAPL")
    try:
        _, found = contracts.details(message, version)
    except DetailsError:
        return
    row = contracts.instrument(found, contracts.name(line, found))
    assert all(math.isfinite(value) for value in row.values() if isinstance(value, float))
    assert all(abs(value) < 10**10 for value in row.values() if isinstance(value, int))
    assert contracts.contract(found, line)["conId"] == row["con_id"]
    contracts.candidate(found)


def test_every_type_of_line_is_found_and_named():
    lines = [
        {"type": "stock", "symbol": "AAPL"},
        {"type": "forex", "symbol": "EURUSD"},
        {"type": "cfd", "symbol": "IBUS30"},
        {"type": "future", "symbol": "ES", "expiry": "202612", "exchange": "CME"},
        {"type": "continuous_future", "symbol": "ES", "exchange": "CME"},
        {"type": "option", "symbol": "SPY", "expiry": "20261218", "strike": 600.0, "right": "C"},
        {"type": "index", "symbol": "SPX", "exchange": "CBOE"},
        {"type": "crypto", "symbol": "BTC", "exchange": "PAXOS"},
        {"type": "bond", "isin": "US03076KAA60"},
        {"con_id": 270639, "name": "INTC2"},
    ]

    async def story():
        async with Simulator() as simulator:
            return await survey(
                Config(gateway={"port": simulator.port}, watchlist=tuple(Line(**line) for line in lines))
            )

    answers = asyncio.run(story())
    assert [answer.problem for answer in answers] == [None] * len(lines)
    assert [answer.name for answer in answers] == [
        "AAPL", "EURUSD", "IBUS30", "ESZ6", "continuous future ES CME", "SPY 261218C00600000", "SPX", "BTC",
        "US03076KAA60", "INTC2",
    ]  # fmt: skip


def test_an_ambiguous_line_names_its_candidates():
    line = Line(type="stock", symbol="AAPL")
    one = dict(zip(("con_id", "symbol", "sec_type", "currency"), ("1", "AAPL", "STK", "USD"), strict=True))
    two = one | {"con_id": "2", "currency": "MXN"}
    watchlist = Watchlist(Config(watchlist=(line,)))
    with pytest.raises(UnfitError, match=r"ambiguous, 2 contracts fit: con_id 1: .*; con_id 2: STK AAPL MXN"):
        watchlist.resolve(watchlist.entries[0], [one, two])


def test_an_unknown_line_says_what_ib_said():
    async def story():
        async with Simulator() as simulator:
            line = Line(type="stock", symbol="NOSUCHTHING")
            return await survey(Config(gateway={"port": simulator.port}, watchlist=(line,)))

    (answer,) = asyncio.run(story())
    assert "No security definition has been found" in answer.problem


def test_a_continuous_future_keeps_its_name_when_it_rolls_and_when_the_recorder_starts_again():
    line = Line(type="continuous_future", symbol="ES", exchange="CME")
    december = {"con_id": "1", "sec_type": "CONTFUT", "local_symbol": "ESZ6"}
    march = {"con_id": "2", "sec_type": "CONTFUT", "local_symbol": "ESH7"}
    config = Config(watchlist=(line,))
    watchlist = Watchlist(config)
    entry = watchlist.entries[0]
    watchlist.resolve(entry, [december])
    watchlist.resolve(entry, [march])
    assert ("ESZ6", 2) == (entry.name, entry.con_id)
    state = State()
    state.apply({"kind": "qualified", "symbol": entry.name, "title": line.title, "instrument": {"con_id": 1}})
    again = Watchlist(config, names=State.restore(state.snapshot()).names)
    again.resolve(again.entries[0], [march])
    assert ("ESZ6", 1) == (again.entries[0].name, again.entries[0].stood_for)
    assert "ESZ6" == Watchlist(config, again).entries[0].name
