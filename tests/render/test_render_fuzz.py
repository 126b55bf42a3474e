"""Exactly one row a message, in order, whatever comes: good, mutated or garbage, cut and rolled anywhere."""

import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import expected
from tape import HELLO, Tape, content, numbered

from recorder.render import stretch
from recorder.render.tables import render
from recorder.wire import layouts, messages
from recorder.wire.frames import split
from recorder.wire.layouts import LAYOUTS, frame
from recorder.wire.ticktypes import TICK_TYPES

LINES = {"AAPL": (3, "level1"), "ES": (5, "depth"), "EUR": (8, "bars", "MIDPOINT"), "SIX": (6, "trades")}
REQUESTS = {
    req: (symbol, 1000 + req, stream, "".join(show)) for symbol, (req, stream, *show) in LINES.items()
}
PRICES = [-1, 0, 0.0001, 187.25, 6612.5, 1e-7, 1.7976931348623157e308]
TEXTS = ["", "ARCA", " TI", "é", 'a"b', "a\tb", "a\nb", ";0;1795000000000;5;1.5;false"]


def good(layout, chance):
    """A message as a gateway would send it."""
    values = {}
    for field in layout.fields:
        if field.kind in ("float", "size"):
            values[field.name] = chance.choice(PRICES)
        elif field.kind == "int":
            values[field.name] = chance.randrange(3)
        elif field.kind == "text":
            values[field.name] = chance.choice(TEXTS)
    if layout.variants:
        values["variant"] = chance.choice(layout.variants)
    if layout is layouts.MARKET_DATA_TYPE:
        values["text"] = str(chance.randrange(1, 5))
    if chance.random() < 0.1:
        values.pop(chance.choice(list(values)))
    return layout.encode(chance.choice([*REQUESTS, 77]), values)[4:]


SPOILS = [
    b"", b" ", b"\t", b"\n", b"-", b"+1", b"0x1F", b"0X1", b"1e5", b"1e999", b"-1e999", b"1.", b".5", b"00", b"-0",
    b"007", b"inf", b"NaN", b"nan", b"Infinity", b"infinity", b"nan(1)", b"true", b"TRUE", b"t", b"1_0", b"1,5",
    b" 1", b"1 ", b"\xff", b"\xc3", b"\xc3\xa9", b"\xd9\xa3", b'"', b"9" * 30, b"2147483648", b"-2147483649",
    b"32768", b"128", b"1795000000000", b"4294967296", b"9223372036854775808", b"1.7976931348623157E308", b"0.1f",
    b"9" * 5000,
]  # fmt: skip


def mutated(body, chance):
    """A message with something wrong in it, or perhaps not."""
    fields = body.split(b"\0")[:-1]
    at = chance.randrange(len(fields))
    match chance.randrange(10):
        case 0:
            fields.pop(at)
        case 1:
            fields.insert(at, chance.choice(SPOILS))
        case 2:
            place = chance.randrange(len(body))
            return body[:place] + bytes([body[place] ^ (1 << chance.randrange(8))]) + body[place + 1 :]
        case 3:
            return body[: chance.randrange(len(body))]
        case 4:
            return body + b"9"
        case 5:
            fields[at] = chance.choice([b" ", b"0", b"-"]) + fields[at]
        case _:
            fields[at] = chance.choice(SPOILS)
    return b"".join(field + b"\0" for field in fields)


def prefixed(body):
    return struct.pack(">I", len(body)) + body


def is_row(body):
    (msg_id,) = messages.ids(prefixed(body), split(prefixed(body)))
    return msg_id not in messages.CONVERSATION


def same(value, wanted):
    return value == wanted or (value != value and wanted != wanted)  # noqa: PLR0124 (NaN)


def check(bodies, rows):
    """Each message that is a row came out as that row, in order."""
    bodies = [body for body in bodies if is_row(body)]
    assert len(rows) == len(bodies)
    for body, (_, table, row) in zip(bodies, rows, strict=True):
        wanted, values = expected(body, REQUESTS, TICK_TYPES)
        assert (table, body) == (wanted, body)
        assert all(same(row[name], value) for name, value in values.items()), (body, row, values)
        if wanted != "other":
            rest = {name: value for name, value in content(row).items() if name not in values}
            assert set(rest.values()) <= {None}, (body, row)


def messages_of(seed, count, spoiled):
    chance = random.Random(seed)
    for _ in range(count):
        body = good(chance.choice(LAYOUTS), chance)
        yield mutated(body, chance) if chance.random() < spoiled else body


def between(tape, first):
    return [row for row in numbered(tape.tables()) if row[0] >= first]


def test_valid_messages_come_out_with_the_values_they_had():
    bodies = list(messages_of(1, 6000, 0))
    tape = Tape()
    tape.open(**LINES)
    first = tape.seq
    tape.read(b"".join(map(prefixed, bodies)))
    rows = between(tape, first)
    check(bodies, rows)
    assert sum(table == "other" for _, table, _ in rows) < len(rows) / 3


@pytest.mark.parametrize(("seed", "chunk"), [(1, 5000), (2, 100_000), (3, stretch.CHUNK), (4, stretch.CHUNK)])
def test_of_mutated_messages_each_is_one_row_and_no_value_changes_in_silence(seed, chunk, monkeypatch):
    monkeypatch.setattr(stretch, "CHUNK", chunk)
    bodies = list(messages_of(seed, 5000, 0.8))
    tape = Tape()
    tape.open(**LINES)
    first = tape.seq
    data = b"".join(map(prefixed, bodies))
    chance = random.Random(seed)
    at = 0
    while at < len(data):
        step = chance.choice([1, 7, 100, 5000, 30_000])
        tape.read(data[at : at + step])
        at += step
        if chance.random() < 0.1:
            tape.control("notice", text="in between")
        if chance.random() < 0.05:
            tape.roll()
    rows = between(tape, first)
    assert [seq for seq, _, _ in rows] == list(range(first, tape.seq))
    check(bodies, [row for row in rows if row[2].get("text") != "in between"])


