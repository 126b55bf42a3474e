"""Rendered segments are kept compressed, and rendering them again mends what was decoded wrongly."""

import datetime as dt
import subprocess
import sys

import pytest
from rendered import recorded, whole_tape, written
from tape import NOON, Tape, names

from recorder.cli.recover import from_archive
from recorder.journal import folder
from recorder.journal.format import scan
from recorder.render import recover
from recorder.render import rows as rows_module
from recorder.render.archive import archived, compressed
from recorder.render.publish import PublishError
from recorder.store.again import NotTheSameError, again
from recorder.store.compact import compact
from recorder.store.pending import roll_forward
from recorder.verify import verify
from recorder.wire.layouts import frame

MIDNIGHT = NOON + 12 * 3600 * 1_000_000
TOMORROW = dt.date(2026, 11, 24)


def recording(root, tape, *, archive=True):
    written(root, tape)
    folder.adopt(root, archive=archive)
    list(recover(root))
    return root


@pytest.fixture
def root(tmp_path):
    return tmp_path / "data"


def over_midnight():
    """A tape of three segments, the second of which reaches into the next day."""
    tape = Tape(ts=MIDNIGHT - 40_000)
    tape.open(AAPL=(3, "level1"), ES=(4, "depth"))
    for number in range(90):
        tape.read(
            frame("1", "6", "3", "1", str(number), "5", "1") + frame("12", "1", "4", "0", "0", "1", "9", "3")
        )
        if number in (20, 60):
            tape.roll()
    return tape


def test_a_rendered_segment_is_kept_compressed_under_the_day_of_its_first_record(root):
    tape = whole_tape()
    recording(root, tape)
    kept = archived(root)
    assert [one.path.relative_to(root).as_posix() for one in kept] == [
        f"archive/date=2026-11-22/{number:08d}.journal.zst" for number in (1, 2, 3)
    ]
    assert [one.content() for one in kept] == read_elsewhere(kept)
    assert folder.segments(root) == []
    assert verify(root).flaws == []


def read_elsewhere(kept):
    """What was rendered, read again by another program."""
    import pyarrow as pa  # noqa: PLC0415 - beside its only use

    return [pa.input_stream(str(one.path), compression="zstd").read() for one in kept]


def test_without_the_setting_nothing_is_kept(root):
    recording(root, whole_tape(), archive=False)
    assert not (root / "archive").exists()


def test_a_torn_segment_is_kept_without_its_torn_end_and_a_damaged_one_is_set_aside(root):
    written(root, whole_tape())
    folder.adopt(root, archive=True)
    paths = folder.segments(root)
    middle = bytearray(paths[1].read_bytes())
    middle[600] ^= 1
    paths[1].write_bytes(middle)
    last = paths[2].read_bytes()
    paths[2].write_bytes(last + b"IBrc, and not much more")
    list(recover(root))
    assert [one.number for one in archived(root)] == [1, 3]
    assert archived(root)[1].content() == last
    assert names(root / "journal" / "set-aside") == ["00000002.journal", "00000003.torn"]


@pytest.mark.parametrize(
    "hurt", [lambda content: content[:-5], lambda content: content[:60] + b"?" + content[61:]]
)
def test_an_archived_segment_that_does_not_read_is_told(root, hurt):
    recording(root, whole_tape())
    path = archived(root)[1].path
    path.write_bytes(hurt(path.read_bytes()))
    assert [(flaw.kind, str(path) in flaw.text) for flaw in verify(root).flaws] == [("unreadable", True)]


def wrongly(monkeypatch):
    """A decoder that does not know the rows of a book."""
    monkeypatch.delitem(rows_module._BY_KEY, (12, 0))


@pytest.mark.parametrize("compacted", [False, True])
@pytest.mark.parametrize("tape", [whole_tape, over_midnight])
def test_a_bug_in_decoding_is_mended_by_rendering_again(root, tmp_path, monkeypatch, tape, compacted):
    right = recorded(recording(tmp_path / "right", tape()))
    with monkeypatch.context() as context:
        wrongly(context)
        recording(root, tape())
    assert recorded(root)["depth"] == []
    if compacted:
        list(compact(root, TOMORROW))
    done = again(root)
    assert recorded(root) == right
    assert done.changed == {"depth": len(right["depth"]), "other": len(right["depth"])}
    assert verify(root).flaws == []
    assert names(root / "staging") == []


def test_one_day_alone_leaves_the_other_days_rows(root, monkeypatch):
    with monkeypatch.context() as context:
        wrongly(context)
        recording(root, over_midnight())
    wrong = recorded(root)
    again(root, dt.date(2026, 11, 23))
    after = recorded(root)
    first = min(row["seq"] for row in after["depth"])
    assert [row for row in after["other"] if row["seq"] < first] == [
        row for row in wrong["other"] if row["seq"] < first
    ]
    assert {row["seq"] for row in after["depth"]} == {
        row["seq"] for row in wrong["other"] if row["seq"] >= first
    }
    assert verify(root).flaws == []


