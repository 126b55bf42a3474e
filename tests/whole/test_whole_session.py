"""The daemon against a gateway over a real socket: rows, events and gaps."""

import asyncio
import json

import pandas as pd
import pytest
from daemon import numbers, recording, run, segments, start, table, until, write_config
from scripted import scripted

from recorder.wire.layouts import MIDPOINT, TICK_PRICE, TRADE, frame

AAPL, MSFT = "{type: stock, symbol: AAPL}", "{type: stock, symbol: MSFT}"


def price(req, value):
    return TICK_PRICE.encode(req, {"tick_type": 1, "price": value, "size": 100, "attribs": 1})


def sends(*values):
    """A gateway that answers every subscription with these prices."""

    async def on_subscribed(conversation, req, _fields):
        for value in values:
            conversation.send(price(req, value))

    return on_subscribed


def events(root, kind):
    rows = table(root, "events")
    return rows[rows["kind"] == kind]


def test_what_came_is_in_the_tables_and_nothing_is_left_in_the_journal(tmp_path):
    async def story():
        async with scripted(sends(1.5, 2.5, 3.5)) as gateway:
            async with recording(write_config(tmp_path, gateway.port, AAPL, MSFT)):
                await until(lambda: gateway.conversations and len(gateway.conversations[0].asked) == 2)
                await asyncio.sleep(0.3)

    asyncio.run(story())
    root = tmp_path / "data"
    rows = table(root, "level1")
    assert rows[["symbol", "con_id", "field", "price", "size", "attribs"]].to_numpy().tolist() == [
        [symbol, con_id, "bid", value, 100.0, 1]
        for symbol, con_id in (("AAPL", 1000), ("MSFT", 1001))
        for value in (1.5, 2.5, 3.5)
    ]
    assert segments(root) == []
    assert numbers(root) == list(range(1, len(numbers(root)) + 1))
    assert table(root, "instruments")["con_id"].tolist() == [1000, 1001]


def test_it_cancels_what_it_subscribed_before_it_leaves(tmp_path):
    async def story():
        async with scripted(sends(1.0)) as gateway:
            async with recording(write_config(tmp_path, gateway.port, AAPL)):
                await until(lambda: gateway.conversations and gateway.conversations[0].asked)
                await asyncio.sleep(0.2)
            conversation = gateway.conversations[0]
            return list(conversation.asked), conversation.cancelled

    asked, cancelled = asyncio.run(story())
    assert asked == cancelled


def test_a_lost_connection_is_a_gap_from_the_last_message_to_the_first(tmp_path):
    async def story():
        async with scripted(sends(1.0, 2.0)) as gateway:
            async with recording(write_config(tmp_path, gateway.port, AAPL)):
                await until(lambda: gateway.conversations and gateway.conversations[0].asked)
                await asyncio.sleep(0.3)
                gateway.conversations[0].writer.transport.abort()
                await until(lambda: len(gateway.conversations) > 1 and gateway.conversations[-1].asked)
                await asyncio.sleep(0.3)

    asyncio.run(story())
    root = tmp_path / "data"
    rows = table(root, "level1")
    gap = table(root, "gaps").iloc[0]
    assert (gap["symbol"], gap["stream"], gap["reason"]) == ("AAPL", "level1", "disconnected")
    assert (gap["seq_start"], gap["seq_end"]) == (rows["seq"][1], rows["seq"][2])
    assert (gap["ts_start"], gap["ts_end"]) == (rows["ts_recv"][1], rows["ts_recv"][2])
    assert rows["price"].tolist() == [1.0, 2.0, 1.0, 2.0]
    assert len(events(root, "disconnected")) == 1
    assert len(events(root, "connected")) == 2


