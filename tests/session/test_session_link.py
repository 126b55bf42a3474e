"""The connection: back-off, client ids, heartbeat, the hours of IB's resets, leaving."""

from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from play import SHORT, Night, config, line

from recorder.session import actions, inputs
from recorder.session.windows import window

REFUSED = inputs.NotConnected("client id is in use", 326)
EASTERN = ZoneInfo("America/New_York")


def wall(*moment):
    """Microseconds since 1970 of a moment in New York."""
    return int(datetime(*moment, tzinfo=EASTERN).timestamp() * 1e6)


def connected(**gateway):
    """A night that is online and hears nothing but what it asks for."""
    night = Night(config(line("AAPL"), **gateway))
    night.give(inputs.Connected("here"))
    return night


def test_a_gateway_that_says_nothing_is_dropped_after_three_heartbeats():
    night = connected(heartbeat_seconds=4.0)
    night.alive = False
    begun = night.now
    night.play(11.9)
    assert [4.0, 8.0] == [at - begun for at in night.when(actions.AskTime)]
    assert [] == night.did(actions.Drop)
    night.play(0.2)
    assert [12.0] == [at - begun for at in night.when(actions.Drop)]
    assert night.machine.link.phase == "offline"


def test_a_gateway_that_answers_when_asked_is_never_dropped():
    night = connected(heartbeat_seconds=0.7)
    night.play(600.0)
    assert [] == night.did(actions.Drop)
    assert 800 < len(night.did(actions.AskTime)) < 860


def test_after_five_refusals_the_spare_client_ids_and_the_own_one_come_in_turn_and_it_alone_after_a_connection():
    night = Night(config(line("AAPL"), client_id=5, spare_client_ids=(6, 7), reconnect_max_seconds=2.0))
    for _ in range(8):
        night.give(REFUSED)
        night.play(2.1)
    assert [5, 5, 5, 5, 5, 6, 7, 5, 6] == [one.client_id for one in night.did(actions.Connect)]
    night.give(inputs.Connected("here"))
    night.give(inputs.Lost("gone"))
    night.play(2.1)
    assert night.did(actions.Connect)[-1].client_id == 5


def test_other_failures_never_use_up_the_configured_id():
    night = Night(config(line("AAPL"), client_id=5, reconnect_max_seconds=2.0))
    for _ in range(20):
        night.give(inputs.NotConnected("nothing listens"))
        night.play(2.1)
    assert {5} == {one.client_id for one in night.did(actions.Connect)}


def test_days_without_a_gateway_are_spent_trying_at_pauses_no_longer_than_configured():
    night = Night(config(line("AAPL"), connect_timeout_seconds=10.0, reconnect_max_seconds=60.0))
    night.play(3 * 86400.0)
    tries = night.when(actions.Connect)
    assert max(after - before for before, after in pairwise(tries)) <= 70.0
    assert 3 * 86400 / 70 < len(tries)
    assert len(night.said("no connection, trying again")) < 3 * 86400 / 60 + 2


def test_a_connect_without_an_outcome_is_dropped():
    night = Night(config(line("AAPL"), connect_timeout_seconds=1.0))
    night.connecting, night._later = False, []
    night.play(5.5)
    assert [4.0, 5.0] == [at - 1000.0 for at in night.when(actions.Drop)]


def test_told_to_stop_at_the_moment_of_connecting_it_leaves_although_the_connection_comes_about():
    night = Night(config(line("AAPL")), kind=True)
    night.give(inputs.Stopped())
    night.play(2.0)
    assert night.over
    assert [] == night.did(actions.Subscribe)


def test_told_to_stop_it_cancels_everything_first_and_listens_a_little_longer():
    night = Night(config(line("AAPL"), line("MSFT")), kind=True)
    night.play(5.0)
    begun = night.now
    night.give(inputs.Stopped())
    night.play(5.0)
    assert night.over
    assert 2 == len(night.did(actions.Cancel))
    assert night.when(actions.Drop)[0] - max(night.when(actions.Cancel)) == pytest.approx(SHORT.linger)
    assert night.when(actions.Over)[0] - begun < 1.0
    assert {"restart"} == {gap.reason for gap in night.gaps.values()}


@pytest.mark.parametrize(
    "given", [inputs.Lost("again"), inputs.NotConnected("late", 326), inputs.Connected("twice")]
)
def test_what_belongs_to_no_connection_changes_nothing(given):
    night = Night(config(line("AAPL")))
    night.give(inputs.NotConnected("refused"))
    due = night.machine.link.due
    night.give(given, nonsense=True)
    assert ("offline", due) == (night.machine.link.phase, night.machine.link.due)


@pytest.mark.parametrize(
    ("moment", "name"),
    [
        ((2026, 3, 6, 23, 44), "IB's weekend reset"),
        ((2026, 3, 7, 2, 59), "IB's weekend reset"),
        ((2026, 3, 7, 3, 0), None),
        ((2026, 3, 8, 1, 30), "Sunday's log-in"),
        ((2026, 3, 8, 3, 30), None),  # clocks went from 2 to 3 that night
        ((2026, 3, 9, 23, 45), "IB's nightly reset"),
        ((2026, 3, 10, 0, 44), "IB's nightly reset"),
        ((2026, 3, 10, 0, 45), None),
        ((2026, 11, 1, 1, 30), "Sunday's log-in"),
        ((2026, 7, 8, 12, 0), None),
    ],
)
def test_the_hours_of_resets_are_new_yorks_summer_and_winter(moment, name):
    assert name == window(wall(*moment))


@pytest.mark.parametrize(
    ("moment", "level"), [((2026, 3, 10, 0, 10), "info"), ((2026, 3, 10, 12, 0), "warning")]
)
def test_a_reset_changes_how_loud_it_is_and_nothing_else(moment, level):
    night = Night(config(line("AAPL")), wall=wall(*moment))
    night.give(inputs.Connected("here"))
    night.play(1.0)
    done = night.give(inputs.Lost("closed"))
    night.give(inputs.NotConnected("refused"))
    assert [level] == [one.level for one in done if isinstance(one, actions.Say)]
    assert [("AAPL", "level1")] == list(night.gaps)
