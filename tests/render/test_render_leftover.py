"""A segment behind the checkpoint that still lies in the journal goes only when all its rows are in their tables."""

import datetime as dt
from pathlib import Path

import pytest
from rendered import bid, recorded, whole_tape, written
from tape import Tape, numbered

from recorder.journal import folder
from recorder.render import recover
from recorder.render.mend import mend
from recorder.store.compact import compact
from recorder.verify import verify


@pytest.fixture
def root(tmp_path):
    """All is in the tables, and all segments are in the journal still: an archive that is off now did not take them."""
    tape = whole_tape(3)
    root = written(tmp_path / "data", tape)
    list(recover(root))
    return back(root, tape)


def back(root, tape):
    for number, content in enumerate(tape.contents(), 1):
        folder.segment_path(root, number).write_bytes(content)
    return root


def files(root, table):
    return sorted((root / table).glob("date=*/*.parquet"))


def flipped(path):
    content = bytearray(path.read_bytes())
    content[40] ^= 1
    path.write_bytes(content)


def deleted(path):
    path.unlink()


@pytest.mark.parametrize("compacted", [False, True])
def test_a_segment_whose_rows_are_all_in_their_tables_goes(root, compacted):
    if compacted:
        list(compact(root, dt.date(2026, 11, 25)))
    before = recorded(root)
    list(recover(root))
    assert [] == folder.segments(root)
    assert before == recorded(root)
    assert [] == verify(root).flaws


def test_a_segment_without_rows_goes(tmp_path):
    tape = whole_tape(1)
    tape.roll()
    tape.roll()
    tape.read(bid(6))
    root = written(tmp_path / "data", tape)
    *_, empty, last = folder.segments(root)
    content = empty.read_bytes()
    list(recover(root, before=folder.number(last)))
    empty.write_bytes(content)
    list(recover(root))
    assert [] == folder.segments(root)
    assert not (root / "journal" / "set-aside").exists()


@pytest.mark.parametrize("compacted", [False, True])
@pytest.mark.parametrize("hurt", [flipped, deleted])
@pytest.mark.parametrize("table", ["level1", "events", "other", "gaps", "instruments"])
def test_a_segment_of_which_a_row_is_in_no_table_mends_what_is_lost(root, table, hurt, compacted):
    if compacted:
        list(compact(root, dt.date(2026, 11, 25)))
    before = recorded(root)
    hurt(max(files(root, table), key=lambda path: path.stat().st_size))
    list(recover(root))
    assert [] == folder.segments(root)
    mend(root)
    assert before == recorded(root)


def test_a_row_whose_file_was_gone_before_its_day_was_compacted_is_not_taken_to_be_there(root):
    before = recorded(root)
    deleted(files(root, "trades")[0])
    list(compact(root, dt.date(2026, 11, 25)))
    list(recover(root))
    mend(root)
    assert before == recorded(root)


def test_a_damaged_file_without_a_checksum_holds_no_row_either(root):
    before = recorded(root)
    path = max(files(root, "level1"), key=lambda path: path.stat().st_size)
    flipped(path)
    path.rename(path.with_name(f"{path.name[:39]}.parquet"))
    list(recover(root))
    mend(root)
    assert before == recorded(root)


@pytest.mark.parametrize(("table", "other"), [("gaps", "level1"), ("level1", "gaps")])
def test_a_file_in_another_tables_folder_holds_no_row_of_that(root, table, other):
    before = recorded(root)
    path = max(files(root, table), key=lambda path: path.stat().st_size)
    moved = path.rename(root / other / path.parent.name / path.name)
    list(recover(root))
    assert [] == folder.segments(root)
    moved.unlink()
    mend(root)
    assert before == recorded(root)


@pytest.mark.parametrize("table", ["level1", "gaps"])
def test_a_segment_that_the_archive_takes_goes_whatever_is_lost(root, table):
    folder.adopt(root, archive=True)
    before = recorded(root)
    deleted(files(root, table)[0])
    list(recover(root))
    assert [] == folder.segments(root)
    assert not (root / "journal" / "set-aside").exists()
    mend(root)
    assert before == recorded(root)


def test_segments_that_stayed_though_their_rows_are_there_cost_one_reading_of_the_files(
    tmp_path, monkeypatch
):
    tape = Tape()
    tape.open(AAPL=(3, "level1"))
    for n in range(20):
        tape.read(bid(n) * 9)
        tape.control(
            "qualified", symbol="AAPL", instrument={"symbol": "AAPL", "con_id": n, "sec_type": "STK"}
        )
        tape.roll()
    tape.seal()
    root = written(tmp_path / "data", tape)
    list(recover(root))
    list(compact(root, dt.date(2026, 11, 25)))
    back(root, tape)
    opened, path_open = [], Path.open
    monkeypatch.setattr(
        Path, "open", lambda path, *how, **more: opened.append(path) or path_open(path, *how, **more)
    )
    list(recover(root))
    assert [] == folder.segments(root)
    assert dict.fromkeys(root.glob("*/date=*/*"), 1) == {
        path: opened.count(path) for path in opened if path.suffix == ".parquet"
    }
    assert len(numbered(recorded(root))) == tape.seq - 1
