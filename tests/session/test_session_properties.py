"""Whatever happens, in whatever order: what holds in every night (``play``), and that every night has a way on."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from play import SHORT, Night, Ticks, config, details, future, line

from recorder.config.difference import difference, recorded
from recorder.config.limits import budget
from recorder.session import actions, inputs
from recorder.session.status import status
from recorder.wire import codes

LINES = (
    line("AAPL"),
    line("MSFT", "level1", "trades", "quotes"),
    line("SAP", "trades", "depth"),
    future("ES", "level1", "depth", "midpoints"),
    future("NQ", "trades", "bars"),
    line("ES", kind="continuous_future", exchange="CME"),
    line("EURUSD", "quotes", "level1", kind="forex"),
    line("GOLD", "depth", "bars", name="Gold"),
)
FAST = {"heartbeat_seconds": 1.0, "connect_timeout_seconds": 2.0, "reconnect_max_seconds": 8.0}
CONTRACTS = {
    "MSFT": [details("MSFT", 500, hours="20261122:1200-1230;20261123:CLOSED")],
    "SAP": [details("SAP", 501, hours="20261122:CLOSED;20261123:0930-1600", zone="Europe/Berlin")],
}
FARMS = ("Market data farm connection is broken:usfarm", "Market data farm is OK:eufarm", "usfarm", "a:", "")
CODES = (*codes.MEANINGS, *codes.FARMS_BROKEN, *codes.FARMS_OK, 1100, 1101, 1102, 2110, 326, 162, 502)

many = settings(max_examples=60, database=None, report_multiple_bugs=False)

configs = st.builds(
    lambda lines, most: config(*lines, max_lines=most, **FAST),
    st.lists(st.sampled_from(LINES), min_size=1, max_size=6, unique=True),
    st.sampled_from((1, 3, 100)),
)
found = st.sampled_from(
    (None, [], [details("X", 7)], [details("X", 7), details("Y", 8)], [details("ES", 9, local_symbol="ESZ6")])
)
things = st.one_of(
    st.tuples(st.sampled_from(("play", "late")), st.sampled_from((0.0, 0.01, 0.1, 0.3, 1.0, 3.0, 7.0, 40.0))),
    st.tuples(st.just("ticks"), st.integers(0, 9), st.integers(1, 50)),
    st.tuples(st.just("said"), st.integers(0, 9), st.sampled_from(CODES), st.sampled_from(FARMS)),
    st.tuples(st.just("ib"), st.just(0), st.sampled_from(CODES), st.sampled_from(FARMS)),
    st.tuples(st.just("rerouted"), st.integers(0, 9), st.sampled_from((11, 12))),
    st.tuples(st.just("forget"), st.integers(0, 9)),
    st.tuples(st.just("answered"), st.integers(0, 30), found, st.sampled_from((None, 200, 321))),
    st.tuples(st.just("reloaded"), configs),
    st.tuples(st.just("wall"), st.sampled_from((-86400.0, -3600.0, -1.0, 1.0, 3600.0, 86400.0))),
    st.tuples(st.just("mood"), st.booleans(), st.booleans()),
    st.tuples(
        st.just("input"),
        st.sampled_from(
            (inputs.Connected("there"), inputs.NotConnected("x", 326), inputs.Lost("x"), inputs.Passed(),
             inputs.Said(-1, 1100, ""), inputs.Said(999, 354, ""), inputs.Rerouted(999, 1, ""))
        ),
    ),
)  # fmt: skip
nights = st.tuples(configs, st.lists(things, max_size=40))


def happen(night, thing):
    """One thing, from plain data; what is about the nth stream is about one that is live."""
    match thing:
        case "play", seconds:
            night.play(seconds)
        case "late", seconds:
            night.late(seconds)
        case "wall", seconds:
            night.set_wall(seconds)
        case "mood", kind, alive:
            night.kind, night.alive = kind, alive
        case "forget", nth:
            night.streams.pop(_nth(night, nth), None)
        case _:
            night.give(given_by(night, thing), nonsense=True)
    status(night.machine)


def given_by(night, thing):
    """The input that plain data stands for."""
    match thing:
        case "ticks", nth, count:
            return Ticks(*night.keys.get(_nth(night, nth), ("nobody", "level1")), count)
        case "said", nth, code, text:
            return inputs.Said(_nth(night, nth), code, text)
        case "ib", _, code, text:
            return inputs.Said(-1, code, text)
        case "rerouted", nth, con_id:
            return inputs.Rerouted(_nth(night, nth), con_id, "SMART")
        case "answered", token, answer, code:
            return inputs.Answered(token, answer, "no", code)
        case "reloaded", wanted:
            return inputs.Reloaded(wanted, "another")
        case "input", one:
            return one


def _nth(night, nth):
    requests = sorted(night.streams)
    return requests[nth % len(requests)] if requests else -2


def played(begin):
    """The night after all that."""
    wanted, story = begin
    night = Night(wanted, kind=True)
    night.contracts = CONTRACTS
    for thing in story:
        happen(night, thing)
    return night


@given(begin=nights)
@many
def test_with_a_gateway_that_answers_everything_that_fits_is_recorded_in_the_end(begin):
    night = played(begin)
    night.kind = night.alive = True
    night.play(8 * SHORT.daily)
    fits = [verdict.reason is None for verdict in budget(night.config)]
    feeds = night.machine.streams.feeds
    assert ["recording" if fit else "over_limit" for fit in fits] == [feed.phase for feed in feeds]
    assert not [feed.key for feed in feeds if feed.phase == "recording" and set(feed.keys) & set(night.gaps)]


@given(begin=nights)
@many
def test_with_a_gateway_that_never_answers_it_goes_on_trying_at_bounded_pauses(begin):
    night = played(begin)
    night.kind = night.alive = False
    night.play(60.0)
    begun = night.now
    night.play(300.0)
    tries = [at for at in night.when(actions.Connect) if at >= begun]
    longest = FAST["reconnect_max_seconds"] + FAST["connect_timeout_seconds"] + SHORT.check
    assert max(after - before for before, after in pairwise(tries)) <= longest
    assert night.now - tries[-1] <= longest


@given(begin=nights)
@many
def test_told_to_stop_it_is_over_in_bounded_time(begin):
    night = played(begin)
    night.give(inputs.Stopped())
    night.play(2 * FAST["connect_timeout_seconds"] + 5.0)
    assert night.over
    assert not night.live
    for given_now in (inputs.Stopped(), inputs.Lost("x"), inputs.NotConnected("x"), inputs.Connected("x")):
        night.give(given_now, nonsense=True)
    assert night.machine.link.phase == "over"
    assert [1] == [len(night.did(actions.Over))]


@given(begin=nights)
@many
def test_a_gateway_that_falls_dumb_is_dropped_after_three_heartbeats(begin):
    night = played(begin)
    night.kind, night.alive = True, True
    night.play(20.0)
    night.kind = night.alive = False
    begun = night.now
    night.play(3 * FAST["heartbeat_seconds"] + 0.02)
    assert [at for at in night.when(actions.Drop) if at > begun]


@given(begin=nights, wanted=configs)
@many
def test_a_reload_leaves_alone_what_both_watchlists_have(begin, wanted):
    night = played(begin)
    night.give(inputs.Passed())
    running = night.config
    before = dict(zip(recorded(running), night.machine.streams.feeds, strict=True))
    held = dict(night.live)
    done = night.give(inputs.Reloaded(wanted, "another"))
    after = dict(zip(recorded(wanted), night.machine.streams.feeds, strict=True))
    kept = [before[one] for one in difference(running, wanted).kept]
    assert kept == [after[one] for one in difference(running, wanted).kept]
    ended = {held[one.req] for one in done if isinstance(one, actions.Unsubscribed | actions.Ended)}
    assert not ended & {feed.key for feed in kept if feed.live}
