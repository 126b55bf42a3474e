"""A segment gives back what was written, and nothing that was not."""

import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tape import HELLO, NOON, Tape, segment

from recorder.journal import format as segment_format
from recorder.journal.format import (
    HEADER_SIZE,
    RECORD_MAGIC,
    Damage,
    NewerSegmentError,
    NotASegmentError,
    Record,
    scan,
)
from recorder.wire.layouts import TICK_PRICE, frame

TICK = TICK_PRICE.encode(3, {"tick_type": 1, "price": 187.25, "size": 3, "attribs": 1})
PREAMBLE = 32

records = st.lists(
    st.builds(
        Record,
        st.sampled_from("SCRT"),
        st.integers(-(2**63), 2**63 - 1),
        st.integers(0, 2**64 - 1),
        st.one_of(st.binary(max_size=200), st.just(RECORD_MAGIC * 9)),
        st.integers(0, 2**23 - 1),
        st.integers(0, 1),
    ),
    max_size=8,
    unique=True,
).map(lambda some: sorted(some, key=lambda record: record.seq))
"""In a journal numbers only ever rise."""


@pytest.fixture(scope="module")
def kinds():
    """Records of every kind: snapshot, control, read, tail; a read that holds what looks like a record."""
    tape = Tape()
    tape.control("session_start", text="é")
    tape.open(AAPL=(3, "level1"))
    tape.read(TICK * 3 + TICK[:9])
    tape.roll()
    tape.read(TICK[9:] + TICK)
    tape.read(frame("46", "6", "3", "62", f"IBrc{'x' * 40}IBrc"))
    tape.control("disconnected", text="gone")
    return [*tape.segments[0], *tape.segments[1]]


def ends(some):
    """Where each record ends."""
    at, found = PREAMBLE, []
    for record in some:
        at += HEADER_SIZE + len(record.payload)
        found.append(at)
    return found


def whole(content):
    return [found for found in scan(content) if isinstance(found, Record)]


def damaged(content):
    return [found for found in scan(content) if isinstance(found, Damage)]


@given(records)
def test_what_was_written_is_read_back(some):
    assert list(scan(segment(*some))) == some


def test_a_read_that_continues_the_longest_frame_can_be_written():
    (back,) = scan(segment(Record("R", NOON, 1, b"x", 2**24 + 3)))
    assert (back.skip, back.skip_rows) == (2**23 - 1, 0)


def test_a_segment_cut_at_any_byte_gives_every_whole_record_before_the_cut(kinds):
    content = segment(*kinds)
    after = ends(kinds)
    assert {record.kind for record in kinds} == set("SCRT")
    for cut in range(PREAMBLE, len(content) + 1):
        count = sum(end <= cut for end in after)
        rest = cut - ([PREAMBLE, *after])[count]
        expected = [*kinds[:count], *([Damage(cut - rest, rest)] if rest else [])]
        assert list(scan(content[:cut])) == expected


def test_a_segment_cut_within_its_preamble_is_none(kinds):
    content = segment(*kinds)
    for cut in range(PREAMBLE):
        with pytest.raises(NotASegmentError, match="begins with"):
            list(scan(content[:cut]))


def test_no_flipped_bit_passes_and_every_other_record_is_found(kinds):
    chance = random.Random(1)
    content = segment(*kinds)
    after = ends(kinds)
    for _ in range(4000):
        at, bit = chance.randrange(PREAMBLE, len(content)), 1 << chance.randrange(8)
        flipped = content[:at] + bytes([content[at] ^ bit]) + content[at + 1 :]
        hit = sum(end <= at for end in after)
        start, end = ([PREAMBLE, *after])[hit], after[hit]
        expected = [*kinds[:hit], Damage(start, end - start), *kinds[hit + 1 :]]
        assert list(scan(flipped)) == expected


def test_a_flipped_bit_in_the_salt_is_told_and_takes_no_record(kinds):
    content = segment(*kinds)
    for at in range(24, PREAMBLE):
        flipped = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
        assert list(scan(flipped)) == [Damage(0, PREAMBLE), *kinds]


def test_a_segment_of_the_first_version_is_read_and_one_of_a_newer_version_refused(kinds):
    first = segment(*kinds, start=b"ib-recorder journal 1\n\0\0" + b"12345678")
    assert list(scan(first)) == kinds
    for newer in (b"ib-recorder journal 3\n\0\0", b"ib-recorder journal 27\n\0"):
        with pytest.raises(NewerSegmentError, match=r"version (3|27); this version reads up to 2: update"):
            list(scan(segment(*kinds, start=newer + b"12345678")))


@pytest.mark.parametrize("fill", [b"\0", b"\xff", b"IBrc"])
def test_a_lost_sector_hides_nothing_behind_it(fill):
    reads = [Record("R", NOON + place, 1 + 4 * place, TICK * 4, 0) for place in range(60)]
    content = segment(*reads)
    after = ends(reads)
    for sector in range(512, len(content) - 512, 512):
        hurt = content[:sector] + (fill * 512)[:512] + content[sector + 512 :]
        untouched = [
            read
            for read, start, end in zip(reads, [PREAMBLE, *after], after, strict=False)
            if hurt[start:end] == content[start:end]
        ]
        assert whole(hurt) == untouched
        assert len(damaged(hurt)) == 1


def test_stale_bytes_of_another_segment_never_count(kinds):
    old, new = segment(*kinds), segment(*kinds[:3])
    reused = new + old[len(new) :]
    assert whole(reused) == kinds[:3]
    assert damaged(reused) == [Damage(len(new), len(old) - len(new))]


def test_a_record_inside_a_payload_is_no_record():
    inner = segment(Record("R", NOON, 5, TICK))
    start = inner[:PREAMBLE]
    outer = Record("R", NOON, 1, inner[PREAMBLE:])
    content = segment(outer, Record("R", NOON, 2, TICK), start=start)
    assert len(whole(content)) == 2
    other = segment(outer, Record("R", NOON, 2, TICK))
    lost = other[:40] + b"!" + other[41:]
    assert [record.seq for record in whole(lost)] == [2]


@given(st.binary(max_size=400))
def test_any_bytes_behind_a_preamble_are_read_without_complaint(noise):
    start = segment_format.preamble()
    assert sum(damage.size for damage in damaged(start + noise)) == len(noise)


def test_a_length_that_reaches_behind_the_end_is_damage():
    record = Record("R", NOON, 1, HELLO)
    content = bytearray(segment(record, record))
    struct.pack_into("<I", content, PREAMBLE + 8, 2**32 - 1)
    assert list(scan(bytes(content)))[1:] == [record]


def test_salts_differ():
    assert len({segment_format.preamble() for _ in range(20)}) == 20
