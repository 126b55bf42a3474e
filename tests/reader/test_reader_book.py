"""The order book, against a naive model and books drawn by hand."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import recorder
from recorder import schema
from recorder.reader.derive import book

INSERT, UPDATE, DELETE, RESET = range(4)
ASK, BID = range(2)


def move(seq, operation, side, position, price=None, **own):
    where = {"operation": operation, "side": side, "position": position}
    return {"ts_recv": f"10:00:{seq:02d}", "seq": seq, "price": price, "size": 1.0} | where | own


def prices(found):
    return found.bid.dropna().tolist(), found.ask.dropna().tolist()


TAPE = [
    move(1, INSERT, BID, 0, 10.0, market_maker="NSDQ"),
    move(2, INSERT, BID, 1, 9.0),
    move(3, INSERT, ASK, 0, 11.0),
    move(4, INSERT, BID, 0, 10.5),  # shifts 10 and 9 down
    move(5, DELETE, BID, 1),  # 9 moves up
    move(6, UPDATE, ASK, 0, 11.5, size=7.0),
]


@pytest.mark.parametrize(
    ("at", "bids", "asks"),
    [
        ("2026-11-22 10:00:03", [10.0, 9.0], [11.0]),
        ("2026-11-22 10:00:04", [10.5, 10.0, 9.0], [11.0]),
        ("2026-11-22 10:00:05.999999", [10.5, 9.0], [11.0]),
        (None, [10.5, 9.0], [11.5]),
        ("2026-11-22 09:00", [], []),
    ],
)
def test_the_book_at_a_moment_is_what_the_messages_made_of_it(tape, at, bids, asks):
    tape.write("depth", TAPE)
    assert (bids, asks) == prices(recorder.open(tape.root).book("AAPL", at=at))


def test_both_sides_stand_side_by_side(tape):
    tape.write("depth", TAPE)
    found = recorder.open(tape.root).book("AAPL", at="2026-11-22 10:00:03", rows=1)
    assert ["level", "bid_mm", "bid_size", "bid", "ask", "ask_size", "ask_mm"] == list(found.columns)
    assert [0, "NSDQ", 1.0, 10.0, 11.0, 1.0] == found.iloc[0].tolist()[:-1]


@pytest.mark.parametrize("kind", ["disconnected", "subscribed", "unsubscribed", "gap_start", "session_start"])
def test_the_book_starts_afresh_where_a_subscription_does(tape, kind):
    tape.write("depth", [*TAPE, move(8, INSERT, ASK, 0, 12.0)])
    tape.write("events", [{"ts_recv": "10:00:07", "seq": 7, "kind": kind}])
    db = recorder.open(tape.root)
    assert ([], []) == prices(db.book("AAPL", at="2026-11-22 10:00:07"))
    assert ([], [12.0]) == prices(db.book("AAPL"))
    assert ([10.5, 9.0], [11.5]) == prices(db.book("AAPL", at="2026-11-22 10:00:06"))


def test_the_book_starts_afresh_behind_a_gap_whose_last_row_came_at_that_very_moment(tape):
    tape.write("depth", [*TAPE, move(8, INSERT, ASK, 0, 12.0)])
    gap = {"ts_start": "10:00:06", "ts_end": "10:00:08", "seq_start": 6, "seq_end": 8, "stream": "depth"}
    tape.write("gaps", [gap])
    assert ([], [12.0]) == prices(recorder.open(tape.root).book("AAPL"))


def test_a_reset_row_clears_both_sides(tape):
    tape.write("depth", [*TAPE, move(7, RESET, None, None), move(8, INSERT, BID, 0, 1.0)])
    assert ([1.0], []) == prices(recorder.open(tape.root).book("AAPL"))


def test_levels_that_no_message_told_stay_unknown(tape):
    tape.write("depth", [move(1, UPDATE, BID, 2, 8.0)])
    assert [True, True, False] == recorder.open(tape.root).book("AAPL").bid.isna().tolist()


def test_a_position_no_book_has_is_passed_over(tape):
    tape.write("depth", [move(1, INSERT, BID, 2**31 - 1, 8.0), move(2, INSERT, BID, -1, 8.0)])
    assert 0 == len(recorder.open(tape.root).book("AAPL"))


MOVES = st.tuples(
    st.sampled_from([INSERT, INSERT, INSERT, UPDATE, DELETE, RESET]),
    st.sampled_from([ASK, BID]),
    st.integers(0, 5),
    st.integers(1, 99),
)


@given(st.lists(MOVES, max_size=60))
def test_replay_is_that_of_a_naive_model(moves):
    model = {ASK: {}, BID: {}}  # position to price
    for operation, side, position, price in moves:
        rows = model[side]
        if operation == RESET:
            model = {ASK: {}, BID: {}}
        elif operation == DELETE:
            model[side] = {n - (n > position): p for n, p in rows.items() if n != position}
        else:
            shifted = {n + (n >= position): p for n, p in rows.items()} if operation == INSERT else rows
            model[side] = shifted | {position: float(price)}
    made = [move(0, o, s, p, float(price)) | {"ts_recv": None} for o, s, p, price in moves]
    found = book.replay(pa.Table.from_pylist(made, schema=schema.schema("depth")))
    for side, levels in ((ASK, found.asks), (BID, found.bids)):
        assert model[side] == {n: level[0] for n, level in enumerate(levels) if level[0] is not None}
