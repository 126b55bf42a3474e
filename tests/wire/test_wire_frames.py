"""Frames are where the length prefixes say, in any bytes whatever."""

import struct

from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.wire.frames import split
from recorder.wire.layouts import MAX_FRAME, frame

TICKS = [
    frame("1", "6", "3", "1", "187.25", "3", "1"),
    frame("2", "6", "4", "5", ""),
    frame("46", "6", "3", "45", "1795000000"),
    frame("99", "3", "4", "1795000000", "1.5"),
]


def naive(data):
    """What the length prefixes say, one by one: starts, ends, where the unfinished rest begins, whether broken."""
    starts, ends, at = [], [], 0
    while len(data) - at >= 4:
        length = int.from_bytes(data[at : at + 4], "big")
        if length > MAX_FRAME:
            return starts, ends, at, True
        if at + 4 + length > len(data):
            break
        starts.append(at + 4)
        ends.append(at + 4 + length)
        at += 4 + length
    return starts, ends, at, False


def found(data):
    bounds = split(data)
    return bounds.starts.tolist(), bounds.ends.tolist(), bounds.consumed, bounds.broken


def prefixed(body):
    return struct.pack(">I", len(body)) + body


filled = st.builds(
    lambda length, fill: (fill * length)[:length],
    st.one_of(st.integers(0, 6), st.integers(250, 260), st.integers(0, 70_000)),
    st.sampled_from([b"\0", b"a\0", b"\0\0\0\1", b"\0\0\0\x18", b"\xff", b"\0\0\0\0\5"]),
)
bodies = st.one_of(st.binary(max_size=300), filled)
pieces = st.one_of(
    bodies.map(prefixed),
    st.builds(lambda tick, times: tick * times, st.sampled_from(TICKS), st.integers(1, 400)),
    st.builds(lambda times: bytes(4 * times), st.integers(1, 2000)),
    st.binary(max_size=12),
)
streams = st.builds(
    lambda parts, cut: b"".join(parts)[: -cut or None], st.lists(pieces, max_size=12), st.integers(0, 40)
)


@settings(max_examples=250)
@given(streams)
def test_frames_are_where_the_prefixes_say_in_any_bytes(data):
    assert naive(data) == found(data)


@settings(max_examples=60)
@given(streams, st.integers(MAX_FRAME + 1, 2**32 - 1), st.binary(max_size=9000))
def test_a_prefix_that_cannot_be_ends_the_stream_where_it_stands(data, length, behind):
    whole = data[: split(data).consumed]
    broken = whole + struct.pack(">I", length) + behind
    if split(whole).broken:
        return
    assert (*naive(whole)[:3], True) == found(broken)


@settings(max_examples=60)
@given(st.lists(st.sampled_from(TICKS), min_size=400, max_size=600), st.data())
def test_a_flipped_byte_in_a_long_run_of_ticks_changes_no_rule(ticks, data):
    stream = bytearray(b"".join(ticks))
    for _ in range(3):
        stream[data.draw(st.integers(0, len(stream) - 1))] = data.draw(st.integers(0, 255))
    assert naive(bytes(stream)) == found(bytes(stream))


def test_the_longest_frame_that_may_be_is_a_frame():
    data = prefixed(bytes(MAX_FRAME)) + TICKS[0]
    assert naive(data) == found(data)
    assert found(struct.pack(">I", MAX_FRAME + 1) + bytes(20)) == ([], [], 0, True)


def test_no_bytes_hold_no_frames():
    assert found(b"") == ([], [], 0, False)
