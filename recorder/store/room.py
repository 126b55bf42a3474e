"""Room to go on by on a disk that is full: one of the spares that the journal keeps (``journal/spare-1`` and so on).

Whoever is to make room has to write first what will be gone. A recorder that runs makes the spare anew when there is
room again, and one that is just beginning a segment in it takes the next: a spare is nothing but room.
"""

import errno
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

Done = TypeVar("Done")

_FULL = (errno.ENOSPC, errno.EDQUOT)


def with_room(root: Path, act: Callable[[], Done]) -> Done:
    """Do what can be done again from its beginning; where there is no room for it, give a spare back and do it again.

    Raises:
        OSError: the disk refused; there is no spare, or it did not help.
    """
    try:
        return act()
    except OSError as error:
        if error.errno not in _FULL or not _give_back_a_spare(root):
            raise
    return act()


def _give_back_a_spare(root: Path) -> bool:
    """Delete one spare that holds room; returns whether there was any. With content it is a segment's second name."""
    for path in sorted((root / "journal").glob("spare-*"), reverse=True):
        with suppress(FileNotFoundError):  # the recorder has just begun a segment in it
            found = path.stat()
            if found.st_size == 0 and found.st_blocks:
                path.unlink()
                return True
    return False
