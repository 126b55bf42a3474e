"""What goes wrong in recording round the clock, each played by a script's action over a real socket."""

import asyncio

import pytest

STOCK = {"symbol": "AAPL", "secType": "STK", "exchange": "SMART", "currency": "USD"}
OTHER = STOCK | {"symbol": "MSFT"}
FUTURE = {"symbol": "ES", "secType": "FUT", "expiry": "202612", "exchange": "CME"}
FRONT = {"symbol": "ES", "secType": "CONTFUT", "exchange": "CME"}
HISTORY = {"start": "20200101 00:00:00 UTC", **STOCK}
BID, ASK, DELAYED_BID, DELAYED_ASK = "1", "2", "66", "67"


def errors(frames):
    """Request id and code of each message 4, but for the venues a SMART book is told with."""
    return [(f[2], f[3]) for f in frames if f[0] == "4" and f[3] != "2152"]


def ask_all(raw):
    """One subscription of each kind, for a stock: requests 1 to 4."""
    raw.level1(1, **STOCK)
    raw.ticks(2, **STOCK)
    raw.depth(3, 3, 1, **STOCK)
    raw.bars(4, **STOCK)


def quoted(frames, req):
    """Tick types of the prices of a level 1 subscription."""
    return {f[3] for f in frames if f[0] == "1" and f[2] == str(req)}


# Data that stop ------------------------------------------------------------------------------------------------


def test_dropped_updates_are_over_until_asked_for_anew_and_a_late_cancel_is_told(tools):
    async def test(sim, raw):
        raw.level1(1, **STOCK)
        raw.level1(2, **OTHER)
        await raw.until(lambda f: f[0] == "2")
        await sim.play("updates_dropped", symbol="AAPL")
        told = await raw.error(10182)
        await raw.drain(0.05)
        others = await raw.ticking()
        raw.send(2, 2, 1)
        late = await raw.error(300)
        raw.level1(1, **STOCK)
        return told[2], others, late[2], await raw.ticking(0.15)

    assert ("1", {"2"}, "1", {"1", "2"}) == tools.play(test)


def test_everything_stalls_while_requests_are_answered_and_its_ticks_are_lost(tools):
    async def test(sim, raw):
        raw.level1(1, **STOCK)
        raw.ticks(2, **STOCK)
        await raw.until(lambda f: f[0] == "99")
        await sim.play("mute", symbol="all", lasting=True, seconds=0.4)
        await raw.drain(0.05)
        raw.send(49, 1)
        raw.ticks(3, **OTHER)
        silent = await raw.drain(0.2)
        heard = len(sim.sent)
        made = sim.world.tape(sim.world.universe.by_con_id(265598), "trades").made
        await raw.until(lambda f: f[0] == "99")
        first = sum(frame.startswith(b"99\0" + b"2\0", 4) for _, frame in sim.sent[heard:])
        return [f[0] for f in silent], made, first

    answered, made, first = tools.play(test)
    assert ["49"] == answered
    assert made > 40
    assert first < 20


def test_ticks_made_while_frozen_are_lost(tools):
    async def test(sim, raw):
        raw.ticks(1, **STOCK)
        await raw.until(lambda f: f[0] == "99")
        await raw.drain(0.05)
        await sim.play("freeze", seconds=0.3)
        await asyncio.sleep(0.25)
        heard = len(sim.sent)
        await raw.until(lambda f: f[0] == "99")
        return len(sim.sent) - heard

    assert tools.play(test) < 20


def test_what_is_cancelled_ticks_on_for_a_while_and_cannot_be_cancelled_twice(tools):
    async def test(sim, raw):
        raw.level1(1, **STOCK)
        raw.depth(2, 3, 1, **STOCK)
        await raw.until(lambda f: f[0] == "13")
        await sim.play("late_ticks", lag=0.3)
        for cancel in [(2, 2, 1), (11, 1, 2, 1)] * 2:
            raw.send(*cancel)
        told = await raw.drain(0.05)
        held = sim.world.count("level1", "depth")
        late = await raw.ticking(0.1)
        await asyncio.sleep(0.25)
        await raw.drain(0.05)
        return errors(told), held, late, await raw.ticking()

    assert ([("1", "300"), ("2", "310")], 0, {"1", "2"}, set()) == tools.play(test)


