"""An archive on another disk, one that is not there, and what people put into it: no row waits for it, none is lost."""

import asyncio
import os
import shutil
from datetime import date
from pathlib import Path

import pytest
from daemon import run
from rendered import GAP, bid, recorded, whole_tape, written
from tape import NOON, Tape, names

from recorder.journal import folder
from recorder.journal.format import HEADER_SIZE, scan
from recorder.render import recover, resume
from recorder.render.archive import NotArchivedError, archived
from recorder.render.mend import mend
from recorder.render.unrendered import unrendered
from recorder.store.days import horizon
from recorder.verify import verify

ELSEWHERE = Path("/dev/shm")


@pytest.fixture
def root(tmp_path):
    return tmp_path / "data"


def archiving(root, tape):
    written(root, tape)
    folder.adopt(root, archive=True)
    return root


def whole(root, tape):
    """Every row once, and nothing waits."""
    assert tape.tables() == recorded(root)
    assert [] == verify(root).flaws
    assert ([], []) == (folder.segments(root), names(root / "staging"))
    return True


@pytest.mark.skipif(
    not ELSEWHERE.is_dir() or ELSEWHERE.stat().st_dev == Path("/tmp").stat().st_dev, reason="one disk only"
)
def test_the_archive_may_lie_on_another_disk(root):
    tape = whole_tape(3)
    archiving(root, tape)
    other = ELSEWHERE / f"ib-recorder-{os.getpid()}"
    other.mkdir()
    try:
        (root / "archive").symlink_to(other)
        list(recover(root))
        assert whole(root, tape)
        assert [1, 2, 3] == [one.number for one in archived(root)]
        assert ["date=2026-11-22"] == names(other)
    finally:
        shutil.rmtree(other)


def test_while_the_archive_is_not_there_rows_are_published_and_segments_stay(root, tmp_path):
    tape = whole_tape(3)
    archiving(root, tape)
    third = folder.segment_path(root, 3)
    third.rename(tmp_path / "later")
    (root / "archive").symlink_to(tmp_path / "unplugged")
    with pytest.raises(NotArchivedError):
        list(recover(root))
    (tmp_path / "later").rename(third)
    with pytest.raises(NotArchivedError, match="cannot take segment 1"):
        list(recover(root))
    assert tape.tables() == recorded(root)
    assert 3 == len(folder.segments(root))
    assert [] == verify(root).flaws
    assert folder.load(root) == resume(root)
    (tmp_path / "unplugged").mkdir()
    assert [0, 0, 0] == [len(done.files) for done in recover(root)]
    assert whole(root, tape)
    assert [1, 2, 3] == [one.number for one in archived(root)]


def test_the_command_mends_and_then_says_that_the_archive_is_not_there(root, tmp_path):
    archiving(root, whole_tape(3))
    (root / "archive").symlink_to(tmp_path / "unplugged")
    code, output, errors = asyncio.run(run("recover", str(root)))
    assert (1, 1) == (code, len(errors.splitlines()))
    assert "cannot take segment 1, which stays in the journal" in errors
    assert output.startswith("3 segments: ")


def test_what_waits_for_the_archive_alone_is_no_tail_and_mends_what_is_damaged(root, tmp_path):
    tape = whole_tape(3)
    archiving(root, tape)
    (root / "archive").symlink_to(tmp_path / "unplugged")
    with pytest.raises(NotArchivedError):
        list(recover(root))
    assert [] == unrendered(root)
    assert date.max == horizon(root).first
    largest = max(root.glob("level1/date=*/*"), key=lambda path: path.stat().st_size)
    largest.write_bytes(largest.read_bytes()[:-100])
    assert {"unreadable", "missing"} == {flaw.kind for flaw in verify(root).flaws}
    done = mend(root)
    assert (0, tape.tables()) == (done.lost, recorded(root))


def test_a_segment_that_was_published_is_not_read_again_at_every_flush(root, tmp_path):
    archiving(root, whole_tape(3))
    (root / "archive").symlink_to(tmp_path / "unplugged")
    told = recover(root)
    assert ["00000001", "00000002", "00000003"] == [next(told).segment[:8] for _ in range(3)]
    with pytest.raises(NotArchivedError):
        next(told)
    told = recover(root)
    assert "00000001.journal" == next(told).segment
    with pytest.raises(NotArchivedError):
        next(told)


