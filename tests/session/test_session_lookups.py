"""Contracts and watchlist: what is asked about, what the answers mean, what a reload touches."""

from itertools import pairwise

import pytest
from play import SHORT, Night, config, details, future, line

from recorder.session import actions, inputs

ESZ6 = details("ES", 1, sec_type="FUT", local_symbol="ESZ6", exchange="CME")
ESH7 = details("ES", 2, sec_type="FUT", local_symbol="ESH7", exchange="CME")
CONTINUOUS = line("ES", "level1", kind="continuous_future", exchange="CME")
QUICK = {"heartbeat_seconds": 1.0}


def recording(*lines, **more):
    """A night in which these lines are being recorded."""
    night = Night(config(*lines, **QUICK, **more), kind=True)
    night.contracts = {"ES": [ESZ6]}
    night.play(30.0)
    return night


def touched(night, given):
    """The streams that an input ends, opens a gap in, or asks for; and no others."""
    mark = len(night.done)
    night.give(given)
    ended = {night.keys[one.req] for _, one in night.done[mark:] if isinstance(one, actions.Unsubscribed)}
    night.play(10.0)
    asked = {one.key for _, one in night.done[mark:] if isinstance(one, actions.Subscribe)}
    gaps = {one.key for _, one in night.done[mark:] if isinstance(one, actions.OpenGap)}
    return ended, asked, gaps


def test_a_gap_from_before_the_name_was_known_ends_under_both_names():
    night = Night(config(future("ES")))
    night.contracts = {"ES": [ESZ6]}
    night.give(inputs.NotConnected("refused"))
    assert {("future ES 202612 CME", "level1")} == set(night.gaps)
    night.kind = True
    night.play(1.4)
    assert "ESZ6" == night.machine.watchlist.entries[0].name
    night.give(inputs.Lost("at once"))
    night.play(10.0)
    assert not night.gaps
    assert ("future ES 202612 CME", "level1") in {hole.key for hole in night.holes}


def test_a_line_with_a_name_ends_no_gap_of_another_that_is_called_as_its_contract_is():
    night = recording(line("AAPL", name="Apple"), line("MSFT", name="stock AAPL"))
    night.forget("stock AAPL")
    night.give(inputs.Said(night.request("stock AAPL"), 354, "no permission"))
    night.give(inputs.Said(night.request("Apple"), 10182, "dropped"))
    night.play(5.0)
    assert {("stock AAPL", "level1")} == set(night.gaps)


def test_a_contract_that_ib_does_not_know_is_asked_about_daily_and_the_others_are_recorded():
    night = Night(config(line("NONE"), line("AAPL"), **QUICK), kind=True)
    night.contracts = {"NONE": []}
    night.play(SHORT.daily + 5.0)
    assert ("waiting", "recording") == (night.phase("NONE"), night.phase("AAPL"))
    assert [2, 2] == [
        sum(one.symbol == name for one in night.did(actions.LookUp)) for name in ("NONE", "AAPL")
    ]
    assert {("NONE", "level1"): ("refused", 200)} == {
        key: (gap.reason, gap.code) for key, gap in night.gaps.items()
    }


def test_an_ambiguous_line_tells_the_candidates():
    night = Night(config(line("AAPL")), kind=True)
    night.contracts = {"AAPL": [details("AAPL", 1), details("AAPL", 2, currency="CAD")]}
    night.play(1.0)
    [refused] = [one for one in night.did(actions.Tell) if one.kind == "refused"]
    assert "con_id 1: STK AAPL SMART USD" in refused.text
    assert "con_id 2: STK AAPL SMART CAD" in refused.text


def test_a_lookup_that_is_not_answered_is_asked_again_soon():
    night = Night(config(line("AAPL"), connect_timeout_seconds=1.0))
    night.give(inputs.Connected("here"))
    night.play(2 * (SHORT.passing + 1.0) + 2.0)
    assert 3 == len(night.did(actions.LookUp))
    assert "not_subscribed" == night.gaps["AAPL", "level1"].reason


def test_a_lookup_that_went_with_its_connection_is_asked_anew_on_the_next():
    night = Night(config(line("AAPL")))
    night.give(inputs.Connected("here"))
    night.play(0.2)
    night.give(inputs.Lost("gone"))
    night.kind = True
    night.play(5.0)
    assert [1, 2] == [one.token for one in night.did(actions.LookUp)]
    assert "recording" == night.phase("AAPL")


