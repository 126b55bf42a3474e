"""How much room a disk has, and keeping some of it: ``fallocate`` with its flags."""

import ctypes
import errno
import os
import shutil
from pathlib import Path

UNABLE = frozenset({errno.EOPNOTSUPP, errno.ENOSYS})
"""Errors of a file system that cannot keep room."""

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
