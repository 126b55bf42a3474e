"""A whole bad night as data, and exactly the gaps that must come of it."""

from play import Night, Ticks, config, details, future, line

from recorder.session import inputs
from recorder.session.timing import Timing

APPLE, MICROSOFT, SAP = (details(name, con_id) for name, con_id in (("AAPL", 1), ("MSFT", 2), ("SAP", 4)))
FUTURE = details("ES", 3, sec_type="FUT", local_symbol="ESZ6", exchange="CME")
EVENING = config(line("AAPL"), line("MSFT", "trades"), future("ES", "level1", "depth"))
LATER = config(line("AAPL"), future("ES", "level1", "depth"), line("SAP", "depth"))
A, M, E, D = Ticks("AAPL"), Ticks("MSFT", "trades"), Ticks("ESZ6"), Ticks("ESZ6", "depth")


def of_ib(code, text=""):
    """A notice that is about no request."""
    return inputs.Said(-1, code, text)


STORY = (
    (0.0, inputs.NotConnected("nothing listens")),
    (1.5, inputs.Connected("here")),  # the gateway is up
    (1.6, inputs.Answered(2, [MICROSOFT])),
    (1.7, inputs.Answered(1, [APPLE])),
    (1.8, inputs.Answered(3, [FUTURE])),
    (2.5, A),
    (2.5, M),
    (2.6, E),
    (2.6, D),
    *(
        (8.0 + tenth / 2, tick) for tenth in range(60) for tick in (A, M, E, D)
    ),  # two ticks a second, all of them
    (40.0, of_ib(2103, "Market data farm connection is broken:usfarm")),
    (40.5, A),  # under way already
    (41.5, E),
    (41.6, D),
    (46.0, of_ib(2104, "Market data farm connection is OK:usfarm")),
    (47.0, A),
    (48.0, M),
    (49.0, E),
    (49.1, D),
    (50.0, of_ib(1100, "Connectivity between IB and TWS has been lost")),
    (53.0, E),  # under way already
    (58.0, of_ib(1102, "restored, data maintained")),
    (59.0, A),
    (59.1, E),
    (59.2, D),  # and nothing of MSFT, which is asked for anew
    *((60.0 + 5 * nth, tick) for nth in range(8) for tick in (A, E, D)),
    (100.0, M),
    (100.1, A),
    (100.2, E),
    (100.3, D),
    (101.0, inputs.Said(4, 316, "Market depth data has been HALTED. Please re-subscribe.")),
    (102.0, D),
    (103.0, inputs.Said(1, 10197, "No market data during competing live session")),
    (104.0, M),
    (104.5, E),
    (105.0, inputs.Reloaded(LATER, "+1 -1")),
    (105.5, inputs.Answered(4, [SAP])),
    (106.0, Ticks("SAP", "depth")),
    (106.1, E),
    (106.2, D),
    (107.0, inputs.Lost("the gateway closed the connection")),
    (110.0, inputs.Connected("here")),
    *((111.0 + tenth / 10, tick) for tenth in range(3) for tick in (A, E, D, Ticks("SAP", "depth"))),
    (112.0, inputs.Stopped()),
    (113.0, inputs.Passed()),
)

HOLES = (
    ("AAPL", "level1", 0.0, 2.5, "not_subscribed"),
    ("MSFT", "trades", 0.0, 2.5, "not_subscribed"),
    ("future ES 202612 CME", "level1", 0.0, 2.6, "not_subscribed"),
    ("future ES 202612 CME", "depth", 0.0, 2.6, "not_subscribed"),
    ("AAPL", "level1", 40.5, 47.0, "farm"),
    ("MSFT", "trades", 37.5, 48.0, "farm"),
    ("ESZ6", "level1", 41.5, 49.0, "farm"),  # two a second until then, and then nothing for long
    ("ESZ6", "depth", 41.6, 49.1, "farm"),
    ("AAPL", "level1", 47.0, 59.0, "disconnected"),
    ("ESZ6", "level1", 49.0, 59.1, "disconnected"),
    ("ESZ6", "depth", 49.1, 59.2, "disconnected"),
    ("MSFT", "trades", 48.0, 100.0, "disconnected"),
    ("ESZ6", "depth", 100.3, 102.0, "depth_halted"),
    ("AAPL", "level1", 100.1, 111.0, "competing_session"),
    ("ESZ6", "level1", 106.1, 111.0, "disconnected"),
    ("ESZ6", "depth", 106.2, 111.0, "disconnected"),
    ("SAP", "depth", 106.0, 111.0, "disconnected"),
)


def test_a_bad_night_leaves_exactly_these_gaps():
    night = Night(EVENING, Timing())
    begun = night.wall
    night.tell(*STORY)

    def seconds(mark):
        return round((mark.ts - begun) / 1e6, 2)

    holes = [(*hole.key, seconds(hole.since), seconds(hole.until), hole.reason) for hole in night.holes]
    assert list(HOLES) == holes
    still = {(*key, seconds(gap.since), gap.reason) for key, gap in night.gaps.items()}
    assert {
        ("AAPL", "level1", 111.2, "restart"),
        ("ESZ6", "level1", 111.2, "restart"),
        ("ESZ6", "depth", 111.2, "restart"),
        ("SAP", "depth", 111.2, "restart"),
        ("MSFT", "trades", 104.0, "not_subscribed"),
    } == still
    assert night.over
