"""``ib-recorder verify`` says whole of what is whole, and names what is not."""

import asyncio
import shutil

import pyarrow.parquet as pq
import pytest
from daemon import run
from rendered import bid, written
from tape import Tape

from recorder import partition
from recorder.journal import folder
from recorder.journal.writer import Journal, now
from recorder.render import recover
from recorder.verify import verify
from recorder.wire.layouts import TICK_PRICE, frame


def command(root):
    return asyncio.run(run("verify", str(root)))


@pytest.fixture
def recording(demo, tmp_path):
    return shutil.copytree(demo.root, tmp_path / "data")


def first_file(root, table):
    return min((root / table).glob("date=*/*.parquet"))


def kinds(root):
    return {flaw.kind for flaw in verify(root).flaws}


def test_the_demo_is_whole(recording):
    code, output, errors = command(recording)
    assert (code, errors) == (0, "")
    assert output.strip().startswith("whole; ")


def test_a_missing_file_is_missing_numbers_and_exit_1(recording):
    gone = first_file(recording, "level1")
    gone.unlink()
    code, output, _ = command(recording)
    assert code == 1
    assert "missing: numbers " in output
    assert "NOT whole" in output


def test_the_last_files_missing_are_noticed_too(recording):
    max((recording / "events").glob("date=*/*.parquet")).unlink()
    assert kinds(recording) == {"missing"}


def test_a_file_that_is_there_twice_is_rows_twice(recording):
    file = first_file(recording, "quotes")
    elsewhere = file.parent.parent / "date=1999-01-01"
    elsewhere.mkdir()
    shutil.copy(file, elsewhere)
    assert kinds(recording) == {"twice", "misplaced"}


def test_a_flipped_byte_of_any_column_is_never_whole(recording):
    file = first_file(recording, "trades")
    content = file.read_bytes()
    with pq.ParquetFile(file) as parquet:
        group = parquet.metadata.row_group(0)
        columns = [group.column(index) for index in range(group.num_columns)]
    ends = [min(at for at in _starts(column) if at) + column.total_compressed_size for column in columns]
    for column, end in zip(columns, ends, strict=True):
        hurt = bytearray(content)
        hurt[end - 1] ^= 0x10
        file.write_bytes(hurt)
        assert kinds(recording), f"last byte of {column.path_in_schema} flipped"


def _starts(column):
    return (column.dictionary_page_offset, column.data_page_offset)


def test_a_file_with_another_name_denies_its_rows(recording):
    file = first_file(recording, "midpoints")
    said = partition.parse(file)
    file.rename(file.with_name(partition.name(said.first_seq + 1, said.last_seq, said.crc)))
    assert "wrong" in kinds(recording)


def test_a_day_under_another_date_is_told(recording):
    (day,) = (recording / "level1").iterdir()
    day.rename(day.with_name("date=2020-02-29"))
    assert {"misplaced"} == kinds(recording)


def test_a_file_in_the_folder_of_another_table_is_told(recording):
    file = first_file(recording, "trades")
    file.rename(recording / "level1" / file.parent.name / file.name)
    verdict = verify(recording)
    assert ["misplaced"] == [flaw.kind for flaw in verdict.flaws]
    assert verdict.flaws[0].text.endswith(": holds rows of table trades; they belong into that one's folder")


def test_bytes_set_aside_are_told(recording):
    (recording / "journal" / "set-aside").mkdir()
    (recording / "journal" / "set-aside" / "00000001.journal").write_bytes(b"?")
    assert kinds(recording) == {"damaged"}


def subscriptions(root, *records):
    """A recording in which these happened, and one tick."""
    journal = Journal(root, folder.create(root), fsync_seconds=1, clock=now)
    journal.control({"kind": "opened"}, row=False)
    journal.read(frame("178", "now"), now(), 0)
    for record in records:
        journal.control(record)
    journal.read(TICK_PRICE.encode(1, {"tick_type": 1, "price": 1.0, "size": 1, "attribs": 1}), now(), 0)
    journal.count(1)
    return journal


SUBSCRIBED = {"kind": "subscribed", "symbol": "AAPL", "stream": "level1", "req": 1, "con_id": 5}
GAP = {"kind": "gap_start", "symbol": "AAPL", "stream": "level1", "reason": "disconnected", "code": None}


def test_a_hole_that_no_gap_covers_is_told(tmp_path):
    subscriptions(tmp_path, SUBSCRIBED, {"kind": "disconnected"}, SUBSCRIBED).close()
    assert kinds(tmp_path) == {"uncovered"}


def test_a_hole_in_a_gap_is_whole(tmp_path):
    gap = GAP | {"ts_start": 1, "seq_start": 1}
    subscriptions(tmp_path, SUBSCRIBED, {"kind": "disconnected"}, gap, SUBSCRIBED).close()
    assert kinds(tmp_path) == set()


def test_a_gap_whose_beginning_is_lost_covers_its_hole_by_its_end(tmp_path):
    ended = GAP | {"kind": "gap_end", "ts_start": 1, "seq_start": 1, "ts_end": 2, "seq_end": 3}
    subscriptions(tmp_path, SUBSCRIBED, {"kind": "disconnected"}, SUBSCRIBED, ended).close()
    assert kinds(tmp_path) == set()