def test_kill_9_loses_nothing_that_was_read_and_repeats_nothing(tmp_path):
    sent = 0

    async def counting(conversation, req, _fields):
        async def pour():
            nonlocal sent
            while not conversation.writer.transport.is_closing():
                for _ in range(50):
                    sent += 1
                    conversation.send(price(req, float(sent)))
                await asyncio.sleep(0.005)

        conversation.pouring = asyncio.ensure_future(pour())

    async def night(config_path):
        process = await start("run", str(config_path))
        before = sent
        await until(lambda: sent > before + 1000)
        process.kill()
        await process.communicate()

    async def nights():
        async with scripted(counting) as gateway:
            config = write_config(tmp_path, gateway.port, AAPL, flush=0.5)
            for _ in range(3):
                await night(config)
            before = sent
            async with recording(config):
                await until(lambda: sent > before + 500)

    asyncio.run(nights())
    root = tmp_path / "data"
    rows, gaps = table(root, "level1"), table(root, "gaps")
    assert segments(root) == []
    assert numbers(root) == list(range(1, len(numbers(root)) + 1))
    values = rows["price"].astype(int)
    assert values.is_unique
    assert values.is_monotonic_increasing
    # Wherever the numbers of the gateway jump, a gap lies between the two rows.
    jumps = values.diff()[1:] != 1
    for index in jumps[jumps].index:
        before, after = rows["seq"][index - 1], rows["seq"][index]
        assert ((gaps["seq_start"] <= before) & (gaps["seq_end"] >= after)).any()
    assert gaps["reason"].tolist() == ["restart"] * 3
    assert len(events(root, "session_start")) == 4
    assert len(events(root, "session_end")) == 1


def test_after_a_kill_each_gap_begins_at_its_own_lines_last_tick(tmp_path):
    """A line may have died in silence before: only its own ticks say that it lived."""

    async def on_subscribed(conversation, req, fields):
        async def pour():
            count = 0
            while not conversation.writer.transport.is_closing():
                count += 1
                if fields[4] == "MSFT" or count <= 3 or len(gateways[0].conversations) > 1:
                    conversation.send(price(req, float(count)))
                await asyncio.sleep(0.02)

        conversation.pouring = [*getattr(conversation, "pouring", []), asyncio.ensure_future(pour())]

    gateways = []

    async def story():
        async with scripted(on_subscribed) as gateway:
            gateways.append(gateway)
            config = write_config(tmp_path, gateway.port, AAPL, MSFT, flush=0.4)
            process = await start("run", str(config))
            await until(lambda: gateway.conversations and len(gateway.conversations[0].asked) == 2)
            await asyncio.sleep(1.5)
            process.kill()
            await process.communicate()
            async with recording(config):
                await until(lambda: len(gateway.conversations) > 1 and gateway.conversations[1].asked)
                await asyncio.sleep(0.5)

    asyncio.run(story())
    root = tmp_path / "data"
    rows, gaps = table(root, "level1"), table(root, "gaps").set_index("symbol")
    for symbol in ("AAPL", "MSFT"):
        seq = rows[rows["symbol"] == symbol].reset_index()
        before = seq[seq["price"].diff() < 0].index[0] - 1
        assert (gaps["seq_start"][symbol], gaps["seq_end"][symbol]) == tuple(seq["seq"][before : before + 2])
        assert gaps["ts_start"][symbol] == seq["ts_recv"][before]
    assert gaps["ts_start"]["MSFT"] - gaps["ts_start"]["AAPL"] > pd.Timedelta(seconds=1)


def test_a_refused_stream_is_parked_and_the_others_go_on(tmp_path):
    async def on_subscribed(conversation, req, fields):
        if fields[4] == "AAPL":
            conversation.send(
                frame("4", "2", str(req), "354", "Requested market data is not subscribed.", "")
            )
        else:
            conversation.send(price(req, 7.0))

    async def story():
        async with scripted(on_subscribed) as gateway:
            async with recording(write_config(tmp_path, gateway.port, AAPL, MSFT)):
                await until(lambda: gateway.conversations and len(gateway.conversations[0].asked) == 2)
                await asyncio.sleep(0.3)

    asyncio.run(story())
    root = tmp_path / "data"
    assert table(root, "level1")["symbol"].tolist() == ["MSFT"]
    refused = events(root, "refused").iloc[0]
    assert (refused["symbol"], refused["stream"], refused["code"]) == ("AAPL", "level1", 354)
    started = events(root, "gap_start").iloc[0]
    assert (started["symbol"], started["stream"], started["text"]) == ("AAPL", "level1", "refused")


