"""Lost rows of ``gaps`` and ``instruments``: made again once, or as their events tell them, or said to be lost."""

import asyncio
import datetime as dt

import pyarrow.parquet as pq
import pytest
from daemon import run
from rendered import bid, recorded, whole_tape, written
from tape import NOON, Tape

from recorder import partition
from recorder.journal import folder
from recorder.render import recover
from recorder.render.mend import mend
from recorder.render.publish import write
from recorder.store.compact import compact
from recorder.verify import verify

MIDNIGHT = NOON + 12 * 3600 * 1_000_000


def recording(root, tape, *, archive=False):
    written(root, tape)
    folder.adopt(root, archive=archive)
    list(recover(root))
    assert verify(root).flaws == []
    return root


def files(root, table):
    return sorted((root / table).glob("date=*/*.parquet"))


def at(micros):
    return dt.datetime.fromtimestamp(micros / 1e6, dt.UTC)


def gapped(tape, since, reason):
    """A gap that a stream is found to be in behind its last tick, and that the next tick ends."""
    own = {"symbol": "AAPL", "stream": "level1", "reason": reason, "text": reason, "code": 2103, **since}
    tape.control("gap_start", **own)
    tape.ts += 60_000_000
    tape.read(bid(9))
    tape.control("gap_end", **own, ts_end=tape.ts, seq_end=tape.seq - 1)


@pytest.fixture
def tape():
    """Three gaps of one stream, a file each."""
    tape = Tape()
    tape.open(AAPL=(3, "level1"), ES=(4, "depth"))
    for reason in ("farm", "no_data", "disconnected"):
        tape.read(bid(1))
        since = {"ts_start": tape.ts, "seq_start": tape.seq - 1}
        tape.ts += 30_000_000
        tape.control("notice", text="x")
        gapped(tape, since, reason)
        tape.roll()
    tape.seal()
    return tape


@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_gap_that_nothing_holds_any_more_is_as_its_events_tell_it(tape, tmp_path, which):
    root = recording(tmp_path / "data", tape)
    before = recorded(root)["gaps"]
    files(root, "gaps")[which].unlink()
    done = mend(root)
    after = sorted(recorded(root)["gaps"], key=lambda row: row["ts_start"])
    old, new = before.pop(which), after.pop(which)
    assert (done.retold, done.lost, after) == (1, 0, before)
    assert {name: old[name] for name in ("symbol", "stream", "reason", "code", "ts_start", "seq_start")} == {
        name: new[name] for name in ("symbol", "stream", "reason", "code", "ts_start", "seq_start")
    }
    assert old["ts_end"] <= new["ts_end"] <= old["ts_end"] + dt.timedelta(milliseconds=1)
    assert verify(root).flaws == []


def test_a_second_time_no_gap_is_told_again(tape, tmp_path):
    root = recording(tmp_path / "data", tape)
    for path in files(root, "gaps")[:2]:
        path.unlink()
    assert mend(root).retold == 2
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert mend(root).retold == 0
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before
    for path in files(root, "gaps"):
        path.unlink()
    assert mend(root).retold == 3
    assert verify(root).flaws == []


def test_a_gap_of_a_stream_that_never_ticked_begins_where_it_was_subscribed(tmp_path):
    tape = Tape()
    tape.open(AAPL=(3, "level1"))
    since = {"ts_start": tape.ts, "seq_start": tape.seq - 1}
    tape.ts += 3_600_000_000
    gapped(tape, since, "restart")
    root = recording(tmp_path / "data", tape)
    files(root, "gaps")[0].unlink()
    mend(root)
    (gap,) = recorded(root)["gaps"]
    assert (gap["ts_start"], gap["seq_start"]) == (at(since["ts_start"]), since["seq_start"])


def test_numbers_lost_within_such_a_gap_are_missed_all_the_same(tape, tmp_path):
    root = recording(tmp_path / "data", tape)
    files(root, "gaps")[1].unlink()
    mend(root)
    files(root, "level1")[1].unlink()
    assert {flaw.kind for flaw in verify(root).flaws} == {"missing"}


def test_contract_details_that_nothing_holds_are_said_to_be_lost(tmp_path):
    root = recording(tmp_path / "data", whole_tape(3))
    files(root, "instruments")[0].unlink()
    code, output, errors = asyncio.run(run("recover", str(root)))
    assert (code, errors) == (0, "")
    assert (
        "lost, and cannot be made again: contract details of AAPL, fetched at 2026-11-22 12:00:00" in output
    )
    assert "need no mending" not in output


