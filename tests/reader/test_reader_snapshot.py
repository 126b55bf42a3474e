"""Every row once: journal tails against files, a real journal being published, and days being compacted."""

import ctypes
import shutil
import struct
import threading
import time
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import recorder
from recorder import partition, schema
from recorder.journal import folder
from recorder.journal.writer import Journal
from recorder.reader.files import Vanished
from recorder.reader.moments import Span, moment
from recorder.reader.scan import scan
from recorder.reader.snapshot import Snapshot, reading
from recorder.render.recover import recover


@dataclass
class Tail:
    """A segment's rows, given."""

    first_seq: int
    last_seq: int | None
    rows: dict

    def table(self, name):
        return self.rows.get(name, schema.schema(name).empty_table())


def tick(seq, stamp="12:00"):
    return {"ts_recv": stamp, "seq": seq, "tick_type": 1, "price": float(seq)}


def seqs(tape, tails, **options):
    return scan(Snapshot(tape.root, tails), "level1", **options)["seq"].to_pylist()


@pytest.fixture
def tail(made):
    """The live segment from 5 on, read when it had two rows before midnight and one behind it."""
    rows = [tick(5, "2026-11-22 23:59"), tick(6, "2026-11-22 23:59"), tick(7, "2026-11-23 00:01")]
    return Tail(5, None, {"level1": made("level1", rows)})


def test_tails_follow_the_files(tape, tail):
    tape.write("level1", [tick(1), tick(4)])
    assert [1, 4, 5, 6, 7] == seqs(tape, [tail])


def test_a_segment_published_meanwhile_is_read_from_its_file(tape, tail):
    tape.write("level1", [tick(1), tick(4)])
    tape.write("level1", [tick(n, "2026-11-22 23:59") for n in (5, 6)])
    tape.write("level1", [tick(n, "2026-11-23 00:01") for n in (7, 8)])  # 8 came after the tail was read
    assert [1, 4, 5, 6, 7, 8] == seqs(tape, [tail])


def test_a_day_not_published_yet_still_comes_from_the_tail(tape, tail):
    tape.write("level1", [tick(n, "2026-11-22 23:59") for n in (5, 6)])
    assert [5, 6, 7] == seqs(tape, [tail])


def test_files_of_a_later_segment_leave_an_earlier_tail_alone(tape, made):
    tape.write("level1", [tick(8), tick(9)])
    sealed = Tail(5, 7, {"level1": made("level1", [tick(5), tick(7)])})
    assert [5, 7, 8, 9] == seqs(tape, [sealed])


def test_a_segment_published_and_compacted_meanwhile_counts_once(tape, tail):
    tape.write("level1", [tick(n, "2026-11-22 23:59") for n in (1, 4, 5, 6)])
    assert [1, 4, 5, 6, 7] == seqs(tape, [tail])


def test_a_compaction_around_a_segment_that_waits_hides_none_of_its_rows(tape, made):
    tape.write("level1", [tick(1), tick(9)])
    waiting = Tail(5, 7, {"level1": made("level1", [tick(5), tick(7)])})
    assert [1, 5, 7, 9] == seqs(tape, [waiting])


def test_rows_of_tails_are_pruned_like_those_of_files(tape, tail):
    span = Span(moment("2026-11-23"), None)
    assert [7] == seqs(tape, [tail], span=span)
    assert [] == seqs(tape, [tail], symbols=["MSFT"])


@pytest.mark.parametrize("table", ["gaps", "instruments"])
def test_tables_without_seq_go_by_the_numbers_of_their_segment(tape, made, table):
    gap, details = {"ts_end": "12:00", "ts_start": "11:00", "seq_end": 7}, {"ts_recv": "12:00"}
    rows = made(table, [gap if table == "gaps" else details])
    sealed = Tail(5, 9, {table: rows})
    assert 1 == len(scan(Snapshot(tape.root, [sealed]), table))
    part = tape.root / table / "date=2026-11-22"
    part.mkdir(parents=True)
    pq.write_table(rows, part / f"{5:019d}-{9:019d}.parquet")
    assert 1 == len(scan(Snapshot(tape.root, [sealed]), table))


# A real journal, published by the real renderer.

START = 1_795_341_600_000_000  # 2026-11-22 10:00:00


def frame(*fields):
    content = "".join(f"{field}\0" for field in fields).encode()
    return struct.pack(">I", len(content)) + content


