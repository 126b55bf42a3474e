"""What was appended is there: killed, out of space or out of luck with the disk."""

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest
from tape import HELLO, names

from recorder.journal import folder
from recorder.journal.folder import Checkpoint
from recorder.journal.format import Record, scan
from recorder.journal.lock import rendering
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


def test_a_file_that_may_not_grow_is_cut_to_whole_records_and_the_next_segment_goes_on(root):
    reads = [TICK * (1 + number % 5) for number in range(1000)]
    with opened(root) as journal:
        journal.tail = lambda: b"tail"
        with largest_file(20_000):
            append(journal, reads)
    assert payloads(root, "R") == reads
    sizes = [path.stat().st_size for path in folder.segments(root)]
    assert max(sizes) <= 20_000
    assert len(sizes) > 3
    assert payloads(root, "T") == [b"tail"] * (len(sizes) - 1)


def append(journal, reads):
    for read in reads:
        journal.read(read, now(), 0)


def test_a_record_that_fits_nowhere_leaves_none_of_itself_and_is_written_when_it_fits(root):
    with opened(root) as journal:
        size = journal.size
        with largest_file(size + 5):
            journal.read(TICK, now(), 0)
            time.sleep(0.1)
            assert [path.stat().st_size for path in folder.segments(root)] == [size, size]
            assert "recording into memory, 0.0 of 67 MB" in journal.trouble
    assert payloads(root) == [TICK]


def test_a_disk_too_full_for_a_new_segment_leaves_it_in_memory_until_there_is_room(root):
    with opened(root) as journal:
        journal.read(TICK, now(), 0)
        journal.count(1)
        with largest_file(10):
            assert journal.roll(b"tail")
            journal.read(b"second", now(), 0)
            time.sleep(0.1)
        assert [path.name for path in folder.segments(root)] == ["00000001.journal"]
    assert payloads(root) == [TICK, b"tail", b"second"]


def test_what_is_still_in_memory_at_the_end_is_said_and_no_descriptor_stays_open(root):
    before = names("/proc/self/fd")
    journal = Journal(root, folder.create(root), fsync_seconds=0.01, clock=now)
    with largest_file(journal.size + 20):
        journal.read(TICK, now())
        journal.count(1)
        with pytest.raises(JournalError, match="not durable: File too large"):
            journal.close()
    assert names("/proc/self/fd") == before
    assert payloads(root) == []


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


def test_behind_its_end_nothing_is_written_not_even_into_the_file_that_has_its_number_now(root, tmp_path):
    journal = Journal(root, folder.create(root), fsync_seconds=0.01, clock=now)
    journal.read(TICK, now())
    journal.count(1)
    number = journal._segment._descriptor  # which the system gives to whoever opens a file next
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


def until(true, seconds=5):
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.01)


def rescued(root, index):
    """The names in ``set-aside`` of a segment."""
    return [path.name for path in (root / "journal" / "set-aside").glob(f"{index:08d}-*")]


def test_without_a_pause_every_append_is_synced_before_it_returns_and_rescued_if_it_cannot_be(root):
    journal = Journal(root, folder.create(root), fsync_seconds=0, clock=now)
    journal.read(TICK, now(), 0)
    with a_pipe_in_its_place(journal._segment._descriptor):
        journal.read(b"lost by the disk", now(), 0)
        assert "the disk fails (Invalid argument) since" in journal.trouble
        copy = bytes(journal._segment.copy)
        until(lambda: journal.path.stat().st_size == len(copy))
    assert journal.path.read_bytes() == copy
    until(lambda: journal.trouble is None)
    journal.close()
    assert payloads(root) == [TICK, b"lost by the disk"]
    assert rescued(root, 1) == ["00000001-sync-failed.journal"]


