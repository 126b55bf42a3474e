"""Gaps that were filled afterwards: what is told of them, and where their rows stand in the views."""

import asyncio

import pytest

import recorder
from recorder.daemon.known import known_in
from recorder.journal.state import Unfilled

LIFE = {"symbol": "AAPL", "stream": "trades"}


def live(seq, second, price, **own):
    at = f"10:00:{second:06.3f}"
    return {"ts_recv": at, "ts_event": at[:8], "seq": seq, "price": price, "size": 1.0, "attribs": 0} | own


def late(seq, second, price, **own):
    """Fetched at 10:05."""
    own = {"ts_event": f"10:00:{second:02d}", "source": "backfill"} | own
    return {"ts_recv": "10:05:00", "seq": seq, "price": price, "size": 10.0, "attribs": 0} | own


def told(seq, text, ts="10:05:00", **own):
    return {"ts_recv": ts, "seq": seq, "kind": "filled", "text": text} | LIFE | own


THREE = (late(20, 12, 2.0), late(21, 39, 3.0), late(22, 39, 3.0))
GAP = {"ts_start": "10:00:10.5", "ts_end": "10:00:40", "seq_start": 3, "seq_end": 9, "reason": "farm"} | LIFE
FILLED = "gap behind 3 filled whole, up to 2026-11-22T10:00:43Z: 3 ticks of ..."
HALF = "gap behind 3 filled up to 2026-11-22T10:00:20Z: 1 ticks of ..."


@pytest.fixture
def gap(tape):
    """Trades at 5, 10 and 41 s; a gap between; level 1 goes on; three trades are filled in."""

    def write(*texts, rows=THREE):
        events = [{"ts_recv": "10:00:00", "seq": 1, "kind": "subscribed"} | LIFE]
        events += [{"ts_recv": "10:00:00", "seq": 2, "kind": "subscribed", **LIFE, "stream": "level1"}]
        events += [{"ts_recv": "10:00:11", "seq": 4, "kind": "gap_start"} | LIFE]
        events += [{"ts_recv": "10:00:40", "seq": 10, "kind": "gap_end"} | LIFE]
        tape.write("events", events + [told(30 + n, text) for n, text in enumerate(texts)])
        tape.write("gaps", [GAP])
        tape.write("trades", [live(3, 10.4, 1.0), live(9, 40, 4.0), live(11, 41, 5.0)])
        lasts = [("10:00:15", 5), ("10:00:30", 6), ("10:00:41", 12)]
        tape.write(
            "level1",
            [{"ts_recv": ts, "seq": n, "tick_type": 4, "price": 9.0 + n, "size": 1.0} for ts, n in lasts],
        )
        if rows:
            tape.write("trades", list(rows))
        return recorder.open(tape.root)

    return write


@pytest.mark.parametrize(
    ("texts", "until", "filled"),
    [
        ([], None, False),
        (["something else"], None, False),
        (["gap behind 4 filled whole, up to 2026-11-22T10:00:43Z: of another gap"], None, False),
        ([HALF], "10:00:20", False),
        ([HALF, FILLED], "10:00:40", True),
        (["gap behind 3 not filled from 2026-11-22T10:00:08Z on: no permission"], None, False),
        ([HALF, "gap behind 3 not filled from 2026-11-22T10:00:20Z on: no permission"], "10:00:20", False),
    ],
)
def test_gaps_say_what_was_filled_of_them(gap, at, texts, until, filled):
    (row,) = gap(*texts).gaps(engine="arrow").to_pylist()
    assert (until and at(until), filled) == (row["filled_until"], row["filled"])


def test_the_table_itself_is_as_it_was(gap):
    assert "filled" not in gap(FILLED).table("gaps").columns
    assert {"filled_until", "filled"} <= set(gap(FILLED).gaps(end="2000-01-01").columns)


def test_filling_is_told_of_the_gaps_of_a_range_however_late_it_was(gap):
    db = gap(FILLED)
    assert [True] == db.gaps("AAPL", start="2026-11-22 10:00:20", end="2026-11-22 10:00:30")[
        "filled"
    ].tolist()


def prices(found):
    return found["price"].tolist()


def test_filled_trades_stand_where_they_happened_and_level_1_gives_way(gap):
    found = gap(FILLED).trades("AAPL")
    assert [1.0, 2.0, 3.0, 3.0, 4.0, 5.0] == prices(found)
    assert ["tick_by_tick", *["backfill"] * 3, *["tick_by_tick"] * 2] == found["source"].tolist()
    assert [3, 20, 21, 22, 9, 11] == found["seq"].tolist()
    assert {5} == {*found["ts_recv"][1:4].dt.minute}


def test_before_it_is_filled_level_1_stands_in_and_behind_where_it_is_filled_to(gap):
    assert [1.0, 14.0, 15.0, 4.0, 5.0] == prices(gap(rows=()).trades("AAPL"))


def test_of_a_gap_half_filled_the_other_half_is_as_level_1_told_it(gap):
    assert [1.0, 2.0, 15.0, 4.0, 5.0] == prices(gap(HALF, rows=[late(20, 12, 2.0)]).trades("AAPL"))


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("10:00:12", "10:00:39", [2.0]),
        ("10:00:13", "10:00:40", [3.0, 3.0]),
        ("10:04", None, []),
        (None, "10:00:13", [1.0, 2.0]),
    ],
)
def test_a_range_holds_what_happened_in_it(gap, start, end, expected):
    day = "2026-11-22 "
    found = gap(FILLED).trades("AAPL", start=start and day + start, end=end and day + end)
    assert expected == prices(found)


