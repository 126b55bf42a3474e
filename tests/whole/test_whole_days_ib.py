"""Bad days between the gateway and IB: what it says is lost or back is one thing, ticks are the proof."""

import asyncio

from daemon import table, until
from days import recorded
from lines import Market, closed, events, prove_whole, rows

from recorder.wire.layouts import frame

READY = frame("15", "1", "DU0") + frame("9", "1", "1")
ABC = ("A", "B", "C")
SHORT = {"settled": 0.5, "burst": 0.1, "lost_in_flight": 0.4}


def notice(code, farm="usfarm"):
    words = {2103: "Market data farm connection is broken", 2104: "Market data farm connection is OK"}
    return frame("4", "2", "-1", str(code), f"{words.get(code, f'notice {code}')}:{farm}", "")


def played(folder, made, story, **more):
    """Let ``story`` happen once every line has ticked; returns how often each was asked for then."""

    async def day():
        async with recorded(folder, made, timing=SHORT, **more) as gateway:
            await until(made.flows(ticks=1))
            await asyncio.sleep(0.9)  # their rates are known
            await story(gateway.conversations[0])
            await asyncio.sleep(0.3)
            assert len(gateway.conversations) == 1, "the socket is never dropped for it"
            it = gateway.conversations[0]
            cancelled = [it.asked[req][4] for req in it.cancelled]
            return [len(made.asked(key)) for key in made.lines], cancelled

    return asyncio.run(day())


def assert_gap(root, symbol, reason, code):
    """One gap from a row of the line to its next, or past ticks that were under way; returns how many those were."""
    (gap,) = closed(root, (symbol, "level1")).itertuples()
    received = rows(root, (symbol, "level1"))
    before, after = (received[received["seq"] == seq].iloc[0] for seq in (gap.seq_start, gap.seq_end))
    assert (gap.reason, None if gap.code != gap.code else gap.code) == (reason, code)
    assert (gap.ts_start, gap.ts_end) == (before["ts"], after["ts"])
    return int(((received["seq"] > gap.seq_start) & (received["seq"] < gap.seq_end)).sum())


# 1100, 1101, 1102, 2110. -------------------------------------------------------------------------------------


def test_1101_asks_for_every_line_anew_and_the_gap_is_each_line_s_own(tmp_path):
    made = Market.level1(*ABC)

    async def story(it):
        made.mute("B")
        await asyncio.sleep(0.2)
        made.mute()
        it.send(notice(1100))
        await asyncio.sleep(0.4)
        made.die(*ABC)
        made.mute(muted=False)
        it.send(notice(1101))
        await until(made.flows(ticks=1))

    asked, cancelled = played(tmp_path, made, story)
    root = tmp_path / "data"
    assert asked == [2, 2, 2]
    assert sorted(cancelled) == [*ABC]
    assert [assert_gap(root, symbol, "disconnected", 1100) for symbol in ABC] == [0, 0, 0]
    starts = [closed(root, (symbol, "level1"))["ts_start"][0] / 1e6 for symbol in ABC]
    assert starts[0] - starts[1] > 0.1, "B ticked last some time before A"
    prove_whole(root, made)


def test_1102_is_believed_line_by_line_and_not_for_a_tick_that_was_under_way(tmp_path):
    made = Market.level1(*ABC)

    async def story(it):
        made.mute()
        it.send(notice(1100))
        await asyncio.sleep(0.1)
        made.mute(muted=False)
        made.tick()
        made.mute()
        await asyncio.sleep(0.6)
        made.die("C")
        it.send(notice(1102))
        made.mute(muted=False)
        await until(made.flows(ticks=1))

    asked, cancelled = played(tmp_path, made, story, heartbeat=0.8)
    root = tmp_path / "data"
    assert asked == [1, 1, 2]
    assert cancelled == ["C"]
    under_way = [assert_gap(root, symbol, "disconnected", 1100) for symbol in ABC]
    assert all(1 <= ticks <= 4 for ticks in under_way), "they are rows all the same"
    back = events(root, "notice").query("code == 1102")["ts_recv"].iloc[0].timestamp()
    ends = [closed(root, (symbol, "level1"))["ts_end"][0] / 1e6 - back for symbol in ABC]
    assert max(ends[:2]) < 0.45, "the next tick ends it"
    assert ends[2] > 0.5, "silent past its own measure"
    prove_whole(root, made)


def test_2110_at_the_log_in_counts_like_1100(tmp_path):
    made = Market.level1("A", "B")

    async def logged_in(conversation, _client_id):
        conversation.send(READY + notice(2110))

    async def story():
        async with recorded(tmp_path, made, timing=SHORT, logged_in=logged_in) as gateway:
            await until(lambda: len(gateway.conversations) == 1)
            await asyncio.sleep(1.2)
            it = gateway.conversations[0]
            early = dict(it.asked)
            it.send(notice(1102))
            await until(lambda: len(it.asked) == 2)
            await asyncio.sleep(0.3)
            return early, len(gateway.conversations)

    assert asyncio.run(story()) == ({}, 1)
    root = tmp_path / "data"
    for symbol in ("A", "B"):
        (gap,) = closed(root, (symbol, "level1")).itertuples()
        first = rows(root, (symbol, "level1")).iloc[0]
        assert (gap.reason, gap.code) == ("disconnected", 2110)
        assert (gap.seq_end, gap.ts_end) == (first["seq"], first["ts"])
        assert gap.ts_end - gap.ts_start > 1e6
    prove_whole(root, made)


