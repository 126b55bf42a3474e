"""A clock that is set, forward and back, over midnight and over a restart: order, events, gaps and files hold."""

import asyncio
import itertools
import os
import sys
from pathlib import Path

import pytest
from daemon import until, write_config
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted import scripted

import recorder
from recorder.capture.ledger import Ledger
from recorder.capture.tap import Tap
from recorder.journal import folder
from recorder.journal.writer import Journal, now
from recorder.render import recover, resume
from recorder.verify import verify
from recorder.wire.activity import Mark
from recorder.wire.layouts import TICK_SIZE, frame

SECOND = 1_000_000
HOUR = 3600 * SECOND
NOON = 1_795_348_800 * SECOND
MIDNIGHT = NOON + 12 * HOUR
LINE = ("A", "level1")

STEPS = st.one_of(
    st.sampled_from([HOUR, -HOUR, SECOND, -SECOND, -1, -400_000, 24 * HOUR, -24 * HOUR]),
    st.integers(-2 * HOUR, 2 * HOUR),
)
"""An hour either way, a leap second, what NTP takes back, a day, and anything."""

DOING = st.lists(
    st.one_of(
        st.tuples(st.just("step"), STEPS),
        st.tuples(st.sampled_from(["tick", "tick", "tick", "roll", "gap", "restart"]), st.just(0)),
    ),
    min_size=1,
    max_size=30,
)


class Recorder:
    """A recorder without a gateway, whose clock is set by hand."""

    def __init__(self, root: Path, at: int) -> None:
        self.root, self.offset, self.sent, self.mark = root, at - now(), 0, 0
        folder.create(root)
        self.begin()

    def clock(self) -> int:
        return now() + self.offset

    def begin(self) -> None:
        checkpoint = resume(self.root)
        self.journal = Journal(self.root, checkpoint, fsync_seconds=3600, clock=self.clock)
        self.ledger = Ledger(self.journal)
        self.ledger.begin(checkpoint, "0")
        self.tap = Tap(self.journal, lambda: None, self.ledger)
        self.tap.open()
        self.tap.take(frame("178", "20261122 12:00:00 UTC"))
        asked = {"symbol": "A", "stream": "level1", "req": 3, "con_id": 1}
        self.journal.control({"kind": "subscribed", **asked})
        self.tick()
        self.ledger.close(LINE, Mark(self.tap.last_ts, self.journal.seq - 1))

    def tick(self, _: int = 0) -> None:
        self.sent += 1
        self.tap.take(TICK_SIZE.encode(3, {"tick_type": 8, "size": self.sent}))

    def step(self, micros: int) -> None:
        self.offset += micros

    def roll(self, _: int) -> None:
        self.tap.seal()
        list(recover(self.root, before=self.journal.before))

    def gap(self, _: int) -> None:
        """A hole: opened, and closed by the next tick."""
        self.ledger.open(LINE, self.tap.last_bytes, "no_data")
        self.tick()
        self.ledger.close(LINE, Mark(self.tap.last_ts, self.journal.seq - 1))

    def restart(self, _: int) -> None:
        self.ledger.end(self.tap.last_bytes)
        self.journal.close()
        self.begin()


def judge(one: Recorder) -> None:
    one.journal.close()
    list(recover(one.root))
    assert [] == verify(one.root).flaws
    db = recorder.open(one.root)
    ticks = db.level1(engine="arrow")
    assert list(range(1, one.sent + 1)) == [int(size) for size in ticks["size"].to_pylist()]
    events = db.events(engine="arrow").to_pylist()
    steps = {
        row["seq"]: float(row["text"].split()[-2]) * SECOND for row in events if row["kind"] == "clock_step"
    }
    times = [at.timestamp() * 1e6 for at in ticks["ts_recv"].to_pylist()]
    rows = zip(ticks["seq"].to_pylist(), times, strict=True)
    for (before, then), (seq, at) in itertools.pairwise(rows):
        back = sum(min(0, step) for number, step in steps.items() if before < number < seq)
        # the text has milliseconds
        assert at - then >= back - 1000 * sum(before < number < seq for number in steps)
    for gap in db.gaps(engine="arrow").to_pylist():
        assert gap["ts_start"] <= gap["ts_end"]
        assert gap["seq_start"] < gap["seq_end"]


