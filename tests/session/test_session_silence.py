"""Silence, doubt, farms, refusals: when a stream counts as received, and when it does not any more."""

import pytest
from play import NOON, SHORT, Night, Ticks, config, details, line

from recorder.config import Stream
from recorder.session import actions, inputs
from recorder.session.feed import Feed
from recorder.session.pace import Pace
from recorder.session.status import status
from recorder.session.timing import Timing
from recorder.session.watchlist import Entry
from recorder.wire.activity import Mark

BROKEN, FINE = "Market data farm connection is broken:", "Market data farm connection is OK:"
CLOSED, OPEN = "20261121:CLOSED;20261122:CLOSED;20261123:CLOSED", "20261122:0000-20261123:2359"


def night_of(*names, every=1.0, hours="", beat=1.0, timing=SHORT, wall=NOON, **more):
    """A night in which these lines have ticked for a while."""
    night = Night(
        config(*(line(name) for name in names), heartbeat_seconds=beat, **more), timing, kind=True, wall=wall
    )
    night.contracts = {name: [details(name, 100 + n, hours=hours)] for n, name in enumerate(names)}
    night.every = every
    night.play(60.0)
    assert {"recording"} == {night.phase(name) for name in names}
    assert not night.gaps
    return night


def hush(night):
    """From here on the gateway ticks only when a test says so."""
    night.kind = False
    night.give(inputs.Passed())


# Pace. -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("every", "beat", "patience"), [(0.5, 1.0, 10.0), (0.05, 1.0, 1.0), (0.5, 15.0, 15.0), (2.0, 1.0, 40.0)]
)
def test_a_steady_line_is_silent_after_twenty_of_its_ticks_and_never_before_the_least(every, beat, patience):
    night = night_of("AAPL", every=every, beat=beat, timing=Timing(burst=1.0, settled=2.0))
    hush(night)
    last = night.feed("AAPL").last
    night.play(patience * 1.2 + 1.5)
    [silent] = night.said("silent, asked for anew")
    assert patience <= silent.more["seconds"] <= patience * 1.12 + 0.6
    assert last == night.gaps["AAPL", "level1"].since


def test_a_line_that_ticks_in_bursts_may_pause_four_times_its_longest_pause():
    pace = Pace()
    for _ in range(10):
        pace.saw(100, 30.0, 31.0)
    assert pace.patience(1.0) == pytest.approx(4 * 30.0)


def test_the_longest_pause_counts_half_after_half_an_hour():
    pace = Pace()
    pace.saw(100, 80.0, 80.0)
    pace.saw(36000, 0.05, 1800.0)
    assert pace.longest == pytest.approx(40.0)


def test_a_rate_that_is_not_known_tells_nothing_and_few_ticks_are_judged_with_more_patience():
    pace = Pace()
    pace.saw(2, 1.0, 2.0)
    assert pace.patience(1.0) is None
    pace.saw(2, 1.0, 2.0)
    few = pace.patience(1.0)
    pace.saw(96, 1.0, 96.0)
    assert few > pace.patience(1.0) == 20.0


def test_what_is_renewed_in_vain_is_renewed_more_and_more_rarely_and_for_months():
    feed = Feed(Entry(line("AAPL")), Stream(kind="level1"), Mark(0, 0))
    patience = []
    for feed.strikes in (0, 1, 2, 3, 9, 600, 10_000):
        patience.append(feed.doubt(Timing()))
    assert [60.0, 240.0, 960.0, 1800.0, 1800.0, 1800.0, 1800.0] == patience


def test_a_dropped_line_is_asked_for_anew_again_and_again_but_no_later_than_slow():
    night = night_of("AAPL")
    hush(night)
    for _ in range(10):
        night.give(inputs.Said(night.request("AAPL"), 10182, "dropped"))
        assert night.feed("AAPL").due - night.now <= SHORT.slow
        night.play(SHORT.slow + 1)


# Hours. ------------------------------------------------------------------------------------------------------


def test_while_its_market_is_closed_no_silence_adds_up():
    night = night_of("AAPL", hours=CLOSED)
    hush(night)
    night.play(3000.0)
    assert [] == night.said("silent, asked for anew")
    assert not night.gaps


def test_when_its_market_opens_a_line_has_its_whole_patience_again():
    night = night_of("AAPL", hours="20261122:0700-0702,0710-1600")
    night.play(55.0)
    hush(night)
    night.play(8 * 60.0 + 20.0)
    assert [] == night.said("silent, asked for anew")
    night.play(10.0)
    assert 1 == len(night.said("silent, asked for anew"))


def test_level1_without_a_single_tick_is_silent_unless_its_market_is_known_to_be_closed():
    told = {}
    for hours in (OPEN, CLOSED, ""):
        night = Night(config(line("AAPL"), heartbeat_seconds=1.0), kind=True)
        night.contracts, night.every = {"AAPL": [details("AAPL", 1, hours=hours)]}, 1e9
        night.play(9.0)
        told[hours] = len(night.said("silent, asked for anew"))
    assert {OPEN: 1, CLOSED: 0, "": 1} == told


