"""Best bid and ask, against tapes worked out by hand."""

from functools import partial

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

import recorder
from recorder import schema
from recorder.reader.derive import life, quotes

NOTHING = schema.schema("events").empty_table(), schema.schema("gaps").empty_table()


def tick(seq, kind, price=None, size=None, **own):
    return {"ts_recv": f"10:00:{seq:02d}", "seq": seq, "tick_type": kind, "price": price, "size": size} | own


def event(seq, kind, symbol=None, stream=None):
    return {"ts_recv": f"10:00:{seq:02d}", "seq": seq, "kind": kind, "symbol": symbol, "stream": stream}


def shown(table, *names):
    return [tuple(row[name] for name in names) for row in table.to_pylist()]


def rebuilt(made, ticks, events=(), gaps=()):
    own = life.of_stream(made("events", events, None), made("gaps", gaps, "AAPL"), "AAPL", "level1")
    return shown(
        quotes.from_level1(made("level1", ticks), own), "seq", "bid", "ask", "bid_size", "ask_size", "source"
    )


def test_a_message_that_changes_nothing_makes_no_row(made):
    found = rebuilt(
        made,
        [
            tick(1, 1, 10.0, 5.0),
            tick(2, 0, size=5.0),  # repeats what the price message said
            tick(3, 2, 10.5, 7.0),
            tick(4, 4, 10.2, 1.0),  # a trade
            tick(5, 3, size=8.0),
        ],
    )
    expected = [
        (1, 10.0, None, 5.0, None, "level1"),
        (3, 10.0, 10.5, 5.0, 7.0, "level1"),
        (5, 10.0, 10.5, 5.0, 8.0, "level1"),
    ]
    assert expected == found


def test_minus_one_with_size_zero_is_no_quote_and_minus_one_with_a_size_is_a_price(made):
    found = rebuilt(
        made, [tick(1, 1, 10.0, 5.0), tick(2, 1, -1.0, 0.0), tick(3, 0, size=0.0), tick(4, 2, -1.0, 3.0)]
    )
    expected = [
        (1, 10.0, None, 5.0, None, "level1"),
        (2, None, None, None, None, "level1"),
        (4, None, -1.0, None, 3.0, "level1"),
    ]
    assert expected == found


def test_nothing_is_carried_over_a_disconnect(made):
    ticks = [tick(1, 1, 10.0, 5.0), tick(2, 2, 11.0, 5.0), tick(5, 1, 10.0, 5.0)]
    found = rebuilt(made, ticks, [event(3, "disconnected"), event(4, "subscribed", "AAPL", "level1")])
    assert (5, 10.0, None, 5.0, None, "level1") == found[-1]


def test_what_ends_another_line_or_stream_ends_nothing_here(made):
    ticks = [tick(1, 1, 10.0, 5.0), tick(5, 2, 11.0, 5.0)]
    others = [
        event(2, "unsubscribed", "MSFT", "level1"),
        event(3, "subscribed", "AAPL", "depth"),
        event(4, "notice"),
    ]
    assert (5, 10.0, 11.0, 5.0, 5.0, "level1") == rebuilt(made, ticks, others)[-1]


def test_a_closed_gap_without_events_begins_behind_its_last_row(made):
    gap = {"ts_start": "10:00:01", "ts_end": "10:00:05", "seq_start": 1, "seq_end": 6, "stream": "level1"}
    found = rebuilt(made, [tick(1, 1, 10.0, 5.0), tick(5, 2, 11.0, 5.0), tick(7, 1, 10.0, 5.0)], gaps=[gap])
    assert [(5, None, 11.0, None, 5.0, "level1"), (7, 10.0, 11.0, 5.0, 5.0, "level1")] == found[1:]


def test_the_end_of_a_gap_keeps_the_tick_that_ended_it(made):
    told = [event(2, "gap_start", "AAPL", "level1"), event(4, "gap_end", "AAPL", "level1")]
    found = rebuilt(made, [tick(1, 1, 10.0, 5.0), tick(3, 1, 9.0, 5.0), tick(5, 2, 11.0, 5.0)], told)
    assert (5, 9.0, 11.0, 5.0, 5.0, "level1") == found[-1]


def test_delayed_ticks_count_until_a_live_one_came(made):
    ticks = [tick(1, 66, 9.0, 1.0), tick(2, 67, 9.5, 1.0), tick(3, 1, 10.0, 2.0), tick(4, 66, 9.1, 1.0)]
    expected = [
        (1, 9.0, None, 1.0, None, "level1_delayed"),
        (2, 9.0, 9.5, 1.0, 1.0, "level1_delayed"),
        (3, 10.0, None, 2.0, None, "level1"),
    ]
    assert expected == rebuilt(made, ticks)


def test_an_empty_size_of_a_price_message_is_unknown(made):
    found = rebuilt(made, [tick(1, 1, 10.0, 5.0), tick(2, 1, 10.1, None)])
    assert (2, 10.1, None, None, None, "level1") == found[-1]


