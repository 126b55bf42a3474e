"""Holes in tick-by-tick streams: filled from the gateway's history, every missing tick once, none twice."""

import asyncio
import contextlib
import sys
import time
from collections import Counter
from dataclasses import replace
from datetime import datetime

import psutil
import pytest
from daemon import numbers, table, until
from structlog.testing import capture_logs

import recorder
from recorder.capture import backfill as filling
from recorder.capture import history
from recorder.capture.backfill import Backfill, KnownError, hopeless, is_final, page, records, unrecorded
from recorder.capture.gateway import Gateway, Subscription
from recorder.capture.history import History, HistoryError, Tick
from recorder.capture.ledger import Ledger
from recorder.daemon.known import known_in
from recorder.journal import folder
from recorder.journal.state import Unfilled
from recorder.journal.writer import Journal
from recorder.render import recover, resume
from recorder.simulator import Simulator
from recorder.simulator.history import changes
from recorder.simulator.walk import middle
from recorder.verify import verify
from recorder.wire.activity import Mark
from recorder.wire.layouts import TICKS, frame
from recorder.wire.sieve import Sieve

GAP = Unfilled(
    "AAPL", "trades", "disconnected", 100_500_000, 103_500_000, 7, 9, 98, 265598, "SMART", "all_last"
)


def tick(second, price=1.0, mask=0):
    return Tick((str(second), str(price), "5", str(mask), "X", ""), (second, price, 5.0, mask, "X", None))


# Pure. -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "kept", "cursor", "done"),
    [
        ([98, 99, 99], [98, 99, 99], 100, False),
        ([100, 105], [100, 105], 106, True),
        ([105, 106, 130], [105], 106, True),
        ([97, 99], [99], 100, False),
        ([120], [], 106, True),
        ([], [], 106, True),
        ([99, 98], [98, 99], 100, False),
    ],
)
def test_a_page_is_what_belongs_to_the_gap_and_the_next_second_to_ask_for(seconds, kept, cursor, done):
    found = page(GAP, [tick(second) for second in seconds], GAP.last_second)
    assert (kept, cursor, done) == ([one.second for one in found.ticks], found.cursor, found.done)


def test_an_answer_from_before_the_question_is_no_answer():
    with pytest.raises(HistoryError, match="before the second asked for"):
        page(GAP, [tick(97)], GAP.last_second)


def test_a_stream_of_reported_trades_gets_no_others():
    answer = [tick(100, 1.0), tick(100, 2.0, mask=2), tick(100, 3.0, mask=3), tick(100, 4.0, mask=1)]
    last = replace(GAP, trade_kind="last")
    assert [1.0, 4.0] == [one.values[1] for one in page(last, answer, 105).ticks]
    assert 4 == len(page(GAP, answer, 105).ticks)


def test_each_recorded_row_takes_off_one_tick_and_no_more():
    ticks = [tick(100)] * 3 + [tick(101), tick(100, 2.0)]
    recorded = Counter({tick(100).values: 2, tick(101).values: 1, tick(102).values: 4})
    assert [tick(100), tick(100, 2.0)] == unrecorded(ticks, recorded)
    assert ticks == unrecorded(ticks, Counter())


def test_a_flood_becomes_several_records_and_only_the_last_goes_on(monkeypatch):
    monkeypatch.setattr(filling, "MOST_TICKS", 2)
    found = filling.Page([tick(second) for second in (98, 98, 98, 99, 99)], 100, False)
    told = [(len(one["ticks"]), one["cursor"], one["done"]) for one in records(GAP, found)]
    assert [(2, 98, False), (2, 99, False), (1, 100, False)] == told
    (last,) = records(GAP, filling.Page([], 106, True))
    assert ([], 106, True) == (last["ticks"], last["cursor"], last["done"])