def test_a_farm_that_is_broken_at_the_log_in_leaves_a_line_in_its_gap_until_it_ticks(tmp_path):
    made, greetings = Market.level1("A", "B"), [b"", notice(2103)]

    async def logged_in(conversation, _client_id):
        conversation.send(READY + greetings.pop(0))

    async def story():
        async with recorded(tmp_path, made, timing=SHORT | {"burst": 0.3}, logged_in=logged_in) as gateway:
            await until(made.flows(ticks=1))
            await asyncio.sleep(0.4)
            gateway.conversations[0].writer.transport.abort()
            await until(lambda: len(gateway.conversations) == 2 and gateway.conversations[1].asked)
            made.tick("A")  # IB's opening picture, of before the farm broke
            made.mute("A")
            await asyncio.sleep(1.5)
            gateway.conversations[1].send(notice(2104))
            made.mute(muted=False)
            await asyncio.sleep(0.2)

    asyncio.run(story())
    root = tmp_path / "data"
    assert 1 <= assert_gap(root, "A", "disconnected", None) <= 4
    assert_gap(root, "B", "disconnected", None)
    seconds = (table(root, "gaps")["ts_end"] - table(root, "gaps")["ts_start"]).dt.total_seconds()
    assert max(seconds) > 1.5, "A's picture ends nothing"
    assert min(seconds) < 1, "B ticks on, which is more than a picture"
    prove_whole(root, made)


# Farms. ------------------------------------------------------------------------------------------------------


def test_a_broken_farm_is_a_gap_of_its_lines_alone_until_they_tick_again(tmp_path):
    made = Market.level1(*ABC)

    async def story(it):
        made.mute("A")
        it.send(notice(2103))
        await asyncio.sleep(1)
        it.send(notice(2104))
        await asyncio.sleep(0.1)
        made.mute(muted=False)
        await asyncio.sleep(0.2)

    asked, cancelled = played(tmp_path, made, story)
    root = tmp_path / "data"
    assert (asked, cancelled) == ([1, 1, 1], [])
    assert assert_gap(root, "A", "farm", 2103) <= 1
    assert table(root, "gaps")["symbol"].tolist() == ["A"]
    prove_whole(root, made)


def test_an_outage_too_short_to_be_judged_is_in_a_gap_all_the_same(tmp_path):
    made = Market.level1(*ABC)

    async def story(it):
        made.mute("A")
        it.send(notice(2103))
        await asyncio.sleep(0.12)
        it.send(notice(2104))
        made.mute(muted=False)

    asked, cancelled = played(tmp_path, made, story)
    root = tmp_path / "data"
    assert (asked, cancelled) == ([1, 1, 1], [])
    assert assert_gap(root, "A", "farm", 2103) == 0
    others = table(root, "gaps").query("symbol != 'A'")
    assert ((others["ts_end"] - others["ts_start"]).dt.total_seconds() < 0.5).all()
    prove_whole(root, made)


def test_a_line_that_stays_dead_when_its_farm_is_back_is_asked_for_anew_and_only_that_one(tmp_path):
    made = Market.level1(*ABC)

    async def story(it):
        made.die("A", "B")
        it.send(notice(2103))
        await asyncio.sleep(0.8)
        made.lines["B", "level1"].served = True
        it.send(notice(2104))
        await until(made.flows(ticks=1))

    asked, cancelled = played(tmp_path, made, story, heartbeat=0.8)
    root = tmp_path / "data"
    assert (asked, cancelled) == ([2, 1, 1], ["A"])
    assert [assert_gap(root, symbol, "farm", 2103) <= 1 for symbol in "AB"] == [True, True]
    assert closed(root, ("C", "level1")).empty
    prove_whole(root, made)


def test_farms_that_carry_no_live_data_are_notices_and_nothing_else(tmp_path):
    made, codes = Market.level1(*ABC), [2105, 2106, 2157, 2158, 2107, 2108]

    async def story(it):
        for code in codes:
            it.send(notice(code, "ushmds"))
            await asyncio.sleep(0.1)
        await asyncio.sleep(0.5)

    asked, cancelled = played(tmp_path, made, story)
    root = tmp_path / "data"
    assert (asked, cancelled) == ([1, 1, 1], [])
    assert table(root, "gaps").empty
    assert table(root, "events").query("kind == 'notice'")["code"].tolist() == codes
    prove_whole(root, made)
