"""Something other than a file under a file's name: a link to a disk that is not mounted, or a folder."""

import shutil

import pyarrow.parquet as pq
import pytest
from rendered import recorded, whole_tape, written

from recorder import partition
from recorder.journal import folder
from recorder.render import recover
from recorder.render.mend import mend
from recorder.verify import verify


def recording(root, *, archive):
    written(root, whole_tape(3))
    folder.adopt(root, archive=archive)
    list(recover(root))
    return root


@pytest.fixture(params=[True, False], ids=["archive", "no archive"])
def root(tmp_path, request):
    return recording(tmp_path / "data", archive=request.param)


def largest(root, table):
    return max((root / table).glob("date=*/*.parquet"), key=lambda path: path.stat().st_size)


def a_file(path):
    return path


def its_day(path):
    return path.parent


def its_table(path):
    return path.parent.parent


PLACES = [a_file, its_day, its_table]


def unmounted(path, disk):
    """Move it to another disk that a link leads to, and take that away; returns what brings it back."""
    disk.mkdir()
    path.rename(disk / path.name)
    path.symlink_to(disk / path.name)
    away = disk.rename(disk.with_name("unmounted"))
    return lambda: away.rename(disk)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("table", ["level1", "events", "gaps", "instruments"])
def test_what_is_on_a_disk_that_is_not_mounted_is_left_and_named_and_all_is_well_when_it_is_back(
    root, tmp_path, table, place
):
    before, link = recorded(root), place(largest(root, table))
    mount = unmounted(link, tmp_path / "disk")
    named = [flaw.text for flaw in verify(root).flaws if str(link) in flaw.text]
    assert [True] == ["mount what holds it" in text for text in named]
    done = mend(root)
    assert ([link], [], 0, 0, []) == (done.away, done.moved, done.lost, done.retold, done.unmended)
    mount()
    done = mend(root)
    assert (before, []) == (recorded(root), done.files)
    assert [] == verify(root).flaws


def test_the_rest_is_mended_meanwhile(tmp_path):
    root = recording(tmp_path / "data", archive=True)
    before, damaged = recorded(root), largest(root, "trades")
    mount = unmounted(largest(root, "level1"), tmp_path / "disk")
    rows = pq.ParquetFile(damaged).metadata.num_rows
    damaged.write_bytes(b"")
    done = mend(root)
    assert (1, rows) == (len(done.moved), done.rows)
    mount()
    assert before == recorded(root)


def test_what_nothing_holds_is_on_record_when_the_disk_is_back(tmp_path):
    root = recording(tmp_path / "data", archive=False)
    damaged = largest(root, "trades")
    mount = unmounted(largest(root, "level1"), tmp_path / "disk")
    rows = pq.ParquetFile(damaged).metadata.num_rows
    damaged.write_bytes(b"")
    assert 0 == mend(root).lost
    mount()
    assert rows == mend(root).lost
    shutil.rmtree(root / "set-aside")
    assert [] == verify(root).flaws


def test_with_the_link_deleted_what_it_stood_for_is_made_again_or_lost(root, tmp_path):
    before, path = recorded(root), largest(root, "level1")
    unmounted(path, tmp_path / "disk")
    mend(root)
    path.unlink()
    done = mend(root)
    assert (before == recorded(root)) == (done.lost == 0)
    assert [] == verify(root).flaws


def test_a_link_that_is_none_of_the_recordings_keeps_nothing_from_being_mended(tmp_path):
    root = recording(tmp_path / "data", archive=False)
    path = largest(root, "level1")
    path.with_name("mine.parquet").symlink_to(tmp_path / "nowhere")
    path.unlink()
    done = mend(root)
    assert ([], True) == (done.away, done.lost > 0)


@pytest.mark.parametrize("name", ["of this format", "of format 1"])
@pytest.mark.parametrize("content", [(), ("notes.txt",)])
def test_a_folder_under_a_files_name_is_set_aside_with_what_is_in_it(tmp_path, name, content):
    root = recording(tmp_path / "data", archive=True)
    before, path = recorded(root), largest(root, "level1")
    file = partition.parse(path)
    path.unlink()
    if name == "of format 1":
        path = path.with_name(f"{partition.stem(file.first_seq, file.last_seq)}.parquet")
    path.mkdir()
    for one in content:
        (path / one).write_text("mine")
    assert [path.name in flaw.text for flaw in verify(root).flaws if flaw.kind == "unreadable"] == [True]
    (aside,) = mend(root).moved
    assert sorted(content) == sorted(one.name for one in aside.iterdir())
    assert before == recorded(root)
    shutil.rmtree(root / "set-aside")
    assert [] == verify(root).flaws


def test_a_damaged_file_behind_a_link_that_leads_nowhere_from_the_set_aside_folder_is_as_lost_as_any(
    tmp_path,
):
    root = recording(tmp_path / "data", archive=False)
    path = largest(root, "level1")
    (root / "level1" / "disk").mkdir()
    path.rename(root / "level1" / "disk" / "one").write_bytes(b"")
    path.symlink_to("../disk/one")
    done = mend(root)
    assert (1, True, 0) == (len(done.moved), done.lost > 0, done.saved)
