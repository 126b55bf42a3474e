"""What a program that stands at a system call is asking for: read from its memory and its open files."""

import ctypes
import fcntl
import os
import stat
import struct
from dataclasses import replace
from pathlib import Path

from faults import calls
from faults.trace import OPENS, WRITES, Call

_HERE = -100
"""``AT_FDCWD``: relative to the working folder."""
_STANDARD_OUTPUT = 1
_GONE = " (deleted)"
"""Behind the name of an open file that was taken away, in ``/proc/PID/fd``."""
_LIBC = ctypes.CDLL(None, use_errno=True)


class Looked:
    """Looks at the calls of one run, as far as they are about the folder ``root``."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._leaders: dict[int, int] = {}

    def close(self) -> None:
        """Let go of the processes."""
        for descriptor in self._leaders.values():
            os.close(descriptor)

    def call(self, number: int, name: str, pid: int, arguments: list[int]) -> tuple[Call | None, int]:
        """The call, and a copy of the open file it is about (-1: none); no call if it is not about the folder."""
        shape = calls.SHAPES[name]
        asked = Call(number, pid, name, "", flags=arguments[shape.flags] if shape.flags >= 0 else 0)
        try:
            if shape.fd >= 0:
                return self._of_open_file(asked, shape, arguments)
            return self._of_names(asked, shape, arguments), -1
        except FileNotFoundError:  # not an open file, no such folder: the kernel says so
            return None, -1

    def _of_names(self, asked: Call, shape: calls.Shape, arguments: list[int]) -> Call | None:
        path = self._path(asked.pid, arguments, shape.at, shape.path)
        to = self._path(asked.pid, arguments, shape.to_at, shape.to) if shape.to >= 0 else ""
        if path is None or to is None:
            return None
        was_there = asked.name in OPENS and os.path.lexists(self._root / path)
        return replace(asked, path=path, to=to, was_there=was_there)

    def _of_open_file(self, asked: Call, shape: calls.Shape, arguments: list[int]) -> tuple[Call | None, int]:
        number = arguments[shape.fd]
        opened = str(Path(f"/proc/{asked.pid}/fd/{number}").readlink())
        named = opened.removesuffix(_GONE)
        path = self._inside(Path(named))
        if path is None and (asked.name not in WRITES or number != _STANDARD_OUTPUT):
            return None, -1
        size, data = arguments[shape.size] if shape.size >= 0 else 0, b""
        if asked.name in WRITES:
            data = _bytes(asked.pid, arguments[shape.data], size, vector=shape.vector)
            size = len(data)
        if path is None:
            return replace(asked, number=0, name="say", data=data, size=size, result=size), -1
        copy = self._copy(asked.pid, number)
        offset = arguments[shape.offset] if shape.offset >= 0 else _position(copy)
        found = replace(asked, path=path, inode=os.fstat(copy).st_ino, unnamed=named != opened)
        return replace(found, offset=offset, size=size, data=data), copy

    def _path(self, pid: int, arguments: list[int], at: int, place: int) -> str | None:
        given = os.fsdecode(_text(pid, arguments[place]))
        folder = ctypes.c_int(arguments[at] & 0xFFFFFFFF).value if at >= 0 else _HERE
        base = Path(f"/proc/{pid}/cwd" if folder == _HERE else f"/proc/{pid}/fd/{folder}").readlink()
        whole = Path(os.path.normpath(base / given))
        return self._inside(whole.parent.resolve() / whole.name)

    def _inside(self, path: Path) -> str | None:
        """Relative to the folder; "" is the folder itself, None is elsewhere."""
        if path == self._root:
            return ""
        return str(path.relative_to(self._root)) if path.is_relative_to(self._root) else None

    def _copy(self, pid: int, number: int) -> int:
        """Our own number for a file that the program has open; position and flags are shared."""
        leader = _leader(pid)
        if leader not in self._leaders:
            self._leaders[leader] = os.pidfd_open(leader)
        copy = _LIBC.syscall(calls.PIDFD_GETFD, self._leaders[leader], ctypes.c_int(number), 0)
        if copy < 0:
            raise OSError(ctypes.get_errno(), f"open file {number} of process {leader} cannot be had")
        return int(copy)


def _leader(pid: int) -> int:
    """The process that a thread belongs to."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("Tgid:")).split()[1])


def _position(descriptor: int) -> int:
    """Where the next write goes."""
    if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_APPEND:
        return os.fstat(descriptor).st_size
    is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
    return 0 if is_folder else os.lseek(descriptor, 0, os.SEEK_CUR)


def _bytes(pid: int, address: int, size: int, *, vector: bool) -> bytes:
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        parts = [(address, size)]
        if vector:
            parts = list(struct.iter_unpack("=QQ", os.pread(memory.fileno(), 16 * size, address)))
        return b"".join(os.pread(memory.fileno(), length, start) for start, length in parts if length)


def _text(pid: int, address: int) -> bytes:
    """A text that ends with a zero; it may lie across the end of a page."""
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        text = os.pread(memory.fileno(), 4096 - address % 4096, address)
        if b"\0" not in text:
            text += os.pread(memory.fileno(), 4096, address + len(text))
    return text.partition(b"\0")[0]