def test_answers_to_nobody_change_nothing():
    night = recording(line("AAPL"))
    assert [] == night.give(inputs.Answered(99, [details("MSFT", 7)]))
    assert [] == night.give(inputs.Answered(1, []))
    assert "recording" == night.phase("AAPL")


def test_a_continuous_future_rolls_with_a_gap_from_its_last_tick():
    night = recording(CONTINUOUS)
    night.contracts = {"ES": [ESH7]}
    night.play(SHORT.daily + 5.0)
    assert ["con_id 1 -> 2"] == [one.text for one in night.did(actions.Tell) if one.kind == "rolled"]
    assert [("ESZ6", "level1", "roll")] == [
        (*hole.key, hole.reason) for hole in night.holes if hole.reason == "roll"
    ]
    assert [1, 2] == [one.subscription.con_id for one in night.did(actions.Subscribe)]


def test_a_lookup_that_fails_leaves_what_is_recorded_alone():
    night = recording(line("AAPL"))
    night.contracts = {"AAPL": []}
    night.play(2 * SHORT.daily)
    assert "recording" == night.phase("AAPL")
    assert not night.gaps


def test_no_stream_overtakes_one_before_it_whose_contract_is_being_looked_up():
    night = Night(config(line("AAPL"), line("MSFT")))
    night.give(inputs.Connected("here"))
    night.play(0.2)
    night.give(inputs.Answered(2, [details("MSFT", 2)]))
    night.play(0.1)
    assert [] == night.did(actions.Subscribe)
    night.give(inputs.Answered(1, [details("AAPL", 1)]))
    night.play(0.1)
    assert ["AAPL", "MSFT"] == [one.key[0] for one in night.did(actions.Subscribe)]


# Reload. -----------------------------------------------------------------------------------------------------


def test_a_reload_of_the_same_touches_nothing():
    night = recording(line("AAPL", "level1", "trades"), future("ES"))
    assert (set(), set(), set()) == touched(night, inputs.Reloaded(night.config, "+0 -0"))


def test_a_reload_touches_only_what_is_added_and_what_is_gone():
    night = recording(line("AAPL", "level1", "trades"), line("MSFT"), future("ES"))
    wanted = config(future("ES", "level1", "depth"), line("SAP"), line("AAPL"), **QUICK)
    ended, asked, gaps = touched(night, inputs.Reloaded(wanted, "+2 -2"))
    assert {("AAPL", "trades"), ("MSFT", "level1")} == ended == gaps
    assert {("ESZ6", "depth"), ("SAP", "level1")} == asked
    assert "ESZ6" == night.machine.watchlist.entries[0].name


def test_a_line_under_another_name_is_another_line():
    night = recording(line("AAPL"))
    ended, asked, _ = touched(night, inputs.Reloaded(config(line("AAPL", name="Apple"), **QUICK), "renamed"))
    assert ({("AAPL", "level1")}, {("Apple", "level1")}) == (ended, asked)


def test_what_moves_out_of_the_limits_makes_room_for_what_moves_in():
    night = recording(line("AAPL"), line("MSFT"), max_lines=1)
    assert ("recording", "over_limit") == (night.phase("AAPL"), night.phase("MSFT"))
    wanted = config(line("MSFT"), line("AAPL"), max_lines=1, **QUICK)
    ended, asked, _ = touched(night, inputs.Reloaded(wanted, "moved"))
    assert ({("AAPL", "level1")}, {("MSFT", "level1")}) == (ended, asked)
    assert [("AAPL", "level1")] == list(night.gaps)


def test_what_joins_while_there_is_no_connection_is_missing_since_then_and_not_since_the_recorder_began():
    night = recording(line("AAPL"))
    night.kind = False
    night.give(inputs.Lost("gone"))
    night.play(100.0)
    joined = night.wall
    night.give(inputs.Reloaded(config(line("AAPL"), line("MSFT"), **QUICK), "+1"))
    night.play(100.0)
    assert joined == night.gaps["MSFT", "level1"].since.ts


@pytest.mark.parametrize("kind", ["trades", "quotes"])
def test_tick_by_tick_of_one_contract_is_asked_for_at_ibs_distance_also_after_a_reconnect(kind):
    night = recording(line("AAPL", "trades", "quotes"))
    night.give(inputs.Lost("gone"))
    night.play(10.0)
    asked = [at for at, one in night.done if isinstance(one, actions.Subscribe)]
    assert 4 == len(asked)
    assert min(after - before for before, after in pairwise(asked)) >= SHORT.tick_by_tick
    assert "recording" == night.phase("AAPL", kind)
