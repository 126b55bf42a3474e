"""What retention keeps of older days (their events) is missed, made again or put on record when it is lost."""

import datetime as dt
import shutil

import pyarrow.parquet as pq
import pytest
from rendered import bid, recorded, written
from tape import NOON, Tape, numbered

from recorder.journal import folder
from recorder.render import recover
from recorder.render.mend import mend
from recorder.store import retain
from recorder.verify import verify

DAY = 86_400_000_000
MIDNIGHT = NOON + 12 * 3600 * 1_000_000


@pytest.fixture
def tape():
    """Two days, with an event in every fortieth row."""
    tape = Tape(ts=MIDNIGHT - 120_000)
    tape.open(AAPL=(3, "level1"))
    for n in range(200):
        tape.read(bid(n))
        if n % 40 == 0:
            tape.control("notice", text="x")
            tape.roll()
    tape.seal()
    return tape


def kept(tape, root, *, archive, counted=True):
    """The recording when retention has taken the first day's ticks; ``counted``: and counted what it left."""
    written(root, tape)
    folder.adopt(root, archive=archive)
    list(recover(root))
    assert [gone.table for gone in retain(root, 1, None, dt.date(2026, 11, 24)).gone] == ["level1"]
    checkpoint = folder.load(root)
    assert checkpoint.kept_seq > 100
    checkpoint.kept_rows = 4 if counted else None
    folder.save(root, checkpoint)
    assert verify(root).flaws == []
    return root


def old_events(root):
    return sorted((root / "events").glob("date=2026-11-22/*"))


def gone(path):
    path.unlink()


def flipped(path, at=60):
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def state(root):
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def flaws(root):
    shutil.rmtree(root / "set-aside", ignore_errors=True)
    return verify(root).flaws


@pytest.mark.parametrize("counted", [True, False])
@pytest.mark.parametrize("hurt", [gone, flipped])
def test_events_of_older_days_are_made_again_from_the_archive(tape, tmp_path, hurt, counted):
    root = kept(tape, tmp_path / "data", archive=True, counted=counted)
    before = recorded(root)
    for path in old_events(root):
        hurt(path)
    assert bool(verify(root).flaws) == (counted or hurt is flipped)
    done = mend(root)
    assert (done.rows, done.lost, recorded(root)) == (4, 0, before)
    assert flaws(root) == []


def test_events_of_older_days_that_are_gone_are_told_with_their_number(tape, tmp_path):
    root = kept(tape, tmp_path / "data", archive=False)
    old_events(root)[-1].unlink()
    (flaw,) = verify(root).flaws
    assert flaw.kind == "missing"
    assert flaw.text.startswith("1 row of those that retention kept of older days (numbers below ")


@pytest.mark.parametrize("counted", [True, False])
def test_a_damaged_file_of_older_events_that_nothing_holds_is_in_a_gap_of_its_own_size(
    tape, tmp_path, counted
):
    root = kept(tape, tmp_path / "data", archive=False, counted=counted)
    path = old_events(root)[-1]
    number = int(path.name.split("-")[0])
    flipped(path)
    done = mend(root)
    (gap,) = recorded(root)["gaps"]
    assert (done.lost, gap["seq_start"], gap["seq_end"]) == (1, number - 1, number + 1)
    assert (gap["reason"], gap["symbol"], gap["stream"]) == ("damaged", "AAPL", "level1")
    assert flaws(root) == []


def test_older_events_that_are_gone_and_that_nothing_holds_are_in_a_gap_over_all_that_is_older(
    tape, tmp_path
):
    root = kept(tape, tmp_path / "data", archive=False)
    first, second, last = old_events(root)
    first.unlink()
    flipped(second)
    assert mend(root).lost == 3
    (gap,) = recorded(root)["gaps"]
    assert (gap["seq_start"], gap["seq_end"]) == (0, folder.load(root).kept_seq)
    assert flaws(root) == []
    last.unlink()
    assert [flaw.kind for flaw in flaws(root)] == ["missing"]
    assert mend(root).lost == 1
    assert flaws(root) == []


@pytest.mark.parametrize("archive", [True, False])
@pytest.mark.parametrize("counted", [True, False])
def test_a_second_time_there_is_nothing_to_do_for_what_is_older_either(tape, tmp_path, archive, counted):
    root = kept(tape, tmp_path / "data", archive=archive, counted=counted)
    first, *_, last = old_events(root)
    first.unlink()
    flipped(last)
    mend(root)
    before = state(root)
    again = mend(root)
    assert (again.moved, again.files, again.rows, again.lost) == ([], [], 0, 0)
    assert state(root) == before


def test_ticks_that_retention_took_do_not_come_back_with_the_events(tape, tmp_path):
    root = kept(tape, tmp_path / "data", archive=True)
    before = recorded(root)["level1"]
    for path in old_events(root):
        path.unlink()
    mend(root)
    assert recorded(root)["level1"] == before


