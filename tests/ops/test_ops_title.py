"""What a browser's tab shows of a recorder, and which gaps it says are open."""

import re
from pathlib import Path

import pytest

from recorder.daemon.disk import Outlook
from recorder.daemon.health import Verdict
from recorder.daemon.page import page
from recorder.daemon.report import Flush, JournalSize, Report, open_gaps
from recorder.journal.state import Gap, Request, State
from recorder.journal.trouble import Overflow
from recorder.session.status import Status
from recorder.wire.activity import Mark

NOW = 1_795_348_800_000_000
WELL = "connected, 2 streams of 2 lines"
PARKED = "connected, 1 stream not recorded"
FREE, SOON = Outlook(10**12), Outlook(10**11, 3 * 10**10)


def title(health=None, words=WELL, disk=FREE, compaction=None, flush=None):
    """The title of a page whose session says ``words``; ``health`` is the verdict, if it is not just that."""
    recording = 2 if words == WELL else 1
    report = Report(
        status=Status("online", words, False, 2, 2, recording, [], {}, {}, []),
        health=health or Verdict(True, words),
        now=NOW,
        since=NOW,
        root=Path("data"),
        version="1",
        pid=1,
        messages=1,
        last_message=NOW,
        journal=JournalSize(1, 0),
        flush=flush and Flush(NOW, 1.0, flush),
        compaction=compaction and Flush(NOW, 1.0, compaction),
        gaps=[],
        disk=disk,
        disk_trouble=None,
        overflow=None,
        late=0.0,
    )
    return re.search("<title>(.*) - ib-recorder</title>", page(report))[1]


FULL = "the disk is full since 12:00 UTC; recording into memory, 3.0 of 64 MB"
UNWRITTEN = "Parquet is not written, the journal keeps everything: no room; for 5 s, which may pass"


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ({}, "ok"),
        ({"health": Verdict(False, FULL)}, FULL),
        ({"health": Verdict(False, FULL), "words": PARKED, "disk": SOON}, FULL),
        ({"health": Verdict(True, UNWRITTEN), "flush": "no room"}, UNWRITTEN),
        ({"words": PARKED}, PARKED),
        ({"words": PARKED, "disk": SOON}, PARKED),
        ({"disk": SOON}, "the disk is full in about 3 days (100.0 GB left, 30.0 GB a day)"),
        ({"compaction": "no <room>"}, "days are not compacted: no &lt;room&gt;"),
    ],
)
def test_the_tab_shows_the_worst_first(shown, expected):
    assert expected == title(**shown)


def test_what_is_subscribed_is_in_a_gap_while_reads_are_left_out_and_keeps_the_one_it_was_in():
    farm = Gap("MSFT", "level1", NOW - 5, 3, "farm")
    names = ("INTC", "AAPL", "MSFT", "GONE", "OVER")
    state = State(
        requests={req: Request(name, "level1", 1) for req, name in enumerate(names)},
        live={0, 1, 2, 3},
        gaps={("MSFT", "level1"): farm},
    )
    wanted = {(name, "level1") for name in names if name != "GONE"}
    full = Overflow(Mark(NOW, 7), NOW + 1)
    left_out = [Gap(name, "level1", NOW, 7, "overflow") for name in ("AAPL", "INTC")]
    assert [farm, *left_out] == open_gaps(state, full, wanted)
    assert [farm] == open_gaps(state, None, wanted)
    assert [farm] == list(state.gaps.values())