def test_what_is_over_the_limit_is_refused_by_name_and_never_asked_for(tmp_path):
    async def story():
        async with scripted(sends(1.0)) as gateway:
            config = write_config(tmp_path, gateway.port, AAPL, MSFT, gateway="max_lines: 1")
            async with recording(config):
                await until(lambda: gateway.conversations and gateway.conversations[0].asked)
                await asyncio.sleep(0.3)
            return [fields[4] for fields in gateway.conversations[0].asked.values()]

    assert asyncio.run(story()) == ["AAPL"]
    refused = events(tmp_path / "data", "refused")
    assert refused[["symbol", "stream", "code"]].to_numpy().tolist() == [["MSFT", "level1", 101]]


@pytest.mark.parametrize("pieces", ["whole", "bytes"])
def test_bad_messages_stand_in_other_and_touch_no_neighbour(tmp_path, pieces):
    bad = [
        frame("1", "6", "REQ", "1", "1.0"),
        frame("999", "REQ", "what is this"),
        frame("99", "REQ", "7", "0", "1"),
        frame("1", "6", "424242", "1", "1.0", "1", "1"),
        frame("1", "6", "REQ", "1", "one", "1", "1"),
        b"\0\0\0\0",
        b"\0\0\0\3\xff\xfe\0",
        b"\0\0\0\4junk",
    ]

    async def on_subscribed(conversation, req, _fields):
        said = b""
        for number, message in enumerate(bad):
            body = message[4:].replace(b"REQ", str(req).encode())
            said += price(req, float(number)) + len(body).to_bytes(4, "big") + body
        said += price(req, 99.0)
        if pieces == "whole":
            conversation.send(said)
            return
        for position in range(len(said)):
            conversation.send(said[position : position + 1])
            await conversation.writer.drain()
            await asyncio.sleep(0)

    async def story():
        async with scripted(on_subscribed) as gateway:
            async with recording(write_config(tmp_path, gateway.port, AAPL)):
                await until(lambda: gateway.conversations and gateway.conversations[0].asked)
                await asyncio.sleep(0.5)

    asyncio.run(story())
    root = tmp_path / "data"
    assert table(root, "level1")["price"].tolist() == [*map(float, range(len(bad))), 99.0]
    assert table(root, "other")["text"].tolist() == [
        "1\t6\t2\t1\t1.0",
        "999\t2\twhat is this",
        "99\t2\t7\t0\t1",
        "1\t6\t424242\t1\t1.0\t1\t1",
        "1\t6\t2\t1\tone\t1\t1",
        "",
        "\\xff\\xfe",
        "junk",
    ]
    assert numbers(root) == list(range(1, len(numbers(root)) + 1))


def test_a_length_that_cannot_be_ends_the_connection_and_not_the_recorder(tmp_path):
    async def on_subscribed(conversation, req, _fields):
        first = len(gateways[0].conversations) == 1
        conversation.send(price(req, 1.0) + (b"\xff\xff\xff\xfflost" if first else b""))

    gateways = []

    async def story():
        async with scripted(on_subscribed) as gateway:
            gateways.append(gateway)
            async with recording(write_config(tmp_path, gateway.port, AAPL)):
                await until(lambda: len(gateway.conversations) == 2 and gateway.conversations[1].asked)
                await asyncio.sleep(0.3)

    asyncio.run(story())
    root = tmp_path / "data"
    assert table(root, "level1")["price"].tolist() == [1.0, 1.0]
    assert table(root, "other")["text"].tolist() == ["lost"]
    assert table(root, "gaps")["reason"].tolist() == ["disconnected"]


def test_tick_by_tick_requests_of_one_instrument_keep_their_distance(tmp_path):
    async def on_subscribed(conversation, req, fields):
        if fields[0] == "97":
            values = {
                "variant": 2,
                "ts_event": 1795000000,
                "price": 1.0,
                "size": 1,
                "attribs": 0,
                "exchange": "X",
            }
            conversation.send(TRADE.encode(req, values) if "AllLast" in fields else b"")
            conversation.send(
                MIDPOINT.encode(req, {"variant": 4, "ts_event": 1795000000, "price": 1.0})
                if "MidPoint" in fields
                else b""
            )

    async def story():
        async with scripted(on_subscribed) as gateway:
            line = "{type: stock, symbol: AAPL, streams: [trades, midpoints]}"
            async with recording(write_config(tmp_path, gateway.port, line)):
                await until(lambda: gateway.conversations and gateway.conversations[0].asked)
                await asyncio.sleep(1.0)
                return len(gateway.conversations[0].asked)

    assert asyncio.run(story()) == 1
    assert table(tmp_path / "data", "trades")["kind"].tolist() == ["all_last"]


