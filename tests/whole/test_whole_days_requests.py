"""Days of many requests: none too fast for IB, none forgotten when it is not answered."""

import asyncio
from bisect import bisect_left
from itertools import pairwise

from daemon import table, until, write_config
from days import recorded
from hurried import hurried
from lines import Market, closed, events, prove_whole, rows
from scripted import contract_details, scripted

from recorder.wire.layouts import frame

IB_ALLOWS = 50
"""Messages a second; a client that sends more is cut off (TWS API guide, "Pacing")."""


def test_sixty_lines_never_bring_more_than_fifty_messages_a_second(tmp_path):
    made = Market.level1(*(f"S{number}" for number in range(60)), every=0.05)

    async def story():
        async with recorded(tmp_path, made, timing={"first_answers": 10.0}) as gateway:
            for connection in (0, 1):
                await until(lambda at=connection: len(gateway.conversations) > at)
                await until(lambda at=connection: len(gateway.conversations[at].asked) == 60)
                if connection == 0:
                    gateway.conversations[0].writer.transport.abort()
        return gateway.conversations

    first, second = asyncio.run(story())
    times = sorted(at for it in (first, second) for at, _ in it.heard)
    assert len(times) >= 60 * 4, "lookups, two rounds of requests, cancels"
    assert sorted(second.cancelled) == sorted(second.asked)
    assert max(bisect_left(times, at + 1) - place for place, at in enumerate(times)) <= IB_ALLOWS
    prove_whole(tmp_path / "data", made)


def test_tick_by_tick_requests_of_an_instrument_keep_their_distance_across_connections(tmp_path):
    async def nothing(_conversation, _req, _fields):
        pass

    async def story():
        async with scripted(nothing) as gateway:
            line = "{type: stock, symbol: A, streams: [trades, midpoints]}"
            async with hurried(write_config(tmp_path, gateway.port, line), tick_by_tick=1.0):
                for count in (1, 2, 3):
                    await until(lambda n=count: len(requests(gateway)) == n)
                    gateway.conversations[-1].writer.transport.abort()
                await until(lambda: len(requests(gateway)) == 5)
            return requests(gateway)

    times = asyncio.run(story())
    assert [after - before >= 0.9 for before, after in pairwise(times)] == [True] * 4


def requests(gateway):
    """When tick-by-tick was asked for."""
    return [at for conversation in gateway.conversations for at in conversation.times("97")]


def test_a_lookup_that_is_rejected_or_never_answered_is_asked_again_and_holds_up_nobody(tmp_path):
    made, lookups = Market.level1("A", "B", "C"), []

    async def looked_up(conversation, req, fields):
        symbol = fields[4]
        lookups.append(symbol)
        again = lookups.count(symbol) > 1
        if symbol == "A" and not again:
            conversation.send(frame("4", "2", req, "321", "Error validating request", ""))
        elif symbol == "B" or again:
            conversation.send(contract_details(req, 1000 + ord(symbol), symbol) + frame("52", "1", req))

    async def story():
        timing = {"slow": 1.5, "passing": 1.5, "daily": 60}
        async with recorded(tmp_path, made, patience=0.5, timing=timing, looked_up=looked_up) as gateway:
            await until(made.flows(("B", "level1"), ticks=1))
            assert lookups.count("A") == 1, "B did not wait for the others"
            await until(made.flows(ticks=1))
            await asyncio.sleep(0.4)
            return len(gateway.conversations)

    assert asyncio.run(story()) == 1
    root = tmp_path / "data"
    assert sorted(lookups) == ["A", "A", "B", "C", "C"]
    assert sorted(table(root, "gaps")["symbol"]) == ["A", "C"]
    for symbol, reason in (("A", "refused"), ("C", "not_subscribed")):
        (gap,) = closed(root, (symbol, "level1")).itertuples()
        assert (gap.reason, gap.seq_end) == (reason, rows(root, (symbol, "level1"))["seq"].iloc[0])
    assert events(root, "refused", "A")["code"].tolist() == [321]
    assert events(root, "qualified")["symbol"].tolist()[0] == "B"
    prove_whole(root, made)