def test_late_ticks_end_by_themselves(tools):
    async def test(sim, raw):
        raw.level1(1, **STOCK)
        await sim.play("late_ticks", lag=60.0, seconds=0.05)
        await asyncio.sleep(0.1)
        raw.send(2, 2, 1)
        await raw.drain(0.05)
        return await raw.ticking()

    assert set() == tools.play(test)


def test_a_halted_book_cannot_be_cancelled_and_can_be_asked_for_anew(tools):
    async def test(sim, raw):
        raw.depth(1, 3, 1, **STOCK)
        await raw.until(lambda f: f[0] == "13")
        await sim.play("depth_halt")
        await raw.error(316)
        raw.send(11, 1, 1, 1)
        late = await raw.error(310)
        raw.depth(1, 3, 1, **STOCK)
        return late[2], await raw.ticking(0.1)

    assert ("1", {"1"}) == tools.play(test)


# IB's servers and farms ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "idle", "okay", "ask"),
    [
        ("usfarm", "2108", "2104", lambda r: r.level1(5, **STOCK)),
        ("ushmds", "2107", "2106", lambda r: r.history(5, **HISTORY)),
        ("secdefil", "2159", "2158", lambda r: r.details(5, **STOCK)),
    ],
)
def test_an_idle_farm_says_so_at_log_in_too_and_wakes_when_asked(tools, name, idle, okay, ask):
    async def test(sim, raw):
        await sim.play("farm", name=name, state="idle")
        told = await raw.error(idle)
        late = await tools.Raw.started(sim, 2) if name != "secdefil" else raw
        ask(raw)
        woken = await raw.error(okay)
        answer = await raw.until(lambda f: "5" in f[1:3])
        await late.close()
        return told[4], idle in {f[3] for f in late.frames if f[0] == "4"}, woken[4].endswith(name), answer[0]

    text, at_log_in, woken, answer = tools.play(test)
    assert f"inactive but should be available upon demand.{name}" in text
    assert (True, True) == (at_log_in, woken)
    assert answer in {"58", "98", "10"}


def test_an_idle_farm_goes_on_serving_what_runs(tools):
    async def test(sim, raw):
        raw.level1(1, **STOCK)
        await raw.until(lambda f: f[0] == "2")
        await sim.play("farm", name="usfarm", state="idle")
        await raw.error(2108)
        return await raw.ticking()

    assert {"1"} == tools.play(test)


def test_what_is_asked_of_a_broken_farm_opens_when_it_is_back(tools):
    async def test(sim, raw):
        await sim.play("farm", name="usfarm", state="down")
        await raw.error(2103)
        raw.level1(1, **STOCK)
        raw.level1(2, "", 1, **STOCK)
        nothing = await raw.drain(0.1)
        await sim.play("farm", name="usfarm", state="up")
        await raw.error(2104)
        return nothing, [f[0] for f in await raw.drain(0.1)][:3]

    assert ([], ["58", "81", "46"]) == tools.play(test)


def test_after_data_were_lost_every_kind_is_had_again_on_the_same_connection(tools):
    async def test(sim, raw):
        ask_all(raw)
        await raw.until(lambda f: f[0] == "13")
        await sim.play("lost")
        await sim.play("restored", data="lost")
        await raw.error(1101)
        await raw.drain(0.05)
        silent = await raw.drain(0.05)
        ask_all(raw)
        raw.ticks(5, "BidAsk", **STOCK)
        frames = await raw.drain(0.15)
        return silent, errors(frames), {f[0] for f in frames}, sim.world.count("bars", "level1")

    silent, told, kinds, lines = tools.play(test)
    assert [] == silent
    assert [("2", "10190")] == told, "within 15 s the same ticks are refused, as by the real one"
    assert {"1", "13", "99"} <= kinds
    assert 2 == lines


