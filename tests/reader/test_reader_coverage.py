"""Who was recorded when, against a day worked out by hand."""

import os
from datetime import UTC, datetime, timedelta

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import recorder
from recorder import schema
from recorder.journal.lock import locked
from recorder.reader.derive import coverage, timeline
from recorder.wire.stretches import merged, within, without


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


def opened(seq, stamp, symbol="AAPL", **own):
    return event(seq, stamp, "gap_start", symbol, "level1") | own


def fetched(stamp, hours, zone="UTC", symbol="AAPL"):
    return {"ts_recv": stamp, "symbol": symbol, "time_zone": zone, "trading_hours": hours}


def told(db, **asked):
    """The timeline as ``what begin-end``, times of day."""
    rows = db.timeline(**asked, engine="arrow").to_pylist()
    return [f"{row['what']} {row['begin']:%H:%M:%S}-{row['end']:%H:%M:%S}" for row in rows]


def test_a_gap_is_missing_only_while_the_market_was_open(tape):
    tape.write(
        "events",
        [event(1, "09:00", "subscribed", "AAPL", "level1"), event(3, "12:00", "notice")],
        symbol=None,
    )
    tape.write("gaps", [gap("09:50", "10:20", 1, "disconnected")])
    tape.write("instruments", [fetched("08:00", "20261122:1000-1015,1130-2000")])
    db = recorder.open(tape.root)
    row = db.coverage().iloc[0]
    assert (150 * 60, 30 * 60) == (row.recorded_seconds, row.gap_seconds)
    assert (135 * 60, 15 * 60) == (row.closed_seconds, row.missing_seconds)
    expected = [
        "closed 09:00:00-10:00:00",
        "gap 10:00:00-10:15:00",
        "closed 10:15:00-11:30:00",
        "recorded 11:30:00-12:00:00",
    ]
    assert expected == told(db)


def test_hours_hold_from_when_they_were_fetched_until_the_next_were(tape):
    tape.write(
        "events",
        [event(1, "09:00", "subscribed", "AAPL", "level1"), event(3, "14:00", "notice")],
        symbol=None,
    )
    tape.write("gaps", [gap("09:00", "14:00", 1, "refused")])
    rows = [
        fetched("10:00", "20261122:CLOSED"),
        fetched("11:00", "20261122:CLOSED"),
        fetched("12:00", "20261122:0000-2400"),
        fetched("13:00", None),
    ]
    tape.write("instruments", rows)
    db = recorder.open(tape.root)
    assert ["gap 09:00:00-10:00:00", "closed 10:00:00-12:00:00", "gap 12:00:00-14:00:00"] == told(db)
    assert (7200, 3 * 3600) == (db.coverage().iloc[0].closed_seconds, db.coverage().iloc[0].missing_seconds)


def test_hours_of_one_line_say_nothing_of_another(tape):
    tape.write(
        "events",
        [event(1, "09:00", "subscribed", "AAPL", "level1"), event(3, "10:00", "notice")],
        symbol=None,
    )
    tape.write("instruments", [fetched("08:00", "20261122:CLOSED", symbol="MSFT")])
    assert ["recorded 09:00:00-10:00:00"] == told(recorder.open(tape.root))


def test_an_open_gap_counts_with_its_reason_and_code(tape):
    tape.write(
        "events",
        [
            event(1, "10:00:00", "subscribed", "AAPL", "level1"),
            opened(2, "10:00:20", text="refused", code=354),
            event(3, "10:01:00", "notice"),
        ],
        symbol=None,
    )
    db = recorder.open(tape.root)
    row = db.coverage().iloc[0]
    assert (20.0, 40.0, 40.0) == (row.recorded_seconds, row.gap_seconds, row.missing_seconds)
    assert "refused 40.0 s" == row.reasons
    last = db.timeline(engine="arrow").to_pylist()[-1]
    assert ("gap", "refused", 354, True) == (last["what"], last["reason"], last["code"], last["open"])


