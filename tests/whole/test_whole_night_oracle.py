"""The judge of the night, judged: a recording that is whole, tampered with in every way that must be seen."""

import json
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from night.log import Fault
from night.market import Market
from night.oracle import Night, lies, whole

from recorder import schema

BEGIN = 1_800_000_000.0
KEY = ("N00", "level1")
RECORDED = (1, 2, 3, 7, 8, 10, 11)
"""What of the numbers 1 to 11, one a second, is in a row: 4, 5, 6 are in a gap, 9 in another."""


def at(second):
    return datetime.fromtimestamp(BEGIN + second, UTC)


def tick(seq, number, **other):
    known = {"ts_recv": at(number), "seq": seq, "symbol": "N00", "con_id": 1000, "source": "live"}
    return known | {"tick_type": 1, "field": "bid", "price": float(number), "size": 100.0} | other


def gap(start, end, seq_start, seq_end, **other):
    times = {"ts_start": at(start), "ts_end": at(end), "seq_start": seq_start, "seq_end": seq_end}
    return {"symbol": "N00", "stream": "level1", "reason": "disconnected"} | times | other


@pytest.fixture
def tables():
    return {
        "level1": [tick(seq, number) for seq, number in enumerate(RECORDED, 1)],
        "gaps": [gap(3, 7, 3, 4), gap(8, 10, 5, 6)],
    }


@pytest.fixture
def night():
    feed = Market(1).feeds[KEY]
    feed.times = [BEGIN + second for second in range(1, 12)]
    feed.fates = ["sent to request 1"] * 11
    feed.since = 1
    return Night([feed], [Fault(0, "drop", benign=False, start=BEGIN + 3, end=BEGIN + 7)], BEGIN)


@pytest.fixture
def judged(tmp_path, tables, night):
    def judge(open_gaps=(), judged_by=whole):
        for name, rows in tables.items():
            folder = tmp_path / name / "date=2027-01-15"
            folder.mkdir(parents=True)
            pq.write_table(pa.Table.from_pylist(rows, schema.schema(name)), folder / "1-9.parquet")
        (tmp_path / "recording.json").write_text(json.dumps({"state": {"gaps": list(open_gaps)}}))
        return judged_by(tmp_path, night)

    return judge


def test_a_whole_recording_has_no_flaw(judged):
    assert judged() == []


def test_a_row_that_is_missing_is_seen_by_rows_by_the_clock_and_by_its_seq(judged, tables):
    del tables["level1"][1]
    seq, by_rows, by_clock = judged()
    assert seq == "seq 1 is followed by 3"
    assert "number 2 lost and in no gap, by rows, between seq 1 (number 1, 1.000 s) and seq 3" in by_rows
    assert "number 2 lost and in no gap, by the clock" in by_clock
    assert "faults: #0 drop 3.00..7.00" in by_clock


def test_the_last_rows_missing_are_seen(judged, tables):
    del tables["level1"][-1]
    assert ["by rows" in flaw or "by the clock" in flaw for flaw in judged()] == [True, True]


def test_a_gap_that_is_missing_is_seen_by_rows_and_by_the_clock(judged, tables):
    del tables["gaps"][0]
    by_rows, by_clock = judged()
    assert "3 numbers 4..6 lost and in no gap, by rows" in by_rows
    assert "3 numbers 4..6 lost and in no gap, by the clock" in by_clock


def test_a_gap_that_begins_too_late_or_ends_too_early_is_seen_by_the_clock(judged, tables):
    tables["gaps"][0] |= {"ts_start": at(4.5), "ts_end": at(5.5)}
    late, early = (flaw for flaw in judged() if "by the clock" in flaw)
    assert "number 4 lost" in late
    assert "number 6 lost" in early


def test_a_gap_elsewhere_in_the_order_of_rows_is_seen_by_rows(judged, tables):
    tables["gaps"][1] |= {"seq_start": 6, "seq_end": 7}
    assert any("number 9 lost and in no gap, by rows" in flaw for flaw in judged())


def test_numbers_and_times_of_a_gap_must_speak_of_the_same_stretch(judged, tables):
    tables["gaps"][0] |= {"seq_start": 5, "seq_end": 6}
    assert any("seq_start came 5.00 s behind ts_start" in flaw for flaw in judged())


