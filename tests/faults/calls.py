"""The system calls that change files: their numbers, where their arguments stand, and the filter that catches them.

Rules:
- Pure tables and bytes; nothing here makes a call. x86_64 and aarch64 are known.
- What could change a file past the tables (``sendfile``, ``io_uring``, ...) is refused as not implemented, so that a
  program falls back to calls that are seen.
Numbers and layouts: Linux ``asm/unistd.h``, ``linux/seccomp.h``, ``linux/bpf_common.h``.
"""

import errno
import os
import platform
import struct
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shape:
    """Where a call keeps what it is about; each field is the place of an argument, -1: it has none.

    Attributes:
        fd: an open file, by number.
        path: a path; ``at`` its folder's descriptor. ``to`` and ``to_at``: a second one.
        data, size: the bytes to write and how many; with ``vector`` an array of such pairs.
        offset: where in the file.
        flags: of open, rename and unlink.
    """

    fd: int = -1
    path: int = -1
    at: int = -1
    to: int = -1
    to_at: int = -1
    data: int = -1
    size: int = -1
    vector: bool = False
    offset: int = -1
    flags: int = -1


SHAPES = {
    "write": Shape(fd=0, data=1, size=2),
    "writev": Shape(fd=0, data=1, size=2, vector=True),
    "pwrite64": Shape(fd=0, data=1, size=2, offset=3),
    "pwritev": Shape(fd=0, data=1, size=2, offset=3, vector=True),
    "ftruncate": Shape(fd=0, size=1),
    "fallocate": Shape(fd=0, flags=1, offset=2, size=3),
    "fsync": Shape(fd=0),
    "fdatasync": Shape(fd=0),
    "sync_file_range": Shape(fd=0),
    "open": Shape(path=0, flags=1),
    "openat": Shape(at=0, path=1, flags=2),
    "rename": Shape(path=0, to=1),
    "renameat": Shape(at=0, path=1, to_at=2, to=3),
    "renameat2": Shape(at=0, path=1, to_at=2, to=3, flags=4),
    "link": Shape(path=0, to=1),
    "linkat": Shape(at=0, path=1, to_at=2, to=3),
    "unlink": Shape(path=0),
    "unlinkat": Shape(at=0, path=1, flags=2),
    "mkdir": Shape(path=0),
    "mkdirat": Shape(at=0, path=1),
    "rmdir": Shape(path=0),
}
"""Calls that are handed to the supervisor."""

_X86 = {
    "write": 1, "open": 2, "pwrite64": 18, "writev": 20, "sendfile": 40, "fsync": 74, "fdatasync": 75,
    "truncate": 76, "ftruncate": 77, "rename": 82, "mkdir": 83, "rmdir": 84, "creat": 85, "link": 86,
    "unlink": 87, "symlink": 88, "openat": 257, "mkdirat": 258, "unlinkat": 263, "renameat": 264, "linkat": 265,
    "symlinkat": 266, "splice": 275, "sync_file_range": 277, "fallocate": 285, "pwritev": 296, "renameat2": 316,
    "seccomp": 317, "copy_file_range": 326, "pwritev2": 328, "io_uring_setup": 425, "openat2": 437,
}  # fmt: skip
_ARM = {
    "mkdirat": 34, "unlinkat": 35, "symlinkat": 36, "linkat": 37, "renameat": 38, "truncate": 45, "ftruncate": 46,
    "fallocate": 47, "openat": 56, "write": 64, "writev": 66, "pwrite64": 68, "pwritev": 70, "sendfile": 71,
    "splice": 76, "fsync": 82, "fdatasync": 83, "sync_file_range": 84, "renameat2": 276, "seccomp": 277,
    "copy_file_range": 285, "pwritev2": 287, "io_uring_setup": 425, "openat2": 437,
}  # fmt: skip
_REFUSED = (
    "sendfile", "splice", "copy_file_range", "truncate", "creat", "symlink", "symlinkat", "pwritev2",
    "io_uring_setup", "openat2",
)  # fmt: skip
MACHINES = {"x86_64": (0xC000003E, _X86), "aarch64": (0xC00000B7, _ARM)}
"""Machine to its audit number and its calls' numbers."""

PIDFD_GETFD = 438
"""``pidfd_getfd``, the same number everywhere."""

ARCHITECTURE, NUMBERS = MACHINES[platform.machine()]
NAMES = {number: name for name, number in NUMBERS.items() if name in SHAPES}

CHANGING = os.O_CREAT | os.O_TRUNC
"""Flags that make an open a change."""

_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _NOTIFY, _ERROR = 0x7FFF0000, 0x7FC00000, 0x00050000
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16


def program() -> bytes:
    """The filter, as classic BPF: notify of changes, refuse what is not followed, allow the rest."""
    return b"".join(_instructions())


def _instructions() -> Iterator[bytes]:
    yield _op(_LOAD, _ARCHITECTURE)
    yield _op(_EQUAL, ARCHITECTURE, 1, 0)
    yield _op(_RETURN, _ERROR | errno.ENOSYS)
    yield _op(_LOAD, _NUMBER)
    for number, name in NAMES.items():
        shape = SHAPES[name]
        if name.startswith("open"):
            yield _op(_EQUAL, number, 0, 4)
            yield _op(_LOAD, _ARGUMENTS + 8 * shape.flags)
            yield _op(_ANY_BIT, CHANGING, 0, 1)
            yield _op(_RETURN, _NOTIFY)
            yield _op(_RETURN, _ALLOW)
        else:
            yield from _if(number, _NOTIFY)
    for name in _REFUSED:
        if name in NUMBERS:
            yield from _if(NUMBERS[name], _ERROR | errno.ENOSYS)
    yield _op(_RETURN, _ALLOW)


def _if(number: int, verdict: int) -> Iterator[bytes]:
    yield _op(_EQUAL, number, 0, 1)
    yield _op(_RETURN, verdict)


def _op(code: int, value: int, jump_true: int = 0, jump_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, jump_true, jump_false, value)