def test_a_stream_that_was_refused_at_once_is_accounted_for(tape):
    tape.write("events", [event(1, "10:00", "refused", "AAPL", "trades")], symbol=None)
    row = recorder.open(tape.root).coverage().iloc[0]
    assert ("trades", 0.0, 0.0) == (row.stream, row.recorded_seconds, row.missing_seconds)


def test_of_gaps_that_overlap_each_second_is_missing_once_and_for_the_first_reason(tape):
    tape.write(
        "events",
        [event(1, "10:00:00", "subscribed", "AAPL", "level1"), event(9, "10:01:00", "notice")],
        symbol=None,
    )
    tape.write("gaps", [gap("10:00:10", "10:00:30", 2, "farm"), gap("10:00:20", "10:00:40", 3, "no_data")])
    db = recorder.open(tape.root)
    row = db.coverage().iloc[0]
    assert (30.0, 30.0, 30.0, 2) == (row.recorded_seconds, row.gap_seconds, row.missing_seconds, row.gaps)
    assert "farm 20.0 s, no_data 20.0 s" == row.reasons
    rows = [one for one in db.timeline(engine="arrow").to_pylist() if one["what"] == "gap"]
    assert [("farm", 20), ("no_data", 10)] == [
        (one["reason"], (one["end"] - one["begin"]).total_seconds()) for one in rows
    ]


def test_after_a_clock_was_set_back_nothing_is_negative_and_nothing_overlaps(tape):
    tape.write(
        "events",
        [
            event(1, "11:00:00", "subscribed", "AAPL", "level1"),
            event(2, "11:00:30", "clock_step"),
            event(3, "10:00:00", "disconnected"),
            event(5, "10:00:10", "subscribed", "AAPL", "level1"),
            event(6, "10:00:20", "notice"),
        ],
        symbol=None,
    )
    tape.write("gaps", [gap("11:00:30", "10:00:10", 3, "disconnected")])
    db = recorder.open(tape.root)
    row = db.coverage().iloc[0]
    assert (3620.0, 0.0, 0.0, 1) == (row.recorded_seconds, row.gap_seconds, row.missing_seconds, row.gaps)
    assert "disconnected 0.0 s" == row.reasons
    assert ["recorded 10:00:10-11:00:30"] == told(db)


def test_a_damaged_gap_of_nobody_knows_whom_is_no_line(tape):
    tape.write("events", [event(1, "11:00:00", "subscribed", "AAPL", "level1")], symbol=None)
    tape.write(
        "gaps", [gap("11:00:10", "11:00:20", 3, "damaged") | {"symbol": None, "stream": None}], symbol=None
    )
    db = recorder.open(tape.root)
    assert ["AAPL"] == db.coverage()["symbol"].tolist()
    assert ["damaged"] == db.gaps()["reason"].tolist()


def test_a_day_behind_the_end_of_the_recording_holds_nothing(db):
    found = db.coverage("2026-11-24")
    assert 0 == found[["recorded_seconds", "gap_seconds", "closed_seconds", "missing_seconds"]].sum().sum()
    assert 0 == len(db.timeline(date="2026-11-24"))


def test_a_timeline_is_of_the_lines_that_were_asked_for(db):
    found = db.timeline("AAPL")
    assert {"AAPL"} == set(found.symbol)
    assert [
        ("level1", "recorded"), ("level1", "gap"), ("level1", "recorded"), ("level1", "gap"),
        ("level1", "recorded"), ("level1", "gap"), ("trades", "recorded"),
    ] == list(zip(found.stream, found.what, strict=True))  # fmt: skip
    with pytest.raises(recorder.UnknownSymbol):
        db.timeline("TSLA")


MICROS = 1_795_341_600_000_000
PARTS = st.tuples(st.integers(-20, 120), st.integers(-20, 120))
LOST = st.lists(st.tuples(PARTS, st.sampled_from(["farm", "no_data"]), st.integers(-10, 130)), max_size=6)