bodies_of = st.one_of(
    st.builds(
        lambda seed, spoiled: next(messages_of(seed, 1, spoiled)),
        st.integers(0, 10**6),
        st.sampled_from([0, 1]),
    ),
    st.binary(max_size=30),
    st.sampled_from(
        [b"", b"\0", b"49\x001\x001795000000\0", b"4\x002\x00-1\x002104\x00ok\x00\x00", b"1\0" * 300]
    ),
)


@settings(max_examples=150)
@given(
    st.lists(bodies_of, max_size=40),
    st.lists(st.tuples(st.integers(1, 60), st.sampled_from("rcs ")), max_size=30),
)
def test_it_does_not_matter_how_messages_were_cut_into_reads_and_segments(bodies, cuts):
    data = HELLO + b"".join(map(prefixed, bodies))
    tape = Tape()
    tape.control("opened", row=False)
    tape.subscribe(**LINES)
    first = tape.seq
    at = 0
    for step, then in cuts:
        tape.read(data[at : at + step] or b"")
        at += step
        if then == "r":
            tape.roll()
        elif then == "c":
            tape.control("notice", text="in between")
    tape.read(data[at:])
    rows = between(tape, first)
    assert [seq for seq, _, _ in rows] == list(range(first, tape.seq))
    check(bodies, [row for row in rows if row[2].get("text") != "in between"])


@settings(max_examples=60)
@given(st.lists(bodies_of, min_size=1, max_size=12))
def test_a_message_is_rendered_in_company_as_it_is_alone(bodies):
    bodies = [body for body in bodies if is_row(body)]
    together = Tape()
    together.open(**LINES)
    first = together.seq
    together.read(b"".join(map(prefixed, bodies)))
    rows = [(table, content(row)) for _, table, row in between(together, first)]
    for body, row in zip(bodies, rows, strict=True):
        alone = Tape()
        alone.open(**LINES)
        alone.read(prefixed(body))
        ((_, table, found),) = between(alone, first)
        assert repr((table, content(found))) == repr(row)


def test_segments_one_by_one_give_what_one_large_segment_gives():
    def recorded(*, rolled):
        tape = Tape()
        tape.open(**LINES)
        data = b"".join(map(prefixed, messages_of(9, 3000, 0.2)))
        for at in range(0, len(data), 1777):
            tape.read(data[at : at + 1777])
            if rolled and at % 5 == 0:
                tape.roll()
        return tape

    whole, parts = recorded(rolled=False), recorded(rolled=True)
    assert len(parts.segments) > 10
    one, many = (
        [(seq, table, content(row)) for seq, table, row in numbered(tape.tables())] for tape in (whole, parts)
    )
    assert repr(one) == repr(many)


def test_a_message_has_the_time_of_the_read_that_completed_it():
    tape = Tape()
    tape.open(**LINES)
    tick = frame("2", "6", "3", "5", "100")
    times = {}
    for part, complete in (
        (tick + tick[:5], 1),
        (tick[5:9], 0),
        (tick[9:] + tick, 2),
        (tick[:-1], 0),
        (tick[-1:], 1),
    ):
        seq = tape.seq
        tape.read(part)
        times |= dict.fromkeys(range(seq, seq + complete), tape.ts)
    assert len(times) == 4
    level1 = tape.tables()["level1"]
    assert {row["seq"]: round(row["ts_recv"].timestamp() * 1e6) for row in level1} == times


def test_more_than_a_chunk_of_bytes_is_numbered_as_it_came():
    tape = Tape()
    tape.open(**LINES)
    first = tape.seq
    data = b"".join(frame("2", "6", "3", "8", str(number)) for number in range(220_000))
    for at in range(0, len(data), 65_535):
        tape.read(data[at : at + 65_535])
    tables = render(tape.contents()[0]).tables
    level1 = tables["level1"].to_pydict()
    assert dict(zip(level1["seq"], level1["size"], strict=True)) == {first + n: n for n in range(220_000)}


@pytest.mark.parametrize("chunk", [1, stretch.CHUNK])
@pytest.mark.parametrize("cut", [0, 1, 4, 9])
def test_a_broken_stream_is_good_up_to_there_and_one_row_more(cut, chunk, monkeypatch):
    monkeypatch.setattr(stretch, "CHUNK", chunk)
    tape = Tape()
    tape.open(**LINES)
    first = tape.seq
    tick = frame("2", "6", "3", "8", "100")
    broken = len(tick) * 3 + cut
    data = tick * 3 + b"\xff\xff\xff\xffgarbage" + tick
    for read in (data[:broken], data[broken:], tick):
        tape.read(read)
    tape.control("disconnected", text="broken")
    tape.roll()
    tape.open(**LINES)
    tape.read(tick)
    rows = between(tape, first)
    assert [(seq - first, table) for seq, table, _ in rows if table != "level1"][:2] == [
        (3, "other"),
        (4, "events"),
    ]
    assert [seq for seq, _, _ in rows] == list(range(first, tape.seq))
    assert rows[-1][1] == "level1"
