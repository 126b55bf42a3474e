"""When a market is open, from texts as IB sends them; and that what is not said is not known."""

import json
import re
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.wire.hours import Hours

CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "tws-messages.jsonl"
NEW_YORK = "US/Eastern"
HOUR = 3600.0


def ts(text, zone=NEW_YORK):
    return datetime.strptime(text, "%Y%m%d %H:%M").replace(tzinfo=ZoneInfo(zone)).timestamp()


def told(stretches, zone=NEW_YORK):
    """Stretches as ``21 0400-21 2000`` in local time."""
    moments = [[datetime.fromtimestamp(one, ZoneInfo(zone)) for one in stretch] for stretch in stretches]
    return " ".join(f"{begin:%d.%H%M}-{end:%d.%H%M}" for begin, end in moments)


def test_a_day_is_open_in_its_session_and_closed_around_it():
    hours = Hours.parse("20181121:0400-20181121:2000;20181122:CLOSED", NEW_YORK)
    assert "21.0400-21.2000" == told(hours.sessions)
    assert "21.0000-21.0400 21.2000-23.0000" == told(hours.closed)


@pytest.mark.parametrize(
    ("moment", "is_open", "change"),
    [
        ("20181120 23:59", None, None),
        ("20181121 00:00", False, "20181121 04:00"),
        ("20181121 03:59", False, "20181121 04:00"),
        ("20181121 04:00", True, "20181121 20:00"),
        ("20181121 19:59", True, "20181121 20:00"),
        ("20181121 20:00", False, None),
        ("20181122 12:00", False, None),
        ("20181123 00:00", None, None),
    ],
)
def test_a_moment_is_open_closed_or_not_known(moment, is_open, change):
    hours = Hours.parse("20181121:0400-20181121:2000;20181122:CLOSED", NEW_YORK)
    assert (is_open, change and ts(change)) == (hours.open_at(ts(moment)), hours.next_change(ts(moment)))


def test_the_old_form_has_several_sessions_a_day():
    hours = Hours.parse("20090507:0700-1830,1845-2330;20090508:CLOSED", NEW_YORK)
    assert "07.0700-07.1830 07.1845-07.2330" == told(hours.sessions)
    assert "07.0000-07.0700 07.1830-07.1845 07.2330-09.0000" == told(hours.closed)


def test_sessions_that_touch_are_one():
    assert "07.0700-07.2330" == told(Hours.parse("20090507:0700-1830,1830-2330", NEW_YORK).sessions)


@pytest.mark.parametrize("end", ["20090507:2400", "20090508:0000", "2400", "0000"])
def test_a_day_may_end_at_midnight_however_that_is_written(end):
    hours = Hours.parse(f"20090507:1200-{end};20090508:0000-0100", NEW_YORK)
    assert "07.1200-08.0100" == told(hours.sessions)
    assert "07.0000-07.1200 08.0100-09.0000" == told(hours.closed)


def test_in_the_old_form_a_session_that_opens_later_than_it_closes_opens_the_evening_before():
    hours = Hours.parse("20130114:1700-1515,1530-1615;20130115:1700-1515,1530-1615", "US/Central")
    assert "13.1700-14.1515 14.1530-14.1615 14.1700-15.1515 15.1530-15.1615" == told(
        hours.sessions, "US/Central"
    )


def test_of_a_market_that_opens_in_the_evening_the_first_day_and_the_last_evening_are_not_known():
    hours = Hours.parse("20200621:1700-20200622:1600;20200622:1700-20200623:1600", "US/Central")
    assert "22.1600-22.1700 23.1600-23.1700" == told(hours.closed, "US/Central")


def test_a_weekend_is_closed_up_to_the_evening_on_which_monday_opens():
    text = "20200625:1700-20200626:1600;20200627:CLOSED;20200628:1700-20200629:1600;20200630:CLOSED"
    hours = Hours.parse(text, "US/Central")
    assert "26.1600-28.1700 29.1600-30.1700" == told(hours.closed, "US/Central")


