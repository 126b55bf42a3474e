"""A day in many files becomes one, with the same rows in order; what does not hold up stays as it is."""

import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store.recordings import DAY, TODAY, files, made, noon, place, put, put_many, recording, rows, tick
from store.test_store_swap import WITHOUT_EXCHANGE
from tape import NOON, Tape

from recorder import partition, schema
from recorder.journal import folder
from recorder.journal.lock import RootInUseError, rendering
from recorder.partition import COMPACTED, DAMAGED
from recorder.render import recover
from recorder.store import Compacted, Left, Limits, compact, waiting
from recorder.store.build import prove
from recorder.store.days import look
from recorder.store.files import DamagedFileError, pieces
from recorder.store.fingerprint import Fingerprint
from recorder.store.swap import compacting
from recorder.verify import verify
from recorder.wire.layouts import frame

AT_ONCE = Limits(linger=0)
TINY = Limits(bucket=300, waiting=700, sample=2, row_group=5, file=4000, linger=0)
"""So small that a few rows go through buckets, row groups and files."""


@pytest.fixture
def root(tmp_path):
    return recording(tmp_path / "data")


def done(root, limits=AT_ONCE, **more):
    return list(compact(root, TODAY, limits, **more))


def reasons(root, **more):
    return [(left.kind, left.reason) for left in done(root, **more) if isinstance(left, Left)]


# Rows -----------------------------------------------------------------------------------------------------


def event(seq, symbol):
    return {"ts_recv": noon(), "seq": seq, "kind": "notice", "symbol": symbol, "text": f"number {seq}"}


def gap(seq, symbol):
    start = noon() + timedelta(minutes=seq % 4)
    return {
        "symbol": symbol,
        "stream": "level1",
        "ts_start": start,
        "ts_end": noon(),
        "seq_start": seq,
        "seq_end": seq,
    }


def details(seq, symbol):
    return {
        "ts_recv": noon() + timedelta(minutes=seq % 4),
        "symbol": symbol,
        "con_id": seq,
        "long_name": "x" * (seq % 40),
    }


ROWS = {
    "level1": lambda seq, symbol: tick(seq, symbol or "none", text=f"{seq}" if seq % 3 else None),
    "events": event,
    "gaps": gap,
    "instruments": details,
}


@st.composite
def days(draw):
    """Numbers with a symbol each, dealt to files as they come or in disorder."""
    symbols = st.sampled_from([None, "A", "AB", "B", "Ö", "0700"])
    numbers = draw(st.lists(st.integers(1, 400), min_size=2, max_size=120, unique=True))
    if draw(st.booleans()):
        numbers.sort()
    places = sorted(draw(st.lists(st.integers(1, len(numbers) - 1), min_size=1, max_size=8, unique=True)))
    dealt = [(number, draw(symbols)) for number in numbers]
    return [dealt[start:end] for start, end in zip([0, *places], [*places, len(dealt)], strict=True)]


@settings(max_examples=60)
@given(st.sampled_from(sorted(ROWS)), days(), st.sampled_from([TINY, AT_ONCE]))
def test_any_files_become_their_rows_in_order(table, dealt, limits):
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as name:
        root = recording(Path(name) / "data")
        whole = []
        for numbered in dealt:
            given = [ROWS[table](*one) for one in numbered]
            numbers = min(numbered)[0], max(numbered, key=lambda one: one[0])[0]
            put(root, table, given, numbers=numbers)
            whole += made(table, given).to_pylist()
        (result,) = compact(root, TODAY, limits)
        found = rows(root, table)
        assert sorted(map(place, whole)) == [place(row) for row in found]
        assert sorted(map(str, whole)) == sorted(map(str, found))
        assert (len(whole), len(dealt)) == (result.rows, result.files_before)
        assert len(files(root, table)) == result.files_after
        assert all(partition.parse(path).is_intact for path in files(root, table))


