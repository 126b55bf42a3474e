"""A gateway that does its worst, and a user in a hurry: the recorder goes on, or ends as promised."""

import asyncio
import os
import signal

import pytest
from daemon import numbers, recording, segments, start, table, until, write_config
from scripted import contract_details, scripted

from recorder.capture.ledger import Ledger
from recorder.journal import folder, stated
from recorder.journal.format import Record, scan
from recorder.journal.lock import holder, rendering
from recorder.journal.writer import Journal, now
from recorder.render import resume
from recorder.session.watchlist import Subscription
from recorder.verify import verify
from recorder.wire.activity import Mark
from recorder.wire.layouts import TICK_PRICE, frame

AAPL, MSFT = "{type: stock, symbol: AAPL}", "{type: stock, symbol: MSFT}"
READY = frame("15", "1", "DU0") + frame("9", "1", "1")


async def one_price(conversation, req, _fields):
    conversation.send(TICK_PRICE.encode(req, {"tick_type": 1, "price": 5.0, "size": 1, "attribs": 1}))


def recorded_after(tmp_path, worst, *lines):
    """Do ``worst`` to the first connection, be good to the next; what is recorded then?"""

    async def story():
        async with scripted(one_price) as gateway:
            good = dict(vars(gateway))
            worst(gateway)
            config = write_config(tmp_path, gateway.port, *(lines or (AAPL,)))
            async with recording(config) as process:
                await until(lambda: gateway.conversations)
                await asyncio.sleep(0.4)
                vars(gateway).update({name: good[name] for name in ("server_version", "ready", "looked_up")})
                for conversation in gateway.conversations:
                    conversation.writer.transport.abort()
                await until(lambda: any(conversation.asked for conversation in gateway.conversations), 10)
                await asyncio.sleep(0.2)
                assert process.returncode is None

    asyncio.run(story())
    root = tmp_path / "data"
    assert numbers(root) == list(range(1, len(numbers(root)) + 1))
    return table(root, "level1")["price"].tolist()


@pytest.mark.parametrize(
    "ready",
    [
        frame("15", "1"),
        frame("9", "1"),
        frame("junk"),
        READY + frame("52"),
        READY + frame("52", "1", "x"),
        READY + frame("10", "x"),
        READY + frame("49", "1", "never"),
        READY + frame("4", "2", "x", "y", "z"),
        READY + frame("4", "2", "-1", str(2**31), "a code that no gateway sends", ""),
    ],
    ids=range(9),
)
def test_a_malformed_conversation_ends_the_connection_at_most(tmp_path, ready):
    def worst(gateway):
        gateway.ready = ready

    assert 5.0 in recorded_after(tmp_path, worst)


async def nobody_knows(conversation, req, _fields):
    conversation.send(frame("4", "2", req, str(2**40), "No security definition has been found", ""))


def test_a_lookup_that_is_refused_with_a_code_that_no_gateway_sends_ends_the_connection(tmp_path):
    def worst(gateway):
        gateway.looked_up = nobody_knows

    assert recorded_after(tmp_path, worst) == [5.0]


async def elsewhere(conversation, req, fields):
    conversation.send(frame("91", str(req), str(10**30), "SMART"))
    await one_price(conversation, req, fields)


def test_a_reroute_to_a_contract_that_cannot_be_is_not_followed(tmp_path):
    async def story():
        async with scripted(elsewhere) as gateway:
            async with recording(write_config(tmp_path, gateway.port, AAPL)):
                await until(lambda: gateway.conversations and gateway.conversations[0].asked)
                await asyncio.sleep(0.3)
            return len(gateway.conversations[0].asked)

    assert asyncio.run(story()) == 1
    assert table(tmp_path / "data", "level1")["price"].tolist() == [5.0]


@pytest.mark.parametrize("version", ["abc", "100"])
def test_a_hello_that_is_none_ends_the_connection_at_most(tmp_path, version):
    def worst(gateway):
        gateway.server_version = version

    assert recorded_after(tmp_path, worst) == [5.0]


def test_a_gateway_that_closes_right_after_the_log_in_is_tried_again(tmp_path):
    async def closing(conversation, _fields):
        conversation.send(READY)
        await conversation.writer.drain()
        conversation.writer.close()

    def worst(gateway):
        answer = gateway._answer

        async def first_only(conversation, fields):
            await (closing if len(gateway.conversations) < 4 else answer)(conversation, fields)

        gateway._answer = first_only

    assert 5.0 in recorded_after(tmp_path, worst)


