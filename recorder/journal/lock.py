"""One recorder a root, and one renderer; the kernel lets go of a lock when its process ends, however it ends."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_TRIES, _TRY_SECONDS = 10, 0.02


class RootInUseError(RuntimeError):
    """Another process records to, or recovers, this root."""


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Hold ``root`` for this process.

    Raises:
        RootInUseError: someone else holds it; the message says who.
    """
    with _opened(root / "journal" / "lock") as descriptor:
        if not _taken(descriptor):
            raise RootInUseError(f"{root}: in use by process {_written(descriptor)}; stop that one first")
        sign(descriptor)
        yield


def sign(descriptor: int) -> None:
    """Say in a lock file who holds it, if the disk has room for that."""
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)


def _taken(descriptor: int) -> bool:
    """Whether the lock is ours now; somebody who only asks (``holder``) is gone by the next try."""
    for _ in range(_TRIES):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_TRY_SECONDS)
        else:
            return True
    return False


def holder(root: Path) -> str | None:
    """The process that holds ``root``, as far as it said which; None: nobody does.

    To ask is to hold the lock for some microseconds, together with whoever else asks.
    """
    try:
        descriptor = os.open(root / "journal" / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _written(descriptor)
    finally:
        os.close(descriptor)
    return None


@contextmanager
def rendering(root: Path) -> Iterator[None]:
    """Hold the segments of ``root``; whoever holds them already is waited for.

    A lock of its own, because a renderer outlives a recorder that is killed, and the next one starts another.
    """
    with _opened(root / "journal" / "render.lock") as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


def _written(descriptor: int) -> str:
    return os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
