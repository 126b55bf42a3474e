"""Every refusal, provoked once over a real socket."""

import asyncio

import pytest

from recorder.simulator import Simulator
from recorder.simulator.pacing import HistoryPacing, MessageRate

STOCK = {"symbol": "AAPL", "secType": "STK", "exchange": "SMART", "currency": "USD"}
FOREX = {"symbol": "EUR", "secType": "CASH", "exchange": "IDEALPRO", "currency": "USD"}
OPTION = {
    "symbol": "SPY",
    "secType": "OPT",
    "expiry": "20261218",
    "strike": "600.0",
    "right": "C",
    "exchange": "SMART",
}
INDEX = {"symbol": "SPX", "secType": "IND", "exchange": "CBOE"}


def named(symbol):
    return STOCK | {"symbol": symbol}


def told(tools, *requests, **settings):
    """The request ids and codes of all errors after the start, and the last one's words."""

    async def scenario():
        async with Simulator(**settings) as sim:
            raw = await tools.Raw.started(sim)
            for request in requests:
                request(raw)
            frames = await raw.drain(0.09)
            await raw.close()
            return [f for f in frames if f[0] == "4"], frames

    return asyncio.run(scenario())


REFUSED = {
    "unknown contract": (lambda r: r.level1(5, **named("NOPE")), 200, "No security definition"),
    "ambiguous contract": (lambda r: r.level1(5, symbol="AAPL", secType="STK", exchange="SMART"), 200, "is ambiguous"),
    "no exchange": (lambda r: r.level1(5, symbol="AAPL", secType="STK"), 321, "Please enter exchange"),
    "generic tick": (lambda r: r.level1(5, "233,999", **STOCK), 321, "Incorrect generic tick list of 233,999.  Legal"),
    "no permission": (lambda r: r.level1(5, **named("NOSUB")), 354, "not subscribed"),
    "delayed not enabled": (lambda r: r.level1(5, **named("DLYD")), 10168, "not enabled"),
    "additional subscription": (lambda r: r.level1(5, **named("ADDL")), 10089, "ADDL NYSE/TOP/ALL"),
    "late cancel": (lambda r: r.send(2, 2, 5), 300, "Can't find EId with tickerId:5"),
    "late cancel of ticks": (lambda r: r.send(98, 5), 300, "tickerId:5"),
    "late cancel of bars": (lambda r: r.send(51, 1, 5), 300, "tickerId:5"),
    "late cancel of depth": (lambda r: r.send(11, 1, 5, 0), 310, "tickerId:5"),
    "ticks of options": (lambda r: r.ticks(5, **OPTION), 10189, "not supported for SPY   261218C00600000"),
    "ticks of an index": (lambda r: r.ticks(5, **INDEX), 10189, "not supported for SPX"),
    "trades of forex": (lambda r: r.ticks(5, "Last", **FOREX), 10189, "Last tick-by-tick requests are not"),
    "ticks without permission": (lambda r: r.ticks(5, **named("NOSUB")), 10189, "No market data permissions for NYSE"),
    "kind of ticks": (lambda r: r.ticks(5, "Trades", **STOCK), 321, "Trades"),
    "depth of SMART unsmart": (lambda r: r.depth(5, 5, 0, **STOCK), 10092, "Deep market data is not supported"),
    "depth of an index": (lambda r: r.depth(5, 5, 0, **INDEX), 10092, "not supported"),
    "depth without permission": (lambda r: r.depth(5, 5, 1, **named("NOSUB")), 354, "not subscribed"),
    "depth of no rows": (lambda r: r.depth(5, 0, 1, **STOCK), 321, "rows"),
    "bars of what": (lambda r: r.bars(5, "VOLUME", **STOCK), 321, "VOLUME"),
    "bars without permission": (lambda r: r.bars(5, **named("NOSUB")), 420, "No market data permissions"),
    "trades of forex as bars": (lambda r: r.bars(5, **FOREX), 420, "Invalid Real-time Query"),
    "history of what": (lambda r: r.history(5, start="20260101 00:00:00 UTC", show="X", **STOCK), 321, "X"),
    "history of no time": (lambda r: r.history(5, **STOCK), 321, "start and end"),
    "history of too much": (lambda r: r.history(5, start="20260101 00:00:00", count=1001, **STOCK), 321, "1000"),
    "history of a bad time": (lambda r: r.history(5, start="yesterday", **STOCK), 10314, "yyyymmdd"),
    "history of a bad zone": (lambda r: r.history(5, start="20260101 00:00:00 Nowhere", **STOCK), 10314, "yyyymmdd"),
    "history without permission": (
        lambda r: r.history(5, start="20260101 00:00:00", **named("NOSUB")), 10187, "No market data permissions"),
    "historical bars": (lambda r: r.send(20, 5, *r.contract(**STOCK), 0), 162, "returned no data"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_it_refuses(tools, case):
    request, code, words = REFUSED[case]
    errors, frames = told(tools, request)
    assert [("5", str(code))] == [(f[2], f[3]) for f in errors]
    assert words in errors[0][4]
    assert errors == frames


def test_the_four_kinds_of_subscription_refuse_a_duplicate_id(tools):
    asks = [
        lambda r: r.level1(1, **STOCK), lambda r: r.ticks(2, **STOCK),
        lambda r: r.depth(3, 5, 1, **STOCK), lambda r: r.bars(4, **STOCK),
    ]  # fmt: skip
    errors, _ = told(tools, *asks, *asks)
    assert [(f[2], f[3]) for f in errors if f[3] != "2152"] == [
        ("1", "322"),
        ("2", "322"),
        ("3", "322"),
        ("4", "322"),
    ]
    assert "Duplicate ticker id" in errors[-1][4]


def test_lines_are_counted_over_level_1_and_bars_of_all_clients(tools):
    async def scenario():
        async with Simulator(max_lines=3) as sim:
            one, two = await tools.Raw.started(sim, 1), await tools.Raw.started(sim, 2)
            one.level1(1, **STOCK)
            one.level1(2, **STOCK)
            one.bars(3, **STOCK)
            await asyncio.sleep(0.05)
            two.level1(4, **STOCK)
            refused = await two.error(101)
            one.send(2, 2, 1)
            await asyncio.sleep(0.05)
            two.level1(5, **STOCK)
            taken = await two.until(lambda f: f[0] == "58")
            await one.close()
            await two.close()
            return refused[2:5], taken[2]

    assert (["4", "101", "Max number of tickers has been reached"], "5") == asyncio.run(scenario())


def test_a_fourth_book_is_one_too_many(tools):
    errors, _ = told(tools, *(lambda r, n=n: r.depth(n, 5, 1, **STOCK) for n in range(1, 5)))
    expected = ("4", "309", "Max number (3) of market depth requests has been reached")
    assert [expected] == [tuple(f[2:5]) for f in errors if f[3] != "2152"]


def test_a_sixth_tick_by_tick_subscription_is_one_too_many(tools):
    symbols = ["AAPL", "MSFT", "INTC", "TSLA", "NVDA", "AMZN"]
    errors, _ = told(tools, *(lambda r, n=n, s=s: r.ticks(n, **named(s)) for n, s in enumerate(symbols, 1)))
    assert [("6", "10190")] == [(f[2], f[3]) for f in errors]


def test_the_same_ticks_asked_for_twice_in_15_seconds_are_refused(tools):
    errors, _ = told(
        tools, lambda r: r.ticks(1, **STOCK), lambda r: r.send(98, 1), lambda r: r.ticks(2, **STOCK)
    )
    assert [("2", "10190")] == [(f[2], f[3]) for f in errors]


def test_partial_permission_is_told_and_a_part_follows(tools):
    errors, frames = told(tools, lambda r: r.level1(5, **named("PARTL")), rate=500)
    assert [("5", "10090")] == [(f[2], f[3]) for f in errors]
    assert {"6", "7", "9"} == {f[3] for f in frames if f[0] == "1"}


def test_delayed_only_is_served_when_delayed_is_asked_for(tools):
    errors, frames = told(tools, lambda r: r.send(59, 1, 4), lambda r: r.level1(5, **named("DLYD")))
    assert [("5", "10167")] == [(f[2], f[3]) for f in errors]
    assert "58" in {f[0] for f in frames}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (
            (9, 8, "x"),
            'Message id 9.  Unable to parse data. java.lang.NumberFormatException: For input string: "x"',
        ),
        ((9, 8, 1, 0, "AAPL"), "Message id 9.  Unable to parse data. java.io.EOFException"),
        ((9, 8, 1, 0, "AAPL", "STK", "", "x"), "Message id 9.  Unable to parse data. java.lang.NumberFormat"),
        ((4711, 1), "Message id 4711."),
        (("x",), "Message id -1."),
        ((), "Message id -1."),
    ],
)
def test_an_unreadable_request_is_error_320_and_the_session_goes_on(tools, fields, words):
    frame = tools.framed(*fields) if fields else b"\0\0\0\1x"
    errors, frames = told(tools, lambda r: r.write(frame), lambda r: r.send(49, 1))
    assert [("-1", "320")] == [(f[2], f[3]) for f in errors]
    assert errors[0][4].startswith(f"Error reading request:{words}")
    assert "49" == frames[-1][0]


