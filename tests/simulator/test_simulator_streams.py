"""What both clients decode is what was sent: same messages, same values, same number."""

import asyncio
import logging
import time
from decimal import Decimal
from itertools import pairwise

import pytest
from ib_async import Contract, Stock
from ibapi.contract import Contract as OfficialContract

from recorder.simulator import Simulator
from recorder.wire.layouts import LAYOUTS

CONTRACTS = {
    "stock": {"symbol": "AAPL", "secType": "STK", "exchange": "SMART", "currency": "USD"},
    "swaps": {"symbol": "IBM", "secType": "STK", "exchange": "SMART", "currency": "USD"},
    "forex": {"symbol": "EUR", "secType": "CASH", "exchange": "IDEALPRO", "currency": "USD"},
    "cfd": {"symbol": "IBUS30", "secType": "CFD", "exchange": "SMART", "currency": "USD"},
    "future": {"symbol": "ES", "secType": "FUT", "expiry": "202612", "exchange": "CME"},
    "continuous": {"symbol": "ES", "secType": "CONTFUT", "exchange": "CME"},
    "option": {"symbol": "SPY", "secType": "OPT", "expiry": "20261218", "strike": "600.0", "right": "C",
               "exchange": "SMART"},
    "index": {"symbol": "SPX", "secType": "IND", "exchange": "CBOE"},
    "crypto": {"symbol": "BTC", "secType": "CRYPTO", "exchange": "PAXOS"},
    "bond": {"symbol": "US03076KAA60", "secType": "BOND", "exchange": "SMART"},
    "delayed": {"symbol": "DLYD", "secType": "STK", "exchange": "SMART"},
}  # fmt: skip
GENERIC = "100,101,104,106,165,225,232,233,236,293,294,295,318,375,411,456,588,595"


def split(frame):
    return frame[4:].decode("ascii").split("\0")[:-1]


def number(text):
    return float(text or 0)


# Message id -> the call ib_async makes of it.
IB_ASYNC = {
    "1": lambda f: ("priceSizeTick", int(f[2]), int(f[3]), float(f[4]), number(f[5])),
    "2": lambda f: ("tickSize", int(f[2]), int(f[3]), number(f[4])),
    "45": lambda f: ("tickGeneric", int(f[2]), int(f[3]), number(f[4])),
    "46": lambda f: ("tickString", int(f[2]), int(f[3]), f[4]),
    "47": lambda f: ("tickEFP", int(f[2]), int(f[3]), float(f[4]), f[5], float(f[6]), int(f[7]), f[8], float(f[9]),
                     float(f[10])),
    "21": lambda f: ("tickOptionComputation", int(f[1]), int(f[2]), int(f[3]), *map(float, f[4:])),
    "58": lambda f: ("marketDataType", int(f[2]), int(f[3])),
    "57": lambda f: ("tickSnapshotEnd", int(f[2])),
    "81": lambda f: ("tickReqParams", int(f[1]), float(f[2]), f[3], int(f[4])),
    "12": lambda f: ("updateMktDepth", *map(int, f[2:6]), float(f[6]), float(f[7])),
    "13": lambda f: ("updateMktDepthL2", int(f[2]), int(f[3]), f[4], int(f[5]), int(f[6]), float(f[7]), float(f[8]),
                     f[9] == "1"),
    "50": lambda f: ("realtimeBar", int(f[2]), int(f[3]), *map(float, f[4:10]), int(f[10])),
    "91": lambda f: ("rerouteMktDataReq", int(f[1]), int(f[2]), f[3]),
    "92": lambda f: ("rerouteMktDepthReq", int(f[1]), int(f[2]), f[3]),
}  # fmt: skip
SIZES = {1: 0, 2: 3, 4: 5, 66: 69, 67: 70, 68: 71}
NONE = Decimal(2**127 - 1)


def size(text):
    return Decimal(text) if text else None