@pytest.fixture
def journal(tmp_path):
    """A journal that was asked for one line's level 1, with request id 7."""
    root = tmp_path / "data"
    written = Journal(root, folder.create(root), fsync_seconds=0.2, clock=lambda: START)
    asked = {"kind": "subscribed", "req": 7, "symbol": "AAPL", "stream": "level1", "con_id": 1, "text": ""}
    written.control(asked, START)
    yield written
    written.close()


def write_tick(journal, number):
    journal.read(frame(1, 6, 7, 1, f"{number}.0", "5", 0), START + number, 0)
    journal.count(1)


def test_the_last_journalled_tick_is_seen_at_once(journal):
    db = recorder.open(journal.root)
    for number in range(5):
        write_tick(journal, number)
        found = db.level1("AAPL")
        assert [float(n) for n in range(number + 1)] == found["price"].tolist()
        assert number + 1 == db.sql("select count(*) as n from level1")["n"][0]
    assert ["subscribed"] == db.events()["kind"].tolist()
    assert 4.0 == db.quotes("AAPL")["bid"].iloc[-1]
    assert 5 == db.coverage()["rows"].sum()


def test_dtypes_do_not_tell_whether_a_row_is_in_parquet_yet(journal):
    write_tick(journal, 1)
    db = recorder.open(journal.root)
    before = db.level1()
    journal.roll(b"")
    list(recover(journal.root, before=journal.index))
    after = db.level1()
    assert before.equals(after)
    assert before.dtypes.to_dict() == after.dtypes.to_dict()


def exchange(one, other):
    """Swap two folders in one step."""
    libc = ctypes.CDLL(None, use_errno=True)
    done = libc.renameat2(-100, str(one).encode(), -100, str(other).encode(), 2)
    assert done == 0, ctypes.get_errno()


def compact(day, staging):
    """All files of a day as one, put in place of the day's folder."""
    files = sorted(day.glob("*.parquet"))
    if len(files) < 2:
        return
    whole = pa.concat_tables([pq.ParquetFile(path).read() for path in files]).sort_by(
        [("symbol", "ascending"), ("seq", "ascending")]
    )
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    numbers = [partition.parse(path) for path in files]
    name = partition.name(numbers[0].first_seq, numbers[-1].last_seq, 0, partition.COMPACTED)
    pq.write_table(whole, staging / name)
    exchange(staging, day)
    shutil.rmtree(staging)


def record(journal, stop):
    """Ticks without end; a segment is published every 40, and the day compacted every 5 segments."""
    number = 0
    while not stop.is_set():
        write_tick(journal, number)
        number += 1
        if number % 40 == 0:
            journal.roll(b"")
            list(recover(journal.root, before=journal.index))
        if number % 200 == 0:
            compact(journal.root / "level1" / "date=2026-11-22", journal.root / "staging" / "day")
        time.sleep(0.0002)


@pytest.mark.parametrize("how", ["level1", "sql"])
def test_readers_see_every_tick_once_while_it_is_published_and_compacted(journal, how):
    db, stop = recorder.open(journal.root), threading.Event()
    writer = threading.Thread(target=record, args=(journal, stop))
    writer.start()
    looks, began = 0, time.monotonic()
    try:
        while time.monotonic() - began < 2.5 or looks <= 10:
            written = journal.rows and journal.seq - 2  # the subscription has a number too
            query = "select price from level1 order by seq"
            found = db.level1("AAPL")["price"] if how == "level1" else db.sql(query)["price"]
            assert list(range(len(found))) == found.tolist()
            assert len(found) >= written - 1
            looks += 1
    finally:
        stop.set()
        writer.join()
    assert len(list((journal.root / "level1").rglob("*.parquet"))) > 0


def test_a_file_that_vanished_since_it_was_listed_makes_the_reading_start_over(tape):
    tape.write("level1", [tick(1, "2026-11-21 12:00"), tick(2, "2026-11-22 12:00")])
    looks = []

    def read(snapshot):
        listed = snapshot.files("level1")
        if not looks:
            shutil.rmtree(tape.root / "level1" / "date=2026-11-21")
        looks.append(len(listed))
        return scan(snapshot, "level1")

    assert [2] == reading(tape.root, read)["seq"].to_pylist()
    assert [2, 1] == looks


def test_a_recording_out_of_which_files_keep_vanishing_is_given_up(tape):
    def read(snapshot):
        (path,) = tape.write("level1", [tick(1)])
        snapshot.files("level1")
        path.unlink()
        return scan(snapshot, "level1")

    with pytest.raises(Vanished):
        reading(tape.root, read)