@pytest.mark.parametrize(
    ("code", "text", "final"),
    [
        (10187, "Failed to request historical ticks:No market data permissions for NYSE STK", True),
        (162, "Historical Market Data Service error message:No market data permissions for ISLAND STK", True),
        (200, "No security definition has been found for the request", True),
        (162, "Historical data request pacing violation", False),
        (162, "HMDS server disconnect occurred.  Attempting reconnection...", False),
        (321, "Error validating request: no permission", False),
        (None, "the gateway did not answer", False),
    ],
)
def test_only_what_will_not_change_is_final(code, text, final):
    assert final == is_final(HistoryError(text, code))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, None),
        ({"ts_end": GAP.ts_start - 1}, "the clock was set back meanwhile"),
        ({"con_id": 0}, "which contract was received is not on record"),
        ({"exchange": ""}, "which contract was received is not on record"),
    ],
)
def test_what_nobody_can_be_asked_for_is_hopeless(change, reason):
    assert reason == hopeless(replace(GAP, **change))


# With a gateway. ---------------------------------------------------------------------------------------------

FAST = 8
"""Seconds of the simulated day in one of the test's."""

STOCK = {"conId": 265598, "symbol": "AAPL", "secType": "STK", "exchange": "SMART", "currency": "USD"}
BEGIN = time.monotonic()


def day():
    """The clock of gateway and recorder."""
    return 1_795_366_800 + (time.monotonic() - BEGIN) * FAST


def micros():
    return int(day() * 1e6)


class Recording:
    """A recorder without its session: one line, streams, connections and gaps as the test says."""

    def __init__(self, root, sim, ahead=0):
        self.root, self.sim = root, sim
        self.clock = lambda: micros() + ahead * 1_000_000
        folder.create(root)
        self.checkpoint = folder.load(root)
        self.begin()

    def begin(self):
        self.journal = Journal(self.root, self.checkpoint, fsync_seconds=1, clock=self.clock)
        self.gateway = self.history = None
        self.ledger = Ledger(self.journal)
        self.streams, self.closing, self.last = {}, [], 0

    async def connect(self):
        self.sieve = Sieve()
        self.journal.control({"kind": "opened"}, row=False)
        self.gateway = Gateway(self)
        await self.gateway.connect("127.0.0.1", self.sim.port, 5, 5)
        self.history = History(self.gateway, 2.0)

    def subscribe(self, *streams, contract=None, only_reportable=False):
        for stream in streams:
            req, wanted = self.gateway.new_request(), contract or STOCK
            subscription = Subscription(stream, wanted, only_reportable=only_reportable)
            self.ledger.subscribed(req, ("AAPL", stream), subscription)
            self.gateway.subscribe(req, subscription)
        self.streams = dict.fromkeys(streams)

    def lose(self, early=0):
        for stream in self.streams:
            self.ledger.open(("AAPL", stream), Mark(self.last - early, self.journal.seq - 1), "disconnected")
            self.closing.append(("AAPL", stream))
        self.journal.control({"kind": "disconnected", "text": "as told"})
        self.gateway.drop("as told")

    def received(self, data):
        self.last = self.clock()
        self.journal.read(data, self.last, *self.sieve.skip(data))
        sifted = self.sieve.feed(data)
        self.journal.count(sifted.rows)
        self.journal.state.hello = self.sieve.hello
        if b"99\x00" in data and self.closing:
            for key in self.closing:
                self.ledger.close(key, Mark(self.last, self.journal.seq - 1))
            self.closing = []
        return [one for one in sifted.handed_on if self.history is None or not self.history.take(one)]

    def said(self, req, code, text):
        if self.history:
            self.history.said(req, code, text)

    def closed(self, reason):
        if self.history:
            self.history.close(reason)

    def failed(self, error):
        raise error

    @contextlib.asynccontextmanager
    async def filling(self, **options):
        """A backfill that runs while the block does."""
        options = {
            "may_ask": lambda *_: True, "known": known_in(self.root),
            "max_age_seconds": 3600, "settle_seconds": 0.5, "retry_seconds": (0.2, 1.0), **options,
        }  # fmt: skip
        task = asyncio.create_task(Backfill(self.journal, **options).run(self.history))
        try:
            yield task
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def filled(self):
        await until(lambda: not self.journal.state.unfilled)

    def killed(self):
        """Ends as by kill -9: the segment is not sealed; what comes next knows only what is in the files."""
        self.gateway.drop("killed")
        self.checkpoint = resume(self.root)
        self.begin()

    def end(self):
        self.gateway.drop("the end")
        self.journal.close()
        assert len(list(recover(self.root))) >= 1
        assert [] == verify(self.root).flaws
        found = numbers(self.root)
        assert list(range(1, len(found) + 1)) == found


