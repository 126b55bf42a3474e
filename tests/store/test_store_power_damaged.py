"""A power cut at any moment, while something damaged is moved out of the way: its original is there afterwards, and
all rows that there were.

As in ``test_store_power``, an omission is tried on the model too, so that it is known to notice.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from faults import model, whole
from faults.scenes import published, small, written
from faults.supervise import DO, KILL
from faults.trace import MKDIRS, RENAMES, SYNCS, without
from tape import Tape

from recorder.journal import folder
from recorder.partition import everywhere
from recorder.render import recover
from recorder.render.mend import mend

SEED = 20261122
BEHIND = 6
"""Calls."""

RENDER, RECOVER = ("recorder.render",), ("recorder", "recover")


@dataclass(frozen=True)
class Damaged:
    """How a recording is made, which of its files is damaged then, and the program that moves that one away."""

    made: Callable[[Path, Tape], Path]
    pattern: str
    program: tuple[str, ...]


DAMAGED = {
    "a segment": Damaged(written, "journal/*.journal", RENDER),
    "a published file": Damaged(published, "level1/date=*/*.parquet", RECOVER),
    "recording.json": Damaged(published, "recording.json", RECOVER),
}


class Moved:
    """What a program did with what is damaged, and which rows there were then; ``killed``: at its second try."""

    def __init__(self, supervisor, root, damaged, *, killed=False):
        (path,) = damaged.made(root, small()).glob(damaged.pattern)
        self.original = bytearray(path.read_bytes())
        self.original[len(self.original) * 2 // 3] ^= 1
        path.write_bytes(self.original)
        self.root, self.before = root, whole.tree(root)
        first = supervisor.run(root, *damaged.program, str(root), judge=killing()).trace if killed else []
        run = supervisor.run(root, *damaged.program, str(root))
        assert (0, "") == (run.exit, run.err)
        self.trace = first + run.trace
        self.rows, _ = whole.published(root)
        assert (False, True) == (path.exists() and path.read_bytes() == self.original, self.is_kept)

    @property
    def is_kept(self):
        """Whether the original is anywhere."""
        return any(path.read_bytes() == self.original for path in self.root.rglob("*") if path.is_file())

    def judged(self, crash):
        """What is wrong after a power cut, behind the next ``recover``."""
        whole.grown(crash.tree, self.root)
        folder.heal(self.root, everywhere(self.root))
        list(recover(self.root))
        mend(self.root)
        rows, unreadable = whole.published(self.root)
        gone = [] if self.is_kept else ["the original is gone"]
        return gone + unreadable + ([] if rows == self.rows else ["other rows"])


def killing():
    """kill -9 behind the making of the folders, before anything makes their names durable."""
    made = []

    def judge(call):
        made.extend([call] if makes_place(call) else [])
        return KILL if made and call.name in SYNCS else DO

    return judge


def makes_place(call):
    return call.name in MKDIRS and "set-aside" in call.path


@pytest.fixture(scope="module", params=DAMAGED)
def moved(request, supervisor, tmp_path_factory):
    return Moved(supervisor, tmp_path_factory.mktemp("moved") / "data", DAMAGED[request.param])


def move(trace):
    """Where the first folder is made for the file, and where the file gets into it."""
    made = next(place for place, call in enumerate(trace) if makes_place(call))
    at = next(place for place, call in enumerate(trace) if call.name in RENAMES and "set-aside" in call.to)
    return made, at


def states(moved, trace):
    """What a power cut may leave from the first folder on until a little behind the file's move."""
    made, at = move(trace)
    found = model.crashes(moved.before, trace, random.Random(SEED), 16)
    return [crash for crash in found if made < crash.place <= at + BEHIND]


def test_a_power_cut_leaves_the_original_of_what_is_damaged(moved):
    found = states(moved, moved.trace)
    assert len(found) > 10
    assert [] == [(crash.place, wrong) for crash in found if (wrong := moved.judged(crash))]


@pytest.mark.parametrize("name", DAMAGED)
def test_folders_that_a_killed_program_made_are_durable_before_the_next_one_fills_them(
    supervisor, quick, name
):
    moved = Moved(supervisor, quick / "data", DAMAGED[name], killed=True)
    assert [] == [
        (crash.place, wrong) for crash in states(moved, moved.trace) if (wrong := moved.judged(crash))
    ]


def hasty(trace):
    """The trace of a program that moves a file into folders whose own names are not durable."""
    made, at = move(trace)
    return without(trace, lambda call: call in trace[made:at] and call.name in SYNCS)


def test_a_file_moved_into_a_folder_that_is_not_durable_is_noticed(moved):
    known = {crash.key for crash in states(moved, moved.trace)}
    new = [crash for crash in states(moved, hasty(moved.trace)) if crash.key not in known]
    assert any("the original is gone" in moved.judged(crash) for crash in new)
