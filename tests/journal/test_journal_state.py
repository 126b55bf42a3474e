"""The state that follows from records is the same whether they are folded in one go or over a snapshot."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.journal import state as states
from recorder.journal.state import FILLABLE_REASONS, Gap, Request, State, Unfilled

symbols, streams = (
    st.sampled_from(["AAPL", "ES", "é"]),
    st.sampled_from(["level1", "depth", "trades", "quotes"]),
)
reqs, moments = st.integers(1, 5), st.integers(0, 2**50)
controls = st.one_of(
    st.fixed_dictionaries({"kind": st.sampled_from(["opened", "disconnected", "session_end"])}),
    st.just({"kind": "clock_step"}),
    st.fixed_dictionaries({"kind": st.just("clock_step"), "micros": st.integers(-9, 9), "next": reqs}),
    st.fixed_dictionaries({"kind": st.just("asked"), "symbol": symbols, "req": reqs}),
    st.fixed_dictionaries(
        {"kind": st.just("subscribed"), "symbol": symbols, "stream": streams, "req": reqs, "con_id": reqs},
        optional={"show": st.just("TRADES"), "text": st.just("as asked")},
    ),
    st.fixed_dictionaries({"kind": st.sampled_from(["unsubscribed", "ended"]), "req": reqs}),
    st.fixed_dictionaries(
        {
            "kind": st.just("gap_start"), "symbol": symbols, "stream": streams, "ts_start": moments,
            "seq_start": moments, "reason": st.just("farm"), "code": st.one_of(st.none(), st.just(2103)),
        }
    ),
    st.fixed_dictionaries(
        {
            "kind": st.just("gap_end"), "symbol": symbols, "stream": streams, "ts_start": moments, "ts_end": moments,
            "seq_start": reqs, "seq_end": moments, "reason": st.sampled_from(["farm", "refused"]),
        }
    ),
    st.fixed_dictionaries(
        {
            "kind": st.just("backfill"), "symbol": symbols, "stream": streams, "seq_start": reqs, "cursor": moments,
            "done": st.booleans(),
        }
    ),
)  # fmt: skip


def folded(records, state=None):
    state = State() if state is None else state
    for record in records:
        state.apply(record)
    return state


@given(st.lists(controls, max_size=20), st.lists(controls, max_size=20))
def test_going_on_from_a_snapshot_is_going_on(before, after):
    snapshot = json.loads(json.dumps(folded(before).snapshot()))
    assert folded([*before, *after]) == folded(after, State.restore(snapshot))


def test_a_request_stays_known_after_it_was_cancelled_and_goes_with_its_connection():
    asked = {"kind": "subscribed", "symbol": "A", "stream": "bars", "con_id": 9, "req": 3, "show": "BID"}
    state = folded([{"kind": "opened"}, asked])
    assert (state.requests, state.live, state.hello) == ({3: Request("A", "bars", 9, "BID")}, {3}, False)
    state.apply({"kind": "unsubscribed", "req": 3})
    assert (state.requests[3].symbol, state.live) == ("A", set())
    state.apply({"kind": "opened"})
    assert state.requests == {}


def test_a_lookup_is_known_and_not_live():
    state = folded([{"kind": "asked", "symbol": "A", "req": 4}])
    assert (state.requests, state.live) == ({4: Request("A", "", 0)}, set())


def test_nothing_is_live_once_the_connection_is_gone_but_its_gaps_stay_open():
    gap = {"symbol": "A", "stream": "level1", "ts_start": 5, "seq_start": 6, "reason": "farm", "code": 2103}
    subscribed = {"kind": "subscribed", "symbol": "A", "stream": "level1", "con_id": 9, "req": 3}
    state = folded([subscribed, {"kind": "gap_start", **gap}, {"kind": "disconnected"}])
    assert (state.live, state.gaps) == (set(), {("A", "level1"): Gap(**gap)})
    state.apply({"kind": "gap_end", **gap, "ts_end": 9, "seq_end": 9})
    assert state.gaps == {}


ENDED = {"kind": "gap_end", "symbol": "A", "stream": "trades", "reason": "restart", "ts_start": 100_900_000}
ENDED |= {"ts_end": 160_100_000, "seq_start": 5, "seq_end": 9}
KEY = ("A", "trades", 5)


def test_a_closed_gap_is_to_be_filled_from_a_little_before_it_to_a_little_behind():
    (gap,) = folded([ENDED]).unfilled.values()
    assert (gap.key, gap.cursor, gap.last_second) == (KEY, 98, 162)
    assert gap == Unfilled("A", "trades", "restart", 100_900_000, 160_100_000, 5, 9, 98)


@pytest.mark.parametrize(
    ("change", "count"),
    [
        *(({"reason": reason}, 1) for reason in sorted(FILLABLE_REASONS)),
        *(({"stream": stream}, 1) for stream in ("trades", "quotes", "midpoints")),
        *(({"stream": stream}, 0) for stream in ("level1", "depth", "bars")),
        *(({"reason": reason}, 0) for reason in ("refused", "not_subscribed")),
    ],
)
def test_only_what_ib_keeps_ticks_of_and_was_asked_for_is_filled(change, count):
    assert len(folded([ENDED | change]).unfilled) == count


def test_filling_moves_the_cursor_of_its_own_gap_until_it_is_done():
    told = {
        "kind": "backfill",
        "symbol": "A",
        "stream": "trades",
        "seq_start": 5,
        "cursor": 120,
        "done": False,
    }
    state = folded([ENDED, ENDED | {"seq_start": 6}, told])
    assert {key: gap.cursor for key, gap in state.unfilled.items()} == {KEY: 120, ("A", "trades", 6): 98}
    state.apply(told | {"done": True})
    assert list(state.unfilled) == [("A", "trades", 6)]
    state.apply(told)
    assert list(state.unfilled) == [("A", "trades", 6)]


def test_what_is_older_than_seven_days_falls_out():
    days = 86_400_000_000
    state = folded([ENDED, ENDED | {"ts_end": 160_100_000 + 7 * days, "seq_start": 7}])
    assert len(state.unfilled) == 2
    state.apply(ENDED | {"ts_end": 160_100_001 + 7 * days, "seq_start": 8})
    assert [key[2] for key in state.unfilled] == [7, 8]


def test_no_more_are_kept_than_a_snapshot_can_bear(monkeypatch):
    monkeypatch.setattr(states, "MOST_UNFILLED", 3)
    state = folded([ENDED | {"seq_start": number} for number in range(5)])
    assert [key[2] for key in state.unfilled] == [2, 3, 4]


ASKED = {"con_id": 9, "exchange": "CME", "trade_kind": "last"}


def test_a_gap_is_of_the_contract_that_was_received_when_it_began():
    state = folded([ENDED | ASKED])
    assert (
        Unfilled("A", "trades", "restart", 100_900_000, 160_100_000, 5, 9, 98, **ASKED) == state.unfilled[KEY]
    )
    assert state == State.restore(json.loads(json.dumps(state.snapshot())))


def test_of_several_requests_for_a_stream_the_live_one_is_received_else_the_latest():
    def asked(req, stream="trades"):
        own = {
            "symbol": "A",
            "stream": stream,
            "con_id": req,
            "req": req,
            "exchange": "CME",
            "trade_kind": None,
        }
        return {"kind": "subscribed", **own}

    state = folded([asked(3), asked(4), asked(5, "quotes"), {"kind": "unsubscribed", "req": 4}])
    assert Request("A", "trades", 3, exchange="CME") == state.received("A", "trades")
    state.apply({"kind": "disconnected"})
    assert 4 == state.received("A", "trades").con_id
    assert state.received("A", "midpoints") is None


def test_gaps_and_requests_of_an_older_version_are_of_no_contract():
    started = {name: ENDED[name] for name in ("symbol", "stream", "reason", "ts_start", "seq_start")}
    asked = {"kind": "subscribed", "symbol": "A", "stream": "trades", "req": 3, "con_id": 9}
    old = folded([ENDED, asked, started | {"kind": "gap_start", "code": None}]).snapshot()
    for one in (*old["unfilled"], *old["gaps"], old["requests"]["3"]):
        for name in {"exchange", "trade_kind"} | ({"con_id"} if "ts_start" in one else set()):
            del one[name]
    state = State.restore(old)
    assert [(0, "", None)] * 2 == [
        (one.con_id, one.exchange, one.trade_kind) for one in (*state.unfilled.values(), *state.gaps.values())
    ]
    assert (9, "") == (state.requests[3].con_id, state.requests[3].exchange)


def test_a_snapshot_of_an_older_version_has_nothing_to_fill():
    old = folded([ENDED]).snapshot()
    del old["unfilled"]
    assert State.restore(old).unfilled == {}