@contextlib.asynccontextmanager
async def simulated(root, rate=1000, ahead=0, **options):
    async with Simulator(rate=rate, now=day, **options) as sim:
        yield Recording(root, sim, ahead), sim


async def gap(one, *streams, away=0.5, before=0.3, early=0, **options):
    """One stretch without a connection; returns when ticks come again."""
    if one.history is None:
        await one.connect()
        one.subscribe(*streams, **options)
        await asyncio.sleep(before)
    one.lose(early)
    await asyncio.sleep(away)
    await one.connect()
    one.subscribe(*streams, **options)
    await until(lambda: not one.closing)


def happened(sim, stream, last):
    """What the tape has of a stream up to a second, as rows."""
    instrument = sim.world.universe.by_con_id(265598)
    events = sim.world.tape(instrument, "trades" if stream == "trades" else "quotes").events
    if stream == "midpoints":
        mids = [
            (second, float(middle(str(v[0]), str(v[1]), instrument.decimals)))
            for second, v in changes(events)
        ]
        return Counter(one for one in mids if one[0] <= last)
    if stream == "trades":
        rows = [(second, float(v[0]), float(v[1]), v[2], v[3], v[4] or None) for second, v in events]
    else:
        rows = [(second, *map(float, v[:4]), v[4]) for second, v in events]
    return Counter(one for one in rows if one[0] <= last)


def kept(root, stream, last, source=None, con_id=265598):
    """What the Parquet files have of it."""
    rows = table(root, stream)
    rows = rows[rows["con_id"] == con_id]
    rows = rows[rows["source"] == source] if source else rows
    seconds = rows["ts_event"].astype("int64") // 1_000_000
    names = [field.name for field in TICKS[stream]][1:]
    columns = (rows[name].astype(object).where(rows[name].notna(), None) for name in names)
    return Counter(one for one in zip(seconds, *columns, strict=True) if one[0] <= last)


@pytest.mark.parametrize("stream", ["trades", "quotes", "midpoints"])
def test_live_and_filled_rows_together_are_exactly_what_happened(tmp_path, stream):
    async def story():
        async with simulated(tmp_path / "data") as (one, sim):
            await gap(one, stream)
            last = one.last // 1_000_000
            async with one.filling():
                await one.filled()
            expected = happened(sim, stream, last)
            one.end()
            return expected, last

    expected, last = asyncio.run(story())
    root = tmp_path / "data"
    found, filled = kept(root, stream, last), kept(root, stream, last, "backfill")
    if (
        stream == "midpoints"
    ):  # each subscription begins with the price there is, whether or not it has changed
        assert (Counter(), True) == (expected - found, (found - expected).total() <= 2)
    else:
        assert max(expected.values()) > 1 or stream == "quotes"
        assert expected == found
    assert filled.total() > 300
    rows = table(root, stream)
    late = rows[rows["source"] == "backfill"]
    assert {"AAPL", 265598} == {*late["symbol"], *late["con_id"]}
    assert (late["ts_recv"] > late["ts_event"]).all()
    if stream == "trades":
        assert {"all_last"} == {*rows["kind"]}
        assert (rows["unreported"] == (rows["attribs"] & 2 != 0)).all()
        assert rows["unreported"].any()
    if stream == "quotes":
        assert (late["bid_past_low"] == (late["attribs"] == 1)).all()
        assert late["bid_past_low"].any()


def test_two_gaps_of_two_streams_are_filled_over_many_pages_the_oldest_first(tmp_path, monkeypatch):
    monkeypatch.setattr(
        history, "_MOST_ALIKE", 10
    )  # the simulator counts quotes once here, where IB may twice

    async def story():
        async with simulated(tmp_path / "data", rate=1500) as (one, sim):
            await gap(one, "trades", "quotes", away=0.9)
            await asyncio.sleep(0.2)
            await gap(one, "trades", "quotes")
            last = one.last // 1_000_000
            assert 4 == len(one.journal.state.unfilled)
            async with one.filling():
                await one.filled()
            expected = {stream: happened(sim, stream, last) for stream in ("trades", "quotes")}
            one.end()
            return expected, last

    expected, last = asyncio.run(story())
    root = tmp_path / "data"
    for stream, rows in expected.items():
        assert rows == kept(root, stream, last)
    told = table(root, "events").query("kind == 'filled'")
    assert len(told) > 4
    begun = told["text"].str.extract(r"gap behind (\d+)")[0].astype(int).tolist()
    assert sorted(begun) == begun
    gaps = recorder.open(root).gaps()
    assert [True] * 4 == gaps["filled"].tolist()
    assert (gaps["filled_until"] == gaps["ts_end"]).all()


