"""Bad days of the connection: every number that a gateway had is a row, or it is in a gap that says why."""

import asyncio
import socket
import struct
import time
from contextlib import asynccontextmanager
from itertools import pairwise

import psutil
import pytest
from daemon import start, table, until
from days import configured, recorded
from hurried import hurried
from lines import Market, closed, events, prove_whole, rows, surrounds
from scripted import Scripted

from recorder.wire.layouts import frame

READY = frame("15", "1", "DU0") + frame("9", "1", "1")
ABC = ("A", "B", "C")


def error(code, req=-1, text=""):
    return frame("4", "2", str(req), str(code), text or f"error {code}", "")


def opened(root):
    """Kinds and codes of what befell the connection."""
    rows = table(root, "events")
    return rows[rows["kind"].isin(["connect_failed", "connected", "disconnected"])]["kind"].tolist()


def reset(conversation):
    """End the connection with RST, whatever is still under way."""
    linger = struct.pack("ii", 1, 0)
    conversation.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    conversation.writer.transport.abort()


async def asked_again(gateway, connections, lines=1):
    """Until the recorder has asked for so many lines on so many-th a connection, and has had ticks."""
    await until(lambda: len(gateway.conversations) >= connections)
    await until(lambda: len(gateway.conversations[connections - 1].asked) == lines)
    await asyncio.sleep(0.3)


# 326. --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("refusals", "ids"), [(2, [17, 17, 17]), (99, [17, 17, 17, 17, 17, 18])], ids=["for a while", "for good"]
)
def test_a_client_id_in_use_is_tried_again_and_a_spare_one_only_when_it_persists(tmp_path, refusals, ids):
    logins, told = [], []

    async def logged_in(conversation, client_id):
        logins.append(client_id)
        in_use = client_id == 17 and len(logins) <= refusals
        told.append(time.monotonic())
        conversation.send(error(326) if in_use else READY)  # and the socket stays open

    async def story():
        async with recorded(tmp_path, made, logged_in=logged_in) as gateway:
            await asked_again(gateway, len(ids))

    made = Market.level1("A")
    asyncio.run(story())
    root = tmp_path / "data"
    assert ids == logins
    pauses = [after - before for before, after in pairwise(told)]
    assert all(0.05 <= pause < 2 for pause in pauses), "at once: connecting may take 5 s"
    assert events(root, "connect_failed")["code"].tolist() == [326]
    assert opened(root) == ["connect_failed", "connected"]
    assert_never_asked_for(root, "A")
    prove_whole(root, made)


def assert_never_asked_for(root, symbol):
    """There is one gap, from the recorder's start to the first row."""
    (gap,) = closed(root, (symbol, "level1")).itertuples()
    first = rows(root, (symbol, "level1")).iloc[0]
    begun = events(root, "session_start").iloc[0]
    assert gap.reason == "not_subscribed"
    assert 0 <= gap.ts_start / 1e6 - begun["ts_recv"].timestamp() < 0.5
    assert gap.seq_start <= begun["seq"]
    assert (gap.seq_end, gap.ts_end) == (first["seq"], first["ts"])


# A gateway that does not answer. -----------------------------------------------------------------------------


class Unwilling(Scripted):
    """Behaves towards one connection after the other as ``manners`` say, and well when they are used up."""

    def __init__(self, made, manners):
        super().__init__(**made.hooks, logged_in=self.greet)
        self.manners = manners
        self.times = []
        self.manner = ""

    async def talk(self, reader, writer):
        self.times.append(time.monotonic())
        self.manner = self.manners.pop(0) if self.manners else "well"
        if self.manner == "closed":
            writer.close()
        elif self.manner == "no hello":
            await reader.read()
            writer.close()
        else:
            await super().talk(reader, writer)

    async def greet(self, conversation, _client_id):
        answers = {"nothing": b"", "no accounts": frame("15", "1", "") + frame("9", "1", "1")}
        conversation.send(answers.get(self.manner, READY))


@asynccontextmanager
async def unwilling(folder, made, manners, patience):
    """The port refuses until ``listen`` is called."""
    gateway = Unwilling(made, manners)
    with socket.socket() as port:
        port.bind(("127.0.0.1", 0))
        config = configured(folder, port.getsockname()[1], made, patience=patience)
        async with made.open(), hurried(config) as process:
            yield gateway, psutil.Process(process.pid), port


def test_the_ways_a_gateway_does_not_answer_are_told_apart_and_tried_for_ever(tmp_path):
    made = Market.level1("A")
    manners = ["no hello", "nothing", "no accounts", *["closed"] * 5]

    async def story():
        async with unwilling(tmp_path, made, manners, patience=0.4) as (gateway, process, port):
            await asyncio.sleep(1.2)
            before = process.num_fds()
            server = await asyncio.start_server(gateway.talk, sock=port)
            await until(lambda: not manners)
            after = process.num_fds()
            await until(made.flows(ticks=1))
            await asyncio.sleep(0.4)
            server.close()
            return gateway.times, before, after

    times, before, after = asyncio.run(story())
    root = tmp_path / "data"
    said = events(root, "connect_failed")["text"].tolist()
    words = ("nothing listens", "no hello", "nothing more", "no accounts", "closed the connection at once")
    assert [word in text for word, text in zip(words, said, strict=True)] == [True] * 5, said
    assert after <= before + 1, "no socket leaks"
    closed = [after - before for before, after in pairwise(times[4:9])]
    assert all(0.2 <= pause < 1.2 for pause in closed), (
        "the longest back-off is 0.5 s, and at least half of it"
    )
    assert_never_asked_for(root, "A")
    prove_whole(root, made)


# Half-open. --------------------------------------------------------------------------------------------------