def test_the_nightly_reset_from_1100_to_farms_that_are_back(tools):
    async def test(sim, raw):
        raw.level1(1, **STOCK)
        await raw.until(lambda f: f[0] == "2")
        await sim.play("nightly_reset", seconds=0.4)
        await raw.error(1100)
        end = await raw.closed()
        with pytest.raises(OSError):
            await asyncio.open_connection("127.0.0.1", sim.port)
        await asyncio.sleep(0.4)
        refused = await tools.Raw.connect(sim)
        await refused.next()
        refused.send(71, 2, 1, "")
        in_use = await refused.next()
        await refused.close()
        back = await tools.Raw.started(sim)
        at_log_in = {f[3] for f in back.frames if f[0] == "4"}
        later = [(await back.error(code))[3] for code in ("2104", "2106", "2158")]
        back.level1(1, **STOCK)
        alive = await back.ticking(0.15)
        await back.close()
        return end, in_use[3], at_log_in, later, alive

    expected = ("closed", "326", {"2103", "2105", "2157"}, ["2104", "2106", "2158"], {"1"})
    assert expected == tools.play(test)


def test_two_refusals_at_once_end_with_the_longer_and_both_are_survived(tools):
    async def test(sim, _):
        await sim.play("refuse_connections", seconds=0.05)
        await sim.play("refuse_connections", seconds=0.25)
        await asyncio.sleep(0.1)
        with pytest.raises(OSError):
            await asyncio.open_connection("127.0.0.1", sim.port)
        await asyncio.sleep(0.25)
        await (await tools.Raw.started(sim, 2)).close()

    tools.play(test)


# Requests without an end ---------------------------------------------------------------------------------------

ASKS = {
    "contract_details": lambda r, n: r.details(n, **STOCK),
    "historical_ticks": lambda r, n: r.history(n, count=n, **HISTORY),
    "level1": lambda r, n: r.level1(n, **STOCK),
    "matching_symbols": lambda r, n: r.send(81, n, "AAPL"),
}


@pytest.mark.parametrize("requests", ASKS)
def test_a_request_stays_unanswered_the_next_is_answered(tools, requests):
    async def test(sim, raw):
        await sim.play("unanswered", requests=requests, times=2)
        ASKS[requests](raw, 5)
        ASKS[requests](raw, 6)
        raw.send(49, 1)
        nothing = [f[0] for f in await raw.drain(0.05)]
        ASKS[requests](raw, 7)
        after = await raw.next()
        return nothing, "7" in after[1:3], after[0] == "4"

    assert (["49"], True, False) == tools.play(test)


def test_a_heartbeat_stays_unanswered(tools):
    async def test(sim, raw):
        await sim.play("unanswered", requests="current_time")
        raw.send(49, 1)
        nothing = await raw.drain(0.05)
        raw.send(49, 1)
        return nothing, (await raw.next())[0]

    assert ([], "49") == tools.play(test)


@pytest.mark.parametrize("requests", ASKS)
def test_a_request_is_answered_with_321_alone(tools, requests):
    async def test(sim, raw):
        await sim.play("invalid", requests=requests)
        ASKS[requests](raw, 5)
        only = await raw.drain(0.05)
        ASKS[requests](raw, 6)
        after = await raw.next()
        return errors(only), len(only), "6" in after[1:3], after[0]

    only, count, answered, kind = tools.play(test)
    assert ([("5", "321")], 1, True) == (only, count, answered)
    assert kind != "4"


def test_read_only_refuses_the_list_of_orders_and_never_ends_it(tools):
    async def test(sim, raw):
        await sim.play("read_only", seconds=0.1)
        raw.send(5, 1)
        raw.send(99, 0)
        refused = await raw.drain(0.05)
        await asyncio.sleep(0.1)
        raw.send(5, 1)
        return errors(refused), len(refused), (await raw.next())[0]

    assert ([("-1", "321")] * 2, 2, "53") == tools.play(test)


# Permissions ---------------------------------------------------------------------------------------------------

REVOKED = {
    354: ("354", set(), "354"),
    10089: ("10089", set(), "10089"),
    10090: ("10090", {"9"}, "10090"),
    10091: ("10091", {"9"}, "10091"),
    10167: ("10167", {DELAYED_BID, DELAYED_ASK}, "10167"),
    10168: ("10168", set(), "10168"),
    10186: ("10186", set(), "10186"),
}


