"""Historical ticks: what the tape remembers is what was streamed, and what was missed."""

import asyncio
from datetime import date

import pytest
from ib_async import Stock
from ibapi.contract import Contract

from recorder.simulator import Simulator
from recorder.simulator.frames import dice
from recorder.simulator.history import answer, moment, select
from recorder.simulator.tape import MEMORY, Tape, trade
from recorder.simulator.universe import universe

STOCK = {"symbol": "AAPL", "secType": "STK", "exchange": "SMART", "currency": "USD"}
NOW = 1_795_366_800.5


@pytest.mark.parametrize(
    ("text", "epoch"),
    [
        ("20261122 17:00:00 UTC", 1_795_366_800),
        ("20261122-17:00:00", 1_795_366_800),
        ("20261122 17:00:00", 1_795_366_800),
        ("20261122 12:00:00 US/Eastern", 1_795_366_800),
    ],
)
def test_times_are_read_as_the_gateway_reads_them(text, epoch):
    assert epoch == moment(text)


EVENTS = [(second, (n,)) for second in range(10) for n in range(3)]


@pytest.mark.parametrize(
    ("start", "end", "count", "seconds"),
    [
        (0, None, 1, {0: 3}),
        (0, None, 3, {0: 3}),
        (0, None, 4, {0: 3, 1: 3}),
        (8, None, 1000, {8: 3, 9: 3}),
        (20, None, 10, {}),
        (None, 9, 1, {9: 3}),
        (None, 5, 4, {4: 3, 5: 3}),
        (None, -1, 4, {}),
    ],
)
def test_the_last_second_is_always_told_whole(start, end, count, seconds):
    chosen = [second for second, _ in select(EVENTS, start, end, count)]
    assert seconds == {second: chosen.count(second) for second in chosen}


def test_the_two_masks_of_a_quote_are_the_other_way_round_in_history():
    def mask(bits):
        return answer(1, "BID_ASK", [(7, ("1.0", "1.1", "5", "6", bits))], 2)[4:].split(b"\0")[4]

    assert [b"0", b"2", b"1", b"3"] == [mask(bits) for bits in range(4)]


def test_a_tape_forgets_what_is_old_and_never_grows_beyond_its_memory():
    tape = Tape(universe(date(2026, 11, 22)).by_con_id(265598), dice(1), trade)
    for second in range(5):
        tape.extend(MEMORY, second)
    assert tape.made == 5 * MEMORY
    assert MEMORY <= len(tape.events) <= 2 * MEMORY
    assert [4] == sorted({second for second, _ in tape.since(4 * MEMORY)})
    assert [] == tape.since(tape.made)


def told(frame):
    """Each tick of an answer as (time, mask, price, size, exchange, conditions)."""
    return [tuple(frame[n : n + 6]) for n in range(3, len(frame) - 1, 6)]


def test_history_is_exactly_what_was_streamed_and_what_was_missed(tools):
    async def scenario():
        async with Simulator(rate=200, record=True, now=lambda: NOW) as sim:
            first = await tools.Raw.started(sim)
            first.ticks(1, **STOCK)
            await asyncio.sleep(0.2)
            await first.close()
            await asyncio.sleep(0.2)
            heard = len(sim.sent)
            second = await tools.Raw.started(sim)
            second.history(2, start="20261122 16:59:59 UTC", **STOCK)
            answered = await second.until(lambda f: f[0] == "98")
            await second.close()
            return [frame[4:].decode().split("\0")[:-1] for _, frame in sim.sent[:heard]], answered

    sent, answered = asyncio.run(scenario())
    streamed = [(f[3], f[6], f[4], f[5], f[7], f[8]) for f in sent]
    history = told(answered)
    assert str(len(history)) == answered[2]
    assert "1" == answered[-1]
    assert len(streamed) > 10
    assert streamed == history[: len(streamed)]
    assert len(history) > len(streamed) + 10


@pytest.mark.parametrize(
    ("show", "kind", "message"), [("BID_ASK", "BidAsk", "97"), ("MIDPOINT", "MidPoint", "96")]
)
def test_both_clients_decode_history(tools, show, kind, message):
    async def scenario():
        async with Simulator(rate=500) as sim, tools.protocol(sim) as ours, tools.official(sim) as official:
            contract = Contract()
            for name, value in STOCK.items():
                setattr(contract, name, value)
            ours.reqTickByTickData(1, Stock("AAPL", "SMART", "USD"), kind, 0, False)
            await asyncio.sleep(0.1)
            sim.world.market_open = False
            start = "20200101 00:00:00 UTC"
            ours.reqHistoricalTicks(2, Stock("AAPL", "SMART", "USD"), start, "", 1000, show, 0, False, "")
            await asyncio.to_thread(
                official.client.reqHistoricalTicks, 3, contract, start, "", 1000, show, 0, False, []
            )
            name = {"97": "historicalTicksBidAsk", "96": "historicalTicks"}[message]
            await asyncio.to_thread(official.wait, name)
            return ours.wrapper.named(name)[0], official.wrapper.named(name)[0]

    ours, theirs = asyncio.run(scenario())
    assert len(ours[2]) == len(theirs[2]) > 20
    assert ours[3] is theirs[3] is True
    prices = [("priceBid", "priceAsk"), ("price", "price")][message == "96"]
    assert [[getattr(one, p) for p in prices] for one in ours[2]] == [
        [getattr(one, p) for p in prices] for one in theirs[2]
    ]


def test_a_closed_history_farm_is_told(tools):
    async def scenario():
        async with Simulator() as sim:
            raw = await tools.Raw.started(sim)
            await sim.play("farm", name="ushmds", state="down")
            broken = await raw.error(2105)
            raw.history(2, start="20261122 16:59:59 UTC", **STOCK)
            refused = await raw.error(162)
            await raw.close()
            return broken[4], refused[4]

    broken, refused = asyncio.run(scenario())
    assert "HMDS data farm connection is broken:ushmds" == broken
    assert "HMDS server disconnect occurred" in refused


@pytest.mark.parametrize(("show", "kind", "ignore"), [("MIDPOINT", "MidPoint", 0), ("BID_ASK", "BidAsk", 1)])
def test_what_a_stream_leaves_out_history_leaves_out_too(tools, show, kind, ignore):
    async def scenario():
        async with Simulator(rate=500, record=True) as sim:
            raw = await tools.Raw.started(sim)
            raw.ticks(1, kind, ignore, **STOCK)
            await asyncio.sleep(0.2)
            await sim.play("close_market")
            raw.history(2, start="20200101 00:00:00", show=show, ignore_size=ignore, **STOCK)
            answered = await raw.until(lambda f: f[0] in {"96", "97"})
            await raw.close()
            return len(sim.sent), int(answered[2])

    streamed, remembered = asyncio.run(scenario())
    assert streamed == remembered > 20