def everything():
    """A journal of two days with rows in every table, in some segments."""
    tape = Tape(ts=NOON + 43_000_000_000)
    tape.control("session_start", text="x")
    tape.open(MSFT=(3, "level1"), AAPL=(4, "level1"), ES=(5, "depth"), INTC=(6, "trades"), EUR=(8, "bars"))
    gap = {"symbol": "AAPL", "stream": "level1", "reason": "farm", "ts_start": NOON, "seq_start": 1}
    for number in range(20):
        tape.read(frame("1", "6", str(3 + number % 2), "1", str(number), "5", "1"))
        tape.read(frame("21", "3", "13", "0", "0.2", "0.5", "3", "0", "0.01", "0.1", "-0.1", "600"))
        tape.read(frame("12", "1", "5", "0", "0", "1", "6612.25", "3"))
        tape.read(frame("99", "6", "1", "1795000000", "36.5", "100", "0", "ARCA", ""))
        tape.read(frame("99", "6", "3", "1795000000", "36.5", "36.75", "1", "2", "0"))
        tape.read(frame("99", "6", "4", "1795000000", "36.5"))
        tape.read(frame("50", "3", "8", "1795000000", "1", "2", "0.5", "1.5", "-1", "-1", "-1"))
        tape.read(frame("200", "3", "what"))
        tape.control("gap_end", **gap, ts_end=tape.ts, seq_end=number + 2)
        tape.control(
            "qualified", symbol="AAPL", instrument={"symbol": "AAPL", "con_id": number, "sec_type": "STK"}
        )
        if number % 3 == 0:
            tape.roll()
        if number == 10:
            tape.ts += 600_000_000
    return tape


def test_every_table_of_a_real_recording_is_compacted_and_the_recording_is_whole(tmp_path):
    root = tmp_path / "data"
    folder.create(root)
    for index, content in enumerate(everything().contents(), 1):
        folder.segment_path(root, index).write_bytes(content)
    list(recover(root))
    whole = {table: contents(root, table) for table in schema.TABLES}
    assert all(whole.values())
    result = list(compact(root, (noon() + timedelta(days=3650)).date(), AT_ONCE))
    assert 2 * len(schema.TABLES) == len(result)
    assert all(isinstance(one, Compacted) and one.files_after == 1 for one in result)
    assert whole == {table: contents(root, table) for table in schema.TABLES}
    assert [] == verify(root).flaws
    assert [] == list((root / "staging").iterdir())


def contents(root, table):
    found = [
        row for path in (root / table).rglob("*.parquet") for row in pq.ParquetFile(path).read().to_pylist()
    ]
    return sorted(map(str, found))


def test_a_compacted_file_looks_like_any_other(root):
    for seq in range(1, 9):
        put(root, "level1", [tick(seq, "AAPL" if seq % 2 else "MSFT")])
    one = pq.read_schema(files(root)[0])
    done(root)
    (path,) = files(root)
    file = partition.parse(path)
    assert (COMPACTED, 1, 8) == (file.kind, file.first_seq, file.last_seq)
    assert one.names == pq.read_schema(path).names
    assert schema.schema("level1").types == pq.read_schema(path).types
    assert b"2" == pq.read_metadata(path).metadata[b"ib-recorder.format"]


def test_row_groups_are_full_but_the_last_and_files_end_where_they_are_to(root):
    for start in range(0, 60, 10):
        put(root, "level1", [tick(start + n + 1, "AB"[n % 2]) for n in range(10)])
    (result,) = done(root, limits=TINY)
    groups = [
        pq.read_metadata(path).row_group(group).num_rows
        for path in files(root)
        for group in range(pq.read_metadata(path).num_row_groups)
    ]
    assert [5] * 12 == groups
    assert result.files_after > 1


def test_columns_that_an_older_file_lacks_are_null(root):
    path = put(root, "level1", [tick(1, text="old")])
    old = pq.ParquetFile(path).read().drop_columns(["attribs"])
    path.unlink()
    pq.write_table(old, path.with_name(f"{1:019d}-{1:019d}.parquet"))
    put(root, "level1", [tick(2, attribs=1)])
    done(root)
    assert [None, 1] == [row["attribs"] for row in rows(root)]


# When -----------------------------------------------------------------------------------------------------