def official_ticks(f):
    """The calls IB's own client makes of a frame, sizes as exact decimals."""
    kind = f[0]
    if kind == "1":
        follow = SIZES.get(int(f[3]))
        more = [("tickSize", int(f[2]), follow, size(f[5]))] if follow is not None else []
        return [("tickPrice", int(f[2]), int(f[3]), float(f[4])), *more]
    if kind == "2":
        return [("tickSize", int(f[2]), int(f[3]), size(f[4]))]
    if kind == "99" and f[2] in "12":
        return [("tickByTickAllLast", *map(int, f[1:4]), float(f[4]), size(f[5]), *f[7:])]
    if kind == "99" and f[2] == "3":
        return [("tickByTickBidAsk", int(f[1]), int(f[3]), float(f[4]), float(f[5]), size(f[6]), size(f[7]))]
    if kind == "99":
        return [("tickByTickMidPoint", int(f[1]), int(f[3]), float(f[4]))]
    if kind == "21":
        lack = {"delta": "-2", "gamma": "-2", "vega": "-2", "theta": "-2"}
        names = ["iv", "delta", "price", "dividend", "gamma", "vega", "theta", "under"]
        values = [None if v == lack.get(n, "-1") else float(v) for n, v in zip(names, f[4:], strict=True)]
        return [("tickOptionComputation", *map(int, f[1:4]), *values)]
    if kind == "12":
        return [("updateMktDepth", *map(int, f[2:6]), float(f[6]), size(f[7]))]
    if kind == "13":
        row = (int(f[2]), int(f[3]), f[4], int(f[5]), int(f[6]), float(f[7]), size(f[8]), f[9] == "1")
        return [("updateMktDepthL2", *row)]
    if kind == "50":
        return [
            ("realtimeBar", int(f[2]), int(f[3]), *map(float, f[4:8]), size(f[8]), size(f[9]), int(f[10]))
        ]
    return [IB_ASYNC[kind](f)]


def ib_async_tick(f):
    if f[0] != "99":
        return IB_ASYNC[f[0]](f)
    if f[2] in "12":
        return ("tickByTickAllLast", int(f[1]), int(f[2]), int(f[3]), float(f[4]), float(f[5]), *f[7:])
    if f[2] == "3":
        return ("tickByTickBidAsk", int(f[1]), int(f[3]), *map(float, f[4:8]))
    return ("tickByTickMidPoint", int(f[1]), int(f[3]), float(f[4]))


def without_masks(call):
    """Attribute objects are compared in a test of their own."""
    return tuple(one for one in call if not type(one).__name__.startswith("TickAttrib"))


def fast_clock(times):
    """A clock that runs faster than the wall's."""
    begin = time.monotonic()
    return lambda: 1_795_366_800.5 + (time.monotonic() - begin) * times


async def still(sim, calls):
    """Silence the market and wait until everything sent has been decoded."""
    sim.world.connected = False
    for _ in range(100):
        before = len(sim.sent), len(calls)
        await asyncio.sleep(0.06)
        if before == (len(sim.sent), len(calls)):
            return


def names_of(requests):
    return {split(frame)[0] for frame in requests}


def subscribe_with_ib_async(client):
    def contract(kind):
        said = dict(CONTRACTS[kind])
        said["lastTradeDateOrContractMonth"] = said.pop("expiry", "")
        said["strike"] = float(said.get("strike", 0))
        return Contract(**said)

    client.reqMarketDataType(3)
    for req, kind in enumerate(CONTRACTS, 100):
        client.reqMktData(
            req, contract(kind), GENERIC if kind in {"stock", "swaps", "option"} else "", False, False, []
        )
    for req, (what, kind) in enumerate(TICKS, 200):
        client.reqTickByTickData(req, contract(kind), what, 0, False)
    client.reqMktDepth(300, contract("stock"), 5, True, [])
    client.reqMktDepth(301, contract("future"), 5, False, [])
    nasdaq = contract("stock")
    nasdaq.exchange = "NASDAQ"
    client.reqMktDepth(302, nasdaq, 5, False, [])
    for req, (show, kind) in enumerate(BARS, 400):
        client.reqRealTimeBars(req, contract(kind), 5, show, False, [])


