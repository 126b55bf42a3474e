"""Which requests ticked, how often, and where their first and last tick stand, however the bytes were cut."""

import itertools
import re
import struct

from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.wire import activity, messages
from recorder.wire.activity import Activity, Mark, Seen
from recorder.wire.frames import split
from recorder.wire.layouts import frame

PLACES = dict.fromkeys((1, 2, 12, 13, 45, 46, 47, 50), 2) | dict.fromkeys((21, 99), 1)
"""Where the request id stands in each message that is a tick."""

reqs = st.sampled_from(["6", "7", "42", "70000", "2147483647"])
ticks = st.builds(
    lambda msg_id, req: frame(str(msg_id), *["6"] * (PLACES[msg_id] - 1), req, "1", "2.5"),
    st.sampled_from(sorted(PLACES)), reqs,
)  # fmt: skip
others = st.builds(
    lambda msg_id, req: frame(msg_id, "1", req, "2"),
    st.sampled_from(["58", "81", "4", "49", "999", "x"]),
    reqs,
)
streams = st.lists(st.one_of(ticks, ticks, others), max_size=80).map(b"".join)
cuts = st.lists(st.integers(0, 900), max_size=8)


def naive(pieces):
    """The same by one message after the other: count, (ts, seq) of the first and the last."""
    expected, seq, rest = {}, 1, b""
    for ts, piece in enumerate(pieces):
        data = rest + piece
        bounds = split(data)
        rest = data[bounds.consumed :]
        for start, end in zip(bounds.starts.tolist(), bounds.ends.tolist(), strict=True):
            texts = data[start:end].split(b"\0")
            msg_id = int(texts[0]) if re.fullmatch(rb"[1-9][0-9]{0,2}", texts[0]) else messages.NO_ID
            if msg_id in PLACES:
                req, here = int(texts[PLACES[msg_id]]), Mark(ts, seq)
                before = expected.get(req)
                expected[req] = Seen(before.count + 1, before.first, here) if before else Seen(1, here, here)
            seq += msg_id not in messages.CONVERSATION
    return expected


def looked(pieces, look_after):
    """What an Activity says, asked after some of the reads, put together."""
    one, seq, rest = Activity(), 1, b""
    whole = {}
    for ts, piece in enumerate(pieces):
        one.read(piece, ts, seq)
        data = rest + piece
        bounds = split(data)
        rest = data[bounds.consumed :]
        seq += int(messages.is_row(messages.ids(data, bounds)).sum())
        if ts in look_after or ts == len(pieces) - 1:
            for req, seen in one.look().items():
                before = whole.get(req)
                whole[req] = Seen(before.count + seen.count, before.first, seen.last) if before else seen
    return whole


@settings(max_examples=200)
@given(streams, cuts, st.lists(st.integers(0, 90), max_size=4))
def test_looked_at_number_by_number_it_is_the_same_and_nothing_is_seen_before_its_turn(data, places, numbers):
    edges = sorted({0, len(data), *(cut for cut in places if cut < len(data))})
    pieces = [data[start:end] for start, end in itertools.pairwise(edges)]
    one, seq, rest = Activity(), 1, b""
    for ts, piece in enumerate(pieces):
        one.read(piece, ts, seq)
        whole = rest + piece
        bounds = split(whole)
        rest = whole[bounds.consumed :]
        seq += int(messages.is_row(messages.ids(whole, bounds)).sum())
    found = {}
    for number in [*sorted(numbers), None]:
        for req, seen in one.look(number).items():
            assert number is None or seen.last.seq < number
            before = found.get(req)
            found[req] = Seen(before.count + seen.count, before.first, seen.last) if before else seen
    assert naive(pieces) == found


@settings(max_examples=200)
@given(streams, cuts, st.sets(st.integers(0, 9)))
def test_every_tick_is_counted_under_its_request_and_the_first_and_last_are_found(data, places, look_after):
    edges = sorted({0, len(data), *(cut for cut in places if cut < len(data))})
    pieces = [data[start:end] for start, end in itertools.pairwise(edges)]
    assert naive(pieces) == looked(pieces, look_after)


def test_what_nobody_asks_for_is_looked_at_all_the_same_and_not_kept(monkeypatch):
    monkeypatch.setattr(activity, "_MOST_BYTES", 1000)
    one = Activity()
    tick = frame("1", "6", "7", "1", "2.5", "1", "0")
    for number in range(1000):
        one.read(tick, number, number)
        assert one._bytes < 1000
    assert {7: Seen(1000, Mark(0, 0), Mark(999, 999))} == one.look()
    assert {} == one.look()


def test_behind_a_broken_prefix_nothing_counts_and_nothing_fails():
    one = Activity()
    tick = frame("1", "6", "7", "1", "2.5", "1", "0")
    one.read(tick + struct.pack(">I", 0xFFFFFFFF) + tick, 1, 1)
    assert {7: Seen(1, Mark(1, 1), Mark(1, 1))} == one.look()
