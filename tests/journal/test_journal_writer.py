"""What was appended is there: killed, out of space or out of luck with the disk."""

import errno
import os
import resource
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
from tape import HELLO, names

from recorder.journal import folder
from recorder.journal.folder import Checkpoint
from recorder.journal.format import Record, scan
from recorder.journal.state import Gap
from recorder.journal.syncer import JournalError
from recorder.journal.writer import Journal, now
from recorder.wire.layouts import TICK_PRICE

TICK = TICK_PRICE.encode(3, {"tick_type": 1, "price": 187.25, "size": 3, "attribs": 1})

WRITER = """
import sys
from pathlib import Path
from recorder.journal import folder
from recorder.journal.writer import Journal, now
root = Path(sys.argv[1])
journal = Journal(root, folder.create(root), fsync_seconds=float(sys.argv[2]), clock=now)
for number in range(10**9):
    journal.read(b"%d," % number * (1 + number % 7), now(), 0)
    journal.count(1)
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
    if number % 50 == 49:
        journal.roll(b"tail")
"""


@pytest.fixture
def root(tmp_path):
    return tmp_path / "data"


@contextmanager
def opened(root, fsync_seconds=0.05):
    journal = Journal(root, folder.create(root), fsync_seconds=fsync_seconds, clock=now)
    try:
        yield journal
    finally:
        journal.close()


@contextmanager
def largest_file(size):
    """No file may grow behind ``size`` bytes: the write that reaches it is short, the next one fails."""
    before, limits = signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)


def records(path):
    found = list(scan(path.read_bytes()))
    assert all(isinstance(record, Record) for record in found), found
    return found


def payloads(root, kinds="RT"):
    return [
        record.payload for path in folder.segments(root) for record in records(path) if record.kind in kinds
    ]


def payloads_of_first(root):
    return [record.payload for record in records(folder.segments(root)[0]) if record.kind == "R"]


def test_a_segment_begins_with_the_state_and_holds_what_was_appended(root):
    with opened(root) as journal:
        journal.read(HELLO, 5, 0)
        journal.control({"kind": "subscribed", "symbol": "A", "stream": "level1", "con_id": 9, "req": 3}, 6)
        journal.read(TICK, 7, 2, 1)
        journal.count(1)
        journal.control({"kind": "opened"}, 8, row=False)
        path = journal.path
    first, *rest, sealed = records(path)
    assert (first.kind, first.seq, first.json()["requests"]) == ("S", 1, {})
    assert [(r.kind, r.ts, r.seq, r.skip, r.skip_rows) for r in rest] == [
        ("R", 5, 1, 0, 0), ("C", 6, 1, 0, 0), ("R", 7, 2, 2, 1), ("C", 8, 3, 0, 0)
    ]  # fmt: skip
    assert [r.payload for r in rest if r.kind == "R"] == [HELLO, TICK]
    assert rest[3].json() == {"kind": "opened", "row": False}
    assert (sealed.seq, sealed.json()) == (3, {"kind": "sealed", "row": False})


def test_a_new_journal_goes_on_where_the_checkpoint_says(root):
    gap = Gap("A", "level1", 5, 6, "restart")
    folder.create(root)
    checkpoint = Checkpoint(next_seq=41, next_segment=7)
    checkpoint.state.gaps["A", "level1"] = gap
    folder.save(root, checkpoint)
    with opened(root) as journal:
        assert (journal.seq, journal.path.name) == (41, "00000007.journal")
    (first,) = records(journal.path)
    assert (first.seq, first.json()["gaps"][0]["seq_start"]) == (41, 6)


def test_a_roll_carries_the_tail_and_the_state_over(root):
    with opened(root) as journal:
        journal.control({"kind": "opened"}, row=False)
        journal.control({"kind": "subscribed", "symbol": "A", "stream": "level1", "con_id": 9, "req": 3})
        journal.read(TICK + TICK[:7], now(), 0)
        journal.count(1)
        assert journal.roll(TICK[:7])
        journal.read(TICK[7:], now(), 7)
        journal.count(1)
    first, second = (records(path) for path in folder.segments(root))
    assert [record.kind for record in first] == ["S", "C", "C", "R", "C"]
    assert [(record.kind, record.seq) for record in second] == [("S", 3), ("T", 3), ("R", 3), ("C", 4)]
    assert [segment[-1].json()["kind"] for segment in (first, second)] == ["sealed", "sealed"]
    assert second[1].payload + second[2].payload == TICK
    assert second[0].json()["requests"]["3"]["symbol"] == "A"


def test_a_segment_without_rows_is_not_rolled(root):
    with opened(root) as journal:
        journal.read(HELLO, now(), 0)
        journal.control({"kind": "opened"}, row=False)
        assert not journal.roll(b"")
    assert len(folder.segments(root)) == 1


def test_a_roll_without_a_tail_writes_none(root):
    with opened(root) as journal:
        journal.count(1)
        assert journal.roll(b"")
    assert [record.kind for record in records(journal.path)] == ["S"]


def test_a_full_disk_leaves_whole_records_only_and_says_so(root):
    reads = [TICK * (1 + number % 5) for number in range(1000)]
    with opened(root) as journal:
        with (
            largest_file(20_000),
            pytest.raises(JournalError, match=r"00000001\.journal: File too large") as caught,
        ):
            append(journal, reads)
        assert caught.value.errno == errno.EFBIG
        written = payloads(root)
        assert written == reads[: len(written)]
        assert len(written) > 50
        journal.read(b"more", now(), 0)
    assert payloads(root) == [*written, b"more"]


