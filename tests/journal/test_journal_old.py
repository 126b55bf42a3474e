"""An old ``recording.json`` and its copy put back, or what others keep beside the tables: no number is given twice, and
no row that is there is called lost."""

import shutil

import pytest
from rendered import recorded, whole_tape, written

from recorder import partition, schema
from recorder.journal import folder, stated
from recorder.partition import everywhere
from recorder.render import recover
from recorder.render.mend import mend
from recorder.verify import verify


def put_back(root, content):
    for path in (stated.FIRST, stated.COPY):
        (root / path).write_bytes(content)


@pytest.fixture
def killed(tmp_path):
    """The last of three segments waits; and what ``recording.json`` said behind the first."""
    root = written(tmp_path / "data", whole_tape(3))
    list(recover(root, before=2))
    old = (root / stated.FIRST).read_bytes()
    list(recover(root, before=3))
    return root, old


@pytest.fixture
def expected(tmp_path):
    """Every row of the three."""
    root = written(tmp_path / "undisturbed", whole_tape(3))
    list(recover(root))
    return recorded(root)


def all_of(root):
    """What ``recover`` does; returns what of ``recording.json`` was older than the tables."""
    healed = folder.heal(root, everywhere(root))
    list(recover(root))
    mend(root)
    return healed


@pytest.mark.parametrize("archive", [False, True])
def test_where_a_segment_waits_the_rows_that_are_there_are_not_called_lost(killed, expected, archive):
    root, old = killed
    put_back(root, old)
    folder.adopt(root, archive=archive)
    assert [stated.FIRST] == all_of(root)
    assert expected == recorded(root)
    assert (57, 4) == (folder.load(root).next_seq, folder.load(root).next_segment)
    assert [] == folder.segments(root)


def test_where_the_segment_that_waits_is_in_its_tables_already_nothing_is_made_twice(killed, expected):
    root, old = killed
    content = folder.segment_path(root, 3).read_bytes()
    list(recover(root))
    folder.segment_path(root, 3).write_bytes(content)
    put_back(root, old)
    assert [stated.FIRST] == all_of(root)
    assert expected == recorded(root)


def test_a_segment_that_waits_and_is_archived_already_is_rendered_and_gone(killed, expected):
    root, old = killed
    content = folder.segment_path(root, 3).read_bytes()
    folder.adopt(root, archive=True)
    list(recover(root))
    folder.segment_path(root, 3).write_bytes(content)
    put_back(root, old)
    assert [stated.FIRST] == all_of(root)
    assert (expected, []) == (recorded(root), folder.segments(root))


def test_a_stray_file_in_the_archive_keeps_nothing_that_waits_from_its_tables(killed, expected):
    root, old = killed
    put_back(root, old)
    stray = root / "archive" / "date=2026-11-22" / "00000009.journal.zst"
    stray.parent.mkdir(parents=True)
    stray.write_bytes(b"?")
    assert [stated.FIRST] == all_of(root)
    assert expected == recorded(root)


def test_what_a_killed_renderer_published_behind_a_hole_makes_no_recording_json_old(tmp_path):
    root = written(tmp_path / "data", whole_tape(3))
    folder.segment_path(root, 2).unlink()
    content = folder.segment_path(root, 3).read_bytes()
    list(recover(root, before=2))
    before = (root / stated.FIRST).read_bytes()
    list(recover(root))
    expected = recorded(root)
    folder.segment_path(root, 3).write_bytes(content)
    put_back(root, before)
    for path in root.glob("gaps/*/*-damaged-*"):
        path.unlink()
    assert [] == folder.heal(root, everywhere(root))
    list(recover(root))
    assert expected == recorded(root)
    assert [] == verify(root).flaws


def test_where_the_beginning_of_what_waits_does_not_read_nothing_is_concluded(killed):
    root, old = killed
    put_back(root, old)
    segment = folder.segment_path(root, 3)
    content = bytearray(segment.read_bytes())
    content[60] ^= 1
    segment.write_bytes(content)
    assert [] == folder.heal(root, everywhere(root))
    segment.write_bytes(b"?")
    assert [] == folder.heal(root, everywhere(root))


def test_folders_beside_the_tables_say_nothing_about_numbers(tmp_path):
    root, longer = (
        written(tmp_path / name, whole_tape(count)) for name, count in (("data", 1), ("other", 40))
    )
    for one in (root, longer):
        list(recover(one))
    shutil.copytree(longer / "level1", root / "level1-old")
    following = folder.load(root).next_seq
    assert [] == all_of(root)
    assert following == folder.load(root).next_seq
    shutil.copytree(longer / "level1", root / "level1", dirs_exist_ok=True)
    assert [stated.FIRST] == folder.heal(root, everywhere(root))


def test_the_folders_that_are_tables_are_those_that_the_schema_says():
    assert set(schema.TABLES) == set(partition.TABLES)
