"""A power cut at any moment, on any disk that keeps POSIX's promises: what was promised is there afterwards.

The model (``faults.model``) says what may be left. Every omission that was ever feared is tried on it, so that it is
known to notice.
"""

import errno
import itertools
import random
from dataclasses import dataclass

import pytest
from faults import appends, model, whole
from faults.omissions import COMPACTING, PUBLISHING, RECORDING, RENDERING_AGAIN
from faults.scenes import COMPACT, FROM_ARCHIVE, PUBLISH_SMALL, SOAKED, UNDERTAKINGS
from faults.supervise import DO, Answer
from faults.trace import Trace, shown

from recorder.render import recover
from recorder.store.pending import roll_forward

SEED = 20261122
BEGUN = 16
"""Calls that make a recording and its first segment; who cannot make those does not begin."""


class Traced:
    """What an undertaking did to which recording, and which rows there are."""

    def __init__(self, supervisor, root, undertaking):
        undertaking.prepare(root)
        self.root, self.before, (rows, _) = root, whole.tree(root), whole.published(root)
        run = supervisor.run(root, *undertaking.arguments(root))
        assert (run.exit, run.err) == (0, "")
        self.trace, self.again = run.trace, undertaking.again
        self.expected, _ = whole.published(root)
        self.allowed = [self.expected, rows] if undertaking.alters else [self.expected]

    def judged(self, crash):
        """What is wrong after the power cut, before and after ``recover``."""
        whole.grown(crash.tree, self.root)
        _, unreadable = whole.published(self.root)
        try:
            roll_forward(self.root)
            list(recover(self.root))
            wrong = unreadable + whole.mildest(self.root, *self.allowed)
            list(self.again(self.root))
            return wrong + whole.faults(self.root, self.expected) + what_matters(self.root)
        except Exception as error:  # noqa: BLE001 - whatever it is, recovery must not end like this
            return [*unreadable, f"refused: {error!r}"]


class Recorded:
    """What the journal did; every tick that it said it had was durable."""

    def __init__(self, supervisor, root, judge=lambda _call: DO):
        root.mkdir()
        self.root, self.before = root, whole.tree(root)
        run = supervisor.run(root, "faults.appends", root, "6", "3", "0", "0", judge=judge)
        assert (run.exit, run.err) == (0, "")
        self.trace = run.trace

    def judged(self, crash):
        whole.grown(crash.tree, self.root)
        said = len(appends.said(crash.said.decode()))
        try:
            list(recover(self.root))
        except Exception as error:  # noqa: BLE001 - whatever it is, recovery must not end like this
            return [f"refused: {error!r}"] if said else []
        prices = [price for _, price in whole.ticks(self.root)]
        missing = [f"missing: tick {price}" for price in range(1, said + 1) if price not in prices]
        twice = [f"twice: tick {price}" for price in set(prices) if prices.count(price) > 1]
        wrong = [] if prices == sorted(prices) else [f"changed: ticks {prices}"]
        return missing + twice + wrong


def what_matters(root):
    """A staged file may come back, for nobody syncs that folder: it is another name of a published one."""
    return [line for line in whole.leftovers(root) if not line.startswith("left over: staging")]


def searched(subject, trace, each, most, known=frozenset()):
    """Judge up to ``most`` states from all over the trace, none of ``known``: how many, and the first that is wrong."""
    states = model.crashes(subject.before, trace, random.Random(SEED), each)
    new = [crash for crash in states if crash.key not in known]
    chosen = random.Random(SEED).sample(new, min(most, len(new)))
    for crash in chosen:
        if wrong := subject.judged(crash):
            return len(chosen), Found(crash, wrong, trace)
    return len(chosen), None


@dataclass(frozen=True)
class Found:
    """A power cut that leaves something wrong."""

    crash: model.Crash
    wrong: list[str]
    trace: Trace

    def __str__(self):
        left = "\n".join(f"{path}: {content}" for path, content in sorted(self.crash.tree.items()))
        done = shown(self.trace[: self.crash.place])
        return f"seed {SEED}: power cut behind\n{done}\nleaves\n{left}\nwhich ends in\n{self.wrong}"


