"""A day that is old by the calendar, and whose ticks retention left: what of it gets lost is made again."""

import datetime as dt

import pytest
from rendered import bid, recorded, written
from tape import NOON, Tape

from recorder.journal import folder
from recorder.render import recover
from recorder.render.archive import NotArchivedError
from recorder.render.mend import mend
from recorder.store import retain
from recorder.verify import verify

DAY = 86_400_000_000
FIRST = dt.date(2026, 11, 22)


def ticks(tape, count):
    for _ in range(count):
        tape.read(bid(tape.seq))


def days(count):
    """A tape of some ticks a day, a segment each."""
    tape = Tape()
    tape.control("session_start", text="x")
    tape.open(AAPL=(3, "level1"))
    for day in range(count):
        tape.ts = NOON + day * DAY
        ticks(tape, 20)
        tape.roll()
    return tape


@pytest.fixture
def root(tmp_path):
    """Nine days, and then for a moment the first of them again: retention leaves that one among those it takes."""
    tape = days(9)
    tape.control("clock_step", text="set back", micros=-8 * DAY, next=tape.seq)
    tape.ts -= 8 * DAY
    ticks(tape, 5)
    tape.control("clock_step", text="set right", micros=8 * DAY, next=tape.seq)
    tape.ts += 8 * DAY
    ticks(tape, 5)
    root = written(tmp_path / "data", tape)
    folder.adopt(root, archive=True)
    list(recover(root))
    retain(root, 3, None, FIRST + dt.timedelta(days=9))
    return root


def test_a_damaged_file_of_an_old_day_that_retention_left_is_made_again(root):
    before = recorded(root)
    damaged = min((root / "level1" / f"date={FIRST}").iterdir())
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 255
    damaged.write_bytes(content)
    assert 0 == mend(root).lost
    assert before == recorded(root)


def test_segments_of_days_that_retention_took_go_when_the_archive_that_refused_them_is_given_up(tmp_path):
    root = written(tmp_path / "data", days(6))
    folder.adopt(root, archive=True)
    (root / "archive").write_text("not mounted")
    with pytest.raises(NotArchivedError):
        list(recover(root))
    (root / "archive").unlink()
    retain(root, 2, None, FIRST + dt.timedelta(days=6))
    folder.adopt(root, archive=False)
    list(recover(root))
    assert [] == folder.segments(root)
    assert [] == verify(root).flaws