TICKS = [
    ("AllLast", "stock"),
    ("Last", "stock"),
    ("BidAsk", "crypto"),
    ("MidPoint", "forex"),
    ("BidAsk", "stock"),
]
BARS = [("TRADES", "stock"), ("MIDPOINT", "forex"), ("ASK", "crypto")]


def test_ib_async_decodes_every_message_of_every_stream_as_it_was_sent(tools, caplog):
    async def scenario():
        async with Simulator(rate=100, record=True, now=fast_clock(40)) as sim:
            async with tools.protocol(sim) as client:
                subscribe_with_ib_async(client)
                await asyncio.sleep(1.5)
                await still(sim, client.wrapper.calls)
                return sim.sent, client.wrapper

    with caplog.at_level(logging.ERROR):
        sent, wrapper = asyncio.run(scenario())
    expected = [ib_async_tick(split(frame)) for _, frame in sent]
    names = {call[0] for call in expected}
    actual = [without_masks(call) for call in wrapper.calls if call[0] in names]
    assert [] == [record.message for record in caplog.records]
    assert len(expected) == len(actual)
    assert expected == actual
    assert {"1", "2", "45", "46", "47", "21", "58", "81", "99", "12", "13", "50"} == names_of(
        f for _, f in sent
    )
    assert [10167] == [call[2] for call in wrapper.named("error") if call[1] != -1 and call[2] != 2152]


def test_ibs_own_client_decodes_every_message_of_every_stream_as_it_was_sent(tools):
    def contract(kind):
        one = OfficialContract()
        for name, value in CONTRACTS[kind].items():
            setattr(one, {"expiry": "lastTradeDateOrContractMonth"}.get(name, name), value)
        return one

    def subscribe(client):
        client.reqMarketDataType(3)
        for req, kind in enumerate(CONTRACTS, 100):
            generic = GENERIC if kind in {"stock", "swaps", "option"} else ""
            client.reqMktData(req, contract(kind), generic, False, False, [])
        for req, (what, kind) in enumerate(TICKS, 200):
            client.reqTickByTickData(req, contract(kind), what, 0, False)
        client.reqMktDepth(300, contract("stock"), 5, True, [])
        client.reqMktDepth(301, contract("future"), 5, False, [])
        for req, (show, kind) in enumerate(BARS, 400):
            client.reqRealTimeBars(req, contract(kind), 5, show, False, [])

    async def scenario():
        async with Simulator(rate=60, record=True, now=fast_clock(40)) as sim:
            async with tools.official(sim) as one:
                await asyncio.to_thread(one.wait, "nextValidId")
                await asyncio.to_thread(subscribe, one.client)
                await asyncio.sleep(1.5)
                await still(sim, one.wrapper.calls)
                return sim.sent, one.wrapper

    sent, wrapper = asyncio.run(scenario())
    expected = [call for _, frame in sent for call in official_ticks(split(frame))]
    names = {call[0] for call in expected}
    actual = [tuple(None if one == NONE else one for one in without_masks(c)) for c in wrapper.named(*names)]
    assert len(expected) == len(actual)
    assert expected == actual
    assert [10167] == [call[3] for call in wrapper.named("error") if call[1] != -1 and call[3] != 2152]


def test_masks_are_decoded_as_sent(tools):
    async def scenario():
        async with Simulator(rate=3000, record=True) as sim:
            async with tools.protocol(sim) as client:
                client.reqTickByTickData(1, Stock("AAPL", "SMART", "USD"), "AllLast", 0, False)
                client.reqTickByTickData(2, Stock("AAPL", "SMART", "USD"), "BidAsk", 0, False)
                await asyncio.sleep(0.3)
                await still(sim, client.wrapper.calls)
                return [split(frame) for _, frame in sim.sent], client.wrapper

    sent, wrapper = asyncio.run(scenario())
    trades = [call[6] for call in wrapper.named("tickByTickAllLast")]
    quotes = [call[7] for call in wrapper.named("tickByTickBidAsk")]
    assert [int(f[6]) for f in sent if f[2] == "2"] == [one.pastLimit + 2 * one.unreported for one in trades]
    assert [int(f[8]) for f in sent if f[2] == "3"] == [
        one.bidPastLow + 2 * one.askPastHigh for one in quotes
    ]
    assert any(one.unreported for one in trades)
    assert any(one.bidPastLow for one in quotes)


