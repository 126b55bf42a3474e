"""What filled a gap becomes rows as if it had been live, numbered with everything else."""

import json
from datetime import UTC, datetime

import pytest
from tape import Tape, joined, numbered

from recorder.journal.format import rows_of
from recorder.journal.state import Unfilled
from recorder.render.backfill import TEXT
from recorder.render.tables import render
from recorder.wire.layouts import frame

GAP = {
    "symbol": "AAPL",
    "stream": "trades",
    "reason": "disconnected",
    "ts_start": 100_000_000,
    "seq_start": 3,
}
SECONDS = 1_795_348_800
TRADES = [
    [str(SECONDS), "187.25", "3", "2", "ARCA", " F  "],
    [str(SECONDS + 1), "1.0E-4", "8.7e-05", "1", "", ""],
]


def backfill(ticks, **own):
    told = {"symbol": "AAPL", "stream": "trades", "con_id": 9, "trade_kind": "all_last", "ticks": ticks}
    return told | {"cursor": SECONDS + 2, "done": False, "seq_start": 3, "ts_end": 160_000_000} | own


class Numbered(Tape):
    """Counts as the journal's writer does."""

    def control(self, kind, *, row=True, **more):
        super().control(kind, row=row, **more)
        self.seq += rows_of({"kind": kind, "row": row, **more}) - row


def tape(*records):
    """A live trade before the records and one behind them."""
    one = Numbered()
    one.open(AAPL=(3, "trades"))
    live = frame("99", "3", "2", str(SECONDS), "187.25", "3", "2", "ARCA", " F  ")
    one.read(live)
    for record in records:
        one.control("backfill", **record)
    one.read(live)
    return one


def without(row, *names):
    return {name: value for name, value in row.items() if name not in names}


def test_a_filled_trade_is_the_row_a_live_one_is_but_for_source_time_and_number():
    rows = tape(backfill(TRADES)).tables()["trades"]
    live, filled, other, _ = rows
    own = ("ts_recv", "seq", "source", "con_id")
    assert without(live, *own) == without(filled, *own)
    assert ("live", "backfill", 9) == (live["source"], filled["source"], filled["con_id"])
    at = datetime.fromtimestamp(SECONDS + 1, UTC)
    assert {"ts_event": at, "price": 1e-4, "size": 8.7e-5, "exchange": None, "conditions": None} | {
        "past_limit": True, "unreported": False, "kind": "all_last", "attribs": 1,
    } == without(other, *own, "symbol")  # fmt: skip


@pytest.mark.parametrize(
    ("stream", "texts", "expected"),
    [
        (
            "quotes",
            [str(SECONDS), "1.0", "1.5", "7", "8", "2"],
            {
                "bid": 1.0,
                "ask": 1.5,
                "bid_size": 7.0,
                "ask_size": 8.0,
                "bid_past_low": False,
                "ask_past_high": True,
            },
        ),
        ("midpoints", [str(SECONDS), "1.25"], {"price": 1.25}),
    ],
)
def test_quotes_and_midpoints_are_filled_too(stream, texts, expected):
    (row,) = tape(backfill([texts], stream=stream, trade_kind=None)).tables()[stream]
    assert expected == {name: row[name] for name in expected}


def test_reported_trades_are_of_kind_last():
    rows = tape(backfill(TRADES, trade_kind="last")).tables()["trades"]
    assert ["all_last", "last", "last", "all_last"] == [row["kind"] for row in rows]


def test_every_number_is_one_row_and_the_event_is_the_records_last():
    one = tape(backfill(TRADES), backfill([], cursor=SECONDS + 9, done=True))
    told = numbered(one.tables())
    assert list(range(1, one.seq)) == [number for number, _, _ in told]
    names = ["events", "trades", "trades", "trades", "events", "events", "trades"]
    assert names == [name for _, name, _ in told]
    rendered = render(one.contents()[0])
    assert (one.seq, 1) == (rendered.next_seq, rendered.first_seq)


def test_a_tick_that_does_not_read_is_kept_under_its_number():
    one = tape(backfill([[str(SECONDS), "cheap", "3", "2", "ARCA", ""]]))
    (row,) = one.tables()["other"]
    assert ("backfill", 3, "AAPL") == (row["source"], row["seq"], row["symbol"])
    assert list(range(1, one.seq)) == [number for number, _, _ in numbered(one.tables())]


def test_the_last_record_of_a_killed_recorder_counts_all_its_numbers():
    one = Numbered()
    one.control("backfill", **backfill(TRADES))
    assert one.seq == render(one.contents()[0]).next_seq == 4


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (
            backfill(TRADES),
            "gap behind 3 filled up to 2026-11-22T12:00:02Z: 2 ticks of 2026-11-22T12:00:00Z to 2026-11-22T12:00:01Z",
        ),
        (backfill([], done=True), "gap behind 3 filled whole, up to 2026-11-22T12:00:02Z: no ticks"),
        (
            backfill([], done=True, refused="No permission", code=10187),
            "gap behind 3 not filled from 2026-11-22T12:00:02Z on: No permission",
        ),
    ],
)
def test_the_event_says_how_far_the_gap_is_filled_in_a_form_that_reads_back(record, words):
    told = [row for row in tape(record).tables()["events"] if row["kind"] == "filled"]
    assert [("AAPL", "trades", record.get("code"), words)] == [
        (row["symbol"], row["stream"], row["code"], row["text"]) for row in told
    ]
    assert ("3", "2026-11-22T12:00:02Z") == TEXT.match(words).group("seq_start", "cursor")


def test_the_renderers_state_knows_how_far_it_is_filled():
    one = Numbered()
    one.control("gap_end", **GAP, ts_end=160_000_000, seq_end=5)
    one.roll()
    one.control("backfill", **backfill(TRADES))
    one.roll()
    first, second, _ = (render(content) for content in one.contents())
    key = ("AAPL", "trades", 3)
    assert 98 == first.state.unfilled[key].cursor
    assert SECONDS + 2 == second.state.unfilled[key].cursor
    assert isinstance(second.state.unfilled[key], Unfilled)
    assert json.loads(json.dumps(second.state.snapshot()))["unfilled"] == second.state.snapshot()["unfilled"]
    assert 1 == len(joined([first])["gaps"])
