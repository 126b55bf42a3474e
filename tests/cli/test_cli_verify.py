"""``ib-recorder verify`` says what waits, and what to type next."""

import asyncio
import shlex
import shutil

import pytest
from daemon import run, start, table, until, write_config
from rendered import written
from scripted import scripted
from tape import Tape

from recorder.journal import folder
from recorder.render import recover
from recorder.render.archive import archived
from recorder.wire.layouts import TICK_PRICE

AAPL = "{type: stock, symbol: AAPL}"
READ_ON = "What each word means, and what to do: docs/damage.md"


def verify(root):
    """Exit code and output of the command, line by line."""
    code, output, errors = asyncio.run(run("verify", str(root)))
    assert "" == errors
    return code, output.splitlines()


@pytest.fixture
def root(tmp_path):
    """A recording of three rows, in a folder that a shell has to be told of in quotes."""
    tape = Tape()
    for number in range(3):
        tape.control("notice", text=f"{number}")
        tape.roll()
    root = tmp_path / "my data"
    written(root, tape)
    folder.segment_path(root, 4).unlink()
    folder.adopt(root, archive=True)
    list(recover(root))
    return root


def middle(root):
    """The file that holds row 2."""
    return sorted(root.glob("events/date=*/*.parquet"))[1]


async def one_price(conversation, req, _fields):
    conversation.send(TICK_PRICE.encode(req, {"tick_type": 1, "price": 5.0, "size": 1, "attribs": 1}))


def test_what_a_killed_recorder_left_in_the_journal_is_said_with_what_writes_it_out(tmp_path):
    root = tmp_path / "data"

    async def story():
        async with scripted(one_price) as gateway:
            recorder = await start("run", str(write_config(tmp_path, gateway.port, AAPL)))
            await until(lambda: gateway.conversations and gateway.conversations[0].asked)
            running = await run("verify", str(root))
            recorder.kill()
            await recorder.communicate()
            return running, await run("verify", str(root))

    (code, output, _), (then, said, errors) = asyncio.run(story())
    assert (0, False) == (code, "waiting" in output)
    waiting, whole = said.splitlines()
    assert (0, "") == (then, errors)
    assert f"waiting: 1 segment in {root}/journal, and no recorder runs; " in waiting
    assert waiting.endswith(
        f"the next `ib-recorder run` writes out what waits, or `ib-recorder recover {root}`"
    )
    assert whole.startswith("whole; ")
    assert 0 == asyncio.run(run(*shlex.split(waiting.split("`")[3])[1:]))[0]
    assert [5.0] == table(root, "level1")["price"].tolist()
    assert 1 == len(verify(root)[1])


def test_the_command_that_mends_is_said_as_it_can_be_typed(root):
    middle(root).unlink()
    missing, mend, read_on, result = verify(root)[1]
    assert "missing: number 2: in no table (1 row)" == missing
    assert f"To mend what can be mended, stop the recorder and type: ib-recorder recover '{root}'" == mend
    assert (READ_ON, "NOT whole: 1 flaw; 2 rows in 2 files read") == (read_on, result)
    typed = shlex.split(mend.split("type: ")[1])
    assert 0 == asyncio.run(run(*typed[1:]))[0]
    assert (0, ["whole; 3 rows in 3 files read"]) == verify(root)


def test_a_damaged_file_is_mended_by_the_command_and_what_is_set_aside_is_not(root):
    content = bytearray(middle(root).read_bytes())
    content[20] ^= 1
    middle(root).write_bytes(content)
    assert any("type: ib-recorder recover" in line for line in verify(root)[1])
    asyncio.run(run("recover", str(root)))
    code, (kept, *rest) = verify(root)
    assert (1, True) == (code, kept.startswith(f"damaged: {root}/set-aside/events/"))
    assert [READ_ON, "NOT whole: 1 flaw; 3 rows in 3 files read"] == rest


@pytest.mark.parametrize("hurt", ["archive", "twice"])
def test_what_recover_does_not_mend_names_no_command(root, hurt):
    if hurt == "archive":
        archived(root)[0].path.write_bytes(b"?")
    else:
        shutil.copy(middle(root), middle(root).with_name("0000000000000000002-0000000000000000002.parquet"))
    code, said = verify(root)
    assert (1, READ_ON) == (code, said[-2])
    assert [] == [line for line in said if "ib-recorder recover" in line]


def test_one_of_anything_is_one(tmp_path):
    tape = Tape()
    tape.control("gap_start", symbol="A", stream="level1", reason="farm", code=1, ts_start=1, seq_start=0)
    tape.control(
        "gap_end",
        symbol="A",
        stream="level1",
        reason="farm",
        code=1,
        ts_start=1,
        seq_start=0,
        ts_end=2,
        seq_end=1,
    )
    written(tmp_path, tape)
    list(recover(tmp_path))
    next(tmp_path.glob("gaps/date=*/*.parquet")).unlink()
    (tmp_path / "journal" / "set-aside").mkdir()
    (tmp_path / "journal" / "set-aside" / "00000001.torn").write_bytes(b"?")
    said = verify(tmp_path)[1]
    assert "missing: not in table gaps: 1 gap of A level1 that ended" == said[0]
    assert said[1].endswith("00000001.torn: 1 byte of a record that nobody finished writing")
    assert "NOT whole: 1 flaw; 2 rows in 1 file read" == said[-1]


@pytest.mark.parametrize("put", [lambda path: path.symlink_to("/nowhere"), lambda path: path.mkdir()])
def test_what_is_no_file_under_a_files_name_is_named_and_keeps_nothing_else_from_being_looked_at(root, put):
    path, other = middle(root), max(root.glob("events/date=*/*.parquet"))
    path.unlink()
    put(path)
    other.write_bytes(b"")
    code, said = verify(root)
    unreadable = [line for line in said if line.startswith("unreadable: ")]
    assert (1, 2) == (code, len(unreadable))
    assert all(any(str(one) in line for line in unreadable) for one in (path, other))
    assert "; 1 row in " in said[-1]