@pytest.mark.parametrize("kind", CONTRACTS)
def test_every_frame_has_the_fields_the_layout_table_says(tools, kind):
    async def scenario():
        async with Simulator(rate=2000, record=True) as sim:
            raw = await tools.Raw.started(sim)
            raw.send(59, 1, 3)
            raw.level1(1, "" if kind != "stock" else GENERIC, **CONTRACTS[kind])
            await asyncio.sleep(0.15)
            await raw.close()
            return [split(frame) for _, frame in sim.sent]

    sent = asyncio.run(scenario())
    widths = {str(one.msg_id): one.width for one in LAYOUTS if one.msg_id != 99}
    assert len(sent) > 100
    assert {(f[0], widths[f[0]]) for f in sent} == {(f[0], len(f)) for f in sent}
    for layout in (one for one in LAYOUTS if one.msg_id in {1, 2, 45, 46, 50, 58}):
        fixed = [field.name for field in layout.fields[1:] if field.kind == "fixed"]
        assert {f[1] for f in sent if f[0] == str(layout.msg_id)} <= set(fixed)


def level1_of(tools, seconds=0.15, generic="", rate=2000, **said):
    async def scenario():
        async with Simulator(rate=rate, record=True) as sim:
            raw = await tools.Raw.started(sim)
            raw.level1(1, generic, **said)
            await asyncio.sleep(seconds)
            await raw.close()
            return [split(frame) for _, frame in sim.sent]

    return asyncio.run(scenario())


def kinds(frames):
    return {(f[0], int(f[3])) for f in frames if f[0] in {"1", "2", "45", "46", "47"}}


def test_a_stock_starts_as_the_field_notes_say(tools):
    frames = level1_of(tools, 0.02, rate=1, **CONTRACTS["stock"])
    start = [f[0] if f[0] in {"58", "81"} else (f[0], f[3]) for f in frames]
    expected = ["58", "81", ("46", "45"), ("1", "4"), ("45", "49"), ("2", "8"), ("1", "6"), ("1", "7")]
    assert expected == start[:8]
    assert {"9c0001"} == {f[3] for f in frames if f[0] == "81"}


def test_forex_quotes_only(tools):
    frames = level1_of(tools, **CONTRACTS["forex"])
    assert {("1", 1), ("1", 2), ("1", 6), ("1", 7), ("1", 9)} == kinds(frames)
    assert "5.0E-5" == next(f[2] for f in frames if f[0] == "81")


def test_an_index_has_a_last_without_size_and_no_quotes(tools):
    frames = level1_of(tools, **CONTRACTS["index"])
    assert {""} == {f[5] for f in frames if f[0] == "1" and f[3] == "4"}
    assert not {("1", 1), ("1", 2)} & kinds(frames)


def test_a_trade_is_followed_by_its_size_again(tools):
    frames = [f for f in level1_of(tools, **CONTRACTS["stock"]) if f[0] in {"1", "2"}][20:]
    trades = [n for n, f in enumerate(frames[:-2]) if f[0] == "1" and f[3] == "4"]
    assert trades
    assert all(
        ["2", "5", frames[n][5]] == [frames[n + 1][0], frames[n + 1][3], frames[n + 1][4]] for n in trades
    )


def test_coins_have_fractional_sizes_down_to_java_exponents(tools):
    sizes = [f[4] for f in level1_of(tools, 0.4, **CONTRACTS["crypto"]) if f[0] == "2" and f[3] == "5"]
    assert all(0 < float(text) < 1 for text in sizes)
    assert any("e-0" in text for text in sizes)


