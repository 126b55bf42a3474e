"""Rendering again from the archive takes along nothing that is not its own, whatever shape the files have."""

import datetime as dt
import importlib
import shutil
import subprocess
import sys

import pyarrow.parquet as pq
import pytest
from faults.scenes import LONG_AGO, misread
from rendered import bid, recorded, whole_tape, written
from store.recordings import killed_behind_its_word, put, spoilt_prices
from store.test_store_awkward import archiving
from tape import NOON, Tape, names

from recorder import partition, schema
from recorder.journal import folder
from recorder.render import recover
from recorder.render.mend import mend
from recorder.render.publish import write
from recorder.store import retain
from recorder.store.again import again
from recorder.store.files import DamagedFileError
from recorder.store.pending import roll_forward
from recorder.verify import verify
from recorder.wire.layouts import frame


@pytest.mark.parametrize("at", ["archived", "_stage_rest", "_refuse_other_numbers", "_changed", "swap_all"])
@pytest.mark.parametrize("archive", [True, False])
def test_what_an_orphaned_renderer_publishes_meanwhile_stays(tmp_path, monkeypatch, at, archive):
    tape = whole_tape(3)
    root = written(tmp_path / "data", tape)
    folder.adopt(root, archive=True)
    list(recover(root, before=3))
    folder.adopt(root, archive=archive)
    spoilt_prices(root)
    module = importlib.import_module("recorder.store.again")
    real, left = getattr(module, at), [1]

    def late(*arguments):
        if left:
            left.clear()
            list(recover(root))
        return real(*arguments)

    monkeypatch.setattr(module, at, late)
    assert again(root).segments == (3 if archive and at == "archived" else 2)
    assert [] == left
    assert tape.tables() == recorded(root)
    assert [] == verify(root).flaws


def with_guests(root):
    """In a day's folder a file, a folder and a link that are none of the recording's."""
    day = next((root / "level1").iterdir())
    (day / "notes.txt").write_text("years of notes")
    (day / "studies").mkdir()
    (day / "studies" / "one.txt").write_text("more of them")
    (day / "elsewhere").symlink_to("/nowhere")
    return day


def guests(day):
    return (
        (day / "notes.txt").read_text(),
        (day / "studies" / "one.txt").read_text(),
        str((day / "elsewhere").readlink()),
    )


def test_what_is_none_of_ours_stays_in_its_folder(tmp_path):
    root = archiving(tmp_path / "data")
    right = recorded(root)
    spoilt_prices(root)
    day = with_guests(root)
    before = guests(day)
    again(root)
    assert before == guests(day)
    assert right == recorded(root)
    assert [] == list((root / "staging").rglob("notes.txt"))


KILLED = """
import os, signal, sys
from pathlib import Path
from recorder.store import again, pending
exchange = pending.exchange
def killed(one, other):
    if sys.argv[2] == "behind":
        exchange(one, other)
    os.kill(os.getpid(), signal.SIGKILL)
pending.exchange = killed
again.again(Path(sys.argv[1]))
"""


@pytest.mark.parametrize("when", ["before", "behind"])
def test_what_is_none_of_ours_stays_though_the_exchange_is_killed(tmp_path, when):
    root = archiving(tmp_path / "data")
    right = recorded(root)
    spoilt_prices(root)
    day = with_guests(root)
    before = guests(day)
    assert -9 == subprocess.run([sys.executable, "-c", KILLED, root, when], check=False).returncode
    assert roll_forward(root)
    assert before == guests(day)
    assert right == recorded(root)


def test_a_file_without_a_column_that_came_later_is_rendered_again_like_any_other(tmp_path):
    root = archiving(tmp_path / "data")
    right = recorded(root)
    for path in list((root / "level1").glob("date=*/*.parquet")):
        file, staged = partition.parse(path), root / "staging" / "older"
        write(staged, pq.ParquetFile(path).read().drop_columns(["attribs"]), "level1")
        path.unlink()
        name = partition.name(file.first_seq, file.last_seq, partition.checksum(staged))
        staged.rename(path.with_name(name))
    assert [] == verify(root).flaws
    done = again(root)
    assert right == recorded(root)
    assert ["level1"] == list(done.changed)


