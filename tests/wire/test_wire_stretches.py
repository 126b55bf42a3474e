"""Stretches of time against sets of whole moments."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from recorder.wire.stretches import common, merged, within, without

MOMENT = st.integers(-3, 30)
ANY = st.lists(st.tuples(MOMENT, MOMENT), max_size=8)


def moments(stretches):
    return {moment for begin, end in stretches for moment in range(begin, end)}


def in_order(stretches):
    return all(begin < end for begin, end in stretches) and all(
        one[1] < other[0] for one, other in pairwise(stretches)
    )


@given(ANY)
def test_merged_holds_what_any_holds(stretches):
    assert moments(stretches) == moments(merged(stretches))
    assert in_order(merged(stretches))


@given(ANY, MOMENT, MOMENT)
def test_within_holds_what_lies_between_also_where_nothing_can(stretches, begin, end):
    found = within(merged(stretches), begin, end)
    assert moments(stretches) & set(range(begin, end)) == moments(found)
    assert in_order(found)


@given(ANY, ANY)
def test_common_and_without_part_what_there_is(stretches, others):
    own, other = merged(stretches), merged(others)
    assert moments(own) & moments(other) == moments(common(own, other))
    assert moments(own) - moments(other) == moments(without(own, other))
    assert in_order(common(own, other))
    assert in_order(without(own, other))