def test_what_is_compact_already_is_left_alone(root):
    put(root, "level1", [tick(1)])
    assert [] == done(root)
    put(root, "level1", [tick(2)])
    assert [2] == [one.rows for one in done(root)]
    assert [] == done(root)


def test_a_day_split_into_files_is_compact_too(root):
    put(root, "level1", [tick(n) for n in range(1, 60)])
    put(root, "level1", [tick(n) for n in range(60, 120)])
    assert done(root, limits=TINY)[0].files_after > 1
    assert [] == done(root, limits=TINY)


def test_late_rows_are_merged_into_the_compacted_day(root):
    put(root, "level1", [tick(1, "B")])
    put(root, "level1", [tick(2, "A")])
    done(root)
    put(root, "level1", [tick(9, "A"), tick(8, "B")])
    done(root)
    assert [2, 9, 1, 8] == [row["seq"] for row in rows(root)]


def test_gaps_that_stand_for_damage_are_merged_too(root):
    put(root, "gaps", [gap(4, "A")], numbers=(1, 5))
    put(root, "gaps", [gap(7, "A")], numbers=(6, 9), kind=DAMAGED)
    done(root)
    assert [4, 7] == [row["seq_end"] for row in rows(root, "gaps")]
    assert [(1, 9, COMPACTED)] == [(f.first_seq, f.last_seq, f.kind) for f in partition.listed(root, "gaps")]


def test_today_and_days_to_come_wait(root):
    for seq, day in enumerate([TODAY, TODAY, TODAY + timedelta(1), TODAY + timedelta(1)], 1):
        put(root, "level1", [tick(seq, day=day)], day=day)
    assert [("waits", "today is not over"), ("waits", "lies in the future")] == reasons(root)


def test_a_day_waits_whose_rows_the_checkpoint_does_not_know_yet(root):
    put(root, "level1", [tick(1)])
    put(root, "level1", [tick(1_000_000)])
    assert [("waits", "rows of it still wait in the journal")] == reasons(root)


@pytest.mark.parametrize(("days", "waits"), [(0, True), (-1, True), (1, False)])
def test_a_day_waits_while_a_segment_began_on_it_or_before(root, days, waits):
    put(root, "level1", [tick(1)])
    put(root, "level1", [tick(2)])
    (segment,) = Tape(ts=int((noon() + timedelta(days=days)).timestamp() * 1e6)).contents()
    folder.segment_path(root, 1).write_bytes(segment)
    assert waits == bool(reasons(root))


def test_a_folder_with_a_foreign_file_stays_as_it_is(root):
    paths = [put(root, "level1", [tick(seq)]) for seq in (1, 2)]
    foreign = paths[0].with_name("notes.txt")
    foreign.write_text("mine")
    assert [("cannot", f"{foreign} is none of the recording's")] == reasons(root)
    assert sorted([*paths, foreign]) == files(root)


def test_ten_years_in_which_there_is_nothing_to_do_are_looked_at_in_no_time(quick):
    root = recording(quick / "data")
    for table in ("level1", "events"):
        for number in range(3650):
            where = partition.folder(root, table, DAY - timedelta(number))
            where.mkdir(parents=True)
            (where / partition.name(number, number, 0, COMPACTED)).touch()
    began = time.perf_counter()
    assert [] == waiting(root, TODAY)
    assert time.perf_counter() - began < 0.6  # eleven tables: under a second on an idle machine


# What does not hold up --------------------------------------------------------------------------------------


def spoil(path, at=-60):
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def test_a_day_with_a_damaged_file_stays_as_it_is_and_the_others_are_done(root):
    paths = [put(root, "level1", [tick(seq)]) for seq in (1, 2)]
    for seq in (3, 4):
        put(root, "level1", [tick(seq, day=DAY + timedelta(1))], day=DAY + timedelta(1))
    spoil(paths[1])
    damaged, other = done(root)
    assert ("failed", f"{paths[1]}: damaged: its bytes are not those its name speaks of") == (
        damaged.kind,
        damaged.reason,
    )
    assert 2 == other.rows
    assert sorted(paths) == files(root)