def test_options_send_all_four_computations_and_some_not_computed(tools):
    greeks = [f for f in level1_of(tools, **CONTRACTS["option"]) if f[0] == "21"]
    assert {"10", "11", "12", "13"} == {f[2] for f in greeks}
    lacking = ["-1", "-2", "-1", "-1", "-2", "-2", "-2", "-1"]
    assert any(f[4:] == lacking for f in greeks)
    assert any(f[4:] != lacking for f in greeks)


def test_rt_volume_comes_when_asked_for_with_and_without_a_trade(tools):
    texts = [
        f[4] for f in level1_of(tools, 0.4, "233", **CONTRACTS["stock"]) if f[0] == "46" and f[3] == "48"
    ]
    assert {6} == {len(text.split(";")) for text in texts}
    assert {True, False} == {text.startswith(";0;") and text.endswith(";false") for text in texts}
    assert not [f for f in level1_of(tools, **CONTRACTS["stock"]) if f[0] == "46" and f[3] == "48"]


def test_a_snapshot_ends_with_57_and_leaves_no_subscription(tools):
    async def scenario():
        async with Simulator(rate=1000) as sim:
            raw = await tools.Raw.started(sim)
            raw.level1(1, snapshot=1, **CONTRACTS["stock"])
            await raw.until(lambda f: f[0] == "57")
            rest = await raw.drain(0.05)
            raw.send(2, 2, 1)
            late = await raw.next()
            await raw.close()
            return rest, late[3]

    assert ([], "300") == asyncio.run(scenario())


def test_delayed_data_come_under_delayed_types_with_a_notice(tools):
    async def scenario():
        async with Simulator(rate=500, record=True) as sim:
            raw = await tools.Raw.started(sim)
            raw.send(59, 1, 3)
            raw.level1(1, **CONTRACTS["delayed"])
            raw.level1(2, **CONTRACTS["stock"])
            await raw.error(10167)
            await asyncio.sleep(0.2)
            await raw.close()
            return [split(frame) for _, frame in sim.sent]

    frames = asyncio.run(scenario())
    of = {req: [f for f in frames if (f[1] if f[0] == "81" else f[2]) == req] for req in "12"}
    assert {"1": "3", "2": "1"} == {req: next(f[3] for f in some if f[0] == "58") for req, some in of.items()}
    assert {int(f[3]) for f in of["1"] if f[0] in {"1", "2", "46", "45"}} <= {*range(66, 77), 88, 90}
    assert {66, 67, 68, 69, 70, 71, 74} <= {int(f[3]) for f in of["1"] if f[0] in {"1", "2"}}


def test_a_book_kept_row_by_row_is_always_in_order_and_never_too_deep(tools):
    async def scenario():
        async with Simulator(rate=5000, record=True) as sim:
            raw = await tools.Raw.started(sim)
            raw.depth(1, 4, 1, **CONTRACTS["stock"])
            raw.depth(2, 3, 0, **CONTRACTS["future"])
            notice = await raw.error(2152)
            await asyncio.sleep(0.5)
            await raw.close()
            return [split(frame) for _, frame in sim.sent], notice[2]

    frames, noticed = asyncio.run(scenario())
    assert "1" == noticed
    operations = set()
    books = {("1", side): [] for side in "01"} | {("2", side): [] for side in "01"}
    for f in frames:
        row, op, side, price = (int(f[3]), *f[5:8]) if f[0] == "13" else (int(f[3]), *f[4:7])
        book = books[f[2], side]
        operations.add(op)
        if op == "0":
            assert row <= len(book)
            book.insert(row, float(price))
        elif op == "1":
            assert book[row] == float(price)
        else:
            del book[row]
        assert sorted(book, reverse=side == "1") == book
        assert len(book) <= (4 if f[2] == "1" else 3)
    assert {"0", "1", "2"} == operations
    assert max(books["1", "1"]) < min(books["1", "0"])
    assert {"1"} == {f[9] for f in frames if f[0] == "13"}


