"""Whatever was left behind becomes Parquet, every row once, however often the renderer is killed on the way."""

import json
import random
import re
import shutil
import subprocess
import sys
import time
from datetime import date

import pytest
from rendered import recorded, written
from tape import Tape, content, names, numbered

from recorder import schema
from recorder.journal import folder, stated
from recorder.journal.folder import Checkpoint, NotARecordingError
from recorder.journal.format import RECORD_MAGIC
from recorder.render import recover, resume, unrendered
from recorder.render.tables import render
from recorder.store.compact import compact
from recorder.verify import verify
from recorder.wire.layouts import frame

LINES = {"AAPL": (3, "level1"), "ES": (4, "depth")}


def long_tape(count):
    """A tape of ``count`` segments; a frame lies across every end of one."""
    tape = Tape()
    tape.control("session_start", text="x")
    tape.open(**LINES)
    tick = frame("1", "6", "3", "1", "187.25", "5", "1")
    for index in range(count):
        tape.read(tick[9:] + tick * 3 + tick[:9] if index else tick * 3 + tick[:9])
        tape.read(
            tick[9:] + frame("12", "1", "4", "0", "0", "1", str(index), "3") + frame("200", "3") + tick[:9]
        )
        tape.control("notice", symbol="AAPL", text="in between")
        if index < count - 1:
            tape.roll()
    return tape


def nothing_left(root):
    assert folder.segments(root) == []
    assert names(root / "staging") == []
    assert not (root / "journal" / "set-aside").exists()


@pytest.fixture
def root(tmp_path):
    return tmp_path / "data"


def test_segments_become_parquet_in_order_and_the_checkpoint_says_what_comes_next(root):
    tape = long_tape(4)
    done = list(recover(written(root, tape)))
    assert [one.segment for one in done] == [f"{index:08d}.journal" for index in (1, 2, 3, 4)]
    assert recorded(root) == tape.tables()
    checkpoint = folder.load(root)
    assert (checkpoint.next_seq, checkpoint.next_segment, checkpoint.last_ts) == (tape.seq, 5, tape.ts)
    assert checkpoint.state.live == {3, 4}
    nothing_left(root)


def test_segments_from_a_number_on_are_left_for_the_recorder(root):
    tape = long_tape(4)
    list(recover(written(root, tape), before=3))
    assert [folder.number(path) for path in folder.segments(root)] == [3, 4]
    list(recover(root))
    assert recorded(root) == tape.tables()


def test_what_is_not_in_parquet_yet_is_what_will_be_there_row_for_row(root):
    tape = long_tape(3)
    written(root, tape)
    tails = unrendered(root)
    assert [tail.last_seq for tail in tails][-1] is None
    assert [tail.first_seq for tail in tails][1:] == [tail.last_seq + 1 for tail in tails[:-1]]
    seen = {
        table: [row for tail in tails for row in tail.table(table).to_pylist()] for table in schema.TABLES
    }
    assert all(tail.table(table).schema == schema.schema(table) for tail in tails for table in schema.TABLES)
    list(recover(root))
    assert seen == recorded(root) == tape.tables()
    assert unrendered(root) == []


def test_a_segment_torn_at_its_end_gives_what_it_has_and_the_torn_bytes_are_kept_aside(root):
    tape = long_tape(2)
    written(root, tape)
    last = folder.segment_path(root, 2)
    last.write_bytes(last.read_bytes()[:-5])
    first, second = recover(root)
    assert (first.torn, second.torn > 0, second.lost) == (0, True, 0)
    aside = root / "journal" / "set-aside"
    assert names(aside) == ["00000002.torn"]
    whole = numbered(tape.tables())
    assert [seq for seq, _, _ in numbered(recorded(root))] == list(range(1, len(whole)))
    checkpoint = folder.load(root)
    assert (checkpoint.next_seq, checkpoint.next_segment) == (len(whole), 3)


@pytest.mark.parametrize("bytes_of", [b"no segment at all", b"PAR1" + bytes(100)])
def test_a_file_that_is_no_segment_is_set_aside_and_the_others_go_on(root, bytes_of):
    tape = long_tape(2)
    written(root, tape)
    folder.segment_path(root, 3).write_bytes(bytes_of)
    *_, strange = recover(root)
    assert (strange.rows, strange.lost) == (0, len(bytes_of))
    assert (root / "journal" / "set-aside" / "00000003.journal").read_bytes() == bytes_of
    assert recorded(root) == tape.tables()
    assert folder.load(root).next_segment == 4
    assert folder.load(root).next_seq == tape.seq


