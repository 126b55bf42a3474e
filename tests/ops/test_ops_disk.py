"""How long the disk lasts, and when that is said: days and weeks of samples, made in a moment."""

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.daemon import disk
from recorder.daemon.disk import Grade, Outlook, Room, Said

GB = 1_000_000_000
HOUR = 12  # samples
DAY = 24 * HOUR
OPENING, CLOSE = 14 * HOUR + 6, 21 * HOUR  # New York's session, UTC, in winter
NIGHT_JOB = 1 * HOUR


def trading_day(taken, freed=0):
    """What each sample of a day takes (negative: gives back): the session's hours, and what the night job frees."""
    day = [0.0] * DAY
    for sample in range(OPENING, CLOSE):
        day[sample] = taken / (CLOSE - OPENING)
    day[NIGHT_JOB] -= freed
    return day


def free(start, taken):
    """The room there is behind each of these."""
    return [int(left) for left in accumulate(taken, lambda left, gone: left - gone, initial=start)][1:]


def seen(samples):
    """What a recorder that saw these makes of the last."""
    room = Room()
    for sample in samples:
        room.take(sample)
    return room.outlook(samples[-1])


def outlooks(samples):
    """What it makes of each."""
    room = Room()
    found = []
    for sample in samples:
        room.take(sample)
        found.append(room.outlook(sample))
    return found


# The rate. -----------------------------------------------------------------------------------------------


def test_a_trading_days_loss_is_told_alike_at_every_hour_of_the_day():
    each = outlooks(free(100 * GB, trading_day(5 * GB) * 4))[2 * DAY :]
    assert {5.0} == {round(one.a_day / GB, 1) for one in each}
    assert [pytest.approx(one.free / one.a_day) for one in each] == [one.days for one in each]


def test_a_night_that_gives_room_back_counts_with_its_day():
    each = outlooks(free(100 * GB, trading_day(5 * GB, freed=4 * GB) * 4))[2 * DAY :]
    assert {1.0} == {round(one.a_day / GB, 1) for one in each}


def test_a_disk_that_retention_keeps_as_it_is_has_no_end():
    each = outlooks(free(100 * GB, trading_day(5 * GB, freed=5 * GB) * 4))[2 * DAY :]
    assert {None} == {one.days for one in each}


@pytest.mark.parametrize("start", range(0, 4 * DAY, 5 * HOUR))
def test_what_another_program_takes_and_gives_back_is_no_rate(start):
    """Two hours of sixty gigabytes less move the rate by no more than the session's own two hours."""
    samples = free(100 * GB, trading_day(5 * GB) * 5)
    for sample in range(start, min(start + 2 * HOUR, len(samples))):
        samples[sample] -= 60 * GB
    each = outlooks(samples)[2 * DAY :]
    session_hours = 2 * 5 * HOUR / (CLOSE - OPENING)
    assert all(4.999 < one.a_day / GB < 5.001 + session_hours for one in each)
    assert all(
        one.days == pytest.approx(left / one.a_day)
        for one, left in zip(each, samples[2 * DAY :], strict=True)
    )


def test_a_weekend_promises_nothing_and_a_week_without_loss_does():
    week = trading_day(5 * GB) * 5 + [0.0] * 2 * DAY
    each = outlooks(free(100 * GB, week * 2 + [0.0] * 7 * DAY))
    weekends = [*each[6 * DAY + 8 * HOUR : 7 * DAY], *each[13 * DAY : 14 * DAY]]
    assert {5.0} == {round(one.a_day / GB, 1) for one in weekends}
    assert each[-1].days is None


def test_the_first_day_is_not_drawn_out_from_an_hour():
    """Started at the opening: what is said then is too many days, never too few."""
    day = trading_day(5 * GB)
    each = outlooks(free(40 * GB, (day[OPENING:] + day * 3)))
    assert {None} == {one.days for one in each[: 6 * HOUR - 1]}
    known = [one.a_day / GB for one in each[6 * HOUR :]]
    assert 0 < known[0] < 5
    assert 5.001 > max(known)
    assert 4.999 < min(known[24 * HOUR :])


def test_what_eats_the_disk_is_an_alarm_while_half_of_it_is_left():
    """Sixteen hours from nothing to full, after two days of peace; an alarm of the rate, not of the room."""
    each = outlooks(free(160 * GB, [0.0] * 2 * DAY + [160 * GB / (16 * HOUR)] * 16 * HOUR))
    (first, *_) = [one for one in each if one.grade is Grade.NOW]
    assert 50 * GB < first.free
    (warned, *_) = [one for one in each if one.grade is Grade.SOON]
    assert 100 * GB < warned.free


def test_what_is_kept_is_bounded():
    room = Room()
    for sample in range(20 * DAY):
        room.take(10**12 - sample)
    assert (30 * HOUR, 7) == (len(room._samples), len(room._days))


ROOM = st.integers(0, 2**63)