class KilledError(Exception):
    """Stands for kill -9."""


@pytest.mark.parametrize("written", [1, 3])
def test_killed_in_the_middle_it_goes_on_where_it_was(tmp_path, monkeypatch, written):
    monkeypatch.setattr(filling, "MOST_TICKS", 150)

    async def story():
        async with simulated(tmp_path / "data") as (one, sim):
            await gap(one, "trades")
            last, control, left = one.last // 1_000_000, one.journal.control, [written]

            def dying(record, *args, **options):
                if record["kind"] == "backfill":
                    if left[0] == 0:
                        raise KilledError
                    left[0] -= 1
                control(record, *args, **options)

            one.journal.control = dying
            with pytest.raises(KilledError):
                async with one.filling() as task:
                    await task
            (begun,) = one.journal.state.unfilled.values()
            one.killed()
            assert [begun] == list(one.journal.state.unfilled.values())
            await one.connect()
            async with one.filling():
                await one.filled()
            expected = happened(sim, "trades", last)
            one.end()
            return expected, last

    expected, last = asyncio.run(story())
    begun = kept(tmp_path / "data", "trades", last)
    assert expected == begun


def test_rows_that_came_within_a_gap_opened_early_are_not_repeated(tmp_path):
    async def story():
        async with simulated(tmp_path / "data") as (one, sim):
            await gap(one, "trades", early=1_500_000, away=0.2)
            last, (unfilled,) = one.last // 1_000_000, one.journal.state.unfilled.values()
            async with one.filling():
                await one.filled()
            expected = happened(sim, "trades", last)
            one.end()
            return expected, last, unfilled.ts_start // 1_000_000

    expected, last, begin = asyncio.run(story())
    live = kept(tmp_path / "data", "trades", last, "live")
    assert expected == kept(tmp_path / "data", "trades", last)
    assert sum(count for row, count in live.items() if row[0] == begin + 1) > 10


def test_a_stream_of_reported_trades_is_filled_with_reported_trades(tmp_path):
    async def story():
        async with simulated(tmp_path / "data") as (one, sim):
            await gap(one, "trades", only_reportable=True)
            last = one.last // 1_000_000
            async with one.filling():
                await one.filled()
            expected = happened(sim, "trades", last)
            one.end()
            return Counter({row: count for row, count in expected.items() if row[3] != 2}), last

    expected, last = asyncio.run(story())
    assert expected == kept(tmp_path / "data", "trades", last)
    assert {"last"} == {*table(tmp_path / "data", "trades")["kind"]}


def test_a_gap_in_which_nothing_happened_is_filled_by_an_empty_answer(tmp_path):
    async def story():
        async with simulated(tmp_path / "data") as (one, sim):
            await gap(one, "trades")
            sim.world.tape(sim.world.universe.by_con_id(265598), "trades").events.clear()
            sim.world.market_open = False
            async with one.filling():
                await one.filled()
            one.end()

    asyncio.run(story())
    (told,) = table(tmp_path / "data", "events").query("kind == 'filled'")["text"]
    assert ": no ticks" in told
    assert "filled whole" in told


@pytest.fixture(autouse=True)
def _awake(monkeypatch):
    """Tests look more often than IB's pace needs."""
    monkeypatch.setattr(filling, "_IDLE_SECONDS", 0.02)


@pytest.fixture
def hasty(monkeypatch):
    """The same may be asked again soon: these questions do not reach the gateway."""
    monkeypatch.setattr(history, "_IDENTICAL", 0.2)


