"""``python compact.py ROOT``: segment after segment, and every now and then the day made one file, until input ends."""

import select
import sys
from datetime import date
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from readers.recording import published

from recorder.store import Limits, compact

PAUSE, EVERY = 0.05, 5
"""Seconds between two segments, and segments between two compactions."""

LATER = date(2100, 1, 1)
LIMITS = Limits(linger=0.2)


def main(root):
    done = 0
    while not select.select([sys.stdin], [], [], PAUSE)[0]:
        published(root)
        done += 1
        if done % EVERY == 0:
            for _ in compact(root, LATER, LIMITS):
                pass


if __name__ == "__main__":
    main(Path(sys.argv[1]))