def test_a_day_that_is_not_listed_is_not_known():
    hours = Hours.parse("20181121:0400-20181121:2000;20181123:0400-20181123:2000", NEW_YORK)
    assert "21.0000-21.0400 21.2000-22.0000 23.0000-23.0400 23.2000-24.0000" == told(hours.closed)
    assert hours.next_change(ts("20181121 21:00")) is None


def test_a_day_of_which_a_part_does_not_read_is_known_only_where_it_is_open():
    hours = Hours.parse("20181121:0400-2000,21xx-2200;20181122:0400-2000;20181122:rubbish", NEW_YORK)
    assert ("22.0400-22.2000", "") == (told(hours.sessions), told(hours.closed))


RUBBISH = [
    None,
    "",
    ";;",
    "CLOSED",
    "20181121",
    "20181121:",
    "20181121:0400",
    "20181121:0400-",
    "20181121:2500-2600",
    "20181121:0460-0500",
    "20181121:2401-2402",
    "20181321:0400-2000",
    "20181121:0400-20181399:2000",
    "20181121:0400-20181120:2000",
    "20181121:0400-20191121:2000",
    "00010101:CLOSED",
    "99991231:CLOSED",
    "٢٠١٨١١٢١:CLOSED",
]


@pytest.mark.parametrize("text", RUBBISH)
def test_what_does_not_read_is_not_known(text):
    assert Hours() == Hours.parse(text, NEW_YORK)


@pytest.mark.parametrize("zone", [None, "", "Mars/Olympus", "America", "../passwd", "a\0b", "CTT", "é" * 300])
def test_in_a_zone_that_is_not_known_nothing_is(zone):
    hours = Hours.parse("20181121:0400-20181121:2000", zone)
    assert Hours() == hours
    assert (None, None, []) == (
        hours.open_at(ts("20181121 12:00")),
        hours.next_change(ts("20181121 12:00")),
        hours.closed_between(0, 4e9),
    )


@pytest.mark.parametrize(
    ("zone", "utc"),
    [
        ("US/Eastern", 4),
        ("EST5EDT", 4),
        ("EST", 4),
        ("EST (Eastern Standard Time)", 4),
        ("CST (Central Standard Time)", 5),
        ("MST", 6),
        ("PST", 7),
        ("US/Pacific", 7),
        ("GB-Eire", -1),
        ("GMT (Greenwich Mean Time)", -1),
        ("BST (British Summer Time)", -1),
        ("UTC", 0),
        ("MET", -2),
        ("MET (Middle Europe Time)", -2),
        ("Europe/Riga", -3),
        ("Israel", -3),
        ("JST", -9),
        ("JST (Japan Standard Time)", -9),
        ("Japan", -9),
        ("Hongkong", -8),
        ("Australia/NSW", -10),
        ("AET", -10),
        ("IST", -5.5),
        ("Asia/Calcutta", -5.5),
    ],
)
def test_every_name_of_a_zone_that_ib_uses_is_known_in_summer(zone, utc):
    opening = Hours.parse("20200701:1200-20200701:1300", zone).sessions[0][0]
    assert utc == (opening - datetime(2020, 7, 1, 12, tzinfo=UTC).timestamp()) / HOUR


@pytest.mark.parametrize(("day", "length"), [("20260307", 24), ("20260308", 23), ("20261101", 25)])
def test_a_day_on_which_clocks_are_turned_has_another_length(day, length):
    (whole,) = Hours.parse(f"{day}:0000-2400", NEW_YORK).sessions
    (closed,) = Hours.parse(f"{day}:CLOSED", NEW_YORK).closed
    assert whole == closed
    assert length * HOUR == whole[1] - whole[0]


def test_an_hour_that_comes_twice_or_not_at_all_counts_as_open():
    (twice,) = Hours.parse("20261101:0130-0145", NEW_YORK).sessions
    (never,) = Hours.parse("20260308:0230-0245", NEW_YORK).sessions
    assert [1.25 * HOUR, 1.25 * HOUR] == [twice[1] - twice[0], never[1] - never[0]]


def test_a_close_is_the_closed_part_of_what_was_asked():
    hours = Hours.parse("20181121:0400-20181121:2000;20181122:CLOSED", NEW_YORK)
    found = hours.closed_between(ts("20181121 03:00"), ts("20181121 21:00"))
    assert "21.0300-21.0400 21.2000-21.2100" == told(found)
    assert [] == hours.closed_between(ts("20181121 04:00"), ts("20181121 20:00"))