def test_combinations_and_delta_neutrals_are_read_past(tools):
    bag = STOCK | {"secType": "BAG"}
    legs = [2, 265598, 1, "BUY", "SMART", 272093, 1, "SELL", "SMART"]
    errors, _ = told(
        tools,
        lambda r: r.send(1, 11, 5, *r.contract(**bag), *legs, 1, 265598, "0.5", "10.0", "", 0, 0, ""),
        lambda r: r.send(1, 11, 6, *r.contract(**STOCK), 1, 265598, "0.5", "10.0", "x", 0, 0, ""),
    )
    assert [("5", "200"), ("6", "321")] == [(f[2], f[3]) for f in errors]


def test_too_many_messages_are_told_three_times_and_then_the_line_is_cut(tools):
    async def scenario(count, hello=b"v157..178"):
        async with Simulator() as sim:
            raw = await tools.Raw.started(sim, hello=hello)
            for _ in range(count):
                raw.send(49, 1)
            await asyncio.sleep(0.1)
            raw.send(80)
            end = None
            try:
                await raw.until(lambda f: f[0] == "78", 1)
            except asyncio.IncompleteReadError:
                end = "closed"
            await raw.close()
            return [f[4].rsplit(None, 1)[1] for f in raw.frames if f[:1] == ["4"] and f[3] == "100"], end

    assert ([], None) == asyncio.run(scenario(48))
    assert (["(1)"], None) == asyncio.run(scenario(60))
    assert (["(1)", "(2)", "(3)"], "closed") == asyncio.run(scenario(200))
    assert ([], None) == asyncio.run(scenario(200, b"v157..178 +PACEAPI"))


