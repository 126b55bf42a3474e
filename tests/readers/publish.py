"""``python publish.py ROOT``: segment after segment into a recording that is being read, until standard input ends."""

import select
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from readers.recording import published

PAUSE = 0.05
"""Seconds between two segments, so that a slow reader does not drown in files."""


def main(root):
    while not select.select([sys.stdin], [], [], PAUSE)[0]:
        published(root)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