def test_a_process_that_ended_without_a_word_leaves_a_hole_too(tmp_path):
    subscriptions(tmp_path, SUBSCRIBED, {"kind": "session_start"}, SUBSCRIBED).close()
    assert kinds(tmp_path) == {"uncovered"}


def test_what_is_still_in_the_journal_counts(tmp_path):
    journal = subscriptions(tmp_path, SUBSCRIBED)
    assert verify(tmp_path).flaws == []
    assert verify(tmp_path).rows == 2
    journal.close()
    list(recover(tmp_path))
    assert verify(tmp_path).flaws == []
    assert verify(tmp_path).rows == 2


def test_a_segment_gone_is_missed_though_the_next_has_no_rows_yet(tmp_path):
    tape = Tape()
    tape.open(AAPL=(3, "level1"))
    tape.read(bid(1))
    tape.roll()
    root = written(tmp_path / "data", tape)
    assert [] == verify(root).flaws
    folder.segments(root)[0].unlink()
    assert ["numbers 1 to 2: in no table (2 rows)"] == [flaw.text for flaw in verify(root).flaws]


def test_bytes_behind_the_last_page_are_held_against_the_name_too(recording):
    file = first_file(recording, "quotes")
    for at in (1, -2, -20):
        content = bytearray(file.read_bytes())
        content[at] ^= 4
        file.write_bytes(content)
        assert "unreadable" in kinds(recording)
        content[at] ^= 4
        file.write_bytes(content)
    assert kinds(recording) == set()


def test_a_file_of_format_1_says_nothing_of_its_bytes_and_is_read_whole(recording):
    file = first_file(recording, "level1")
    old = file.with_name(f"{file.stem.rsplit('-', 1)[0]}.parquet")
    file.rename(old)
    assert kinds(recording) == set()
    content = bytearray(old.read_bytes())
    content[len(content) // 3] ^= 1
    old.write_bytes(content)
    assert "unreadable" in kinds(recording)


@pytest.mark.parametrize("table", ["gaps", "instruments"])
def test_gaps_and_contract_details_that_the_events_tell_of_are_missed(recording, table):
    for file in (recording / table).glob("date=*/*.parquet"):
        file.unlink()
        assert kinds(recording) == {"missing"}
        break
    else:
        pytest.skip("the demo has none")


def test_a_file_that_somebody_put_there_is_a_note(recording):
    (recording / "level1" / "README.txt").write_text("mine")
    (first_file(recording, "quotes").parent / "notes.md").write_text("mine")
    verdict = verify(recording)
    assert (verdict.flaws, [note.kind for note in verdict.notes]) == ([], ["foreign", "foreign"])
    code, output, _ = command(recording)
    assert (code, output.count("foreign: ")) == (0, 2)


@pytest.mark.parametrize("name", ["copy.parquet", "{} (1).parquet", "deeper/{}.parquet"])
def test_a_copy_under_another_name_doubles_rows_for_who_reads_the_folder(recording, name):
    file = first_file(recording, "quotes")
    copy = file.parent / name.format(file.stem)
    copy.parent.mkdir(exist_ok=True)
    shutil.copy(file, copy)
    (flaw,) = verify(recording).flaws
    assert (flaw.kind, flaw.text.split(": ")[0]) == ("misplaced", str(copy))


def test_what_is_twice_is_told_with_the_files_it_stands_in(recording):
    file = first_file(recording, "quotes")
    whole = partition.parse(file)
    copy = file.with_name(partition.name(whole.first_seq, whole.last_seq, whole.crc, "copy"))
    shutil.copy(file, copy)
    for flaw in verify(recording).flaws:
        assert flaw.kind == "twice"
        assert {str(file), str(copy)} == set(flaw.text.split(" of ")[-1].split(", "))


def test_a_checksum_of_letters_alone_is_one(recording):
    file = first_file(recording, "quotes")
    whole = partition.parse(file)
    spoilt = file.rename(file.with_name(partition.name(whole.first_seq, whole.last_seq, 0xFEEDFACE)))
    assert partition.parse(spoilt).crc == 0xFEEDFACE
    assert kinds(recording) == {"unreadable", "missing"}


def test_parquet_files_set_aside_are_told(recording):
    aside = recording / "set-aside" / "level1" / "date=2026-11-22"
    aside.mkdir(parents=True)
    shutil.copy(first_file(recording, "level1"), aside)
    assert kinds(recording) == {"damaged"}


def test_what_retention_took_is_not_missed(recording):
    first_file(recording, "level1").unlink()
    checkpoint = folder.load(recording)
    checkpoint.kept_seq = checkpoint.next_seq
    folder.save(recording, checkpoint)
    assert kinds(recording) == set()


def test_damage_within_a_segment_that_waits_is_told(tmp_path):
    journal = subscriptions(tmp_path, SUBSCRIBED)
    journal.close()
    (path,) = folder.segments(tmp_path)
    content = bytearray(path.read_bytes())
    content[content.index(b"subscribed")] ^= 1
    path.write_bytes(content)
    assert kinds(tmp_path) == {"damaged", "missing"}
    list(recover(tmp_path))
    assert kinds(tmp_path) == {"damaged"}
    assert [note.kind for note in verify(tmp_path).notes] == ["lost"]
