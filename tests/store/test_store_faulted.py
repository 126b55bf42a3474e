"""A disk that is full, broken, read-only or slow of understanding, at any call: no promise is broken.

Whatever happens, a program ends well or says why not, in plain words; what it was to do is done by the next one on a
healthy disk.
"""

import errno
import functools
import time

import pytest
from faults import appends, whole
from faults.scenes import SOAKED, UNDERTAKINGS
from faults.supervise import DO, SHORT, Answer
from faults.trace import LINKS, MKDIRS, OPENS, SYNCS, WRITES, shown

CREATES = ("fallocate", *WRITES, *LINKS, *MKDIRS, *OPENS)
FULL, BROKEN = Answer(error=errno.ENOSPC), Answer(error=errno.EIO)
READ_ONLY = Answer(error=errno.EROFS)
INTERRUPTED = Answer(error=errno.EINTR)


def once(answer):
    """The disk does this at one call, and then goes on as if nothing had been."""
    return lambda at, call: answer if call.number == at else DO


def full_from(at, call):
    """From here on nothing new finds room."""
    needs_room = call.name in CREATES and not call.was_there
    return FULL if call.number >= at and needs_room else DO


def read_only_from(at, call):
    """From here on nothing changes: what ext4 does on an error."""
    return READ_ONLY if call.number >= at else DO


DISKS = {
    "full once": once(FULL),
    "broken once": once(BROKEN),
    "full from there": full_from,
    "read-only from there": read_only_from,
    "short": once(SHORT),
    "interrupted": once(INTERRUPTED),
}
ONLY_WRITES = {"short", "interrupted"}
"""What a program must cope with by itself; these happen to writes only."""


def cases(trace):
    """Every disk at every call."""
    for call in (call for call in trace if call.number):
        for disk in DISKS:
            if call.name in WRITES or disk not in ONLY_WRITES:
                yield call.number, disk


def faulted(supervisor, root, undertaking, stride):
    """One of ``stride`` cases, each in a fresh recording; returns how many there were."""
    undertaking.prepare(root)
    before = whole.tree(root)
    undisturbed = supervisor.run(root, *undertaking.arguments(root))
    expected, _ = whole.published(root)
    chosen = list(cases(undisturbed.trace))[::stride]
    for at, disk in chosen:
        whole.grown(before, root)
        run = supervisor.run(root, *undertaking.arguments(root), judge=functools.partial(DISKS[disk], at))
        place = f"{disk} at {at}: exit {run.exit}\n{shown(run.trace)}\n{run.err}"
        assert run.exit in ((0,) if disk in ONLY_WRITES else (0, 1)), place
        assert (bool(run.err), "Traceback" in run.err) == (run.exit == 1, False), place
        assert whole.published(root)[1] == [], place
        again = supervisor.run(root, *undertaking.arguments(root))
        wrong = [*whole.faults(root, expected), *whole.leftovers(root)]
        assert (again.exit, again.err, wrong) == (0, "", []), place
    return len(chosen)


@pytest.mark.parametrize("undertaking", UNDERTAKINGS, ids=lambda undertaking: undertaking.name)
def test_a_bad_disk_at_calls_all_over_a_run(supervisor, quick, undertaking):
    assert faulted(supervisor, quick / "data", undertaking, 19) > 10


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("undertaking", SOAKED, ids=lambda undertaking: undertaking.name)
def test_a_bad_disk_at_every_call_of_a_run(supervisor, quick, undertaking):
    assert faulted(supervisor, quick / "data", undertaking, 1) > 200


HEALED = 0.15
"""Seconds that a disk stays bad in the journal's tests: several reads, a third of a recording, and less than a recorder
that ends tries to write its last bytes."""

TICKS = 30


class Spell:
    """A disk that is bad from its ``at``-th call on, for ``HEALED`` seconds."""

    def __init__(self, disk, at):
        self._disk, self._at = disk, at
        self._reserved = set()
        self._until = 0.0

    def __call__(self, call):
        if call.name == "fallocate":
            self._reserved.add(call.inode)
        if call.number < self._at:
            return DO
        self._until = self._until or time.monotonic() + HEALED
        has_room = call.name in (*LINKS, *WRITES) and call.inode in {0, *self._reserved}
        is_on = time.monotonic() < self._until
        answer = self._disk(self._at, call) if is_on else DO
        return DO if answer is FULL and has_room else answer


SPELLS = {
    "full": full_from,
    "broken": lambda at, call: BROKEN if call.number >= at else DO,
    "no sync": lambda at, call: BROKEN if call.number >= at and call.name in SYNCS else DO,
    "short": lambda at, call: SHORT if call.number >= at and call.name in WRITES else DO,
    "broken once": once(BROKEN),
}


def recorded(supervisor, root, judge):
    """Ticks in segments of ten, synced by a thread."""
    return supervisor.run(root, "faults.appends", root, str(TICKS), "10", "0.02", "0.02", judge=judge)


def spells(supervisor, folder, kinds, stride):
    """A bad spell of each kind at every ``stride``-th call of recording, from the first tick on: it costs nothing."""
    undisturbed = recorded(supervisor, folder / "undisturbed", lambda _call: DO)
    begun = next(place for place, call in enumerate(undisturbed.trace) if call.name == "say")
    for at in range(begun + 1, len(undisturbed.trace) - TICKS, stride):
        for kind in kinds:
            root, spell = folder / f"{kind} {at}", Spell(SPELLS[kind], at)
            run = recorded(supervisor, root, spell)
            place, ticks = f"{kind} at {at}\n{shown(run.trace)}", list(range(1, TICKS + 1))
            assert (run.exit, run.err, appends.said(run.out)) == (0, "", ticks), place
            rendered = supervisor.run(root, "recorder.render", root)
            assert (rendered.exit, rendered.err) == (0, ""), place
            assert [price for _, price in whole.ticks(root)] == ticks, place
            assert [line for line in whole.leftovers(root) if "set-aside" not in line] == [], place


def test_a_bad_spell_of_the_disk_costs_no_tick(supervisor, quick):
    spells(supervisor, quick, SPELLS, 53)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_bad_spell_at_every_call_costs_no_tick(supervisor, quick):
    spells(supervisor, quick, SPELLS, 1)
