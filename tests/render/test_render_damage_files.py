"""A published file that is damaged or gone is found, set aside, made again from what is kept, or put into a gap."""

import asyncio
import datetime as dt
import shutil

import pytest
from daemon import run
from rendered import recorded, whole_tape, written
from tape import NOON, Tape, names, numbered

from recorder import partition, schema
from recorder.journal import folder, stated
from recorder.journal.folder import NotARecordingError
from recorder.render import recover
from recorder.render.archive import archived
from recorder.render.mend import mend
from recorder.store.compact import compact
from recorder.verify import verify

MIDNIGHT = NOON + 12 * 3600 * 1_000_000


def recording(root, *, archive):
    """Everything of a tape in Parquet; with an archive or without."""
    written(root, whole_tape(3))
    folder.adopt(root, archive=archive)
    assert not any(done.lost for done in recover(root))
    return root


@pytest.fixture
def root(tmp_path):
    return recording(tmp_path / "data", archive=False)


@pytest.fixture
def kept(tmp_path):
    return recording(tmp_path / "data", archive=True)


def files(root, table):
    return sorted((root / table).glob("date=*/*.parquet"))


def kinds(root):
    return {flaw.kind for flaw in verify(root).flaws}


def largest(root, table):
    return max(files(root, table), key=lambda path: path.stat().st_size)


def truncated(path):
    path.write_bytes(path.read_bytes()[:-100])


def flipped(path):
    content = bytearray(path.read_bytes())
    content[40] ^= 1
    path.write_bytes(content)


def emptied(path):
    path.write_bytes(b"")


HURTS = [truncated, flipped, emptied]


@pytest.mark.parametrize("hurt", HURTS)
@pytest.mark.parametrize("table", schema.TABLES)
def test_a_damaged_file_is_set_aside_and_made_again_from_the_archive(kept, table, hurt):
    if not files(kept, table):
        pytest.skip("a table that the tape has no rows for")
    before, file = recorded(kept), largest(kept, table)
    hurt(file)
    bytes_of = file.read_bytes()
    assert "unreadable" in kinds(kept)
    done = mend(kept)
    assert [path.relative_to(kept) for path in done.moved] == ["set-aside" / file.relative_to(kept)]
    assert done.moved[0].read_bytes() == bytes_of
    assert (recorded(kept), done.lost) == (before, 0)
    assert kinds(kept) == {"damaged"}
    shutil.rmtree(kept / "set-aside")
    assert verify(kept).flaws == []


def test_files_that_are_gone_are_made_again_from_the_archive(kept):
    before = recorded(kept)
    for table in schema.TABLES:
        for path in files(kept, table):
            path.unlink()
            assert kinds(kept) == {"missing"}
            mend(kept)
            assert recorded(kept) == before
            assert verify(kept).flaws == []


def test_everything_gone_at_once_comes_back(kept):
    before = recorded(kept)
    for table in schema.TABLES:
        shutil.rmtree(kept / table, ignore_errors=True)
    mend(kept)
    assert (recorded(kept), verify(kept).flaws) == (before, [])


@pytest.mark.parametrize("hurt", [*HURTS, lambda path: path.unlink()])
def test_what_nothing_holds_any_more_is_in_a_gap(root, hurt):
    before, file = recorded(root), largest(root, "level1")
    hurt(file)
    done = mend(root)
    after = recorded(root)
    gone = {row["seq"] for row in before["level1"]} - {row["seq"] for row in after["level1"]}
    gaps = [row for row in after["gaps"] if row["reason"] == "damaged"]
    at = {seq: row["ts_recv"] for seq, _, row in numbered(after)}
    assert done.lost == len(gone) > 5
    wanted = {("AAPL", "level1"), ("ES", "depth"), ("INTC", "trades")}
    assert {(row["symbol"], row["stream"]) for row in gaps} == wanted
    for row in gaps:
        assert (row["ts_start"], row["ts_end"]) == (at[row["seq_start"]], at[row["seq_end"]])
    inside = {seq for row in gaps for seq in range(row["seq_start"] + 1, row["seq_end"])}
    assert inside == gone
    assert {note.kind for note in verify(root).notes} == {"lost"}
    assert kinds(root) == ({"damaged"} if done.moved else set())


@pytest.mark.parametrize("archive", [False, True])
def test_a_second_time_there_is_nothing_to_do(tmp_path, archive):
    root = recording(tmp_path / "data", archive=archive)
    flipped(largest(root, "level1"))
    largest(root, "trades").unlink()
    mend(root)
    state = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    again = mend(root)
    assert (again.moved, again.files, again.rows, again.lost) == ([], [], 0, 0)
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == state


