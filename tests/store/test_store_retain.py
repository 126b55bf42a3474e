"""Days older than is to be kept go, after the recording has said so; nothing else does."""

import json
import shutil
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta

import pytest
from store.recordings import DAY, TODAY, files, put, recording, tick
from tape import NOON, Tape, names

import recorder
from recorder import partition
from recorder.journal import folder
from recorder.journal.lock import RootInUseError
from recorder.render import recover
from recorder.store import pending, plan, retain
from recorder.store.swap import compacting
from recorder.verify import verify
from recorder.wire.layouts import frame


@pytest.fixture
def root(tmp_path):
    return recording(tmp_path / "data")


def back(days):
    return TODAY - timedelta(days)


def filled(root, days=5):
    """A file a day and table for the days before today, the oldest first; numbers 10, 20, ... end a day."""
    for number in range(days):
        day = back(days - number)
        put(root, "level1", [tick(10 * number + 1, day=day), tick(10 * number + 9, day=day)], day)
        quote = {"ts_recv": tick(0, day=day)["ts_recv"], "seq": 10 * number + 10, "symbol": "A"}
        put(root, "quotes", [quote], day)
        put(root, "events", [quote | {"kind": "notice"}], day)
        put(root, "gaps", [gap(day)], day, numbers=(10 * number + 1, 10 * number + 99))
    return root


def gap(day):
    began, ended = (datetime(day.year, day.month, day.day, hour, tzinfo=UTC) for hour in (9, 10))
    ends = {"ts_start": began, "ts_end": ended, "seq_start": 0, "seq_end": 1}
    return {"symbol": "AAPL", "stream": "level1", "reason": "farm", **ends}


def archived(root, day, *kept):
    where = root / "archive" / f"date={day}"
    where.mkdir(parents=True)
    for name in kept:
        (where / name).write_bytes(b"x" * 7)
    return where


def test_what_would_go_is_said_and_nothing_happens(root):
    filled(root)
    archived(root, back(3), "00000001.journal.zst")
    before = sorted(root.rglob("*"))
    found = plan(root, 3, 2, TODAY)
    assert [
        ("level1", back(5)), ("level1", back(4)), ("quotes", back(5)), ("quotes", back(4)), ("archive", back(3)),
    ] == [(gone.table, gone.day) for gone in found.gone]  # fmt: skip
    sizes = sum(path.stat().st_size for gone in found.gone for path in gone.files)
    assert (sizes, back(3), 21) == (found.bytes, found.kept_from, found.kept_seq)
    assert before == sorted(root.rglob("*"))


def test_old_days_of_ticks_go_and_the_recording_says_up_to_where(root):
    filled(root)
    retain(root, 3, None, TODAY)
    for table in ("level1", "quotes"):
        assert [f"date={back(n)}" for n in (3, 2, 1)] == names(root / table)
    assert [5, 5] == [len(names(root / table)) for table in ("events", "gaps")]
    checkpoint = folder.load(root)
    assert (back(3).isoformat(), 21) == (checkpoint.kept_from, checkpoint.kept_seq)
    assert [] == names(root / "staging")
    assert [] == retain(root, 3, None, TODAY).gone


def test_the_horizon_never_goes_back(root):
    filled(root)
    retain(root, 2, None, TODAY)
    put(root, "level1", [tick(5, day=back(9))], back(9))
    retain(root, 5, None, TODAY)
    checkpoint = folder.load(root)
    assert (back(2).isoformat(), 31) == (checkpoint.kept_from, checkpoint.kept_seq)
    assert [] == files(root, day=back(9))


def test_where_nothing_goes_nothing_is_said(root):
    filled(root)
    before = (root / "recording.json").read_bytes()
    assert [] == retain(root, 5, 5, TODAY).gone
    assert before == (root / "recording.json").read_bytes()


def test_a_day_still_in_the_journal_stays_with_all_its_tables(root):
    filled(root)
    (segment,) = Tape(ts=int(datetime(*back(4).timetuple()[:3], 12, tzinfo=UTC).timestamp() * 1e6)).contents()
    folder.segment_path(root, 1).write_bytes(segment)
    found = retain(root, 1, None, TODAY)
    assert [back(4), back(3), back(2)] == found.waiting
    assert {back(5)} == {gone.day for gone in found.gone}


def test_a_day_with_numbers_behind_the_checkpoint_stays_with_all_its_tables(root):
    filled(root)
    put(root, "level1", [tick(1_000_000, day=back(5))], back(5))
    assert {back(4)} == {gone.day for gone in retain(root, 3, None, TODAY).gone}
    assert 2 == len(files(root, "level1", back(5)))
    assert 1 == len(files(root, "quotes", back(5)))