# IB lost. ----------------------------------------------------------------------------------------------------


def test_a_tick_that_was_under_way_when_ib_was_lost_ends_no_gap():
    night = night_of("AAPL")
    hush(night)
    night.tell(
        (0.0, inputs.Said(-1, 1100, "lost")), (0.3, Ticks("AAPL")), (0.4, inputs.Passed()),
    )  # fmt: skip
    assert ("AAPL", "level1") in night.gaps
    night.tell((1.0, Ticks("AAPL")), (1.1, inputs.Passed()))
    assert not night.gaps


def test_that_data_was_kept_is_not_believed_of_a_line_that_stays_silent():
    night = night_of("AAPL", "MSFT")
    night.forget("AAPL")
    hush(night)
    mark = len(night.done)
    night.tell((0.0, inputs.Said(-1, 1100, "lost")), (5.0, inputs.Said(-1, 1102, "kept")))
    night.kind = True
    night.play(3.0)
    assert {("AAPL", "level1")} == set(night.gaps)
    night.play(40.0)
    asked = [one.key for _, one in night.done[mark:] if isinstance(one, actions.Subscribe)]
    assert {("AAPL", "level1")} == set(asked)
    assert not night.gaps


def test_when_nobody_says_that_ib_is_back_it_asks_all_the_same_and_believes_ticks_alone():
    night = Night(config(line("AAPL"), heartbeat_seconds=1.0))
    night.give(inputs.Said(-1, 2110, "never connected"))
    night.give(inputs.Connected("here"))
    night.play(0.2)
    night.give(inputs.Answered(1, [details("AAPL", 1)]))
    night.play(SHORT.slow - 2)
    assert [] == night.did(actions.Subscribe)
    night.play(3 + SHORT.settled)
    assert night.did(actions.Subscribe)
    assert ("AAPL", "level1") in night.gaps
    night.give(Ticks("AAPL"))
    night.play(1.0)
    assert not night.gaps


def test_ticks_that_prove_ib_back_call_every_other_line_to_prove_itself():
    night = night_of("AAPL", "MSFT", every=0.1)
    hush(night)
    night.tell((0.0, inputs.Said(-1, 1100, "lost")), *((5.0 + nth, Ticks("AAPL")) for nth in range(4)))
    assert [("MSFT", "level1")] == [one.key for one in night.did(actions.Subscribe)][2:]


# Farms. ------------------------------------------------------------------------------------------------------


def test_only_lines_that_fall_silent_with_a_farm_are_in_a_gap_and_the_others_are_known_not_to_hang_on_it():
    night = night_of("AAPL", "SAP", every=0.1)
    night.forget("AAPL")
    night.give(inputs.Said(-1, 2103, BROKEN + "usfarm"))
    night.play(3.0)
    assert {("AAPL", "level1")} == set(night.gaps)
    farms = night.machine.watch.farms
    assert (True, False) == tuple(
        farms.may_carry("usfarm", night.feed(name).source) for name in ("AAPL", "SAP")
    )


def test_a_line_that_ticks_on_while_one_farm_is_down_is_watched_for_the_next_that_breaks():
    night = night_of("AAPL", every=0.1)
    night.tell((0.0, inputs.Said(-1, 2103, BROKEN + "usfarm")), (1.8, inputs.Passed()))
    assert not night.gaps
    last = night.feed("AAPL").last
    hush(night)
    night.tell(
        (0.2, inputs.Said(-1, 2103, BROKEN + "cashfarm")), (0.5, inputs.Said(-1, 2104, FINE + "cashfarm"))
    )
    assert last.ts <= night.gaps["AAPL", "level1"].since.ts
    assert "farm" == night.gaps["AAPL", "level1"].reason


def test_a_farm_that_is_back_at_once_leaves_a_gap_only_until_the_next_tick():
    night = night_of("AAPL")
    night.tell((0.5, inputs.Said(-1, 2103, BROKEN + "usfarm")), (0.7, inputs.Said(-1, 2104, FINE + "usfarm")))
    assert {("AAPL", "level1")} == set(night.gaps)
    night.play(2.0)
    assert not night.gaps
    assert ["farm"] == [hole.reason for hole in night.holes if hole.reason == "farm"]


def test_a_line_that_stays_silent_behind_one_farm_is_asked_for_anew_although_another_never_comes_back():
    night = night_of("AAPL")
    night.forget("AAPL")
    night.tell(
        (0.0, inputs.Said(-1, 2103, BROKEN + "usfarm")), (0.1, inputs.Said(-1, 2103, BROKEN + "eufarm")),
        (5.0, inputs.Said(-1, 2104, FINE + "usfarm")),
    )  # fmt: skip
    night.play(3 * SHORT.slow)
    assert not night.gaps
    assert night.phase("AAPL") == "recording"