def test_bars_hold_what_happened_in_them(gap):
    bars = gap(FILLED).bars("AAPL", "20s", engine="arrow").to_pylist()
    assert [(1.0, 2.0, 11.0), (3.0, 3.0, 20.0), (4.0, 5.0, 2.0)] == [
        (bar["open"], bar["close"], bar["volume"]) for bar in bars
    ]


def test_a_row_that_filled_a_gap_proves_no_subscription(gap, tape):
    tape.write("level1", [{"ts_recv": "10:06", "seq": 40, "tick_type": 4, "price": 77.0, "size": 1.0}])
    tape.write("events", [{"ts_recv": "10:04", "seq": 19, "kind": "unsubscribed"} | LIFE])
    assert 77.0 == prices(gap(FILLED).trades("AAPL"))[-1]


def test_several_lines_keep_the_order_of_arrival_around_what_was_filled(gap, tape):
    tape.write("trades", [live(8, 38, 70.0)], symbol="MSFT")
    assert [1.0, 2.0, 70.0, 3.0, 3.0, 4.0, 5.0] == prices(gap(FILLED).trades(["AAPL", "MSFT"]))


def test_filled_midpoints_and_quotes_make_bars_of_their_second(tape):
    streams = {"AAPL": "midpoints", "MSFT": "quotes"}
    tape.write("gaps", [GAP | {"stream": stream, "symbol": name} for name, stream in streams.items()])
    tape.write("events", [told(30, FILLED, symbol=name, stream=stream) for name, stream in streams.items()])
    tape.write(
        "midpoints",
        [{"ts_recv": "10:05", "ts_event": "10:00:12", "seq": 20, "price": 2.0, "source": "backfill"}],
    )
    sides = {"bid": 1.0, "ask": 2.0, "bid_size": 1.0, "ask_size": 1.0}
    own = {"ts_recv": "10:05", "ts_event": "10:00:12", "source": "backfill"}
    tape.write("quotes", [own | sides | {"seq": 21}], symbol="MSFT")
    bars = recorder.open(tape.root).bars(["AAPL", "MSFT"], "10s", engine="arrow").to_pylist()
    assert [("AAPL", 10, 2.0, "backfill"), ("MSFT", 10, 1.5, "backfill")] == [
        (bar["symbol"], bar["ts"].second, bar["open"], bar["source"]) for bar in bars
    ]


def test_what_is_known_of_some_seconds_is_all_rows_of_their_contract_live_or_filled(tape):
    (tape.root / "journal").mkdir()
    tape.write(
        "trades", [live(3, 10.4, 1.5, exchange="X"), live(4, 10.4, 1.5, exchange="X"), live(5, 12, 2.0)]
    )
    tape.write(
        "trades", [late(20, 11, 1.25, attribs=2, conditions=" F"), late(21, 13, 9.0), late(22, 9, 9.0)]
    )
    tape.write("trades", [live(30, 11, 7.0)], symbol="MSFT")
    tape.write("trades", [live(31, 11, 7.0, con_id=2)])
    gap = Unfilled("AAPL", "trades", "farm", 0, 0, 1, 2, 0, con_id=1)
    known = asyncio.run(known_in(tape.root).ticks(gap, 1_795_341_610, 1_795_341_612))
    assert {
        (1_795_341_610, 1.5, 1.0, 0, "X", None): 2,
        (1_795_341_611, 1.25, 10.0, 2, None, " F"): 1,
        (1_795_341_612, 2.0, 1.0, 0, None, None): 1,
    } == known


def clocks(tape, start, end):
    micros = [int(tape_at.timestamp()) * 1_000_000 for tape_at in (start, end)]
    gap = Unfilled("AAPL", "trades", "farm", *micros, 1, 2, 0, con_id=1)
    return asyncio.run(known_in(tape.root).clocks(gap))


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], (0, 0)),
        ([("10:00:05.9", "10:00:05"), ("10:00:06.4", "10:00:05")], (0, 0)),
        ([("10:00:05.9", "10:00:00"), ("10:00:09.4", "10:00:00")], (0, 5)),
        ([("10:00:05.9", "10:00:09")], (-4, 0)),
        ([("10:00:05.9", "10:00:02"), ("10:04:50.1", "10:04:56")], (-6, 3)),
        ([("10:00:05.9", "09:00:00")], (0, 0)),
        ([("10:01:20", "10:01:00")], (0, 0)),
    ],
)
def test_what_the_clocks_were_apart_is_told_by_the_rows_around_a_gap(tape, at, rows, expected):
    (tape.root / "journal").mkdir()
    for seq, (received, happened) in enumerate(rows, 3):
        tape.write("trades", [live(seq, 0, 1.0, ts_recv=received, ts_event=happened)], symbol="MSFT")
    assert expected == clocks(tape, at("10:00:10"), at("10:05:00"))


def test_what_filled_a_gap_says_nothing_of_the_clocks(tape, at):
    (tape.root / "journal").mkdir()
    tape.write("trades", [late(20, 11, 1.25)])
    assert (0, 0) == clocks(tape, at("10:00:10"), at("10:05:00"))
