"""Makes a call in the place of the program that asked for it."""

import ctypes
import errno
import os
from pathlib import Path

from faults.trace import LINKS, MKDIRS, OPENS, RENAMES, UNLINKS, WRITES, Call

_LIBC = ctypes.CDLL(None, use_errno=True)
_HERE = -100
_REMOVE_FOLDER = 0x200
"""``AT_REMOVEDIR``, a flag of ``unlinkat``."""


def perform(call: Call, root: Path, descriptor: int, *, short: bool = False) -> int:
    """Make the call and return what the kernel answers; ``short``: only the first half of a write.

    Raises:
        OSError: as the kernel answers.
    """
    if call.name in WRITES:
        return _written(call, descriptor, call.data[: max(1, len(call.data) // 2)] if short else call.data)
    if call.name in OPENS:
        return _foreseen(call, root)
    if call.inode:
        return _on_open_file(call, descriptor)
    path = root / call.path
    if call.name in RENAMES:
        return _checked(_LIBC.renameat2(_HERE, bytes(path), _HERE, bytes(root / call.to), int(call.flags)))
    if call.name in LINKS:
        os.link(path, root / call.to, follow_symlinks=False)
    elif call.name in MKDIRS:
        path.mkdir()
    elif call.name == "rmdir" or (call.name in UNLINKS and call.flags & _REMOVE_FOLDER):
        path.rmdir()
    else:
        path.unlink()
    return 0


def _written(call: Call, descriptor: int, data: bytes) -> int:
    if call.name.startswith("pwrite"):
        return os.pwrite(descriptor, data, call.offset)
    return os.write(descriptor, data)


def _foreseen(call: Call, root: Path) -> int:
    """The program opens by itself, so that the descriptor is its own; here only why that would fail."""
    if call.was_there and call.flags & os.O_EXCL:
        raise FileExistsError(errno.EEXIST, call.path)
    if not (root / call.path).parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, call.path)
    return 0


def _on_open_file(call: Call, descriptor: int) -> int:
    if call.name == "ftruncate":
        os.ftruncate(descriptor, call.size)
    elif call.name == "fallocate":
        offset, size = (ctypes.c_long(value) for value in (call.offset, call.size))
        _checked(_LIBC.fallocate(descriptor, int(call.flags), offset, size))
    elif call.name == "fdatasync":
        os.fdatasync(descriptor)
    else:
        os.fsync(descriptor)
    return 0


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
