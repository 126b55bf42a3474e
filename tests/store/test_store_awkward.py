"""Moments at which several who work on a recording meet, and clocks and copies that are not what they seem."""

import datetime as dt
import os
import subprocess
import sys

import pytest
from rendered import GAP, bid, recorded, whole_tape, written
from store.recordings import decoded_wrong, killed_behind_its_word, put, recording, spoilt_prices, tick
from tape import Tape, names

from recorder.capture.ledger import Ledger
from recorder.journal import folder
from recorder.journal.format import HEADER_SIZE, scan
from recorder.journal.writer import Journal, now
from recorder.render import recover
from recorder.render.archive import archived
from recorder.render.mend import mend
from recorder.store import Limits, compact, pending, retain
from recorder.store.again import again
from recorder.verify import verify

LATER = dt.date(2100, 1, 1)


def archiving(root, count=3):
    """A recording whose segments are all rendered and kept."""
    written(root, whole_tape(count))
    folder.adopt(root, archive=True)
    assert not any(done.lost for done in recover(root))
    return root


@pytest.mark.parametrize("swapped", [0, 1])
def test_a_compaction_behind_a_killed_rendering_again_finishes_that_first(tmp_path, monkeypatch, swapped):
    root = archiving(tmp_path / "data")
    right = recorded(root)
    spoilt_prices(root)
    decoded_wrong(root, "events", code=1)
    killed_behind_its_word(root, monkeypatch, swapped)
    list(compact(root, LATER, Limits(linger=0)))
    pending.roll_forward(root)
    assert right == recorded(root)
    assert [] == verify(root).flaws


def test_ticks_that_retention_took_do_not_come_back_from_the_archive(tmp_path):
    root = archiving(tmp_path / "data")
    day = next((root / "level1").iterdir()).name.removeprefix("date=")
    behind = dt.date.fromisoformat(day) + dt.timedelta(10)
    retain(root, 0, None, behind)
    again(root)
    assert [] == list(root.glob("level1/date=*/*.parquet"))
    assert [] == verify(root).flaws


def test_what_retention_left_of_an_older_day_is_rendered_again_like_any_other(tmp_path):
    root = archiving(tmp_path / "data")
    right = recorded(root)
    spoilt_prices(root)
    checkpoint = folder.load(root)
    checkpoint.kept_from = "2030-01-01"
    folder.save(root, checkpoint)
    again(root)
    assert right == recorded(root)
    assert [] == verify(root).flaws


def test_what_was_recorded_while_the_clock_was_years_behind_stays_until_its_neighbours_go(tmp_path):
    root, today, old = recording(tmp_path / "data", next_seq=71), dt.date(2026, 11, 22), dt.date(2020, 1, 1)
    for back in range(5, 0, -1):
        day = today - dt.timedelta(back)
        put(root, "level1", [tick(10 * (5 - back) + 1 + number, day=day) for number in range(10)], day)
    put(root, "level1", [tick(51 + number, day=old) for number in range(10)], old)
    put(root, "level1", [tick(61 + number, day=today) for number in range(10)], today)
    next((root / "level1" / "date=2026-11-20").iterdir()).unlink()
    assert [] == retain(root, 30, 7, today).gone
    assert ["missing"] == [flaw.kind for flaw in verify(root).flaws]
    assert 6 == len(retain(root, 0, 7, LATER).gone)


def test_a_copy_of_a_segment_is_kept_and_is_no_source_of_rows(tmp_path):
    root = archiving(tmp_path / "data", 10)
    content = archived(root)[1].content()
    records = list(scan(content))
    half = 32 + sum(HEADER_SIZE + len(record.payload) for record in records[: len(records) // 2])
    folder.segment_path(root, folder.load(root).next_segment).write_bytes(content[:half])
    list(recover(root))
    assert ["00000004-copy.journal"] == names(root / "journal" / "set-aside")
    before = recorded(root)
    for file in (root / "level1").glob("date=*/*.parquet"):
        spoilt = bytearray(file.read_bytes())
        spoilt[40] ^= 1
        file.write_bytes(spoilt)
    assert 0 == mend(root).lost
    assert before == recorded(root)


MENDING = """
import os, sys
from pathlib import Path
from recorder.render.mend import mend
os.setgid(65534)
os.setuid(65534)
mend(Path(sys.argv[1]))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="another user can only be had by root")
def test_a_file_that_may_not_be_read_is_not_taken_for_a_damaged_one(tmp_path):
    root = archiving(tmp_path / "data")
    for path in [root, *root.rglob("*")]:
        path.chmod(0o777)
    for parent in list(root.parents)[:-2]:
        parent.chmod(0o755)
    for path in (root / "level1").glob("date=*/*.parquet"):
        path.chmod(0)
    done = subprocess.run([sys.executable, "-c", MENDING, root], capture_output=True, text=True, check=False)
    assert "PermissionError" in done.stderr
    assert not (root / "set-aside").exists()


def test_an_old_segment_put_back_does_not_turn_the_state_back(tmp_path):
    tape = Tape()
    tape.open(AAPL=(3, "level1"))
    tape.read(bid(1))
    tape.roll()
    tape.subscribe(ES=(4, "depth"))
    tape.control("gap_start", **GAP)
    tape.read(bid(2))
    tape.seal()
    root = written(tmp_path / "data", tape)
    folder.adopt(root, archive=True)
    list(recover(root))
    folder.segment_path(root, 1).write_bytes(archived(root)[0].content())
    list(recover(root))
    checkpoint = folder.load(root)
    journal = Journal(root, checkpoint, fsync_seconds=1, clock=now)
    Ledger(journal).begin(checkpoint, "1")
    assert {("AAPL", "level1"), ("ES", "depth")} == set(journal.state.gaps)
    journal.close()
