"""Killed at any system call that changes a file, a program leaves a recording that is whole after the next one."""

import itertools
import random
import signal

import pytest
from faults import appends, whole
from faults.scenes import SOAKED, UNDERTAKINGS
from faults.supervise import DO, KILL
from faults.trace import shown

SEED = 20261122
KILLED = -signal.SIGKILL


def killing(at):
    """Kill -9 right before the ``at``-th change."""
    return lambda call: KILL if call.number == at else DO


def killed_one_after_the_other(supervisor, root, undertaking, places):
    """At each of ``places``, in a fresh recording: kill, kill ``recover`` too, recover; until the program ends."""
    undertaking.prepare(root)
    before, (rows, _) = whole.tree(root), whole.published(root)
    undisturbed = supervisor.run(root, *undertaking.arguments(root))
    assert (undisturbed.exit, undisturbed.err) == (0, "")
    expected, _ = whole.published(root)
    allowed = [expected, rows] if undertaking.alters else [expected]
    rng = random.Random(SEED)
    for at in places:
        whole.grown(before, root)
        run = supervisor.run(root, *undertaking.arguments(root), judge=killing(at))
        again = rng.randrange(1, len(undisturbed.trace))
        supervisor.run(root, "recorder", "recover", root, judge=killing(again))
        recovered = supervisor.run(root, "recorder", "recover", root)
        wrong = whole.mildest(root, *allowed)
        list(undertaking.again(root))
        wrong += [*whole.faults(root, expected), *whole.leftovers(root)]
        assert (recovered.exit, wrong) == (0, []), (
            f"seed {SEED}: killed at {at} and at {again}\n{shown(run.trace)}\n{recovered.err}"
        )
        if run.exit != KILLED:
            return at
    return None


@pytest.mark.parametrize("undertaking", UNDERTAKINGS, ids=lambda undertaking: undertaking.name)
def test_killed_at_calls_all_over_its_run(supervisor, quick, undertaking):
    ended = killed_one_after_the_other(supervisor, quick / "data", undertaking, itertools.count(1, 11))
    assert ended > 30


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("undertaking", SOAKED, ids=lambda undertaking: undertaking.name)
def test_killed_at_every_call_until_the_run_finishes(supervisor, quick, undertaking):
    ended = killed_one_after_the_other(supervisor, quick / "data", undertaking, itertools.count(1))
    assert ended > 30


def recorded(supervisor, root, at, count, each):
    """A journal of ``count`` ticks, ``each`` a segment, killed at its ``at``-th change; then recovered."""
    run = supervisor.run(root, "faults.appends", root, str(count), str(each), "0", "0", judge=killing(at))
    supervisor.run(root, "recorder", "recover", root)
    return run


def killed_while_recording(supervisor, folder, count, each, places):
    """At each of ``places``, in a fresh recording; returns where it was killed no more."""
    for at in places:
        root = folder / str(at)
        run = recorded(supervisor, root, at, count, each)
        said = appends.said(run.out)
        ticks = whole.ticks(root) if (root / "recording.json").exists() else []
        place = f"killed at {at}\n{shown(run.trace)}"
        assert [price for _, price in ticks] == list(range(1, len(ticks) + 1)), place
        assert 0 <= len(ticks) - len(said) <= 1, place
        if run.exit != KILLED:
            assert (run.exit, len(ticks)) == (0, count), run.err
            return at
    return None


def test_killed_all_over_recording_and_rolling_nothing_read_is_lost(supervisor, quick):
    assert killed_while_recording(supervisor, quick, 6, 3, itertools.count(1, 3)) > 30


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_killed_at_every_call_of_recording_and_rolling_nothing_read_is_lost(supervisor, quick):
    assert killed_while_recording(supervisor, quick, 50, 5, itertools.count(1)) > 150


def test_after_a_kill_while_rolling_the_next_recorder_goes_on_behind_it(supervisor, quick):
    """Two sessions, the first one killed: numbers go on, and every row is one row."""
    for at in range(1, 60, 7):
        root = quick / str(at)
        recorded(supervisor, root, at, 6, 3)
        run = supervisor.run(root, "faults.appends", root, "4", "2", "0", "0")
        assert (run.exit, run.err) == (0, "")
        supervisor.run(root, "recorder", "recover", root)
        # Whoever subscribes anew opens a gap; that is the session's part, not the journal's.
        assert [line for line in whole.leftovers(root) if "uncovered" not in line] == [], f"killed at {at}"
        assert [price for _, price in whole.ticks(root)][-4:] == [1, 2, 3, 4]
