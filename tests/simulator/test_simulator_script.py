"""Scripts are checked whole and played by time; every action does what it says over a real socket."""

import asyncio
import struct
import time

import pytest
from ib_async import Stock

from recorder.simulator import ScriptError, Simulator, Step, load_script

STOCK = {"symbol": "AAPL", "secType": "STK", "exchange": "SMART", "currency": "USD"}
FUTURE = {"symbol": "ES", "secType": "FUT", "expiry": "202612", "exchange": "CME"}
COIN = {"symbol": "BTC", "secType": "CRYPTO", "exchange": "PAXOS"}


# The file -----------------------------------------------------------------------------------------------------


def test_a_script_is_a_list_of_timed_actions(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text(
        "- {at: 5, do: drop}\n- at: 7.5\n  do: freeze\n  for: 10\n  every: 30\n- {at: 8, do: mute, symbol: ON}\n"
    )
    expected = (Step(5, "drop"), Step(7.5, "freeze", {"seconds": 10}, 30), Step(8, "mute", {"symbol": "ON"}))
    assert expected == load_script(path)


WRONG = {
    "- {at: 5, do: drop\n- {": (":2: not YAML", ""),
    "at: 5\ndo: drop\n": (":1: a script is a list", "{at: 5, do: drop}"),
    "- {at: 1, do: drop}\n- drop\n": (":2: a step needs 'at' and 'do'", "{at: 5, do: drop}"),
    "- {at: 1, do: drop}\n\n- {do: drop}\n": (":3: a step needs 'at'", ""),
    "- {at: 1, do: explode}\n": (":1: there is no action 'explode'; there are drop, reset", ""),
    "- {at: 1, do: freeze, long: 3}\n": (":1: freeze has no 'long'; it takes seconds", ""),
    "- {at: 1, do: drop, for: 3}\n": (":1: drop has no 'seconds'; it takes nothing", ""),
    "- {at: 1, do: mute}\n": (":1: mute needs 'symbol'", ""),
    "- {at: 1, do: mute, symbol: 700}\n": (":1: mute: symbol is 700; it must be a text (quote it", ""),
    "- {at: 1, do: freeze, for: long}\n": (":1: freeze: seconds is 'long'; it must be a number", ""),
    "- {at: 1, do: mute, symbol: A, lasting: 1}\n": ("lasting is 1; it must be true or false", ""),
    "- {at: 1, do: refuse_id, times: 1.5}\n": ("times is 1.5; it must be a whole number", ""),
    "- {at: 1, do: refuse_id, times: true}\n": ("times is True; it must be a whole number", ""),
    "- {at: 1, do: farm, name: usfarm, state: gone}\n": (
        "state is 'gone'; it must be one of down, up, idle",
        "",
    ),
    "- {at: 1, do: revoke, symbol: A, code: 355}\n": ("code is 355; it must be one of 354, 420, 10089", ""),
    "- {at: 1, do: revoke, symbol: A, code: '354'}\n": ("code is '354'; it must be one of 354", ""),
    "- {at: 1, do: junk, kind: odd}\n": ("kind is 'odd'; it must be one of all, short", ""),
    "- {at: 1, do: mute, symbol: AAPPL}\n": (":1: mute: the market knows no AAPPL; did you mean AAPL?", ""),
    "- {at: 1, do: drop}\n- {at: 1, do: revoke, symbol: aapl, code: 354}\n": (
        ":2: revoke: ",
        "did you mean AAPL?",
    ),
    "- {at: 1, do: error, code: 354, symbol: ZZZ-9}\n": ("knows no ZZZ-9; it knows AAPL, INTC, MSFT", ""),
    "- {at: 1, do: farm, name: usfram, state: down}\n": (
        ":1: farm: the market knows no usfram; did you mean usfarm?",
        "",
    ),
    "- {at: -1, do: drop}\n": (":1: at is -1; it must be a number of seconds, at least 0", ""),
    "- {at: soon, do: drop}\n": ("at is 'soon'", ""),
    "- {at: .nan, do: drop}\n": ("at is nan", ""),
    "- {at: 1, do: drop, every: 0}\n": ("every is 0; it must be a number of seconds", ""),
    "": (":1: a script is a list", ""),
}


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_script_says_where_and_what_would_be_right(tmp_path, text):
    path = tmp_path / "s.yaml"
    path.write_text(text)
    with pytest.raises(ScriptError) as error:
        load_script(path)
    assert str(error.value).startswith(str(path))
    for words in WRONG[text]:
        assert words in str(error.value)


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_script_that_cannot_be_read_says_so(tmp_path, content):
    path = tmp_path / "s.yaml"
    if content:
        path.write_bytes(content)
    with pytest.raises(ScriptError, match="cannot be read"):
        load_script(path)


def test_a_step_reads_as_its_line_does(tmp_path):
    lines = [
        "{at: 5, do: drop}",
        "{at: 7.5, do: freeze, for: 10, every: 30}",
        "{at: 8, do: mute, symbol: all, lasting: true}",
        "{at: 9, do: error, code: 354}",
    ]
    path = tmp_path / "s.yaml"
    path.write_text("".join(f"- {line}\n" for line in lines))
    assert lines == [str(step) for step in load_script(path)]


def test_an_action_played_by_hand_is_checked_too():
    async def scenario():
        async with Simulator() as sim:
            with pytest.raises(ScriptError, match="no action"):
                await sim.play("explode")
            with pytest.raises(ScriptError, match="needs 'symbol'"):
                await sim.play("mute")

    asyncio.run(scenario())


def test_steps_come_at_their_time_and_again(tools):
    async def test(_, raw):
        begin = time.monotonic()
        times = []
        for _ in range(4):
            await raw.error(1100)
            times.append(time.monotonic() - begin)
        return times

    script = [Step(0.1, "lost", every=0.1), Step(0.15, "restored", every=0.1)]
    times = tools.play(test, script=script)
    assert 0.2 < times[-1] - times[0] < 0.9


# The actions --------------------------------------------------------------------------------------------------


def test_drop_closes_and_a_new_connection_is_taken(tools):
    async def test(sim, raw):
        raw.level1(1, **STOCK)
        await raw.until(lambda f: f[0] == "1")
        await sim.play("drop")
        end = await raw.closed()
        again = await tools.Raw.started(sim)
        await again.close()
        return end

    assert "closed" == tools.play(test)


def test_reset_ends_by_rst(tools):
    async def test(sim, raw):
        await sim.play("reset")
        return await raw.closed()

    assert "reset" == tools.play(test)


def test_freeze_is_silence_on_an_open_socket_and_what_was_asked_meanwhile_is_answered_later(tools):
    async def test(sim, raw):
        raw.level1(1, **STOCK)
        await raw.until(lambda f: f[0] == "1")
        await raw.drain(0.05)
        await sim.play("freeze", seconds=0.4)
        await raw.drain(0.1)  # what was under way
        raw.send(49, 1)
        raw.level1(2, **FUTURE)
        held = await raw.drain(0.2)
        assert 1 == sim.world.count("level1")
        begin = time.monotonic()
        await raw.until(lambda f: f[0] == "49")
        return held, time.monotonic() - begin, await raw.ticking(0.15)

    held, waited, alive = tools.play(test)
    assert [] == held
    assert 0.05 < waited < 0.3
    assert {"1", "2"} == alive


def test_slow_is_a_trickle(tools):
    async def test(sim, raw):
        await sim.play("slow", seconds=0.4)
        raw.level1(1, **STOCK)
        trickle = len(await raw.drain(0.3))
        await asyncio.sleep(0.2)
        return trickle, len(await raw.drain(0.1))

    trickle, flood = tools.play(test)
    assert trickle < 15
    assert flood > 40


def test_mute_silences_a_symbol_until_it_is_asked_for_anew(tools):
    async def test(sim, raw):
        raw.level1(1, **STOCK)
        raw.level1(2, **FUTURE)
        await raw.until(lambda f: f[0] == "2")
        await sim.play("mute", symbol="AAPL")
        await raw.drain(0.05)
        others = await raw.ticking()
        raw.send(2, 2, 1)
        raw.level1(3, **STOCK)
        return others, await raw.ticking(0.15)

    assert ({"2"}, {"2", "3"}) == tools.play(test)


def test_a_lasting_mute_holds_for_new_requests_until_unmute(tools):
    async def test(sim, raw):
        await sim.play("mute", symbol="AAPL", lasting=True)
        raw.level1(1, **STOCK)
        await raw.drain(0.1)
        silent = await raw.ticking()
        await sim.play("unmute", symbol="AAPL")
        return silent, await raw.ticking()

    assert (set(), {"1"}) == tools.play(test)


def test_a_mute_for_a_while_ends_by_itself(tools):
    async def test(sim, raw):
        raw.level1(1, **STOCK)
        await raw.until(lambda f: f[0] == "2")
        await sim.play("mute", symbol="AAPL", seconds=0.2)
        await raw.drain(0.05)
        return await raw.ticking(), await raw.ticking(0.2)

    assert (set(), {"1"}) == tools.play(test)


def test_error_is_told_to_a_symbol_to_all_or_to_none_and_may_end_what_it_is_told_to(tools):
    async def test(sim, raw):
        raw.level1(1, **STOCK)
        raw.level1(2, **FUTURE)
        await raw.until(lambda f: f[0] == "2")
        await sim.play("error", code=2119)
        await sim.play("error", code=10182, symbol="AAPL", ends=True)
        await sim.play("error", code=999, text="Grüße", symbol="all")
        codes = [await raw.until(lambda f: f[0] == "4") for _ in range(3)]
        await raw.drain(0.05)
        return [tuple(f[2:5]) for f in codes], await raw.ticking()

    told, alive = tools.play(test)
    expected = [
        ("-1", "2119", ""),
        ("1", "10182", "Failed to request live updates (disconnected)."),
        ("2", "999"),
    ]
    assert expected[:2] == told[:2]
    assert expected[2] == told[2][:2]
    assert r"Gr\u00fc\u00dfe" == told[2][2]
    assert {"2"} == alive


def test_a_broken_farm_silences_its_lines_only(tools):
    async def test(sim, raw):
        raw.level1(1, **STOCK)
        raw.level1(2, **FUTURE)
        await raw.until(lambda f: f[0] == "2")
        await sim.play("farm", name="usfarm", state="down")
        down = await raw.error(2103)
        await raw.drain(0.05)
        others = await raw.ticking()
        await sim.play("farm", name="usfarm", state="up")
        back = await raw.error(2104)
        return down[4], others, back[4], await raw.ticking()

    down, others, back, alive = tools.play(test)
    assert ("Market data farm connection is broken:usfarm", {"2"}) == (down, others)
    assert ("Market data farm connection is OK:usfarm", {"1", "2"}) == (back, alive)


def test_trades_made_while_a_farm_was_down_come_in_history_only(tools):
    async def test(sim, raw):
        raw.ticks(1, **STOCK)
        await raw.until(lambda f: f[0] == "99")
        await sim.play("farm", name="usfarm", state="down")
        await asyncio.sleep(0.3)
        await sim.play("farm", name="usfarm", state="up")
        await raw.error(2104)
        await sim.play("close_market")
        await raw.drain(0.05)
        raw.history(2, start="20200101 00:00:00", **STOCK)
        answered = await raw.until(lambda f: f[0] == "98")
        return int(answered[2]), len(sim.sent)

    made, heard = tools.play(test)
    assert made - heard > 40


def test_without_the_definitions_farm_lookups_wait_for_ever(tools):
    async def test(sim, raw):
        await sim.play("farm", name="secdefil", state="down")
        await raw.error(2157)
        raw.details(1, symbol="AAPL", secType="STK", exchange="SMART", currency="USD")
        nothing = await raw.drain(0.05)
        await sim.play("farm", name="secdefil", state="up")
        return nothing, (await raw.error(2158))[4]

    assert ([], "Sec-def data farm connection is OK:secdefil") == tools.play(test)


def test_lost_and_restored_with_data_kept_and_with_data_lost(tools):
    async def test(sim, raw):
        raw.level1(1, **STOCK)
        await raw.until(lambda f: f[0] == "2")
        await sim.play("lost")
        await raw.error(1100)
        silent = await raw.ticking()
        await sim.play("restored", data="kept")
        await raw.error(1102)
        kept = await raw.ticking()
        await sim.play("lost")
        await raw.error(1100)
        raw.level1(2, **STOCK)
        unanswered = await raw.drain(0.05)
        await sim.play("restored", data="lost")
        await raw.error(1101)
        forgotten = await raw.ticking()
        raw.level1(1, **STOCK)
        return silent, kept, unanswered, forgotten, await raw.ticking(0.15)

    assert (set(), {"1"}, [], set(), {"1"}) == tools.play(test)


def test_who_comes_while_ibs_servers_are_lost_is_told_so(tools):
    async def test(sim, _):
        await sim.play("lost")
        late = await tools.Raw.connect(sim)
        await late.next()
        late.send(71, 2, 9, "")
        told = [await late.next() for _ in range(3)][-1]
        await sim.play("restored")
        back = await late.error(1102)
        await late.close()
        return told[3], back[2]

    assert ("2110", "-1") == tools.play(test)


def test_refuse_id_is_326_for_the_next_connections(tools):
    async def test(sim, _):
        await sim.play("refuse_id", times=2)
        codes = []
        for client_id in (11, 12, 13):
            raw = await tools.Raw.connect(sim)
            await raw.next()
            raw.send(71, 2, client_id, "")
            codes.append((await raw.next())[0::3])
            await raw.close()
        return codes

    assert [["4", "326"], ["4", "326"], ["15"]] == tools.play(test)


def test_accept_but_silent_never_says_hello(tools):
    async def test(sim, _):
        await sim.play("accept_but_silent")
        raw = await tools.Raw.connect(sim)
        nothing = await raw.drain(0.1)
        await raw.close()
        after = await tools.Raw.started(sim, 2)
        await after.close()
        return nothing

    assert [] == tools.play(test)


def test_hello_then_nothing_says_hello_and_no_more(tools):
    async def test(sim, _):
        await sim.play("hello_then_nothing")
        raw = await tools.Raw.connect(sim)
        hello = await raw.next()
        raw.send(71, 2, 9, "")
        raw.send(49, 1)
        nothing = await raw.drain(0.1)
        await raw.close()
        return hello[0], nothing

    assert ("178", []) == tools.play(test)


def test_empty_accounts_lists_none(tools):
    async def test(sim, _):
        await sim.play("empty_accounts")
        raw = await tools.Raw.started(sim, 2)
        await raw.close()
        return raw.frames[1]

    assert ["15", "1", ""] == tools.play(test)


def test_close_at_once_hangs_up_before_a_word(tools):
    async def test(sim, _):
        await sim.play("close_at_once")
        raw = await tools.Raw.connect(sim, None)
        end = await raw.closed()
        await raw.close()
        return end

    assert "closed" == tools.play(test)


def test_refuse_connections_keeps_those_there_are_and_listens_again_on_the_same_port(tools):
    async def test(sim, raw):
        await sim.play("refuse_connections", seconds=0.2)
        await asyncio.sleep(0.02)
        with pytest.raises(OSError):
            await asyncio.open_connection("127.0.0.1", sim.port)
        raw.send(49, 1)
        await raw.until(lambda f: f[0] == "49")
        await asyncio.sleep(0.3)
        again = await tools.Raw.started(sim, 2)
        await again.close()

    tools.play(test)


def test_a_closed_market_quotes_nothing_and_coins_go_on(tools):
    async def test(sim, raw):
        raw.send(59, 1, 2)
        raw.level1(1, **STOCK)
        raw.level1(2, **COIN)
        await raw.until(lambda f: f[0] == "2")
        await raw.drain(0.05)
        await sim.play("close_market")
        closed = [f for f in await raw.drain(0.08) if f[1:3] == ["6", "1"] or f[1:3] == ["1", "1"]]
        others = await raw.ticking()
        raw.level1(3, **FUTURE)
        opening = [f for f in await raw.drain(0.05) if f[2] == "3"]
        await sim.play("open_market")
        return closed[-3:], others, opening, await raw.ticking()

    closed, others, opening, alive = tools.play(test)
    no_bid, no_ask = (["1", "6", "1", side, "-1.00", "0", "1"] for side in "12")
    assert [["58", "1", "1", "2"], no_bid, no_ask] == closed
    assert {"2"} == others
    assert [["1", "6", "3", side, "-1.00", "0", "1"] for side in "12"] == opening[-2:]
    assert {"1", "2", "3"} == alive


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("short", ["1", "6", "1", "1"]),
        ("long", ["1", "6", "1", "1", "10.0", "100", "1", "surplus", "surplus"]),
        ("unknown_id", ["250", "1", "1", "what", "is", "this"]),
        ("unknown_tick_type", ["2", "6", "1", "210", "5"]),
        ("no_number", ["1", "6", "1", "1", "ten", "100", "1"]),
        ("nan", ["1", "6", "1", "1", "NaN", "NaN", "0"]),
        ("unset", ["1", "6", "1", "1", "1.7976931348623157E308", "2147483647", "0"]),
        ("not_utf8", ["46", "6", "1", "84", r"\xff\xfe\xc3("]),
        ("no_terminator", ["2", "6", "1", "0"]),
        ("no_id", ["", "", ""]),
        ("unknown_request", ["1", "6", "987654", "1", "10.0", "100", "1"]),
    ],
)
def test_junk_comes_between_whole_frames(tools, kind, expected):
    async def test(sim, raw):
        raw.level1(1, **STOCK)
        await raw.until(lambda f: f[0] == "2")
        before = len(sim.sent)
        await sim.play("junk", kind=kind)
        await raw.until(lambda f: f == expected)
        await raw.until(lambda f: f[0] == "2")
        return before, sim.sent

    before, sent = tools.play(test)
    assert before < len(sent)
    assert not [frame for _, frame in sent if b"surplus" in frame or b"987654" in frame]


