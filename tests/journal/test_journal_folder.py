"""A root is one recorder's, a recording's or nobody's; never overwritten by mistake."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest
from tape import names

from recorder.journal import folder, stated
from recorder.journal.folder import Checkpoint, NotARecordingError
from recorder.journal.lock import RootInUseError, locked
from recorder.journal.state import Gap, Request, State

HOLDER = """
import sys, time
from pathlib import Path
from recorder.journal.lock import RootInUseError, locked
try:
    with locked(Path(sys.argv[1])):
        print("mine", flush=True)
        time.sleep(60)
except RootInUseError as error:
    print(error)
"""


@pytest.fixture
def root(tmp_path):
    return tmp_path / "data"


def test_a_new_root_is_made_and_the_next_time_continued(root):
    assert folder.create(root) == Checkpoint()
    folder.save(root, Checkpoint(next_seq=9, next_segment=3, last_ts=7))
    assert folder.create(root) == Checkpoint(9, 3, 7)
    assert names(root) == ["journal", "recording.json", "staging"]


def test_a_checkpoint_reads_back_as_it_was_saved(root):
    folder.create(root)
    gaps = {("A", "level1"): Gap("A", "level1", 5, 6, "farm", 2103)}
    state = State(hello=False, requests={3: Request("A", "bars", 9, "BID")}, live={3}, gaps=gaps)
    folder.save(root, Checkpoint(9, 3, 7, state))
    assert folder.load(root) == Checkpoint(9, 3, 7, state)


def test_what_a_killed_beginner_left_is_begun_anew(root):
    (root / "journal").mkdir(parents=True)
    (root / "recording.json.new").write_text("{")
    assert folder.create(root) == Checkpoint()


def test_a_folder_that_holds_something_else_is_refused_and_left_alone(root):
    root.mkdir()
    (root / "thesis.tex").touch()
    with pytest.raises(NotARecordingError, match=r"thesis\.tex"):
        folder.create(root)
    assert names(root) == ["thesis.tex"]


def test_a_file_is_no_root(root):
    root.touch()
    with pytest.raises(NotARecordingError, match="must be a folder"):
        folder.create(root)
    with pytest.raises(NotARecordingError, match="not a recording"):
        folder.load(root)


def test_a_folder_without_a_checkpoint_is_no_recording(root):
    with pytest.raises(NotARecordingError, match="not a recording"):
        folder.load(root)
    root.mkdir()
    with pytest.raises(NotARecordingError, match="not a recording"):
        folder.load(root)


GOOD = {"format": 1, "next_seq": 1, "next_segment": 1, "last_ts": 0, "state": State().snapshot()}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b'"text"',
        json.dumps(GOOD).encode()[:40],
        json.dumps(GOOD | {"format": "1"}).encode(),
        json.dumps(GOOD | {"state": []}).encode(),
        json.dumps(GOOD | {"state": State().snapshot() | {"requests": []}}).encode(),
        json.dumps(GOOD | {"state": State().snapshot() | {"requests": {"x": {}}}}).encode(),
    ],
)
def test_a_checkpoint_that_cannot_be_read_is_named(root, content):
    folder.create(root)
    (root / stated.COPY).unlink()
    (root / "recording.json").write_bytes(content)
    with pytest.raises(NotARecordingError, match=r"recording\.json: cannot be read"):
        folder.load(root)


def test_what_a_later_version_of_the_same_format_says_besides_is_left_alone(root):
    folder.create(root)
    (root / "recording.json").write_text(json.dumps(GOOD | {"colour": "red"}))
    assert folder.load(root) == Checkpoint()


def test_a_recording_of_a_newer_format_asks_for_an_update(root):
    folder.create(root)
    (root / "recording.json").write_text(json.dumps(GOOD | {"format": 3}))
    with pytest.raises(NotARecordingError, match="format 3; this version reads up to 2: update"):
        folder.load(root)


def test_segments_are_in_the_order_of_their_numbers_and_other_files_are_not_segments(root):
    folder.create(root)
    for name in (
        "00000010.journal",
        "00000009.journal",
        "100000000.journal",
        "a.journal",
        "1 (copy).journal",
        "lock",
    ):
        (root / "journal" / name).touch()
    assert [folder.number(path) for path in folder.segments(root)] == [9, 10, 100_000_000]


def test_a_root_in_use_says_by_whom_and_a_killed_holder_lets_go(root):
    folder.create(root)
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(root)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout.readline() == "mine\n"
        with pytest.raises(RootInUseError, match=f"in use by process {holder.pid};"), locked(root):
            pass
        holder.kill()
        holder.wait()
    with locked(root):
        said = subprocess.run(
            [sys.executable, "-c", HOLDER, str(root)], stdout=subprocess.PIPE, text=True, check=True
        )
    assert f"in use by process {os.getpid()};" in said.stdout
    with locked(root):
        pass


AS_SAVED = Checkpoint(
    9, 3, 7, State(live={3, 20}, requests={20: Request("B", "bars", 9), 3: Request("A", "level1", 1)})
)


def lost(path):
    path.unlink()


def flipped(path):
    """Another number, and still an object that reads."""
    path.write_bytes(path.read_bytes().replace(b'"next_seq": 9', b'"next_seq": 8'))


def emptied(path):
    path.write_bytes(b"")


def a_folder(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("spoil", [lost, flipped, emptied, a_folder])
@pytest.mark.parametrize("path", [stated.FIRST, stated.COPY])
def test_of_recording_json_and_its_copy_each_stands_for_the_other(root, path, spoil):
    folder.create(root)
    folder.save(root, AS_SAVED)
    spoil(root / path)
    was = [] if spoil is lost else ["-".join(path.parts)]
    assert folder.create(root) == AS_SAVED
    assert folder.heal(root) == [path]
    assert (names(root / "set-aside") if was else []) == was
    for other in (stated.FIRST, stated.COPY):
        content = (root / other).read_bytes()
        (root / other).unlink()
        assert folder.load(root) == AS_SAVED
        (root / other).write_bytes(content)
    assert folder.heal(root) == []


def test_what_is_whole_is_not_written_again(root):
    folder.create(root)
    before = {path: (root / path).stat().st_ino for path in (stated.FIRST, stated.COPY)}
    assert folder.heal(root) == []
    assert before == {path: (root / path).stat().st_ino for path in before}


def test_a_recording_of_before_there_was_a_copy_has_lost_none(root):
    folder.create(root)
    (root / stated.COPY).unlink()
    (root / stated.FIRST).write_text(json.dumps(GOOD))
    assert folder.heal(root) == []
    assert folder.load(root) == Checkpoint()


def test_where_both_are_gone_nothing_is_begun_anew(root):
    folder.create(root)
    (root / "level1").mkdir()
    for path in (stated.FIRST, stated.COPY):
        (root / path).unlink()
    with pytest.raises(NotARecordingError, match="holds 'level1' and no"):
        folder.create(root)


@pytest.mark.parametrize("more", [{"next_seq": 12}, {"next_segment": 4}, {"kept_seq": 5}])
def test_an_old_recording_json_put_back_is_noticed_by_its_copy(root, more):
    folder.create(root)
    folder.save(root, AS_SAVED)
    old = (root / stated.FIRST).read_bytes()
    later = replace(AS_SAVED, **more)
    folder.save(root, later)
    (root / stated.FIRST).write_bytes(old)
    assert later == folder.load(root)
    assert [stated.FIRST] == folder.heal(root)
    assert ([], later) == (stated.spoilt(root), folder.load(root))