def test_a_damaged_page_is_found_in_a_file_without_a_checksum_in_its_name(root):
    """A value that reads as another one: only the page's own checksum knows."""
    path = put(root, "level1", [tick(seq, price=1234.5) for seq in range(1, 300)])
    old = path.with_name(f"{1:019d}-{299:019d}.parquet")
    plain = {"compression": "none", "use_dictionary": False, "write_page_checksum": True}
    pq.write_table(pq.ParquetFile(path).read(), old, **plain)
    path.unlink()
    put(root, "level1", [tick(300)])
    value = old.read_bytes().index(struct.pack("<d", 1234.5) * 3)
    spoil(old, value + 16)
    assert 298 == pq.read_table(old, partitioning=None)["price"].to_pylist().count(1234.5)
    ((kind, reason),) = reasons(root)
    assert "failed" == kind
    assert str(old) in reason


def test_a_column_that_this_version_does_not_know_is_not_dropped(root):
    path = put(root, "level1", [tick(1)])
    newer = pq.ParquetFile(path).read().append_column("mood", pa.array(["good"]))
    path.unlink()
    pq.write_table(newer, path.with_name(f"{1:019d}-{1:019d}.parquet"))
    put(root, "level1", [tick(2)])
    ((kind, reason),) = reasons(root)
    assert "failed" == kind
    assert "'mood'" in reason


def test_a_number_that_stands_in_two_files_leaves_the_day(root):
    put(root, "level1", [tick(1), tick(2)])
    put(root, "level1", [tick(2), tick(3)])
    assert [("failed", f"{partition.folder(root, 'level1', DAY)}: a number stands in it twice")] == reasons(
        root
    )
    assert 2 == len(files(root))


SPOILED = {
    "a value changed": lambda rows: [rows[0], rows[1] | {"price": 9.0}, rows[2]],
    "two values in each other's rows": lambda rows: [
        rows[0] | {"text": rows[1]["text"]}, rows[1] | {"text": rows[0]["text"]}, rows[2]
    ],
    "a value in another column": lambda rows: [rows[0] | {"price": 5.0, "size": 0.25}, *rows[1:]],
    "a null that is a zero": lambda rows: [rows[0] | {"value": 0.0}, *rows[1:]],
    "a row missing": lambda rows: rows[:2],
    "a row twice": lambda rows: [*rows, rows[2]],
    "not in order": lambda rows: rows[::-1],
}  # fmt: skip


@pytest.mark.parametrize("how", SPOILED)
def test_what_comes_out_is_held_against_what_went_in(root, how):
    whole = [tick(n, price=n / 4, size=5.0, text=f"t{n}") for n in (1, 2, 3)]
    given = Fingerprint()
    for piece in pieces(put(root, "level1", whole), "level1"):
        given.add(piece)
    day = look(root, "level1", DAY)
    prove(day, list(day.files), given)
    path = files(root)[0].with_name(f"{1:019d}-{3:019d}.parquet")
    pq.write_table(made("level1", SPOILED[how](whole)), path)
    with pytest.raises(DamagedFileError):
        prove(day, [partition.parse(path)], given)


def test_texts_count_the_same_as_dictionary_or_plain_in_pieces_or_whole():
    texts = ["", "a", None, "ab", "ba", "a" * 3000, "Ö"] * 500
    plain = pa.table({"text": pa.array(texts)})
    prints = []
    for one in (
        plain,
        plain.take(list(range(len(texts)))[::-1]),
        pa.table({"text": plain["text"].dictionary_encode()}),
    ):
        found = Fingerprint()
        for start in range(0, len(texts), 1234):
            found.add(one.slice(start, 1234))
        prints.append((found.rows, found.total))
    assert [prints[0]] * 3 == prints
    changed = Fingerprint()
    changed.add(pa.table({"text": pa.array([*texts[:-1], "Ä"])}))
    assert changed.total != prints[0][1]