def test_behind_a_segment_that_the_archive_cannot_take_the_others_wait_too(root):
    """The journal is what is behind the tables, without holes: who reads both relies on it."""
    tape = Tape(ts=NOON + 12 * 3600 * 1_000_000 - 20_000)
    tape.open(AAPL=(3, "level1"))
    tape.roll()
    for number in range(50):
        tape.read(bid(number))
    tape.roll()
    tape.read(bid(99))
    archiving(root, tape)
    (root / "archive").mkdir()
    (root / "archive" / "date=2026-11-22").touch()
    with pytest.raises(NotArchivedError):
        list(recover(root))
    assert (3, []) == (len(folder.segments(root)), archived(root))
    assert tape.tables() == recorded(root)
    assert [] == verify(root).flaws
    (root / "archive" / "date=2026-11-22").unlink()
    list(recover(root))
    assert whole(root, tape)


def test_an_old_segment_that_stays_does_not_turn_the_state_back(root, tmp_path):
    tape = Tape()
    tape.open(AAPL=(3, "level1"))
    tape.roll()
    tape.subscribe(ES=(4, "depth"))
    tape.control("gap_start", **GAP)
    tape.read(bid(2))
    archiving(root, tape)
    first = folder.segment_path(root, 1).read_bytes()
    list(recover(root))
    shutil.rmtree(root / "archive")
    (root / "archive").symlink_to(tmp_path / "unplugged")
    folder.segment_path(root, 1).write_bytes(first)
    with pytest.raises(NotArchivedError):
        list(recover(root))
    assert folder.load(root) == resume(root)


def test_what_a_killed_renderer_left_staged_in_the_archive_is_written_over(root):
    tape = whole_tape(3)
    archiving(root, tape)
    (root / "archive").mkdir()
    (root / "archive" / ".staged").write_bytes(b"half of something")
    list(recover(root))
    assert whole(root, tape)
    assert ["date=2026-11-22"] == names(root / "archive")


@pytest.mark.parametrize(
    "name",
    [
        "date=2026-11-22/copy of 00000003.journal.zst",
        "date=2026-11-22/3.journal.zst",
        "date=2026-11-22/.journal.zst",
        "date=20261122/00000003.journal.zst",
        "date=2026-13-45/00000003.journal.zst",
        "date=/00000003.journal.zst",
    ],
)
def test_what_is_not_named_like_a_segment_is_none_of_the_archives(root, name):
    tape = whole_tape(3)
    list(recover(archiving(root, tape)))
    stray = root / "archive" / name
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"anything")
    for path in root.glob("level1/date=*/*"):
        path.unlink()
    assert [1, 2, 3] == [one.number for one in archived(root)]
    assert {"missing"} == {flaw.kind for flaw in verify(root).flaws}
    assert 0 == mend(root).lost
    assert whole(root, tape)
    assert b"anything" == stray.read_bytes()


def half(content):
    records = list(scan(content))
    return content[: 32 + sum(HEADER_SIZE + len(record.payload) for record in records[: len(records) // 2])]


def test_half_of_an_old_segment_does_not_take_the_place_of_the_whole_one(root):
    tape = whole_tape(10)
    list(recover(archiving(root, tape)))
    before = archived(root)[1].content()
    folder.segment_path(root, 2).write_bytes(half(before))
    list(recover(root))
    assert before == archived(root)[1].content()
    kept = root / "journal" / "set-aside" / "00000002-copy.journal"
    assert half(before) == kept.read_bytes()
    kept.unlink()
    assert whole(root, tape)


def test_an_archived_segment_that_does_not_read_is_kept_aside_where_its_bytes_come_again(root):
    list(recover(archiving(root, whole_tape(10))))
    one = archived(root)[1]
    content = one.content()
    one.path.write_bytes(b"not to be read")
    folder.segment_path(root, 2).write_bytes(content)
    list(recover(root))
    assert content == archived(root)[1].content()
    (kept,) = (root / "set-aside" / "archive").rglob("*.zst")
    assert b"not to be read" == kept.read_bytes()
    assert [] == folder.segments(root)


def test_a_segment_that_is_archived_already_goes(root):
    """Killed between the archive and the journal."""
    tape = whole_tape(10)
    list(recover(archiving(root, tape)))
    folder.segment_path(root, 2).write_bytes(archived(root)[1].content())
    list(recover(root))
    assert whole(root, tape)
    assert not (root / "journal" / "set-aside").exists()