def test_a_half_open_connection_is_dropped_after_two_misses(tmp_path):
    beat, made = 0.5, Market.level1("A", "B")

    async def story():
        async with recorded(tmp_path, made, heartbeat=beat) as gateway:
            await asked_again(gateway, 1, 2)
            await asyncio.sleep(0.8)  # their rates are known: they are silent, and yet are not to be blamed
            first = gateway.conversations[0]
            first.deaf = True
            await until(lambda: len(gateway.conversations) == 2)
            await asked_again(gateway, 2, 2)
            return first

    first = asyncio.run(story())
    root = tmp_path / "data"
    assert (len(first.times("49")), first.times("2")) == (2, []), "no line is blamed for it"
    lost = events(root, "disconnected")
    assert lost["text"].tolist() == ["the gateway does not answer any more"]
    for symbol in ("A", "B"):
        (gap,) = closed(root, (symbol, "level1")).itertuples()
        assert gap.reason == "disconnected"
        assert surrounds(root, (symbol, "level1"), gap._asdict()), "from the last message on"
        assert 3 * beat <= lost["ts_recv"].iloc[0].timestamp() - gap.ts_start / 1e6 < 5 * beat
    prove_whole(root, made)


def test_a_quiet_connection_that_answers_is_kept(tmp_path):
    made = Market.level1("A")

    async def story():
        made.mute("A")
        async with recorded(tmp_path, made, heartbeat=0.2) as gateway:
            await asked_again(gateway, 1)
            await asyncio.sleep(1.6)
            return len(gateway.conversations), len(gateway.conversations[0].times("49"))

    connections, asked = asyncio.run(story())
    root = tmp_path / "data"
    assert connections == 1
    assert asked >= 5
    assert opened(root) == ["connected"]
    assert table(root, "gaps").empty


# Request ids. ------------------------------------------------------------------------------------------------


def test_request_ids_that_stand_for_other_lines_on_the_next_connection_are_bound_right(tmp_path):
    made, first_ids = Market.level1(*ABC), [1, 3, 1]

    async def logged_in(conversation, _client_id):
        conversation.send(frame("15", "1", "DU0") + frame("9", "1", str(first_ids.pop(0))))

    async def story():
        async with recorded(tmp_path, made, logged_in=logged_in) as gateway:
            for connections in (1, 2, 3):
                await asked_again(gateway, connections, 3)
                if connections < 3:
                    reset(gateway.conversations[-1])
            return [{req: fields[4] for req, fields in it.asked.items()} for it in gateway.conversations]

    asked = asyncio.run(story())
    assert asked == [{2: "A", 4: "B", 6: "C"}, {3: "A", 4: "B", 5: "C"}, {1: "A", 2: "B", 3: "C"}]
    root = tmp_path / "data"
    assert [len(closed(root, (symbol, "level1"))) for symbol in ABC] == [2, 2, 2]
    prove_whole(root, made)


# Frames. -----------------------------------------------------------------------------------------------------


def test_a_connection_that_freezes_mid_frame_turns_to_garbage_or_is_reset_costs_a_gap_each(tmp_path):
    made = Market.level1("A", "B")

    async def story():
        async with recorded(tmp_path, made, heartbeat=0.4) as gateway:
            for connections in (1, 2, 3, 4):
                await asked_again(gateway, connections, 2)
                it = gateway.conversations[-1]
                if connections == 1:
                    it.send(frame("1", "6", "3", "1", "4242.5", "7", "0")[:-5])
                    it.deaf = True
                elif connections == 2:
                    it.send(b"\xff\xff\xff\xff")
                elif connections == 3:
                    reset(it)

    asyncio.run(story())
    root = tmp_path / "data"
    assert opened(root) == ["connected", *["disconnected", "connected"] * 3]
    for symbol in ("A", "B"):
        assert closed(root, (symbol, "level1"))["reason"].tolist() == ["disconnected"] * 3
    prove_whole(root, made)


# kill -9. ----------------------------------------------------------------------------------------------------


def test_kill_9_while_all_is_fine_and_while_a_gap_is_open_keeps_the_first_cause(tmp_path):
    made = Market.level1("A", "B")

    async def killed(config, gateway, *, cut_off):
        process = await start("run", str(config))
        connections = len(gateway.conversations) + 1
        await asked_again(gateway, connections, 2)
        if cut_off:
            gateway.closing = True
            reset(gateway.conversations[-1])
            await until(lambda: gateway.turned_away)
        process.kill()
        await process.communicate()
        gateway.closing = False

    async def story():
        gateway = Closing(**made.hooks)
        server = await asyncio.start_server(gateway.talk, "127.0.0.1", 0)
        config = configured(tmp_path, server.sockets[0].getsockname()[1], made)
        async with made.open():
            await killed(config, gateway, cut_off=False)
            await killed(config, gateway, cut_off=True)
            async with hurried(config):
                await asked_again(gateway, len(gateway.conversations) + 1, 2)
        server.close()

    asyncio.run(story())
    root = tmp_path / "data"
    assert events(root, "session_start")["text"].size == 3
    for symbol in ("A", "B"):
        received, found = rows(root, (symbol, "level1")), closed(root, (symbol, "level1"))
        assert found["reason"].tolist() == ["restart", "disconnected"]
        ends = [received[received["seq"] >= seq].iloc[0]["ts"] for seq in found["seq_end"]]
        assert found["ts_end"].tolist() == ends
    prove_whole(root, made)


class Closing(Scripted):
    """Closes at once while ``closing``."""

    closing = turned_away = False

    async def talk(self, reader, writer):
        if self.closing:
            self.turned_away = True
            writer.close()
        else:
            await super().talk(reader, writer)
