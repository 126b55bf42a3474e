"""What was lost takes nothing else with it: rows behind a hole keep their numbers, times and lines."""

import itertools
import random

import pytest
from tape import HELLO, Tape, content, joined, numbered, segment

from recorder.journal.format import HEADER_SIZE, NotASegmentError
from recorder.journal.state import State
from recorder.render import stretch
from recorder.render.tables import render
from recorder.wire.layouts import frame

PREAMBLE = 32


def tick(value, req=3):
    return frame("2", "6", str(req), "8", str(value))


def long_tape(seed=1):
    """Three connections with reads cut anywhere, notices in between, and now and then a read that ends a frame."""
    chance = random.Random(seed)
    tape = Tape()
    tape.control("session_start", text="x")
    for connection in range(3):
        tape.open(AAPL=(3, "level1"), ES=(4, "level1"))
        data = b"".join(tick(n, 3 + n % 2) for n in range(connection * 1000, connection * 1000 + 60))
        at = 0
        while at < len(data):
            step = chance.choice([5, 29, 60, 200])
            tape.read(data[at : at + step])
            at += step
            if chance.random() < 0.15:
                tape.control("notice", text="in between")
        tape.control("disconnected", text="gone")
    return tape


def rows(*contents):
    found = numbered(tables(*contents))
    return {seq: (table, content(row), row["ts_recv"]) for seq, table, row in found}


def tables(*contents):
    return joined(map(render, contents))


def without(records, place):
    """The segment with one record's bytes spoiled."""
    whole = segment(*records)
    start = PREAMBLE + sum(HEADER_SIZE + len(record.payload) for record in records[:place])
    middle = start + HEADER_SIZE + len(records[place].payload) // 2
    return whole[:middle] + bytes([whole[middle] ^ 0x55]) + whole[middle + 1 :]


def test_any_one_record_lost_leaves_the_other_rows_with_their_numbers_and_invents_none():
    tape = long_tape()
    (records,) = tape.segments
    whole = rows(segment(*records))
    assert list(whole) == list(range(1, tape.seq))
    for place, record in enumerate(records):
        hurt = render(without(records, place), State())
        assert [damage.size for damage in hurt.damage] == [HEADER_SIZE + len(record.payload)]
        left = numbered(joined([hurt]))
        found = {seq: (table, content(row), row["ts_recv"]) for seq, table, row in left}
        assert len(found) == len(left)
        wrong = {seq: row for seq, row in found.items() if row != whole[seq]}
        if record.kind == "C" and record.json()["kind"] in ("subscribed", "opened"):
            assert all(row[2] == whole[seq][2] for seq, row in wrong.items())
        else:
            assert wrong == {}
        reads = [r for r in records[place + 1 :] if r.kind == "R" and r.skip <= len(r.payload)]
        after = [r.seq + r.skip_rows for r in reads]
        assert set(whole) - set(found) <= set(range(record.seq, [*after, tape.seq][0]))


@pytest.mark.parametrize("chunk", [1, stretch.CHUNK])
def test_a_lost_hello_does_not_hide_the_connection(monkeypatch, chunk):
    monkeypatch.setattr(stretch, "CHUNK", chunk)
    tape = Tape()
    tape.open(AAPL=(3, "level1"))
    for value in range(5):
        tape.read(tick(value))
    (records,) = tape.segments
    place = next(at for at, record in enumerate(records) if record.payload == HELLO)
    found = tables(without(records, place))
    assert [row["size"] for row in found["level1"]] == [0, 1, 2, 3, 4]
    assert found["other"] == []


def test_a_lost_beginning_of_a_connection_does_not_make_its_hello_a_row():
    tape = Tape()
    tape.open(AAPL=(3, "level1"))
    tape.read(tick(1))
    tape.open(ES=(3, "level1"))
    tape.read(tick(2))
    (records,) = tape.segments
    place = [at for at, record in enumerate(records) if record.payload.startswith(b'{"kind":"opened"')][1]
    found = tables(without(records, place))
    assert [(row["symbol"], row["size"]) for row in found["level1"]] == [("AAPL", 1), ("ES", 2)]
    assert found["other"] == []


