"""An ``overflow`` record: reads were left out before it, and what comes behind it begins with a frame."""

import pytest
from tape import Tape, joined, segment

from recorder.journal.format import Damage, scan
from recorder.render.tables import render
from recorder.wire.layouts import frame


def tick(price):
    return frame("1", "6", "3", "1", str(price), "5", "1")


def overflown(cut):
    """A tape on which a frame of ``cut`` bytes was begun when the room ended."""
    tape = Tape()
    tape.open(AAPL=(3, "level1"))
    tape.read(tick(1) + tick(2)[:cut])
    tape.control("overflow", text="no room")
    tape.add("R", tick(4) + tick(5)[:7])
    tape.seq += 1
    tape.add("R", tick(5)[7:] + tick(6), len(tick(5)) - 7, 1)
    tape.seq += 2
    return tape


def prices(rendered):
    return [(row["seq"], row["price"]) for row in joined([rendered])["level1"]]


@pytest.mark.parametrize("cut", range(len(tick(2))))
def test_the_frame_that_was_cut_is_no_row_and_takes_no_number_and_nothing_is_damaged(cut):
    rendered = render(overflown(cut).contents()[0])
    assert prices(rendered) == [(2, 1.0), (4, 4.0), (5, 5.0), (6, 6.0)]
    assert (rendered.lost, rendered.damage) == (0, [])
    assert joined([rendered])["events"][-1]["kind"] == "overflow"


@pytest.mark.parametrize("lost", range(4, 7))
def test_damage_about_it_takes_only_its_own_rows(lost):
    records = overflown(9).segments[0]
    content = bytearray(segment(*records))
    start = 32 + sum(32 + len(record.payload) for record in records[:lost])
    content[start + 40] ^= 1
    assert [one for one in scan(bytes(content)) if isinstance(one, Damage)] != []
    kept = dict(prices(render(bytes(content))))
    whole = {2: 1.0, 4: 4.0, 5: 5.0, 6: 6.0}
    assert kept.items() <= whole.items()
    assert len(kept) >= 2


def test_in_a_connection_whose_hello_was_left_out_the_rows_behind_are_read():
    tape = Tape()
    tape.control("opened", row=False)
    tape.control("overflow", text="no room")
    tape.control("subscribed", symbol="AAPL", stream="level1", req=3, con_id=9)
    tape.add("R", tick(4))
    tape.seq += 1
    assert prices(render(tape.contents()[0])) == [(3, 4.0)]