def test_ib_async_survives_all_junk(tools):
    async def scenario():
        async with Simulator(rate=200) as sim, tools.protocol(sim) as client:
            client.reqMktData(1, Stock("AAPL", "SMART", "USD"), "", False, False, [])
            await asyncio.sleep(0.1)
            await sim.play("junk")
            await asyncio.sleep(0.1)
            before = len(client.wrapper.calls)
            await asyncio.sleep(0.1)
            return len(client.wrapper.calls) - before

    assert asyncio.run(scenario()) > 5


def test_a_huge_length_is_announced_and_the_stream_makes_no_sense_from_there_on(tools):
    async def test(sim, raw):
        await sim.play("huge_length")
        return struct.unpack(">I", await raw.peek(4))[0]

    assert 0x7FFFFFFF == tools.play(test)


def test_a_competing_session_ends_every_subscription_and_refuses_new_ones(tools):
    async def test(sim, raw):
        raw.level1(1, **STOCK)
        raw.ticks(2, **STOCK)
        await raw.until(lambda f: f[0] == "2")
        await sim.play("competing_session", seconds=0.3)
        ended = {(await raw.error(10197))[2] for _ in "12"}
        await raw.drain(0.05)
        silent = await raw.ticking()
        raw.level1(3, **STOCK)
        refused = (await raw.error(10197))[2]
        await asyncio.sleep(0.3)
        raw.level1(4, **STOCK)
        return ended, silent, refused, await raw.ticking(0.15)

    assert ({"1", "2"}, set(), "3", {"4"}) == tools.play(test)


