"""What the log says of a journal whose disk is in trouble."""

import errno
import os
from typing import get_args

import pytest
from structlog.testing import capture_logs

from recorder.journal.trouble import Alarm, Kind, Overflow, Place, words
from recorder.journal.writer import now
from recorder.wire.activity import Mark

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
NOON = 1_795_348_800_000_000
MB = 1_000_000


def place(kind):
    return Place(
        kind, 3 * MB, 64 * MB, 9 * MB, Overflow(Mark(NOON, 7), NOON, 1234) if kind == "overflow" else None
    )


@pytest.mark.parametrize(
    ("kind", "event", "reason"),
    [
        (
            "spare",
            "the journal is safely on disk, in the room that was kept for this",
            "recording into the spare segments, 9 MB left",
        ),
        ("memory", "what is recorded now is in memory alone", "recording into memory, 3.0 of 64 MB"),
        (
            "overflow",
            "nothing is recorded: neither disk nor memory has room",
            "nothing is recorded since 12:00 UTC: 1,234 bytes left out",
        ),
        (
            "failing",
            "the journal is not safely on disk",
            "what it does not keep is held in memory and written anew",
        ),
        (
            "ending",
            "the journal is on disk again, and not all of it durable yet",
            "it takes bytes again, which are being made durable",
        ),
    ],
)
def test_the_log_says_whether_what_is_recorded_is_safe(kind, event, reason):
    with capture_logs() as said:
        Alarm(lambda: NOON).say(place(kind), FULL)
    expected = {"event": event, "reason": f"the disk is full since 12:00 UTC; {reason}", "log_level": "error"}
    assert [expected] == said
    assert expected["reason"] == words(place(kind), NOON, FULL)


def test_a_disk_that_hangs_is_not_told_as_what_it_said_before():
    does = "what is recorded since a power cut would take: see the kernel's log for that disk"
    expected = f"the disk hangs since 12:00 UTC; {does}"
    assert expected == words(place("hanging"), NOON, FULL)


def test_each_change_is_one_line_and_so_is_the_end():
    alarm, kinds = Alarm(now), get_args(Kind)
    with capture_logs() as said:
        for kind in kinds:
            alarm.say(place(kind), FULL)
            alarm.say(place(kind), FULL)
        alarm.say(place(None), FULL)
        alarm.say(place(None), FULL)
    assert len({line["event"] for line in said}) == len(said) == len(kinds) + 1
    assert "the journal is whole on disk again" == said[-1]["event"]
