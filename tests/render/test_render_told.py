"""Each gap that ended has one row: the one it was recorded with, or the one that its events tell."""

from datetime import UTC, datetime

import pytest
from rendered import AAPL, bid, recorded, written
from tape import Tape

from recorder.journal import folder
from recorder.render import recover
from recorder.render.mend import mend
from recorder.render.told import Untold, paired
from recorder.verify import verify


def at(second):
    return datetime(2026, 11, 22, 12, 0, second, tzinfo=UTC)


AGAIN = {10: at(10), 20: at(20)}


def gap(seq_end, ts_end=None):
    """A gap as it was recorded; one that was told again ends with its event, which comes at ``at(seq_end)``."""
    return {
        "symbol": "AAPL", "stream": "level1", "reason": "farm",
        "ts_start": at(0), "ts_end": ts_end or AGAIN.get(seq_end, at(1)), "seq_start": 1, "seq_end": seq_end,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("ends", "belong"),
    [
        ([8, 18], [[8], [18]]),
        ([18], [[], [18]]),
        ([8], [[8], []]),
        ([10, 18], [[10], [18]]),
        ([10], [[10], []]),
        ([8, 10], [[10, 8], []]),
        ([8, 10, 18], [[10, 8], [18]]),
        ([8, 9], [[8], [9]]),
        ([2, 3], [[2], [3]]),
        ([20, 18], [[], [20, 18]]),
        ([25], [[], []]),
    ],
)
def test_a_gap_belongs_to_the_first_event_that_did_not_end_before_it_and_one_told_again_to_its_own(
    ends, belong
):
    found = paired(AGAIN, [gap(end) for end in ends])
    assert {10: belong[0], 20: belong[1]} == {
        end: [row["seq_end"] for row in rows] for end, rows in found.items()
    }


def test_a_gap_whose_own_event_is_lost_is_no_second_one_of_a_later_event():
    older, told_again = gap(8), gap(20) | {"seq_start": 18}
    assert {20: [told_again]} == paired({20: at(20)}, [older, told_again])


def test_a_gap_that_ended_by_the_number_of_another_ones_event_was_not_told_again():
    first, second = gap(8), gap(10, ts_end=at(9))
    assert {10: [first], 20: [second]} == paired(AGAIN, [second, first])


def test_gaps_that_an_event_tells_of_twice_are_known_with_it():
    untold = Untold()
    for seq in (10, 20):
        untold.take({"kind": "gap_end", "symbol": "AAPL", "stream": "level1", "seq": seq, "ts_recv": at(seq)})
    assert {10: [gap(10), gap(8)]} == untold.twice([gap(8), gap(10), gap(18), gap(8)])
    assert {} == untold.twice([gap(8), gap(18)])
    assert {("AAPL", "level1"): (1, [10, 20])} == untold.missing("gaps", [gap(8), gap(10)])


@pytest.fixture
def tape():
    """Two gaps of one stream, a segment each."""
    tape = Tape()
    tape.open(AAPL=(3, "level1"))
    for _ in range(2):
        tape.read(bid(1) * 2)
        own = {**AAPL, "reason": "farm", "code": 2103, "ts_start": tape.ts - 500, "seq_start": tape.seq - 2}
        tape.control("gap_start", **own)
        tape.read(bid(9))
        tape.control("gap_end", **own, ts_end=tape.ts - 10, seq_end=tape.seq - 1)
        tape.roll()
    tape.seal()
    return tape


@pytest.fixture
def root(tape, tmp_path):
    root = written(tmp_path / "data", tape)
    list(recover(root))
    return root


def files(root):
    return sorted((root / "gaps").glob("date=*/*.parquet"))


def starts(root):
    return sorted(row["seq_start"] for row in recorded(root)["gaps"])


def test_a_gap_put_back_beside_the_one_told_again_does_not_hide_that_another_is_lost(root):
    first, second = files(root)
    content = first.read_bytes()
    first.unlink()
    mend(root)
    first.write_bytes(content)
    assert ["twice"] == [flaw.kind for flaw in verify(root).flaws]
    second.unlink()
    assert "missing" in {flaw.kind for flaw in verify(root).flaws}
    before = starts(root)
    assert 1 == mend(root).retold
    (told,) = {*starts(root)} - {*before}
    assert told > max(before)
    assert 0 == mend(root).retold


def test_a_gap_that_was_told_again_is_not_made_again_beside_that_when_its_segment_turns_up(root, tape):
    first, second = files(root)
    first.unlink()
    mend(root)
    before = {row["seq_start"]: row for row in recorded(root)["gaps"]}
    second.unlink()
    aside = root / "journal" / "set-aside"
    aside.mkdir()
    for number, content in enumerate(tape.contents(), 1):
        (aside / folder.segment_path(root, number).name).write_bytes(content)
    assert 1 == mend(root).rows
    assert before == {row["seq_start"]: row for row in recorded(root)["gaps"]}
    assert 2 == len(recorded(root)["gaps"])