def test_bars_follow_the_clock_on_the_five_second_grid(tools):
    async def scenario():
        async with Simulator(rate=1, record=True, now=fast_clock(100)) as sim:
            raw = await tools.Raw.started(sim)
            raw.bars(1, **CONTRACTS["stock"])
            raw.bars(2, "MIDPOINT", **CONTRACTS["forex"])
            await asyncio.sleep(0.6)
            await raw.close()
            return [split(frame) for _, frame in sim.sent]

    frames = asyncio.run(scenario())
    starts = [int(f[3]) for f in frames if f[2] == "1"]
    assert len(starts) >= 8
    assert sorted(set(starts)) == starts
    assert {0} == {start % 5 for start in starts}
    assert all(
        float(f[6]) <= float(f[4]) <= float(f[5]) and float(f[6]) <= float(f[7]) <= float(f[5])
        for f in frames
    )
    assert {("-1", "-1.0", "-1")} == {tuple(f[8:]) for f in frames if f[2] == "2"}


def test_ignore_size_leaves_out_quotes_whose_prices_stay(tools):
    async def scenario():
        async with Simulator(rate=3000, record=True) as sim:
            raw = await tools.Raw.started(sim)
            raw.ticks(1, "BidAsk", 1, **CONTRACTS["stock"])
            raw.ticks(2, "BidAsk", 0, **CONTRACTS["forex"])
            await asyncio.sleep(0.2)
            await raw.close()
            return [split(frame) for _, frame in sim.sent]

    frames = asyncio.run(scenario())
    few, all_of_them = ([f[4:6] for f in frames if f[1] == req] for req in "12")
    assert all(a != b for a, b in pairwise(few))
    assert any(a == b for a, b in pairwise(all_of_them))


def test_two_clients_see_the_same_trades_and_each_its_own_ids(tools):
    async def scenario():
        async with Simulator(rate=500, record=True) as sim:
            one, two = await tools.Raw.started(sim, 1), await tools.Raw.started(sim, 2)
            one.ticks(11, **CONTRACTS["stock"])
            two.ticks(22, **CONTRACTS["stock"])
            await asyncio.sleep(0.3)
            await one.close()
            await two.close()
            return sim.sent

    sent = asyncio.run(scenario())
    first, second = ([split(f)[3:] for number, f in sent if number == n] for n in (1, 2))
    assert len(second) > 50
    assert "".join(map(str, second[:40])) in "".join(map(str, first))
    assert {(1, "11"), (2, "22")} == {(number, split(frame)[1]) for number, frame in sent}


def test_last_leaves_out_what_is_unreported(tools):
    async def scenario():
        async with Simulator(rate=1000, record=True) as sim:
            raw = await tools.Raw.started(sim)
            raw.ticks(1, "AllLast", **CONTRACTS["stock"])
            raw.ticks(2, "Last", **CONTRACTS["stock"])
            await asyncio.sleep(0.3)
            await raw.close()
            return [split(frame) for _, frame in sim.sent]

    frames = asyncio.run(scenario())
    all_last, last = ([f[3:] for f in frames if f[1] == req] for req in "12")
    assert {("1", "2"), ("2", "1")} == {(f[1], f[2]) for f in frames}
    assert {"0", "2"} == {f[3] for f in all_last}
    assert [f for f in all_last if f[3] == "0"][: len(last)] == last[: len(all_last)]


def test_the_data_type_is_told_again_only_when_it_changes(tools):
    async def scenario():
        async with Simulator(rate=1) as sim:
            raw = await tools.Raw.started(sim)
            raw.level1(1, **CONTRACTS["stock"])
            raw.send(59, 1, 2)
            raw.send(59, 1, 1)
            await raw.drain(0.05)
            sim.world.market_open = False
            raw.send(59, 1, 2)
            raw.send(59, 1, 2)
            raw.send(59, 1, 1)
            await raw.drain(0.05)
            await raw.close()
            return [f[3] for f in raw.frames if f[0] == "58"]

    assert ["1", "2", "1"] == asyncio.run(scenario())