def test_the_command_says_that_a_gap_was_told_again(tmp_path):
    root = recording(tmp_path / "data", whole_tape(3))
    files(root, "gaps")[0].unlink()
    _, output, _ = asyncio.run(run("recover", str(root)))
    assert "1 gap made again as far as the events tell of them" in output
    assert verify(root).flaws == []


def older(root, table, *columns):
    """The table's files as an older version wrote them."""
    for path in files(root, table):
        said, staged = partition.parse(path), root / "staging" / "older"
        write(staged, pq.ParquetFile(path).read().drop_columns(columns), table)
        path.unlink()
        crc = partition.checksum(staged)
        staged.rename(path.with_name(partition.name(said.first_seq, said.last_seq, crc, partition.COMPACTED)))


@pytest.fixture
def qualified():
    """Contract details on either side of midnight, of one segment."""
    tape = Tape(ts=MIDNIGHT - 8000)
    tape.open(AAPL=(3, "level1"))
    for n in range(8):
        own = {
            "symbol": f"S{n}",
            "con_id": 1000 + n,
            "sec_type": "STK",
            "price_magnifier": 1.0,
            "ib_symbol": f"S{n}",
        }
        tape.control("qualified", symbol=f"S{n}", instrument=own)
    tape.seal()
    return tape


def test_rows_of_an_older_version_are_not_made_again_beside_themselves(qualified, tmp_path):
    root = recording(tmp_path / "data", qualified, archive=True)
    older(root, "instruments", "price_magnifier", "ib_symbol")
    first, last = files(root, "instruments")
    gone = pq.ParquetFile(last).metadata.num_rows
    last.unlink()
    assert mend(root).rows == gone
    assert sorted(row["symbol"] for row in recorded(root)["instruments"]) == [f"S{n}" for n in range(8)]
    assert first.exists()
    assert verify(root).flaws == []


@pytest.mark.parametrize("table", ["gaps", "instruments"])
def test_rows_without_numbers_that_are_there_twice_are_told(tmp_path, table):
    root = recording(tmp_path / "data", whole_tape(3))
    (path,) = files(root, table)
    said = partition.parse(path)
    path.with_name(partition.name(said.first_seq, said.last_seq + 1, said.crc)).write_bytes(path.read_bytes())
    (flaw,) = verify(root).flaws
    assert flaw.kind == "twice"
    assert flaw.text.startswith(f"table {table}: ")
    assert flaw.text.endswith(": in 2 rows")


def test_a_row_that_is_there_twice_does_not_hide_that_another_is_missing(tape, tmp_path):
    root = recording(tmp_path / "data", tape)
    list(compact(root, dt.date(2020, 1, 1)))
    first, second, _ = files(root, "gaps")
    said = partition.parse(first)
    first.with_name(partition.name(said.first_seq, said.last_seq + 1, said.crc)).write_bytes(
        first.read_bytes()
    )
    second.unlink()
    assert sorted(flaw.kind for flaw in verify(root).flaws) == ["missing", "twice"]
    assert mend(root).retold == 1


def test_contract_details_of_a_segment_that_turns_up_whole_stand_beside_those_that_were_read(tmp_path):
    tape = Tape()
    tape.open(AAPL=(3, "level1"))
    for symbol in ("AAPL", "MSFT"):
        tape.control(
            "qualified", symbol=symbol, instrument={"symbol": symbol, "con_id": 1, "sec_type": "STK"}
        )
        tape.read(bid(2))
    tape.roll()
    tape.seal()
    root = written(tmp_path / "data", tape)
    segment = folder.segments(root)[0]
    whole = segment.read_bytes()
    segment.write_bytes(whole.replace(b'"qualified"', b'"qualifixd"', 1))
    list(recover(root))
    (root / "journal" / "set-aside" / segment.name).write_bytes(whole)
    mend(root)
    assert ["AAPL", "MSFT"] == sorted(row["symbol"] for row in recorded(root)["instruments"])
    assert [] == mend(root).files


def test_numbers_that_are_lost_are_in_a_gap_beside_one_told_again_of_the_same_numbers(tmp_path):
    tape = Tape()
    tape.open(AAPL=(3, "level1"))
    tape.roll()
    tape.read(bid(7))
    gapped(tape, {"ts_start": tape.ts, "seq_start": tape.seq - 1}, "farm")
    tape.read(bid(6))
    tape.roll()
    tape.read(bid(5))
    tape.seal()
    root = recording(tmp_path / "data", tape)
    files(root, "gaps")[0].unlink()
    mend(root)
    files(root, "events")[1].unlink()
    assert 2 == mend(root).lost
    assert [] == verify(root).flaws