def test_status_says_it_in_words():
    night = night_of("AAPL", "SAP", every=0.1)
    night.forget("AAPL")
    night.give(inputs.Said(-1, 2103, BROKEN + "usfarm"))
    night.play(3.0)
    assert "connected, usfarm down since 12:01 UTC, 1 of 2 lines silent" == status(night.machine).words


# What is said of one stream. ---------------------------------------------------------------------------------


def test_10089_is_judged_by_ticks():
    night = night_of("AAPL", "MSFT")
    hush(night)
    for name in ("AAPL", "MSFT"):
        night.give(inputs.Said(night.request(name), 10089, "part of it"))
    night.tell((1.0, Ticks("AAPL")), (SHORT.watch + 1, inputs.Passed()))
    assert ("recording", "parked") == (night.phase("AAPL"), night.phase("MSFT"))
    assert {("MSFT", "level1"): ("refused", 10089)} == {
        key: (gap.reason, gap.code) for key, gap in night.gaps.items()
    }


@pytest.mark.parametrize(("kind", "phase"), [("live", "parked"), ("delayed", "recording")])
def test_delayed_data_is_recorded_only_if_the_config_says_so(kind, phase):
    night = night_of("AAPL", market_data_type=kind)
    night.give(inputs.Said(night.request("AAPL"), 10167, "delayed follows"))
    night.play(2.0)
    assert phase == night.phase("AAPL")
    assert (kind == "live") == (not night.streams)


def test_what_was_refused_is_taken_back_before_it_is_asked_for_again():
    night = night_of("AAPL")
    night.give(inputs.Said(night.request("AAPL"), 354, "no permission"))
    mark = len(night.done)
    night.play(SHORT.slow + 1)
    sent = [type(one) for _, one in night.done[mark:] if isinstance(one, actions.Cancel | actions.Subscribe)]
    assert [actions.Cancel, actions.Subscribe] == sent


def test_a_reroute_is_followed_once_and_one_that_points_back_no_faster_than_passing():
    night = night_of("AAPL")
    places = ((1, "A"), (1, "A"), (2, "B"), (1, "A"), (2, "B"))
    mark = len(night.did(actions.Subscribe))
    for place in places:
        if (req := night.request("AAPL")) is not None:
            night.give(inputs.Rerouted(req, *place))
        night.play(0.2)
    assert [1] == [one.subscription.con_id for one in night.did(actions.Subscribe)[mark:]]
    night.play(SHORT.passing)
    assert [1, 2] == [one.subscription.con_id for one in night.did(actions.Subscribe)[mark:]]


def test_what_is_said_of_ib_when_the_connection_is_gone_is_not_held_against_the_next_one():
    night = night_of("AAPL")
    night.give(inputs.Lost("gone"))
    night.give(inputs.Said(-1, 1100, "lost"), nonsense=True)
    night.play(5.0)
    assert "recording" == night.phase("AAPL")


def test_what_is_said_of_ib_before_the_log_in_is_through_holds_for_the_connection():
    night = Night(config(line("AAPL"), heartbeat_seconds=1.0), kind=True)
    night.every = 1e9
    night.give(inputs.Said(-1, 2103, BROKEN + "usfarm"))
    night.play(2 * SHORT.settled)
    assert "recording" != night.phase("AAPL")
    assert {"usfarm"} == set(status(night.machine).farms_down)


def test_a_line_that_died_with_a_farm_that_never_comes_back_is_asked_for_anew_all_the_same():
    night = night_of("AAPL")
    night.forget("AAPL")
    night.give(inputs.Said(-1, 2103, BROKEN + "usfarm"))
    night.play(SHORT.farm + SHORT.slow + 4.0)
    assert 2 == len(night.did(actions.Subscribe))
    assert "recording" == night.phase("AAPL")


def test_a_line_that_was_asked_for_in_vain_while_a_farm_is_down_is_in_a_gap_and_asked_for_anew():
    night = Night(config(line("AAPL"), heartbeat_seconds=1.0), kind=True)
    night.every = 1e9
    night.give(inputs.Said(-1, 2103, BROKEN + "usfarm"))
    night.play(8.0)
    assert {("AAPL", "level1"): "farm"} == {key: gap.reason for key, gap in night.gaps.items()}
    night.play(SHORT.slow)
    assert 2 == len(night.did(actions.Subscribe))


def test_a_line_of_a_closed_market_that_was_asked_for_while_a_farm_is_down_settles_when_the_farm_has_been_back():
    night = Night(config(line("AAPL"), heartbeat_seconds=1.0), kind=True)
    night.contracts, night.every = {"AAPL": [details("AAPL", 1, hours=CLOSED)]}, 1e9
    night.give(inputs.Said(-1, 2103, BROKEN + "usfarm"))
    night.play(SHORT.settled + 2.0)
    night.give(inputs.Said(-1, 2104, FINE + "usfarm"))
    night.play(SHORT.settled * 0.9)
    assert "asked" == night.phase("AAPL")
    night.play(1.0)
    assert "recording" == night.phase("AAPL")
