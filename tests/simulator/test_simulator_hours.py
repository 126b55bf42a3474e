"""Hours: a market that never closes says so; one that keeps real hours is silent outside them."""

import asyncio
import sys
from datetime import UTC, datetime

import pytest

from recorder.simulator import hours
from recorder.simulator.hours import is_open, trading_hours

STOCK = {"symbol": "AAPL", "secType": "STK", "exchange": "SMART", "currency": "USD"}
COIN = {"symbol": "BTC", "secType": "CRYPTO", "exchange": "PAXOS"}


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


SUNDAY = at("2026-11-22T16:00")
DAYS = {
    "always": ("20261122:0000-20261123:0000", "20261123:0000-20261124:0000"),
    "real": ("20261122:CLOSED", "20261123:0400-20261123:2000"),
}


@pytest.mark.parametrize("kind", DAYS)
def test_contract_details_tell_the_hours_the_simulated_market_keeps(tools, kind):
    async def test(_, raw):
        raw.details(1, **STOCK)
        frame = await raw.until(lambda f: f[0] == "10")
        at_zone = frame.index("US/Eastern")
        return frame[at_zone + 1].split(";"), frame[at_zone + 2].split(";")

    trading, liquid = tools.play(test, now=lambda: SUNDAY, hours=kind)
    assert DAYS[kind] == tuple(trading[:2])
    assert hours.DAYS == len(trading)
    assert (trading == liquid) == (kind == "always")


VENUES = {
    "a stock before the opening": (hours.US_STOCKS, "2026-11-23T08:59", False),
    "a stock at the opening": (hours.US_STOCKS, "2026-11-23T09:00", True),
    "a stock before the close": (hours.US_STOCKS, "2026-11-24T00:59", True),
    "a stock at the close": (hours.US_STOCKS, "2026-11-24T01:00", False),
    "a stock in summer": (hours.US_STOCKS, "2026-07-06T08:00", True),
    "a stock on a holiday": (hours.US_STOCKS, "2026-12-25T16:00", False),
    "a future on Sunday evening": (hours.CME, "2026-11-22T23:00", True),
    "a future in its daily pause": (hours.CME, "2026-11-23T22:30", False),
    "a future on Saturday": (hours.CME, "2026-11-21T16:00", False),
    "forex on Friday evening": (hours.FOREX, "2026-11-20T22:30", False),
    "forex on Sunday night": (hours.FOREX, "2026-11-23T00:00", True),
    "a coin on Sunday": (hours.CRYPTO, "2026-11-22T16:00", True),
    "always": (hours.US_STOCKS.around_the_clock(), "2026-11-22T05:00", True),
}


@pytest.mark.parametrize("case", VENUES)
def test_a_venue_is_open_within_its_hours(case):
    venue, moment, expected = VENUES[case]
    assert expected == is_open(venue, at(moment))


@pytest.mark.parametrize("venue", [hours.US_STOCKS, hours.CME, hours.FOREX, hours.CRYPTO, hours.HONG_KONG])
def test_hours_told_and_hours_kept_are_the_same(venue):
    told = [day.split("-") for day in trading_hours(venue, SUNDAY)[0].split(";") if "CLOSED" not in day]
    zone = hours.ZoneInfo(venue.zone)
    for start, end in told:
        opening, closing = (
            datetime.strptime(text, "%Y%m%d:%H%M").replace(tzinfo=zone).timestamp() for text in (start, end)
        )
        assert (False, True) == (
            is_open(venue, opening - 60) and venue.trading != ("0000", "2359"),
            is_open(venue, opening),
        )
        assert (True, False) == (is_open(venue, closing - 60), is_open(venue, closing))


def test_level_1_ticks_within_real_hours_only_and_says_when_it_stops(tools):
    clock = [at("2026-11-24T00:59:50")]

    async def test(_, raw):
        raw.send(59, 1, 2)
        raw.level1(1, **STOCK)
        raw.level1(2, **COIN)
        within = await raw.ticking(0.15)
        clock[0] += 20
        closing = [f for f in await raw.drain(0.15) if f[1:3] in (["6", "1"], ["1", "1"])][-3:]
        outside = await raw.ticking()
        raw.ticks(3, **STOCK)
        late = [f for f in await raw.drain(0.1) if f[0] == "99"]
        clock[0] = at("2026-11-24T09:00")
        opening = await raw.until(lambda f: f[0] == "58")
        return within, closing, outside, late, opening, await raw.ticking()

    within, closing, outside, late, opening, again = tools.play(test, now=lambda: clock[0], hours="real")
    no_bid, no_ask = (["1", "6", "1", side, "-1.00", "0", "1"] for side in "12")
    assert {"1", "2"} == within
    assert [["58", "1", "1", "2"], no_bid, no_ask] == closing
    assert ({"2"}, []) == (outside, late)
    assert (["58", "1", "1", "1"], {"1", "2"}) == (opening, again)


def test_a_market_closed_by_script_stays_closed_within_real_hours(tools):
    async def test(sim, raw):
        raw.level1(1, **STOCK)
        await raw.until(lambda f: f[0] == "2")
        await sim.play("close_market")
        await raw.drain(0.05)
        return await raw.ticking()

    assert set() == tools.play(test, now=lambda: at("2026-11-23T16:00"), hours="real")


def test_the_command_takes_always_or_real_and_nothing_else():
    async def scenario():
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "recorder", "simulate", "--hours", "sometimes",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        return process, await process.communicate()

    process, (_, told) = asyncio.run(scenario())
    assert 2 == process.returncode
    assert b"'sometimes'; one of always, real" in told