def test_a_segment_that_ended_before_its_first_record_forgets_no_open_gap(root):
    tape = long_tape(1)
    gap = {"symbol": "ES", "stream": "level1", "ts_start": 5, "seq_start": 0, "reason": "farm", "code": 2103}
    tape.control("gap_start", **gap)
    written(root, tape)
    folder.segment_path(root, 2).write_bytes(tape.contents()[0][:32])
    for checkpoint in (resume(root), list(recover(root)) and folder.load(root)):
        assert list(checkpoint.state.gaps) == [("ES", "level1")]
        assert (checkpoint.next_seq, checkpoint.next_segment) == (tape.seq, 3)


def test_recording_can_go_on_behind_segments_that_could_not_be_rendered_yet(root):
    tape = long_tape(3)
    written(root, tape)
    folder.segment_path(root, 4).write_bytes(b"no segment")
    checkpoint = resume(root)
    assert (checkpoint.next_seq, checkpoint.next_segment, checkpoint.last_ts) == (tape.seq, 5, tape.ts)
    assert checkpoint.state.live == {3, 4}
    assert folder.load(root) == Checkpoint()
    assert len(folder.segments(root)) == 4


def test_a_folder_that_is_no_recording_is_refused(tmp_path):
    for root in (tmp_path, tmp_path / "missing", tmp_path / "file"):
        (tmp_path / "file").touch()
        with pytest.raises(NotARecordingError, match="not a recording"):
            list(recover(root))


def test_the_renderer_as_a_process_says_what_became_of_each_segment(root):
    tape = long_tape(2)
    written(root, tape)
    done = subprocess.run(
        [sys.executable, "-m", "recorder.render", root, "2"], capture_output=True, check=True
    )
    (line,) = map(json.loads, done.stdout.splitlines())
    assert (line["segment"], line["lost"], line["rows"] > 5, line["files"]) == (
        "00000001.journal",
        0,
        True,
        4,
    )
    assert line["parquet_bytes"] == sum(path.stat().st_size for path in root.rglob("*.parquet"))
    shutil.rmtree(root)
    failed = subprocess.run([sys.executable, "-m", "recorder.render", root], capture_output=True, check=False)
    assert (failed.returncode, failed.stdout) == (1, b"")
    assert re.fullmatch(rb".*: not a recording: [^\n]*\n", failed.stderr)


def test_killed_at_random_moments_the_renderer_ends_with_every_row_once(root):
    tape = long_tape(60)
    written(root, tape)
    chance = random.Random(7)
    command = [sys.executable, "-m", "recorder.render", str(root)]
    kills = 0
    while folder.segments(root) and kills < 8:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            process.stdout.readline()
            time.sleep(chance.random() * 0.03)
            process.kill()
            assert process.stderr.read() == b""
        kills += 1
    assert kills > 5
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    assert recorded(root) == tape.tables()
    nothing_left(root)


KILLED_AT = """
import os, signal, shutil, sys
from pathlib import Path
from recorder.render import recover
template, work, step = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
FILE_OPERATIONS = {"open", "os.link", "os.remove", "os.rename", "os.mkdir"}

def rendered(root, at):
    # In a child that kills itself right before its at-th file operation.
    child = os.fork()
    if child == 0:
        left = [at]
        def count(event, args):
            if event in FILE_OPERATIONS and str(root) in str(args[0]):
                left[0] -= 1
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(count)
        list(recover(root))
        os._exit(0)
    return os.waitpid(child, 0)[1]

at = 1
while True:
    root = work / str(at)
    shutil.copytree(template, root)
    killed = rendered(root, at)
    rendered(root, at + 3)
    assert rendered(root, 0) == 0
    if killed == 0:
        break
    at += step
"""


def test_killed_before_any_file_operation_the_renderer_ends_with_every_row_once(root, tmp_path):
    tape = long_tape(2)
    written(root, tape)
    work = tmp_path / "work"
    work.mkdir()
    subprocess.run([sys.executable, "-c", KILLED_AT, str(root), str(work), "9"], check=True)
    ended = list(work.iterdir())
    assert len(ended) >= 8
    wanted = tape.tables()
    for one in ended:
        assert recorded(one) == wanted
        nothing_left(one)


def test_renderers_started_at_once_end_with_every_row_once(root):
    """One may be an orphan: it goes on when its recorder is killed, and the next recorder starts another."""
    tape = long_tape(12)
    command = [sys.executable, "-m", "recorder.render", str(written(root, tape))]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
    said = [process.communicate() for process in started]
    assert [(process.returncode, errors) for process, (_, errors) in zip(started, said, strict=True)] == [
        (0, b""),
        (0, b""),
    ]
    lines = [json.loads(line) for done, _ in said for line in done.splitlines()]
    assert sorted(line["segment"] for line in lines) == [f"{index:08d}.journal" for index in range(1, 13)]
    assert recorded(root) == tape.tables()
    nothing_left(root)