def test_a_descriptor_whose_sync_failed_is_never_synced_again_and_the_segment_written_anew(root):
    journal = Journal(root, folder.create(root), fsync_seconds=0.01, clock=now)
    journal.read(TICK, now(), 0)
    until(lambda: journal._segment.is_durable)
    before = journal.path.stat().st_ino
    with a_pipe_in_its_place(journal._segment._descriptor):
        journal.read(b"second", now(), 0)
        until(lambda: journal.path.stat().st_ino != before)  # without a further append
    journal.read(b"third", now(), 0)
    journal.close()
    assert payloads(root) == [TICK, b"second", b"third"]
    (kept,) = (root / "journal" / "set-aside").iterdir()
    assert kept.stat().st_ino == before


def test_a_sealed_segment_that_could_not_be_synced_is_written_anew_and_not_to_be_rendered_before(root):
    journal = Journal(root, folder.create(root), fsync_seconds=3600, clock=now)
    until(lambda: journal._segment.is_durable)  # the thread has had its first turn
    journal.read(TICK, now(), 0)
    journal.count(1)
    first = journal._segment
    with a_pipe_in_its_place(first._descriptor):
        journal.read(b"second", now(), 0)
        assert journal.roll(b"")
        assert journal.before == 1
        with rendering(root):
            turn = threading.Thread(target=lambda: [journal._syncer.turn() for _ in range(2)])
            turn.start()
            time.sleep(0.1)
            assert payloads(root) == [TICK]  # whoever renders is waited for
            journal.read(b"meanwhile", now(), 0)
        turn.join()
        assert journal.before == 2
    journal.close()
    assert payloads(root) == [TICK, b"second", b"meanwhile"]


def test_a_segment_whose_name_somebody_takes_meanwhile_leaves_no_descriptor_open(root):
    journal = Journal(root, folder.create(root), fsync_seconds=3600, clock=now)
    until(lambda: journal._segment.is_durable)  # the thread has had its first turn
    journal.count(1)
    with largest_file(10):
        journal.roll(b"")
    journal.path.touch()
    journal._syncer.turn()  # in which the first segment is let go
    before = names("/proc/self/fd")
    journal._segment.again = 0.0
    journal._syncer.turn()
    assert "File exists" in journal.trouble
    assert before == names("/proc/self/fd")
    journal.path.unlink()
    journal.close()


def test_what_is_appended_while_a_segment_is_written_anew_is_in_it(root):
    journal = Journal(root, folder.create(root), fsync_seconds=0.01, clock=now)
    with a_pipe_in_its_place(journal._segment._descriptor):
        with rendering(root):
            journal.read(TICK, now(), 0)
            until((root / "journal" / "rescue").exists)
            time.sleep(0.05)
            journal.read(b"meanwhile", now(), 0)
        until(lambda: journal.is_well)
        assert payloads(root) == [TICK, b"meanwhile"]
    journal.close()


def test_a_segment_that_was_rendered_before_it_was_rescued_is_not_written_again(root):
    journal = Journal(root, folder.create(root), fsync_seconds=3600, clock=now)
    until(lambda: journal._segment.is_durable)  # the thread has had its first turn
    journal.read(TICK, now(), 0)
    journal.count(1)
    path = journal.path
    with a_pipe_in_its_place(journal._segment._descriptor):
        journal.read(TICK, now(), 0)
        assert journal.roll(b"")
        journal._syncer.turn()
        path.unlink()
        journal._syncer.turn()
    assert not path.exists()
    assert (journal.before, journal.trouble) == (2, None)
    journal.close()


def test_sealed_segments_are_closed_by_the_thread(root):
    with opened(root, fsync_seconds=0.01) as journal:
        before = len(names("/proc/self/fd"))
        for _ in range(20):
            journal.read(TICK, now(), 0)
            journal.count(1)
            journal.roll(b"")
        until(lambda: len(names("/proc/self/fd")) <= before)
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
            for found in scan(path.read_bytes())
            if isinstance(found, Record) and found.kind == "R"
        ]
        expected = [b"%d," % number * (1 + number % 7) for number in said]
        assert found[: len(said)] == expected
        assert len(found) <= len(said) + 1
