"""Days of many requests: none too fast for IB, none forgotten when it is not answered."""

import asyncio
from bisect import bisect_left
from itertools import pairwise

from daemon import table, until, write_config
from hurried import hurried
from numbered import Market, assert_whole, events, gaps, recorded
from scripted import contract_details, scripted

from recorder.wire.layouts import frame

IB_ALLOWS = 50
"""Messages a second; a client that sends more is cut off (TWS API guide, "Pacing")."""


def test_sixty_lines_never_bring_more_than_fifty_messages_a_second(tmp_path):
    made = Market.of(*(f"S{number}" for number in range(60)))

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
    assert_whole(tmp_path / "data", made)


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
    made, lookups = Market.of("A", "B", "C"), []

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
            await until(lambda: "B" in made.listeners)
            assert lookups.count("A") == 1, "B did not wait for the others"
            await until(lambda: len(made.listeners) == 3)
            await asyncio.sleep(0.4)
            return len(gateway.conversations)

    assert asyncio.run(story()) == 1
    root = tmp_path / "data"
    assert sorted(lookups) == ["A", "A", "B", "C", "C"]
    assert gaps(root)[["symbol", "reason"]].to_numpy().tolist() == [["A", "refused"], ["C", "not_subscribed"]]
    assert gaps(root, "A")["code"].tolist() == [321]
    for symbol in ("A", "C"):
        first = table(root, "level1").query("symbol == @symbol").iloc[0]
        assert gaps(root, symbol)["seq_end"].tolist() == [first["seq"]]
    assert events(root, "qualified")["symbol"].tolist()[0] == "B"
    assert_whole(root, made)
