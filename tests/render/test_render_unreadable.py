"""What is found unreadable for many frames at once is what the casts refuse one by one."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.render import unreadable
from recorder.render.columns import _values

TYPES = [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint32(), pa.bool_(), pa.float64(), pa.string()]
EDGES = [
    str(edge)
    for bits in (7, 8, 15, 31, 32, 63, 64)
    for edge in (2**bits, 2**bits - 1, -(2**bits), -(2**bits) - 1)
]
TEXTS = st.one_of(
    st.sampled_from(EDGES),
    st.from_regex(r"\A[-+]?[0-9]{0,22}\.?[0-9]{0,3}([eE][-+]?[0-9]{1,3})?\Z"),
    st.sampled_from(["NaN", "nan", "Infinity", "-Infinity", "inf", "0x1F", "true", "\u0663", "-0", "00"]),
    st.sampled_from(["1 ", " 1", "1\n", "-", ".", "--1", "-+1"]),
    st.text(max_size=4).filter(bool),
)  # fmt: skip


def casts(text, wanted):
    try:
        _values(pa.array([text], pa.string()), wanted)
    except pa.ArrowInvalid:
        return False
    return True


@pytest.mark.parametrize("wanted", TYPES, ids=str)
@settings(max_examples=300)
@given(texts=st.lists(TEXTS, min_size=1, max_size=10))
def test_a_text_is_unreadable_where_its_cast_refuses_it(wanted, texts):
    found = unreadable.reads(pa.array(texts, pa.string()), wanted).tolist()
    assert [not text or casts(text, wanted) for text in texts] == found


@given(
    st.lists(st.binary(max_size=6).map(lambda body: body.replace(b"\0", b"") + b"\0"), min_size=1, max_size=8)
)
def test_frames_that_are_no_utf8_are_named(frames):
    ends = np.cumsum([len(frame) for frame in frames])
    fields = np.frombuffer(b"".join(frames), np.uint8)
    assert [is_text(frame) for frame in frames] == unreadable.decodes(fields, ends).tolist()


def is_text(frame):
    try:
        frame.decode()
    except UnicodeDecodeError:
        return False
    return True