def real_texts():
    if not CORPUS.exists():
        return []
    fields = [json.loads(line)["fields"] for line in CORPUS.read_text().splitlines()]
    places = [(one, n) for one in fields for n, text in enumerate(one) if re.match(r"\d{8}:\d{4}-", text)]
    return [(one[n], next(one[k] for k in (n - 1, n - 2) if ":" not in one[k])) for one, n in places]


@pytest.mark.skipif(not CORPUS.exists(), reason="the recorded messages are not here")
def test_every_recorded_text_reads_whole():
    texts = real_texts()
    assert len(texts) >= 16
    for text, zone in texts:
        hours = Hours.parse(text, zone)
        said = [entry for entry in text.split(";") if entry and not entry.endswith("CLOSED")]
        assert len(said) == len(hours.sessions), (zone, text)
        known = sorted([*hours.sessions, *hours.closed])
        assert all(one[1] == other[0] for one, other in pairwise(known)), text


DAYS = st.dates(date(2020, 1, 1), date(2027, 12, 31))
MINUTES = st.lists(st.integers(0, 1440), min_size=2, max_size=8, unique=True).map(sorted)
ZONES = st.sampled_from([NEW_YORK, "MET", "JST", "Australia/NSW", "UTC"])


def clock(minute):
    return f"{minute // 60:02d}{minute % 60:02d}"


def paired(minutes):
    return list(zip(minutes[::2], minutes[1::2], strict=False))


@given(DAYS, st.lists(MINUTES | st.none(), min_size=1, max_size=6), ZONES)
def test_hours_are_those_of_a_naive_clock(first, days, zone):
    text, minutes = [], set()
    for n, day in enumerate(days):
        sessions = paired(day or [])
        said = ",".join(f"{clock(begin)}-{clock(end)}" for begin, end in sessions) or "CLOSED"
        text.append(f"{first + timedelta(days=n):%Y%m%d}:{said}")
        minutes |= {n * 1440 + minute for begin, end in sessions for minute in range(begin, end)}
    hours = Hours.parse(";".join(text), zone)
    named = {"JST": "Asia/Tokyo"}.get(zone, zone)
    midnight = datetime.combine(first, datetime.min.time(), ZoneInfo(named))
    for minute in range(-60, len(days) * 1440 + 60, 47):
        moment = midnight + timedelta(minutes=minute)
        turned = {moment.replace(hour=h).utcoffset() for h in range(24)}
        expected = minute in minutes if 0 <= minute < len(days) * 1440 else None
        if len(turned) == 1:
            assert expected == hours.open_at(moment.timestamp())


@given(st.text("0123456789:;,-CLOSED ", max_size=80), ZONES)
def test_no_text_makes_it_raise_or_contradict_itself(text, zone):
    hours = Hours.parse(text, zone)
    whole = sorted([*hours.sessions, *hours.closed])
    assert all(begin < end for begin, end in whole)
    assert all(one[1] <= other[0] for one, other in pairwise(whole))


@given(st.text(max_size=30), st.text(max_size=20))
def test_neither_does_any_zone(text, zone):
    assert isinstance(Hours.parse(f"20181121:CLOSED;{text}", zone), Hours)


@given(DAYS, st.lists(MINUTES | st.none(), min_size=1, max_size=6), ZONES, st.integers(-100, 200))
def test_a_change_changes_what_is_and_nothing_changes_before_it(first, days, zone, after):
    text = [
        f"{first + timedelta(days=n):%Y%m%d}:"
        + (",".join(f"{clock(begin)}-{clock(end)}" for begin, end in paired(day or [])) or "CLOSED")
        for n, day in enumerate(days)
    ]
    hours = Hours.parse(";".join(text), zone)
    now = datetime.combine(first, datetime.min.time(), UTC).timestamp() + after * HOUR
    change = hours.next_change(now)
    if change is not None:
        assert now < change
        assert hours.open_at(now) is hours.open_at(change - 0.001) is not hours.open_at(change)
        assert hours.open_at(change) is not None