@pytest.mark.parametrize("code", REVOKED)
def test_a_revoked_permission_is_told_to_what_runs_and_to_later_requests_until_granted(tools, code):
    told, left, later = REVOKED[code]

    async def test(sim, raw):
        raw.level1(1, **STOCK)
        raw.level1(2, **OTHER)
        await raw.until(lambda f: f[0] == "2")
        await sim.play("revoke", symbol="AAPL", code=code)
        first = await raw.drain(0.1)
        after = await raw.drain(0.1)
        raw.level1(3, **STOCK)
        second = errors(await raw.drain(0.05))
        await sim.play("grant", symbol="AAPL")
        raw.level1(4, **STOCK)
        granted = await raw.drain(0.15)
        return errors(first), quoted(after, 1), quoted(after, 2), second, errors(granted), quoted(granted, 4)

    first, mine, others, second, granted, quotes = tools.play(test)
    assert [("1", told)] == first
    assert {BID, ASK} <= others
    assert left <= mine
    assert not mine & {BID, ASK}
    assert left or not mine
    assert [("3", later)] == second
    assert ([], True) == (granted, {BID, ASK} <= quotes)


@pytest.mark.parametrize(("code", "told"), [(10168, "10167"), (10186, "10167"), (10089, "10089")])
def test_who_asks_for_delayed_data_gets_them_when_live_ones_are_revoked(tools, code, told):
    async def test(sim, raw):
        raw.send(59, 1, 3)
        raw.level1(1, **STOCK)
        await raw.until(lambda f: f[0] == "2")
        await raw.drain(0.05)
        await sim.play("revoke", symbol="AAPL", code=code)
        return await raw.drain(0.15)

    frames = tools.play(test)
    assert [("1", told)] == errors(frames)
    assert ["58", "1", "1", "3"] in frames
    assert {DELAYED_BID, DELAYED_ASK} <= quoted(frames, 1)


def test_each_kind_of_request_is_refused_with_its_own_code(tools):
    async def test(sim, raw):
        ask_all(raw)
        await raw.until(lambda f: f[0] == "13")
        await sim.play("revoke", symbol="AAPL", code=354)
        ended = errors(await raw.drain(0.1))
        ask_all(raw)
        raw.history(5, **HISTORY)
        return ended, errors(await raw.drain(0.1)), sim.world.count("level1", "ticks", "depth", "bars")

    four = [("1", "354"), ("2", "10189"), ("3", "354"), ("4", "420")]
    assert (four, [*four, ("5", "10187")], 0) == tools.play(test)


@pytest.mark.parametrize(("code", "gone"), [(10189, "2"), (420, "4")])
def test_a_code_of_one_kind_of_request_takes_that_kind_only(tools, code, gone):
    async def test(sim, raw):
        ask_all(raw)
        await raw.until(lambda f: f[0] == "13")
        await raw.drain(0.05)
        await sim.play("revoke", symbol="AAPL", code=code, seconds=0.2)
        told = errors(await raw.drain(0.05))
        left = {str(req) for _, req in sim.links[1].session.subscriptions}
        await asyncio.sleep(0.2)
        raw.bars(4 if code == 420 else 6, **STOCK)
        raw.ticks(7, "BidAsk", **STOCK)
        return told, left, errors(await raw.drain(0.05))

    assert ([(gone, str(code))], {"1", "2", "3", "4"} - {gone}, []) == tools.play(test)


def test_what_never_was_permitted_can_be_granted_and_all_can_be_revoked(tools):
    async def test(sim, raw):
        await sim.play("grant", symbol="NOSUB")
        raw.level1(1, **STOCK | {"symbol": "NOSUB"})
        raw.level1(2, **FUTURE)
        granted = await raw.ticking(0.1)
        await sim.play("revoke", symbol="all", code=10168)
        return granted, errors(await raw.drain(0.1)), await raw.ticking()

    assert ({"1", "2"}, [("1", "10168"), ("2", "10168")], set()) == tools.play(test)


# Limits --------------------------------------------------------------------------------------------------------


def test_lines_ticks_and_books_another_client_holds_are_missing(tools):
    async def test(sim, raw):
        await sim.play("take_lines", lines=99, ticks=4, depth=2, seconds=0.3)
        ask_all(raw)
        raw.level1(11, **OTHER)
        raw.ticks(12, **OTHER)
        raw.depth(13, 3, 1, **OTHER)
        refused = errors(await raw.drain(0.1))
        await asyncio.sleep(0.25)
        raw.level1(11, **OTHER)
        raw.ticks(12, **OTHER)
        raw.depth(13, 3, 1, **OTHER)
        return refused, errors(await raw.drain(0.1))

    refused, later = tools.play(test)
    expected = [("4", "101"), ("11", "101"), ("12", "10190"), ("13", "309")]
    assert (expected, []) == (refused, later)