def test_a_lost_read_takes_the_frames_it_cut_and_no_other():
    tape = Tape()
    tape.open(AAPL=(3, "level1"))
    reads = [tick(0), tick(1) + tick(2)[:9], tick(2)[9:] + tick(3), tick(4), tick(5)]
    for read in reads:
        tape.read(read)
    (records,) = tape.segments
    place = len(records) - 4
    found = tables(without(records, place))
    assert [(row["seq"], row["size"]) for row in found["level1"]] == [(2, 0), (5, 3), (6, 4), (7, 5)]


def test_a_lost_tail_takes_its_frame_and_no_other():
    tape = Tape()
    tape.open(AAPL=(3, "level1"))
    tape.read(tick(0) + tick(1)[:9])
    tape.roll()
    tape.read(tick(1)[9:] + tick(2))
    tape.read(tick(3))
    first, second = tape.segments
    assert [record.kind for record in second] == ["S", "T", "R", "R"]
    found = tables(segment(*first), without(second, 1))
    assert [(row["seq"], row["size"]) for row in found["level1"]] == [(2, 0), (4, 2), (5, 3)]


def test_a_lost_snapshot_is_made_up_for_by_the_state_of_the_segment_before():
    tape = Tape()
    tape.open(AAPL=(3, "level1"))
    gap = {
        "symbol": "ES",
        "stream": "level1",
        "ts_start": 5,
        "seq_start": 0,
        "reason": "refused",
        "code": None,
    }
    tape.control("gap_start", **gap)
    tape.read(tick(0))
    tape.roll()
    tape.read(tick(1))
    first, second = tape.segments
    state = render(segment(*first)).state
    after = render(without(second, 0), state)
    assert [row["symbol"] for row in joined([after])["level1"]] == ["AAPL"]
    assert list(after.state.gaps) == [("ES", "level1")]
    assert [row["symbol"] for row in tables(without(second, 0))["other"]] == [None]


def test_a_segment_cut_at_any_byte_gives_the_rows_of_its_whole_records():
    tape = long_tape(2)
    (records,) = tape.segments
    whole, bytes_of = rows(segment(*records)), segment(*records)
    chance = random.Random(3)
    for cut in sorted(chance.sample(range(PREAMBLE, len(bytes_of)), 150)):
        found = rows(bytes_of[:cut])
        assert found == {seq: whole[seq] for seq in range(1, len(found) + 1)}
        assert render(bytes_of[:cut]).next_seq in (len(found) + 1, 0)


def test_flipped_bits_lose_rows_but_change_none():
    tape = long_tape(4)
    (records,) = tape.segments
    bytes_of = bytearray(segment(*records))
    whole = rows(bytes(bytes_of))
    chance = random.Random(5)
    reads = [r for r in records if r.kind == "R" and len(r.payload) > 20]
    for record in chance.sample(reads, 40):
        at = bytes_of.index(record.payload) + chance.randrange(len(record.payload))
        hurt = (
            bytes(bytes_of[:at])
            + bytes([bytes_of[at] ^ (1 << chance.randrange(8))])
            + bytes(bytes_of[at + 1 :])
        )
        found = rows(hurt)
        assert len(found) < len(whole) or record.payload == HELLO
        assert all(whole[seq] == row for seq, row in found.items())


def test_ticks_after_the_line_was_cancelled_are_still_its_own():
    tape = Tape()
    tape.open(AAPL=(3, "level1"))
    tape.control("unsubscribed", symbol="AAPL", stream="level1", req=3)
    tape.read(tick(1))
    tape.roll()
    tape.read(tick(2))
    found = tape.tables()
    assert [(row["symbol"], row["size"]) for row in found["level1"]] == [("AAPL", 1), ("AAPL", 2)]


def test_request_ids_that_come_again_after_a_reconnect_are_those_of_the_new_connection():
    tape = Tape()
    tape.open(AAPL=(3, "level1"), ES=(4, "level1"))
    tape.read(tick(1, 3) + tick(2, 4) + tick(3, 4)[:7])
    tape.open(EUR=(3, "level1"))
    tape.read(tick(4, 3) + tick(5, 4))
    tape.roll()
    tape.read(tick(6, 3))
    found = tape.tables()
    assert [(row["symbol"], row["con_id"], row["size"]) for row in found["level1"]] == [
        ("AAPL", 1003, 1), ("ES", 1004, 2), ("EUR", 1003, 4), ("EUR", 1003, 6)
    ]  # fmt: skip
    assert [(row["symbol"], row["text"]) for row in found["other"]] == [(None, "2\t6\t4\t8\t5")]