def moments(seconds):
    return pa.array([MICROS + one * 1_000_000 for one in seconds], schema.TIME)


@given(st.lists(PARTS, max_size=4), LOST, st.lists(PARTS, max_size=4))
def test_every_second_is_what_a_naive_calendar_says(live, lost, closed):
    lost = sorted(lost)
    window = (0, 100)
    account = timeline.Account(
        without(within(merged(live), *window), merged(part for part, _, _ in lost)),
        [
            gap
            for (begin, end), reason, until in lost
            if (gap := timeline.Gap(begin, end, reason, None, max(begin, until)).clipped(window))
        ],
        within(merged(closed), *window),
    )
    holds = lambda parts, second: any(begin <= second < end for begin, end in parts)  # noqa: E731
    for second in range(100):
        gap = next((one for one in lost if one[0][0] <= second < one[0][1]), None)
        expected = None
        if gap or holds(live, second):
            expected = "recorded" if not gap else "filled" if second < gap[2] else "gap"
            expected = "closed" if holds(closed, second) else expected
        found = [piece.what for piece in account.pieces() if piece.begin <= second < piece.end]
        assert ([expected] if expected else []) == found


def test_what_was_filled_later_is_not_missing():
    gaps = pa.table(
        {
            "symbol": ["A", "A", "A"],
            "stream": ["trades"] * 3,
            "ts_start": moments([10, 30, 50]),
            "ts_end": moments([20, 40, 60]),
            "reason": ["restart"] * 3,
            "code": pa.array([None] * 3, pa.int32()),
            "filled_until": pa.array([None, *moments([34, 58]).to_pylist()], schema.TIME),
            "filled": [False, False, True],
        }
    )
    events, instruments = (schema.schema(name).empty_table() for name in ("events", "instruments"))
    accounts = timeline.accounts(events, gaps, instruments, (MICROS, MICROS + 100_000_000))
    found = timeline.table(accounts).to_pylist()
    assert [("gap", 10), ("filled", 4), ("gap", 6), ("filled", 10)] == [
        (row["what"], (row["end"] - row["begin"]).total_seconds()) for row in found
    ]
    row = coverage.coverage(pa.table({"symbol": [], "stream": []}), accounts).to_pylist()[0]
    assert (30.0, 14.0, 16.0) == (row["gap_seconds"], row["filled_seconds"], row["missing_seconds"])


def removed(seq, stamp, symbol="AAPL", stream="level1"):
    return event(seq, stamp, "removed", symbol, stream)


def accounted(db):
    row = db.coverage().iloc[0]
    return row.recorded_seconds, row.missing_seconds, row.gaps, row.open_gap, row.removed


def test_from_its_removal_on_a_stream_is_neither_recorded_nor_missing(tape, at):
    tape.write(
        "events",
        [
            event(1, "10:00:00", "subscribed", "AAPL", "level1"),
            opened(2, "10:00:20", text="not_subscribed"),
            removed(3, "10:00:20.5"),
            event(4, "10:00:20.6", "unsubscribed", "AAPL", "level1"),
            event(5, "10:01:00", "notice"),
        ],
        symbol=None,
    )
    db = recorder.open(tape.root)
    assert (20.0, 0.0, 0, at("10:00:20")) == (*accounted(db)[:3], accounted(db)[4])
    assert pd.isna(accounted(db)[3])
    assert ["recorded 10:00:00-10:00:20"] == told(db)


