"""``python -m faults.appends ROOT COUNT EACH SYNC PACE``: a recorder without a gateway, reduced to its journal.

Takes ``COUNT`` reads of one tick each, numbered by their price, through the tap; ends a segment every ``EACH``, syncs
every ``SYNC`` seconds (0: at every write), waits ``PACE`` seconds between reads. Says after each read which one is in
the journal. Goes on where an earlier one ended; a journal that gives up is one line on standard error and exit 1.
"""

import sys
import time
from pathlib import Path

from faults.scenes import tick

from recorder.capture.tap import Tap
from recorder.journal import folder
from recorder.journal.writer import Journal, now
from recorder.render.recover import resume
from recorder.wire.layouts import frame

SYMBOL, STREAM, REQ = "AAPL", "level1", 4
SPARE_BYTES = 128 * 1024
_HALF = 9


def main(root: Path, count: int, each: int, sync: float, pace: float) -> None:
    """Record; every read but the last ends in the middle of the next tick."""
    folder.create(root)
    journal = Journal(root, resume(root), fsync_seconds=sync, clock=now, spare_bytes=SPARE_BYTES)
    tap = Tap(journal, on_sealed=lambda: None)
    journal.control({"kind": "session_start", "text": "numbered ticks"})
    tap.open()
    tap.take(frame("178", "20261122 12:00:00 UTC"))
    line = {"symbol": SYMBOL, "stream": STREAM, "req": REQ, "con_id": 1004, "show": ""}
    journal.control({"kind": "subscribed", **line})
    begun = b""
    for price in range(1, count + 1):
        following = tick(REQ, price + 1)[:_HALF] if price < count else b""
        tap.take(tick(REQ, price)[len(begun) :] + following)
        begun = following
        sys.stdout.write(f"\n{price}\n")  # in a line of its own also where the log is just writing one
        sys.stdout.flush()
        if price % each == 0:
            tap.seal()
        time.sleep(pace)
    journal.close()


def said(out: str) -> list[int]:
    """The ticks that the program said it has, among what else is logged there."""
    return [int(line) for line in out.splitlines() if line.isdigit()]


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), float(sys.argv[5]))
    except OSError as error:
        sys.exit(str(error))
