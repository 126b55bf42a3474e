"""Neither disk nor memory has a place: reads are left out, the conversation goes on, and a gap says what is missing."""

import itertools
import resource
import signal
import time
from contextlib import contextmanager

import pytest
from tape import HELLO, joined, numbered

from recorder.capture.ledger import Ledger
from recorder.capture.tap import Tap
from recorder.journal import folder
from recorder.journal.writer import Journal, now
from recorder.render import recover
from recorder.render.tables import render
from recorder.session.watchlist import Subscription
from recorder.verify import verify
from recorder.wire.activity import Mark
from recorder.wire.layouts import frame

LINES = {"AAPL": 3, "INTC": 4, "MSFT": 5}
MEMORY = 20_000


def tick(req, price):
    return frame("1", "6", str(req), "1", str(price), "5", "1")


class Recorder:
    """Tap, ledger and journal on a real folder."""

    def __init__(self, root):
        self.root = root
        self.journal = Journal(root, folder.create(root), fsync_seconds=0.01, clock=now, memory_bytes=MEMORY)
        self.ledger = Ledger(self.journal)
        self.tap = Tap(self.journal, lambda: None, self.ledger)
        self.price = itertools.count(1)

    def connect(self, *symbols):
        self.tap.open()
        self.tap.take(HELLO)
        for symbol in symbols:
            self.subscribe(symbol)

    def subscribe(self, symbol):
        wanted = Subscription("level1", {"exchange": "SMART", "conId": 9})
        self.ledger.subscribed(LINES[symbol], (symbol, "level1"), wanted)

    def send(self, symbol):
        """One tick as one read; returns its price."""
        price = next(self.price)
        self.tap.take(tick(LINES[symbol], price))
        return price

    def fill(self):
        """Until reads are left out."""
        kept = []
        while True:
            price = self.send("AAPL")
            if self.journal.overflow is not None:
                return kept, price
            kept.append(price)

    def recovered(self):
        until(lambda: self.journal.is_well)

    def rows(self):
        """Everything recorded, rendered as a restart would; numbers have no hole."""
        self.journal.close()
        tables = joined(render(path.read_bytes()) for path in folder.segments(self.root))
        seqs = [seq for seq, _, _ in numbered(tables)]
        assert seqs == list(range(1, self.journal.seq))
        return tables


def until(true):
    ends = time.monotonic() + 5
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.01)


@contextmanager
def no_room():
    """No file may grow: the disk takes nothing more."""
    before, limits = signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)


@pytest.fixture
def recorder(tmp_path):
    recorder = Recorder(tmp_path / "data")
    yield recorder
    recorder.journal.close()


def prices(tables):
    return [row["price"] for row in tables["level1"]]


def gaps(tables):
    return [(row["symbol"], row["reason"], row["seq_start"], row["seq_end"]) for row in tables["gaps"]]


def test_what_found_no_place_lies_in_a_gap_that_begins_and_ends_to_the_row(recorder):
    recorder.connect("AAPL", "INTC")
    before = [recorder.send("INTC")]
    with no_room():
        kept, first = recorder.fill()
        last = recorder.journal.seq - 1
        dropped = [recorder.send("INTC") for _ in range(100)]
        assert recorder.journal.seq == last + 1
        assert "nothing is recorded since" in recorder.journal.trouble
    recorder.recovered()
    after = [recorder.send("INTC"), recorder.send("AAPL")]
    until(lambda: recorder.journal.trouble is None)
    tables = recorder.rows()
    assert prices(tables) == [*before, *kept, *after]
    assert not set(dropped) & set(prices(tables))
    # the overflow's own row, two openings, two ends, and then the first tick
    assert gaps(tables) == [("AAPL", "overflow", last, last + 4), ("INTC", "overflow", last, last + 5)]
    assert [row["seq"] for row in tables["level1"] if row["price"] == after[0]] == [last + 6]
    (told,) = [row for row in tables["events"] if row["kind"] == "overflow"]
    missed = [tick(3, first), *(tick(4, price) for price in dropped)]
    assert told["text"].endswith(f": {sum(map(len, missed))} bytes were not recorded")


def test_the_recording_stays_whole_by_its_own_proof(recorder):
    recorder.connect("AAPL", "INTC")
    recorder.ledger.event("session_start", "x")
    recorder.send("INTC")
    with no_room():
        recorder.fill()
        recorder.send("INTC")
    recorder.recovered()
    recorder.send("INTC")
    recorder.ledger.end(recorder.tap.last_bytes)
    recorder.journal.close()
    assert all(one.lost == 0 for one in recover(recorder.root))
    assert verify(recorder.root).flaws == []
    assert not (recorder.root / "journal" / "set-aside").exists()


@pytest.mark.parametrize("cut", range(1, 30))
@pytest.mark.parametrize("rolled", [False, True])
def test_a_frame_cut_by_the_overflow_is_no_row_wherever_it_is_cut(tmp_path, cut, rolled):
    recorder = Recorder(tmp_path / "data")
    recorder.connect("AAPL")
    with no_room():
        kept, _ = recorder.fill()
        one, two, three = (tick(3, 1000 + number) for number in range(3))
        recorder.tap.take(one[:cut])
    recorder.recovered()
    if rolled:
        recorder.tap.seal()
    if cut < 4:
        recorder.tap.take(one[cut:6])
        cut = 6
    recorder.tap.take(one[cut:] + two + three[:9])
    recorder.tap.take(three[9:])
    assert prices(recorder.rows()) == [*kept, 1001, 1002]


