"""Who was recorded when, against a day worked out by hand."""

import pandas as pd
import pytest

import recorder


def event(seq, stamp, kind, symbol=None, stream=None):
    return {"ts_recv": stamp, "seq": seq, "kind": kind, "symbol": symbol, "stream": stream}


def tick(seq, stamp, symbol="AAPL"):
    return {"ts_recv": stamp, "seq": seq, "tick_type": 1, "symbol": symbol}


def gap(begin, end, seq, reason, symbol="AAPL"):
    own = {"symbol": symbol, "stream": "level1", "seq_start": seq, "seq_end": seq, "reason": reason}
    return own | {"ts_start": begin, "ts_end": end}


@pytest.fixture
def db(tape):
    tape.write(
        "events",
        [
            event(1, "10:00:00", "session_start"),
            event(2, "10:00:00", "subscribed", "AAPL", "level1"),
            event(3, "10:00:00", "subscribed", "AAPL", "trades"),
            event(4, "10:00:00", "subscribed", "MSFT", "level1"),
            event(8, "10:00:20", "disconnected"),
            event(9, "10:00:30", "subscribed", "AAPL", "level1"),
            event(13, "10:00:50", "gap_start", "AAPL", "level1"),
            event(14, "10:01:00", "notice"),
        ],
        symbol=None,
    )
    tape.write(
        "level1",
        [tick(5, "10:00:01"), tick(6, "10:00:18"), tick(10, "10:00:31"), tick(7, "10:00:19", "MSFT")],
    )
    tape.write("greeks", [{"ts_recv": "10:00:40", "seq": 11, "tick_type": 13}])
    tape.write(
        "gaps", [gap("10:00:18", "10:00:31", 6, "disconnected"), gap("10:00:42", "10:00:45", 12, "no_data")]
    )
    return recorder.open(tape.root)


def test_each_line_and_stream_is_accounted_for(db, at):
    found = db.coverage().set_index(["symbol", "stream"])
    assert [("AAPL", "level1"), ("AAPL", "trades"), ("MSFT", "level1")] == found.index.tolist()
    row = found.loc[("AAPL", "level1")]
    # subscribed 0-20 and 30-60; gaps 18-31, 42-45, and 50-60 still open
    assert (18 + 11 + 5, 13 + 3 + 10, 3) == (row.recorded_seconds, row.gap_seconds, row.gaps)
    assert (4, at("10:00:01"), at("10:00:40")) == (row.rows, row["first"], row["last"])
    assert "disconnected 13.0 s, open 10.0 s, no_data 3.0 s" == row.reasons
    assert at("10:00:50") == row.open_gap


def test_a_stream_without_rows_or_gaps_has_its_seconds_too(db):
    row = db.coverage().set_index(["symbol", "stream"]).loc[("AAPL", "trades")]
    assert (0, 20.0, 0.0, "") == (row.rows, row.recorded_seconds, row.gap_seconds, row.reasons)
    assert pd.isna(row["first"])
    assert pd.isna(row.open_gap)


def test_a_day_counts_only_what_lies_in_it(tape):
    tape.write("events", [event(1, "2026-11-21 23:59:50", "subscribed", "AAPL", "level1")], symbol=None)
    tape.write(
        "level1",
        [tick(2, "2026-11-21 23:59:55"), tick(3, "2026-11-22 00:00:05"), tick(4, "2026-11-23 00:00:05")],
    )
    tape.write("gaps", [gap("2026-11-21 23:59:58", "2026-11-22 00:00:02", 2, "farm")])
    db = recorder.open(tape.root)
    rows = [db.coverage(date=f"2026-11-{day}").iloc[0] for day in (21, 22, 23)]
    assert [1, 1, 1] == [row.rows for row in rows]
    assert [8.0, 86398.0, 5.0] == [row.recorded_seconds for row in rows]
    assert ["farm 2.0 s", "farm 2.0 s", ""] == [row.reasons for row in rows]
    assert 0 == len(db.coverage("2026-11-20").query("rows > 0"))


def test_a_gap_that_ended_is_not_open(tape):
    told = [
        event(1, "10:00:00", "subscribed", "AAPL", "level1"),
        event(2, "10:00:01", "gap_start", "AAPL", "level1"),
        event(3, "10:00:02", "gap_end", "AAPL", "level1"),
    ]
    tape.write("events", told, symbol=None)
    tape.write("gaps", [gap("10:00:00", "10:00:02", 1, "no_data")])
    row = recorder.open(tape.root).coverage().iloc[0]
    assert (0.0, 2.0, 1) == (row.recorded_seconds, row.gap_seconds, row.gaps)
    assert pd.isna(row.open_gap)


def test_an_empty_recording_covers_nothing(tape):
    assert 0 == len(recorder.open(tape.root).coverage())
