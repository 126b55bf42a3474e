"""A disk that is full: into the spares, then into memory, then left out and said so; and back by itself.

The disk is a tmpfs of some megabytes in a mount namespace of its own.
"""

import json
import os
import subprocess
import sys
import time

import pytest

from recorder.journal import folder
from recorder.journal.format import Record, scan

WRITER = """
import json, os, sys, time
import structlog
from pathlib import Path
from recorder.journal import folder
from recorder.journal.writer import Journal, now

told = []
structlog.configure(processors=[lambda _, level, event: told.append((level, event)) or ""],
                    logger_factory=structlog.ReturnLoggerFactory())
root, ballast = Path(sys.argv[1]), Path(sys.argv[1]) / "ballast"
options = json.loads(sys.argv[2])
folder.create(root)
journal = Journal(root, folder.load(root), fsync_seconds=0.02, clock=now, **options)
count = 0

def fill(spared=0):
    with ballast.open("ab", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            file.truncate(file.tell() - spared)

def free():
    ballast.unlink(missing_ok=True)

def write(size):
    global count
    for _ in range(size // 1000):
        if not journal.takes(1000):
            return False
        journal.read(b"%08d" % count + bytes(992), now())
        journal.count(1)
        count += 1
    return True

def wait(true):
    ends = time.monotonic() + 10
    while not true():
        assert time.monotonic() < ends, journal.trouble
        time.sleep(0.01)

def say(**more):
    print(json.dumps({"count": count, "trouble": journal.trouble, "index": journal.index,
                      "left": len(journal._syncer.spares.left), "held": journal._syncer.held, **more}), flush=True)
"""


@pytest.fixture
def tiny(tmp_path):
    """Runs lines of Python on a disk of ``megabytes``; gives back what they said and the journal's segments.

    ``inodes``: how many files and names it takes; 0: any number.
    """

    def run(lines, megabytes=8, inodes=0, **options):
        script = tmp_path / "script.py"
        script.write_text(WRITER + lines)
        root, kept = tmp_path / "disk", tmp_path / f"kept-{time.monotonic_ns()}"
        root.mkdir(exist_ok=True)
        shell = (
            f"mount -t tmpfs -o size={megabytes}m,nr_inodes={inodes} tmpfs {root} || exit 77; "
            f"{sys.executable} {script} {root} '{json.dumps(options)}'; cp -a {root}/journal {kept}"
        )
        unshare = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-Urm"]
        done = subprocess.run([*unshare, "sh", "-c", shell], capture_output=True, text=True, check=False)
        if done.returncode == 77 or "unshare" in done.stderr:
            pytest.skip("no tmpfs may be mounted here, not even in a namespace of its own")
        assert done.stderr.removesuffix("Killed\n") == ""
        said = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        return said, kept

    return run


def reads(kept):
    """The numbers of all reads in a journal; every segment is whole, begins with its state, and none is missing."""
    found, seq = [], 1
    paths = sorted(kept.glob("0*.journal"))
    assert [folder.number(path) for path in paths] == list(range(1, len(paths) + 1))
    for path in paths:
        records = list(scan(path.read_bytes()))
        assert all(isinstance(record, Record) for record in records)
        assert (records[0].kind, records[0].seq) == ("S", seq)
        for record in records:
            assert record.seq == seq
            seq += record.kind == "R"
        found += [int(record.payload[:8]) for record in records if record.kind == "R"]
    return found


def test_spares_are_reserved_at_the_start_and_a_reader_sees_no_byte_of_them(tiny):
    lines = """
wait(lambda: len(journal._syncer.spares.left) == 2)
say(sizes=[p.stat().st_size for p in journal._syncer.spares.left],
    blocks=[p.stat().st_blocks * 512 for p in journal._syncer.spares.left])
journal.close()
"""
    (said,), _ = tiny(lines, spare_bytes=2_000_000)
    assert said["sizes"] == [0, 0]
    assert min(said["blocks"]) >= 1_000_000


