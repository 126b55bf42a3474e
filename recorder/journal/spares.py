"""Room kept for a full disk: files without content that hold their blocks, so that a segment can go into one.

Rules:
- A spare's size is 0: whoever reads a segment that was begun in one sees what was written, and no zeros behind it.
- Together they take at most half of what is free: they must not be what fills the disk.
- Where a file system cannot keep room, recording goes on without.
- A spare gets its name when it holds its room, under the lock of those who begin segments: to keep room may take long.
"""

import contextlib
from contextlib import AbstractContextManager
from pathlib import Path

from recorder.journal.room import UNABLE, free, hold

SPARE_BYTES = 9 * 1024 * 1024
"""One spare holds one segment: its records, the state that it begins with, and the last read."""


class Spares:
    """The spares of one journal, ``spare-1`` and so on, ``total`` bytes together.

    Attributes:
        size: bytes of one.
        count: how many there are to be.
        unable: whether the file system cannot keep room.
    """

    def __init__(self, folder: Path, total: int) -> None:
        self.size = min(SPARE_BYTES, total // 2)
        self.count = total // self.size if self.size else 0
        self.unable = False
        self._staged = folder / "next-spare"
        self._paths = [folder / f"spare-{number}" for number in range(1, self.count + 1)]

    @property
    def left(self) -> list[Path]:
        """Those that can be used."""
        return [path for path in self._paths if self._is_reserved(path)]

    def fill(self, lock: AbstractContextManager[object]) -> None:
        """Make what is missing, as far as there is room; ``lock`` is held while one gets its name.

        Raises:
            OSError: the disk refused.
        """
        have = len(self.left)
        for path in self._paths:
            if self.unable or self._is_reserved(path):
                continue
            if free(path.parent) < (have + 2) * self.size:
                return
            self._reserve(path, lock)
            have += 1

    def _is_reserved(self, path: Path) -> bool:
        """Whether it is empty and holds its room; one with content is a second name of a segment."""
        with contextlib.suppress(OSError):
            found = path.stat()
            return found.st_size == 0 and found.st_blocks * 512 >= self.size
        return False

    def _reserve(self, path: Path, lock: AbstractContextManager[object]) -> None:
        try:
            hold(self._staged, self.size)
        except OSError as error:
            if error.errno not in UNABLE:
                raise
            self.unable = True
            return
        with lock:  # a segment may have just been begun in the file of that name
            self._staged.rename(path)
