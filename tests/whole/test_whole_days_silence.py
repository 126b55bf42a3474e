"""Lines that fall silent while the others tick, each with its own reason: what the tables show of it."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from daemon import until, write_config
from hurried import hurried
from lines import Line, Market, gaps, keeps_silent, prove_whole, reasons, rows, serves, surrounds
from scripted import contract_details, scripted

from recorder.wire.layouts import frame

LEAST = 1.0
"""The least silence that can mean something, seconds."""

TIMING = {"settled": 1.0, "burst": 0.2, "slow": 8.0, "daily": 1.0}


def level1(*names):
    return [(name, "level1") for name in names]


FINE, DROPS, DEAD = level1("FINE", "DROPS", "DEAD")
SLOW, BURSTS, PAUSES = level1("SLOW", "BURSTS", "PAUSES")
CLOSED, OPENS, WAKES = level1("CLOSED", "OPENS", "WAKES")
NEVER, QUIET = level1("NEVER", "QUIET")
UNTOUCHED = [FINE, SLOW, BURSTS, PAUSES, CLOSED, WAKES]


def lines():
    """Ticks a second apart; bursts with pauses; a line that pauses once for less than twenty of its ticks."""
    return {key: Line() for key in (FINE, DROPS, CLOSED, OPENS, WAKES)} | {
        DEAD: Line(answers=[serves, *[keeps_silent] * 9]),
        SLOW: Line(every=1.1),
        BURSTS: Line(every=1.6, at_once=40),
        PAUSES: Line(every=0.25),
        NEVER: Line(answers=[keeps_silent]),
        QUIET: Line(answers=[keeps_silent], rests=True),
    }


def hours(is_open):
    """Three days around now, open or closed from midnight to midnight."""
    today = datetime.now(UTC)
    days = [f"{today + timedelta(n):%Y%m%d}" for n in range(-1, 3)]
    pairs = pairwise(days)
    return ";".join(f"{day}:0000-{end}:0000" if is_open else f"{day}:CLOSED" for day, end in pairs)


class Calendar:
    """Contract details whose hours say of each line: open, closed, or nothing."""

    def __init__(self):
        self.is_open = dict.fromkeys([CLOSED[0], OPENS[0], WAKES[0], NEVER[0]], True)
        self.told = {}

    async def tells(self, is_open, *keys):
        """Say so from now on; until the recorder has asked for it."""
        names = [name for name, _ in keys]
        self.is_open |= dict.fromkeys(names, is_open)
        await until(lambda: all(self.told[name] == is_open for name in names))
        await asyncio.sleep(0.3)

    async def looked_up(self, conversation, req, fields):
        symbol = fields[4]
        self.told[symbol] = self.is_open.get(symbol)
        said = hours(self.is_open[symbol]) if symbol in self.is_open else ""
        con_id = 1000 + [key[0] for key in lines()].index(symbol)
        told = contract_details(req, con_id, symbol, time_zone="UTC", liquid_hours=said)
        conversation.send(told + frame("52", "1", req))


@dataclass(frozen=True)
class Day:
    root: Path
    market: Market


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    folder = tmp_path_factory.mktemp("silence")
    market = Market(lines())
    asyncio.run(_record(folder, market))
    return Day(folder / "data", market)


async def _record(folder, market):
    calendar = Calendar()
    async with scripted(**market.hooks, looked_up=calendar.looked_up) as gateway, market.open():
        listed = [f"{{type: stock, symbol: {name}}}" for name, _ in market.lines]
        config = write_config(folder, gateway.port, *listed, gateway=f"heartbeat_seconds: {LEAST}")
        async with hurried(config, **TIMING):
            await until(market.flows(PAUSES, ticks=25))
            for key in (DROPS, DEAD):
                market.dies(key)
            await calendar.tells(False, CLOSED, OPENS, WAKES)
            for key in (CLOSED, OPENS, WAKES, PAUSES):
                market.lines[key].rests = True
            await asyncio.sleep(2 * LEAST)
            assert [key for key in (CLOSED, OPENS, WAKES) if len(market.asked(key)) > 1] == []
            market.lines[PAUSES].rests = False
            market.dies(OPENS)
            await calendar.tells(True, OPENS, WAKES)
            for key in (OPENS, WAKES):
                market.lines[key].rests = False
            await until(lambda: len(market.asked(DEAD)) == 3)
            await until(market.flows(DROPS, OPENS, NEVER, BURSTS, ticks=20))


def test_whoever_falls_silent_every_tick_is_one_row_or_in_a_gap(day):
    prove_whole(day.root, day.market)


@pytest.mark.parametrize("key", UNTOUCHED, ids=lambda key: key[0])
def test_a_line_whose_silence_means_nothing_is_not_touched(day, key):
    assert day.market.of(key) == [("asked", 0), ("cancelled", 0)]
    assert reasons(day.root, key) == []


@pytest.mark.parametrize("key", [DROPS, OPENS], ids=lambda key: key[0])
def test_a_line_that_falls_silent_is_asked_for_anew_alone(day, key):
    assert day.market.of(key) == [(what, n) for n in range(2) for what in ("asked", "cancelled")]
    assert reasons(day.root, key) == [("no_data", None)]
    assert surrounds(day.root, key, gaps(day.root, key).iloc[0])


def test_silence_is_seen_after_its_own_measure_and_not_before(day):
    gap = gaps(day.root, DROPS).iloc[0]
    assert LEAST <= (gap["ts_end"] - gap["ts_start"]) / 1e6 < 2 * LEAST


def test_a_line_that_stays_dead_is_asked_for_more_and_more_rarely(day):
    served, first, second = (request.at for request in day.market.asked(DEAD))
    died = rows(day.root, DEAD)["ts"].iloc[-1]
    assert served < first
    assert second - first >= 4 * LEAST
    found = gaps(day.root, DEAD)
    assert found[["reason", "ts_start", "seq_end"]].to_numpy().tolist() == [["no_data", died, float("inf")]]


def test_level_1_that_never_ticks_is_asked_for_anew_unless_its_market_is_known_to_be_closed(day):
    assert len(day.market.asked(QUIET)) > 1  # nobody knows its hours
    first, second = day.market.asked(NEVER)
    assert second.at - first.at >= 4 * LEAST
    assert reasons(day.root, NEVER) == [("no_data", None)]
    assert gaps(day.root, NEVER)["seq_end"].iloc[0] == rows(day.root, NEVER)["seq"].iloc[0]