def test_spares_take_no_more_than_half_of_the_room_whatever_is_asked_for(tiny):
    lines = """
import shutil
wait(lambda: journal._syncer.spares.left)
time.sleep(2.2)  # they are looked after once a second
say(free=shutil.disk_usage(root).free, spare=sum(p.stat().st_blocks * 512 for p in journal._syncer.spares.left))
journal.close()
"""
    (said,), _ = tiny(lines, spare_bytes=10_000_000_000, megabytes=60)
    assert 0 < said["spare"] <= said["free"]


def test_full_then_spare_then_memory_then_freed_nothing_is_lost_and_numbers_have_no_hole(tiny):
    lines = """
wait(lambda: len(journal._syncer.spares.left) == 2)
write(500_000); fill(); write(300_000); say(rolled=journal.roll(b"")); wait(lambda: told)
write(500_000); say()
write(1_500_000); say()
again = {journal._segment.again}
for _ in range(60):
    time.sleep(0.02)
    again.add(journal._segment.again)
say(tries=len(again))
free()
wait(lambda: journal.is_well); say(); write(100_000)
assert journal.roll(b"")
write(100_000)
wait(lambda: journal.trouble is None); wait(lambda: len(journal._syncer.spares.left) == 2); say(told=told)
journal.close()
"""
    said, kept = tiny(lines, spare_bytes=2_000_000, memory_bytes=4_000_000)
    spare, _, memory, still, freed, well = said
    assert "the disk is full since " in spare["trouble"]
    assert "recording into the spare segments, " in spare["trouble"]
    assert spare["left"] == 1
    assert not spare["rolled"]  # a spare is for 8 MB, not for 300 s
    assert "into memory, " in memory["trouble"]
    assert memory["left"] == 0
    assert still["trouble"].startswith("the disk is full since")
    assert still["tries"] <= 3  # one a second
    assert freed["trouble"] is not None  # not before all is durable and in an ordinary segment
    assert well["trouble"] is None
    assert well["held"] < 1_000_000
    lines = [
        (level, event.get("reason", event["event"]).partition("; ")[2][:21]) for level, event in well["told"]
    ]
    assert lines[:2] == [("error", "recording into the sp"), ("error", "recording into memory")]
    events = [event["event"] for _, event in well["told"]]
    assert events[:2] == [
        "the journal is safely on disk, in the room that was kept for this",
        "what is recorded now is in memory alone",
    ]
    assert well["told"][-1][1]["event"] == "the journal is whole on disk again"
    assert reads(kept) == list(range(3000))


@pytest.mark.parametrize("moment", ["spare", "memory", "overflow", "freed"])
def test_kill_9_in_any_of_these_states_takes_only_what_was_in_memory(tiny, moment):
    lines = f"""
import os, signal
def pass_by(here, stored):
    if here == {moment!r}:
        say(stored=stored)
        os.kill(os.getpid(), signal.SIGKILL)
wait(lambda: len(journal._syncer.spares.left) == 2)
write(500_000); fill(); write(300_000)
pass_by("spare", count)
while journal.is_well:
    write(1000)
stored = count - 1
write(500_000)
pass_by("memory", stored)
while write(1000):
    pass
pass_by("overflow", stored)
free()
wait(lambda: journal.is_well)
pass_by("freed", count)
"""
    (said,), kept = tiny(lines, spare_bytes=2_000_000, memory_bytes=2_000_000)
    assert said["stored"] > 700
    assert reads(kept) == list(range(said["stored"]))


def test_memory_is_bounded_and_given_back(tiny):
    lines = """
fill()
while write(1000):
    pass
say()
try:
    while True:
        journal.control({"kind": "notice", "text": "x" * 10_000})
except OSError as error:
    say(error=f"{type(error).__name__}: {error}")
free()
wait(lambda: journal.is_well)
wait(lambda: journal._syncer.held < 3_000_000 or journal.roll(b""))
say()
journal.close()
"""
    said, _ = tiny(lines, memory_bytes=1_000_000, megabytes=8)
    assert 990_000 < said[0]["held"] <= 1_000_000
    assert 2_000_000 < said[1]["held"] < 2_020_000
    assert said[1]["error"].startswith("JournalError: [Errno 28]")
    assert said[1]["error"].endswith("No space left on device")


