"""What the renderer stumbles over stays in the journal and is named, and keeps nothing from being recorded."""

import subprocess
import sys

import pytest
from rendered import bid, recorded, written
from tape import NOON, Tape

from recorder.capture.backfill import refusal
from recorder.journal import folder
from recorder.journal.state import Unfilled
from recorder.render import recover, resume
from recorder.render.recover import NotRenderedError
from recorder.render.tables import follow, render

STREAM = {"symbol": "AAPL", "stream": "level1"}


@pytest.fixture
def root(tmp_path):
    """A whole segment, one with a number in it that no column holds, and a whole one."""
    tape = Tape()
    tape.open(AAPL=(3, "level1"))
    tape.read(bid(1))
    tape.roll()
    tape.control("gap_start", **STREAM, text="farm", reason="farm", code=2**40, ts_start=NOON, seq_start=1)
    tape.read(bid(2) * 3)
    tape.roll()
    tape.read(bid(3))
    tape.seal()
    return written(tmp_path / "data", tape)


def test_a_segment_it_stumbles_over_is_named_and_stays_with_those_behind_it(root):
    with pytest.raises(
        NotRenderedError, match=r"0+2\.journal: this version cannot make rows of it \(ArrowInvalid"
    ):
        list(recover(root))
    assert [2, 3] == list(map(folder.number, folder.segments(root)))
    assert [1.0] == [row["price"] for row in recorded(root)["level1"]]


def test_the_renderer_says_it_in_one_line(root):
    done = subprocess.run(
        [sys.executable, "-m", "recorder.render", root], check=False, capture_output=True, text=True
    )
    assert (1, 1) == (done.returncode, len(done.stderr.splitlines()))
    assert "it stays, as does all that is recorded behind it" in done.stderr


def test_recording_goes_on_behind_it(root):
    checkpoint = resume(root)
    assert (8, 4) == (checkpoint.next_seq, checkpoint.next_segment)
    assert "AAPL" in {symbol for symbol, _ in checkpoint.state.gaps}


def test_what_comes_behind_a_segment_is_the_same_whether_or_not_it_is_decoded():
    tape = Tape()
    tape.open(AAPL=(3, "level1"))
    tape.read(bid(1))
    tape.read(bid(2) * 5 + b"\0\0")
    tape.control("clock_step", text="x")
    tape.seal()
    (content,) = tape.contents()
    decoded, followed = render(content), follow(content)
    told = [(one.first_seq, one.next_seq, one.last_ts, one.stepped, one.live) for one in (decoded, followed)]
    assert told[0] == told[1]
    assert decoded.state.snapshot() == followed.state.snapshot()
    assert {} == followed.tables


def test_a_gap_of_trades_that_were_never_asked_for_and_cannot_be_filled_is_an_event(tmp_path):
    """IB away at the log-in: which kind of trades it would have been is not on record."""
    never = Unfilled("AAPL", "trades", "disconnected", NOON, NOON + 1_000_000, 0, 1, NOON // 1_000_000)
    tape = Tape()
    tape.control(**refusal(never, "which contract was received is not on record", None))
    tape.seal()
    root = written(tmp_path / "data", tape)
    list(recover(root))
    assert ["filled"] == [row["kind"] for row in recorded(root)["events"]]


def test_request_ids_may_lie_as_far_apart_as_they_like():
    tape = Tape()
    tape.open(AAPL=(3, "level1"), MSFT=(2**31 + 3, "level1"), SAP=(4, "level1"))
    for req in (2**31 + 3, 3, 4, 5):
        tape.read(bid(1, req))
    assert ["MSFT", "AAPL", "SAP"] == [row["symbol"] for row in tape.tables()["level1"]]
