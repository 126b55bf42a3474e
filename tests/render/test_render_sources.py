"""Of several files of one segment that one is taken which tells most."""

import pytest
from rendered import recorded, whole_tape, written

from recorder.journal import folder
from recorder.render import recover
from recorder.render.archive import archived, compressed
from recorder.render.mend import mend
from recorder.render.sources import sources


@pytest.fixture
def segment():
    """The one with every kind of record."""
    return whole_tape(3).contents()[1]


@pytest.fixture
def root(tmp_path):
    """All is in the tables and in the archive."""
    root = written(tmp_path / "data", whole_tape(3))
    folder.adopt(root, archive=True)
    list(recover(root))
    return root


def hurt(content):
    """A record in its middle does not read."""
    middle = len(content) // 2
    return content[:middle] + bytes(40) + content[middle + 40 :]


def cut_off(path):
    path.write_bytes(path.read_bytes()[:-50])


def damaged(path):
    one = next(one for one in archived(path.parents[2]) if one.path == path)
    path.write_bytes(compressed(hurt(one.content())))


def aside(root, content, name="00000002.journal"):
    path = root / "journal" / "set-aside" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("spoil", [cut_off, damaged])
@pytest.mark.parametrize("name", ["00000002.journal", "00000002.1.journal"])
def test_a_whole_segment_set_aside_mends_though_the_archived_one_is_damaged(root, segment, spoil, name):
    before = recorded(root)
    spoil(archived(root)[1].path)
    aside(root, segment, name)
    for path in [*root.glob("level1/date=*/*"), *root.glob("trades/date=*/*")]:
        path.unlink()
    mend(root)
    assert before == recorded(root)


def test_of_two_that_are_set_aside_the_whole_one_is_taken(root, segment):
    archived(root)[1].path.unlink()
    aside(root, hurt(segment))
    whole = aside(root, segment, "00000002.1.journal")
    assert [whole] == [one.path for one in sources(root, folder.load(root)) if one.number == 2]


def test_the_archived_one_is_taken_if_it_is_whole_or_none_is(root, segment):
    path = archived(root)[1].path
    aside(root, segment)
    assert path == sources(root, folder.load(root))[1].path
    aside(root, hurt(segment))
    damaged(path)
    assert path == sources(root, folder.load(root))[1].path


def test_one_set_aside_with_a_reason_in_its_name_is_no_source(root, segment):
    archived(root)[1].path.unlink()
    aside(root, segment, "00000002-copy.journal")
    assert [1, 3] == [one.number for one in sources(root, folder.load(root))]
