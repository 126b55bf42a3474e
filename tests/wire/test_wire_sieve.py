"""A read is sifted the same however the bytes were cut, and every id is taken for what it is."""

import itertools
import re
import struct

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.wire import messages, sieve
from recorder.wire.frames import Bounds, split
from recorder.wire.layouts import frame
from recorder.wire.sieve import Sieve

HELLO = frame("178", "20261122 12:00:00 UTC")


KNOWN = (1, 2, 12, 13, 21, 45, 46, 47, 50, 58, 81, 91, 92, 99)


def bodies_of(data):
    bounds = split(data)
    pairs = zip(bounds.starts.tolist(), bounds.ends.tolist(), strict=True)
    return [data[start:end] for start, end in pairs]


def naive_id(body):
    """One to three digits, no leading zero, ended by NUL; else none."""
    found = re.match(rb"([1-9][0-9]{0,2})\0", body)
    return int(found[1]) if found else messages.NO_ID


def fed(reads):
    """Rows, frames handed on, and the sieve's state."""
    one = Sieve()
    rows, handed_on, before = 0, [], []
    for read in reads:
        sifted = one.feed(read)
        before += [rows + count for count in sifted.before]
        rows += sifted.rows
        handed_on += sifted.handed_on
    return rows, list(zip(handed_on, before, strict=True)), one.hello, one.tail


fields = st.lists(st.sampled_from(["", "1", "6", "7", "42", "-1", "x", "é", "9" * 5000]), max_size=4)
ids = st.one_of(
    st.sampled_from([*map(str, KNOWN), "4", "9", "10", "49", "57", "", "01", "0", "x", "1000"]),
    st.integers(0, 2000).map(str),
)
frames = st.one_of(
    st.builds(lambda msg_id, rest: frame(msg_id, *rest), ids, fields),
    st.binary(max_size=6).map(lambda body: struct.pack(">I", len(body)) + body),
)
streams = st.lists(frames, max_size=120).map(b"".join)


@settings(max_examples=150)
@given(streams)
def test_an_id_is_one_to_three_digits_and_a_nul(data):
    bounds = split(data)
    assert [naive_id(body) for body in bodies_of(data)] == messages.ids(data, bounds).tolist()


@settings(max_examples=150)
@given(streams)
def test_few_frames_and_many_are_sifted_alike(data):
    bounds = split(data)
    one_by_one = [
        sieve._sift(
            data, Bounds(bounds.starts[i : i + 1], bounds.ends[i : i + 1], bounds.consumed, broken=False)
        )
        for i in range(len(bounds.starts))
    ]
    rows = sum(rows for rows, *_ in one_by_one)
    handed_on = [frame for _, found, _ in one_by_one for frame in found]
    before = [sum(one[0] for one in one_by_one[:i]) for i, one in enumerate(one_by_one) if one[1]]
    assert (rows, handed_on, before) == sieve._sift(data, bounds)
    assert rows == sum(naive_id(body) not in messages.CONVERSATION for body in bodies_of(data))
    assert handed_on == [
        struct.pack(">I", len(body)) + body
        for body in bodies_of(data)
        if naive_id(body) in messages.CONVERSATION | {4, 91, 92}
    ]


@settings(max_examples=50)
@given(st.lists(frames, max_size=3), streams, st.lists(st.integers(0, 400), max_size=12), st.integers(0, 9))
def test_it_does_not_matter_how_the_bytes_were_cut(before, after, cuts, missing):
    data = (b"".join(before) + HELLO + after)[: -missing or None]
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces = [data[start:end] for start, end in itertools.pairwise(places)]
    whole = fed([data])
    assert whole[:2] == fed([data[i : i + 1] for i in range(len(data))])[:2]
    assert whole == fed(pieces)


def test_what_comes_before_and_with_the_hello_is_no_row():
    banner = frame("a", "b", "c")
    assert (0, [(banner, 0), (HELLO, 0)], True, b"") == fed([banner + HELLO])
    assert (0, [(banner, 0)], False, b"") == fed([banner])
    assert fed([banner, HELLO + frame("1", "6", "3", "1", "2.5", "1", "0")])[0] == 1


def test_errors_and_reroutes_are_rows_and_handed_on_and_ticks_are_only_counted():
    error, reroute = frame("4", "2", "-1", "2104", "ok", ""), frame("91", "3", "5", "SMART")
    tick, account = frame("1", "6", "3", "1", "2.5", "1", "0"), frame("9", "1", "1")
    rows, handed_on, *_ = fed([HELLO, error + tick + reroute + account])
    assert (3, [(HELLO, 0), (error, 0), (reroute, 2), (account, 3)]) == (rows, handed_on)


def test_a_prefix_of_four_gigabytes_breaks_the_stream_and_counts_once():
    one = Sieve()
    one.feed(HELLO)
    tick = frame("1", "6", "3", "1", "2.5", "1", "0")
    sifted = one.feed(tick + b"\xff\xff")
    assert (sifted.rows, sifted.broken) == (1, False)
    sifted = one.feed(b"\xff\xff" + tick)
    assert (sifted.rows, sifted.broken) == (1, True)
    later = one.feed(tick)
    assert (later.rows, later.broken, one.tail) == (0, True, b"")


def test_every_id_below_a_thousand_is_a_row_or_conversation():
    known = np.arange(1, 1000)
    rows, on = messages.is_row(known), messages.is_handed_on(known)
    assert not set(known[rows]) & messages.CONVERSATION
    assert set(known[on]) == messages.CONVERSATION | {4, 91, 92}
    assert bool(messages.is_row(np.array([messages.NO_ID]))[0])
