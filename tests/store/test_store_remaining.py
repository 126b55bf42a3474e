"""What is left below the numbers that retention took is counted, so that its loss is noticed."""

import errno
import subprocess
import sys
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from store.recordings import TODAY, files, put, recording, tick

from recorder.journal import folder
from recorder.store import Limits, compact, retain
from recorder.verify import verify

FUTURE = TODAY + timedelta(365)


def back(days):
    return TODAY - timedelta(days)


def notice(seq, day):
    return {"ts_recv": tick(0, day=day)["ts_recv"], "seq": seq, "symbol": None, "kind": "notice"}


@pytest.fixture
def root(tmp_path):
    """Five days of eight ticks, and two events that one file holds of each; the clock was a year ahead for a moment."""
    root, seq = recording(tmp_path / "data", next_seq=53), 1
    for day in (back(number) for number in range(5, 0, -1)):
        put(root, "level1", [tick(seq + number, day=day) for number in range(8)], day)
        put(root, "events", [notice(seq + 8, day), notice(seq + 9, day)], day)
        seq += 10
        if day == back(5):
            put(root, "level1", [tick(seq, day=FUTURE), tick(seq + 1, day=FUTURE)], FUTURE)
            seq += 2
    return root


def kept(root):
    checkpoint = folder.load(root)
    return checkpoint.kept_seq, checkpoint.kept_rows


def test_rows_of_a_day_to_come_and_events_are_counted(root):
    retain(root, 3, None, TODAY)
    assert (21, 2 + 2) == kept(root)
    assert [] == verify(root).flaws


def test_of_a_file_that_holds_numbers_on_both_sides_only_those_below_are_counted(root):
    put(root, "events", [notice(19, back(3)), notice(53, back(3))], back(3))
    retain(root, 3, None, TODAY)
    assert (21, 2 + 2 + 1) == kept(root)


@pytest.mark.parametrize(("table", "day"), [("level1", FUTURE), ("events", back(5))])
def test_a_loss_is_not_made_good_by_the_next_retention(root, table, day):
    retain(root, 3, None, TODAY)
    files(root, table, day)[0].unlink()
    assert 1 == len(verify(root).flaws)
    for days in (2, 1):
        retain(root, days, None, TODAY)
        assert 1 == len(verify(root).flaws)
    assert (41, 2 + 3 * 2) == kept(root)


def test_compaction_leaves_the_count_right(root):
    put(root, "events", [notice(52, back(5))], back(5))
    retain(root, 2, None, TODAY)
    before = kept(root)
    assert 1 == sum(1 for _ in compact(root, TODAY, Limits(linger=0)))
    assert [] == [flaw for flaw in verify(root).flaws if "retention" in flaw.text]
    assert before == kept(root)


