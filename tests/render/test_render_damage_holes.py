"""Holes are told as they are: a gap for each run of lost numbers, within bounds, whatever span the files have."""

import resource
from itertools import pairwise

import numpy as np
import pytest
from rendered import bid, recorded, written
from store.recordings import put, recording, tick
from tape import Tape

from recorder.journal import folder
from recorder.partition import File
from recorder.render import damage, numbers, recover
from recorder.render.damage import joined
from recorder.render.mend import mend
from recorder.render.numbers import Counts, portions
from recorder.store import Limits, compact
from recorder.store.compact import date
from recorder.verify import verify


@pytest.fixture
def root(tmp_path):
    """Six files of fifty ticks each, and a file of events that spans them all."""
    tape = Tape()
    tape.open(AAPL=(3, "level1"), ES=(4, "depth"))
    for _ in range(6):
        for n in range(50):
            tape.read(bid(n))
        tape.roll()
    tape.control("noticed", text="x")
    tape.seal()
    root = written(tmp_path / "data", tape)
    folder.adopt(root, archive=False)
    list(recover(root))
    return root


def ticks(root):
    return sorted((root / "level1").glob("date=*/*.parquet"))


def spans(root):
    return {(gap["seq_start"], gap["seq_end"]) for gap in recorded(root)["gaps"]}


def test_what_is_lost_later_between_two_holes_is_missed(root):
    first, *_, last = ticks(root)
    first.unlink()
    last.unlink()
    list(compact(root, date(2100, 1, 1), Limits(linger=0)))
    assert mend(root).lost == 100
    assert spans(root) == {(2, 53), (252, 303)}
    for path in ticks(root):
        path.unlink()
    assert [flaw.text for flaw in verify(root).flaws] == ["numbers 53 to 252: in no table (200 rows)"]
    assert mend(root).lost == 200
    assert verify(root).flaws == []
    at = {row["seq"]: row["ts_recv"] for row in recorded(root)["events"]}
    gap = next(gap for gap in recorded(root)["gaps"] if gap["seq_start"] == 52)
    assert (gap["seq_end"], gap["ts_start"], gap["ts_end"]) == (253, at[2], at[303])


def test_where_there_are_too_many_holes_those_that_the_fewest_rows_part_are_one(root, monkeypatch):
    monkeypatch.setattr(damage, "MOST_HOLES", 2)
    first, _, third, *_, last = ticks(root)
    for path in (first, third, last):
        path.unlink()
    list(compact(root, date(2100, 1, 1), Limits(linger=0)))
    assert mend(root).lost == 150
    assert spans(root) == {(2, 153), (252, 303)}
    assert (mend(root).files, verify(root).flaws) == ([], [])


def test_runs_within_bounds_stay_as_they_are():
    runs = [(start, start + 3) for start in range(1, 1000, 10)]
    assert joined(runs) == runs
    assert joined(runs[:1]) == runs[:1]
    many = [(start, start) for start in range(1, 100_000, 2)]
    assert len(joined(many)) == damage.MOST_HOLES
    assert (joined(many)[0][0], joined(many)[-1][1]) == (many[0][0], many[-1][1])


def each(runs):
    return {number for first, last in runs for number in range(first, last + 1)}


@pytest.mark.parametrize("step", [100_000, 2**18, 700_001, 10**6])
def test_numbers_settled_in_any_steps_are_those_of_a_plain_count(step):
    chance = np.random.default_rng(1)
    seq = np.concatenate(
        [chance.choice(np.arange(1, 600_000), 5000, replace=False), np.arange(700_000, 900_000)]
    )
    again = seq[::70]
    counts, missing, twice = Counts(), [], []
    for upto in range(step, 10**6 + step, step):
        for found in (seq, again):
            counts.add(found[(found >= upto - step) & (found < upto)])
            counts.add(found[found < upto - step])  # settled: they do not count
        found = counts.settle(upto)
        missing += found[0]
        twice += found[1]
        assert all(before[1] + 1 < behind[0] for before, behind in pairwise(found[0]))
        assert counts.settle(upto) == ([], [])
    assert each(missing) == set(range(1, upto)) - {*seq.tolist()}
    assert each(twice) == {*again.tolist()}


FAR = 10**12
BOOT = date(1970, 1, 1)


@pytest.fixture
def booted(tmp_path):
    """The first ticks of every boot lie in one file, the clock having been at 1970; the rest of them is missing."""
    root = recording(tmp_path / "data", next_seq=FAR + 5)
    for start in (1, FAR):
        put(root, "level1", [tick(n, day=BOOT) for n in range(start, start + 5)], BOOT)
    assert [type(done).__name__ for done in compact(root, date(2026, 11, 1), Limits(linger=0))] == [
        "Compacted"
    ]
    return root


def test_a_file_that_spans_every_number_takes_no_memory_for_them(booted):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert [flaw.text for flaw in verify(booted).flaws] == [
        f"numbers 6 to {FAR - 1}: in no table ({FAR - 6:,} rows)"
    ]
    assert mend(booted).lost == FAR - 6
    assert verify(booted).flaws == []
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


def test_no_portion_of_files_is_longer_than_what_may_be_counted_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(numbers, "MOST", 20)
    spans = [(1, 1000), (5, 6), (20, 30), (22, 25), (31, 40), (1001, 1002)]
    found = [File("level1", tmp_path, BOOT, first, last) for first, last in spans]
    parts = [([file.first_seq for file in one.files], one.upto) for one in portions(found)]
    assert parts == [([1, 5, 20], 22), ([22, 31], 1001), ([1001], 1003)]


def test_behind_a_file_that_spans_everything_the_others_are_settled_as_they_come(tmp_path, monkeypatch):
    monkeypatch.setattr(numbers, "MOST", 20)
    root = recording(tmp_path / "data", next_seq=106)
    put(root, "level1", [tick(n, day=BOOT) for n in (*range(1, 6), *range(101, 106))], BOOT)
    for start in range(6, 101, 5):
        put(
            root,
            "depth",
            [{"ts_recv": tick(1)["ts_recv"], "seq": n, "symbol": "ES"} for n in range(start, start + 5)],
        )
    assert verify(root).flaws == []
    lost = sorted((root / "depth").glob("date=*/*"))[9]
    lost.unlink()
    assert [flaw.text for flaw in verify(root).flaws] == ["numbers 51 to 55: in no table (5 rows)"]
    assert mend(root).lost == 5
    assert spans(root) == {(50, 56)}
    assert verify(root).flaws == []