def test_a_line_subscribed_in_the_middle_of_a_segment_has_its_ticks():
    tape = Tape()
    tape.open(AAPL=(3, "level1"))
    tape.read(tick(1))
    tape.subscribe(ES=(4, "level1"))
    tape.read(tick(2, 4))
    assert [row["symbol"] for row in tape.tables()["level1"]] == ["AAPL", "ES"]


@pytest.mark.parametrize("bytes_of", [b"", b"PAR1", bytes(100)])
def test_what_is_no_segment_is_said_to_be_none(bytes_of):
    with pytest.raises(NotASegmentError):
        render(bytes_of)


def test_rows_that_have_one_number_twice_are_all_there():
    tape = Tape()
    tape.open(AAPL=(3, "level1"))
    tape.read(tick(1))
    tape.seq -= 1
    tape.read(tick(2))
    assert [(row["seq"], row["size"]) for row in tape.tables()["level1"]] == [(2, 1), (2, 2)]


class Cut:
    """A connection whose reads cut its frames anywhere, and what has to come out when some of them are lost."""

    def __init__(self, sizes, count, seed=1):
        chance = random.Random(seed)
        self.tape = Tape()
        self.tape.open(AAPL=(3, "level1"))
        stream = [self._frame(number, chance) for number in range(count)]
        self.reads = {}
        self._read(b"".join(stream), lambda: chance.choice(sizes))
        self.tape.seal()
        (self.records,) = self.tape.segments
        self.frames = self._placed(stream)

    def without(self, *places):
        """The (seq, ts, number) of each frame that touches none of these records, and how many bytes are lost."""
        lost = sum(HEADER_SIZE + len(self.records[place].payload) for place in places)
        left = []
        for where, row in self.frames:
            gone = sum(overlap(where, self.reads[place]) for place in places)
            lost += len(where) - gone if gone else 0
            left += [row] if row and not gone else []
        return left, lost

    @staticmethod
    def _frame(number, chance):
        """A tick, something longer, or a frame of the conversation, which is no row."""
        other = [frame("200", str(number), "x" * chance.randrange(900)), frame("9", "1", str(number))]
        return chance.choice(other) if chance.random() < 0.2 else tick(number)

    def _read(self, data, size):
        at = 0
        while at < len(data):
            end = min(at + size(), len(data))
            self.reads[len(self.tape.segments[0])] = range(at, end)
            self.tape.read(data[at:end])
            at = end

    def _placed(self, stream):
        found, at, seq = [], 0, 2
        reads = iter(self.reads.items())
        place, read = next(reads)
        for number, one in enumerate(stream):
            at += len(one)
            while read.stop < at:
                place, read = next(reads)
            is_row = one[4:6] != b"9\0"
            row = (seq, self.records[place].ts, number) if is_row else None
            found.append((range(at - len(one), at), row))
            seq += is_row
        return found


def overlap(one, other):
    return max(0, min(one.stop, other.stop) - max(one.start, other.start))


def came_out(rendered):
    """The (seq, ts, number) of a cut's rows."""
    found = []
    for name in {"level1", "other"} & rendered.tables.keys():
        rows = rendered.tables[name].to_pydict()
        numbers = rows["size"] if name == "level1" else [text.split("\t")[1] for text in rows["text"]]
        times = [round(ts.timestamp() * 1e6) for ts in rows["ts_recv"]]
        found += zip(rows["seq"], times, map(int, numbers), strict=True)
    return sorted(found)


def zeroed(content, records, *places):
    """The segment with nothing but zero bytes where these records were."""
    ends = list(itertools.accumulate((HEADER_SIZE + len(one.payload) for one in records), initial=PREAMBLE))
    for place in places:
        content = content[: ends[place]] + bytes(ends[place + 1] - ends[place]) + content[ends[place + 1] :]
    return content


SIZES = {"any": [1, 2, 3, 9, 29, 60, 200, 700], "hundred": [100], "tiny": [1, 2, 5]}


