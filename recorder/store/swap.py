"""One folder in place of another, in one step; and what happens to what was there.

Rules:
- What is in ``staging/compact`` belongs to nobody but the process that holds ``compacting``; what it finds there was
  left by one that was killed.
- Nothing is deleted before the names that take its place are durable. This is said once, in ``clear``.
"""

import ctypes
import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recorder.journal.durable import sync_folder
from recorder.journal.folder import SWAPPING
from recorder.journal.lock import RootInUseError, sign

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_UNABLE = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)


class CannotExchangeError(OSError):
    """The filesystem cannot exchange two folders in one step."""


@contextmanager
def compacting(root: Path) -> Iterator[Path]:
    """Hold the root against other compactions, and the staging area, which is empty then.

    Raises:
        RootInUseError: another process holds it; the message says which.
    """
    with holding(root), staging(root) as area:
        yield area


@contextmanager
def holding(root: Path) -> Iterator[None]:
    """Hold the root against other compactions and retentions.

    Raises:
        RootInUseError: another process holds it; the message says which.
    """
    descriptor = os.open(root / "journal" / "compact.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _take(descriptor, root)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def staging(root: Path) -> Iterator[Path]:
    """The staging area of who holds the root."""
    area = root / "staging" / "compact"
    _clear_all(root, area)
    if not (root / SWAPPING).exists():  # staged by a from-archive that failed or was killed before its word
        shutil.rmtree(root / "staging" / "from-archive", ignore_errors=True)
    area.mkdir(parents=True)
    yield area
    _clear_all(root, area)


def _take(descriptor: int, root: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        who = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
        raise RootInUseError(f"{root}: process {who} is compacting it; try again when it is done") from None
    sign(descriptor)


def _clear_all(root: Path, area: Path) -> None:
    """The staging area has parts: ``new``, where a day is built, and what was replaced or is to go."""
    for part in area.glob("*"):
        clear(root, part)
    clear(root, area)


def clear(root: Path, area: Path) -> None:
    """Delete what is in a staging area, once the names that took its place are durable.

    Raises:
        OSError: the disk refused; unless it all was durable, nothing was deleted.
    """
    for staged in area.glob("*/date=*"):
        table = root / staged.parent.name
        for folder in (table / staged.name, table, staged.parent):
            if folder.is_dir():
                sync_folder(folder)
    if area.exists():
        shutil.rmtree(area)


def exchange(one: Path, other: Path) -> None:
    """Each of two folders under the other's name, in one step.

    Raises:
        CannotExchangeError: this filesystem, or kernel, cannot.
        OSError: the disk refused.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    ends = _AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other)
    if libc.renameat2(*ends, _RENAME_EXCHANGE) == 0:
        return
    number = ctypes.get_errno()
    if number in _UNABLE:
        raise CannotExchangeError("this filesystem cannot exchange two folders in one step")
    raise OSError(number, os.strerror(number), str(other))
