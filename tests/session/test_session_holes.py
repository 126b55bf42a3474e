"""What nobody sends is in a gap, whatever the gateway says and however late it says it: stories at a real one's pace.

Each says from when to when ticks were lost; one gap, or several that touch, must cover all of that.
"""

import pytest
from play import NOON, Night, Ticks, config, details, line

from recorder.session import actions, inputs
from recorder.session.timing import Timing

BROKEN, FINE = "Market data farm connection is broken:usfarm", "Market data farm connection is OK:usfarm"
AFTER_HOURS = ";".join(f"202611{day}:CLOSED" for day in range(21, 28))
A = Ticks("AAPL")


def of_ib(code, text=""):
    """A notice that is about no request."""
    return inputs.Said(-1, code, text)


def ticks(begin, end, every=0.1):
    """Ticks of the line from one moment to another, the latter left out."""
    return tuple((begin + nth * every, A) for nth in range(round((end - begin) / every)))


def log_in(hours="", *before):
    """Connected at once, the contract known at once: the line is asked for after 0.2 s."""
    answer = inputs.Answered(1, [details("AAPL", 1, hours=hours)])
    return (*before, (0.1, inputs.Connected("here")), (0.2, answer))


def told(*story):
    """The night after a story; its clock reads 1000 when it begins."""
    night = Night(config(line("AAPL")), Timing())
    night.tell(*story)
    return night


def uncovered(night, begin, end):
    """What of a stretch lies in no gap of the line, in seconds of the story; empty: nothing."""

    def seconds(mark):
        return (mark.ts - NOON) / 1e6

    key = ("AAPL", "level1")
    spans = [(seconds(hole.since), seconds(hole.until)) for hole in night.holes if hole.key == key]
    spans += [(seconds(night.gaps[key].since), end)] if key in night.gaps else []
    for since, until in sorted(spans):
        if since <= begin + 0.06 and until > begin:
            begin = until
    return [] if begin >= end - 0.06 else [(round(begin, 2), end)]


# IB is lost for more than half an hour, outside the line's liquid hours. -----------------------------------


def test_an_outage_of_ib_longer_than_half_an_hour_is_in_a_gap_to_its_end_after_hours_too():
    night = told(
        *log_in(AFTER_HOURS), *ticks(10, 70), (70.1, of_ib(1100)), (3600, of_ib(1102)), (3600.4, A),
        (3602, inputs.Passed())
    )  # fmt: skip
    assert [] == uncovered(night, 70.0, 3600.3)


def test_an_opening_picture_does_not_say_that_ib_is_back():
    """A slow line: its own measure (20 pauses of a minute) does not notice the silence."""
    lost = (*log_in(), *ticks(10, 1510, 60.0), (1511, of_ib(1100)))
    asked = told(*lost, (6000, inputs.Passed())).feed("AAPL").asked_at - 1000
    assert asked > 1511 + Timing().slow
    night = told(
        *lost, (asked + 0.1, A),  # what the gateway remembers
        (asked + 600, of_ib(1102)), (asked + 640, A), (asked + 641, inputs.Passed()),
    )  # fmt: skip
    assert [] == uncovered(night, 1511.0, asked + 600.0)


def test_that_ib_is_back_though_nobody_had_said_that_it_was_lost_puts_everything_since_the_last_tick_into_a_gap():
    night = told(*log_in(AFTER_HOURS), *ticks(10, 20), (60, of_ib(1102)), (60.4, A), (61, inputs.Passed()))
    assert [] == uncovered(night, 19.9, 60.3)


# A line that is asked for the first time has no gap, whatever is known to be wrong. ------------------------


def test_asked_for_the_first_time_while_a_farm_is_known_to_be_down():
    night = told(
        *log_in("", (0.0, of_ib(2103, BROKEN))), (30, of_ib(2104, FINE)), (30.4, A), (31, inputs.Passed())
    )
    assert [] == uncovered(night, 0.3, 30.3)


def test_asked_for_the_first_time_while_a_farm_is_down_after_hours_for_as_long_as_the_farm_is_down():
    night = told(
        *log_in(AFTER_HOURS, (0.0, of_ib(2103, BROKEN))), (3600, of_ib(2104, FINE)), (3600.4, A),
        (3601, inputs.Passed())
    )  # fmt: skip
    assert [] == uncovered(night, 0.3, 3600.3)


def test_a_farm_that_breaks_before_the_first_tick():
    night = told(
        *log_in(), (0.25, of_ib(2103, BROKEN)), (30, of_ib(2104, FINE)), (30.4, A), (31, inputs.Passed())
    )
    assert [] == uncovered(night, 0.3, 30.3)


@pytest.mark.parametrize("back", [1102, 1101])
def test_what_is_put_into_the_watchlist_while_ib_is_lost(back):
    night = Night(config(line("MSFT")), Timing())
    night.tell(
        (0.1, inputs.Connected("here")), (0.2, inputs.Answered(1, [details("MSFT", 2)])), (5, of_ib(1100))
    )
    night.give(inputs.Reloaded(config(line("MSFT"), line("AAPL")), "+1"))
    night.tell(
        (0.2, inputs.Answered(2, [details("AAPL", 1)])), (60, of_ib(back)), (60.5, A), (61, inputs.Passed())
    )
    assert [] == uncovered(night, 65.05, 65.4)