def test_tick_by_tick_counts_while_it_was_subscribed_and_level1_elsewhere(made):
    level1 = made("level1", [tick(n, 1, float(n), 1.0) for n in (1, 4, 6, 9)])
    told = [event(3, "subscribed", "AAPL", "quotes"), event(8, "unsubscribed", "AAPL", "quotes")]
    both = {"bid": 5.0, "ask": 6.0, "bid_size": 1.0, "ask_size": 0.0}
    ticks = made("quotes", [{"ts_recv": "10:00:05", "seq": 5} | both])
    ticks_life, own = (
        life.of_stream(made("events", told, None), NOTHING[1], "AAPL", stream)
        for stream in ("quotes", "level1")
    )
    found = quotes.quotes(ticks, ticks_life, level1, own)
    assert [(1, "level1"), (5, "tick_by_tick"), (9, "level1")] == shown(found, "seq", "source")


def test_a_refused_tick_by_tick_stream_leaves_level1(tape):
    tape.write("level1", [tick(n, 1, float(n), 1.0) for n in (1, 4)])
    tape.write("events", [event(2, "subscribed", "AAPL", "quotes"), event(3, "refused", "AAPL", "quotes")])
    assert [1, 4] == recorder.open(tape.root).quotes("AAPL")["seq"].tolist()


def naive(ticks, resets):
    """The same rules, one message after the other."""
    state, rows = [None, None, None, None], []  # bid, ask, bid size, ask size
    begun = 0
    for seq, kind, price, size in ticks:
        reached = sum(reset <= seq for reset in resets)
        before = [None] * 4 if reached != begun else list(state)
        state, begun = list(before), reached
        side = {1: 0, 0: 0, 2: 1, 3: 1}[kind]
        if kind in (1, 2):
            state[side], state[side + 2] = (None, None) if (price, size) == (-1.0, 0.0) else (price, size)
        elif state[side] is not None:
            state[side + 2] = size
        if state != before:
            rows.append((seq, *state, "level1"))
    return rows


PRICES = st.sampled_from([-1.0, 1.0, 2.0])
SIZES = st.sampled_from([0.0, 1.0, 2.0])
MESSAGES = st.lists(st.tuples(st.sampled_from([0, 1, 2, 3]), PRICES, SIZES), max_size=40)


@given(MESSAGES, st.sets(st.integers(0, 40), max_size=3))
def test_the_rebuild_is_that_of_a_naive_loop(messages, cuts):
    ticks = [(2 * n + 1, kind, price, size) for n, (kind, price, size) in enumerate(messages)]
    resets = [2 * cut for cut in sorted(cuts)]
    columns = zip(*ticks, strict=True) if ticks else [[]] * 4
    seq, kinds, prices, sizes = columns
    missing = [kind in (0, 3) for kind in kinds]
    made_rows = {
        "seq": pa.array(seq, pa.int64()),
        "tick_type": pa.array(kinds, pa.int16()),
        "price": pa.array(prices, pa.float64(), mask=np.array(missing, bool)),
        "size": pa.array(sizes, pa.float64()),
    }
    shape = schema.schema("level1")
    rows = pa.table([made_rows.get(f.name, pa.nulls(len(ticks), f.type)) for f in shape], schema=shape)
    at_all = np.ones(len(resets), bool)
    marks = np.array(resets, np.int64)
    own = life.Life(marks, marks, ~at_all, at_all)
    found = shown(quotes.from_level1(rows, own), "seq", "bid", "ask", "bid_size", "ask_size", "source")
    assert naive(ticks, resets) == found


def test_the_state_at_the_start_is_found_however_long_ago_it_was_told(tape):
    tape.write("events", [event(1, "session_start") | {"ts_recv": "2026-11-10 00:00"}])
    long_ago = [
        tick(2, 2, 10.5, 7.0, ts_recv="2026-11-19 10:00"),
        tick(3, 1, 10.0, 5.0, ts_recv="2026-11-22 09:30"),
    ]
    tape.write("level1", [*long_ago, tick(4, 1, 10.1, 5.0)])
    found = recorder.open(tape.root).quotes("AAPL", start="2026-11-22 10:00", engine="arrow")
    assert [(4, 10.1, 10.5, 7.0)] == shown(found, "seq", "bid", "ask", "ask_size")


def test_any_part_of_the_view_is_that_part_of_the_whole(tape, at):
    choose = np.random.default_rng(7)
    kinds, sizes = choose.choice([0, 1, 2, 3, 66, 67], 600).tolist(), choose.integers(0, 4, 600).tolist()
    stamps = [f"{n // 240 + 8:02d}:{n // 4 % 60:02d}:{n % 4 * 15:02d}" for n in range(600)]
    ticks = [
        {"ts_recv": stamp, "seq": n, "tick_type": kind, "price": 9.0 + kind, "size": float(size)}
        for n, (stamp, kind, size) in enumerate(zip(stamps, kinds, sizes, strict=True))
        if n % 97
    ]
    tape.write("level1", ticks)
    tape.write(
        "events", [{"ts_recv": stamps[n], "seq": n, "kind": "disconnected"} for n in range(97, 600, 97)]
    )
    view = partial(recorder.open(tape.root).quotes, "AAPL")
    whole = view()
    for begin, end in ((0, 99), (97, 98), (150, 400), (333, 599), (500, 500)):
        part = whole[(whole.ts_recv >= at(stamps[begin])) & (whole.ts_recv < at(stamps[end]))]
        found = view(start=at(stamps[begin]), end=at(stamps[end]))
        assert part.reset_index(drop=True).equals(found), (begin, end)