@pytest.mark.parametrize("ahead", [timedelta(20), timedelta(30_000)], ids=["weeks", "decades"])
def test_a_clock_that_is_ahead_costs_no_day_of_those_that_are_to_be_kept(root, ahead):
    filled(root, 12)
    for day in range(12, 0, -1):
        archived(root, back(day), f"{day:08d}.journal.zst")
    (partition.folder(root, "level1", back(0))).mkdir()  # holds nothing, so it is no day that is recorded
    put(root, "level1", [tick(999, day=date(2150, 1, 1))], date(2150, 1, 1))  # nor is one that is yet to come
    found = retain(root, 4, 7, TODAY + ahead)
    assert [back(day) for day in range(7, 0, -1)] == [
        date.fromisoformat(name.removeprefix("date=")) for name in names(root / "archive")
    ]
    kept = [f"date={back(day)}" for day in range(4, 0, -1)]
    assert kept == names(root / "quotes")
    assert [back(day) for day in range(7, 0, -1)] == found.spared
    assert 12 == len(names(root / "events"))


def test_with_the_right_clock_days_go_by_their_age_also_where_ticks_come_on_workdays_alone(root):
    filled(root, 12)
    for weekend in (6, 5):
        shutil.rmtree(partition.folder(root, "level1", back(weekend)))
        shutil.rmtree(partition.folder(root, "quotes", back(weekend)))
    retain(root, 7, None, TODAY)
    assert [f"date={back(day)}" for day in (7, 4, 3, 2, 1)] == names(root / "level1")


@pytest.mark.parametrize("days", [999_999, 10**30])
def test_more_days_than_there_ever_were_are_all(root, days):
    filled(root)
    archived(root, back(3), "00000001.journal.zst")
    assert [] == retain(root, days, days, TODAY).gone
    assert (0, [], "") == nightly(
        root, "--archive-days", f"{days}", "--retain-days", f"{days}", "--linger", "9"
    )


def test_a_file_that_is_called_like_a_day_is_none_of_ours(root):
    for seq in (1, 2):
        put(root, "level1", [tick(seq)])
    for table in ("bars", "archive"):
        (root / table).mkdir()
        (root / table / "date=2025-03-01").write_text("mine")
    returned, done, errors = nightly(root, "--archive-days", "0", "--retain-days", "400", "--linger", "0")
    assert (0, [1], "") == (returned, [one["files"] for one in done], errors)
    assert [] == partition.listed(root, "bars")


@pytest.mark.parametrize("name", ["date=20200101", "date=2020-W01-1"])
def test_a_folder_that_is_called_like_a_day_in_another_way_is_none_of_ours(root, name):
    filled(root)
    for table in ("level1", "archive"):
        (root / table / name).mkdir(parents=True)
    assert [] == retain(root, 5, 5, TODAY).gone
    assert (0, 2) == (nightly(root, "--linger", "0")[0], len(list(root.glob(f"*/{name}"))))


def test_a_segment_that_comes_to_an_archived_day_while_it_goes_stays(root, monkeypatch):
    filled(root)
    where = archived(root, back(5), "00000001.journal.zst")
    unlink = type(where).unlink

    def unlinked(path, missing_ok=False):
        unlink(path, missing_ok=missing_ok)
        if path.name == "00000001.journal.zst":
            (where / "00000002.journal.zst").write_bytes(b"x")

    monkeypatch.setattr(type(where), "unlink", unlinked)
    found = retain(root, 3, 3, TODAY)
    assert ["00000002.journal.zst"] == names(where)
    assert 1 == sum(1 for gone in found.gone if gone.table == "archive")
    assert [f"date={back(n)}" for n in (3, 2, 1)] == names(root / "level1")


def test_a_footer_that_is_no_text_fails_its_day_and_no_other(root):
    """Of format 1, for there no checksum speaks before the footer does."""
    for day in (DAY, DAY + timedelta(1)):
        for seq in (1, 2):
            put(root, "level1", [tick(seq, day=day)], day)
    path = files(root)[0]
    content = bytearray(path.read_bytes())
    path.unlink()
    content[content.index(b"price", -int.from_bytes(content[-8:-4], "little") - 8)] ^= 0x80
    (path.parent / f"{1:019d}-{1:019d}.parquet").write_bytes(content)
    returned, done, errors = nightly(root, "--linger", "0")
    assert (1, [str(DAY + timedelta(1))]) == (returned, [one["day"] for one in done])
    assert f"level1 {DAY}: " in errors
    assert (1, True) == (len(errors.splitlines()), "damaged: 'utf-8' codec" in errors)


def test_what_cannot_be_finished_here_is_one_line(root):
    """A folder and one within it: no kernel exchanges these."""
    word = pending._word([pending.Swap("staging", ["from-archive", "from-archive.json"], [])])
    (root / folder.SWAPPING).write_text(json.dumps(word))
    returned, done, errors = nightly(root)
    assert (1, []) == (returned, done)
    assert "this filesystem cannot exchange two folders in one step\n" == errors


def test_today_stays_however_little_is_kept(root):
    put(root, "level1", [tick(1, day=TODAY)], TODAY)
    assert [] == retain(root, 0, 0, TODAY).gone


