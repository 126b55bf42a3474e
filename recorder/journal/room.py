"""How much room a disk has, and keeping some of it: ``fallocate`` with its flags."""

import ctypes
import errno
import os
import shutil
from pathlib import Path

UNABLE = frozenset({errno.EOPNOTSUPP, errno.ENOSYS})
"""Errors of a file system that cannot keep room."""

_LEAST = 1024 * 1024
"""What a new file must find before a spare is left for it."""

_KEEP_SIZE = 1  # FALLOC_FL_KEEP_SIZE of linux/falloc.h

_fallocate = ctypes.CDLL(None, use_errno=True).fallocate
_fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)


def free(folder: Path) -> int:
    """Bytes that can still be written there."""
    return shutil.disk_usage(folder).free


def reserve(descriptor: int, start: int, size: int) -> None:
    """Keep room for ``size`` bytes of a file from ``start`` on; the file's size stays what it is.

    Raises:
        OSError: there is no room, or the file system cannot (``UNABLE``).
    """
    while _fallocate(descriptor, _KEEP_SIZE, start, size) != 0:
        code = ctypes.get_errno()
        if code != errno.EINTR:
            raise OSError(code, os.strerror(code))


def hold(path: Path, size: int) -> None:
    """Make an empty file that keeps room for ``size`` bytes, in the place of the one that may be there.

    Raises:
        OSError: there is no room, or the file system cannot keep it (``UNABLE``); no file is there.
    """
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        reserve(descriptor, 0, size)
    except OSError:
        path.unlink()
        raise
    finally:
        os.close(descriptor)


def try_room(path: Path) -> None:
    """Try whether a new file finds room; without inodes, or at a quota, a disk says that it has free bytes.

    Raises:
        OSError: it finds none.
    """
    try:
        hold(path, _LEAST)
        path.unlink()
    except OSError as error:
        # A file system that cannot say, a file that may not grow: the write itself will show.
        if error.errno not in {*UNABLE, errno.EFBIG}:
            raise