def refused_with(tmp_path, code, text, *, silent=False):
    """Whether the gap is still to be filled when two questions got that answer; and the events in the end."""
    asked = []

    async def story():
        async with simulated(tmp_path / "data") as (one, sim):
            await gap(one, "trades")

            def answer(req, *_):
                asked.append(req)
                if not silent:
                    for link in sim.links.values():
                        link.session.out.append(frame("4", "2", str(req), str(code), text, ""))

            ask, one.gateway.ask_history = one.gateway.ask_history, answer
            one.history._timeout = 0.3
            async with one.filling():
                await until(lambda: len(asked) == 2 or not one.journal.state.unfilled)
                still = len(one.journal.state.unfilled)
                one.gateway.ask_history = ask
                await one.filled()
            one.end()
            return still

    still = asyncio.run(story())
    return still, table(tmp_path / "data", "events").query("kind == 'filled'")["text"].tolist()


@pytest.mark.parametrize(
    ("code", "text"),
    [(321, "no such time"), (None, "silent")],
)
@pytest.mark.usefixtures("hasty")
def test_what_goes_wrong_is_asked_again_later(tmp_path, code, text):
    still, told = refused_with(tmp_path, code, text, silent=code is None)
    assert 1 == still
    assert "filled whole" in told[-1]


def test_what_ib_will_not_give_is_given_up_and_said(tmp_path):
    still, (told,) = refused_with(tmp_path, 10187, "No market data permissions for NYSE STK")
    assert 0 == still
    assert "not filled from" in told
    assert "No market data permissions" in told
    (gap_row,) = recorder.open(tmp_path / "data").gaps().to_dict("records")
    assert gap_row["filled"] is False


def test_what_is_recorded_cannot_be_read_so_nothing_is_added(tmp_path):
    calls = []

    async def story():
        async with simulated(tmp_path / "data") as (one, _):
            await gap(one, "trades")

            class Unreadable:
                async def clocks(self, _):
                    calls.append(1)
                    raise KnownError("a file is damaged")

            async with one.filling(known=Unreadable()):
                await until(lambda: len(calls) == 1)
                await asyncio.sleep(0.1)
            assert 1 == len(one.journal.state.unfilled)
            one.end()

    asyncio.run(story())
    assert Counter() == kept(tmp_path / "data", "trades", 2**40, "backfill")


def test_what_has_not_settled_or_is_too_old_or_no_longer_recorded_is_not_asked_for(tmp_path):
    async def story():
        async with simulated(tmp_path / "data") as (one, _):
            await gap(one, "trades")
            await asyncio.sleep(0.5)  # now it could be asked for
            asked, one.gateway.ask_history = [], lambda *question: asked.append(question)
            for options in (
                {"settle_seconds": 3600},
                {"max_age_seconds": 0.0},
                {"may_ask": lambda *_: False},
            ):
                async with one.filling(**options):
                    await asyncio.sleep(0.2)
            assert [] == asked
            async with one.filling():
                await until(lambda: asked)
            one.end()

    asyncio.run(story())


def test_it_ends_with_its_connection_and_goes_on_with_the_next(tmp_path):
    async def story():
        async with simulated(tmp_path / "data") as (one, _):
            await gap(one, "trades")
            one.gateway.ask_history = lambda *_: one.gateway.drop("lost")
            async with one.filling() as task:
                await asyncio.wait_for(task, 10)
            await one.connect()
            async with one.filling():
                await one.filled()
            one.end()

    asyncio.run(story())


def test_a_reader_that_nobody_waits_for_any_more_is_ended(tmp_path):
    def readers():
        children = psutil.Process().children()
        return [
            one for one in children if one.is_running() and "recorder.reader.known" in " ".join(one.cmdline())
        ]

    async def story():
        asking = asyncio.create_task(known_in(tmp_path).ticks(GAP, 1, 2))
        await until(readers)
        asking.cancel()
        await asyncio.wait({asking})
        assert asking.cancelled()

    asyncio.run(story())
    assert [] == readers()


def test_a_reader_that_fails_is_an_error_with_its_reason(tmp_path):
    (tmp_path / "trades" / "date=2026-11-22").mkdir(parents=True)
    (tmp_path / "trades" / "date=2026-11-22" / "1-9.parquet").write_bytes(b"damaged")
    with pytest.raises(KnownError, match="ib-recorder verify names what is damaged"):
        asyncio.run(known_in(tmp_path).ticks(GAP, 1, 2))


def test_a_reader_that_cannot_be_started_is_an_error_with_its_reason(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "gone"))
    with pytest.raises(KnownError, match=r"no reader could be started: .*No such file"):
        asyncio.run(known_in(tmp_path).clocks(GAP))


