"""Requests that are over are forgotten where a segment begins, and nowhere else: rows are bound at its end."""

from recorder.journal import folder
from recorder.journal.format import scan
from recorder.journal.state import KEPT_REQUESTS, State
from recorder.journal.writer import Journal, now
from recorder.render.tables import render
from recorder.wire.layouts import frame

MANY = 3 * KEPT_REQUESTS


def ask(journal, req):
    journal.control({"kind": "subscribed", "symbol": "AAPL", "stream": "level1", "req": req, "con_id": 1})


def test_within_a_segment_every_tick_finds_its_request_and_the_next_one_begins_with_the_latest(tmp_path):
    journal = Journal(tmp_path, folder.create(tmp_path), fsync_seconds=1, clock=now)
    journal.read(frame("178", "20261122 12:00:00 UTC"), now())
    ask(journal, 1)
    journal.read(frame("1", "6", "1", "1", "2.5", "1", "0"), now())
    journal.count(1)
    for req in range(2, MANY):
        journal.control({"kind": "ended", "req": req - 1}, row=False)
        ask(journal, req)
    ask(journal, MANY)
    assert journal.roll(b"")
    journal.close()
    first, second = folder.segments(tmp_path)
    assert [2.5] == render(first.read_bytes()).tables["level1"]["price"].to_pylist()
    begun = State.restore(next(iter(scan(second.read_bytes()))).json())
    assert {MANY - 1, MANY} == begun.live
    assert sorted(begun.requests) == list(range(MANY - 1 - KEPT_REQUESTS, MANY + 1))