@pytest.mark.parametrize("chunk", [500, stretch.CHUNK])
@pytest.mark.parametrize("sizes", SIZES)
def test_a_lost_read_leaves_a_hole_of_the_frames_it_cut_and_no_other(monkeypatch, sizes, chunk):
    monkeypatch.setattr(stretch, "CHUNK", chunk)
    cut = Cut(SIZES[sizes], 60)
    content = segment(*cut.records)
    assert came_out(render(content)) == cut.without()[0]
    assert render(content).lost == 0
    for place in list(cut.reads)[:150]:
        for hurt in (without(cut.records, place), zeroed(content, cut.records, place)):
            rendered = render(hurt)
            assert (came_out(rendered), rendered.lost) == cut.without(place)
            assert rendered.next_seq == cut.tape.seq


@pytest.mark.parametrize("sizes", SIZES)
def test_several_lost_reads_leave_a_hole_each(sizes):
    cut = Cut(SIZES[sizes], 80, seed=2)
    content = segment(*cut.records)
    chance = random.Random(3)
    for count in (2, 3, 5, 8, len(cut.reads) // 2, len(cut.reads) - 1):
        for _ in range(8):
            places = chance.sample(list(cut.reads), min(count, len(cut.reads)))
            rendered = render(zeroed(content, cut.records, *places))
            assert (came_out(rendered), rendered.lost) == cut.without(*places)
            assert rendered.next_seq == cut.tape.seq


@pytest.mark.parametrize("bit", [0, 10 * 8, 13 * 8, 15 * 8 + 7, 24 * 8, HEADER_SIZE * 8 + 400_000])
def test_of_large_reads_one_flipped_bit_takes_one_read_and_the_two_frames_it_cut(bit):
    cut = Cut([65_536], 6000)
    content = bytearray(segment(*cut.records))
    assert len(cut.reads) > 5
    place = list(cut.reads)[2]
    at = content.index(cut.records[place].payload) - HEADER_SIZE
    content[at + bit // 8] ^= 1 << bit % 8
    rendered = render(bytes(content))
    assert (came_out(rendered), rendered.lost) == cut.without(place)
    assert 65_536 < rendered.lost < 65_536 + HEADER_SIZE + 2000


def test_the_next_number_is_known_when_the_last_reads_of_a_sealed_segment_are_lost():
    cut = Cut([100], 60)
    places = list(cut.reads)[-5:]
    rendered = render(zeroed(segment(*cut.records), cut.records, *places))
    assert (came_out(rendered), rendered.lost) == cut.without(*places)
    assert rendered.next_seq == cut.tape.seq > came_out(rendered)[-1][0] + 5


def test_the_end_of_a_row_whose_beginning_was_lost_keeps_its_number():
    tape = Tape()
    tape.open(AAPL=(3, "level1"))
    tape.read(tick(0)[:9])
    tape.read(tick(0)[9:])
    (records,) = tape.segments
    rendered = render(without(records, len(records) - 2))
    assert (rendered.tables.keys(), rendered.next_seq) == ({"events"}, tape.seq)


def test_a_lost_connection_behind_a_broken_stream_is_found_again():
    tape = Tape()
    tape.open(AAPL=(3, "level1"))
    for read in (tick(0), b"\xff\xff\xff\xffgarbage", tick(1)):
        tape.read(read)
    tape.open(AAPL=(3, "level1"))
    tape.read(tick(2))
    (records,) = tape.segments
    place = [at for at, record in enumerate(records) if record.payload.startswith(b'{"kind":"opened"')][1]
    found = tables(without(records, place))
    assert [(row["seq"], row["size"]) for row in found["level1"]] == [(2, 0), (5, 2)]
    assert [row["seq"] for row in found["other"]] == [3]


def test_a_loss_behind_a_broken_prefix_makes_no_rows_of_what_comes_after_it():
    tape = Tape()
    tape.open(AAPL=(3, "level1"))
    tape.read(tick(0) + b"\xff\xff\xff\xffgarbage")
    tape.control("notice", text="lost")
    tape.read(tick(1))
    (records,) = tape.segments
    rendered = render(without(records, len(records) - 2))
    assert [seq for seq, _, _ in numbered(joined([rendered]))] == [1, 2, 3]
    assert rendered.lost == HEADER_SIZE + len(records[-2].payload) + len(tick(1))


def test_an_unknown_message_of_two_fields_behind_a_loss_is_no_hello():
    tape = Tape()
    tape.open(AAPL=(3, "level1"))
    for read in (tick(0), frame("200", "3"), tick(1)):
        tape.read(read)
    (records,) = tape.segments
    found = tables(without(records, len(records) - 3))
    assert [row["seq"] for row in found["other"] + found["level1"]] == [3, 4]
