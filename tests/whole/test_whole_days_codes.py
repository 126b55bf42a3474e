"""What IB may say about a stream, each code on a line of its own in one recording: what the tables show of it."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest
from daemon import table, until, write_config
from hurried import hurried
from lines import (
    Line,
    Market,
    events,
    gaps,
    keeps_silent,
    notice,
    prove_whole,
    reasons,
    refuses,
    rows,
    serves,
    surrounds,
)
from scripted import scripted

from recorder.wire import codes

STREAMS = {309: "depth", 310: "depth", 316: "depth", 317: "depth", 2152: "depth"} | {
    420: "bars", 10189: "trades", 10190: "trades"
}  # fmt: skip
"""The stream that a code is about, where it is not level 1."""

UNKNOWN = 10299
"""A code that the recorder has no meaning for."""

HEALTHY, QUIET, CALM = ("FINE", "level1"), ("QUIET", "level1"), ("CALM", "level1")
WAITS = {"daily": 1.0, "slow": 1.0, "soon": 2.0}
TIMING = {"settled": 0.5, "daily": 2.5, "slow": 1.0, "passing": 2.0, "watch": 0.8}


def line(code):
    return f"C{code}", STREAMS.get(code, "level1")


def answers(code):
    """Served, refused when asked for again, then allowed."""
    refused = code in codes.REFUSED or codes.MEANINGS[code].verdict == "delayed"
    return [serves, refuses(code)] if refused else []


@dataclass(frozen=True)
class Day:
    root: Path
    market: Market


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    """Every line ticks; then IB says its code about each, and nothing more comes where it says so."""
    folder = tmp_path_factory.mktemp("codes")
    lines = {line(code): Line(answers=answers(code)) for code in codes.MEANINGS}
    lines |= {line(UNKNOWN): Line(), HEALTHY: Line()}
    lines |= {QUIET: Line(answers=[lambda req: (notice(10089, req), False)])}
    lines |= {CALM: Line(rests=True, answers=[refuses(354), keeps_silent])}
    market = Market(lines)
    asyncio.run(_record(folder, market))
    return Day(folder / "data", market)


async def _record(folder, market):
    async with scripted(**market.hooks) as gateway, market.open():
        listed = [f"{{type: stock, symbol: {name}, streams: [{stream}]}}" for name, stream in market.lines]
        config = write_config(folder, gateway.port, *listed, gateway="max_lines: 1000")
        async with hurried(config, **TIMING):
            await until(market.flows(*(set(market.lines) - {QUIET, CALM})))
            for code in (*codes.MEANINGS, UNKNOWN):
                ends = (
                    code in codes.REFUSED or codes.MEANINGS.get(code, codes.MEANINGS[300]).verdict == "anew"
                )
                market.says(line(code), code, ends=ends)
            await until(lambda: len(market.asked(CALM)) == 2)
            await asyncio.sleep(TIMING["settled"] + 0.3)
            market.says(CALM, 354, ends=True)
            market.lines[CALM].rests = False
            await until(lambda: all(not one.answers for one in market.lines.values()))
            await until(market.flows())


def test_whatever_ib_says_every_tick_is_one_row_or_in_a_gap(day):
    prove_whole(day.root, day.market)


def test_the_line_beside_them_is_never_touched(day):
    assert day.market.of(HEALTHY) == [("asked", 0), ("cancelled", 0)]
    assert reasons(day.root, HEALTHY) == []


@pytest.mark.parametrize("code", sorted(codes.REFUSED))
def test_what_is_refused_is_parked_and_asked_for_again_until_it_is_allowed(day, code):
    key = line(code)
    assert day.market.of(key) == [(what, n) for n in range(3) for what in ("asked", "cancelled")]
    assert reasons(day.root, key) == [(codes.MEANINGS[code].reason, code)]
    assert surrounds(day.root, key, gaps(day.root, key).iloc[0])
    told = events(day.root, "refused", key[0])
    assert told[["stream", "code"]].to_numpy().tolist() == [[key[1], code]] * 2


@pytest.mark.parametrize("code", sorted(codes.REFUSED))
def test_what_is_refused_is_asked_for_again_no_sooner_than_its_wait(day, code):
    times = [request.at for request in day.market.asked(line(code))]
    wait = WAITS[codes.MEANINGS[code].verdict]
    assert wait <= times[2] - times[1] < wait + 1.4


@pytest.mark.parametrize("code", [code for code, one in codes.MEANINGS.items() if one.verdict == "anew"])
def test_what_is_over_is_asked_for_anew_at_once(day, code):
    key = line(code)
    assert day.market.of(key) == [(what, n) for n in range(2) for what in ("asked", "cancelled")]
    assert reasons(day.root, key) == [(codes.MEANINGS[code].reason, code)]
    assert surrounds(day.root, key, gaps(day.root, key).iloc[0])
    first, second = day.market.asked(key)
    ended = next(one for one in day.market.seen if one.req == first.req and one.what == "cancelled")
    assert 0 <= second.at - ended.at < 1.4


@pytest.mark.parametrize(
    "code", [UNKNOWN, *(code for code, one in codes.MEANINGS.items() if one.verdict in ("go on", "watch"))]
)
def test_what_is_said_of_a_stream_that_goes_on_is_no_gap(day, code):
    key = line(code)
    assert day.market.of(key) == [("asked", 0), ("cancelled", 0)]
    assert reasons(day.root, key) == []
    told = events(day.root, "notice", key[0])
    assert told["code"].tolist() == ([] if code == codes.DEPTH_RESET else [code])


def test_a_book_that_starts_afresh_is_a_row_of_operation_3(day):
    depth = table(day.root, "depth")
    resets = depth[depth["operation"] == 3]
    assert resets[["symbol", "con_id"]].to_numpy().tolist() == [["C317", resets["con_id"].iloc[0]]]
    received = rows(day.root, line(317))
    assert received["seq"].iloc[0] < resets["seq"].iloc[0] < received["seq"].iloc[-1]


def test_after_10089_a_line_that_does_not_tick_is_refused(day):
    assert day.market.of(QUIET) == [(what, n) for n in range(2) for what in ("asked", "cancelled")]
    assert reasons(day.root, QUIET) == [("refused", 10089)]
    assert gaps(day.root, QUIET)["seq_end"].iloc[0] == rows(day.root, QUIET)["seq"].iloc[0]
    first, second = day.market.asked(QUIET)
    assert second.at - first.at >= TIMING["watch"] + TIMING["slow"]


def test_a_line_that_is_allowed_and_does_not_tick_counts_as_received_until_it_is_refused_again(day):
    assert reasons(day.root, CALM) == [("refused", 354)] * 2
    first, second, *_ = gaps(day.root, CALM).to_dict("records")
    asked = events(day.root, "subscribed", "CALM")["seq"].tolist()
    assert asked[1] < first["seq_end"] <= second["seq_start"] < asked[2]
    assert second["seq_end"] == rows(day.root, CALM)["seq"].iloc[0]


def test_delayed_data_is_cancelled_and_refused_where_live_data_is_wanted(day):
    key = line(10167)
    assert day.market.of(key) == [(what, n) for n in range(3) for what in ("asked", "cancelled")]
    assert reasons(day.root, key) == [("refused", 10167)]
    assert events(day.root, "refused", key[0])["code"].tolist() == [10167, 10167]
    requests = [request for request in day.market.seen if request.key == key]
    assert requests[1].at - requests[0].at < requests[2].at - requests[1].at, (
        "cancelled at once, asked again later"
    )
