"""Rendering again from the archive takes along nothing that is not its own, whatever shape the files have."""

import importlib
import subprocess
import sys

import pyarrow.parquet as pq
import pytest
from rendered import recorded, whole_tape, written
from store.test_store_awkward import archiving, spoilt_prices

from recorder import partition
from recorder.journal import folder
from recorder.render import recover
from recorder.render.publish import write
from recorder.store.again import again
from recorder.store.pending import roll_forward
from recorder.verify import verify


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