def test_a_segment_that_was_set_aside_is_a_source_too(kept):
    before = recorded(kept)
    one = archived(kept)[1]
    aside = kept / "journal" / "set-aside"
    aside.mkdir()
    (aside / f"{one.number:08d}.journal").write_bytes(one.content())
    one.path.unlink()
    largest(kept, "level1").unlink()
    assert mend(kept).lost == 0
    assert recorded(kept) == before


def test_what_retention_took_is_neither_missing_nor_looked_for(kept):
    for table in schema.MARKET_TABLES:
        for path in files(kept, table):
            if partition.parse(path).last_seq < 10:
                path.unlink()
    checkpoint = folder.load(kept)
    checkpoint.kept_seq, checkpoint.kept_from = 10, "2026-11-22"
    folder.save(kept, checkpoint)
    done = mend(kept)
    assert [] == done.files
    assert verify(kept).flaws == []


def test_a_damaged_gap_that_is_gone_is_written_again(root):
    largest(root, "level1").unlink()
    mend(root)
    (file,) = (root / "gaps").glob("date=*/*-damaged-*.parquet")
    content = file.read_bytes()
    file.unlink()
    mend(root)
    assert file.read_bytes() == content


def test_a_file_of_a_newer_format_is_refused_and_nothing_touched(root, monkeypatch):
    monkeypatch.setattr("recorder.render.publish.FORMAT", 9)
    other = recording(root.with_name("newer"), archive=False)
    monkeypatch.undo()
    flipped(largest(other, "depth"))
    state = {path: path.read_bytes() for path in other.rglob("*") if path.is_file()}
    with pytest.raises(NotARecordingError, match=r"of format 9; this version reads up to 2: update"):
        mend(other)
    assert {path: path.read_bytes() for path in other.rglob("*") if path.is_file()} == state
    assert "unreadable" in kinds(other)


def test_the_command_says_what_it_did(kept):
    flipped(largest(kept, "level1"))
    code, output, errors = asyncio.run(run("recover", str(kept)))
    assert (code, errors) == (0, "")
    assert "damaged, set aside: set-aside/level1/date=2026-11-22/" in output
    assert "rows made again from what is kept" in output
    assert names(kept / "staging") == []


def test_the_command_makes_recording_json_again_from_its_copy(kept):
    (kept / stated.FIRST).unlink()
    assert kinds(kept) == {"damaged"}
    code, output, errors = asyncio.run(run("recover", str(kept)))
    assert (code, errors) == (0, "")
    assert "put right, for it was lost, spoilt, or older than the tables: recording.json" in output
    assert kinds(kept) == set()


def test_a_journal_that_is_gone_with_all_it_held_is_made_again(kept):
    shutil.rmtree(kept / "journal")
    assert kinds(kept) == {"damaged"}
    code, _, errors = asyncio.run(run("recover", str(kept)))
    assert (code, errors) == (0, "")
    assert kinds(kept) == set()


def test_rows_below_what_retention_kept_are_not_lost(root):
    (first, *_) = files(root, "level1")
    first.unlink()
    checkpoint = folder.load(root)
    checkpoint.kept_seq = partition.parse(first).last_seq + 1
    folder.save(root, checkpoint)
    done = mend(root)
    assert (done.lost, done.files, verify(root).flaws) == (0, [], [])


@pytest.mark.parametrize("compacted", [False, True])
def test_of_several_gaps_of_a_stream_only_the_missing_one_is_written_again(tmp_path, compacted):
    root, tape = tmp_path / "data", Tape(ts=MIDNIGHT - 30_000)
    tape.open(AAPL=(3, "level1"))
    for at in (-25_000, -20_000, 5000):
        gap = {
            "symbol": "AAPL",
            "stream": "level1",
            "reason": "farm",
            "code": None,
            "ts_start": MIDNIGHT + at,
        }
        tape.control("gap_start", **gap, seq_start=1)
        tape.control("gap_end", **gap, seq_start=1, ts_end=MIDNIGHT + at + 1, seq_end=tape.seq)
        tape.roll()
        tape.ts += 10_000
    written(root, tape)
    folder.adopt(root, archive=True)
    list(recover(root))
    if compacted:
        list(compact(root, dt.date(2026, 11, 25)))
    before = recorded(root)
    assert len(before["gaps"]) == 3
    files(root, "gaps")[-1].unlink()
    mend(root)
    assert recorded(root) == before
