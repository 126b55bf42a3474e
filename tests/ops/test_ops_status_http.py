"""The status page's HTTP, health and words by themselves; sockets are real."""

import asyncio
import random
import shutil
import timeit
from contextlib import asynccontextmanager, suppress

import pytest
from board import BAD, exchange, free_port, get

from recorder.capture.tap import Tap
from recorder.config import Config, Line
from recorder.daemon import health, http
from recorder.daemon.health import Health, Verdict, span, trouble
from recorder.daemon.http import RefusedError, Response, Server, path
from recorder.daemon.report import Flush
from recorder.daemon.status import Board, NotLoopbackError, addresses
from recorder.journal import folder
from recorder.journal.writer import Journal
from recorder.session import inputs
from recorder.session.machine import Machine
from recorder.session.status import status
from recorder.session.timing import Timing

NOON = 1_795_003_600_000_000  # a Wednesday in November 2026, 12:06 UTC: no reset of IB's
NIGHT = NOON + 17 * 3_600_000_000  # that night at 00:06 Eastern
CONFIG = Config(watchlist=(Line(type="stock", symbol="AAPL"), Line(type="stock", symbol="MSFT")))


@asynccontextmanager
async def serving(answer, own="127.0.0.1"):
    server = Server(answer, own)
    listening = await asyncio.get_running_loop().create_server(server.connection, "127.0.0.1", 0)
    try:
        yield server, listening.sockets[0].getsockname()[1]
    finally:
        listening.close()
        server.close()
        await asyncio.sleep(0)


def echo(asked):
    return Response(200, "text/plain", asked.encode()) if asked != "/nothing" else None


# HTTP. ---------------------------------------------------------------------------------------------------


def test_what_is_no_plain_get_is_refused_and_told_why():
    async def story():
        async with serving(echo) as (_, port):
            return await asyncio.gather(*(exchange(port, request) for request in BAD))

    answers = asyncio.run(story())
    assert list(BAD.values()) == [int(answer.split()[1]) for answer in answers]
    assert all(answer.partition(b"\r\n\r\n")[2].endswith(b"\n") for answer in answers)


def test_a_request_may_come_byte_by_byte_and_its_query_is_nobodys_business():
    request = b"GET /metrics?a=b HTTP/1.1\r\nHost: [::1]:9478\r\n\r\n"

    async def story():
        async with serving(echo) as (_, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for place in range(len(request)):
                writer.write(request[place : place + 1])
                await asyncio.sleep(0.001)
            said = await reader.read()
            writer.close()
            return said

    head, _, body = asyncio.run(story()).partition(b"\r\n\r\n")
    assert (b"HTTP/1.1 200 OK", b"/metrics") == (head.split(b"\r\n")[0], body)
    assert b"Content-Length: 8" in head
    assert b"default-src 'none'" in head


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("127.0.0.1", "::1"),
        ("LOCALHOST:9478", "127.0.0.1"),
        ("[::1]:9478", "127.0.0.1"),
        ("\t[::1]  ", "127.0.0.1"),
        ("mine:1", "mine"),
        ("any.where", None),
    ],
)
def test_it_answers_to_addresses_localhost_and_its_own_name(host, own):
    assert "/" == path(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode(), own)


@pytest.mark.parametrize(
    "fields", ["host:127.0.0.1.evil.example:9478", "Host: evil.example x", "Host: ::1\r\nHost: evil.example"]
)
def test_a_name_that_somebody_gave_to_this_address_is_refused(fields):
    with pytest.raises(RefusedError, match="by address"):
        path(f"GET / HTTP/1.1\r\n{fields}\r\n\r\n".encode(), "127.0.0.1")


@pytest.mark.parametrize("fields", [f"Host:{' ' * 8000}x y", f"Host:{':' * 8000}", "a:\r\n" * 1600])
def test_no_request_holds_up_the_loop_that_records(fields):
    def ask():
        with suppress(RefusedError):
            path(f"GET / HTTP/1.1\r\n{fields}\r\n\r\n".encode(), "127.0.0.1")

    assert min(timeit.repeat(ask, number=1, repeat=5)) < 0.01


def test_a_page_that_fails_is_an_answer_too_and_the_next_one_is_served():
    def answer(asked):
        if asked == "/":
            raise ZeroDivisionError
        return echo(asked)

    async def story():
        async with serving(answer) as (_, port):
            return await get(port, "/"), await get(port, "/nothing"), await get(port, "/more")

    failed, nothing, more = asyncio.run(story())
    assert (500, 404, (200, "/more")) == (failed[0], nothing[0], more)


