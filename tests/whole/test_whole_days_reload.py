"""SIGHUP while the market ticks: only the difference is touched, and the tables tell what was missed."""

import asyncio
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest
from daemon import table, until, write_config
from hurried import hurried
from lines import Line, Market, events, gaps, prove_whole, reasons, rows, surrounds
from scripted import scripted

TIMING = {"settled": 0.5, "passing": 0.5, "daily": 1.0, "tick_by_tick": 0.1}
KEEP, GONE, ROOM, ADDED = ("KEEP", "level1"), ("GONE", "level1"), ("ROOM", "level1"), ("ADDED", "level1")
LEVEL1, TRADES = ("OTHER", "level1"), ("OTHER", "trades")
FIRST = [KEEP, GONE, LEVEL1, ROOM]
"""Of three lines the last is one too many."""

SECOND = [KEEP, TRADES, ROOM, ADDED]
THIRD = [KEEP, TRADES, ROOM, GONE]


@dataclass(frozen=True)
class Day:
    root: Path
    market: Market
    steps: list[list[tuple[str, str]]]
    """What the gateway saw, step by step: at start, after each of the three reloads, at the end."""


def listed(keys):
    return [f"{{type: stock, symbol: {name}, streams: [{stream}]}}" for name, stream in keys]


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reload")
    market = Market({key: Line() for key in (*FIRST, *SECOND)})
    steps = asyncio.run(_record(folder, market))
    return Day(folder / "data", market, steps)


async def _record(folder, market):
    ends = []
    async with scripted(**market.hooks) as gateway, market.open():

        def write(keys):
            return write_config(folder, gateway.port, *listed(keys), gateway="max_lines: 3")

        config = write(FIRST)
        async with hurried(config, **TIMING) as process:
            await until(market.flows(KEEP, GONE, LEVEL1, ticks=20))
            ends.append(len(market.seen))
            write(SECOND)
            process.send_signal(signal.SIGHUP)
            await until(market.flows(*SECOND, ticks=20))
            ends.append(len(market.seen))
            config.write_text(config.read_text().replace("symbol: ROOM", "symbol: [ROOM"))
            process.send_signal(signal.SIGHUP)
            await until(market.flows(*SECOND, ticks=20))
            ends.append(len(market.seen))
            write(THIRD)
            process.send_signal(signal.SIGHUP)
            await until(market.flows(*THIRD, ticks=20))
            ends.append(len(market.seen))
    begins = [0, *ends]
    seen = [(one.what, one.key) for one in market.seen]
    return [seen[begin:end] for begin, end in zip(begins, [*ends, len(seen)], strict=True)]


def test_reloading_loses_nothing_that_is_not_in_a_gap(day):
    prove_whole(day.root, day.market)


def test_only_the_difference_is_touched(day):
    asked = [[key for what, key in step if what == "asked"] for step in day.steps]
    cancelled = [[key for what, key in step if what == "cancelled"] for step in day.steps]
    assert asked == [[KEEP, GONE, LEVEL1], [TRADES, ROOM, ADDED], [], [GONE], []]
    assert [sorted(step) for step in cancelled] == [
        [], sorted([GONE, LEVEL1]), [], [ADDED], sorted([KEEP, TRADES, ROOM, GONE])
    ]  # fmt: skip


def test_what_stays_has_no_gap_and_its_numbers_go_on(day):
    assert reasons(day.root, KEEP) == []
    received = rows(day.root, KEEP)["number"]
    assert received.tolist() == list(range(1, len(received) + 1))


def test_what_is_cancelled_goes_before_what_takes_its_room(day):
    step = day.steps[1]
    assert max(step.index(("cancelled", key)) for key in (GONE, LEVEL1)) < step.index(("asked", TRADES))


def test_a_line_taken_out_and_put_back_is_in_a_gap_between(day):
    assert reasons(day.root, GONE) == [("not_subscribed", None)]
    assert surrounds(day.root, GONE, gaps(day.root, GONE).iloc[0], under_way=5)


@pytest.mark.parametrize("key", [LEVEL1, ADDED])
def test_a_stream_taken_out_is_in_a_gap_from_its_last_tick_on(day, key):
    found = gaps(day.root, key)
    assert found[["reason", "seq_end"]].to_numpy().tolist() == [["not_subscribed", float("inf")]]
    last = rows(day.root, key).iloc[-1]
    open_at = found[["seq_start", "ts_start"]].iloc[0].tolist()
    before = rows(day.root, key)
    assert open_at in before[["seq", "ts"]].to_numpy().tolist()
    assert len(before[before["seq"] > open_at[0]]) <= 5, "only what was under way comes behind it"
    assert last["seq"] < table(day.root, "events")["seq"].max()


def test_what_had_no_room_is_recorded_as_soon_as_there_is(day):
    assert events(day.root, "refused", "ROOM")[["stream", "code"]].to_numpy().tolist() == [["level1", 101]]
    assert reasons(day.root, ROOM) == [("refused", 101)]
    assert gaps(day.root, ROOM)["seq_end"].iloc[0] == rows(day.root, ROOM)["seq"].iloc[0]


def test_a_good_file_is_told_in_events_and_a_bad_one_changes_nothing(day):
    told = events(day.root, "reloaded")
    assert told["text"].tolist() == ["+3 -2, 3 of 3 lines", "+1 -1, 3 of 3 lines"]
    (refused,) = events(day.root, "reload_refused").itertuples()
    assert "config.yaml:" in refused.text
    assert "symbol" in refused.text or "YAML" in refused.text, refused.text
    assert told["seq"].iloc[0] < refused.seq < told["seq"].iloc[1]