FULL_SOON = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop()),) * 2)
from recorder.store.__main__ import main
sys.exit(main())
"""


@pytest.mark.parametrize("limit", [1, 3000, 9000])
def test_what_the_disk_refuses_is_one_line_and_the_day_stays_as_it_is(root, limit):
    """However far it comes: the bytes that can be written to a file are limited, so that a write fails for good."""
    for start in range(1, 3000, 1000):
        put(root, "level1", [tick(seq, text=f"{seq * 7919}") for seq in range(start, start + 1000)])
    (root / "journal" / "compact.lock").touch()
    before = files(root)
    words = [sys.executable, "-c", FULL_SOON, str(root), str(limit)]
    run = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert (1, "") == (run.returncode, run.stdout)
    (line,) = run.stderr.splitlines()
    assert "File too large" in line
    assert before == files(root)
    assert 3000 == done(root)[0].rows


def test_room_on_the_disk_stays_for_the_recorder(root):
    for seq in (1, 2):
        put(root, "level1", [tick(seq)])
    ((kind, reason),) = reasons(root, limits=Limits(reserve=10**18))
    assert "cannot" == kind
    assert reason.startswith("it takes 1,000,000,000,000 MB of free disk, and there are ")
    assert 2 == len(files(root))


# Meanwhile --------------------------------------------------------------------------------------------------


def test_where_folders_cannot_be_exchanged_no_day_is_built_and_it_is_said_once(root):
    for number in range(6):
        day = DAY + timedelta(number // 2)
        put(root, "level1", [tick(number + 1, day=day)], day)
    tells = WITHOUT_EXCHANGE.replace(
        "compact(Path(sys.argv[1]))", "compact(Path(sys.argv[1]), progress=print)"
    )
    run = [sys.executable, "-c", tells, str(root)]
    said = subprocess.run(run, capture_output=True, text=True, timeout=60, check=True).stdout
    why = "this filesystem cannot exchange two folders in one step: no day can be compacted here"
    assert f"[('cannot', '{why}')]\n" == said
    assert [] == list((root / "staging").iterdir())


def test_late_rows_published_meanwhile_are_in_it(root):
    put(root, "level1", [tick(1)])
    put(root, "level1", [tick(2)])
    late = iter([3])

    def publish_late(_bytes):
        for seq in late:
            put(root, "level1", [tick(seq)])

    (result,) = done(root, progress=publish_late)
    assert (3, 3) == (result.rows, result.files_before)
    assert [1, 2, 3] == [row["seq"] for row in rows(root)]


def test_a_day_whose_files_keep_changing_is_left_for_the_next_time(root):
    put(root, "level1", [tick(1)])
    put(root, "level1", [tick(2)])
    late = iter(range(3, 100))
    assert [("cannot", "files of it came or went meanwhile")] == reasons(
        root, progress=lambda _bytes: put(root, "level1", [tick(next(late))])
    )
    assert len(files(root)) == len(rows(root))
    assert [] == list((root / "staging").iterdir())


def test_who_has_just_opened_a_day_still_lists_all_its_files(root):
    """They are gone from where it looks for them, so it looks again; an empty listing would be a day without rows."""
    next_day = DAY + timedelta(1)
    before = [put(root, "level1", [tick(seq)]).name for seq in (1, 2)]
    for seq in (3, 4):
        put(root, "level1", [tick(seq, day=next_day)], next_day)
    opened = os.open(files(root)[0].parent, os.O_RDONLY | os.O_DIRECTORY)
    for _ in islice(compact(root, TODAY, Limits(linger=60)), 2):
        assert before == sorted(os.listdir(opened))  # noqa: PTH208 - a descriptor
    os.close(opened)
    assert [1, 1] == [len(files(root, "level1", day)) for day in (DAY, next_day)]


def test_it_waits_for_the_renderer_with_the_swap(root):
    put(root, "level1", [tick(1)])
    put(root, "level1", [tick(2)])
    with rendering(root):
        process = started(root)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(2)
        assert 2 == len(files(root))
    assert 0 == process.wait(20)
    assert 1 == len(files(root))
    process.communicate()


def test_of_two_compactions_the_second_is_told_who_is_at_it(root):
    put(root, "level1", [tick(1)])
    put(root, "level1", [tick(2)])
    with rendering(root):
        process = started(root)
        while not (root / "staging" / "compact" / "new").exists():
            assert process.poll() is None
            time.sleep(0.01)
        with pytest.raises(RootInUseError, match=f"process {process.pid} is compacting it"):
            done(root)
    assert 0 == process.wait(20)
    process.communicate()


def started(root):
    words = [sys.executable, "-m", "recorder.store", str(root), "--linger", "0"]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_what_a_killed_one_left_is_cleared(root):
    left = root / "staging" / "compact" / "new" / "level1" / f"date={DAY}"
    left.mkdir(parents=True)
    (left / "open.parquet").write_bytes(b"half")
    with compacting(root) as area:
        assert [] == list(area.iterdir())
    assert not area.exists()


# The process ------------------------------------------------------------------------------------------------


def test_the_process_says_a_line_a_day_and_fails_for_one_that_is_damaged(root):
    paths = [put(root, "level1", [tick(seq)]) for seq in (1, 2)]
    for seq in (3, 4):
        put(root, "events", [event(seq, None)])
    spoil(paths[0])
    process = started(root)
    said, errors = process.communicate(timeout=30)
    (line,) = map(json.loads, said.splitlines())
    assert {"table": "events", "day": str(DAY), "rows": 2, "files_before": 2, "files": 1} == {
        name: line[name] for name in ("table", "day", "rows", "files_before", "files")
    }
    assert {"bytes_before", "bytes", "seconds"} < set(line)
    assert 1 == process.returncode
    assert [
        f"level1 {DAY}: {paths[0]}: damaged: its bytes are not those its name speaks of"
    ] == errors.splitlines()


def test_the_process_says_plainly_that_a_folder_is_no_recording(tmp_path):
    process = started(tmp_path)
    said, errors = process.communicate(timeout=30)
    assert (1, "") == (process.returncode, said)
    (line,) = errors.splitlines()
    assert line.startswith(f"{tmp_path}: not a recording: ")
    assert [] == list(tmp_path.iterdir())


def command(*words):
    return subprocess.run(
        [sys.executable, "-m", "recorder", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_command_shows_what_it_would_do_then_what_it_did_then_that_nothing_is_left(root):
    put(root, "level1", [tick(1)])
    put(root, "level1", [tick(2)])
    planned = command("compact", root, "--dry-run")
    assert "nothing was done: a dry run" in planned.stdout
    assert 2 == len(files(root))
    compacted = command("compact", root)
    assert (0, "") == (compacted.returncode, compacted.stderr)
    assert "2 -> 1" in compacted.stdout
    assert "nothing to do: every day that is over is compact\n" == command("compact", root).stdout


def test_the_command_says_why_a_day_was_left(root):
    paths = [put(root, "level1", [tick(seq)]) for seq in (1, 2)]
    put(root, "events", [event(3, None)])
    put(root, "events", [event(1_000_000, None)])
    spoil(paths[0])
    said = command("compact", root)
    assert 1 == said.returncode
    assert f"left: {DAY} level1: {paths[0]}: damaged" in said.stdout
    assert f"left: {DAY} events: rows of it still wait in the journal" in said.stdout


# Memory -----------------------------------------------------------------------------------------------------

PEAK = """
import re, sys
from pathlib import Path
from recorder.store import Limits, be_modest, compact
be_modest()
limits = Limits(bucket=4_000_000, waiting=8_000_000, linger=0)
print([one.rows for one in compact(Path(sys.argv[1]), limits=limits)])
print(int(re.search(r"VmHWM:\\s+([0-9]+) kB", Path("/proc/self/status").read_text())[1]) // 1024)
"""


def test_memory_does_not_grow_with_the_day(quick):
    def peak(numbers):
        root = recording(quick / f"{numbers}", 10**9)
        for start in range(1, numbers, 100_000):
            put_many(root, start, 100_000)
        said = subprocess.run(
            [sys.executable, "-c", PEAK, str(root)], capture_output=True, text=True, timeout=60, check=True
        ).stdout.splitlines()
        assert f"[{numbers}]" == said[0]
        shutil.rmtree(root)
        return int(said[1])

    small, large = peak(1_000_000), peak(4_000_000)
    assert large < 1.2 * small
    assert large < 400