def append(journal, reads):
    for read in reads:
        journal.read(read, now(), 0)


def test_a_record_that_does_not_fit_at_all_leaves_none_of_itself(root):
    with opened(root) as journal:
        size = journal.size
        with largest_file(size + 5), pytest.raises(JournalError):
            journal.read(TICK, now(), 0)
        assert journal.path.stat().st_size == journal.size == size


def test_a_disk_too_full_for_a_new_segment_ends_in_a_journal_error_and_a_clean_close(root):
    journal = Journal(root, folder.create(root), fsync_seconds=0.01, clock=now)
    journal.read(TICK, now(), 0)
    journal.count(1)
    with largest_file(10), pytest.raises(JournalError):
        journal.roll(b"")
    time.sleep(0.05)
    journal.close()
    assert payloads_of_first(root) == [TICK]


def test_a_segment_that_cannot_be_created_ends_in_a_journal_error_and_a_clean_close(root):
    journal = Journal(root, folder.create(root), fsync_seconds=0.01, clock=now)
    journal.read(TICK, now(), 0)
    journal.count(1)
    folder.segment_path(root, 2).touch()
    with pytest.raises(JournalError, match="File exists"):
        journal.roll(b"")
    time.sleep(0.05)
    before = names("/proc/self/fd")
    journal.close()
    assert len(names("/proc/self/fd")) == len(before) - 1
    assert payloads_of_first(root) == [TICK]


def test_a_disk_too_full_for_the_last_record_ends_in_a_journal_error_and_a_clean_close(root):
    journal = Journal(root, folder.create(root), fsync_seconds=0.01, clock=now)
    journal.read(TICK, now())
    journal.count(1)
    before = names("/proc/self/fd")
    with largest_file(journal.size + 20), pytest.raises(JournalError, match="File too large"):
        journal.close()
    assert len(names("/proc/self/fd")) == len(before) - 1
    assert payloads(root) == [TICK]


def test_behind_its_end_nothing_is_written_not_even_into_the_file_that_has_its_number_now(root, tmp_path):
    journal = Journal(root, folder.create(root), fsync_seconds=0.01, clock=now)
    journal.read(TICK, now())
    journal.count(1)
    number = journal._descriptor  # which the system gives to whoever opens a file next
    journal.close()
    with (tmp_path / "foreign").open("wb") as foreign:
        assert foreign.fileno() == number
        for write in (lambda: journal.read(TICK, now()), lambda: journal.control({"kind": "reloaded"})):
            with pytest.raises(JournalError, match="closed"):
                write()
    journal.close()
    assert (tmp_path / "foreign").read_bytes() == b""
    assert payloads_of_first(root) == [TICK]


def test_a_segment_is_never_written_over(root):
    folder.create(root)
    folder.segment_path(root, 1).write_bytes(b"precious")
    with pytest.raises(JournalError, match="File exists"), opened(root):
        pass
    assert folder.segment_path(root, 1).read_bytes() == b"precious"


@contextmanager
def a_pipe_in_its_place(descriptor):
    """The descriptor takes writes and cannot be synced: ``fdatasync`` of a pipe is an error of the kernel's own."""
    kept, (reader, writer) = os.dup(descriptor), os.pipe()
    os.dup2(writer, descriptor)
    try:
        yield
    finally:
        os.dup2(kept, descriptor)
        for one in (kept, reader, writer):
            os.close(one)


def test_without_a_pause_every_append_is_synced_before_it_returns(root):
    journal = Journal(root, folder.create(root), fsync_seconds=0, clock=now)
    journal.read(TICK, now(), 0)
    with a_pipe_in_its_place(journal._descriptor), pytest.raises(JournalError, match="not durable"):
        journal.read(TICK, now(), 0)
    with pytest.raises(JournalError, match="not durable"):
        journal.read(TICK, now(), 0)
    with pytest.raises(JournalError, match="not durable"):
        journal.close()
    assert payloads(root) == [TICK]


def test_a_sync_that_fails_in_the_thread_fails_the_next_append_and_stays_failed(root):
    journal = Journal(root, folder.create(root), fsync_seconds=0.01, clock=now)
    with a_pipe_in_its_place(journal._descriptor):
        journal.read(TICK, now(), 0)
        time.sleep(0.1)
    for _ in range(2):
        with pytest.raises(JournalError, match="not durable"):
            journal.read(TICK, now(), 0)
    with pytest.raises(JournalError, match="not durable"):
        journal.close()


def test_sealed_segments_are_closed_by_the_thread(root):
    with opened(root, fsync_seconds=0.01) as journal:
        before = len(names("/proc/self/fd"))
        for _ in range(20):
            journal.read(TICK, now(), 0)
            journal.count(1)
            journal.roll(b"")
        time.sleep(0.1)
        assert len(names("/proc/self/fd")) <= before
    assert payloads(root) == [TICK] * 20


def test_killed_at_any_moment_a_writer_has_lost_nothing_it_had_appended(tmp_path):
    for attempt in range(16):
        root = tmp_path / str(attempt)
        command = [sys.executable, "-c", WRITER, str(root), "0" if attempt % 4 == 0 else "0.01"]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            time.sleep(0.002 * attempt)
            process.kill()
            said = [0, *map(int, process.stdout.read().split(b"\n")[:-1])]
        found = [
            found.payload
            for path in folder.segments(root)
            for found in (scan(path.read_bytes()) if path.stat().st_size >= 32 else ())
            if isinstance(found, Record) and found.kind == "R"
        ]
        expected = [b"%d," % number * (1 + number % 7) for number in said]
        assert found[: len(said)] == expected
        assert len(found) <= len(said) + 1
