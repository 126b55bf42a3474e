"""The state that follows from records is the same whether they are folded in one go or over a snapshot."""

import json

from hypothesis import given
from hypothesis import strategies as st

from recorder.journal.state import Gap, Request, State

symbols, streams = st.sampled_from(["AAPL", "ES", "é"]), st.sampled_from(["level1", "depth"])
reqs, moments = st.integers(1, 5), st.integers(0, 2**50)
controls = st.one_of(
    st.fixed_dictionaries({"kind": st.sampled_from(["opened", "disconnected", "session_end", "clock_step"])}),
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
    st.fixed_dictionaries({"kind": st.just("gap_end"), "symbol": symbols, "stream": streams, "ts_end": moments}),
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
    state.apply({"kind": "gap_end", **gap})
    assert state.gaps == {}