def test_check_connect_shows_the_contracts_and_leaves(tmp_path):
    async def story():
        async with scripted(sends()) as gateway:
            config = write_config(tmp_path, gateway.port, AAPL, "{con_id: 270639, name: INTC2}")
            return await run("check", str(config), "--connect", "--format", "json")

    code, output, errors = asyncio.run(story())
    assert (code, errors) == (0, "")
    report = json.loads(output)
    assert [(line["name"], line["con_id"], line["exchange"]) for line in report["lines"]] == [
        ("AAPL", 1000, "SMART"),
        ("INTC2", 270639, "SMART"),
    ]
    assert report["limits"]["market_data_lines"] == {"used": 2, "limit": 100}


def notice(code, req=-1):
    return frame("4", "2", str(req), str(code), f"notice {code}", "")


def test_ib_lost_and_back_with_subscriptions_kept_is_a_gap_until_the_next_message(tmp_path):
    async def story():
        async with scripted(sends(1.0)) as gateway:
            async with recording(write_config(tmp_path, gateway.port, AAPL)):
                await until(lambda: gateway.conversations and gateway.conversations[0].asked)
                await asyncio.sleep(0.2)
                conversation = gateway.conversations[0]
                for message in (notice(1100), notice(1102), price(next(iter(conversation.asked)), 2.0)):
                    conversation.send(message)
                    await asyncio.sleep(0.1)
            return len(gateway.conversations)

    assert asyncio.run(story()) == 1
    root = tmp_path / "data"
    rows, gap = table(root, "level1"), table(root, "gaps").iloc[0]
    assert (gap["reason"], gap["code"]) == ("disconnected", 1100)
    assert (gap["seq_end"], gap["ts_end"]) == (rows["seq"][1], rows["ts_recv"][1])


def test_ib_lost_and_back_with_subscriptions_lost_is_asked_for_anew(tmp_path):
    async def story():
        async with scripted(sends(1.0)) as gateway:
            async with recording(write_config(tmp_path, gateway.port, AAPL)):
                await until(lambda: gateway.conversations and gateway.conversations[0].asked)
                await asyncio.sleep(0.2)
                gateway.conversations[0].send(notice(1100))
                await asyncio.sleep(0.1)
                gateway.conversations[0].send(notice(1101))
                await until(lambda: len(gateway.conversations[0].asked) == 2)
                await asyncio.sleep(0.2)
            return len(gateway.conversations)

    assert asyncio.run(story()) == 1
    root = tmp_path / "data"
    gap = table(root, "gaps").iloc[0]
    assert (gap["reason"], gap["code"]) == ("disconnected", 1100)
    assert table(root, "level1")["price"].tolist() == [1.0, 1.0]


def test_a_competing_session_is_a_gap_of_its_own_kind(tmp_path):
    async def on_subscribed(conversation, req, _fields):
        conversation.send(price(req, 1.0) + notice(10197, req))

    async def story():
        async with scripted(on_subscribed) as gateway:
            async with recording(write_config(tmp_path, gateway.port, AAPL)):
                await until(lambda: gateway.conversations and gateway.conversations[0].asked)
                await asyncio.sleep(0.2)

    asyncio.run(story())
    started = events(tmp_path / "data", "gap_start").iloc[0]
    assert (started["text"], started["code"]) == ("competing_session", 10197)


def test_while_ib_is_lost_no_gap_ends_for_want_of_a_refusal(tmp_path):
    """A stream that is not refused counts as received after ten seconds, but not while IB is away."""

    async def story():
        async with scripted(sends()) as gateway:
            async with recording(write_config(tmp_path, gateway.port, AAPL)):
                await until(lambda: gateway.conversations and gateway.conversations[0].asked)
                gateway.conversations[0].send(notice(1100))
                await asyncio.sleep(10.5)

    asyncio.run(story())
    assert len(events(tmp_path / "data", "gap_start")) == 1
    assert events(tmp_path / "data", "gap_end").empty
