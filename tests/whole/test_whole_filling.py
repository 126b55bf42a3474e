"""Holes in tick-by-tick streams, filled by the daemon itself, also over a restart in the middle."""

import asyncio
from collections import Counter

from daemon import numbers, recording, run, start, table, until, write_config

import recorder
from recorder.simulator import Simulator

INTC = "{type: stock, symbol: INTC, primary_exchange: NASDAQ, streams: [trades]}"
CON_ID = 270639


def told(rows):
    """Ticks as a multiset: second, price, size, exchange."""
    seconds = rows["ts_event"].astype("int64") // 1_000_000
    columns = (seconds, rows["price"], rows["size"], rows["exchange"])
    return Counter(zip(*(column.tolist() for column in columns), strict=True))


def on_tape(simulator):
    """What happened in the market, from the gateway's own memory."""
    events = simulator.world.tape(
        next(one for one in simulator.world.universe.instruments if one.con_id == CON_ID), "trades"
    ).events
    return Counter(
        (second, float(price), float(size), venue) for second, (price, size, _, venue, _) in events
    )


def is_filled(root):
    async def check():
        return bool(recorder.open(root).gaps()["filled"].all()) and len(recorder.open(root).gaps()) > 0

    return check()


def test_a_kill_in_the_middle_of_a_day_leaves_no_trade_out(tmp_path):
    """Two connections lost and one kill -9; at the end every trade of the tape since the first is a row, once."""

    async def story():
        async with Simulator(rate=30) as simulator:
            config = write_config(tmp_path, simulator.port, INTC)
            root = tmp_path / "data"
            first = await start("run", str(config))
            await until(lambda: simulator.links and simulator.world.sessions)
            await asyncio.sleep(3)
            await simulator.play("drop")
            await asyncio.sleep(18)  # tick-by-tick may be asked for again after 15.25 s
            await simulator.play("reset")
            await asyncio.sleep(2)
            first.kill()
            await first.communicate()
            async with recording(config):
                await asyncio.sleep(22)
                for _ in range(60):
                    if await is_filled(root):
                        break
                    await asyncio.sleep(0.5)
            return on_tape(simulator)

    tape = asyncio.run(story())
    root = tmp_path / "data"
    rows = table(root, "trades")
    gaps = recorder.open(root).gaps("INTC")
    assert {"live", "backfill"} == set(rows["source"])
    assert gaps["filled"].tolist() == [True] * len(gaps)
    recorded = told(rows)
    first, last = min(recorded)[0], max(recorded)[0]
    whole = {tick: times for tick, times in tape.items() if first < tick[0] < last}
    assert whole == {tick: times for tick, times in recorded.items() if first < tick[0] < last}
    assert numbers(root) == list(range(1, len(numbers(root)) + 1))
    code, said, _ = asyncio.run(run("verify", str(root)))
    assert (0, True) == (code, said.startswith("whole"))
