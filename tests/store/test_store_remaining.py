"""What is left below the numbers that retention took is counted, so that its loss is noticed."""

from datetime import timedelta

import pytest
from store.recordings import TODAY, files, put, recording, tick

from recorder.journal import folder
from recorder.store import Limits, compact, retain
from recorder.verify import verify

FUTURE = TODAY + timedelta(365)


def back(days):
    return TODAY - timedelta(days)


def notice(seq, day):
    return {"ts_recv": tick(0, day=day)["ts_recv"], "seq": seq, "symbol": None, "kind": "notice"}


@pytest.fixture
def root(tmp_path):
    """Five days of eight ticks, and two events that one file holds of each; the clock was a year ahead for a moment."""
    root, seq = recording(tmp_path / "data", next_seq=53), 1
    for day in (back(number) for number in range(5, 0, -1)):
        put(root, "level1", [tick(seq + number, day=day) for number in range(8)], day)
        put(root, "events", [notice(seq + 8, day), notice(seq + 9, day)], day)
        seq += 10
        if day == back(5):
            put(root, "level1", [tick(seq, day=FUTURE), tick(seq + 1, day=FUTURE)], FUTURE)
            seq += 2
    return root


def kept(root):
    checkpoint = folder.load(root)
    return checkpoint.kept_seq, checkpoint.kept_rows


def test_rows_of_a_day_to_come_and_events_are_counted(root):
    retain(root, 3, None, TODAY)
    assert (21, 2 + 2) == kept(root)
    assert [] == verify(root).flaws


def test_of_a_file_that_holds_numbers_on_both_sides_only_those_below_are_counted(root):
    put(root, "events", [notice(19, back(3)), notice(53, back(3))], back(3))
    retain(root, 3, None, TODAY)
    assert (21, 2 + 2 + 1) == kept(root)


@pytest.mark.parametrize(("table", "day"), [("level1", FUTURE), ("events", back(5))])
def test_a_loss_is_not_made_good_by_the_next_retention(root, table, day):
    retain(root, 3, None, TODAY)
    files(root, table, day)[0].unlink()
    assert 1 == len(verify(root).flaws)
    for days in (2, 1):
        retain(root, days, None, TODAY)
        assert 1 == len(verify(root).flaws)
    assert (41, 2 + 3 * 2) == kept(root)


def test_compaction_leaves_the_count_right(root):
    put(root, "events", [notice(52, back(5))], back(5))
    retain(root, 2, None, TODAY)
    before = kept(root)
    assert 1 == sum(1 for _ in compact(root, TODAY, Limits(linger=0)))
    assert [] == [flaw for flaw in verify(root).flaws if "retention" in flaw.text]
    assert before == kept(root)


@pytest.mark.parametrize("moved", [0, 1])
def test_who_is_killed_while_days_go_has_said_how_much_remains(root, monkeypatch, moved):
    """A kill is a rename that never comes back; whoever looks then finds nothing wrong, and the next night goes on."""
    left = [moved]
    rename = type(root).rename

    def killed(path, target):
        if "old" in str(target):
            if left[0] == 0:
                raise KeyboardInterrupt
            left[0] -= 1
        return rename(path, target)

    monkeypatch.setattr(type(root), "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        retain(root, 3, None, TODAY)
    monkeypatch.undo()
    assert (21, 4) == kept(root)
    assert [] == verify(root).flaws
    retain(root, 3, None, TODAY)
    assert (21, 4) == kept(root)
    assert [] == verify(root).flaws
    assert 4 == len(list((root / "level1").iterdir()))


def test_a_recording_of_before_the_count_is_counted_though_nothing_goes(root):
    retain(root, 3, None, TODAY)
    checkpoint = folder.load(root)
    checkpoint.kept_rows = None
    folder.save(root, checkpoint)
    assert [] == retain(root, 3, None, TODAY).gone
    assert (21, 4) == kept(root)


def test_where_a_file_does_not_read_nobody_knows_and_the_days_go(root):
    files(root, "events", back(5))[0].write_bytes(b"PAR1 no more")
    assert {back(5), back(4)} == {gone.day for gone in retain(root, 3, None, TODAY).gone}
    assert (21, None) == kept(root)