@pytest.mark.parametrize("rolled", [False, True])
def test_a_frame_whose_beginning_is_journalled_and_whose_end_was_left_out_is_no_row(tmp_path, rolled):
    recorder = Recorder(tmp_path / "data")
    recorder.connect("AAPL")
    begun, whole = tick(3, 7777), tick(3, 8888)
    with no_room():
        kept = []
        while recorder.journal.takes(80):
            kept.append(recorder.send("AAPL"))
        recorder.tap.take(begun[:9])
        while recorder.journal.overflow is None:
            recorder.tap.take(b"")
            recorder.tap.take(begun[9:] + whole * 5 + begun[:11])
            begun = begun if recorder.journal.overflow is None else begun[11:]
    recorder.recovered()
    if rolled:
        recorder.tap.seal()
    recorder.tap.take(begun + tick(3, 9999))
    assert prices(recorder.rows()) == [*kept, 9999]


def test_the_conversation_and_the_sense_for_silence_go_on(recorder):
    recorder.connect("AAPL", "INTC")
    with no_room():
        recorder.fill()
        recorder.tap.look()
        seq = recorder.journal.seq
        arrived = recorder.tap.take(tick(4, 1) + frame("49", "1", "1795348800") + tick(4, 2))
        assert [frame("49", "1", "1795348800")] == [found for found, _ in arrived.frames]
        seen = recorder.tap.look()
        assert (seen[4].count, seen[4].last.seq) == (2, seq - 1)
        assert recorder.journal.seq == seq


def test_a_stream_that_is_in_a_gap_keeps_that_one_until_reads_are_journalled_again(recorder):
    recorder.connect("AAPL", "INTC")
    before = recorder.send("INTC")
    since = Mark(recorder.tap.last_ts, recorder.journal.seq - 1)
    recorder.ledger.open(("INTC", "level1"), since, "farm")
    with no_room():
        recorder.fill()
        recorder.send("INTC")
        recorder.ledger.close(("INTC", "level1"), Mark(recorder.tap.last_ts, recorder.journal.seq - 1))
        assert ("INTC", "level1") in recorder.journal.state.gaps
    recorder.recovered()
    recorder.send("INTC")
    assert recorder.journal.state.gaps == {}
    tables = recorder.rows()
    assert sorted((name, reason) for name, reason, *_ in gaps(tables)) == [
        ("AAPL", "overflow"),
        ("INTC", "farm"),
    ]
    assert before in prices(tables)


def test_streams_that_came_and_went_meanwhile_are_right_in_the_state(recorder):
    recorder.connect("AAPL", "INTC")
    with no_room():
        recorder.fill()
        last = recorder.journal.seq - 1
        recorder.send("INTC")
        recorder.ledger.event("notice", "in between")
        here = Mark(recorder.tap.last_ts, recorder.journal.seq - 1)
        recorder.ledger.open(("INTC", "level1"), here, "not_subscribed")
        recorder.ledger.unsubscribed(4)
        recorder.subscribe("MSFT")
        subscribed = recorder.journal.seq - 1
    recorder.recovered()
    price = recorder.send("MSFT")
    assert recorder.journal.state.live == {3, 5}
    gap = recorder.journal.state.gaps["INTC", "level1"]
    assert (gap.seq_start, gap.reason) == (last, "not_subscribed")
    tables = recorder.rows()
    found = {symbol: start for symbol, _, start, _ in gaps(tables)}
    assert found == {"AAPL": last, "MSFT": subscribed}
    assert price in prices(tables)


def test_a_new_connection_is_recorded_from_its_first_byte(recorder):
    recorder.connect("AAPL")
    with no_room():
        recorder.fill()
        recorder.tap.take(tick(3, 5)[:9])
    recorder.recovered()
    recorder.connect("AAPL")
    assert recorder.journal.overflow is None
    price = recorder.send("AAPL")
    assert prices(recorder.rows())[-1] == price


def test_a_connection_that_began_without_room_is_recorded_from_the_next_frame_on(recorder):
    recorder.connect("AAPL")
    with no_room():
        recorder.fill()
        recorder.tap.open()
        recorder.tap.take(HELLO[:10])
    recorder.recovered()
    recorder.tap.take(HELLO[10:])
    recorder.subscribe("AAPL")
    price = recorder.send("AAPL")
    assert prices(recorder.rows())[-1] == price


def test_ended_without_room_the_gap_since_then_is_the_restart_s(recorder):
    recorder.connect("AAPL")
    with no_room():
        recorder.fill()
        last = recorder.journal.seq - 1
        recorder.send("AAPL")
        recorder.ledger.end(recorder.tap.last_bytes)
    recorder.recovered()
    recorder.rows()
    assert recorder.journal.state.gaps["AAPL", "level1"].seq_start == last
