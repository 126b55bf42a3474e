"""What does not fit IB's limits, and delayed data where it is allowed: what the tables show of it."""

import asyncio

import pytest
from daemon import until, write_config
from hurried import hurried
from lines import Line, Market, events, gaps, notice, prove_whole, reasons, rows
from scripted import scripted

from recorder.wire.layouts import MARKET_DATA_TYPE

TIMING = {"settled": 0.5, "slow": 0.5, "passing": 0.5, "daily": 1.0, "tick_by_tick": 0.1}
LEVEL1 = [(f"L{n}", "level1") for n in range(3)]
BARS = ("BARS", "bars")
TICKS = [(f"T{n}", stream) for n, stream in enumerate(["trades", "quotes", "midpoints"] * 2)]
BOOKS = [(f"D{n}", "depth") for n in range(4)]
OVER = {LEVEL1[2]: 101, BARS: 101, TICKS[5]: 10190, BOOKS[3]: 309}
"""What is one too many where the account has two lines, and the code that IB would have for it."""


def listed(keys):
    return [f"{{type: stock, symbol: {name}, streams: [{stream}]}}" for name, stream in keys]


@pytest.fixture(scope="module")
def crowd(tmp_path_factory):
    folder = tmp_path_factory.mktemp("limits")
    keys = [*LEVEL1, BARS, *TICKS, *BOOKS]
    market = Market({key: Line() for key in keys})

    async def record():
        async with scripted(**market.hooks) as gateway, market.open():
            config = write_config(folder, gateway.port, *listed(keys), gateway="max_lines: 2")
            async with hurried(config, **TIMING):
                await until(market.flows(*(key for key in keys if key not in OVER), ticks=40))

    asyncio.run(record())
    return folder / "data", market


def test_what_does_not_fit_is_never_asked_for(crowd):
    _, market = crowd
    assert [key for key in market.lines if not market.asked(key)] == list(OVER)


def test_what_fits_is_asked_for_once_and_recorded_whole(crowd):
    root, market = crowd
    prove_whole(root, market)
    fitting = [key for key in market.lines if key not in OVER]
    assert {key: market.of(key) for key in fitting} == {
        key: [("asked", 0), ("cancelled", 0)] for key in fitting
    }


@pytest.mark.parametrize("key", OVER)
def test_what_does_not_fit_is_refused_by_name_and_in_a_gap(crowd, key):
    root, _ = crowd
    told = events(root, "refused", key[0])
    assert told[["stream", "code"]].to_numpy().tolist() == [[key[1], OVER[key]]]
    found = gaps(root, key)
    assert found[["reason", "code", "seq_end"]].to_numpy().tolist() == [["refused", OVER[key], float("inf")]]
    assert found["ts_start"].iloc[0] <= min(rows(root, fitting)["ts"].min() for fitting in LEVEL1[:2])


@pytest.fixture(scope="module")
def delayed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("delayed")
    key = ("LATER", "level1")

    def follows(req):
        return notice(10167, req) + MARKET_DATA_TYPE.encode(req, {"text": "3"}), True

    market = Market({key: Line(answers=[follows])})

    async def record():
        async with scripted(**market.hooks) as gateway, market.open():
            config = write_config(folder, gateway.port, *listed([key]), gateway="market_data_type: delayed")
            async with hurried(config, **TIMING):
                await until(market.flows(ticks=30))
            return [fields[2] for _, fields in gateway.conversations[0].heard if fields[0] == "59"]

    wanted = asyncio.run(record())
    return folder / "data", market, key, wanted


def test_delayed_data_goes_on_where_it_is_allowed(delayed):
    root, market, key, wanted = delayed
    assert wanted == ["3"]
    assert market.of(key) == [("asked", 0), ("cancelled", 0)]
    assert reasons(root, key) == []
    prove_whole(root, market)


def test_which_kind_of_data_came_stands_in_events(delayed):
    root, _, key, _ = delayed
    told = events(root, "market_data_type")
    assert told[["symbol", "stream", "code", "text"]].to_numpy().tolist() == [[*key, 3, "delayed"]]
    assert told["seq"].iloc[0] < rows(root, key)["seq"].iloc[0]
    assert events(root, "notice", key[0])["code"].tolist() == [10167]