@pytest.mark.parametrize("table", ["level1", "events"])
def test_a_damaged_file_is_not_made_whole_by_rendering_again(tmp_path, table):
    misread(tmp_path)
    path = next(tmp_path.glob(f"{table}/date=*/*-day-*.parquet"))
    content = bytearray(path.read_bytes())
    for at in (40, len(content) // 2, len(content) - 40):
        spoilt = bytearray(content)
        spoilt[at] ^= 4
        path.write_bytes(spoilt)
        with pytest.raises(DamagedFileError, match=path.name):
            again(tmp_path)
        assert spoilt == path.read_bytes()
        assert str(path) in {flaw.text.partition(": ")[0] for flaw in verify(tmp_path).flaws}


def gone(staged):
    shutil.rmtree(staged)


def one_of_a_day_gone(staged):
    next(staged.glob("events/date=*/*.parquet")).unlink()


def one_of_a_day_spoilt(staged):
    path = next(path for path in staged.glob("events/date=*/*.parquet") if path.stat().st_nlink == 1)
    path.write_bytes(path.read_bytes()[:-1])


def the_word_spoilt(staged):
    staged.with_suffix(".json").write_bytes(bytes(300))


def a_name_in_the_word_spoilt(staged):
    """One bit of what a file of before is called: it would stay, beside the file that has its rows now."""
    word = staged.with_suffix(".json")
    content = bytearray(word.read_bytes())
    content[content.index(b'"before": ["') + 12] ^= 1
    word.write_bytes(content)


def the_word_another(staged):
    staged.with_suffix(".json").write_bytes(b'{"folder": "level1"}')


@pytest.mark.parametrize("swapped", [0, 1])
@pytest.mark.parametrize(
    "damage",
    [
        gone,
        one_of_a_day_gone,
        one_of_a_day_spoilt,
        the_word_spoilt,
        a_name_in_the_word_spoilt,
        the_word_another,
    ],
)
def test_what_is_staged_and_not_whole_takes_no_row_with_it(tmp_path, monkeypatch, damage, swapped):
    root = misread(tmp_path / "data")
    before = numbers(root)
    killed_behind_its_word(root, monkeypatch, swapped)
    damage(root / "staging" / "from-archive")
    left = sorted(path.name for path in (root / "staging" / "from-archive").rglob("*.parquet"))
    tables = recorded(root)
    assert "set aside" == roll_forward(root)
    assert (tables, before) == (recorded(root), numbers(root))
    assert left == sorted(path.name for path in (root / "set-aside").rglob("*.parquet"))
    assert "from-archive.json" in names(root / "set-aside")
    assert {"damaged"} == {flaw.kind for flaw in verify(root).flaws if "set-aside" in flaw.text}
    assert roll_forward(root) is None
    shutil.rmtree(root / "set-aside")
    again(root)
    mend(root)
    assert before == numbers(root)
    assert ([], []) == (verify(root).flaws, names(root / "staging"))


def numbers(root):
    """The numbers that stand in the tables, as often as they do."""
    tables = recorded(root)
    return sorted(row["seq"] for table in schema.SEQUENCED for row in tables[table])


def without_ticks(root, old):
    """A recording whose retention took the ticks of its first day; ``old``: what was read on it."""
    tape = Tape(ts=NOON - LONG_AGO)
    tape.control("session_start", text="x")
    tape.open(AAPL=(3, "level1"))
    tape.read(old)
    tape.roll()
    tape.ts = NOON
    tape.read(bid(7))
    tape.seal()
    folder.adopt(written(root, tape), archive=True)
    list(recover(root))
    return tape


BEHIND = dt.date(2026, 11, 23)


def test_ticks_that_retention_took_stay_gone_where_a_row_came_to_their_day_later(tmp_path):
    tape = without_ticks(tmp_path, b"".join(map(bid, range(20))))
    retain(tmp_path, 1, None, BEHIND)
    late = Tape(seq=tape.seq, ts=NOON - LONG_AGO)
    late.open(AAPL=(3, "level1"))
    late.read(bid(8))
    late.seal()
    folder.segment_path(tmp_path, 3).write_bytes(late.contents()[0])
    list(recover(tmp_path))
    before = recorded(tmp_path)
    spoilt_prices(tmp_path)
    assert {"level1": 2} == again(tmp_path).changed
    assert before == recorded(tmp_path)
    assert [] == verify(tmp_path).flaws


def test_a_row_may_move_from_the_events_to_ticks_of_a_day_that_retention_took(tmp_path):
    without_ticks(tmp_path, bid(1) + frame("200", "3", "what"))
    right = recorded(tmp_path)
    path = next(tmp_path.glob("other/date=*/*.parquet"))
    moved = pq.ParquetFile(path).read().to_pylist()[0]
    shutil.rmtree(path.parent)
    put(tmp_path, "events", [{**moved, "kind": "notice"}], partition.parse(path).day)
    retain(tmp_path, 1, None, BEHIND)
    assert {"events": 1, "other": 1} == again(tmp_path).changed
    assert (right["events"], right["other"]) == (recorded(tmp_path)["events"], recorded(tmp_path)["other"])
    assert [] == verify(tmp_path).flaws