@pytest.mark.parametrize("undertaking", UNDERTAKINGS, ids=lambda undertaking: undertaking.name)
def test_a_power_cut_costs_nothing(supervisor, quick, undertaking):
    subject = Traced(supervisor, quick / "data", undertaking)
    count, found = searched(subject, subject.trace, 48, 100)
    assert found is None, str(found)
    assert count == 100


def test_a_power_cut_while_recording_and_rolling_costs_nothing_that_was_synced(supervisor, quick):
    recorded = Recorded(supervisor, quick / "data")
    count, found = searched(recorded, recorded.trace, 64, 400)
    assert found is None, str(found)
    assert count > 100


def failing(name, time):
    """The ``time``-th call of a kind fails, as soon as recording has begun."""
    count = itertools.count(1)

    def judge(call):
        fails = call.number > BEGUN and call.name == name and next(count) == time
        return Answer(error=errno.EIO) if fails else DO

    return judge


@pytest.mark.parametrize("name", ["fdatasync", "fsync", "writev"])
@pytest.mark.parametrize("time", [1, 4, 7])
def test_what_a_journal_ended_well_with_is_durable_though_the_disk_had_failed(supervisor, quick, name, time):
    recorded = Recorded(supervisor, quick / "data", failing(name, time))
    ends = model.crashes(recorded.before, recorded.trace, random.Random(SEED), 64)
    for crash in itertools.takewhile(lambda crash: crash.place == len(recorded.trace), ends):
        wrong = recorded.judged(crash)
        assert wrong == [], str(Found(crash, wrong, recorded.trace))


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_no_power_cut_costs_anything_that_was_promised(supervisor, quick):
    subjects = [Traced(supervisor, quick / each.name, each) for each in SOAKED]
    for subject in [*subjects, Recorded(supervisor, quick / "data")]:
        _, found = searched(subject, subject.trace, 256, 5_000)
        assert found is None, str(found)


@pytest.fixture(scope="module")
def publishing(supervisor, tmp_path_factory):
    return Traced(supervisor, tmp_path_factory.mktemp("published") / "data", PUBLISH_SMALL)


@pytest.fixture(scope="module")
def compacting(supervisor, tmp_path_factory):
    return Traced(supervisor, tmp_path_factory.mktemp("compacted") / "data", COMPACT)


@pytest.fixture(scope="module")
def rendering_again(supervisor, tmp_path_factory):
    return Traced(supervisor, tmp_path_factory.mktemp("again") / "data", FROM_ARCHIVE)


@pytest.fixture(scope="module")
def recording(supervisor, tmp_path_factory):
    return Recorded(supervisor, tmp_path_factory.mktemp("recorded") / "data")


@pytest.mark.parametrize("omission", PUBLISHING)
def test_what_a_renderer_forgets_is_noticed(publishing, omission):
    noticed(publishing, *PUBLISHING[omission])


@pytest.mark.parametrize("omission", COMPACTING)
def test_what_a_compaction_forgets_is_noticed(compacting, omission):
    noticed(compacting, *COMPACTING[omission])


@pytest.mark.parametrize("omission", RENDERING_AGAIN)
def test_what_rendering_again_forgets_is_noticed(rendering_again, omission):
    noticed(rendering_again, *RENDERING_AGAIN[omission])


@pytest.mark.parametrize("omission", RECORDING)
def test_what_a_journal_forgets_is_noticed(recording, omission):
    noticed(recording, *RECORDING[omission])


def noticed(subject, omitting, reason):
    """Among the states that only the omission makes possible there is one that is wrong, for that reason."""
    sound = model.crashes(subject.before, subject.trace, random.Random(SEED), 64)
    known = {crash.key for crash in sound}
    _, found = searched(subject, omitting(subject.trace), 64, 300, known)
    assert found is not None
    assert any(reason in line for line in found.wrong), found.wrong