def test_fifty_messages_a_second_are_allowed_for_ever():
    rate = MessageRate()
    assert not any(rate.exceeded(n / 49) for n in range(1000))
    assert [MessageRate.exceeded(rate, 100.0) for _ in range(51)] == [False] * 50 + [True]


def test_historical_ticks_are_paced_as_published():
    def ask(pacing, when, n, weight=1):
        return pacing.exceeded(when, ("AAPL",), (n,), weight)

    pacing = HistoryPacing()
    assert [False, True, False] == [ask(pacing, when, 1) for when in (0, 14, 15.1)]
    pacing = HistoryPacing()
    assert [ask(pacing, 0.1 * n, n) for n in range(6)] == [False] * 5 + [True]
    pacing = HistoryPacing()
    assert [ask(pacing, 3.0 * n, n) for n in range(61)] == [False] * 60 + [True]
    pacing = HistoryPacing()
    assert [ask(pacing, 3.0 * n, n, 2) for n in range(31)] == [False] * 30 + [True]
    assert not ask(pacing, 700.0, 99)


def test_an_identical_historical_request_is_a_pacing_violation(tools):
    ask = lambda r: r.history(5, start="20260101 00:00:00 UTC", **STOCK)  # noqa: E731 - a request like the others here
    errors, frames = told(tools, ask, ask)
    assert [("5", "162")] == [(f[2], f[3]) for f in errors]
    assert "pacing violation" in errors[0][4]
    assert ["98", "5", "0", "1"] == frames[0]
