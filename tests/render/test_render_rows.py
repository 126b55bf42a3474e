"""Every kind of message comes out as the row that is promised, with every field it had."""

import json
import math
from datetime import UTC, datetime
from pathlib import Path

import pytest
from reference import expected
from tape import NOON, Tape, content, numbered

from recorder import schema
from recorder.wire.layouts import frame
from recorder.wire.ticktypes import TICK_TYPES

CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "tws-messages.jsonl"
MARKET_DATA = {1, 2, 4, 12, 13, 21, 45, 46, 47, 50, 57, 58, 81, 91, 92, 99}
LINES = {
    "AAPL": (3, "level1"), "ES": (5, "depth"), "EUR": (8, "bars", "MIDPOINT"), "INTC": (9, "trades"),
}  # fmt: skip
REQUESTS = {
    req: (symbol, 1000 + req, stream, "".join(show)) for symbol, (req, stream, *show) in LINES.items()
}


def recorded(*frames, lines=LINES):
    """The rows of some messages of one connection: (table, row without nulls), in order of their numbers."""
    tape = Tape()
    tape.open(**lines)
    before = tape.seq
    for one in frames:
        tape.read(one)
    rows = [(table, row) for seq, table, row in numbered(tape.tables()) if seq >= before]
    return [(table, {k: v for k, v in content(row).items() if v is not None}) for table, row in rows]


def row(*fields):
    ((table, found),) = recorded(frame(*fields))
    return table, found


def market(symbol="AAPL", con_id=1003, **more):
    return {"symbol": symbol, "con_id": con_id, "source": "live", **more}