def test_a_gap_that_ends_later_by_its_time_than_by_its_number_is_seen(judged, tables):
    tables["gaps"][0]["ts_end"] = at(8)
    assert any("seq_end came 1.00 s before ts_end" in flaw for flaw in judged())


@pytest.mark.parametrize("ends", [{"ts_end": at(2.9)}, {"seq_end": 2}])
def test_a_gap_that_ends_before_it_begins_is_seen(judged, tables, ends):
    tables["gaps"][0] |= ends
    assert any("a gap that ends before it begins" in flaw for flaw in judged())


def test_a_gap_of_another_line_covers_nothing(judged, tables):
    tables["gaps"][0]["symbol"] = "N01"
    assert len(judged()) == 2


def test_a_row_that_is_twice_is_seen(judged, tables):
    tables["level1"].append(tick(8, 11))
    assert judged() == ["N00 level1: number 11 (seq 8) behind 11 (seq 7)"]


def test_rows_out_of_order_are_seen(judged, tables):
    rows = tables["level1"]
    rows[0]["price"], rows[1]["price"] = rows[1]["price"], rows[0]["price"]
    assert any("number 1 (seq 2) behind 2 (seq 1)" in flaw for flaw in judged())


def test_a_row_of_the_wrong_contract_is_seen(judged, tables):
    tables["level1"][0]["con_id"] = 1001
    assert judged() == ["N00 level1: number 1 (seq 1) has con_id 1001"]


def test_a_row_under_the_wrong_line_is_seen(judged, tables):
    tables["level1"][0]["symbol"] = "N01"
    assert len(judged()) == 3


def test_a_number_that_was_never_made_is_seen(judged, tables):
    tables["level1"].append(tick(8, 12))
    assert "N00 level1: number 12 (seq 8) was never made" in judged()


def test_a_row_that_came_before_its_number_was_made_is_seen(judged, tables):
    tables["level1"][0]["ts_recv"] = at(0.5)
    assert judged() == ["N00 level1: number 1 (seq 1) came before it was made"]


def test_a_value_that_is_twice_in_another_field_is_seen(judged, tables):
    tables["level1"] += [tick(8, 10, tick_type=2), tick(9, 11, tick_type=2)]
    tables["level1"].append(tick(10, 11, tick_type=2))
    assert judged() == ["N00 level1: 11 is twice in another field"]


def test_an_open_gap_covers_all_that_follows(judged, tables):
    del tables["level1"][-2:]
    del tables["gaps"][1]
    still = {"symbol": "N00", "stream": "level1", "reason": "refused", "seq_start": 5}
    assert judged([still | {"ts_start": int((BEGIN + 8) * 1e6)}]) == []


def test_a_gap_in_which_nothing_was_lost_and_no_fault_was_on_is_a_lie(judged, tables):
    tables["gaps"].append(gap(10.4, 10.6, 6, 7))
    found = judged(judged_by=lies)
    assert (found.honest.total(), found.explained.total(), found.false.total()) == (2, 0, 1)
    assert "N00 level1 (" in found.words[0]


def test_a_gap_in_which_nothing_was_lost_while_a_fault_was_on_is_none(judged, tables):
    tables["gaps"].append(gap(1.4, 1.6, 1, 2))
    tables["gaps"].append(gap(2.4, 2.6, 2, 3))
    found = judged(judged_by=lies)
    assert (found.honest.total(), found.explained.total(), found.false.total()) == (2, 1, 1)


def test_a_gap_in_which_nothing_was_lost_while_another_farm_was_broken_is_a_suspicion(judged, tables, night):
    elsewhere = frozenset([("N01", "level1")])
    farm = Fault(1, "farm", benign=False, start=BEGIN + 10, end=BEGIN + 11, keys=elsewhere)
    night.faults.append(farm)
    tables["gaps"].append(gap(10.4, 10.6, 6, 7))
    found = judged(judged_by=lies)
    assert (found.honest.total(), found.suspected.total(), found.false.total()) == (2, 1, 0)


def test_what_is_no_loss_explains_no_gap(judged, tables, night):
    night.faults.append(Fault(1, "slow", benign=True, start=BEGIN + 10, end=BEGIN + 11))
    tables["gaps"].append(gap(10.4, 10.6, 6, 7))
    assert judged(judged_by=lies).false.total() == 1