def test_rows_of_segments_that_the_archive_no_longer_has_stay(root, monkeypatch):
    with monkeypatch.context() as context:
        wrongly(context)
        recording(root, over_midnight())
    list(compact(root, TOMORROW))
    wrong = recorded(root)
    archived(root)[0].path.unlink()
    again(root)
    after = recorded(root)
    assert len(after["depth"]) == len(wrong["other"]) - 21
    assert len(after["other"]) == 21
    assert verify(root).flaws == []


def test_rendering_again_what_was_right_changes_nothing(root):
    recording(root, whole_tape(5))
    state = {path: path.stat().st_ino for path in root.glob("*/date=*/*")}
    done = again(root)
    assert (done.segments, done.days, done.changed) == (3, set(), {})
    assert {path: path.stat().st_ino for path in root.glob("*/date=*/*")} == state


def test_the_archive_of_another_recording_changes_nothing(root, tmp_path):
    recording(root, whole_tape())
    other = recording(tmp_path / "other", over_midnight())
    before = recorded(root)
    for mine, theirs in zip(archived(root), archived(other), strict=True):
        mine.path.write_bytes(theirs.path.read_bytes())
    with pytest.raises(NotTheSameError, match="never given"):
        again(root)
    assert recorded(root) == before


def test_an_archive_that_lacks_numbers_changes_nothing(root):
    recording(root, whole_tape())
    before, one = recorded(root), archived(root)[1]
    first, behind = (next(scan(content)).seq for content in (one.content(), archived(root)[2].content()))
    other = Tape(seq=first)
    other.control("notice", text="in place of what was there")
    other.seq = behind - 1
    other.control("notice", text="and its end")
    one.path.write_bytes(compressed(other.contents()[0]))
    with pytest.raises(NotTheSameError, match="nothing was changed"):
        again(root)
    assert recorded(root) == before


def test_what_does_not_read_back_is_not_archived_and_its_segment_stays(root, monkeypatch):
    written(root, whole_tape())
    folder.adopt(root, archive=True)
    monkeypatch.setattr("recorder.render.archive.compressed", lambda content: compressed(content[:-1]))
    with pytest.raises(PublishError, match="does not read back"):
        list(recover(root))
    assert (len(folder.segments(root)), archived(root)) == (3, [])
    monkeypatch.undo()
    list(recover(root))
    assert (folder.segments(root), len(archived(root)), verify(root).flaws) == ([], 3, [])


def test_a_file_that_came_while_folders_were_to_be_swapped_stays(root, monkeypatch):
    with monkeypatch.context() as context:
        wrongly(context)
        recording(root, over_midnight())
    subprocess.run([sys.executable, "-c", KILLED_AT, str(root), "1"], check=False)
    for table in ("depth", "other"):
        (root / table / "date=2026-11-23").mkdir(parents=True, exist_ok=True)
        (root / table / "date=2026-11-23" / "mine").write_text(table)
    assert roll_forward(root)
    assert [(root / table / "date=2026-11-23" / "mine").read_text() for table in ("depth", "other")] == [
        "depth",
        "other",
    ]


KILLED_AT = """
import os, signal, sys
from pathlib import Path
from recorder.store import again as module, pending, swap
root, left = Path(sys.argv[1]), [int(sys.argv[2])]
exchange = pending.exchange
def counted(one, other):
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    exchange(one, other)
    if left[0] == -1:
        os.kill(os.getpid(), signal.SIGKILL)
pending.exchange = counted
module.again(root)
"""


@pytest.mark.parametrize("at", [1, 2, 3])
def test_killed_between_two_folders_the_next_one_finishes(root, tmp_path, monkeypatch, at):
    right = recorded(recording(tmp_path / "right", over_midnight()))
    with monkeypatch.context() as context:
        wrongly(context)
        recording(root, over_midnight())
    killed = subprocess.run([sys.executable, "-c", KILLED_AT, str(root), str(at)], check=False)
    assert killed.returncode == -9
    assert roll_forward(root)
    assert not roll_forward(root)
    assert recorded(root) == right
    assert set(names(root / "staging")) <= {"compact"}


def test_the_command_says_what_changed(root, monkeypatch, capsys):
    with monkeypatch.context() as context:
        wrongly(context)
        recording(root, whole_tape())
    from_archive(root, None)
    said = capsys.readouterr().out
    assert "3 segments of the archive rendered again: 1 day changed" in said
    assert "depth: 2 rows changed" in said
    assert names(root / "staging") == []
