"""What a program did to the files of a folder, call by call, and what it said meanwhile."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

WRITES = ("write", "writev", "pwrite64", "pwritev")
SYNCS = ("fsync", "fdatasync")
RENAMES = ("rename", "renameat", "renameat2")
LINKS = ("link", "linkat")
UNLINKS = ("unlink", "unlinkat", "rmdir")
MKDIRS = ("mkdir", "mkdirat")
OPENS = ("open", "openat")
EXCHANGE = 2
"""``RENAME_EXCHANGE``, a flag of ``renameat2``."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call.

    Attributes:
        number: its place among the calls on the folder, from 1; 0: something said, not done.
        pid: the thread that made it.
        name: the call; ``say`` for a write to standard output.
        path, to: relative to the folder ("" is the folder itself).
        inode: of an open file, the number the file system knows it by; 0: not known.
        unnamed: of an open file, whether the name it was opened by is gone; it may have others.
        offset, size, data: what was to be written, and where; ``size`` also of truncations.
        flags: of open, rename, fallocate.
        was_there: of an open, whether the file existed before.
        result: what the kernel answered: a count, or minus an errno. None: it was killed there.
    """

    number: int
    pid: int
    name: str
    path: str
    to: str = ""
    inode: int = 0
    unnamed: bool = False
    offset: int = 0
    size: int = 0
    data: bytes = b""
    flags: int = 0
    was_there: bool = False
    result: int | None = None

    @property
    def done(self) -> bool:
        """Whether it had its effect."""
        return self.result is not None and self.result >= 0

    def __str__(self) -> str:
        more = f" -> {self.to}" if self.to else f" {self.offset}+{self.size}" if self.size else ""
        return f"{self.number:4} {self.name}({self.path}{more}) = {self.result}"


Trace = list[Call]


def shown(trace: Iterable[Call]) -> str:
    """A line a call, for a person."""
    return "\n".join(map(str, trace))


def without(trace: Trace, omitted: Callable[[Call], bool]) -> Trace:
    """The trace of a program that forgets some calls."""
    left = [call for call in trace if not omitted(call)]
    assert len(left) < len(trace), "nothing was omitted"
    return left


def earlier(trace: Trace, moved: Callable[[Call], bool], before: Callable[[Call], bool]) -> Trace:
    """The trace of a program that makes each call of one kind before the nearest preceding one of another.

    With ``before`` true for several calls in a row, before the first of that row.
    """
    result: Trace = []
    for call in trace:
        if not moved(call):
            result.append(call)
            continue
        place = len(result)
        while place and not before(result[place - 1]):
            place -= 1
        while place and before(result[place - 1]):
            place -= 1
        result.insert(place, call)
    assert result != trace, "nothing was moved"
    return result


def later(trace: Trace, moved: Callable[[Call], bool], after: Callable[[Call], bool]) -> Trace:
    """The trace of a program that makes each call of one kind only behind the next one of another."""
    return earlier(trace[::-1], moved, after)[::-1]


def numbered(trace: Trace) -> Trace:
    """The trace with its calls numbered anew."""
    return [replace(call, number=place) for place, call in enumerate(trace, 1)]


def is_new(call: Call) -> bool:
    """Whether an open made a file."""
    return call.name in OPENS and bool(call.flags & os.O_CREAT) and not call.was_there