SECOND = datetime.fromtimestamp(1795000000, UTC)
CASES = {
    "price": (
        ("1", "6", "3", "1", "187.25", "300", "7"),
        ("level1", market(tick_type=1, field="bid", price=187.25, size=300, attribs=7)),
    ),
    "no quote": (
        ("1", "6", "3", "2", "-1.00", "0", "1"),
        ("level1", market(tick_type=2, field="ask", price=-1, size=0, attribs=1)),
    ),
    "index without a size": (
        ("1", "6", "3", "4", "6612.5", "", "0"),
        ("level1", market(tick_type=4, field="last", price=6612.5, attribs=0)),
    ),
    "price without a price": (
        ("1", "6", "3", "1", "", "5", ""),
        ("level1", market(tick_type=1, field="bid", size=5)),
    ),
    "unset price": (
        ("1", "6", "3", "1", "1.7976931348623157E308", "2147483647", "0"),
        ("level1", market(tick_type=1, field="bid", price=1.7976931348623157e308, size=2147483647, attribs=0)),
    ),
    "no number": (
        ("1", "6", "3", "14", "-Infinity", "1.0E-4", "0"),
        ("level1", market(tick_type=14, field="open", price=-math.inf, size=1e-4, attribs=0)),
    ),
    "crypto size": (
        ("2", "6", "3", "8", "8.722e-05"),
        ("level1", market(tick_type=8, field="volume", size=8.722e-05)),
    ),
    "size without a size": (("2", "6", "3", "5", ""), ("level1", market(tick_type=5, field="last_size"))),
    "generic": (("45", "6", "3", "49", "-1"), ("level1", market(tick_type=49, field="halted", value=-1))),
    "unnamed type": (("45", "6", "3", "210", "0.5"), ("level1", market(tick_type=210, field="tick_210", value=0.5))),
    "no type": (("45", "6", "3", "", "0.5"), ("level1", market(value=0.5))),
    "text": (
        ("46", "6", "3", "48", ";0;1795000000000;5;1.5;false"),
        ("level1", market(tick_type=48, field="rt_volume", text=";0;1795000000000;5;1.5;false")),
    ),
    "empty text": (("46", "6", "3", "84", ""), ("level1", market(tick_type=84, field="last_exch"))),
    "odd text": (
        ("46", "6", "3", "62", 'tab\t "quote" \n \\u00e9 é, x'),
        ("level1", market(tick_type=62, field="news_tick", text='tab\t "quote" \n \\u00e9 é, x')),
    ),
    "exchange for physical": (
        ("47", "6", "3", "38", "1.5", "1.5%", "101.25", "30", "20261218", "", "0.75"),
        (
            "level1",
            market(tick_type=38, field="bid_efp_computation", text="1.5\t1.5%\t101.25\t30\t20261218\t\t0.75"),
        ),
    ),
    "trade": (
        ("99", "9", "1", "1795000000", "36.5", "100", "2", "ARCA", " TI"),
        (
            "trades",
            market("INTC", 1009, ts_event=SECOND, price=36.5, size=100, exchange="ARCA", conditions=" TI",
                   past_limit=False, unreported=True, kind="last", attribs=2),
        ),
    ),
    "trade of all": (
        ("99", "9", "2", "1795000000", "36.5", "0.5", "1", "", ""),
        (
            "trades",
            market("INTC", 1009, ts_event=SECOND, price=36.5, size=0.5, past_limit=True, unreported=False,
                   kind="all_last", attribs=1),
        ),
    ),
    "trade without a mask": (
        ("99", "9", "2", "", "36.5", "0.5", "", "", ""),
        ("trades", market("INTC", 1009, price=36.5, size=0.5, kind="all_last")),
    ),
    "quote": (
        ("99", "9", "3", "1795000000", "36.5", "36.75", "100", "200", "1"),
        (
            "quotes",
            market("INTC", 1009, ts_event=SECOND, bid=36.5, ask=36.75, bid_size=100, ask_size=200, bid_past_low=True,
                   ask_past_high=False, attribs=1),
        ),
    ),
    "midpoint": (
        ("99", "9", "4", "4294967295", "36.625"),
        ("midpoints", market("INTC", 1009, ts_event=datetime.fromtimestamp(4294967295, UTC), price=36.625)),
    ),
    "depth": (
        ("12", "1", "5", "3", "0", "1", "6612.25", "17"),
        ("depth", market("ES", 1005, position=3, operation=0, side=1, price=6612.25, size=17)),
    ),
    "depth by maker": (
        ("13", "1", "5", "0", "ARCA", "1", "0", "6612.5", "3", "1"),
        (
            "depth",
            market("ES", 1005, position=0, operation=1, side=0, price=6612.5, size=3, market_maker="ARCA", smart=True),
        ),
    ),
    "depth not smart": (
        ("13", "1", "5", "0", "", "2", "0", "0", "0", "0"),
        ("depth", market("ES", 1005, position=0, operation=2, side=0, price=0, size=0, smart=False)),
    ),
    "depth reset": (("4", "2", "5", "317", "reset", ""), ("depth", market("ES", 1005, operation=3))),
    "317 elsewhere": (
        ("4", "2", "3", "317", "reset", ""),
        ("events", {"kind": "notice", "symbol": "AAPL", "stream": "level1", "code": 317, "text": "reset"}),
    ),
    "bar": (
        ("50", "3", "8", "1795000000", "1.5", "1.75", "1.25", "1.625", "-1", "-1.0", "-1"),
        (
            "bars",
            market("EUR", 1008, ts_event=SECOND, open=1.5, high=1.75, low=1.25, close=1.625, volume=-1, wap=-1,
                   count=-1, show="MIDPOINT"),
        ),
    ),
    "greeks": (
        ("21", "3", "13", "1", "0.25", "-1", "3.25", "0", "0.0625", "0.375", "-0.75", "600.5"),
        (
            "greeks",
            market(tick_type=13, field="model_option", attrib=1, implied_vol=0.25, delta=-1, option_price=3.25,
                   pv_dividend=0, gamma=0.0625, vega=0.375, theta=-0.75, underlying_price=600.5),
        ),
    ),
    "greeks not computed": (
        ("21", "3", "10", "0", "-1", "-2", "-1.0", "-1.00", "-2", "-2.0", "-2", "-1"),
        ("greeks", market(tick_type=10, field="bid_option_computation", attrib=0)),
    ),
    "greeks unset": (
        ("21", "3", "83", "", *["1.7976931348623157E308"] * 7, ""),
        ("greeks", market(tick_type=83, field="delayed_model_option")),
    ),
    "refused": (
        ("4", "2", "9", "10189", "not available", "{}"),
        ("events", {"kind": "refused", "symbol": "INTC", "stream": "trades", "code": 10189,
                    "text": "not available\t{}"}),
    ),
    "notice of a line": (
        ("4", "2", "3", "10167", "delayed", ""),
        ("events", {"kind": "notice", "symbol": "AAPL", "stream": "level1", "code": 10167, "text": "delayed"}),
    ),
    "notice to all": (
        ("4", "2", "-1", "2104", "farm OK"),
        ("events", {"kind": "notice", "code": 2104, "text": "farm OK"}),
    ),
    "refused to nobody": (
        ("4", "2", "77", "200", "no definition", ""),
        ("events", {"kind": "notice", "code": 200, "text": "no definition"}),
    ),
    "market data type": (
        ("58", "1", "3", "4"),
        ("events", {"kind": "market_data_type", "symbol": "AAPL", "stream": "level1", "code": 4,
                    "text": "delayed_frozen"}),
    ),
    "tick parameters": (
        ("81", "3", "0.01", "", "3"),
        ("events", {"kind": "tick_params", "symbol": "AAPL", "stream": "level1",
                    "text": "min_tick=0.01 bbo_exchange= snapshot_permissions=3"}),
    ),
    "rerouted": (
        ("91", "3", "5543", "SMART"),
        ("events", {"kind": "rerouted", "symbol": "AAPL", "stream": "level1", "text": "con_id=5543 exchange=SMART"}),
    ),
    "depth rerouted": (
        ("92", "5", "5543", "SMART"),
        ("events", {"kind": "rerouted", "symbol": "ES", "stream": "depth", "text": "con_id=5543 exchange=SMART"}),
    ),
    "snapshot end": (
        ("57", "1", "3"),
        ("other", market(msg_id=57, text="57\t1\t3")),
    ),
    "unknown to anyone": (("200", "3", "what"), ("other", market(msg_id=200, text="200\t3\twhat"))),
    "request nobody made": (
        ("1", "6", "77", "1", "187.25", "300", "7"),
        ("other", {"source": "live", "msg_id": 1, "text": "1\t6\t77\t1\t187.25\t300\t7"}),
    ),
    "data type of nobody": (
        ("58", "1", "77", "1"), ("other", {"source": "live", "msg_id": 58, "text": "58\t1\t77\t1"})
    ),
    "no request": (
        ("2", "6", "", "1", "5"), ("other", {"source": "live", "msg_id": 2, "text": "2\t6\t\t1\t5"})
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_message_becomes_the_row_that_is_promised(case):
    fields, promised = CASES[case]
    assert promised == row(*fields)


def test_no_kind_of_row_is_left_out():
    assert {table for _, (table, _) in CASES.values()} == set(schema.SEQUENCED)
    columns = {(table, name) for _, (table, found) in CASES.values() for name in found}
    all_columns = {(table, c.name) for table in schema.SEQUENCED for c in schema.TABLES[table]}
    assert {name for _, name in all_columns - columns} == {"ts_recv", "seq"}


def test_what_is_not_a_number_stays_what_it_is():
    table, found = row("1", "6", "3", "1", "NaN", "NaN", "0")
    assert (table, math.isnan(found["price"]), math.isnan(found["size"])) == ("level1", True, True)


STRANGE = [
    ("1", "6", "3", "1", "187,25", "300", "7"),
    ("1", "6", "3", "1", " 187.25", "300", "7"),
    ("1", "6", "3", "1", "187.25 ", "300", "7"),
    ("1", "6", "3", "1", "0x10", "300", "7"),
    ("1", "6", "3", "1", "1e999", "300", "7"),
    ("1", "6", "3", "1", "inf", "300", "7"),
    ("1", "6", "3", "1", "nan(7)", "300", "7"),
    ("1", "6", "3", "1", "187.25", "300", "0x7"),
    ("1", "6", "3", "0X1", "187.25", "300", "7"),
    ("1", "6", "0x3", "1", "187.25", "300", "7"),
    ("1", "6", "3", "1", "187.25", "300", "2147483648"),
    ("1", "6", "3", "1", "187.25", "300", "true"),
    ("1", "6", "3", "40000", "187.25", "300", "7"),
    ("1", "6", "3", "1", "187.25", "300"),
    ("1", "6", "3", "1", "187.25", "300", "7", ""),
    ("1", "6", "3.0", "1", "187.25", "300", "7"),
    ("1",),
    ("99", "9", "1", "1795000000000", "36.5", "100", "2", "ARCA", ""),
    ("99", "9", "1", "-1", "36.5", "100", "2", "ARCA", ""),
    ("99", "9", "5", "1795000000", "36.5"),
    ("99", "9", "11", "1795000000", "36.5", "100", "2", "ARCA", ""),
    ("99", "9", "", "1795000000", "36.5"),
    ("99", "9"),
    ("99",),
    ("13", "1", "5", "0", "ARCA", "1", "0", "6612.5", "3", "true"),
    ("13", "1", "5", "0", "ARCA", "1", "0", "6612.5", "3", "2"),
    ("13", "1", "5", "0", "ARCA", "1", "0x1", "6612.5", "3", "1"),
    ("12", "1", "5", "0", "128", "0", "6612.5", "3"),
    ("58", "1", "3", "5"),
    ("58", "1", " 3", "1"),
    ("58", "1", "3"),
    ("4", "2", "3", "3_21", "text", ""),
    ("4", "2", "3", "\u0663", "text", ""),
    ("4", "2", "3", "9" * 5000, "text", ""),
    ("4", "2", "9" * 5000, "321", "text", ""),
    ("4", "2", "3"),
    ("81", "3", "0.01"),
    ("1", "6", "9" * 5000, "1", "187.25", "300", "7"),
    ("200", "9" * 5000),
    ("01", "6", "3", "1", "187.25", "300", "7"),
    ("1000", "3"),
    ("",),
    ("x", "y"),
]


@pytest.mark.parametrize("fields", STRANGE, ids=lambda fields: " ".join(fields)[:40])
def test_a_message_that_does_not_parse_is_kept_as_it_is_and_its_neighbours_are_untouched(fields):
    good = CASES["price"][0], CASES["trade"][0], CASES["depth by maker"][0]
    before, after = [frame(*fields) for fields in good], [frame(*fields) for fields in reversed(good)]
    rows = recorded(b"".join([*before, frame(*fields), *after]))
    assert rows[:3] == recorded(*before)
    assert rows[4:] == recorded(*after)
    table, found = rows[3]
    assert (table, found["text"]) == ("other", "\t".join(fields))


def test_bytes_that_are_no_text_are_shown_as_what_they_are():
    bad = frame("46", "6", "3", "62", "##").replace(b"##", b"\xff\xfe")
    good = frame("46", "6", "3", "62", "é")
    rows = recorded(good + bad + good)
    assert [(table, found["text"]) for table, found in rows] == [
        ("level1", "é"), ("other", "46\t6\t3\t62\t\\xff\\xfe"), ("level1", "é")
    ]  # fmt: skip
    assert rows[1][1]["symbol"] == "AAPL"


def test_a_version_is_not_taken_for_the_request_of_another_line():
    lines = {"SIX": (6, "level1"), "FORTY": (40, "level1"), "ONE": (1, "level1")}
    bad = [("1", "6", "40", "1", "x", "3", "1"), ("57", "1", "40"), ("12", "1", "40", "x")]
    found = recorded(*(frame(*fields) for fields in bad), lines=lines)
    assert [row["symbol"] for _, row in found] == ["FORTY"] * 3
    ((_, unreadable),) = recorded(frame("01", "6", "40", "1", "2.5", "3", "1"), lines=lines)
    assert "symbol" not in unreadable


def test_bytes_behind_the_last_field_do_not_run_into_the_next_message():
    good = frame(*CASES["price"][0])
    longer = (len(good) - 4 + 2).to_bytes(4, "big") + good[4:] + b"99"
    rows = recorded(good + longer + good)
    assert [table for table, _ in rows] == ["level1", "other", "level1"]
    assert rows[0] == rows[2]


def test_a_frame_without_its_last_nul_or_without_anything_is_one_row():
    cut = frame("1", "6", "3", "1", "187.25", "3", "1")[:-1]
    cut = (len(cut) - 4).to_bytes(4, "big") + cut[4:]
    rows = recorded(cut + bytes(4) + frame(*CASES["price"][0]))
    assert [table for table, _ in rows] == ["other", "other", "level1"]
    assert rows[0][1]["text"] == "1\t6\t3\t1\t187.25\t3\t1"


def test_request_ids_may_be_as_large_as_they_can_be():
    lines = {"A": (2_147_483_647, "level1"), "B": (2_147_483_000, "level1"), "C": (0, "level1")}
    rows = recorded(*(frame("2", "6", str(req), "0", "5") for req, _ in lines.values()), lines=lines)
    assert [row["symbol"] for _, row in rows] == ["A", "B", "C"]


def test_all_the_recorder_says_is_an_event_and_gaps_and_instruments_have_rows_of_their_own():
    tape = Tape()
    tape.control("session_start", text="x")
    gap = {
        "symbol": "A",
        "stream": "level1",
        "reason": "farm",
        "code": 2103,
        "ts_start": NOON,
        "seq_start": 7,
    }
    tape.control("gap_start", **gap)
    tape.control("opened", row=False)
    tape.control("gap_end", **gap, ts_end=NOON + 5, seq_end=9)
    instrument = {"symbol": "A", "con_id": 9, "sec_type": "STK", "min_tick": 0.01}
    tape.control("qualified", symbol="A", text="as found", instrument=instrument)
    found = tape.tables()
    assert [(event["kind"], event["seq"], event["code"]) for event in found["events"]] == [
        ("session_start", 1, None), ("gap_start", 2, 2103), ("gap_end", 3, 2103), ("qualified", 4, None)
    ]  # fmt: skip
    ((closed,), (fetched,)) = found["gaps"], found["instruments"]
    assert (closed["ts_end"] - closed["ts_start"]).microseconds == 5
    assert [closed[name] for name in ("symbol", "stream", "seq_start", "seq_end", "reason", "code")] == [
        "A", "level1", 7, 9, "farm", 2103
    ]  # fmt: skip
    assert {name: value for name, value in fetched.items() if value is not None} == instrument | {
        "ts_recv": found["events"][3]["ts_recv"]
    }


@pytest.mark.skipif(not CORPUS.exists(), reason="the recorded messages are not part of this repository")
def test_messages_that_gateways_really_sent_come_out_with_every_field():
    sent = [json.loads(line) for line in CORPUS.read_text().splitlines()]
    sent = [message for message in sent if message["msg_id"] in MARKET_DATA]
    reqs = {int(message["fields"][2 if message["msg_id"] <= 58 else 1]) for message in sent}
    lines = {f"R{req}": (req, "depth") for req in reqs if req >= 0}
    known = {req: (f"R{req}", 1000 + req, "depth", "") for req in reqs if req >= 0}
    rows = recorded(b"".join(frame(*message["fields"]) for message in sent), lines=lines)
    assert len(rows) == len(sent) > 200
    for message, (table, found) in zip(sent, rows, strict=True):
        body = frame(*message["fields"])[4:]
        wanted, values = expected(body, known, TICK_TYPES)
        assert (table, {name: found[name] for name in values}) == (wanted, values)
        assert (table == "other") == (message["msg_id"] == 57)