@given(st.lists(ROOM, max_size=30 * HOUR), ROOM)
def test_any_room_makes_an_outlook(samples, left):
    room = Room()
    for sample in samples:
        room.take(sample)
    outlook = room.outlook(left)
    assert outlook.days is None or 0 <= outlook.days < 3650
    assert outlook.words
    assert (outlook.alarm is not None) == (outlook.grade is Grade.NOW)


HOURLY = st.lists(st.integers(0, 10**12), min_size=40, max_size=40)


@given(HOURLY, st.integers(1, HOUR * 5), st.integers(0, 10**12))
def test_less_room_never_means_more_days_nor_a_milder_word(hourly, last, less):
    """Less now, and less during the last hours."""
    samples = [free for free in hourly for _ in range(HOUR)]
    rich = seen(samples)
    poor = seen(samples[:-last] + [max(0, sample - less) for sample in samples[-last:]])
    assert lasts(poor) <= lasts(rich)
    assert poor.grade >= rich.grade


def lasts(outlook):
    return float("inf") if outlook.days is None else outlook.days


# Words. --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outlook", "grade", "words"),
    [
        (Outlook(12_400_000_000), Grade.FINE, "the disk has 12.4 GB left"),
        (Outlook(12 * GB, 0), Grade.FINE, "the disk has 12.0 GB left"),
        (Outlook(12 * GB, 1000), Grade.FINE, "the disk has 12.0 GB left"),
        (
            Outlook(80 * GB, 4 * GB),
            Grade.FINE,
            "the disk is full in about 20 days (80.0 GB left, 4.0 GB a day)",
        ),
        (
            Outlook(12_400_000_000, 4_100_000_000),
            Grade.SOON,
            "the disk is full in about 3 days (12.4 GB left, 4.1 GB a day)",
        ),
        (
            Outlook(6 * GB, 4 * GB),
            Grade.SOON,
            "the disk is full in about 36 hours (6.0 GB left, 4.0 GB a day)",
        ),
        (Outlook(7 * GB, GB), Grade.FINE, "the disk is full in about 7 days (7.0 GB left, 1.0 GB a day)"),
        (
            Outlook(4 * GB, 4 * GB),
            Grade.SOON,
            "the disk is full in about 24 hours (4.0 GB left, 4.0 GB a day)",
        ),
        (
            Outlook(2 * GB, 4 * GB),
            Grade.NOW,
            "the disk is full in about 12 hours (2.0 GB left, 4.0 GB a day)",
        ),
        (
            Outlook(2 * GB, 90 * GB),
            Grade.NOW,
            "the disk is full in about 1 hour (2.0 GB left, 90.0 GB a day)",
        ),
        (Outlook(disk.LEAST_BYTES, None), Grade.FINE, "the disk has 1.0 GB left"),
        (Outlook(850_000_000), Grade.NOW, "the disk is nearly full (850 MB left)"),
        (
            Outlook(850_000_000, 85_000_000),
            Grade.NOW,
            "the disk is nearly full, full in about 10 days (850 MB left, 85 MB a day)",
        ),
        (Outlook(3_120_000, GB), Grade.NOW, "the disk is full (3.1 MB left)"),
        (Outlook(0), Grade.NOW, "the disk is full (0.0 MB left)"),
    ],
)
def test_each_outlook_has_its_words_and_its_grade(outlook, grade, words):
    assert (grade, words) == (outlook.grade, outlook.words)


# When the log is told. -----------------------------------------------------------------------------------


def told(outlooks, step=3600.0):
    """Hour by hour: which are told, and as what."""
    said = Said()
    each = [(hour, said.due(one, 1e6 + hour * step)) for hour, one in enumerate(outlooks)]
    return [(hour, grade) for hour, grade in each if grade is not None]


def test_a_warning_is_said_as_it_begins_each_day_as_it_worsens_and_when_it_is_over():
    fine, soon, now = Outlook(100 * GB, GB), Outlook(5 * GB, GB), Outlook(2 * GB, 4 * GB)
    hours = [fine] * 10 + [soon] * 60 + [now] * 30 + [soon] * 10 + [fine] * 50
    expected = [
        *((10, Grade.SOON), (34, Grade.SOON), (58, Grade.SOON)),
        *((70, Grade.NOW), (94, Grade.NOW), (100, Grade.SOON), (110, Grade.FINE)),
    ]
    assert expected == told(hours)


def test_a_disk_at_the_limit_does_not_chatter():
    at_limit = [Outlook(7 * GB - 1, GB), Outlook(7 * GB + 1, GB)] * 10
    assert [(0, Grade.SOON), (20, Grade.FINE)] == told([*at_limit, Outlook(9 * GB, GB)])
    at_floor = [Outlook(GB - 1), Outlook(GB)] * 10
    assert [(0, Grade.NOW), (20, Grade.FINE)] == told([*at_floor, Outlook(2 * GB)])


def test_a_disk_that_is_well_is_no_news():
    assert [] == told([Outlook(100 * GB, GB)] * 100)