def test_a_gap_is_filled_with_the_contract_it_was_of_whatever_the_line_stands_for_now(tmp_path):
    other = STOCK | {"conId": 272093, "symbol": "MSFT"}

    async def story():
        async with simulated(tmp_path / "data") as (one, sim):
            await gap(one, "trades")
            await asyncio.sleep(0.3)
            one.lose()
            await asyncio.sleep(0.5)
            await one.connect()
            one.subscribe("trades", contract=other)
            await until(lambda: not one.closing)
            last = one.last // 1_000_000
            assert [265598] * 2 == [gap.con_id for gap in one.journal.state.unfilled.values()]
            async with one.filling():
                await one.filled()
            expected = happened(sim, "trades", last)
            one.end()
            return expected, last

    expected, last = asyncio.run(story())
    rows = table(tmp_path / "data", "trades")
    assert {265598} == {*rows[rows["source"] == "backfill"]["con_id"]}
    assert {272093} <= {*rows[rows["source"] == "live"]["con_id"]}
    begun = kept(tmp_path / "data", "trades", last)
    assert expected == begun


@pytest.mark.parametrize("ahead", [-7, 7])
def test_a_gap_is_filled_whole_where_the_recorders_clock_is_not_ibs(tmp_path, ahead):
    async def story():
        async with simulated(tmp_path / "data", ahead=ahead) as (one, sim):
            await gap(one, "trades", before=0.6)
            last = int(day())
            async with one.filling(settle_seconds=8):
                await one.filled()
            expected = happened(sim, "trades", last)
            one.end()
            return expected, last

    expected, last = asyncio.run(story())
    assert expected == kept(tmp_path / "data", "trades", last)


def test_a_gap_in_which_the_clock_was_set_back_is_not_filled_and_says_so(tmp_path):
    async def story():
        async with simulated(tmp_path / "data", ahead=3600) as (one, _):
            await one.connect()
            one.subscribe("trades")
            await asyncio.sleep(0.3)
            one.journal.clock = one.clock = micros
            await gap(one, "trades")
            async with one.filling():
                await one.filled()
            one.end()

    asyncio.run(story())
    (told,) = table(tmp_path / "data", "events").query("kind == 'filled'")["text"]
    assert told.endswith("the clock was set back meanwhile")
    assert Counter() == kept(tmp_path / "data", "trades", 2**40, "backfill")


@pytest.mark.usefixtures("hasty")
def test_what_goes_wrong_while_ib_is_lost_is_no_failure_and_it_waits(tmp_path):
    there, asked = [True], []

    async def story():
        async with simulated(tmp_path / "data") as (one, sim):
            await gap(one, "trades")

            def answer(req, *_):
                asked.append(req)
                there[0] = False
                for link in sim.links.values():
                    link.session.out.append(
                        frame("4", "2", str(req), "162", "HMDS server disconnect occurred", "")
                    )

            ask, one.gateway.ask_history = one.gateway.ask_history, answer
            with capture_logs() as logged:
                async with one.filling(may_ask=lambda *_: there[0], retry_seconds=(60.0, 60.0)):
                    await until(lambda: asked)
                    await asyncio.sleep(0.5)
                    one.gateway.ask_history = ask
                    there[0] = True
                    await one.filled()
            one.end()
            return logged

    assert ["gap filled"] == [entry["event"] for entry in asyncio.run(story())]
    assert 1 == len(asked)


def test_the_log_says_which_gap_was_filled_with_how_many_rows(tmp_path):
    async def story():
        async with simulated(tmp_path / "data") as (one, _):
            await gap(one, "trades")
            (unfilled,) = one.journal.state.unfilled.values()
            with capture_logs() as logged:
                async with one.filling():
                    await one.filled()
            one.end()
            return unfilled, logged

    unfilled, (entry,) = asyncio.run(story())
    ends = [datetime.fromisoformat(entry[name]).timestamp() for name in ("from", "to")]
    assert [unfilled.ts_start / 1e6, unfilled.ts_end / 1e6] == pytest.approx(ends, abs=0.001)
    filled = kept(tmp_path / "data", "trades", 2**40, "backfill").total()
    assert ("AAPL", "trades", filled) == (entry["line"], entry["stream"], entry["rows"])