def test_there_are_so_many_places_and_nobody_keeps_one(monkeypatch):
    """Those who ask for much and do not read, and those who say nothing."""
    monkeypatch.setattr(http, "MOST_SECONDS", 1.0)

    async def story():
        async with serving(lambda _: Response(200, "text/plain", bytes(20_000_000))) as (server, port):
            idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(http.MOST_CONNECTIONS)]
            idle[0][1].write(b"GET / HTTP/1.1\r\n\r\n")
            await asyncio.sleep(0.2)
            full = len(server.open)
            served, _ = await get(port, "/")
            others = len(server.open)
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):  # he was the first
                await idle[0][0].readexactly(20_000_000)
            await asyncio.sleep(1.1)
            left = len(server.open)
            for _, writer in idle:
                writer.transport.abort()
            return full, served, others, left

    most = http.MOST_CONNECTIONS
    assert (most, 200, most - 1, 0) == asyncio.run(story())


def test_an_address_is_taken_as_written_and_a_name_only_if_it_stays_in_the_house():
    async def story():
        written = [
            await addresses(one) for one in ("127.0.0.1:9478", "[::1]:1", "192.0.2.1:80", "localhost:2")
        ]
        with pytest.raises(OSError, match="no host's name"):
            await addresses(f"{'a' * 70}:80")
        with pytest.raises(NotLoopbackError, match=r"0\.0\.0\.0, which others can reach"):
            await addresses("0:9478")  # what the resolver takes for 0.0.0.0
        return written

    *three, (localhost, _) = asyncio.run(story())
    assert [(["127.0.0.1"], 9478), (["::1"], 1), (["192.0.2.1"], 80)] == three
    assert set(localhost) <= {"127.0.0.1", "::1"}


def test_a_page_that_breaks_ends_alone(tmp_path):
    tap = Tap(Journal(tmp_path, folder.create(tmp_path), fsync_seconds=0, clock=lambda: NOON), lambda: None)
    board = Board(tmp_path, None, tap, lambda: None)  # nothing to look at: the first look fails
    port = free_port()

    async def story():
        showing = asyncio.create_task(board.show(f"127.0.0.1:{port}"))
        await asyncio.sleep(0.5)
        before = await get(port, "/")
        await asyncio.sleep(1)
        with pytest.raises(ConnectionError):
            await get(port, "/")
        return before[0], showing.done()

    assert (500, False) == asyncio.run(story())  # what watches the disk goes on
    tap.journal.close()


def test_a_report_is_made_once_however_often_it_is_asked_for(tmp_path):
    tap = Tap(Journal(tmp_path, folder.create(tmp_path), fsync_seconds=0, clock=lambda: NOON), lambda: None)
    board = Board(tmp_path, Talk().machine, tap, lambda: Flush(NOON, 1.5, "no space"))
    first, second = board.answer("/metrics"), board.answer("/metrics")
    told = board.report()
    tap.journal.close()
    assert first is second
    assert b"ib_recorder_flush_failed 1\n" in first.body
    assert (NOON, 1, 0) == (told.flush.at, len(folder.segments(tmp_path)), told.journal.waiting)


def test_names_in_metrics_are_escaped(tmp_path):
    tap = Tap(Journal(tmp_path, folder.create(tmp_path), fsync_seconds=0, clock=lambda: NOON), lambda: None)
    talk = Talk()
    talk.connect()
    talk.hear(inputs.Said(-1, 2103, 'Market data farm connection is broken:us"far\\m'))
    body = Board(tmp_path, talk.machine, tap, lambda: None).answer("/metrics").body
    tap.journal.close()
    assert rb'ib_recorder_farm_down{farm="us\"far\\m"} 1' in body.splitlines()


@pytest.mark.parametrize(("lasts", "colour"), [(5, "warn"), (20, "ok")])
def test_a_disk_that_lasts_less_than_a_week_is_a_warning_on_the_page(tmp_path, lasts, colour):
    tap = Tap(Journal(tmp_path, folder.create(tmp_path), fsync_seconds=0, clock=lambda: NOON), lambda: None)
    talk = Talk()
    talk.connect()
    for feed in talk.machine.streams.feeds:
        feed.phase = "recording"
    board = Board(tmp_path, talk.machine, tap, lambda: None)
    free = shutil.disk_usage(tmp_path).free
    for sample in range(2 * 360):  # two and a half days
        board._room.take(int(free + (720 - sample) * free / lasts / 288))
    page, health = board.answer("/").body.decode(), board.answer("/healthz")
    tap.journal.close()
    assert f'<h1 class="{colour}">Connected' in page
    assert ('<p class="warn">the disk is full in about 5 days (' in page) == (colour == "warn")
    assert f"the disk is full in about {lasts} days (" in page
    assert 200 == health.status


