"""``ib-recorder recover`` says what it did, also where that is nothing."""

import subprocess
import sys

import pytest
from rendered import bid, whole_tape, written
from tape import Tape

from recorder.journal import folder
from recorder.render import recover as render
from recorder.render.archive import archived
from recorder.store.pending import begin


def recover(root, *options):
    """Exit code, output and errors of the command."""
    run = [sys.executable, "-m", "recorder", "recover", str(root), *options]
    done = subprocess.run(run, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


def notices(count=1):
    """A tape whose segments have one row each."""
    tape = Tape()
    for number in range(count):
        tape.control("notice", text=f"{number}")
        if number < count - 1:
            tape.roll()
    return tape


@pytest.fixture
def root(tmp_path):
    """A recording of a subscription and a tick, which still wait; its name looks like markup.

    Its segment will be archived.
    """
    tape = Tape()
    tape.open(AAPL=(3, "level1"))
    tape.read(bid(1))
    root = tmp_path / "data [red]"
    written(root, tape)
    folder.adopt(root, archive=True)
    return root


IDLE = "nothing was waiting in the journal, and the tables need no mending\n"


def test_what_waited_is_said_and_then_that_nothing_waits_and_nothing_is_damaged(root):
    assert (0, "1 segment: 1 row of market data, 2 files written\n", "") == recover(root)
    assert (0, IDLE, "") == recover(root)


def test_two_are_several(tmp_path):
    assert (0, "2 segments: 0 rows of market data, 2 files written\n", "") == recover(
        written(tmp_path, notices(2))
    )


def test_a_row_that_was_made_again_is_said_and_that_nothing_waited(root):
    list(render(root))
    next(root.glob("level1/date=*/*.parquet")).unlink()
    said = "nothing was waiting in the journal\n1 row made again from what is kept, in 1 file\n"
    assert (0, said, "") == recover(root)
    assert (0, IDLE, "") == recover(root)


def test_a_row_that_nothing_holds_any_more_is_said(root):
    list(render(root))
    archived(root)[0].path.unlink()
    next(root.glob("level1/date=*/*.parquet")).unlink()
    said = (
        "nothing was waiting in the journal\nlost: 1 row of published files; gaps of reason damaged say so\n"
    )
    assert (0, said, "") == recover(root)
    assert (0, IDLE, "") == recover(root)


def test_bytes_that_do_not_read_are_counted_and_so_are_the_rows_that_are_lost(tmp_path):
    tape = Tape()
    for number in range(3):
        tape.control("notice", text=f"{number}")
    written(tmp_path, tape)
    path = folder.segment_path(tmp_path, 1)
    content = bytearray(path.read_bytes())
    content[content.index(b'"1"') + 1] ^= 1
    path.write_bytes(content)
    code, output, errors = recover(tmp_path)
    first, second, third = output.splitlines()
    assert (0, "", "1 segment: 0 rows of market data, 2 files written") == (code, errors, first)
    assert second.endswith(f" bytes could not be read; what held them is in {tmp_path}/journal/set-aside")
    assert "lost: 1 row; gaps of reason damaged say so" == third


def test_a_byte_of_a_torn_record_is_one_byte(root):
    path = folder.segment_path(root, 1)
    path.write_bytes(path.read_bytes() + b"?")
    torn = f"1 byte of a record that nobody finished writing: kept in {root}/journal/set-aside\n"
    assert (0, f"1 segment: 1 row of market data, 2 files written\n{torn}", "") == recover(root)


def test_rendering_again_what_was_right_says_that_nothing_changed(root):
    list(render(root))
    said = "1 segment of the archive rendered again: nothing changed\n"
    assert (0, said, "") == recover(root, "--from-archive")


WHY = "storage.archive_days says how many days of it a recorder keeps (0: none)\n"


def test_an_empty_archive_is_said_with_its_setting_and_exit_1(tmp_path):
    list(render(written(tmp_path, notices())))
    said = f"{tmp_path}: nothing was rendered again: of the journal's archive no segment is there; {WHY}"
    assert (1, "", said) == recover(tmp_path, "--from-archive")
    assert (1, "", said) == recover(tmp_path, "--from-archive", "--date", "2026-11-22")


def test_a_day_that_the_archive_does_not_hold_is_said_with_those_that_it_does(root):
    list(render(root))
    held = "its first day is 2026-11-22, its last 2026-11-22"
    lacking = f"of the journal's archive no segment begins on 2026-11-21; {held}"
    said = f"{root}: nothing was rendered again: {lacking}; {WHY}"
    assert (1, "", said) == recover(root, "--from-archive", "--date", "2026-11-21")
    assert 0 == recover(root, "--from-archive", "--date", "2026-11-22")[0]


@pytest.mark.parametrize(
    "how", [lambda whole: whole[:-1], lambda whole: whole[:40] + b"?" + whole[41:], lambda _: b""]
)
def test_a_damaged_file_keeps_everything_from_being_rendered_again_and_that_is_one_line(root, how):
    list(render(root))
    path = next(root.glob("level1/date=*/*.parquet"))
    path.write_bytes(how(path.read_bytes()))
    said = f"{path}: damaged; nothing was changed: run `ib-recorder recover {root}` first\n"
    assert (1, "", said) == recover(root, "--from-archive")
    assert 0 == recover(root)[0]
    assert (0, "") == recover(root, "--from-archive")[::2]


def test_an_interrupted_rendering_again_that_cannot_be_finished_is_said_once(root):
    list(render(root))
    (root / folder.SWAPPING).write_bytes(bytes(300))
    begun = "what an interrupted recover --from-archive had begun"
    said = f"damaged, set aside: {begun}; the tables stay as they are\n"
    assert (0, said + IDLE, "") == recover(root)
    assert (0, IDLE, "") == recover(root)


def test_a_file_in_another_tables_folder_is_one_line(tmp_path):
    root = written(tmp_path / "data", whole_tape(3))
    list(render(root))
    (path,) = (root / "gaps").glob("date=*/*.parquet")
    there = path.rename(root / "level1" / path.parent.name / path.name)
    said = f"{there}: holds rows of table gaps; move it into that one's folder\n"
    assert (1, said) == recover(root)[::2]


def test_what_a_killed_rendering_again_had_staged_is_taken_away_and_that_is_said_once(root):
    list(render(root))
    (begin(root) / "level1").mkdir()
    (root / folder.SWAPPING).with_suffix(".new").write_text("{")
    said = "taken away: what a recover --from-archive that was killed had staged\n"
    assert (0, said + IDLE, "") == recover(root)
    assert [] == list((root / "staging").iterdir())
    assert (0, IDLE, "") == recover(root)


def test_a_link_that_leads_nowhere_is_said_with_what_to_do_and_exit_1(root, tmp_path):
    list(render(root))
    path = next(root.glob("level1/date=*/*.parquet"))
    disk = path.rename(tmp_path / "disk.parquet")
    path.symlink_to(disk)
    away = disk.rename(tmp_path / "elsewhere.parquet")
    code, output, errors = recover(root)
    idle, named, advice = output.splitlines()
    assert (1, "", "nothing was waiting in the journal") == (code, errors, idle)
    assert f"{path}: a link to {disk}, which is not there" == named
    assert advice.startswith("mount what holds it, or delete the link if that is gone for good")
    away.rename(disk)
    assert (0, IDLE, "") == recover(root)


def test_rows_that_only_a_damaged_file_itself_holds_are_said(root):
    list(render(root))
    archived(root)[0].path.unlink()
    path = next(root.glob("level1/date=*/*.parquet"))
    path.write_bytes(b"?" + path.read_bytes()[1:])
    saved = "1 row saved from what still reads of damaged files"
    assert saved == recover(root)[1].splitlines()[-1]
    assert (0, IDLE, "") == recover(root)