@pytest.mark.parametrize("moved", [0, 1])
def test_who_is_killed_while_days_go_has_said_how_much_remains(root, monkeypatch, moved):
    """A kill is a rename that never comes back; whoever looks then finds nothing wrong, and the next night goes on."""
    left = [moved]
    rename = type(root).rename

    def killed(path, target):
        if "old" in str(target):
            if left[0] == 0:
                raise KeyboardInterrupt
            left[0] -= 1
        return rename(path, target)

    monkeypatch.setattr(type(root), "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        retain(root, 3, None, TODAY)
    monkeypatch.undo()
    assert (21, 4) == kept(root)
    assert [] == verify(root).flaws
    retain(root, 3, None, TODAY)
    assert (21, 4) == kept(root)
    assert [] == verify(root).flaws
    assert 4 == len(list((root / "level1").iterdir()))


def test_a_recording_of_before_the_count_is_counted_though_nothing_goes(root):
    retain(root, 3, None, TODAY)
    checkpoint = folder.load(root)
    checkpoint.kept_rows = None
    folder.save(root, checkpoint)
    assert [] == retain(root, 3, None, TODAY).gone
    assert (21, 4) == kept(root)


def cut(content):
    return content[:-4] + b"XXXX"


def no_text(content):
    """One bit of the footer flipped, so that a text in it is no UTF-8."""
    for at in range(len(content) - 8 - int.from_bytes(content[-8:-4], "little"), len(content) - 8):
        flipped = bytearray(content)
        flipped[at] ^= 0x80
        try:
            pq.ParquetFile(pa.BufferReader(bytes(flipped))).close()
        except UnicodeDecodeError:
            return bytes(flipped)
        except (OSError, pa.ArrowException):
            continue
    raise AssertionError


@pytest.mark.parametrize("spoilt", [cut, no_text])
def test_where_a_file_does_not_read_nobody_can_count_and_no_day_of_ticks_goes(root, spoilt):
    retain(root, 3, None, TODAY)
    files(root, "events", back(5))[0].unlink()
    before, (damaged,) = kept(root), files(root, "events", back(4))
    content = damaged.read_bytes()
    damaged.write_bytes(spoilt(content))
    found = retain(root, 2, None, TODAY)
    assert ([], None) == (found.gone, found.kept_from)
    assert f"{damaged}: does not read: " in found.uncounted
    assert before == kept(root)
    damaged.write_bytes(content)
    assert [back(3)] == [gone.day for gone in retain(root, 2, None, TODAY).gone]
    assert 1 == len(verify(root).flaws)


def test_who_may_delete_nothing_since_nobody_can_count_is_told_so_by_the_command_and_every_night(root):
    files(root, "level1", FUTURE)[0].unlink()  # the real clock is behind it
    (damaged,) = files(root, "events", back(5))
    damaged.write_bytes(no_text(damaged.read_bytes()))
    where = f"{damaged}: does not read: 'utf-8' codec"
    run = [sys.executable, "-m", "recorder.store", root, "--retain-days", "3", "--linger", "0"]
    done = subprocess.run(run, capture_output=True, text=True, timeout=60, check=False)
    assert (1, 1) == (done.returncode, len(done.stderr.splitlines()))
    assert done.stderr.startswith(f"no old day of ticks was deleted: {where}")
    run = [sys.executable, "-m", "recorder", "retain", root, "--days", "3", "--delete"]
    said = subprocess.run(run, capture_output=True, text=True, timeout=60, check=True).stdout
    assert said.startswith(f"nothing to delete\nkept: all days of ticks: {where}")


@contextmanager
def failing(monkeypatch, moved, error, place="old"):
    """What is moved to a place behind so many that were is not, once."""
    left = [moved]
    rename = type(Path()).rename

    def tried(path, target):
        if place in str(target):
            left[0] -= 1
            if left[0] == -1:
                raise error
        return rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(type(Path()), "rename", tried)
        yield


@pytest.mark.parametrize(("killed", "days", "moved"), [(1, 1, 0), (1, 1, 1), (1, 2, 0), (1, 3, 0), (2, 1, 0)])
def test_a_loss_is_not_made_good_by_days_that_were_to_go_when_somebody_was_killed(
    root, monkeypatch, killed, days, moved
):
    """Killed three times, also before the new count is there; the next night may keep as many days, more, or fewer."""
    retain(root, 3, None, TODAY)
    files(root, "events", back(5))[0].unlink()
    with failing(monkeypatch, moved, KeyboardInterrupt()), pytest.raises(KeyboardInterrupt):
        retain(root, killed, None, TODAY)
    for place in ("recording.json", "old"):
        with failing(monkeypatch, 0, KeyboardInterrupt(), place), suppress(KeyboardInterrupt):
            retain(root, days, None, TODAY)
    retain(root, days, None, TODAY)
    assert ["2 rows"] == [flaw.text[:6] for flaw in verify(root).flaws]
    assert [] == list((root / "staging").iterdir())


def test_a_loss_is_not_made_good_by_a_disk_that_was_full_for_a_moment(root, monkeypatch):
    retain(root, 3, None, TODAY)
    files(root, "events", back(5))[0].unlink()
    with (root / "journal" / "spare-1").open("wb") as spare:
        subprocess.run(["fallocate", "-n", "-l", "65536", spare.name], check=True)
    with failing(monkeypatch, 0, OSError(errno.ENOSPC, "full")):
        retain(root, 2, None, TODAY)
    assert ["2 rows"] == [flaw.text[:6] for flaw in verify(root).flaws]


def test_days_that_were_to_go_and_were_counted_since_are_no_loss_when_they_go(root, monkeypatch):
    with failing(monkeypatch, 0, KeyboardInterrupt()), pytest.raises(KeyboardInterrupt):
        retain(root, 3, None, TODAY)
    checkpoint = folder.load(root)
    checkpoint.kept_rows = checkpoint.kept_seq - 1 - 2  # as recover counts them; two were lost
    files(root, "events", back(5))[0].unlink()
    folder.save(root, checkpoint)
    retain(root, 3, None, TODAY)
    assert (21, 2) == kept(root)
    assert [] == verify(root).flaws


def test_a_row_that_is_in_two_files_is_no_loss_when_it_is_in_one(root):
    rows = [notice(9, back(5)), notice(10, back(5))]
    twice = put(root, "events", rows, back(5), numbers=(9, 11))
    retain(root, 3, None, TODAY)
    assert (21, 4) == kept(root)
    twice.unlink()
    assert [] == verify(root).flaws


def test_a_row_that_is_in_a_file_twice_counts_once(root):
    files(root, "events", back(5))[0].unlink()
    put(root, "events", [notice(9, back(5)), notice(10, back(5))] * 2, back(5))
    retain(root, 3, None, TODAY)
    assert (21, 4) == kept(root)


def test_of_files_that_overlap_only_numbers_below_are_counted(root):
    put(root, "events", [notice(number, back(3)) for number in (18, 53)], back(3))
    put(root, "events", [notice(number, back(3)) for number in (18, 19, 54)], back(3))
    retain(root, 3, None, TODAY)
    assert (21, 2 + 2 + 2) == kept(root)