def test_a_damaged_file_of_ticks_that_retention_left_among_older_numbers_is_made_again_and_nothing_else(
    tape, tmp_path
):
    root = kept(tape, tmp_path / "data", archive=True)
    path = min((root / "level1").glob("date=*/*"))
    checkpoint = folder.load(root)
    checkpoint.kept_seq, checkpoint.kept_rows = checkpoint.next_seq, len(numbered(recorded(root)))
    folder.save(root, checkpoint)
    before = recorded(root)
    rows = pq.ParquetFile(path).metadata.num_rows
    flipped(path)
    done = mend(root)
    assert (done.rows, done.lost, recorded(root)) == (rows, 0, before)
    assert flaws(root) == []


def left_by_retention(root, tape):
    """The file of a day ahead that is left when retention has taken the days before the last."""
    written(root, tape)
    folder.adopt(root, archive=True)
    list(recover(root))
    retain(root, 1, None, dt.date(2026, 11, 23))
    (ahead,) = root.glob("level1/date=2026-12-12/*")
    return ahead


def clock_ahead(root):
    """Ticks of a day that a clock was ahead at stay when retention takes those around them, by their numbers."""
    tape = Tape(ts=NOON - 30 * DAY)
    tape.open(AAPL=(3, "level1"))
    for days in (-30, 20, -29, 0):
        tape.ts = NOON + days * DAY
        tape.read(bid(days) * 2)
        tape.roll()
    tape.seal()
    return left_by_retention(root, tape)


def refused(*_):
    raise OSError(28, "No space left on device")


def test_what_a_recover_that_was_refused_has_set_aside_is_made_again_by_the_next(tmp_path, monkeypatch):
    root = tmp_path / "data"
    ahead = clock_ahead(root)
    before = recorded(root)
    flipped(ahead)
    with monkeypatch.context() as context:
        context.setattr("recorder.render.mend.publish", refused)
        with pytest.raises(OSError, match="No space"):
            mend(root)
    assert before != recorded(root)
    mend(root)
    assert before == recorded(root)


@pytest.mark.parametrize("archive", [True, False])
def test_ticks_that_retention_took_do_not_come_back_though_a_file_of_theirs_lies_set_aside(
    tape, tmp_path, archive
):
    root = written(tmp_path / "data", tape)
    folder.adopt(root, archive=archive)
    list(recover(root))
    flipped(min((root / "level1").glob("date=*/*")), at=0)  # what it held can be read from it still
    mend(root)
    retain(root, 1, None, dt.date(2026, 11, 24))
    before = recorded(root)
    gone(old_events(root)[0])
    mend(root)
    assert before["level1"] == recorded(root)["level1"]
    assert before["events"] == recorded(root)["events"] or not archive


@pytest.mark.parametrize("table", ["level1", "events"])
def test_older_events_that_are_gone_are_in_a_gap_though_a_file_of_later_days_is_damaged_too(
    tape, tmp_path, table
):
    root = kept(tape, tmp_path / "data", archive=False)
    for path in old_events(root):
        gone(path)
    flipped(max((root / table).glob("date=2026-11-23/*"), key=lambda path: path.stat().st_size))
    mend(root)
    kept_seq = folder.load(root).kept_seq
    assert any((gap["seq_start"], gap["seq_end"]) == (0, kept_seq) for gap in recorded(root)["gaps"])
    assert flaws(root) == []


def test_older_events_that_are_gone_are_in_a_gap_though_damaged_ones_are_made_again(tape, tmp_path):
    """As many rows as are missing were in a file that was set aside, but they are not those."""
    root = kept(tape, tmp_path / "data", archive=True)
    first, second, *_ = old_events(root)
    for one in sorted((root / "archive").glob("*/*"))[1:]:
        one.unlink()
    flipped(first)
    gone(second)
    mend(root)
    (gap,) = recorded(root)["gaps"]
    number = int(second.name.split("-")[0])
    assert gap["seq_start"] < number < gap["seq_end"]
    assert flaws(root) == []


def sparse(root):
    """As above, and one number within that file's range was taken by retention."""
    tape = Tape(ts=NOON - 30 * DAY)
    tape.open(AAPL=(3, "level1"))
    tape.roll()
    for days in (20, -30, 20):
        tape.ts = NOON + days * DAY
        tape.read(bid(days))
    tape.roll()
    tape.ts = NOON
    tape.read(bid(0))
    tape.seal()
    return left_by_retention(root, tape)


def is_all_in_a_gap(root):
    spans = {(gap["seq_start"], gap["seq_end"]) for gap in recorded(root)["gaps"]}
    return (0, folder.load(root).kept_seq) in spans


def test_an_older_event_that_is_gone_is_in_a_gap_though_a_file_that_says_nothing_might_have_held_it(
    tmp_path,
):
    """A file without its end had as many rows as its name allows, for all that is known; it had fewer."""
    root = tmp_path / "data"
    ahead = sparse(root)
    ahead.write_bytes(ahead.read_bytes()[:-30])
    gone(min(root.glob("events/date=*/*")))
    gone(min(root.glob("archive/*/*")))
    mend(root)
    assert is_all_in_a_gap(root)
    assert flaws(root) == []


def test_rows_of_later_days_do_not_stand_for_an_older_event_that_is_gone(tmp_path):
    root = tmp_path / "data"
    flipped(sparse(root))
    flipped(next(root.glob("level1/date=2026-11-22/*")))
    gone(min(root.glob("events/date=*/*")))
    shutil.rmtree(root / "archive")
    mend(root)
    assert is_all_in_a_gap(root)
    assert flaws(root) == []