def test_a_book_is_reset_and_halted(tools):
    async def test(sim, raw):
        raw.depth(1, 3, 1, **STOCK)
        raw.level1(2, **STOCK)
        await raw.until(lambda f: f[0] == "2")
        await sim.play("depth_reset")
        await raw.error(317)
        again = [await raw.until(lambda f: f[0] == "13") for _ in range(6)]
        await sim.play("depth_halt")
        halted = await raw.error(316)
        await raw.drain(0.05)
        return [(f[3], f[5], f[6]) for f in again], halted[2], await raw.ticking()

    again, halted, alive = tools.play(test)
    assert [(row, "0", side) for row in "012" for side in "01"] == again
    assert ("1", {"2"}) == (halted, alive)


def test_reroute_names_another_contract_now_and_later(tools):
    async def test(sim, raw):
        raw.level1(1, **FUTURE)
        raw.depth(2, 3, 0, **FUTURE)
        await raw.until(lambda f: f[0] == "12")
        await sim.play("reroute", symbol="ES", con_id=416904)
        told = [await raw.until(lambda f, n=n: f[0] == n) for n in ("91", "92")]
        raw.level1(3, **FUTURE)
        return told, await raw.until(lambda f: f[0] == "91"), await raw.ticking()

    told, later, alive = tools.play(test)
    assert [["91", "1", "416904", "CBOE"], ["92", "2", "416904", "CBOE"]] == told
    assert (["91", "3", "416904", "CBOE"], set()) == (later, alive)


def test_a_cfd_on_a_stock_is_always_rerouted_to_the_stock(tools):
    async def test(_, raw):
        cfd = STOCK | {"secType": "CFD"}
        raw.level1(1, **cfd)
        raw.depth(2, 3, 1, **cfd)
        return [await raw.next(), await raw.next()]

    assert [["91", "1", "265598", "SMART"], ["92", "2", "265598", "SMART"]] == tools.play(test)