def test_a_disk_that_takes_no_more_files_takes_one_spare_for_it_whatever_bytes_are_free(tiny):
    lines = """
wait(lambda: len(journal._syncer.spares.left) == 2)
taken = []
def take():
    try:
        while True:
            taken.append(root / f"taken-{len(taken)}")
            taken[-1].touch()
    except OSError:
        taken.pop()
for _ in range(5):
    write(1000); take(); journal.roll(b"")
say(rolled=journal.roll(b""), well=journal.is_well)
for path in taken:
    path.unlink()
say(rolled=journal.roll(b""), well=journal.is_well)
write(1000); wait(lambda: journal.trouble is None); journal.close()
"""
    (none, freed), kept = tiny(lines, spare_bytes=2_000_000, inodes=40)
    assert (2, False, True) == (none["index"], none["rolled"], none["well"])
    assert "recording into the spare segments" in none["trouble"]
    assert (3, True, True) == (freed["index"], freed["rolled"], freed["well"])
    assert list(range(6)) == reads(kept)


def test_a_start_on_a_full_disk_goes_into_a_spare_that_was_left_and_without_one_ends_in_a_clear_error(tiny):
    lines = """
wait(lambda: len(journal._syncer.spares.left) == 2)
write(10_000); journal.close(); fill()
checkpoint = folder.load(root)
checkpoint.next_segment, checkpoint.next_seq = 2, journal.seq
journal = Journal(root, checkpoint, fsync_seconds=0.02, clock=now, **options)
write(100_000); say(); journal.close()
for path in journal._syncer.spares.left:
    path.unlink()
fill()
checkpoint.next_segment = 3
try:
    Journal(root, checkpoint, fsync_seconds=0.02, clock=now)
except OSError as error:
    say(error=f"{type(error).__name__}: {error}")
"""
    said, kept = tiny(lines, spare_bytes=2_000_000)
    assert "recording into the spare segments" in said[0]["trouble"]
    assert reads(kept) == list(range(110))
    assert said[1]["error"].endswith("00000003.journal: No space left on device")


def test_filled_and_freed_twenty_times_numbers_have_no_hole(tiny):
    lines = """
for turn in range(20):
    fill(turn * 3000); write(150_000); free()
    wait(lambda: journal.is_well); write(20_000)
    if turn % 4 == 3:
        journal.roll(b"")
journal.close(); say()
"""
    (said,), kept = tiny(lines, spare_bytes=500_000, memory_bytes=3_000_000, megabytes=16)
    assert reads(kept) == list(range(said["count"]))
    assert said["count"] == 20 * 170


def test_a_segment_in_memory_gets_no_file_before_the_one_ahead_of_it_has_all_its_bytes(tiny):
    lines = """
import signal
write(100_000); fill()
while journal.is_well:
    write(1000)
stored = count - 1
write(500_000)
assert journal.roll(b"")
write(10_000)
with ballast.open("ab") as file:
    file.truncate(file.tell() - 100_000)
time.sleep(1.5)
say(stored=stored)
os.kill(os.getpid(), signal.SIGKILL)
"""
    (said,), kept = tiny(lines)
    assert reads(kept) == list(range(len(reads(kept))))
    assert said["stored"] <= len(reads(kept)) < said["count"] - 10
    assert len(list(kept.glob("0*.journal"))) == 1


def test_room_that_returns_while_a_refused_record_is_taken_back_writes_it_only_once(tiny):
    lines = """
wait(lambda: len(journal._syncer.spares.left) == 2)
refused, cut = [], os.ftruncate

def give_room(*of):
    cut(*of)
    if not refused:
        refused.append(count)
        free()
        time.sleep(0.3)  # many turns of the thread

os.ftruncate = give_room
write(100_000); fill()
while not refused:
    write(1000)
    time.sleep(0.005)  # the thread is not to wait for the lock when it happens
write(100_000); assert journal.roll(b""); write(100_000)
wait(lambda: journal.trouble is None)
journal.close(); say(refused=refused)
"""
    (said,), kept = tiny(lines, spare_bytes=2_000_000)
    assert said["refused"] != []
    assert reads(kept) == list(range(said["count"]))