def test_a_foreign_file_stays_where_it_is(root):
    filled(root)
    foreign = partition.folder(root, "level1", back(5)) / "notes.txt"
    foreign.write_text("mine")
    aside = archived(root, back(5), "00000001.journal.zst", "1.journal.zst")
    found = retain(root, 3, 3, TODAY)
    assert {("level1", ("notes.txt",)), ("archive", ("1.journal.zst",))} == {
        (gone.table, gone.foreign) for gone in found.gone if gone.foreign
    }
    assert ["notes.txt"] == names(foreign.parent)
    assert ["1.journal.zst"] == names(aside)
    assert [] == retain(root, 3, 3, TODAY).gone


def test_days_of_the_archive_go_by_their_own_age(root):
    filled(root)
    for n in (3, 2, 1):
        archived(root, back(n), "00000001.journal.zst", "00000002.journal.zst")
    assert [("archive", back(3), 14)] == [
        (gone.table, gone.day, gone.bytes) for gone in retain(root, None, 2, TODAY).gone
    ]
    assert [f"date={back(n)}" for n in (2, 1)] == names(root / "archive")
    assert folder.load(root).kept_from is None


def test_it_does_not_run_beside_a_compaction(root):
    filled(root)
    with compacting(root), pytest.raises(RootInUseError):
        retain(root, 1, None, TODAY)
    assert 5 == len(names(root / "level1"))


def test_what_remains_is_read_as_before(tmp_path):
    """A line that was subscribed on a day that is gone is still known to be one of trades."""
    root = tmp_path / "data"
    folder.create(root)
    tape = Tape(ts=NOON - 10 * 86_400_000_000)
    tape.open(AAPL=(4, "level1"), INTC=(6, "trades"))
    ended = {
        "symbol": "AAPL",
        "stream": "level1",
        "reason": "farm",
        "ts_start": tape.ts,
        "seq_start": 1,
        "code": None,
    }
    tape.control("gap_end", **ended, ts_end=tape.ts + 5, seq_end=2)
    tape.control("qualified", symbol="AAPL", instrument={"symbol": "AAPL", "con_id": 1004, "sec_type": "STK"})
    for _ in range(4):
        tape.read(frame("1", "6", "4", "1", "5.0", "5", "1"))
        tape.read(frame("99", "6", "1", "1795000000", "36.5", "100", "0", "ARCA", ""))
        tape.ts += 86_400_000_000
    for index, content in enumerate(tape.contents(), 1):
        folder.segment_path(root, index).write_bytes(content)
    list(recover(root))
    db = recorder.open(root)
    before = [db.level1("AAPL"), db.trades("INTC"), db.bars("INTC", "1h")]
    retain(root, 2, None, datetime.fromtimestamp(tape.ts / 1e6, UTC).date())
    after = [db.level1("AAPL"), db.trades("INTC"), db.bars("INTC", "1h")]
    assert [4, 4, 4] == [len(found) for found in before]
    for old, new in zip(before, after, strict=True):
        assert old[2:].reset_index(drop=True).equals(new.reset_index(drop=True))
    assert 2 == len(db.coverage())
    assert [] == verify(root).flaws


def nightly(root, *words):
    run = [sys.executable, "-m", "recorder.store", str(root), *words]
    done = subprocess.run(run, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def test_the_nightly_process_lets_go_then_compacts(root):
    for seq in (1, 2):
        put(root, "level1", [tick(seq)])
    archived(root, DAY, "00000001.journal.zst")
    later = DAY + timedelta(1)
    put(root, "instruments", [{"ts_recv": tick(0, day=later)["ts_recv"], "symbol": "A"}], later)
    returned, (deleted, compacted), errors = nightly(root, "--archive-days", "1")
    assert (0, "") == (returned, errors)
    assert {"table": "archive", "day": str(DAY), "deleted": 1, "bytes": 7} == deleted
    assert (2, 1) == (compacted["files_before"], compacted["files"])
    returned, (deleted,), errors = nightly(root, "--retain-days", "1")
    assert {"table": "level1", "day": str(DAY), "deleted": 1, "bytes": compacted["bytes"]} == deleted
    assert [] == names(root / "level1")


def command(*words):
    run = [sys.executable, "-m", "recorder", *map(str, words)]
    return subprocess.run(run, capture_output=True, text=True, timeout=60, check=False)


def test_the_command_shows_what_would_go_and_deletes_when_told_to(root):
    filled(root)
    said = command("retain", root, "--days", 1)
    assert (0, "") == (said.returncode, said.stderr)
    assert "nothing was deleted; with --delete it is" in said.stdout
    assert "total" in said.stdout
    assert 5 == len(names(root / "level1"))
    assert "level1" in command("retain", root, "--days", 1, "--delete").stdout
    assert [f"date={back(1)}"] == names(root / "level1")
    assert "nothing to delete\nkept: 1 day, 2025-03-09: " in command("retain", root, "--days", 1).stdout


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ((), "say what is to be kept: --days N, --archive-days M, or both"),
        (("--days", "none"), "--days none: must be a whole number from 1 to 100000"),
    ],
)
def test_the_command_says_what_is_wrong_with_its_options(root, words, error):
    said = command("retain", root, *words)
    assert (2, f"{error}\n") == (said.returncode, said.stderr)