# A farm that flaps: the line is in doubt when the farm breaks again. ---------------------------------------


def test_a_farm_that_breaks_again_while_a_line_is_in_doubt():
    night = told(
        *log_in(), *ticks(10, 80),
        (80.1, of_ib(2103, BROKEN)), (83, of_ib(2104, FINE)), (83.4, of_ib(2103, BROKEN)),
        (83.45, A),  # was under way
        (95, of_ib(2104, FINE)), (95.4, A), (97, inputs.Passed()),
    )  # fmt: skip
    assert [] == uncovered(night, 80.0, 95.3)


# A farm is back, IB is not. ----------------------------------------------------------------------------------


def test_a_farm_that_is_back_while_ib_is_lost_makes_no_tick_under_way_a_proof():
    night = told(
        *log_in(), *ticks(10, 79.5), (79.6, of_ib(2103, BROKEN)), (80, of_ib(1100)), (80.02, of_ib(2104, FINE)),
        (80.07, A),  # was under way
        (90, of_ib(1102)), (90.4, A), (92, inputs.Passed()),
    )  # fmt: skip
    assert [] == uncovered(night, 79.5, 90.3)


# Ticks that come a moment before the word that the farm is OK. ---------------------------------------------


def test_a_tick_right_before_the_word_that_a_farm_is_back_does_not_move_the_begin_of_its_gap():
    night = told(
        *log_in(),
        *ticks(10, 80),
        (80.1, of_ib(2103, BROKEN)),
        (80.9, A),
        (80.91, of_ib(2104, FINE)),
        *ticks(81, 84),
        (84, inputs.Passed()),
    )
    assert [] == uncovered(night, 80.0, 80.85)


def test_an_outage_of_a_second_and_a_half_is_in_a_gap_though_a_tick_came_right_before_the_word():
    night = told(
        *log_in(),
        *ticks(10, 80),
        (80.1, of_ib(2103, BROKEN)),
        (81.5, A),
        (81.51, of_ib(2104, FINE)),
        *ticks(81.6, 84),
        (84, inputs.Passed()),
    )
    assert [] == uncovered(night, 80.0, 81.45)


# The line stands for another contract than the one that was seen to tick. ----------------------------------


def test_what_does_not_hang_on_a_farm_may_do_so_when_it_is_rerouted():
    night = told(
        *log_in(), *ticks(10, 80), (80, of_ib(2103, BROKEN)), *ticks(80.1, 90), (90, of_ib(2104, FINE)),
        *ticks(90.1, 100), (100, inputs.Rerouted(1, 99, "X")), *ticks(101, 131), (131.1, of_ib(2103, BROKEN)),
        (141, of_ib(2104, FINE)), (141.4, A), (143, inputs.Passed()),
    )  # fmt: skip
    assert [] == uncovered(night, 131.0, 141.3)


# The recorder stands still right behind the word that IB is lost. ------------------------------------------


def test_a_tick_that_lay_in_the_socket_while_the_recorder_stood_still_does_not_say_that_ib_is_back():
    night = told(*log_in(), *ticks(10, 80), (80.1, of_ib(1100)))
    night.late(6.0)
    night.tell((0, A), (0, inputs.Passed()), (4, of_ib(1102)), (4.4, A), (6, inputs.Passed()))
    assert [] == uncovered(night, 80.0, 90.4)


# Codes that end or refuse a stream and that nobody listed. -------------------------------------------------


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (10092, "Deep market data is not supported for this combination of security type/exchange"),
        (
            10346,
            "Market data for AAPL cannot be delivered because ticker for the same financial instrument is displayed",
        ),
    ],
)
def test_a_book_that_is_refused_by_a_code_that_nobody_listed_does_not_count_as_received(code, text):
    night = Night(config(line("AAPL", "depth")), Timing())
    answer = inputs.Answered(1, [details("AAPL", 1)])
    night.tell(
        (0.1, inputs.Connected("here")),
        (0.2, answer),
        (0.4, inputs.Said(1, code, text)),
        (120, inputs.Passed()),
    )
    assert ("AAPL", "depth") in night.gaps


def test_bars_that_are_deactivated_by_a_bust_are_in_a_gap_after_hours_too():
    night = Night(config(line("AAPL", "bars")), Timing())
    answer = inputs.Answered(1, [details("AAPL", 1, hours=AFTER_HOURS)])
    bars = tuple((10 + 5 * nth, Ticks("AAPL", "bars")) for nth in range(40))
    said = inputs.Said(
        1,
        10225,
        "Bust event occurred, current subscription is deactivated. Please resubscribe real-time bars immediately",
    )
    night.tell((0.1, inputs.Connected("here")), (0.2, answer), *bars, (206, said), (7200, inputs.Passed()))
    assert [("AAPL", "bars")] == [one.key for one in night.did(actions.Subscribe)][1:] or (
        "AAPL",
        "bars",
    ) in night.gaps
