"""Where the last tick of each stream stands, for the recorder that starts after one that was killed."""

from tape import Tape

from recorder.journal import folder
from recorder.render import recover
from recorder.render.tables import render
from recorder.wire.activity import Mark
from recorder.wire.layouts import frame

TICK = frame("1", "6", "3", "1", "187.25", "5", "1")
RESET = frame("4", "2", "4", "317", "Market depth data has been RESET", "")
DEPTH = frame("12", "1", "4", "0", "0", "1", "2", "3")


def rows_of(rendered, table):
    return dict(
        zip(
            rendered.tables[table]["symbol"].to_pylist(),
            rendered.tables[table]["seq"].to_pylist(),
            strict=True,
        )
    )


def test_it_is_the_last_row_of_the_stream_also_of_a_table_that_begins_with_a_reset():
    tape = Tape()
    tape.open(AAPL=(3, "level1"), ES=(4, "depth"))
    tape.read(TICK * 2 + DEPTH + RESET)
    tape.read(frame("4", "2", "-1", "2104", "ok", "") + TICK)
    found = render(tape.contents()[0])
    levels = found.tables["level1"]["seq"].to_pylist()
    assert max(levels) == found.lasts["AAPL", "level1"].seq
    assert max(found.tables["depth"]["seq"].to_pylist()) == found.lasts["ES", "depth"].seq


def test_it_outlives_segments_and_is_forgotten_with_the_subscription(tmp_path):
    tape = Tape()
    tape.open(AAPL=(3, "level1"), ES=(4, "depth"))
    tape.read(TICK + DEPTH)
    tape.roll()
    tape.read(DEPTH)
    root = tmp_path
    folder.create(root)
    for index, content in enumerate(tape.contents(), 1):
        folder.segment_path(root, index).write_bytes(content)
    first = render(tape.contents()[0]).lasts
    list(recover(root))
    kept = folder.load(root).lasts
    assert first["AAPL", "level1"] == kept["AAPL", "level1"]
    assert first["ES", "depth"].seq < kept["ES", "depth"].seq
    assert all(isinstance(mark, Mark) for mark in kept.values())
    tape.roll()
    tape.control("disconnected", text="gone")
    folder.segment_path(root, 3).write_bytes(tape.contents()[2])
    list(recover(root))
    assert {} == folder.load(root).lasts