def test_after_a_competing_session_every_kind_is_had_again_once(tools):
    async def test(sim, raw):
        raw.level1(1, **STOCK)
        raw.depth(3, 3, 1, **STOCK)
        raw.bars(4, **STOCK)
        await raw.until(lambda f: f[0] == "13")
        await sim.play("competing_session", seconds=0.1)
        ended = errors(await raw.drain(0.15))
        ask_all(raw)
        frames = await raw.drain(0.15)
        return ended, errors(frames), {f[0] for f in frames}

    ended, told, kinds = tools.play(test)
    assert [("1", "10197"), ("3", "10197"), ("4", "10197")] == ended
    assert [] == told
    assert {"1", "13", "99"} <= kinds


# Contracts -----------------------------------------------------------------------------------------------------


def test_the_continuous_future_rolls_and_the_old_one_ticks_on(tools):
    async def looked_up(raw, req):
        raw.details(req, **FRONT)
        frame = await raw.until(lambda f: f[0] == "10")
        await raw.until(lambda f: f[0] == "52")
        return frame[12], frame[9]

    async def test(sim, raw):
        old = await looked_up(raw, 1)
        raw.level1(2, conId=old[0], exchange="CME")
        await raw.until(lambda f: f[0] == "2")
        await sim.play("roll", symbol="ES")
        await sim.play("roll", symbol="AAPL")
        new = await looked_up(raw, 3)
        raw.level1(4, conId=new[0], exchange="CME")
        return old, new, await raw.ticking(0.15)

    old, new, alive = tools.play(test, now=lambda: 1_795_366_800.5)
    assert ("ESZ6", "ESH7") == (old[1], new[1])
    assert old[0] != new[0]
    assert {"2", "4"} == alive


def test_a_delisted_symbol_is_unknown_and_may_come_back(tools):
    async def test(sim, raw):
        raw.level1(1, **STOCK)
        raw.level1(2, **OTHER)
        await raw.until(lambda f: f[0] == "2")
        await sim.play("delist", symbol="AAPL", seconds=0.3)
        ended = errors(await raw.drain(0.05))
        raw.details(3, **STOCK)
        raw.level1(4, conId=265598, exchange="SMART")
        raw.send(81, 5, "AAPL")
        unknown = await raw.drain(0.1)
        await asyncio.sleep(0.2)
        raw.details(6, **STOCK)
        back = await raw.until(lambda f: f[0] == "10")
        samples = [f[2] for f in unknown if f[0] == "79"]
        return ended, errors(unknown), samples, back[1], "2" in {f[2] for f in unknown if f[0] == "1"}

    expected = ([("1", "200")], [("3", "200"), ("4", "200")], ["0"], "6", True)
    assert expected == tools.play(test)


@pytest.mark.parametrize("con_id", [265598, 416904])
def test_what_a_reroute_names_can_be_asked_for_as_named(tools, con_id):
    async def test(sim, raw):
        await sim.play("reroute", symbol="IBUS500", con_id=con_id)
        raw.level1(1, symbol="IBUS500", secType="CFD", exchange="SMART", currency="USD")
        _, _, named, exchange = await raw.until(lambda f: f[0] == "91")
        raw.level1(2, conId=named, exchange=exchange)
        return errors(raw.frames[-1:]), await raw.ticking(0.15)

    assert ([], {"2"}) == tools.play(test)


def test_a_reroute_of_a_conid_nobody_knows_is_refused_when_asked_for(tools):
    async def test(sim, raw):
        await sim.play("reroute", symbol="AAPL", con_id=1)
        raw.level1(1, **STOCK)
        _, _, named, exchange = await raw.until(lambda f: f[0] == "91")
        raw.level1(2, conId=named, exchange=exchange)
        return exchange, (await raw.error(200))[2]

    assert ("SMART", "2") == tools.play(test)