def test_what_was_missing_when_it_was_removed_is_missing_up_to_there(tape, at):
    tape.write(
        "events",
        [
            event(1, "10:00:00", "subscribed", "AAPL", "level1"),
            opened(2, "10:00:20", text="disconnected"),
            removed(3, "10:00:30"),
            event(4, "10:01:00", "notice"),
        ],
        symbol=None,
    )
    db = recorder.open(tape.root)
    assert (20.0, 10.0, 1, at("10:00:30")) == (*accounted(db)[:3], accounted(db)[4])
    assert ["recorded 10:00:00-10:00:20", "gap 10:00:20-10:00:30"] == told(db)
    assert [False, False] == db.timeline().open.tolist()


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        # its last tick came at 18, it was removed at 20: what it was quiet before that is recorded
        ("not_subscribed", ["recorded 10:00:00-10:00:20", "gap 10:00:50-10:00:52", "recorded 10:00:52-10:01:00"]),
        (
            "disconnected",
            [
                "recorded 10:00:00-10:00:18", "gap 10:00:18-10:00:20",
                "gap 10:00:50-10:00:52", "recorded 10:00:52-10:01:00",
            ],
        ),
    ],
)  # fmt: skip
def test_what_comes_back_is_wanted_from_its_subscription_on(tape, reason, expected):
    tape.write(
        "events",
        [
            event(1, "10:00:00", "subscribed", "AAPL", "level1"),
            opened(2, "10:00:20", text=reason),
            removed(3, "10:00:20"),
            event(5, "10:00:50", "subscribed", "AAPL", "level1"),
            event(6, "10:00:52", "gap_end", "AAPL", "level1"),
            event(7, "10:01:00", "notice"),
        ],
        symbol=None,
    )
    tape.write("gaps", [gap("10:00:18", "10:00:52", 2, reason)])
    db = recorder.open(tape.root)
    assert expected == told(db)
    assert pd.isna(accounted(db)[4])


def test_what_could_never_be_asked_for_is_missing_until_it_is_removed(tape):
    told_of = [
        opened(1, "10:00:00", text="not_subscribed"),
        removed(2, "10:00:20"),
        event(3, "10:01", "notice"),
    ]
    tape.write("events", told_of, symbol=None)
    assert (0.0, 20.0, 1) == accounted(recorder.open(tape.root))[:3]


def test_on_a_day_before_its_removal_a_stream_was_wanted(tape):
    tape.write(
        "events",
        [
            event(1, "2026-11-20 23:59:50", "subscribed", "AAPL", "level1"),
            removed(2, "2026-11-21 00:00:10"),
            event(3, "2026-11-22 00:00:10", "notice"),
        ],
        symbol=None,
    )
    db = recorder.open(tape.root)
    rows = [db.coverage(f"2026-11-{day}").iloc[0] for day in (20, 21, 22)]
    assert [10.0, 10.0, 0.0] == [row.recorded_seconds for row in rows]
    assert [True, False, False] == [pd.isna(row.removed) for row in rows]


def test_while_a_recorder_holds_the_root_stretches_run_up_to_now(tape):
    begun = datetime.now(UTC) - timedelta(hours=1)
    told_of = [
        event(1, f"{begun:%Y-%m-%d %H:%M:%S}", "subscribed", "AAPL", "level1"),
        event(2, f"{begun:%Y-%m-%d %H:%M:%S}", "subscribed", "MSFT", "level1"),
        opened(3, f"{begun + timedelta(seconds=1):%Y-%m-%d %H:%M:%S}", text="disconnected"),
    ]
    tape.write("events", told_of, symbol=None)
    (tape.root / "journal").mkdir()
    db = recorder.open(tape.root)
    with locked(tape.root):
        starting = db.coverage()
        os.utime(tape.root / "journal" / "lock", (begun.timestamp() - 60,) * 2)  # when it began to record
        running = db.coverage()
    over = db.coverage()
    assert [[1.0, 1.0]] * 2 == [(one.recorded_seconds + one.gap_seconds).tolist() for one in (starting, over)]
    aapl, msft = running.itertuples()
    assert (1.0, 3600) == (aapl.recorded_seconds, pytest.approx(aapl.missing_seconds, abs=60))
    assert (3600, 0.0) == (pytest.approx(msft.recorded_seconds, abs=60), msft.missing_seconds)