@settings(max_examples=60)
@given(at=st.sampled_from([NOON, MIDNIGHT - 20_000]), doing=DOING)
def test_whatever_the_clock_does_order_gaps_and_steps_are_right(tmp_path_factory, at, doing):
    one = Recorder(tmp_path_factory.mktemp("clock") / "data", at)
    for name, micros in doing:
        getattr(one, name)(*([micros] if name == "step" else [0]))
    judge(one)


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Berlin", "Asia/Kathmandu"])
def test_daylight_saving_time_is_nothing_to_it(tmp_path, zone, monkeypatch):
    """The last Sunday of March and of October, the second of March: the local clock jumps, UTC does not."""
    monkeypatch.setenv("TZ", zone)
    for number, at in enumerate((1_774_746_000, 1_792_890_000, 1_772_953_200)):
        one = Recorder(tmp_path / str(number), (at - 1) * SECOND)
        for _ in range(5):
            one.tick()
            one.step(400_000)  # half a second a step: no step on record
        judge(one)
        days = [path.name for path in (one.root / "level1").iterdir()]
        assert ["date=" + recorder.open(one.root).level1()["ts_recv"].iloc[0].strftime("%Y-%m-%d")] == days


def test_a_clock_set_back_over_midnight_overwrites_no_file(tmp_path):
    one = Recorder(tmp_path / "data", MIDNIGHT + 10 * SECOND)
    one.roll(0)
    one.step(-20 * SECOND)
    one.tick()
    one.roll(0)
    one.step(20 * SECOND)
    one.tick()
    one.roll(0)
    judge(one)
    found = {day.name: len(list(day.iterdir())) for day in (one.root / "level1").iterdir()}
    assert {"date=2026-11-22": 1, "date=2026-11-23": 2} == found


@pytest.mark.parametrize("restarted", [False, True])
def test_a_gap_in_which_the_clock_was_set_back_lasts_as_long_as_it_did(tmp_path, restarted):
    one = Recorder(tmp_path / "data", NOON)
    one.ledger.open(LINE, one.tap.last_bytes, "no_data")
    one.step(5 * SECOND)
    one.tap.take(frame("49", "1", "1795348805"))
    one.step(-HOUR)
    one.tick()
    if restarted:
        one.roll(0)
        one.restart(0)
    one.ledger.close(LINE, Mark(one.tap.last_ts, one.journal.seq - 1))
    judge(one)
    gap = recorder.open(one.root).gaps().iloc[-1]
    assert 4.5 < (gap["ts_end"] - gap["ts_start"]).total_seconds() < 6


@pytest.mark.parametrize("looks", range(6))
@pytest.mark.parametrize("micros", [HOUR, -HOUR])
def test_a_step_between_any_two_looks_at_the_clock_is_one_step(tmp_path, looks, micros):
    one = Recorder(tmp_path / "data", NOON)
    left = itertools.count(looks, -1)
    one.journal.clock = lambda: one.clock() + (micros if next(left) < 0 else 0)
    for _ in range(8):
        one.tick()
    judge(one)
    steps = recorder.open(one.root).events().query("kind == 'clock_step'")
    assert 1 == len(steps)


SHIFTED = """
import sys
from pathlib import Path
from recorder.daemon import run as daemon
from recorder.journal import writer
real, by = writer.now, Path(sys.argv[2])
daemon.now = lambda: real() + int(by.read_text())
daemon.run(Path(sys.argv[1]))
"""


def test_a_running_recorder_notes_the_step_and_goes_on(tmp_path):
    async def story():
        async def ticks(conversation, req, _fields):
            async def on():
                number = 0
                while not conversation.writer.is_closing():
                    number += 1
                    conversation.send(TICK_SIZE.encode(req, {"tick_type": 8, "size": number}))
                    await asyncio.sleep(0.005)

            conversation.ticking = asyncio.ensure_future(on())

        async with scripted(ticks) as gateway:
            config = write_config(tmp_path, gateway.port, "{type: stock, symbol: A}", flush=0.2)
            by = tmp_path / "by"
            by.write_text("0")
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", SHIFTED, config, by), env=os.environ, stderr=asyncio.subprocess.PIPE
            )
            await until((tmp_path / "data" / "level1").is_dir)
            for micros in (HOUR, 0, -HOUR, 0):
                by.with_suffix(".new").write_text(str(micros))
                by.with_suffix(".new").rename(by)
                await asyncio.sleep(0.5)
            process.terminate()
            _, errors = await process.communicate()
            assert 0 == process.returncode, errors.decode()

    asyncio.run(story())
    root = tmp_path / "data"
    assert [] == verify(root).flaws
    db = recorder.open(root)
    steps = [row.split()[-2] for row in db.events().query("kind == 'clock_step'")["text"]]
    assert [3600, -3600, -3600, 3600] == [round(float(step)) for step in steps]
    sizes = db.level1()["size"].astype(int).tolist()
    assert list(range(1, len(sizes) + 1)) == sizes
    assert len(sizes) > 100