@pytest.mark.parametrize("long_name", [r"\ud83d\ude00 CORP", r"\ud83d alone", "\\u", "caf\\u00e9"])
def test_any_name_of_a_contract_can_be_kept(tmp_path, long_name):
    async def looked_up(conversation, req, _fields):
        details = contract_details(req, 1000, "AAPL")[4:].replace(b"AAPL INC", long_name.encode())
        conversation.send(len(details).to_bytes(4, "big") + details + frame("52", "1", req))

    async def story():
        async with scripted(one_price, looked_up=looked_up) as gateway:
            async with recording(write_config(tmp_path, gateway.port, AAPL)):
                await until(lambda: gateway.conversations and gateway.conversations[0].asked)
                await asyncio.sleep(0.2)

    asyncio.run(story())
    (name,) = table(tmp_path / "data", "instruments")["long_name"]
    expected = {
        r"\ud83d\ude00 CORP": "\U0001f600 CORP",
        "caf\\u00e9": "café",
        r"\ud83d alone": "\ufffd alone",
    }
    assert name == expected.get(long_name, long_name)


def test_details_that_do_not_read_park_their_own_line_and_no_other(tmp_path):
    async def looked_up(conversation, req, fields):
        good = fields[4] == "AAPL"
        conversation.send(contract_details(req, 1000, "AAPL") if good else frame("10", req, "MSFT"))
        conversation.send(frame("52", "1", req))

    async def story():
        async with scripted(one_price, looked_up=looked_up) as gateway:
            async with recording(write_config(tmp_path, gateway.port, MSFT, AAPL)):
                await until(lambda: gateway.conversations and gateway.conversations[0].asked)
                await asyncio.sleep(0.2)

    asyncio.run(story())
    assert table(tmp_path / "data", "level1")["symbol"].tolist() == ["AAPL"]


def test_a_line_answered_late_does_not_wait_for_tick_by_tick_pauses(tmp_path):
    async def looked_up(conversation, req, fields):
        if fields[4] == "MSFT":
            await asyncio.sleep(2.5)
        conversation.send(contract_details(req, 1000 + len(fields[4]), fields[4]) + frame("52", "1", req))

    async def story():
        async with scripted(one_price, looked_up=looked_up) as gateway:
            ticks = "{type: stock, symbol: SPY, streams: [trades, quotes]}"
            async with recording(write_config(tmp_path, gateway.port, ticks, MSFT)):
                await until(lambda: gateway.conversations and len(gateway.conversations[0].asked) == 2, 8)
                return [fields[0] for fields in gateway.conversations[0].asked.values()]

    assert asyncio.run(story()) == ["97", "1"]


def test_every_stream_is_cancelled_however_many_there_are(tmp_path):
    lines = [f"{{type: stock, symbol: S{number:03d}}}" for number in range(60)]

    async def story():
        async with scripted(one_price) as gateway:
            async with recording(write_config(tmp_path, gateway.port, *lines)):
                await until(lambda: gateway.conversations and len(gateway.conversations[0].asked) == 60)
            return sorted(gateway.conversations[0].asked), sorted(gateway.conversations[0].cancelled)

    asked, cancelled = asyncio.run(story())
    assert asked == cancelled
    events = table(tmp_path / "data", "events")
    assert (events["kind"] == "unsubscribed").sum() == 60


def test_sigterm_during_start_up_recovery_finishes_it_and_exits_0(tmp_path):
    journal = Journal(root := tmp_path / "data", folder.create(root), fsync_seconds=1, clock=now)
    for _ in range(30):
        for number in range(2000):
            journal.control({"kind": "notice", "text": str(number)})
        journal.roll(b"")
    journal.close()

    async def story():
        process = await start("run", str(write_config(tmp_path, 1, AAPL)))
        # Not before it listens to signals: it does so before it renders the first segment.
        await until(lambda: len(segments(root)) < 31)
        process.send_signal(signal.SIGTERM)
        _, errors = await process.communicate()
        return process.returncode, errors.decode()

    code, errors = asyncio.run(story())
    assert code == 0, errors
    assert segments(root) == []
    assert numbers(root) == list(range(1, 60_001))


async def record_once(folder):
    """Until something was asked for."""
    async with scripted(one_price) as gateway:
        async with recording(write_config(folder, gateway.port, AAPL)):
            await until(lambda: gateway.conversations and gateway.conversations[0].asked)


@pytest.mark.parametrize("path", [stated.FIRST, stated.COPY])
@pytest.mark.parametrize("lost", [True, False])
def test_a_recording_whose_recording_json_is_lost_or_spoilt_goes_on_as_if_it_were_not(tmp_path, path, lost):
    root = tmp_path / "data"
    asyncio.run(record_once(tmp_path))
    before = folder.load(root)
    (root / path).unlink() if lost else (root / path).write_text((root / path).read_text()[:-30])
    assert [(flaw.kind, flaw.text.partition(":")[0]) for flaw in verify(root).flaws] == [
        ("damaged", str(root / path))
    ]
    asyncio.run(record_once(tmp_path))
    assert folder.load(root).next_seq > before.next_seq > 1
    assert numbers(root) == list(range(1, folder.load(root).next_seq))
    assert set(table(root, "gaps")["reason"]) == {"restart"}
    kept = [flaw.text for flaw in verify(root).flaws]
    assert kept == (
        []
        if lost
        else [
            f"{root / 'set-aside' / '-'.join(path.parts)}: kept for you to look at; move it out of the recording then"
        ]
    )