@pytest.mark.parametrize("call", ["list(recover(Path(sys.argv[1])))", "resume(Path(sys.argv[1]))"])
def test_while_one_renders_every_other_reading_of_the_segments_waits(root, call):
    tape = long_tape(2)
    rendering = recover(written(root, tape))
    next(rendering)
    program = f"import sys; from pathlib import Path; from recorder.render import *; {call}"
    with subprocess.Popen([sys.executable, "-c", program, str(root)]) as waiting:
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(1.5)
        list(rendering)
        assert waiting.wait(10) == 0
    assert recorded(root) == tape.tables()


@pytest.mark.parametrize("seal_lost", [False, True])
def test_numbers_are_not_given_again_when_the_end_of_a_segment_is_damaged(root, seal_lost):
    """What comes next is known from the segment's last record, or from the first one of the next segment."""
    tape = long_tape(2)
    tape.roll()
    written(root, tape)
    if not seal_lost:
        folder.segment_path(root, 3).unlink()
    path = folder.segment_path(root, 2)
    whole = path.read_bytes()
    end = len(whole) if seal_lost else whole.rindex(RECORD_MAGIC)
    path.write_bytes(whole[: end - 200] + bytes(200) + whole[end:])
    assert (render(path.read_bytes()).next_seq < tape.seq) == seal_lost
    assert resume(root).next_seq == tape.seq
    assert [bool(done.lost) for done in recover(root)][:2] == [False, True]
    assert folder.load(root).next_seq == tape.seq


def test_after_recovery_a_new_recorder_goes_on_without_a_hole(root):
    first = long_tape(2)
    list(recover(written(root, first)))
    checkpoint = folder.load(root)
    second = Tape(seq=checkpoint.next_seq, ts=first.ts + 10**6)
    second.control("session_start", text="y")
    folder.segment_path(root, checkpoint.next_segment).write_bytes(second.contents()[0])
    list(recover(root))
    seqs = [seq for seq, _, _ in numbered(recorded(root))]
    assert seqs == list(range(1, second.seq))
    (started,) = (row for row in recorded(root)["events"] if row["text"] == "y")
    assert content(started)["kind"] == "session_start"


def test_a_segment_that_was_published_before_is_only_taken_away(root):
    """Killed between checkpoint and unlink; meanwhile its files have been merged into others."""
    written(root, long_tape(2))
    first = folder.segments(root)[0].read_bytes()
    list(recover(root))
    before = recorded(root)
    list(compact(root, date(2026, 11, 25)))
    folder.segment_path(root, 1).write_bytes(first)
    list(recover(root))
    assert recorded(root) == before
    nothing_left(root)


def test_what_a_killed_renderer_left_staged_goes_whatever_became_of_its_segment(root):
    tape = long_tape(2)
    written(root, tape)
    left = [
        "level1-0000000000000000001-0000000000000000009.parquet",
        "gaps-0000000000000000001-0000000000000000009-damaged.parquet",
    ]
    others = ["level1-0000000000000000001-0000000000000000009-day.parquet", "mine.parquet"]
    for name in left + others:
        (root / "staging" / name).touch()
    list(recover(root))
    assert names(root / "staging") == sorted(others)


def of_format_1(root, tape):
    """The first segment in Parquet, the others in the journal: all as format 1 has it."""
    written(root, tape)
    for path in folder.segments(root):
        path.write_bytes(b"ib-recorder journal 1\n\0\0" + path.read_bytes()[24:])
    list(recover(root, before=2))
    for path in root.glob("*/date=*/*.parquet"):
        path.rename(path.with_name(path.stem.rsplit("-", 1)[0] + ".parquet"))
    said = stated.read(root)
    kept = {name: said[name] for name in ("next_seq", "next_segment", "last_ts", "state", "lasts")}
    (root / stated.FIRST).write_text(json.dumps({"format": 1, **kept}))
    (root / stated.COPY).unlink()
    return root


def test_a_recording_of_format_1_is_read_continued_and_whole(root):
    tape = long_tape(3)
    of_format_1(root, tape)
    assert verify(root).flaws == []
    assert [done.lost + done.missing for done in recover(root)] == [0, 0]
    assert recorded(root) == tape.tables()
    assert verify(root).flaws == []
    assert (folder.format_of(root), folder.load(root).archive) == (2, False)


@pytest.mark.parametrize("which", ["recording.json", "segment"])
def test_what_is_of_a_newer_format_is_refused_and_nothing_touched(root, which):
    written(root, long_tape(3))
    if which == "segment":
        last = folder.segment_path(root, 3)
        last.write_bytes(b"ib-recorder journal 3\n\0\0" + last.read_bytes()[24:])
    else:
        stated.write(root, stated.read(root) | {"format": 3})
    state = {path: path.read_bytes() for path in root.rglob("*") if path.is_file() and path.stat().st_size}
    for refused in (lambda: list(recover(root)), lambda: resume(root)):
        with pytest.raises(NotARecordingError, match=r"3; this version reads up to 2: update"):
            refused()
    assert {
        path: path.read_bytes() for path in root.rglob("*") if path.is_file() and path.stat().st_size
    } == state