# Health. -------------------------------------------------------------------------------------------------


class Talk:
    """A session driven by hand."""

    def __init__(self):
        self.machine = Machine(CONFIG, iter(range(1, 1000)).__next__, Timing(), random.Random(1))
        self.steady = 1000.0

    def hear(self, given, seconds=1.0):
        self.steady += seconds
        self.machine.step(inputs.Now(self.steady, NOON, heard=self.steady), given)

    def words(self):
        return status(self.machine).words

    def connect(self):
        self.hear(inputs.Passed())
        self.hear(inputs.Passed())
        self.hear(inputs.Connected("there"))


def test_each_phase_reads_well():
    talk = Talk()
    assert "connecting" == talk.words()
    talk.hear(inputs.Passed())
    talk.hear(inputs.NotConnected("client id 17 is in use\nWATCHDOG=trigger", 326))
    assert "not connected: client id 17 is in use WATCHDOG=trigger, trying again" == talk.words()
    talk.hear(inputs.Passed(), 100)
    assert "not connected: client id 17 is in use WATCHDOG=trigger, connecting" == talk.words()
    talk.hear(inputs.Connected("there"))
    assert "connected, 2 streams to be asked for" == talk.words()
    talk.hear(inputs.Said(-1, 2103, "Market data farm connection is broken:usfarm"))
    assert "connected, usfarm down since 12:06 UTC, 2 streams to be asked for" == talk.words()
    talk.hear(inputs.Said(-1, 1100, "lost"))
    assert talk.words().startswith("connected to a gateway that has lost IB, usfarm down")
    talk.hear(inputs.Stopped())
    assert talk.words() in ("stopping", "stopped")


def test_lines_are_told_as_they_are():
    talk = Talk()
    talk.connect()
    first, second = talk.machine.streams.feeds
    first.phase, second.phase = "recording", "recording"
    assert "connected, 2 streams of 2 lines" == talk.words()
    first.phase = "doubted"
    second.phase, second.problem = "parked", "no\x1b[2J permission (354)"
    assert "connected, 1 of 2 lines silent, 1 stream not recorded" == talk.words()
    told = status(talk.machine)
    assert [("silent", "no tick when one was due"), ("parked", "no [2J permission (354)")] == [
        (one.state, one.why) for one in told.each
    ]
    second.phase = "waiting"  # as a line whose contract IB does not know
    assert "connected, 1 of 2 lines silent, 1 stream not recorded" == talk.words()


def test_an_outage_is_trouble_but_not_while_ib_resets():
    talk = Talk()
    talk.hear(inputs.Passed())
    talk.hear(inputs.NotConnected("nothing listens"))
    now = status(talk.machine)
    assert "not connected: nothing listens, trying again" == trouble(now, None, NOON)
    assert trouble(now, None, NIGHT) is None


def test_connected_is_not_well_if_nothing_is_recorded_or_nothing_is_written():
    talk = Talk()
    talk.connect()
    assert trouble(status(talk.machine), None, NIGHT).startswith("nothing is recorded: connected")
    talk.machine.streams.feeds[0].phase = "recording"
    assert trouble(status(talk.machine), None, NOON) is None
    assert "no space" in trouble(status(talk.machine), "no space", NOON)


def test_what_is_urgent_counts_at_once_and_is_said_first():
    state = Health(0.0)
    state.see(None, 10.0)
    assert Verdict(False, "the disk is full") == state.verdict("connected", 10.0, "the disk is full")
    state.see("lost", 11.0)
    assert Verdict(False, "the disk is full; lost") == state.verdict("connected", 11.0, "the disk is full")
    assert told(state, 11.0)[0]


def test_trouble_counts_when_it_lasts_and_is_forgotten_when_it_is_over():
    state = Health(0.0)
    state.see("lost", 10.0)
    assert (True, "lost; for 10 s, which may pass") == told(state, 10.0)
    state.see("lost in another way", 299.0)
    assert (False, "lost in another way; for 5 min") == told(state, health.PATIENCE_SECONDS)
    state.see(None, 301.0)
    assert (True, "connected") == told(state, 301.0)
    state.see("lost", 302.0)
    assert told(state, 600.0)[0]


def told(state, steady):
    verdict = state.verdict("connected", steady)
    return verdict.ok, verdict.words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-1, "0 s"),
        (119.9, "119 s"),
        (120, "2 min"),
        (7199, "119 min"),
        (7500, "2 h 05 min"),
        (200_000, "2 d 7 h"),
    ],
)
def test_a_length_of_time_reads_as_people_say_it(seconds, words):
    assert words == span(seconds)