@pytest.mark.parametrize("both", [True, False])
def test_an_old_recording_json_that_somebody_puts_back_gives_no_number_twice(tmp_path, both):
    root = tmp_path / "data"
    asyncio.run(record_once(tmp_path))
    old = (root / stated.FIRST).read_bytes()
    asyncio.run(record_once(tmp_path))
    following = folder.load(root).next_seq
    for path in (stated.FIRST, stated.COPY) if both else (stated.FIRST,):
        (root / path).write_bytes(old)
    assert [flaw.kind for flaw in verify(root).flaws] == ["wrong" if both else "damaged"]
    asyncio.run(record_once(tmp_path))
    assert folder.load(root).next_seq > following
    assert numbers(root) == list(range(1, folder.load(root).next_seq))
    assert [flaw.text.partition(": ")[0] for flaw in verify(root).flaws] == [
        str(root / "set-aside" / "recording.json")
    ]


def test_what_cannot_be_written_out_is_exit_1_and_stays_in_the_journal(tmp_path):
    root = tmp_path / "data"

    async def story():
        async with scripted(one_price) as gateway:
            process = await start("run", str(write_config(tmp_path, gateway.port, AAPL)))
            await until(lambda: gateway.conversations and gateway.conversations[0].asked)
            (root / "staging").rmdir()
            (root / "staging").write_text("in the way")
            process.terminate()
            _, errors = await process.communicate()
            return process.returncode, errors.decode().splitlines()[-1]

    code, said = asyncio.run(story())
    assert code == 1
    assert said.startswith(f"{root}: not all is in Parquet")
    assert len(segments(root)) == 1


def test_ctrl_c_is_for_the_recorder_and_not_for_its_renderer(tmp_path):
    async def story():
        async with scripted(one_price) as gateway:
            config = write_config(tmp_path, gateway.port, AAPL)
            process = await start("run", str(config), new_group=True)
            await until(lambda: gateway.conversations and gateway.conversations[0].asked)
            await asyncio.sleep(0.2)
            os.killpg(process.pid, signal.SIGINT)
            await asyncio.sleep(0.55)  # leaving takes 0.3 s, then the renderer starts
            os.killpg(process.pid, signal.SIGINT)
            _, errors = await process.communicate()
            return process.returncode, errors.decode()

    code, errors = asyncio.run(story())
    assert code == 0, errors
    assert segments(tmp_path / "data") == []


def test_ctrl_c_while_a_renderer_that_was_left_behind_is_waited_for_ends_it_at_once(tmp_path):
    root = tmp_path / "data"
    folder.create(root)

    async def story():
        with rendering(root):
            process = await start("run", str(write_config(tmp_path, 1, AAPL)))
            await until(lambda: holder(root) is not None)
            process.send_signal(signal.SIGINT)
            return await asyncio.wait_for(process.communicate(), 10)

    assert (b"", b"") == asyncio.run(story())
    assert [] == segments(root)


def test_killed_behind_any_record_every_live_stream_ends_up_in_a_gap(tmp_path):
    """Cut the journal behind each of its records, as a kill would, and start again."""
    root = tmp_path / "data"
    journal = Journal(root, folder.create(root), fsync_seconds=1, clock=now)
    ledger = Ledger(journal)
    keys = {("A", "level1"), ("B", "level1"), ("B", "trades")}
    ledger.begin(folder.load(root), "1")
    wanted = Subscription("level1", {"conId": 5, "exchange": "SMART"})

    def lose():
        for key in keys:
            ledger.open(key, Mark(7, 7), "disconnected")
        ledger.event("disconnected", "gone")

    for ending in (lose, lambda: ledger.end(Mark(9, 9))):
        journal.control({"kind": "opened"}, row=False)
        for req, key in enumerate(sorted(keys)):
            ledger.subscribed(req, key, wanted)
            ledger.close(key, Mark(3, 3))
        settled = journal.size
        ending()
    journal.close()
    path = folder.segments(root)[0]
    whole = path.read_bytes()
    for end in _ends(whole):
        if end < settled:
            continue
        path.write_bytes(whole[:end])
        checkpoint = resume(root)
        next_journal = Journal(root, checkpoint, fsync_seconds=1, clock=now)
        Ledger(next_journal).begin(checkpoint, "2")
        next_journal.close()
        assert set(next_journal.state.gaps) == keys, f"cut at {end}"
        next_journal.path.unlink()


def _ends(segment):
    at = 32
    for record in scan(segment):
        assert isinstance(record, Record)
        at += 32 + len(record.payload)
        yield at
